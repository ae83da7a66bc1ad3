package mcpgroup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

// Bob joins the fetch that Alice began, which finds that lists are private.
func TestPrivateListOfTheFirstUserIsNotGivenToTheSecond(t *testing.T) {
	s, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026, CacheScope: "private", TTLMs: 60_000}, ServerConfig{}, &Options{Headers: bearer})
	gate := make(chan struct{})
	var first atomic.Bool
	s.SetIntercept(func(w http.ResponseWriter, r *http.Request, method string, id json.RawMessage, body []byte) bool {
		if method != "tools/list" {
			return false
		}
		if first.CompareAndSwap(false, true) {
			<-gate
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","tools":[{"name":"only_%s","inputSchema":{"type":"object"}}],"ttlMs":60000,"cacheScope":"private"}}`, id, r.Header.Get("X-User"))
		return true
	})
	var wg sync.WaitGroup
	wg.Go(func() { toolNames(t, g, userContext("alice")) })
	eventually(t, first.Load)
	wg.Go(func() {
		if n := toolNames(t, g, userContext("bob")); !slices.Equal(n, []string{"only_bob"}) {
			t.Errorf("bob sees %v", n)
		}
	})
	time.Sleep(100 * time.Millisecond)
	close(gate)
	wg.Wait()
}

// Bob joins the fetch that Alice began, which fails for want of her credential.
func TestOneUsersCredentialFailureIsNotAnothers(t *testing.T) {
	var arrived atomic.Bool
	gate := make(chan struct{})
	_, _, g := rawGroup(t, nil, ServerConfig{}, &Options{Headers: func(_ context.Context, key session.Key) (http.Header, error) {
		if key.User == "alice" {
			arrived.Store(true)
			<-gate
			return nil, errors.New("alice's vault is sealed")
		}
		return http.Header{}, nil
	}})
	var wg sync.WaitGroup
	wg.Go(func() { g.Tools(userContext("alice")) })
	eventually(t, arrived.Load)
	wg.Go(func() {
		if _, err := g.Tools(userContext("bob")); err != nil {
			t.Errorf("bob: %v", err)
		}
	})
	time.Sleep(100 * time.Millisecond)
	close(gate)
	wg.Wait()
}

// The SDK opens the notification stream with a context of its own.
func TestEveryRequestNamesAUser(t *testing.T) {
	var mu sync.Mutex
	keys := map[string]int{}
	_, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026}, ServerConfig{Notifications: true}, &Options{Headers: func(_ context.Context, key session.Key) (http.Header, error) {
		mu.Lock()
		keys[key.User]++
		mu.Unlock()
		return http.Header{}, nil
	}})
	toolNames(t, g, userContext("alice"))
	time.Sleep(100 * time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	if keys[""] > 0 {
		t.Errorf("Headers called without a user: %v", keys)
	}
}

func TestCallbackThatInsistsOnAUserGetsItsStream(t *testing.T) {
	s, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026}, ServerConfig{Notifications: true}, &Options{Headers: func(_ context.Context, key session.Key) (http.Header, error) {
		if err := key.Validate(); err != nil {
			return nil, err
		}
		return http.Header{"X-User": {key.User}}, nil
	}})
	toolNames(t, g, userContext("alice"))
	eventually(t, func() bool { return s.Streams() == 1 })
}

func TestStatusAndLogHoldNoQueryOfTheURL(t *testing.T) {
	var buf bytes.Buffer
	var mu sync.Mutex
	lg := slog.New(slog.NewTextHandler(lockedWriter{&mu, &buf}, nil))
	g := newGroup(t, ServerConfig{URL: "http://127.0.0.1:1/mcp?api_key=SECRET"}, &Options{Logger: lg})
	err := g.WithSession(userContext("alice"), func(*mcp.ClientSession) error { return nil })
	if strings.Contains(err.Error(), "SECRET") {
		t.Error("err", err)
	}
	if e := g.Status().LastError; strings.Contains(e.Error(), "SECRET") {
		t.Error("Status:", e)
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Contains(buf.String(), "SECRET") {
		t.Error("log:", buf.String())
	}
}

func TestDebugLogHoldsNoQueryAndNoSessionID(t *testing.T) {
	var buf bytes.Buffer
	var mu sync.Mutex
	lg := slog.New(slog.NewTextHandler(lockedWriter{&mu, &buf}, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))
	for _, n := range []bool{false, true} {
		s := mcptest.NewRaw(nil)
		host := s.Start(t)
		g := newGroup(t, ServerConfig{URL: host.URL() + "/mcp?api_key=SECRET", Notifications: n}, &Options{Logger: lg})
		ctx := userContext("alice")
		res := mustCall(t, g, ctx, "whoami", nil)
		id := res.Text()
		s.Inject(mcptest.OnTool("echo", mcptest.DropAfterExecution()))
		g.Call(ctx, "echo", map[string]any{"text": "x"})
		s.SetIntercept(nil)
		s.Restart()
		host.CutConnections()
		mustCall(t, g, ctx, "echo", map[string]any{"text": "x"})
		host.Stop()
		g.Call(ctx, "echo", map[string]any{"text": "x"}, WithTimeout(300*time.Millisecond))
		g.Close()
		mu.Lock()
		for _, l := range strings.Split(buf.String(), "\n") {
			if strings.Contains(l, "SECRET") {
				t.Error(l)
			}
		}
		i := strings.Index(id, `"session":"`)
		sid := id[i+11:]
		sid = sid[:strings.Index(sid, `"`)]
		if strings.Contains(buf.String(), sid) {
			t.Error("session id logged", sid)
		}
		buf.Reset()
		mu.Unlock()
	}
}

// bearer names the user to a raw server.
func bearer(_ context.Context, key session.Key) (http.Header, error) {
	return http.Header{"X-User": {key.User}}, nil
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
