package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
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
	rounds = 31
)

// A side is one way to make the call that is measured.
type side struct {
	name string
	call func() error
}

// overhead compares groups of one server: without any credential and guard, and with them.
//
// The sides take turns call by call, so that a disturbance of a few milliseconds falls on all, and the medians of all
// calls are compared.
func overhead(t *figures.Table) {
	as := newLocalAS(time.Hour)
	defer as.close()
	url, stop := child(as.issuer())
	defer stop()
	plain := &http.Transport{ // auth.Egress's transport without its guard
		TLSHandshakeTimeout: 10 * time.Second, ExpectContinueTimeout: time.Second, IdleConnTimeout: 90 * time.Second,
		MaxIdleConnsPerHost: 64, MaxResponseHeaderBytes: 256 << 10, ForceAttemptHTTP2: true,
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
	defer plain.CloseIdleConnections()
	sides := []side{
		{"none", caller(url, nil, mcpgroup.Options{HTTPTransport: plain}, user("alice"))},
		{"none again", caller(url, nil, mcpgroup.Options{HTTPTransport: plain}, user("alice"))},
	}
	for _, with := range []struct {
		name  string
		chain auth.ChainConfig
		ctx   context.Context
	}{
		{"a request value", auth.ChainConfig{}, auth.WithCredentials(user("alice"), map[string]auth.Credential{"remote": auth.Bearer("token-of-alice")})},
		{"an id of a store", auth.ChainConfig{Secrets: storeOf("alice")}, auth.WithCredentials(user("alice"), map[string]auth.Credential{"remote": auth.Reference("alice")})},
		{"an OAuth token", auth.ChainConfig{OAuth: authorized(url)}, user("alice")},
	} {
		sides = append(sides, side{with.name, caller(url, &with.chain, mcpgroup.Options{}, with.ctx)})
	}
	times, allocs := compare(sides)
	base := median(times[0])
	for i := 2; i < len(sides); i++ {
		added := median(times[i]) - base
		percent := added / base * 100
		t.Row(fmt.Sprintf("chain and egress guard with %s: at most 2 %% of a call", sides[i].name),
			fmt.Sprintf("%.2f %%, %+.2f µs, %+.1f allocations", percent, added/1e3, median(allocs[i])-median(allocs[0])), percent <= 2)
	}
	t.Note("overhead: a call of %.0f µs to a server in another process over loopback; the same group without Options.Auth on a plain http.Transport; medians of %d calls of each side, in turns; a second group without differs from the first by %+.2f µs",
		base/1e3, rounds*batch, (median(times[1])-base)/1e3)
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

// compare returns the times of all calls, in ns, and the allocations per call of each round, by side.
func compare(sides []side) (times, allocs [][]float64) {
	times, allocs = make([][]float64, len(sides)), make([][]float64, len(sides))
	for range batch { // warm up
		for _, s := range sides {
			check(s.call())
		}
	}
	for range rounds {
		collectorOff(func() {
			for range batch {
				for _, which := range rand.Perm(len(sides)) { // none always follows the same
					start := time.Now()
					check(sides[which].call())
					times[which] = append(times[which], float64(time.Since(start).Nanoseconds()))
				}
			}
		})
		for i, s := range sides {
			collectorOff(func() {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range batch / 4 {
					check(s.call())
				}
				runtime.ReadMemStats(&after)
				allocs[i] = append(allocs[i], float64(after.Mallocs-before.Mallocs)/(batch/4))
			})
		}
	}
	return times, allocs
}

// collectorOff runs fn between two collections: what the collector costs depends on what else the process holds.
func collectorOff(fn func()) {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	fn()
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
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
