package mcpgroup

import (
	"context"
	"fmt"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/selector/tokens"
)

// describe is the tool describe_tool.
func (s *metaSet) describe() *metaTool {
	return &metaTool{
		definition: &mcp.Tool{
			Name:        describeToolName,
			Title:       "Describe a tool",
			Description: "Returns the whole description and the whole schemas of one tool, where what " + s.opts.Prefix + searchToolsName + " returned is not enough. Says what is left out of a tool that is too large.",
			Annotations: lookOnly(),
			InputSchema: strictObject([]any{"name"}, map[string]any{"name": nameSchema()}),
		},
		run: func(ctx context.Context, args map[string]any, opts []CallOption) (*Result, error) {
			ctx, cancel := withTimeoutOf(ctx, opts)
			defer cancel()
			name, _ := args["name"].(string)
			v, p, i := s.lookup(ctx, name)
			if i < 0 || !p.has(i) {
				return s.unknown(ctx, name), nil
			}
			text, err := s.description(v.tools[i])
			if err != nil {
				return nil, err
			}
			return s.answer(ctx, text)
		},
	}
}

// describedTool is one tool as describe_tool tells it.
type describedTool struct {
	Name         string         `json:"name"`
	ID           string         `json:"id"`
	Server       string         `json:"server"`
	Title        string         `json:"title,omitempty"`
	Description  string         `json:"description,omitempty"`
	InputSchema  map[string]any `json:"input_schema,omitempty"`
	OutputSchema map[string]any `json:"output_schema,omitempty"`
	ReadOnly     bool           `json:"read_only"`
	Destructive  bool           `json:"destructive"`
	LeftOut      []string       `json:"left_out,omitempty"`
}

// description is the answer of describe_tool. Where a model can read what was left out of results it is whole. Elsewhere,
// of a tool that takes more than maxDescribed tokens, what a call needs least is left out first, and named.
func (s *metaSet) description(t *Tool) (string, error) {
	d := describedTool{
		s.nameOf(t), t.id, t.Server, t.Title, t.Description, t.InputSchema, t.OutputSchema, t.ReadOnly(), t.Destructive(), nil,
	}
	text, err := toJSON(d)
	if err != nil || s.r.results != nil || s.count.Count(text) <= maxDescribed {
		return text, err
	}
	if d.OutputSchema != nil {
		d.LeftOut = append(d.LeftOut, fmt.Sprintf("output_schema, %d bytes", len(compactJSON(d.OutputSchema))))
		d.OutputSchema = nil
	}
	withoutOutput := slices.Clip(d.LeftOut)

	const around = maxDescribed / 8 // is for the rest of the answer
	c, _ := tokens.Compact(t.Name, t.Description, t.InputSchema, maxDescribed-around, s.count)
	d.Description, d.InputSchema = c.Description, c.Schema
	for _, lost := range c.Lost[:min(len(c.Lost), maxShownLosses)] {
		d.LeftOut = append(d.LeftOut, cleanText(lost, maxShownLoss)) // it holds names of the server
	}
	if more := len(c.Lost) - maxShownLosses; more > 0 {
		d.LeftOut = append(d.LeftOut, fmt.Sprintf("and %d more", more))
	}
	if text, err = toJSON(d); err != nil || s.count.Count(text) <= maxDescribed {
		return text, err
	}

	d.Description, d.InputSchema = cleanText(t.Description, maxShownDescription), nil
	d.LeftOut = append(withoutOutput, fmt.Sprintf("input_schema, %d bytes; %s says which arguments do not fit",
		len(compactJSON(t.InputSchema)), s.opts.Prefix+callToolName))
	if len(t.Description) > maxShownDescription {
		d.LeftOut = append(d.LeftOut, "end of the description of the tool")
	}
	return toJSON(d)
}

// servers is the tool list_servers.
func (s *metaSet) servers() *metaTool {
	type server struct {
		Name        string `json:"name"`
		Category    string `json:"category,omitempty"`
		Description string `json:"description,omitempty"`
		Tools       int    `json:"tools"`
		Unavailable bool   `json:"unavailable,omitempty"`
	}
	return &metaTool{
		definition: &mcp.Tool{
			Name:        listServersName,
			Title:       "List servers",
			Description: "Lists the servers that tools belong to, what they are for and how many tools they have.",
			Annotations: lookOnly(),
			InputSchema: strictObject(nil, map[string]any{}),
		},
		run: func(ctx context.Context, _ map[string]any, opts []CallOption) (*Result, error) {
			ctx, cancel := withTimeoutOf(ctx, opts)
			defer cancel()
			v, unavailable := s.r.gather(ctx, s.scope)
			p := part{bits: v.allowed(ctx, s.scope)}
			tools := map[string]int{}
			for i, t := range v.tools {
				if p.has(i) {
					tools[t.Server]++
				}
			}
			list := []server{}
			for _, name := range v.servers(func(*member) bool { return true }) {
				if v.members[name].own || tools[name] == 0 && unavailable[name] == nil {
					continue
				}
				list = append(list, server{
					Name: name, Category: v.members[name].cfg.Category, Description: cleanText(v.about[name], maxServerText),
					Tools: tools[name], Unavailable: unavailable[name] != nil,
				})
			}
			var text string
			for _, most := range []int{maxServerText, maxServerText / 4, 0} { // of many servers the names are what is of most use
				for i := range list {
					list[i].Description = cleanText(list[i].Description, most)
				}
				var err error
				if text, err = toJSON(map[string]any{"servers": list}); err != nil {
					return nil, err
				}
				if s.count.Count(text) <= s.opts.TokenBudget {
					break
				}
			}
			return s.answer(ctx, text)
		},
	}
}
