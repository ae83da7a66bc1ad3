package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

const (
	batch  = 200 // calls per side and round
	rounds = 61
)

// overhead compares groups of one server: with a header that never changes and no guard, and with the chain and the guard.
// All of them send the same: what the header itself costs, most of it the server, is no work of the chain's.
//
// The sides take turns call by call, so that a disturbance of a few milliseconds falls on all, and the medians of all
// calls are compared.
func overhead(t *figures.Table) {
	as := newLocalAS(time.Hour)
	defer as.close()
	url, stop := child(as.issuer())
	defer stop()
	plain := func(h http.Header) mcpgroup.Options {
		opts := mcpgroup.Options{HTTPTransport: &http.Transport{ // auth.Egress's transport without its guard
			TLSHandshakeTimeout: 10 * time.Second, ExpectContinueTimeout: time.Second, IdleConnTimeout: 90 * time.Second,
			MaxIdleConnsPerHost: 64, MaxResponseHeaderBytes: 256 << 10, ForceAttemptHTTP2: true,
			HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		}}
		if h != nil {
			opts.Headers = func(context.Context, session.Key) (http.Header, error) { return h, nil }
		}
		return opts
	}
	fixed := func() mcpgroup.Options { return plain(http.Header{"Authorization": {"Bearer token-of-alice"}}) }
	sides := []figures.Side{
		{Name: "a fixed header", Call: caller(url, nil, fixed(), user("alice"))},
		{Name: "a fixed header again", Call: caller(url, nil, fixed(), user("alice"))},
		{Name: "no header", Call: caller(url, nil, plain(nil), user("alice"))},
	}
	compared := len(sides)
	for _, with := range []struct {
		name  string
		chain auth.ChainConfig
		ctx   context.Context
	}{
		{"a request value", auth.ChainConfig{}, auth.WithCredentials(user("alice"), map[string]auth.Credential{"remote": auth.Bearer("token-of-alice")})},
		{"an id of a store", auth.ChainConfig{Secrets: storeOf("alice")}, auth.WithCredentials(user("alice"), map[string]auth.Credential{"remote": auth.Reference("alice")})},
		{"an OAuth token", auth.ChainConfig{OAuth: authorized(url)}, user("alice")},
	} {
		sides = append(sides, figures.Side{Name: with.name, Call: caller(url, &with.chain, mcpgroup.Options{}, with.ctx)})
	}
	timings, err := figures.Turns(sides, rounds, batch)
	check(err)
	base := timings[0].Typical()
	added := func(i int) (time.Duration, float64) {
		return timings[i].Typical() - base, figures.Median(timings[i].Allocations) - figures.Median(timings[0].Allocations)
	}
	for i := compared; i < len(sides); i++ {
		time, allocs := added(i)
		percent := float64(time) / float64(base) * 100
		t.Row(fmt.Sprintf("chain and egress guard with %s: at most 2 %% of a call", sides[i].Name),
			fmt.Sprintf("%.2f %%, %+.2f µs, %+.1f allocations", percent, figures.Micros(time), allocs), percent <= 2)
	}
	t.Note("overhead: a call of %.0f µs to a server in another process over loopback, against the same group with the same header, fixed, and without Options.Auth and guard; medians of %d calls of each side, in turns", figures.Micros(base), rounds*batch)
	noise, _ := added(1)
	without, fewer := added(2)
	t.Note("overhead: a second group with the fixed header differs from the first by %+.2f µs; one that sends no header at all by %+.2f µs and %+.1f allocations",
		figures.Micros(noise), figures.Micros(without), fewer)
}

// caller opens a session and returns the call on it.
func caller(url string, chain *auth.ChainConfig, opts mcpgroup.Options, ctx context.Context) func() error {
	cfg := mcpgroup.ServerConfig{Name: "remote", URL: url, ProtocolVersion: "2025-11-25"}
	var g *mcpgroup.MCPFunctionGroup
	if chain != nil {
		g = newGroup(url, *chain, cfg, opts)
	} else {
		var err error
		g, err = mcpgroup.New(cfg, &opts)
		check(err)
	}
	return func() error {
		res, err := g.Call(ctx, "nap", nil)
		if err == nil && res.IsError {
			return errors.New(res.Text())
		}
		return err
	}
}

func storeOf(name string) auth.SecretStore {
	s := auth.NewMemoryStore()
	check(s.SetSecret(context.Background(), auth.SecretKey{Tenant: tenant, ID: name}, auth.Bearer("token-of-"+name)))
	return s
}

// authorized is an OAuth client that has a token of alice for the server at url.
func authorized(url string) *oauth.Client {
	home := newSite(tenant)
	defer home.close()
	c := newClient(oauth.Config{Resource: url, Grant: &oauth.AuthorizationCode{RedirectURL: home.redirectURL()}})
	home.serve(c.Callback(nil))
	_, err := c.Refused(user("alice"), session.Key{Tenant: tenant, User: "alice"}, auth.Refusal{StatusCode: http.StatusUnauthorized})
	where, ok := prompted(err)
	if !ok {
		check(fmt.Errorf("no authorization is asked for: %w", err))
	}
	check(browser{user: "alice"}.authorize(context.Background(), where))
	return c
}

// serve is the child process: a server on a port that it prints. It asks for nothing and says that tokens come from issuer.
func serve(issuer string) {
	s := mcp.NewServer(&mcp.Implementation{Name: "figures", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "nap", Description: "Does nothing."},
		func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, nil
		})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("http://%s/mcp\n", l.Addr())
	go func() { // ends with the parent
		bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(0)
	}()
	mux := http.NewServeMux()
	mux.Handle("/mcp", mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{JSONResponse: true}))
	mux.HandleFunc("/.well-known/oauth-protected-resource/mcp", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"resource":"http://%s/mcp","authorization_servers":[%q]}`, l.Addr(), issuer)
	})
	check(http.Serve(l, mux))
}

// child starts this program as a server and returns its URL.
func child(issuer string) (url string, stop func()) {
	self, err := os.Executable()
	check(err)
	cmd := exec.Command(self, "serve", issuer)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(err)
	out, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	if _, err := fmt.Fscanln(out, &url); err != nil {
		check(fmt.Errorf("the server's child process gave no URL: %w", err))
	}
	return url, func() {
		in.Close()
		cmd.Wait()
	}
}
