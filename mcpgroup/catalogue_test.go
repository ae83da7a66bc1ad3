package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

// countLists counts the tools/list requests that reach s.
func countLists(s *mcp.Server) *atomic.Int32 {
	var n atomic.Int32
	s.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if method == "tools/list" {
				n.Add(1)
			}
			return next(ctx, method, req)
		}
	})
	return &n
}

func TestListIsFetchedOnceForAllUsers(t *testing.T) {
	s := newServer()
	lists := countLists(s)
	g := newGroup(t, ServerConfig{Server: s}, nil)
	var first []*Tool
	for i := range 5 {
		tools, err := g.Tools(userContext(fmt.Sprint("u", i)))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = tools
		}
		if !slices.Equal(tools, first) {
			t.Errorf("user %d got other tools", i)
		}
	}
	if n := lists.Load(); n != 1 {
		t.Errorf("the list was fetched %d times, want once", n)
	}
	toolNames(t, g, userContext("u0"), WithRefresh())
	if n := lists.Load(); n != 2 {
		t.Errorf("the list was fetched %d times after WithRefresh, want 2", n)
	}
}

func TestListsThatDifferByUserAreKeptApart(t *testing.T) {
	g := newGroup(t, ServerConfig{PerUserTools: true}, &Options{
		NewServer: func(_ context.Context, key session.Key) (*mcp.Server, error) {
			return newServer("only_" + key.User), nil
		},
	})
	for _, user := range []string{"alice", "bob", "alice"} {
		names := toolNames(t, g, userContext(user))
		if !slices.Contains(names, "only_"+user) || len(names) != 4 {
			t.Errorf("%s sees %v", user, names)
		}
	}
	if _, err := g.Call(userContext("alice"), "only_bob", nil); !errors.Is(err, ErrToolNotFound) {
		t.Errorf("alice calls bob's tool = %v", err)
	}
}

