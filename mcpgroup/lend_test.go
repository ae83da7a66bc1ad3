package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

// A server of this process serves each request with what it brings, and with nothing once it has ended.
func TestAnInMemoryServerHasARequestsOwnCredentialWhileItRuns(t *testing.T) {
	here, err := auth.NewChain(auth.ChainConfig{Server: "here"})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := auth.NewChain(auth.ChainConfig{Server: "elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	ended, asked := make(chan struct{}), make(chan error, 1)
	server := mcp.NewServer(&mcp.Implementation{Name: "here", Version: "1"}, nil)
	bearer := func(ctx context.Context) (string, error) {
		key, _ := session.FromContext(ctx)
		r, err := here.Resolve(ctx, key)
		return key.User + " " + r.Header().Get("Authorization"), err
	}
	schema := map[string]any{"type": "object"}
	server.AddTool(&mcp.Tool{Name: "who", InputSchema: schema}, func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		who, err := bearer(ctx)
		if key, _ := session.FromContext(ctx); elsewhere.Explain(ctx, key) != auth.SourceNone {
			err = errors.New("what a request brings for another server is here too")
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: who}}}, err
	})
	var g *MCPFunctionGroup
	server.AddTool(&mcp.Tool{Name: "relay", InputSchema: schema}, func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		res, err := g.Call(ctx, "who", nil) // whose context is that of the connection that it goes over
		if err != nil {
			return nil, err
		}
		return res.CallToolResult, nil
	})
	server.AddTool(&mcp.Tool{Name: "linger", InputSchema: schema}, func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		go func() {
			<-ended
			_, err := bearer(ctx)
			asked <- err
		}()
		return &mcp.CallToolResult{}, nil
	})
	with := func(user, token string) context.Context {
		ctx := session.NewContext(t.Context(), session.Key{Tenant: "acme", User: user})
		return auth.WithCredentials(ctx, map[string]auth.Credential{"here": auth.Bearer(token), "elsewhere": auth.Bearer("other")})
	}
	if g, err = New(ServerConfig{Name: "here", Server: server}, &Options{Auth: here}); err != nil {
		t.Fatal(err)
	}
	defer g.Close()

	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			user, token := fmt.Sprintf("user%d", i%3), fmt.Sprintf("token%d", i%4)
			for _, tool := range []string{"who", "relay"} {
				res, err := g.Call(with(user, token), tool, nil)
				if err != nil || res.Text() != user+" Bearer "+token {
					t.Errorf("%s with %s is %v, %v by %s", user, token, res, err, tool)
				}
			}
		})
	}
	wg.Wait()

	if _, err := g.Call(with("alice", "token"), "linger", nil); err != nil {
		t.Fatal(err)
	}
	close(ended)
	if err := <-asked; !errors.Is(err, auth.ErrRequestEnded) {
		t.Errorf("after the request there is %v, want ErrRequestEnded", err)
	}
}

// What a request brings is not passed over for what comes after it in order.
func TestASharedServerOfThisProcessRefusesARequestsOwnCredential(t *testing.T) {
	chain, err := auth.NewChain(auth.ChainConfig{Server: "here", Credential: auth.Bearer("of-the-server")})
	if err != nil {
		t.Fatal(err)
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "here", Version: "1"}, nil)
	server.AddTool(&mcp.Tool{Name: "who", InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		r, err := chain.Resolve(ctx, session.Key{})
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: r.Header().Get("Authorization")}}}, err
	})
	g, err := New(ServerConfig{Name: "here", Server: server, Shared: true, ProtocolVersion: mcptest.Era2026}, &Options{Auth: chain})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ctx := session.NewContext(t.Context(), session.Key{Tenant: "acme", User: "alice"})
	if res, err := g.Call(ctx, "who", nil); err != nil || res.Text() != "Bearer of-the-server" {
		t.Errorf("without a credential of its own: %v, %v", res, err)
	}
	own := map[string]auth.Credential{"here": auth.Bearer("own")}
	for _, ctx := range []context.Context{auth.WithCredentials(ctx, own), auth.WithAgentCredentials(ctx, own)} {
		var failed *CredentialError
		if res, err := g.Call(ctx, "who", nil); !errors.As(err, &failed) {
			t.Errorf("with one: %v, %v; want a *CredentialError", res, err)
		}
	}
}
