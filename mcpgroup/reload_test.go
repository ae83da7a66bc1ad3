package mcpgroup

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A host keeps its configuration, changes it and reloads.
func TestAReloadSeesWhatWasChangedInPlace(t *testing.T) {
	a := local("a", "one", "two")
	a.Include, a.Labels = []string{"one"}, map[string]string{"team": "x"}
	cfg := &Config{Servers: []ServerConfig{a}}
	r := newRegistry(t, nil, cfg.Servers...)
	ctx := userContext("alice")
	cfg.Servers[0].Include[0] = "two"
	cfg.Servers[0].Labels["team"] = "y"
	if got := r.Status()[0].Labels["team"]; got != "x" {
		t.Errorf("a label is %q before the reload", got)
	}
	r.Status()[0].Labels["team"] = "z"
	if got := r.Status()[0].Labels["team"]; got != "x" {
		t.Errorf("whoever is told of a label can change it to %q", got)
	}
	diff, err := r.Reload(t.Context(), cfg)
	if err != nil || !slices.Equal(diff.Updated, []string{"a"}) {
		t.Fatalf("%+v, %v", diff, err)
	}
	if got := listed(t, r, ctx, Filter{Labels: map[string]string{"team": "y"}}); !slices.Equal(got, []string{"two"}) {
		t.Errorf("listed %q", got)
	}
}

func TestAnotherOrderOfServersIsAChange(t *testing.T) {
	a, b := local("a", "search"), local("b", "search")
	r := newRegistry(t, &RegistryOptions{Names: &NamePolicy{Collision: CollisionPriority}}, a, b)
	ctx := userContext("alice")
	if res, err := r.Call(ctx, "search", nil); err != nil || res.Text() != "a/search" {
		t.Fatalf("%v, %v", res, err)
	}
	before := r.Generation()
	if _, err := r.Reload(t.Context(), &Config{Servers: []ServerConfig{b, a}}); err != nil {
		t.Fatal(err)
	}
	if r.Generation() == before {
		t.Error("nobody is told that names have changed")
	}
	if res, err := r.Call(ctx, "search", nil); err != nil || res.Text() != "b/search" {
		t.Errorf("%v, %v", res, err)
	}
}

// Whoever closes a registry after somebody else may rely on it as well.
func TestEveryCloseWaitsForTheEnd(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	a := local("a")
	a.Server.AddTool(&mcp.Tool{Name: "wait", InputSchema: map[string]any{"type": "object"}}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		close(entered)
		<-release
		return &mcp.CallToolResult{}, nil
	})
	r := newRegistry(t, nil, a)
	group, err := r.Get("a")
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	calls.Go(func() { _, _ = r.Call(userContext("alice"), "a.wait", nil) })
	<-entered
	var closes sync.WaitGroup
	for range 4 {
		closes.Go(func() {
			for range 100 {
				_, _ = r.List(userContext("alice"), Filter{})
			}
		})
		closes.Go(func() {
			_ = r.Close()
			if s := group.Status(); s.Connected || len(r.Names()) > 0 {
				t.Errorf("closed, with the servers %q: %+v", r.Names(), s)
			}
		})
	}
	close(release)
	closes.Wait()
	calls.Wait()
}

func TestWhatARemovedServerListedIsNotKept(t *testing.T) {
	r := newRegistry(t, nil, local("a", "x"), local("b", "y"))
	ctx := userContext("alice")
	listed(t, r, ctx, Filter{})
	group, err := r.Get("b")
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	runtime.AddCleanup(group, func(struct{}) { close(gone) }, struct{}{})
	group = nil //nolint:ineffassign // nothing here may keep it alive
	if err := r.Remove(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		runtime.GC()
		select {
		case <-gone:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("the group of a removed server is still held")
}

func TestOptionsThatPanicLeaveTheRegistryAsItWas(t *testing.T) {
	bad := false
	r := newRegistry(t, &RegistryOptions{Options: func(cfg ServerConfig) (*Options, error) {
		if cfg.Name == "b" && bad {
			panic("in a mood")
		}
		return nil, nil
	}}, local("a", "x"))
	bad = true
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic of the host's is swallowed")
			}
		}()
		_, _ = r.Reload(t.Context(), &Config{Servers: []ServerConfig{local("c", "z"), local("b", "y")}})
	}()
	bad = false
	if got := r.Names(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the servers are %q", got)
	}
	if err := r.Add(t.Context(), local("b", "y")); err != nil {
		t.Error(err)
	}
}

// The registry warms servers up on goroutines of its own, where a panic of the host's would end the process.
func TestWarmingUpDoesNotAskTheHostsFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t, &RegistryOptions{WarmUp: true, Options: func(ServerConfig) (*Options, error) {
			return &Options{Filter: func(context.Context, []*Tool) []*Tool { panic("for whom?") }}, nil
		}}, local("a", "x"))
		synctest.Wait()
		if s := r.Status(); s[0].State != StateReady {
			t.Errorf("%+v", s)
		}
	})
}

func TestNegativeBoundsAreRefused(t *testing.T) {
	for _, opts := range []RegistryOptions{{Patience: -1}, {Concurrency: -1}, {DrainTimeout: -1}} {
		if _, err := NewRegistry(&opts); err == nil {
			t.Errorf("%+v is accepted", opts)
		}
	}
}
