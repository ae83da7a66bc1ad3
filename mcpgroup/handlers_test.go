package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

// askingServer has a tool that asks its user for a colour, one that asks a model, one that reports progress and logs.
func askingServer() *mcp.Server {
	s := newServer()
	mcp.AddTool(s, &mcp.Tool{Name: "ask"}, func(ctx context.Context, req *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		res, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: "Which colour?", RequestedSchema: map[string]any{
			"type": "object", "properties": map[string]any{"colour": map[string]any{"type": "string"}}}})
		if err != nil {
			return nil, nil, err
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(res.Content["colour"])}}}, nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "think"}, func(ctx context.Context, req *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		res, err := req.Session.CreateMessage(ctx, &mcp.CreateMessageParams{MaxTokens: 10,
			Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "hm"}}}})
		if err != nil {
			return nil, nil, err
		}
		return &mcp.CallToolResult{Content: []mcp.Content{res.Content}}, nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "work"}, func(ctx context.Context, req *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		for i := range 3 {
			err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
				ProgressToken: req.Params.GetProgressToken(), Progress: float64(i + 1), Total: 3})
			if err != nil {
				return nil, nil, err
			}
		}
		err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: "done"})
		return &mcp.CallToolResult{Content: []mcp.Content{}}, nil, err
	})
	return s
}

func TestHandlersGetTheKeyOfTheirUser(t *testing.T) {
	var mu sync.Mutex
	var logged []string
	g := newGroup(t, ServerConfig{Server: askingServer(), ProtocolVersion: "2025-11-25"}, &Options{Handlers: Handlers{
		Elicit: func(_ context.Context, key session.Key, p *mcp.ElicitParams) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"colour": key.User + "'s"}}, nil
		},
		Sample: func(_ context.Context, key session.Key, p *mcp.CreateMessageWithToolsParams) (*mcp.CreateMessageWithToolsResult, error) {
			return &mcp.CreateMessageWithToolsResult{Role: "assistant", Model: "m",
				Content: []mcp.Content{&mcp.TextContent{Text: "thought of " + key.User}}}, nil
		},
		Log: func(_ context.Context, key session.Key, p *mcp.LoggingMessageParams) {
			mu.Lock()
			defer mu.Unlock()
			logged = append(logged, key.User)
		},
	}})
	for _, user := range []string{"alice", "bob"} {
		ctx := userContext(user)
		if got := mustCall(t, g, ctx, "ask", nil).Text(); got != user+"'s" {
			t.Errorf("elicitation of %s answered %q", user, got)
		}
		if got := mustCall(t, g, ctx, "think", nil).Text(); got != "thought of "+user {
			t.Errorf("sampling of %s answered %q", user, got)
		}
		err := g.WithSession(ctx, func(cs *mcp.ClientSession) error {
			return cs.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: "debug"})
		})
		if err != nil {
			t.Fatal(err)
		}
		var steps []float64
		mustCall(t, g, ctx, "work", nil, WithProgress(func(_ context.Context, p *mcp.ProgressNotificationParams) {
			mu.Lock()
			defer mu.Unlock()
			steps = append(steps, p.Progress)
		}))
		eventually(t, func() bool { // progress may come after the answer
			mu.Lock()
			defer mu.Unlock()
			return slices.Equal(steps, []float64{1, 2, 3})
		})
	}
	eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Equal(logged, []string{"alice", "bob"})
	})
}

// eventually waits for something that happens on other goroutines.
func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("it did not happen")
}

// In 2026-07-28 the server answers with what it wants to know, and the call is made again with the answer.
// All users of a group share the receivers of progress, and a server of one of them must not report on another's call.
func TestProgressTokensAreNotGuessed(t *testing.T) {
	g := newGroup(t, ServerConfig{Server: newServer()}, nil)
	var tokens []int64
	for range 100 {
		token := g.expectProgress(nil)
		if back, ok := progressToken(float64(token)); !ok || back != token {
			t.Fatalf("the token %d comes back as %d, %t", token, back, ok)
		}
		tokens = append(tokens, token)
	}
	slices.Sort(tokens)
	for i, token := range tokens[1:] {
		if token-tokens[i] < 1<<20 {
			t.Errorf("a call has the token %d, and another %d", tokens[i], token)
		}
	}
	if token, ok := progressToken(float64(tokens[0]%1000) + 0.5); ok {
		t.Errorf("a broken number is the token %d", token)
	}
}

func TestInputRequiredIsAnsweredOrHandedToTheCaller(t *testing.T) {
	server := func() *mcp.Server {
		s := mcp.NewServer(&mcp.Implementation{Name: "s"}, nil)
		s.AddTool(&mcp.Tool{Name: "confirm", InputSchema: map[string]any{"type": "object"}},
			func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				if r, ok := req.Params.InputResponses["q"].(*mcp.ElicitResult); ok {
					return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: r.Action + " " + req.Params.RequestState}}}, nil
				}
				return &mcp.CallToolResult{RequestState: "step-1",
					InputRequests: mcp.InputRequestMap{"q": &mcp.ElicitParams{Message: "Sure?"}}}, nil
			})
		return s
	}
	ctx := userContext("alice")

	answering := newGroup(t, ServerConfig{Server: server()}, &Options{Handlers: Handlers{
		Elicit: func(_ context.Context, key session.Key, _ *mcp.ElicitParams) (*mcp.ElicitResult, error) {
			if key.User != "alice" {
				t.Errorf("asked %v", key)
			}
			return &mcp.ElicitResult{Action: "accept"}, nil
		},
	}})
	if got := mustCall(t, answering, ctx, "confirm", nil).Text(); got != "accept step-1" {
		t.Errorf("answered by the handler: %q", got)
	}
	if v := answering.Status().ProtocolVersion; v != "2026-07-28" {
		t.Fatalf("revision %s", v)
	}

	surfacing := newGroup(t, ServerConfig{Server: server()}, nil)
	res := mustCall(t, surfacing, ctx, "confirm", nil)
	if !res.NeedsInput() || !errors.Is(res.Err(), ErrInputRequired) {
		t.Fatalf("result = %+v, Err = %v", res.CallToolResult, res.Err())
	}
	res = mustCall(t, surfacing, ctx, "confirm", nil,
		WithInput(mcp.InputResponseMap{"q": &mcp.ElicitResult{Action: "decline"}}, res.RequestState))
	if got := res.Text(); got != "decline step-1" {
		t.Errorf("answered by the caller: %q", got)
	}
}

