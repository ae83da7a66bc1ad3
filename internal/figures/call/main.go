// The program call measures what the group adds to a bare call of the SDK, and what an idle session holds.
//
// All sides of every comparison take turns within one process, against the same server, so that the machine's mood falls
// on all.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

const (
	batch  = 200 // calls per side and round
	rounds = 61
)

func main() {
	if len(os.Args) > 1 {
		serve(os.Args[1])
		return
	}
	log.SetFlags(0)
	t := figures.New("call")
	inMemory(t)
	stdio(t)
	streamable(t, "http", "streamable HTTP")
	streamable(t, "events", "streamable HTTP, answers as events")
	idle(t)
	t.Note("added time: the difference between the medians of %d calls of each side, in turns; added allocations: the median over %d rounds", rounds*batch, rounds)
	t.Note("the bare side is mcp.ClientSession.CallTool with the same arguments and a context without deadline; the group checks the arguments, has a deadline, leases a session and registers the call")
	t.Note("by hand: the bare call with a deadline and, over HTTP, a RoundTripper that reads an answer whole within a limit and asks net/http whether the request was sent: less of what the group promises cannot be done around the SDK")
	t.Exit()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

var ctx = session.NewContext(context.Background(), session.Key{Tenant: "acme", User: "alice"})

// A transport is what the calls of one comparison have in common.
type transport struct {
	name string
	// connect opens one more bare session; byHand says that it is to keep what HTTP brings from harming the session.
	connect func(byHand bool) *mcp.ClientSession
	group   *mcpgroup.MCPFunctionGroup
}

// compare prints the rows of one transport.
func (tr transport) compare(t *figures.Table, share bool) {
	sessions := []*mcp.ClientSession{tr.connect(false), tr.connect(true)}
	for _, cs := range sessions {
		defer cs.Close()
	}
	timings, err := figures.Turns([]figures.Side{
		{Name: "bare", Call: bareCall(sessions[0], 0)},
		{Name: "by hand", Call: bareCall(sessions[1], time.Minute)},
		{Name: "group", Call: groupCall(tr.group)},
	}, rounds, batch)
	check(err)
	base := timings[0].Typical()
	added := func(side int) float64 { return figures.Micros(timings[side].Typical() - base) }
	percent := func(side int) float64 { return added(side) / figures.Micros(base) * 100 }
	const byHand, group = 1, 2
	n := figures.Median(timings[group].Allocations) - figures.Median(timings[0].Allocations)
	t.Row(tr.name+": a call adds at most 5 µs", fmt.Sprintf("%.2f µs to %.0f µs", added(group), figures.Micros(base)), added(group) <= 5)
	t.Row(tr.name+": a call adds at most 15 allocations", fmt.Sprintf("%.1f", n), n <= 15)
	if share {
		t.Row(tr.name+": a call takes at most 3 % longer", fmt.Sprintf("%.2f %%", percent(group)), percent(group) <= 3)
	}
	t.Note("%s: by hand a call adds %.2f µs, %.2f %%", tr.name, added(byHand), percent(byHand))
}

// client returns a bare session over transport, in the revision of the group's session.
func client(transport mcp.Transport, revision string) *mcp.ClientSession {
	c := mcp.NewClient(&mcp.Implementation{Name: "bare", Version: "1"}, &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}})
	cs, err := c.Connect(context.Background(), transport, &mcp.ClientSessionOptions{ProtocolVersion: revision})
	check(err)
	return cs
}

// bareCall returns the call on cs, with a deadline unless timeout is 0.
func bareCall(cs *mcp.ClientSession, timeout time.Duration) func() error {
	return func() error {
		ctx := context.Background()
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		_, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"text": "hello"}})
		return err
	}
}

func groupCall(g *mcpgroup.MCPFunctionGroup) func() error {
	check(g.WithSession(ctx, func(*mcp.ClientSession) error { return nil }))
	return func() error {
		_, err := g.Call(ctx, "echo", map[string]any{"text": "hello"})
		return err
	}
}

func newGroup(cfg mcpgroup.ServerConfig) *mcpgroup.MCPFunctionGroup {
	cfg.Name = "figures"
	cfg.ProtocolVersion = "2025-11-25"
	g, err := mcpgroup.New(cfg, nil)
	check(err)
	return g
}

