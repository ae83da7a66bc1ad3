package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// cursors: lists without an end, of many small pages or of few big ones, and lists that go in a circle.
func cursors(t *figures.Table) {
	const perPage = 300
	for _, c := range []struct {
		goal         string
		fault        mcptest.Fault
		pages, tools int // to be fetched, to be shown
	}{
		{"S11: an endless list ends after 100 pages", mcptest.EndlessCursor(), 100, 100},
		{"S11: an endless list of big pages ends after 10,000 tools", endlessPages(perPage), 10_000/perPage + 1, 10_000},
		{"S11: a circle of 3 pages ends at the first repeat", mcptest.CyclicCursor(3), 4, 4},
	} {
		l := newLab(mcptest.NewRaw(nil), mcpgroup.ServerConfig{}, nil)
		l.Inject(mcptest.OnMethod("tools/list", c.fault))
		_, err := l.group.Tools(user(1))
		seen := l.group.Status().Tools
		problems := len(l.group.Status().Problems)
		t.Row(c.goal, fmt.Sprintf("%d pages, %d tools, error %v, %d told", l.Lists(), seen, err, problems),
			err == nil && l.Lists() == c.pages && seen == c.tools && problems > 0)
		l.close()
	}
}

// endlessPages answers tools/list with n more new tools and one more new cursor each time.
func endlessPages(n int) mcptest.Fault {
	return func(_ *mcptest.Raw, w http.ResponseWriter, _ *http.Request, hit mcptest.Hit) bool {
		page, _ := strconv.Atoi(hit.Cursor) // the first has no cursor and is page 0
		tools := make([]any, n)
		for i := range tools {
			tools[i] = map[string]any{"name": fmt.Sprintf("tool_%d_%d", page, i), "inputSchema": map[string]any{"type": "object"}}
		}
		w.Header().Set("Content-Type", "application/json")
		check(json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": hit.ID,
			"result": map[string]any{"tools": tools, "nextCursor": strconv.Itoa(page + 1)}}))
		return true
	}
}

const (
	floodRate   = 10_000 // list_changed per second
	floodLength = 10 * time.Second
)

// floods: a server says ten thousand times per second that its tools changed, while a caller asks for them all the time.
func floods(t *figures.Table) {
	g := newGroup(child("notify", nil, strconv.Itoa(floodRate)), nil)
	ctx := user(1)
	res, err := g.Call(ctx, "pid", nil)
	check(err)
	flooded(t, "stdio", g, ctx, func() int {
		const line = len(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}` + "\n")
		return bytesWritten(res.Text()) / line
	})
	check(g.Close())

	raw := mcptest.NewRaw(&mcptest.RawOptions{NoJournal: true})
	var sent atomic.Int64
	l := &lab{Raw: raw, host: mcptest.Listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w = &noticeCounter{ResponseWriter: w, n: &sent}
		}
		raw.ServeHTTP(w, r)
	}))}
	l.group = newGroup(mcpgroup.ServerConfig{URL: l.host.URL() + "/mcp", Notifications: true}, nil)
	check(echo(ctx, l.group))
	if !eventually(5*time.Second, func() bool { return l.Streams() > 0 }) {
		check(errors.New("figures-reliability: S13: the group opened no notification stream"))
	}
	life, cancel := context.WithTimeout(context.Background(), floodLength+time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw.Flood(life, floodRate)
	}()
	lists := raw.Lists()
	refreshes := flooded(t, "HTTP", l.group, ctx, func() int { return int(sent.Load()) })
	cancel()
	<-done
	lists = raw.Lists() - lists
	l.close()
	if lists != refreshes {
		t.Note("S13: the HTTP server counted %d requests for its list", lists)
	}
	t.Note("S13: a refresh is a change of Status.LastSync, looked at after every one of the caller's requests for the tools")
}

// flooded asks for the tools all the time and counts how often they were fetched. notices counts what the server sent.
func flooded(t *figures.Table, over string, g *mcpgroup.MCPFunctionGroup, ctx context.Context, notices func() int) (refreshes int) {
	_, err := g.Tools(ctx)
	check(err)
	last, first := g.Status().LastSync, notices()
	asked, failed := 0, 0
	var slowest time.Duration
	start := time.Now()
	for time.Since(start) < floodLength {
		began := time.Now()
		if _, err := g.Tools(ctx); err != nil {
			failed++
		}
		slowest = max(slowest, time.Since(began))
		asked++
		if now := g.Status().LastSync; now != last {
			last = now
			refreshes++
		}
		time.Sleep(200 * time.Microsecond)
	}
	took := time.Since(start).Seconds()
	rate := float64(notices()-first) / took
	t.Row(fmt.Sprintf("S13: 10,000 list_changed/s over %s: <= 1 refresh per second", over),
		fmt.Sprintf("%.2f/s at %.0f/s, %d failed", float64(refreshes)/took, rate, failed),
		float64(refreshes) <= took && refreshes > 0 && failed == 0 && rate > floodRate/2)
	t.Note("S13 over %s: the caller asked %.0f times per second and waited %s at most", over, float64(asked)/took, millis(slowest))
	return refreshes
}

// bytesWritten is what a process has written so far (proc_pid_io(5)), or 0 where /proc does not tell.
func bytesWritten(pid string) int {
	text, err := os.ReadFile("/proc/" + pid + "/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "wchar: "); ok {
			if v, err := strconv.Atoi(strings.TrimSpace(n)); err == nil {
				return v
			}
		}
	}
	return 0
}

// noticeCounter counts the notifications on an event stream.
type noticeCounter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *noticeCounter) Write(p []byte) (int, error) {
	c.n.Add(int64(bytes.Count(p, []byte("list_changed"))))
	return c.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController flush.
func (c *noticeCounter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
