// The program originals replays, against a group, the situations in which the systems that came before were measured.
// Each row prints what was recorded of them beside what a group does with the same tiny loopback server.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// recorded holds what was measured of the original for each row.
var recorded = map[string]string{
	"A":   "0 acquisitions for 2.06 s",
	"A2":  "0 acquisitions for 5.01 s",
	"B":   "5.81 s",
	"C":   "hung > 12 s, then unusable",
	"D":   "ran 2 times, 2.06 s",
	"E":   "ran 2 times, 1 reconnect",
	"F1":  "6.13 s, ran 2 times",
	"F10": "failed after 10.06 s, 11 reconnects",
	"G":   "50 tools",
	"K":   "rejected",
	"L":   "30.3 µs sequential, 24.7 µs parallel",
	"M":   "10 of 10 leaked",
	"N":   "100 of 100 unavailable",
	"Q":   "4.15 s",
}

func main() {
	log.SetFlags(0)
	t := figures.New("originals")
	connectStall(t, "A", false)
	connectStall(t, "A2", true)
	crowd(t)
	unavailable(t)
	timeout(t)
	badParameters(t)
	neighbours(t, "F1", 1)
	neighbours(t, "F10", 10)
	pages(t)
	evict(t)
	acquire(t)
	cancelled(t)
	races(t)
	authorized(t)
	t.Note("each row: ours; in brackets what was recorded of the system that came before, on another machine")
	t.Note("an acquisition is WithSession with an empty function: lease and release of the user's session")
	t.Exit()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// lab is a raw server and a group of it.
type lab struct {
	*mcptest.Raw
	host  *mcptest.Host
	group *mcpgroup.MCPFunctionGroup
}

func newLab(raw *mcptest.RawOptions, cfg mcpgroup.ServerConfig, opts *mcpgroup.Options) *lab {
	l := &lab{Raw: mcptest.NewRaw(raw)}
	l.host = mcptest.Listen(l.Raw)
	cfg.Name, cfg.URL = "lab", l.host.URL()+"/mcp"
	var err error
	l.group, err = mcpgroup.New(cfg, opts)
	check(err)
	return l
}

func (l *lab) close() {
	l.SetHangInitialize(false)
	l.group.Close()
	l.host.Close()
}

func user(i int) context.Context {
	return session.NewContext(context.Background(), session.Key{Tenant: "acme", User: fmt.Sprint("user-", i)})
}

func touch(*mcp.ClientSession) error { return nil }

func row(t *figures.Table, id, goal, got string, ok bool) {
	t.Row(id+": "+goal, fmt.Sprintf("%s (%s)", got, recorded[id]), ok)
}

// connectStall: eight users in steady use while a ninth connects to a slow, or silent, server.
func connectStall(t *figures.Table, id string, hang bool) {
	l := newLab(nil, mcpgroup.ServerConfig{DialTimeout: 5 * time.Second, ProtocolVersion: mcptest.Era2025}, nil)
	defer l.close()
	for i := range 8 {
		check(l.group.WithSession(user(i), touch))
	}
	l.SetConnectDelay(2 * time.Second)
	l.SetHangInitialize(hang)
	ninth := make(chan struct{})
	go func() {
		defer close(ninth)
		l.group.WithSession(user(9), touch)
	}()
	var mu sync.Mutex
	var waits []time.Duration
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-ninth:
					return
				case <-time.After(2 * time.Millisecond):
				}
				start := time.Now()
				check(l.group.WithSession(user(i), touch))
				wait := time.Since(start)
				mu.Lock()
				waits = append(waits, wait)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(waits)
	p99 := waits[len(waits)*99/100]
	what := "takes 2 s"
	if hang {
		what = "never answers"
	}
	row(t, id, "p99 acquire of 8 users < 50 µs while a 9th connect "+what,
		fmt.Sprintf("%d acquisitions, p99 %v", len(waits), p99.Round(100*time.Nanosecond)), p99 < 50*time.Microsecond)
}

// crowd: twenty users arrive at once, each connect takes 0.2 s.
func crowd(t *figures.Table) {
	l := newLab(nil, mcpgroup.ServerConfig{ProtocolVersion: mcptest.Era2025}, nil)
	defer l.close()
	l.SetConnectDelay(200 * time.Millisecond)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { check(l.group.WithSession(user(i), touch)) })
	}
	wg.Wait()
	took := time.Since(start)
	row(t, "B", "20 connects of 0.2 s are done in < 0.4 s", seconds(took), took < 400*time.Millisecond)
}

// unavailable: the server answers one call with 503 and is healthy again.
func unavailable(t *figures.Table) {
	l := newLab(nil, mcpgroup.ServerConfig{}, nil)
	defer l.close()
	ctx := user(1)
	_, err := l.group.Call(ctx, "echo", map[string]any{"text": "warm"})
	check(err)
	before := l.Initializes()
	l.FailNext(http.StatusServiceUnavailable, 1, nil, "down for a moment")
	start := time.Now()
	_, failed := l.group.Call(ctx, "echo", map[string]any{"text": "x"})
	took := time.Since(start)
	_, next := l.group.Call(ctx, "echo", map[string]any{"text": "y"})
	reconnects := l.Initializes() - before
	row(t, "C", "after one 503 the next call works on the same session",
		fmt.Sprintf("503 told after %s, next call error: %v, %d reconnects", seconds(took), next, reconnects),
		failed != nil && next == nil && reconnects == 0 && took < time.Second)
}

