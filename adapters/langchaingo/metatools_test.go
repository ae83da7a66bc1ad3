package langchaingo

import (
	"context"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo/internal/modeltest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// newRegistry is a registry with one server, whose tools know their user.
func newRegistry(t testing.TB) *mcpgroup.Registry {
	t.Helper()
	opts := &mcpgroup.RegistryOptions{Options: func(mcpgroup.ServerConfig) (*mcpgroup.Options, error) {
		return &mcpgroup.Options{NewServer: func(_ context.Context, key session.Key) (*mcp.Server, error) {
			s := mcp.NewServer(&mcp.Implementation{Name: "post", Version: "1"}, nil)
			for name, description := range map[string]string{"send_letter": "Sends a letter by post.", "track_parcel": "Tells where a parcel is."} {
				schema := schemaOf(t, `{"type":"object","required":["to"],"properties":{"to":{"type":"string"}}}`)
				s.AddTool(&mcp.Tool{Name: name, Description: description, InputSchema: schema},
					func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
						return text("%s for %s: %s", name, key.User, req.Params.Arguments), nil
					})
			}
			return s, nil
		}}, nil
	}}
	r, err := mcpgroup.LoadConfig(t.Context(), &mcpgroup.Config{Servers: []mcpgroup.ServerConfig{{Name: "post"}}}, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// An agent that carries the meta-tools reaches every tool, whether it calls functions or writes text.
func TestMetaToolsAreToolsLikeAnyOther(t *testing.T) {
	metas, err := newRegistry(t).MetaTools(&mcpgroup.MetaToolOptions{MaxTools: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []SchemaMode{SchemaFull, SchemaPortable} {
		if _, err := LLMTools(metas, &Options{Schema: mode, OnLoss: func(tool *mcpgroup.Tool, losses []string) {
			if mode == SchemaFull {
				t.Errorf("models are not told all of %s: %q", tool.Name, losses)
			}
		}}); err != nil {
			t.Fatal(err)
		}
	}
	model := modeltest.New(
		modeltest.Calls("", modeltest.ToolCall("1", "search_tools", `{"queries":["send a letter"]}`)),
		modeltest.Calls("", modeltest.ToolCall("2", "call_tool", `{"name":"send_letter","arguments":{"to":"Bob"}}`), modeltest.ToolCall("3", "call_tool", `{"name":"send_letter"}`)),
		modeltest.Text("Sent."),
	)
	ctx := asUser(t.Context(), "alice")
	res, err := Run(ctx, model, metas, question("Write to Bob."), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		`{"tools":[{"name":"send_letter","server":"post","description":"Sends a letter by post.","input_schema":`,
		`send_letter for alice: {"to":"Bob"}`,
		`Error: invalid arguments for tool "send_letter": `,
	} {
		if got := res.Calls[i].Observation; !strings.HasPrefix(got, want) {
			t.Errorf("call %d: the model is told %q, want %q", i, got, want)
		}
	}
	if n := strings.Count(res.Calls[0].Observation, "send_letter"); n != 1 {
		t.Errorf("the model is told %d times of the tool: %s", n, res.Calls[0].Observation)
	}

	tools, err := Tools(metas, nil)
	if err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{
		"```json\n{\"queries\": [\"where is my parcel\"]}\n```":    `{"tools":[{"name":"track_parcel"`,
		`{"__arg1": "{\"queries\": [\"send a letter\"]}"}`:         `{"tools":[{"name":"send_letter"`,
		`{"queries": ["send a letter"], "servers": ["elsewhere"]}`: `{"tools":[],`,
	} {
		if got, err := tools[0].Call(ctx, input); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("search_tools(%s) = %q, %v; want %q", input, got, err, want)
		}
	}
}
