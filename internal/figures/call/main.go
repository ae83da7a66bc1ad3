// The program call measures what the group adds to a bare call of the SDK, and what an idle session holds.
//
// Both sides of every comparison run in turns within one process, against the same server, so that the machine's mood
// falls on both.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

const (
	batch  = 200 // calls per side and round
	rounds = 31
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
	streamable(t)
	idle(t)
	t.Note("added time: the difference between the medians of %d calls of each side, made in turns; added allocations: the median over %d rounds", rounds*batch, rounds)
	t.Note("the bare side is mcp.ClientSession.CallTool with the same arguments and a context without deadline; the group checks the arguments, has a deadline, leases a session and registers the call")
	t.Exit()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

var ctx = session.NewContext(context.Background(), session.Key{Tenant: "acme", User: "alice"})

// side is one way to make the call that is measured.
type side func() error

// compare prints the rows of one transport.
//
// The two sides alternate call by call, so that a disturbance of a few milliseconds falls on both, and the medians of
// all calls are compared.
func compare(t *figures.Table, transport string, bare, group side, share bool) {
	for range batch { // warm up
		check(bare())
		check(group())
	}
	var times [2][]float64
	var allocs []float64
	for range rounds {
		collectorOff(func() {
			for i := range 2 * batch {
				which := (i + i/2) % 2 // bare, group, group, bare: neither always follows the other
				call := bare
				if which == 1 {
					call = group
				}
				start := time.Now()
				check(call())
				times[which] = append(times[which], float64(time.Since(start).Nanoseconds()))
			}
		})
		allocs = append(allocs, allocations(group)-allocations(bare))
	}
	base := median(times[0])
	added := median(times[1]) - base
	n := median(allocs)
	t.Row(transport+": a call adds at most 5 µs", fmt.Sprintf("%.2f µs to %.0f µs", added/1e3, base/1e3), added <= 5e3)
	t.Row(transport+": a call adds at most 15 allocations", fmt.Sprintf("%.1f", n), n <= 15)
	if share {
		percent := added / base * 100
		t.Row(transport+": a call takes at most 3 % longer", fmt.Sprintf("%.2f %%", percent), percent <= 3)
	}
}

// allocations returns how many allocations a call makes on both of its ends.
func allocations(call side) (n float64) {
	collectorOff(func() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range batch {
			check(call())
		}
		runtime.ReadMemStats(&after)
		n = float64(after.Mallocs-before.Mallocs) / batch
	})
	return n
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

// client returns a bare session over transport, in the revision of the group's session.
func client(transport mcp.Transport, revision string) *mcp.ClientSession {
	c := mcp.NewClient(&mcp.Implementation{Name: "bare", Version: "1"}, &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}})
	cs, err := c.Connect(context.Background(), transport, &mcp.ClientSessionOptions{ProtocolVersion: revision})
	check(err)
	return cs
}

func bareCall(cs *mcp.ClientSession) side {
	return func() error {
		_, err := cs.CallTool(context.Background(), &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"text": "hello"}})
		return err
	}
}

func groupCall(g *mcpgroup.MCPFunctionGroup) side {
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
	far, near := mcp.NewInMemoryTransports()
	_, err := server.Connect(context.Background(), far, nil)
	check(err)
	cs := client(near, "2025-11-25")
	defer cs.Close()
	g := newGroup(mcpgroup.ServerConfig{Server: server})
	defer g.Close()
	compare(t, "in-memory", bareCall(cs), groupCall(g), false)
}

func stdio(t *figures.Table) {
	self, err := os.Executable()
	check(err)
	cs := client(&mcp.CommandTransport{Command: exec.Command(self, "stdio")}, "2025-11-25")
	defer cs.Close()
	g := newGroup(mcpgroup.ServerConfig{Command: self, Args: []string{"stdio"}})
	defer g.Close()
	compare(t, "stdio", bareCall(cs), groupCall(g), false)
}

func streamable(t *figures.Table) {
	url, stop := child("http")
	defer stop()
	hc := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	cs := client(&mcp.StreamableClientTransport{Endpoint: url, HTTPClient: hc, DisableStandaloneSSE: true}, "2025-11-25")
	defer cs.Close()
	g := newGroup(mcpgroup.ServerConfig{URL: url})
	defer g.Close()
	compare(t, "streamable HTTP", bareCall(cs), groupCall(g), true)
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