func inMemory(t *figures.Table) {
	server := newServer(0)
	connect := func(bool) *mcp.ClientSession {
		far, near := mcp.NewInMemoryTransports()
		_, err := server.Connect(context.Background(), far, nil)
		check(err)
		return client(near, "2025-11-25")
	}
	g := newGroup(mcpgroup.ServerConfig{Server: server})
	defer g.Close()
	transport{"in-memory", connect, g}.compare(t, false)
}

func stdio(t *figures.Table) {
	self, err := os.Executable()
	check(err)
	connect := func(bool) *mcp.ClientSession {
		return client(&mcp.CommandTransport{Command: exec.Command(self, "stdio")}, "2025-11-25")
	}
	g := newGroup(mcpgroup.ServerConfig{Command: self, Args: []string{"stdio"}})
	defer g.Close()
	transport{"stdio", connect, g}.compare(t, false)
}

func streamable(t *figures.Table, mode, name string) {
	url, stop := child(mode)
	defer stop()
	connect := func(byHand bool) *mcp.ClientSession {
		var rt http.RoundTripper = http.DefaultTransport.(*http.Transport).Clone()
		if byHand {
			rt = careful{rt}
		}
		return client(&mcp.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: rt}, DisableStandaloneSSE: true}, "2025-11-25")
	}
	g := newGroup(mcpgroup.ServerConfig{URL: url})
	defer g.Close()
	transport{name, connect, g}.compare(t, true)
}

// careful is the least that keeps a session from being ended by an answer that is cut or has no end, and a call from
// being repeated that may have run.
type careful struct{ next http.RoundTripper }

func (c careful) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent atomic.Bool
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GetConn:      func(string) { sent.Store(false) },
		WroteHeaders: func() { sent.Store(true) },
	})
	resp, err := c.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("may have run: %t: %w", sent.Load(), err)
	}
	const limit = 4 << 20
	if resp.ContentLength < 0 || resp.ContentLength > limit {
		return resp, nil // a stream: it would have to be looked at event by event
	}
	body := make([]byte, resp.ContentLength)
	_, err = io.ReadFull(resp.Body, body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

// idle measures what sessions hold that nobody uses, on the client's side.
func idle(t *figures.Table) {
	const sessions = 500
	for _, era := range []struct {
		mode, goal string
		tools      bool
		kib        float64
	}{
		{"http", "an idle session of a legacy HTTP server", false, 4},
		{"stateless", "an idle session of a 2026-07-28 server with 101 listed tools", true, 12},
	} {
		url, stop := child(era.mode)
		g, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "figures", URL: url}, nil)
		check(err)
		open := func(i int) {
			ctx := session.NewContext(context.Background(), session.Key{Tenant: "acme", User: fmt.Sprint("user", i)})
			_, err := g.Call(ctx, "echo", map[string]any{"text": "hello"})
			check(err)
			if era.tools {
				tools, err := g.Tools(ctx, mcpgroup.WithRefresh())
				check(err)
				if len(tools) != 101 {
					log.Fatalf("%d tools", len(tools))
				}
			}
		}
		open(-1) // what is there once per server is not held per session
		heap0, goroutines0 := held()
		for i := range sessions {
			open(i)
		}
		heap, goroutines := held()
		kib := float64(heap-heap0) / sessions / 1024
		each := float64(goroutines-goroutines0) / sessions
		t.Row(fmt.Sprintf("%s holds at most %.0f KiB of heap", era.goal, era.kib), fmt.Sprintf("%.2f KiB", kib), kib <= era.kib)
		t.Row(era.goal+" holds 1 goroutine", fmt.Sprintf("%.2f", each), each <= 1.05)
		check(g.Close())
		stop()
	}
	t.Note("idle sessions: %d users of one group, the server in another process, after garbage collection", sessions)
}

// held returns the heap in use and the goroutines once nothing moves any more.
func held() (heap int64, goroutines int) {
	for range 5 {
		runtime.GC()
		time.Sleep(50 * time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), runtime.NumGoroutine()
}
