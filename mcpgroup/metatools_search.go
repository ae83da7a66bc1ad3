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
		run: func(ctx context.Context, args map[string]any, opts []CallOption) (*Result, error) {
			ctx, cancel := withTimeoutOf(ctx, opts)
			defer cancel()
			var in struct {
				Queries  []string `json:"queries"`
				MaxTools int      `json:"max_tools"`
				Servers  []string `json:"servers"`
			}
			if err := decodeArguments(args, &in); err != nil {
				return nil, err
			}
			sel, err := s.r.selectTools(ctx, "", &SelectOptions{
				Steps: in.Queries, Servers: in.Servers, MaxTools: cmp.Or(in.MaxTools, s.opts.MaxTools), TokenBudget: s.opts.TokenBudget,
			}, s.scope, false)
			var invalid *SelectError
			if errors.As(err, &invalid) {
				return mistake("the search cannot be made: %s %s", invalid.Field, invalid.Reason), nil
			} else if err != nil {
				return nil, err
			}
			return s.found(ctx, sel)
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

// found is the answer of search_tools. It is kept within the budget, which the words around a tool count towards too.
func (s *metaSet) found(ctx context.Context, sel *Selection) (*Result, error) {
	answer := struct {
		Tools       []foundTool `json:"tools"`
		Unmatched   []string    `json:"words_not_found,omitempty"`
		Unavailable []string    `json:"unavailable_servers,omitempty"`
		Hint        string      `json:"hint,omitempty"`
	}{Tools: []foundTool{}, Unmatched: sel.Unmatched, Unavailable: slices.Sorted(maps.Keys(sel.Unavailable))}
	answer.Unmatched = answer.Unmatched[:min(len(answer.Unmatched), 10)]
	answer.Unavailable = answer.Unavailable[:min(len(answer.Unavailable), 10)]
	for _, t := range sel.Tools {
		answer.Tools = append(answer.Tools, foundTool{t.Name, t.Server, t.Description, t.InputSchema})
	}
	if len(answer.Tools) == 0 {
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