// R11: whatever a callback does, the next call of the same user works, and the cause is told.
func TestCallbacksThatPanicOrExitHarmNobody(t *testing.T) {
	for _, bad := range []struct {
		name string
		do   func()
	}{
		{"panic", func() { panic("callback bug") }},
		{"Goexit", runtime.Goexit},
	} {
		t.Run(bad.name, func(t *testing.T) {
			armed := make(map[string]bool)
			var mu sync.Mutex
			misbehave := func(where string) {
				mu.Lock()
				now := armed[where]
				armed[where] = false
				mu.Unlock()
				if now {
					bad.do()
				}
			}
			g := newGroup(t, ServerConfig{ProtocolVersion: "2025-11-25"}, &Options{
				NewServer: func(context.Context, session.Key) (*mcp.Server, error) {
					misbehave("NewServer")
					return askingServer(), nil
				},
				Fingerprint: func(context.Context, session.Key) (string, error) { misbehave("Fingerprint"); return "", nil },
				Filter:      func(_ context.Context, tools []*Tool) []*Tool { misbehave("Filter"); return tools },
				Middleware: []func(CallFunc) CallFunc{func(next CallFunc) CallFunc {
					return func(ctx context.Context, req *CallRequest) (*Result, error) {
						misbehave("Middleware")
						return next(ctx, req)
					}
				}},
				Handlers: Handlers{Elicit: func(context.Context, session.Key, *mcp.ElicitParams) (*mcp.ElicitResult, error) {
					misbehave("Elicit")
					return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"colour": "red"}}, nil
				}},
			})
			for i, where := range []string{"NewServer", "Fingerprint", "Filter", "Middleware", "Elicit"} {
				ctx := userContext(fmt.Sprint("user", i))
				mu.Lock()
				armed[where] = true
				mu.Unlock()
				var err error
				var res *Result
				returned := false
				var recovered any
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { recovered = recover() }()
					res, err = g.Call(ctx, "ask", nil)
					returned = true
				}()
				<-done
				told := !returned || err != nil || res.IsError
				if !told {
					t.Errorf("%s in %s went unnoticed", bad.name, where)
				}
				if err != nil && bad.name == "panic" && !strings.Contains(err.Error(), "callback bug") {
					t.Errorf("%s: error %v does not name the panic (recovered %v)", where, err, recovered)
				}
				eventually(t, func() bool {
					_, err := g.Call(ctx, "ask", nil)
					return err == nil
				})
				if n := g.Status().Sessions.Leased; n != 0 {
					t.Errorf("%s: %d leases left", where, n)
				}
			}
		})
	}
}

func TestResourcesAndPromptsPassThrough(t *testing.T) {
	s := newServer()
	s.AddResource(&mcp.Resource{Name: "r", URI: "test://r"}, func(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		key, _ := session.FromContext(ctx)
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "for " + key.User}}}, nil
	})
	s.AddResourceTemplate(&mcp.ResourceTemplate{Name: "t", URITemplate: "test://t/{id}"}, func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "templated"}}}, nil
	})
	s.AddPrompt(&mcp.Prompt{Name: "p", Arguments: []*mcp.PromptArgument{{Name: "x"}}}, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Description: "with " + req.Params.Arguments["x"]}, nil
	})
	for _, revision := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(revision, func(t *testing.T) {
			g := newGroup(t, ServerConfig{Server: s, ProtocolVersion: revision}, nil)
			for _, user := range []string{"alice", "bob"} {
				ctx := userContext(user)
				for range 2 { // the second answer must not come from a cache of emptied answers
					resources, err := g.Resources(ctx)
					if err != nil || len(resources) != 1 {
						t.Fatalf("Resources() = %v, %v", resources, err)
					}
					read, err := g.ReadResource(ctx, "test://r")
					if err != nil || len(read.Contents) != 1 || read.Contents[0].Text != "for "+user {
						t.Fatalf("ReadResource() = %+v, %v", read, err)
					}
				}
				templates, err := g.ResourceTemplates(ctx)
				if err != nil || len(templates) != 1 {
					t.Errorf("ResourceTemplates() = %v, %v", templates, err)
				}
				prompts, err := g.Prompts(ctx)
				if err != nil || len(prompts) != 1 {
					t.Errorf("Prompts() = %v, %v", prompts, err)
				}
				p, err := g.GetPrompt(ctx, "p", map[string]string{"x": "y"})
				if err != nil || p.Description != "with y" {
					t.Errorf("GetPrompt() = %+v, %v", p, err)
				}
			}
			var rpc *RPCError
			if _, err := g.ReadResource(userContext("alice"), "test://gone"); !errors.As(err, &rpc) {
				t.Errorf("ReadResource(gone) = %v, want the server's error", err)
			}
		})
	}
}
