package mcpgroup

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// describe is the tool describe_tool.
func (s *metaSet) describe() *metaTool {
	return &metaTool{
		definition: &mcp.Tool{
			Name:        describeToolName,
			Title:       "Describe a tool",
			Description: "Returns the whole description and the whole schemas of one tool, where what " + s.opts.Prefix + searchToolsName + " returned is not enough.",
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
			t := v.tools[i]
			text, err := toJSON(struct {
				Name         string         `json:"name"`
				ID           string         `json:"id"`
				Server       string         `json:"server"`
				Title        string         `json:"title,omitempty"`
				Description  string         `json:"description,omitempty"`
				InputSchema  map[string]any `json:"input_schema"`
				OutputSchema map[string]any `json:"output_schema,omitempty"`
				ReadOnly     bool           `json:"read_only"`
				Destructive  bool           `json:"destructive"`
			}{s.nameOf(t), t.id, t.Server, t.Title, t.Description, t.InputSchema, t.OutputSchema, t.ReadOnly(), t.Destructive()})
			if err != nil {
				return nil, err
			}
			return s.answer(ctx, text)
		},
	}
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