// timeout: a tool of 1.5 s, a deadline of 1 s, a side effect that is counted.
func timeout(t *figures.Table) {
	l := newLab(nil, mcpgroup.ServerConfig{CallTimeout: time.Second}, nil)
	defer l.close()
	check(l.group.WithSession(user(1), touch))
	before := l.Initializes()
	start := time.Now()
	_, err := l.group.Call(user(1), "inc", map[string]any{"key": "d", "delayMs": 1500})
	took := time.Since(start)
	time.Sleep(time.Second) // whatever would repeat it
	ran := l.Keys()["d"]
	row(t, "D", "a tool that outlives its deadline runs once",
		fmt.Sprintf("ran %d time, %s, %d reconnects", ran, seconds(took), l.Initializes()-before),
		ran == 1 && err != nil && l.Initializes() == before && took < 1200*time.Millisecond)
}

// badParameters: the server answers -32602.
func badParameters(t *figures.Table) {
	l := newLab(nil, mcpgroup.ServerConfig{}, nil)
	defer l.close()
	check(l.group.WithSession(user(1), touch))
	before := l.Initializes()
	_, err := l.group.Call(user(1), "badparams", nil)
	row(t, "E", "a JSON-RPC error is returned, not repeated",
		fmt.Sprintf("ran %d time, %d reconnects", l.Calls("badparams"), l.Initializes()-before),
		err != nil && l.Calls("badparams") == 1 && l.Initializes() == before)
}

// neighbours: a healthy call of 1 s while other calls on the same session are answered with an error.
func neighbours(t *figures.Table, id string, bad int) {
	l := newLab(nil, mcpgroup.ServerConfig{CallTimeout: 5 * time.Second}, nil)
	defer l.close()
	check(l.group.WithSession(user(1), touch))
	before := l.Initializes()
	var wg sync.WaitGroup
	var took time.Duration
	var healthy error
	wg.Go(func() {
		start := time.Now()
		_, healthy = l.group.Call(user(1), "inc", map[string]any{"key": id, "delayMs": 1000})
		took = time.Since(start)
	})
	time.Sleep(200 * time.Millisecond)
	for range bad {
		wg.Go(func() { l.group.Call(user(1), "badparams", nil) })
	}
	wg.Wait()
	reconnects := l.Initializes() - before
	row(t, id, fmt.Sprintf("a healthy call beside %d failing ones is left alone", bad),
		fmt.Sprintf("%s, ran %d time, %d reconnects", seconds(took), l.Keys()[id], reconnects),
		healthy == nil && l.Keys()[id] == 1 && reconnects == 0 && took < 1300*time.Millisecond)
}

// pages: 120 tools on 3 pages.
func pages(t *figures.Table) {
	l := newLab(&mcptest.RawOptions{Tools: mcptest.ManyTools(120, 2), PageSize: 50}, mcpgroup.ServerConfig{}, nil)
	defer l.close()
	tools, err := l.group.Tools(user(1))
	check(err)
	row(t, "G", "120 tools on 3 pages are all seen", fmt.Sprintf("%d tools", len(tools)), len(tools) == 120)
}

// evict: a hundred idle sessions and a limit of a hundred; user 101 comes.
func evict(t *figures.Table) {
	l := newLab(nil, mcpgroup.ServerConfig{Sessions: mcpgroup.SessionLimits{Max: 100}, ProtocolVersion: mcptest.Era2025}, nil)
	defer l.close()
	for i := range 100 {
		check(l.group.WithSession(user(i), touch))
	}
	err := l.group.WithSession(user(101), touch)
	got := "admitted"
	if err != nil {
		got = err.Error()
	}
	row(t, "K", "user 101 is admitted when 100 sessions are idle", got, err == nil && l.group.Status().Sessions.Sessions == 100)
}

// authorized: eight calls of 0.5 s at once on one user's session, each with a credential.
func authorized(t *figures.Table) {
	l := newLab(nil, mcpgroup.ServerConfig{}, &mcpgroup.Options{
		Headers: func(_ context.Context, key session.Key) (http.Header, error) {
			return http.Header{"Authorization": {"Bearer token-of-" + key.User}}, nil
		},
	})
	defer l.close()
	check(l.group.WithSession(user(1), touch))
	start := time.Now()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := l.group.Call(user(1), "sleep", map[string]any{"ms": 500})
			check(err)
		})
	}
	wg.Wait()
	took := time.Since(start)
	row(t, "Q", "8 authorized calls of 0.5 s at once take < 0.6 s", seconds(took), took < 600*time.Millisecond)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
