package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// An application is the server that is there already. It knows its users by the cookies that they got with their login.
type application map[string]string

func (a application) loggedIn(r *http.Request) (user string, err error) {
	cookie, err := r.Cookie("login")
	if err != nil || a[cookie.Value] == "" {
		return "", errors.New("please log in")
	}
	return a[cookie.Value], nil
}

// newTickets makes an MCP server somewhere else. It knows its users by their tokens, and serves nobody without one.
func newTickets() http.Handler {
	owners := map[string]string{"Bearer token-of-alice": "alice", "Bearer token-of-bob": "bob"}
	s := mcp.NewServer(&mcp.Implementation{Name: "tickets", Version: "1"}, nil)
	for _, tool := range []string{"list", "delete"} {
		mcp.AddTool(s, &mcp.Tool{Name: tool}, func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			text := tool + ": the tickets of " + owners[req.Extra.Header.Get("Authorization")]
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
		})
	}
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if owners[r.Header.Get("Authorization")] != "" {
			handler.ServeHTTP(w, r)
		} else {
			http.Error(w, "who are you?", http.StatusUnauthorized)
		}
	})
}

// serve runs a handler on a free port of the loopback interface until stop is called.
func serve(handler http.Handler) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server, done := &http.Server{Handler: handler}, make(chan struct{})
	go func() {
		_ = server.Serve(listener) // until stop
		close(done)
	}()
	return "http://" + listener.Addr().String(), func() { server.Close(); <-done }, nil
}

// visit is what a browser with a cookie asks for.
func visit(ctx context.Context, url, cookie string) (report string, _ error) {
	for _, request := range []string{"GET /about", "GET /tools/", "POST /tools/tickets.list", "POST /tools/tickets.delete"} {
		method, path, _ := strings.Cut(request, " ")
		r, err := http.NewRequestWithContext(ctx, method, url+path, nil)
		if err != nil {
			return "", err
		}
		r.AddCookie(&http.Cookie{Name: "login", Value: cookie})
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", err
		}
		body, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			return "", err
		}
		report += fmt.Sprintf("  %-26s %d %s\n", request, res.StatusCode, strings.TrimSpace(string(body)))
	}
	return report, nil
}
