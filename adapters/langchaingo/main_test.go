package langchaingo

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handler is the body of a tool: who calls it, and with what.
type handler func(user string, args map[string]any) *mcp.CallToolResult

type serverTool struct {
	name, schema string
	run          handler
}

func text(format string, args ...any) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}
}

var (
	sayTool = serverTool{"say", `{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`,
		func(user string, args map[string]any) *mcp.CallToolResult {
			return text("%s says %v", user, args["text"])
		}}
	addTool = serverTool{"add", `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"]}`,
		func(_ string, args map[string]any) *mcp.CallToolResult {
			return text("%v", args["a"].(float64)+args["b"].(float64))
		}}
	whoTool = serverTool{"whoami", `{"type":"object"}`,
		func(user string, _ map[string]any) *mcp.CallToolResult { return text("you are %s", user) }}
	failTool = serverTool{"fail", `{"type":"object"}`,
		func(string, map[string]any) *mcp.CallToolResult {
			r := text("the disk is full")
			r.IsError = true
			return r
		}}
)

// newTools returns the tools of an in-memory server and a context of user alice. The group is closed with the test.
func newTools(t testing.TB, opts *mcpgroup.Options, tools ...serverTool) (context.Context, []*mcpgroup.Tool) {
	t.Helper()
	group := newGroup(t, opts, tools...)
	ctx := asUser(t.Context(), "alice")
	ts, err := group.Tools(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(ts) != len(tools) {
		t.Fatalf("the group shows %d tools of %d", len(ts), len(tools))
	}
	return ctx, ts
}

func newGroup(t testing.TB, opts *mcpgroup.Options, tools ...serverTool) *mcpgroup.MCPFunctionGroup {
	t.Helper()
	var o mcpgroup.Options
	if opts != nil {
		o = *opts
	}
	o.NewServer = func(_ context.Context, key session.Key) (*mcp.Server, error) {
		s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
		for _, tool := range tools {
			s.AddTool(&mcp.Tool{Name: tool.name, Description: "Does " + tool.name + ".", InputSchema: json.RawMessage(tool.schema)},
				func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
					var args map[string]any
					if err := json.Unmarshal(req.Params.Arguments, &args); err != nil {
						return nil, err
					}
					return tool.run(key.User, args), nil
				})
		}
		return s, nil
	}
	group, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "srv"}, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := group.Close(); err != nil {
			t.Errorf("closing the group: %v", err)
		}
	})
	return group
}

func asUser(ctx context.Context, user string) context.Context {
	return session.NewContext(ctx, session.Key{Tenant: "acme", User: user})
}

// answerWith is a middleware that answers every call itself.
func answerWith(f func(ctx context.Context, req *mcpgroup.CallRequest) (*mcpgroup.Result, error)) *mcpgroup.Options {
	return &mcpgroup.Options{Middleware: []func(mcpgroup.CallFunc) mcpgroup.CallFunc{
		func(mcpgroup.CallFunc) mcpgroup.CallFunc { return f },
	}}
}

func schemaOf(t testing.TB, s string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		t.Fatalf("bad schema in test: %v\n%s", err, s)
	}
	return m
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := compactJSON(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
