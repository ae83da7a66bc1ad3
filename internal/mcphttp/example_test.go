package mcphttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/mcphttp"
)

func ExampleNew() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()

	chain, err := mcphttp.New(mcphttp.Config{
		Endpoint: server.URL,
		Headers: func(context.Context, *http.Request) (http.Header, error) {
			return http.Header{"Authorization": {"Bearer alice"}}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer chain.CloseIdleConnections()

	var x mcphttp.Exchange
	ctx := mcphttp.WithExchange(context.Background(), &x)
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	_, err = chain.Client().Do(req)

	var status *mcphttp.HTTPError
	fmt.Println(errors.As(err, &status), x.Sent())
	fmt.Println(status)
	// Output:
	// true true
	// mcphttp: the server answered 429 Too Many Requests (retry after 2s)
}

func ExampleRedact() {
	fmt.Println(mcphttp.Redact(errors.New(`Post "https://h.example/mcp?key=secret": EOF`)))
	// Output: Post "https://h.example/mcp": EOF
}
