package langchaingo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tmc/langchaingo/tools"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// Tool is a [tools.Tool] that calls an MCP tool for the user of the context it is called with. It is immutable and safe
// for concurrent use.
type Tool struct {
	tool        *mcpgroup.Tool
	opts        Options
	description string
	schema      map[string]any
}

var _ tools.Tool = (*Tool)(nil)

// Tools makes langchaingo tools of MCP tools, in the same order; each of them is a [*Tool]. It returns an error, which
// names the tools, if langchaingo's executor could not tell two of them apart: it looks names up in upper case, and
// of "getUser" and "getuser" it would run whichever comes last. So it does for a nil tool and for a name that text agents
// cannot write.
func Tools(ts []*mcpgroup.Tool, opts *Options) ([]tools.Tool, error) {
	o := opts.resolved()
	if err := checkNames(ts, strings.ToUpper); err != nil {
		return nil, err
	}
	out := make([]tools.Tool, len(ts))
	for i, t := range ts {
		schema, _ := Parameters(t, SchemaFull)
		out[i] = &Tool{tool: t, opts: o, schema: schema, description: describeTool(t, schema, o.MaxDescriptionBytes)}
	}
	return out, nil
}

// checkNames returns an error if two tools have the same key, or one has a name that cannot be used at all.
func checkNames(ts []*mcpgroup.Tool, key func(string) string) error {
	seen := make(map[string]*mcpgroup.Tool, len(ts))
	for i, t := range ts {
		if t == nil {
			return fmt.Errorf("langchaingo: tool %d of %d is nil", i, len(ts))
		}
		if !usableName(t.Name) {
			return fmt.Errorf("langchaingo: tool %q of server %q: agents cannot write this name; give it another with ServerConfig.Overrides", t.Name, t.Server)
		}
		k := key(t.Name)
		if other := seen[k]; other != nil {
			if other.Name == t.Name {
				return fmt.Errorf("langchaingo: servers %q and %q both have a tool %q; rename one with ServerConfig.Overrides", other.Server, t.Server, t.Name)
			}
			return fmt.Errorf("langchaingo: tool %q of server %q and tool %q of server %q differ in case only, which langchaingo's executor ignores; rename one with ServerConfig.Overrides",
				other.Name, other.Server, t.Name, t.Server)
		}
		seen[k] = t
	}
	return nil
}

// usableName reports whether a name survives the prompts and the parsers of text agents, which cut at blanks and lines.
func usableName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == ','
	})
}

// describeTool is the description followed by the arguments, which text agents learn of nowhere else: as JSON Schema if
// that fits, else as a line of names and types. The server's own words give way first.
func describeTool(t *mcpgroup.Tool, schema map[string]any, limit int) string {
	if len(properties(schema)) == 0 {
		return headOnly(t.Description, limit)
	}
	const intro = "The input is a JSON object: "
	join := func(description, args string) string {
		if description == "" {
			return intro + args
		}
		return description + "\n" + intro + args
	}
	if data, err := compactJSON(schema); err == nil {
		if full := join(t.Description, string(data)); limit < 0 || len(full) <= limit {
			return full
		}
	}
	if limit < 0 {
		limit = len(t.Description) + maxSignature + len(intro) + 1
	}
	args := signature(schema, max(limit/2, limit-len(t.Description)-len(intro)-1))
	return headOnly(join(headOnly(t.Description, max(limit-len(args)-len(intro)-1, 0)), args), limit)
}

// Name returns the exposed name of the tool.
func (t *Tool) Name() string { return t.tool.Name }

// Description returns the tool's description followed by its arguments, since agents that speak text give a model
// nothing else to go by. It is at most [Options.MaxDescriptionBytes] long.
func (t *Tool) Description() string { return t.description }

// Schema returns the JSON Schema of the arguments as [Parameters] gives it. langgraphgo's agents ask for it. It must not
// be changed.
func (t *Tool) Schema() map[string]any { return t.schema }

// Unwrap returns the MCP tool.
func (t *Tool) Unwrap() *mcpgroup.Tool { return t.tool }

// Call runs the tool and returns its answer as [Text], shortened to [Options.MaxObservationBytes].
//
// The input is what langchaingo's agents make of a model's words:
//
//   - a JSON object with the arguments, also inside a Markdown code fence or with more text behind it
//   - {"__arg1": "..."}, which is all that OpenAIFunctionsAgent lets models send; the string may hold the JSON object
//   - for a tool with one required argument, or with one argument or one string at all, the bare value
//   - nothing or null, for no arguments
//
// A call that fails is an answer too: it begins with "Error: ", says what is known of the call and how to mend it, and is
// returned with a nil error, since langchaingo's executor ends the whole run on an error. The only error is that of a
// context that has ended.
func (t *Tool) Call(ctx context.Context, input string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	obs := t.opts.observe(ctx, t.tool, func() (json.RawMessage, error) { return parseInput(input, t.schema) })
	if err := ctx.Err(); err != nil && obs.err != nil && !errors.Is(obs.err, mcpgroup.ErrInvalidArguments) {
		return "", err
	}
	return obs.text, nil
}
