package mcpgroup

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

func TestListIsRefreshedWhenTheServerRefusesTheStream(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{Notifications: true, ToolsTTL: 50 * time.Millisecond}, nil)
	s.SetIntercept(func(w http.ResponseWriter, r *http.Request, method string, id json.RawMessage, body []byte) bool {
		if r.Method == "GET" {
			w.WriteHeader(405)
			return true
		}
		return false
	})
	ctx := userContext("alice")
	toolNames(t, g, ctx)
	time.Sleep(1500 * time.Millisecond)
	toolNames(t, g, ctx)
	time.Sleep(1500 * time.Millisecond)
	toolNames(t, g, ctx)
	if s.Lists() < 2 {
		t.Errorf("%d lists, want refreshes", s.Lists())
	}
}

func TestListIsRefreshedAfterARestartThatNobodyNotified(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{Notifications: true}, nil)
	for _, u := range []string{"alice", "bob"} {
		toolNames(t, g, userContext(u))
		mustCall(t, g, userContext(u), "echo", map[string]any{"text": "x"})
	}
	eventually(t, func() bool { return s.Streams() == 2 })
	s.SetTools(append(mcptest.BasicTools(), mcptest.RawTool{Def: map[string]any{"name": "added", "inputSchema": map[string]any{"type": "object"}}})...)
	s.Restart()
	time.Sleep(2500 * time.Millisecond)
	if n := toolNames(t, g, userContext("alice")); !slices.Contains(n, "added") {
		t.Errorf("1: no added tool after restart (lists %d)", s.Lists())
	}
	mustCall(t, g, userContext("alice"), "echo", map[string]any{"text": "x"}) // notices the loss
	time.Sleep(1500 * time.Millisecond)
	if n := toolNames(t, g, userContext("alice")); !slices.Contains(n, "added") {
		t.Errorf("2: no added tool after reconnect (lists %d)", s.Lists())
	}
}

func TestPrivateListsOfASharedClientGoStaleWithIt(t *testing.T) {
	s, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026, CacheScope: "private"}, ServerConfig{Shared: true, Notifications: true}, nil)
	s.SetIntercept(nil)
	for _, u := range []string{"alice", "bob"} {
		toolNames(t, g, userContext(u))
	}
	s.SetTools(append(mcptest.BasicTools(), mcptest.RawTool{Def: map[string]any{"name": "added", "inputSchema": map[string]any{"type": "object"}}})...)
	g.CleanupSessions(context.Background(), 0)
	eventually(t, func() bool { return !g.Status().Connected })
	time.Sleep(1200 * time.Millisecond)
	if n := toolNames(t, g, userContext("alice")); !slices.Contains(n, "added") {
		t.Errorf("alice's private list is not fetched again")
	}
}

func TestLastKnownToolsAreServedWhileTheServerHangs(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{ToolsTTL: 10 * time.Millisecond, CallTimeout: 2 * time.Second}, nil)
	toolNames(t, g, userContext("alice"))
	time.Sleep(1100 * time.Millisecond)
	s.Inject(mcptest.OnMethod("tools/list", mcptest.NeverAnswer()))
	ctx, cancel := context.WithTimeout(userContext("alice"), 300*time.Millisecond)
	defer cancel()
	if _, err := g.Tools(ctx); err != nil {
		t.Errorf("Tools while the server hangs = %v, want the last known", err)
	}
}

func TestProblemsOfUsersOwnListsAreReported(t *testing.T) {
	g := newGroup(t, ServerConfig{Server: newServer(), PerUserTools: true, Overrides: map[string]Override{"nope": {Alias: "a"}}}, nil)
	toolNames(t, g, userContext("alice"))
	if len(g.Status().Problems) == 0 {
		t.Error("no problem reported")
	}
}