func TestEqualListsOfManyUsersAreHeldOnce(t *testing.T) {
	s := newServer()
	g := newGroup(t, ServerConfig{Server: s, PerUserTools: true}, nil)
	a, err := g.Tools(userContext("alice"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := g.Tools(userContext("bob"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a, b) {
		t.Error("two users hold two copies of one list")
	}
}

func TestListChangesAreNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		lists := countLists(s)
		g, err := New(ServerConfig{Name: "s", Server: s}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx := userContext("alice")
		toolNames(t, g, ctx)
		time.Sleep(20 * time.Minute) // a server that notifies is not asked again while it is silent and we are there to hear it
		toolNames(t, g, ctx)
		if n := lists.Load(); n != 1 {
			t.Errorf("%d fetches without a notification, want 1", n)
		}
		time.Sleep(time.Hour) // by now the session was idle for too long, and nobody listened
		toolNames(t, g, ctx)
		if n := lists.Load(); n != 2 {
			t.Errorf("%d fetches after the connection was gone, want 2", n)
		}
		addTool(s, &mcp.Tool{Name: "added"}, func(context.Context, string) (string, error) { return "", nil })
		time.Sleep(time.Second)
		if names := toolNames(t, g, ctx); !slices.Contains(names, "added") {
			t.Errorf("tools after the change = %v", names)
		}
		s.RemoveTools("ping")
		time.Sleep(2 * time.Second)
		if names := toolNames(t, g, ctx); slices.Contains(names, "ping") {
			t.Errorf("tools after the removal = %v", names)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
}

// S13: a flood of notifications costs at most one fetch a second.
func TestFloodOfListChangesIsAnsweredOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		lists := countLists(s)
		g, err := New(ServerConfig{Name: "s", Server: s}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx := userContext("alice")
		toolNames(t, g, ctx)
		for range 10_000 {
			g.onToolsChanged(ctx, nil)
			time.Sleep(time.Millisecond)
			toolNames(t, g, ctx)
		}
		if n := lists.Load(); n > 11 {
			t.Errorf("%d fetches in 10 s, want at most one a second", n)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestLastKnownToolsAreServedWhileTheServerIsDown(t *testing.T) {
	var down atomic.Bool
	g := newGroup(t, ServerConfig{ReconnectWindow: -1}, &Options{
		NewServer: func(context.Context, session.Key) (*mcp.Server, error) {
			if down.Load() {
				return nil, errors.New("out of order")
			}
			return newServer(), nil
		},
	})
	ctx := userContext("alice")
	before := toolNames(t, g, ctx)
	down.Store(true)
	g.CleanupSessions(ctx, 0)
	if after := toolNames(t, g, userContext("bob"), WithRefresh()); !slices.Equal(after, before) {
		t.Errorf("tools while down = %v, want %v", after, before)
	}
	if s := g.Status(); s.LastError == nil || !errors.Is(s.LastError, ErrUnavailable) {
		t.Errorf("Status().LastError = %v", s.LastError)
	}
	_, err := g.Call(userContext("carol"), "ping", nil)
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("call while down = %v, want unavailable", err)
	}
}

// One tool that cannot be shown does not hide the others.
func TestBadToolIsLeftOutWithAReason(t *testing.T) {
	s := mcp.NewServer(&mcp.Implementation{Name: "s"}, nil)
	handler := func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{}, nil
	}
	s.AddTool(&mcp.Tool{Name: "good", InputSchema: map[string]any{"type": "object"}}, handler)
	s.AddTool(&mcp.Tool{Name: "remote", InputSchema: map[string]any{"type": "object", "$ref": "http://127.0.0.1:9/x"}}, handler)
	s.AddTool(&mcp.Tool{Name: "bad name!", InputSchema: map[string]any{"type": "object"}}, handler)
	g := newGroup(t, ServerConfig{Server: s}, nil)
	names := toolNames(t, g, userContext("alice"))
	if !slices.Contains(names, "good") || slices.Contains(names, "remote") {
		t.Errorf("tools = %v", names)
	}
	if p := g.Status().Problems; len(p) != 1 || p[0].Tool != "remote" {
		t.Errorf("problems = %v, want one about remote", p)
	}
	i := slices.IndexFunc(names, func(n string) bool { return n != "good" })
	if i < 0 {
		t.Fatal("the tool with a bad name was not renamed")
	}
	mustCall(t, g, userContext("alice"), names[i], nil)
}

func TestPagesStopAtTheirBounds(t *testing.T) { // S11
	forever := func(page int) func(string) ([]int, string, error) {
		n := 0
		return func(string) ([]int, string, error) {
			n++
			return make([]int, page), fmt.Sprint(n), nil
		}
	}
	if all, truncated, _ := pages(forever(1)); len(all) != maxPages || truncated != errTooManyPages {
		t.Errorf("endless pages = %d items, %v", len(all), truncated)
	}
	if all, truncated, _ := pages(forever(1000)); len(all) != maxItems || truncated != errTooManyItems {
		t.Errorf("endless items = %d items, %v", len(all), truncated)
	}
	asked := 0
	all, truncated, _ := pages(func(cursor string) ([]int, string, error) {
		asked++
		return []int{asked}, "same", nil
	})
	if asked != 2 || len(all) != 2 || truncated != errCursorCycle {
		t.Errorf("a repeated cursor = %d requests, %d items, %v", asked, len(all), truncated)
	}
}

// Pages that are each within the bound of an answer do not add up without end.
func TestAListIsBoundedAsAWhole(t *testing.T) {
	s := newServer()
	pages := 0
	s.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if method != "tools/list" {
				return next(ctx, method, req)
			}
			pages++
			schema := map[string]any{"type": "object", "properties": map[string]any{"p": map[string]any{"examples": []any{strings.Repeat("x", 300_000)}}}}
			return &mcp.ListToolsResult{Tools: []*mcp.Tool{
				{Name: fmt.Sprint("small_", pages), InputSchema: map[string]any{"type": "object"}}, {Name: fmt.Sprint("large_", pages), InputSchema: schema},
			}, NextCursor: fmt.Sprint(pages)}, nil
		}
	})
	g := newGroup(t, ServerConfig{Server: s}, nil)
	g.catalogue.maxSize = 1_000_000 // which takes seconds less than the real bound
	if got := toolNames(t, g, userContext("alice")); !slices.Equal(got, []string{"small_1", "small_2", "small_3", "small_4"}) || pages != 4 {
		t.Errorf("listed %q, from %d pages", got, pages)
	}
	if problems := fmt.Sprint(g.Status().Problems); !strings.Contains(problems, errListTooLarge.Error()) {
		t.Errorf("problems %s", problems)
	}
}
