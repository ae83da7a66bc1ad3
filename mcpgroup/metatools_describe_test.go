package mcpgroup

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/selector/tokens"
)

// large is a server with tools that are too large to be described whole, each for another reason.
func large() ServerConfig {
	s := mcp.NewServer(&mcp.Implementation{Name: "large", Version: "1"}, nil)
	object := func(n int, format string, property map[string]any) map[string]any {
		properties := map[string]any{}
		for i := range n {
			properties[fmt.Sprintf(format, i)] = property
		}
		return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	}
	number := map[string]any{"type": "number"}
	wordy := map[string]any{"type": "string", "description": strings.Repeat("It says more than it has to. ", 100)}
	var words []any
	for i := range 8_000 {
		words = append(words, fmt.Sprint("v", i))
	}
	enums := object(40, "p%d", nil)
	for i := range 40 {
		enums["properties"].(map[string]any)[fmt.Sprint("p", i)] = map[string]any{"enum": words[200*i : 200*i+200]}
	}
	for _, tool := range []*mcp.Tool{
		{Name: "small", Description: "Is small.", InputSchema: object(3, "p%d", number), OutputSchema: object(3, "q%d", number)},
		{Name: "out", Description: "Gives much.", InputSchema: object(3, "p%d", number), OutputSchema: object(3000, "q%d", number)},
		{Name: "wordy", Description: "Explains itself.", InputSchema: object(60, "p%d", wordy), OutputSchema: object(3, "q%d", number)},
		{Name: "enums", Description: "Knows many values.", InputSchema: enums},
		{Name: "in", Description: strings.Repeat("Takes much. ", 1000), InputSchema: object(3000, "p%d", number), OutputSchema: object(3, "q%d", number)},
	} {
		s.AddTool(tool, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(req.Params.Arguments)}}}, nil
		})
	}
	return ServerConfig{Name: "large", Server: s}
}

func TestADescriptionIsBoundedAndSaysWhatItLacks(t *testing.T) {
	r := newRegistry(t, &RegistryOptions{Patience: time.Minute}, large())
	ctx := userContext("alice")
	describe := metaToolsOf(t, r, &MetaToolOptions{Prefix: "x_", TokenBudget: 200})["x_describe_tool"]
	for name, want := range map[string]struct {
		in, out bool
		left    []string
	}{
		"small": {true, true, nil},
		"out":   {true, false, []string{"output_schema, "}},
		"wordy": {true, false, []string{"output_schema, ", "end of the description at /properties/p0, at "}},
		"enums": {true, false, []string{"values of enum at /properties/p", "and 20 more"}},
		"in":    {false, false, []string{"output_schema, ", "input_schema, ", "x_call_tool says which arguments", "end of the description of the tool"}},
	} {
		res := callMeta(t, describe, ctx, map[string]any{"name": name})
		if n := tokens.Estimate().Count(res.Text()); res.IsError || n > maxDescribed || n < 20 {
			t.Errorf("%s is described in %d tokens: %.200s", name, n, res.Text())
		}
		d := res.StructuredContent.(map[string]any)
		if (d["input_schema"] != nil) != want.in || (d["output_schema"] != nil) != want.out || d["description"] == "" || d["id"] != "large."+name {
			t.Errorf("%s is described as %.300s", name, res.Text())
		}
		left, _ := json.Marshal(d["left_out"])
		for _, part := range want.left {
			if !strings.Contains(string(left), part) {
				t.Errorf("of %s is left out %s, and nothing about %q", name, left, part)
			}
		}
		if want.left == nil && d["left_out"] != nil {
			t.Errorf("of %s is left out %s", name, left)
		}
	}
}

// Where the rest of a result can be read a description is cut as any result is, and nothing of it is lost.
func TestADescriptionThatCanBeReadInPartsIsWhole(t *testing.T) {
	r := newRegistry(t, &RegistryOptions{Patience: time.Minute, Results: ResultPolicy{MaxBytes: 4096}}, large())
	ctx := userContext("alice")
	meta := metaToolsOf(t, r, nil)
	res := callMeta(t, meta["describe_tool"], ctx, `{"name":"large.in"}`)
	_, after, _ := strings.Cut(res.Text(), `handle "`)
	handle, _, _ := strings.Cut(after, `"`)
	if len(res.Text()) > 4096 || handle == "" {
		t.Fatalf("answers %d bytes: %.200s", len(res.Text()), res.Text())
	}
	page := callMeta(t, meta["read_result"], ctx, map[string]any{"handle": handle, "pattern": `"p2999"`})
	if page.IsError || !strings.Contains(page.Text(), "line 1") {
		t.Errorf("the rest answers %q", page.Text())
	}
}
