package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	sdkauth "github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

// resource is an MCP server that only lets bearer tokens in which its authorization server issued for it. Its tool
// whoami returns whose token the call brought and compares that with what the caller says.
type resource struct {
	host    *mcptest.Host
	url     string
	calls   atomic.Int64 // executions of whoami
	crossed atomic.Int64 // of these, with a token of somebody else
	refused atomic.Int64 // requests answered 401 or 403
}

const napTime = 500 * time.Millisecond

type whoamiArgs struct {
	User string `json:"user" jsonschema:"who the caller says they are"`
}

// newResource starts the server. verify is how it checks tokens; stateless servers speak MCP 2026-07-28.
func newResource(issuer string, stateless bool, verify func(issuer, resource string) sdkauth.TokenVerifier) *resource {
	r := &resource{}
	s := mcp.NewServer(&mcp.Implementation{Name: "resource", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "whoami", Description: "Returns whose token the call brought."}, r.whoami)
	mcp.AddTool(s, &mcp.Tool{Name: "nap", Description: "Takes its time."}, nap)
	mux := http.NewServeMux()
	r.host = mcptest.Listen(mux)
	r.url = r.host.URL() + "/mcp"
	metadata := "/.well-known/oauth-protected-resource/mcp"
	mux.Handle(metadata, sdkauth.ProtectedResourceMetadataHandler(&oauthex.ProtectedResourceMetadata{
		Resource: r.url, AuthorizationServers: []string{issuer}, ScopesSupported: []string{"tools"},
		BearerMethodsSupported: []string{"header"},
	}))
	guard := sdkauth.RequireBearerToken(verify(issuer, r.url), &sdkauth.RequireBearerTokenOptions{
		ResourceMetadataURL: r.host.URL() + metadata, Scopes: []string{"tools"},
	})
	mux.Handle("/mcp", r.count(guard(mcptest.HTTPHandler(s, stateless))))
	return r
}

func (r *resource) whoami(_ context.Context, req *mcp.CallToolRequest, args whoamiArgs) (*mcp.CallToolResult, any, error) {
	sub := req.Extra.TokenInfo.UserID
	r.calls.Add(1)
	if sub != args.User {
		r.crossed.Add(1)
		return nil, nil, fmt.Errorf("the token is %q's, the caller says %q", sub, args.User)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: sub}}}, nil, nil
}

// nap takes half a second.
func nap(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	select {
	case <-time.After(napTime):
	case <-ctx.Done():
	}
	return &mcp.CallToolResult{Content: []mcp.Content{}}, nil, nil
}

// count counts the requests that next refuses.
func (r *resource) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		next.ServeHTTP(&statusWriter{ResponseWriter: w, refused: &r.refused}, req)
	})
}

type statusWriter struct {
	http.ResponseWriter
	refused *atomic.Int64
}

func (w *statusWriter) WriteHeader(status int) {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		w.refused.Add(1)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (r *resource) close() { r.host.Close() }
