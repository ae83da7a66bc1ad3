package mcpgroup

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// search is the tool search_tools.
func (s *metaSet) search() *metaTool {
	text := map[string]any{"type": "string", "minLength": 1, "maxLength": maxSearchQuery}
	return &metaTool{
		definition: &mcp.Tool{
			Name:  searchToolsName,
			Title: "Search tools",
			Description: "Finds the tools for a task among all that there are. Give one short query for each step of the task, not one for the whole: " +
				`for "tell Ann how the deploy went" that is ["look up the status of a deployment", "send a chat message to a person"]. ` +
				"Say what is to be done and with what, leave out names and values of the task. Returns names, descriptions and input schemas; " +
				"run a tool with " + s.opts.Prefix + callToolName + ". Search again with other words if nothing fits.",
			Annotations: lookOnly(),
			InputSchema: strictObject([]any{"queries"}, map[string]any{
				"queries":   map[string]any{"type": "array", "minItems": 1, "maxItems": maxSearchQueries, "items": text, "description": "One short query for each step."},
				"max_tools": map[string]any{"type": "integer", "minimum": 1, "maximum": s.opts.MaxTools, "description": fmt.Sprintf("How many tools to return at most. The default is %d.", s.opts.MaxTools)},
				"servers":   map[string]any{"type": "array", "items": text, "maxItems": maxNames, "description": "Only tools of these servers. The default is all."},
			}),
		},
		mend: mendQueries,
		run: func(ctx context.Context, args map[string]any, call []CallOption) (*Result, error) {
			ctx, cancel := withTimeoutOf(ctx, call)
			defer cancel()
			var in struct {
				Queries  []string `json:"queries"`
				MaxTools float64  `json:"max_tools"` // 1.0 and 1e0 are integers too
				Servers  []string `json:"servers"`
			}
			if err := decodeArguments(args, &in); err != nil {
				return nil, err
			}
			opts := SelectOptions{
				Steps: in.Queries, Servers: in.Servers, MaxTools: cmp.Or(int(in.MaxTools), s.opts.MaxTools), TokenBudget: s.opts.TokenBudget,
			}
			sel, err := s.r.selectTools(ctx, "", &opts, s.scope, false)
			var invalid *SelectError
			if errors.As(err, &invalid) {
				return mistake("the search cannot be made: %s %s", invalid.Field, invalid.Reason), nil
			} else if err != nil {
				return nil, err
			}
			opts.TokenBudget = 0
			all, err := s.r.selectTools(ctx, "", &opts, s.scope, false)
			if err != nil {
				return nil, err
			}
			return s.found(ctx, sel, s.tooLarge(all, sel))
		},
	}
}

// mendQueries makes a list of one query, or of the JSON of a list, that was given as a string.
func mendQueries(args map[string]any) {
	text, ok := args["queries"].(string)
	if !ok {
		return
	}
	var list []any
	if json.Unmarshal([]byte(text), &list) != nil {
		list = []any{text}
	}
	args["queries"] = list
}

// foundTool is one tool as search_tools tells it.
type foundTool struct {
	Name        string         `json:"name"`
	Server      string         `json:"server"`
	Description string         `json:"description,omitempty"`
	InputSchema map[string]any `json:"input_schema"`
}

// tooLarge returns the names of the tools of all that no answer has room for, even made smaller.
func (s *metaSet) tooLarge(all, fitting *Selection) (names []string) {
	for i, t := range all.Tools {
		same := func(f *Tool) bool { return f.ID() == t.ID() }
		if all.Details[i].Tokens > s.opts.TokenBudget && !slices.ContainsFunc(fitting.Tools, same) {
			names = append(names, s.nameOf(t))
		}
	}
	return names
}

// found is the answer of search_tools. It is kept within the budget, which the words around a tool count towards too.
func (s *metaSet) found(ctx context.Context, sel *Selection, large []string) (*Result, error) {
	answer := struct {
		Tools       []foundTool `json:"tools"`
		Large       []string    `json:"too_large_to_show,omitempty"`
		Unmatched   []string    `json:"words_not_found,omitempty"`
		Unavailable []string    `json:"unavailable_servers,omitempty"`
		Hint        string      `json:"hint,omitempty"`
	}{Tools: []foundTool{}, Large: s.few(large), Unmatched: s.few(sel.Unmatched), Unavailable: s.few(slices.Sorted(maps.Keys(sel.Unavailable)))}
	for _, t := range sel.Tools {
		answer.Tools = append(answer.Tools, foundTool{s.nameOf(t), t.Server, t.Description, t.InputSchema})
	}
	if len(answer.Large) > 0 {
		answer.Hint = "Some tools that fit are too large to be shown here: see " + s.opts.Prefix + describeToolName + "."
	} else if len(answer.Tools) == 0 {
		answer.Hint = "Nothing fits. Use other words, or see " + s.opts.Prefix + listServersName + " for what there is."
	}
	for {
		text, err := toJSON(answer)
		if err != nil {
			return nil, err
		}
		if n := len(answer.Tools); n > 0 && s.count.Count(text) > s.opts.TokenBudget {
			answer.Tools = answer.Tools[:n-1]
			answer.Hint = "There are more tools that fit; use narrower queries."
			continue
		}
		return s.answer(ctx, text)
	}
}

// few returns the first of some words or names, shortened. What they take of the budget is not there for tools.
func (s *metaSet) few(names []string) (few []string) {
	room := s.opts.TokenBudget / 4 // bytes, and a token has one or more
	for _, name := range names[:min(len(names), 10)] {
		name = cleanText(name, maxShownWord)
		if room -= len(name); room < 0 {
			break
		}
		few = append(few, name)
	}
	return few
}

// nameOf returns what call_tool takes for t: its id if its name is that of one of s, which a server must not hide behind.
func (s *metaSet) nameOf(t *Tool) string {
	if slices.Contains(s.names, t.Name) {
		return t.ID()
	}
	return t.Name
}
