package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

// call is the tool call_tool.
func (s *metaSet) call() *metaTool {
	return &metaTool{
		definition: &mcp.Tool{
			Name:        callToolName,
			Title:       "Call a tool",
			Description: "Runs a tool that " + s.opts.Prefix + searchToolsName + " has found, and returns its result.",
			InputSchema: strictObject([]any{"name"}, map[string]any{
				"name":      nameSchema(),
				"arguments": map[string]any{"type": "object", "description": "The arguments of the tool, as its input schema says. The default is none."},
			}),
		},
		mend: func(args map[string]any) { // some models write the arguments as text
			if text, ok := args["arguments"].(string); ok {
				if object, err := schema.Normalize(text); err == nil {
					args["arguments"] = object
				}
			}
		},
		run: func(ctx context.Context, args map[string]any, opts []CallOption) (*Result, error) {
			name, _ := args["name"].(string)
			if slices.Contains(s.names, strings.TrimPrefix(name, serviceName+".")) {
				return mistake("%q is called by itself, not with %s", cleanText(name, 128), s.opts.Prefix+callToolName), nil
			}
			res, err := s.r.call(ctx, name, args["arguments"], opts, s.scope)
			var bad *ArgumentsError
			switch {
			case errors.As(err, &bad):
				return s.badArguments(ctx, name, bad), nil
			case errors.Is(err, ErrServerNotFound), errors.Is(err, ErrToolNotFound), errors.Is(err, ErrDenied) && !s.sees(ctx, name):
				return s.unknown(ctx, name), nil
			}
			return res, err
		},
	}
}

// badArguments tells a model which arguments to mend, and what the tool takes.
func (s *metaSet) badArguments(ctx context.Context, name string, bad *ArgumentsError) *Result {
	text := cleanText(strings.TrimPrefix(bad.Error(), "mcpgroup: "), maxShownMistakes) + ". Nothing was run."
	if v, p, i := s.lookup(ctx, name); i >= 0 && p.has(i) {
		if in, err := toJSON(v.tools[i].InputSchema); err == nil && len(in) <= maxShownSchema {
			text += " Its input schema is " + in
		}
	}
	return mistake("%s", text)
}

// lookup returns the place of a tool among those of the user of ctx, or -1, and which of them the user may use.
func (s *metaSet) lookup(ctx context.Context, name string) (*view, *part, int) {
	v, _ := s.r.gather(ctx, s.scope)
	return v, &part{bits: v.allowed(ctx, s.scope)}, v.find(name)
}

// sees reports whether the user of ctx has a tool of this name: one that is withheld from them is as one that does not
// exist, and not one that is denied.
func (s *metaSet) sees(ctx context.Context, name string) bool {
	_, p, i := s.lookup(ctx, name)
	return i >= 0 && p.has(i)
}

// unknown says that there is no tool of a name, and which ones have a similar one.
func (s *metaSet) unknown(ctx context.Context, name string) *Result {
	name = cleanText(name, 128)
	text := fmt.Sprintf("There is no tool %q.", name)
	// Names with mistakes in them are found by their n-grams, as any other words are.
	words := strings.NewReplacer("_", " ", "-", " ", ".", " ").Replace(name)
	if near, err := s.r.selectTools(ctx, words, &SelectOptions{MaxTools: 3}, s.scope, false); err == nil {
		var names []string
		for _, t := range near.Tools {
			names = append(names, fmt.Sprintf("%q", s.nameOf(t)))
		}
		if len(names) > 0 {
			text += " Did you mean " + strings.Join(names, " or ") + "?"
		}
		if len(near.Unavailable) > 0 {
			text += " Some servers cannot be reached, and their tools are not known."
		}
	}
	return mistake("%s Find tools with %s.", text, s.opts.Prefix+searchToolsName)
}
