package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

// counted makes a server count the lists that it is asked for.
func counted(cfg ServerConfig, lists *atomic.Int64) ServerConfig {
	cfg.Server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if method == "tools/list" {
				lists.Add(1)
			}
			return next(ctx, method, req)
		}
	})
	return cfg
}

// heard reports whether there is a change on the channel.
func heard(changes <-chan Change) bool {
	select {
	case <-changes:
		return true
	default:
		return false
	}
}

func TestSubscribersHearOfChangedToolsWithoutAListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lists atomic.Int64
		cfg := counted(local("a", "x"), &lists)
		r := newRegistry(t, nil, cfg)
		ctx := userContext("alice")
		listed(t, r, ctx, Filter{})
		changes, cancel := r.Subscribe()
		defer cancel()
		time.Sleep(time.Minute)
		if heard(changes) || lists.Load() != 1 {
			t.Fatalf("told of nothing, after %d lists", lists.Load())
		}
		for i := range 50 { // a burst
			describe(cfg.Server, "a", fmt.Sprint("new", i), "new")
			time.Sleep(20 * time.Millisecond / 50)
		}
		time.Sleep(time.Minute)
		if !heard(changes) {
			t.Error("nobody is told")
		}
		if got := lists.Load(); got != 2 {
			t.Errorf("the server was asked for %d lists, want 2", got)
		}
		if got := listed(t, r, ctx, Filter{}); len(got) != 51 || lists.Load() != 2 {
			t.Errorf("listed %d tools, after %d lists", len(got), lists.Load())
		}
		if heard(changes) {
			t.Error("told twice of one change")
		}
	})
}

func TestNobodyIsAskedForTheSakeOfNoSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lists atomic.Int64
		cfg := counted(local("a", "x"), &lists)
		r := newRegistry(t, nil, cfg)
		ctx := userContext("alice")
		listed(t, r, ctx, Filter{})
		_, cancel := r.Subscribe()
		cancel()
		describe(cfg.Server, "a", "y", "new")
		time.Sleep(time.Minute)
		if lists.Load() != 1 {
			t.Errorf("%d lists", lists.Load())
		}
		// Whoever subscribes now may have listed before the change could be seen.
		changes, cancel := r.Subscribe()
		defer cancel()
		time.Sleep(2 * minRefresh)
		if !heard(changes) {
			t.Error("a change from before the subscription is never told of")
		}
	})
}

func TestAFloodOfNotificationsCostsOneListASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lists atomic.Int64
		cfg := counted(local("a", "x"), &lists)
		r := newRegistry(t, nil, cfg)
		for _, user := range []string{"alice", "bob", "carol"} {
			if _, err := r.Call(userContext(user), "a.x", nil); err != nil {
				t.Fatal(err)
			}
		}
		changes, cancel := r.Subscribe()
		defer cancel()
		heard(changes)
		before := lists.Load()
		for i := range 1000 { // there and gone again: nothing has changed for those who look
			if i%2 == 0 {
				describe(cfg.Server, "a", "y", "new")
			} else {
				cfg.Server.RemoveTools("y")
			}
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		if got := lists.Load() - before; got < 5 || got > 22 {
			t.Errorf("%d lists in 20 s", got)
		}
	})
}

// A change that one user is notified of is not lost among those of others.
func TestAChangeForOneUserIsHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wardrobe{}
		for i := range 5 {
			w.wear(fmt.Sprint("user", i), map[string]string{"x": "1"})
		}
		r := newRegistry(t, &RegistryOptions{Options: func(ServerConfig) (*Options, error) { return &Options{NewServer: w.server}, nil }},
			ServerConfig{Name: "a", PerUserTools: true})
		for i := range 5 {
			listed(t, r, userContext(fmt.Sprint("user", i)), Filter{})
		}
		changes, cancel := r.Subscribe()
		defer cancel()
		for round := range 3 {
			for i := range 4 { // the same as before
				w.wear(fmt.Sprint("user", i), map[string]string{"x": "1"})
			}
			w.wear("user4", map[string]string{"x": fmt.Sprint("new in round ", round)})
			time.Sleep(10 * minRefresh)
			if !heard(changes) {
				t.Errorf("round %d: nobody is told", round)
			}
		}
	})
}

// A list that was fetched a moment ago is not fetched again at once, and what has changed since is heard of all the same.
func TestAChangeRightAfterAListingIsHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := local("a", "x")
		r := newRegistry(t, nil, cfg)
		ctx := userContext("alice")
		group, err := r.Get("a")
		if err != nil {
			t.Fatal(err)
		}
		changes, cancel := r.Subscribe()
		defer cancel()
		for i := range 10 {
			describe(cfg.Server, "a", fmt.Sprint("first", i), "new")
			time.Sleep(minRefresh * 95 / 100)
			if _, err := group.Tools(ctx, WithRefresh()); err != nil {
				t.Fatal(err)
			}
			describe(cfg.Server, "a", fmt.Sprint("second", i), "new")
			time.Sleep(minRefresh / 50) // the notification is there
			heard(changes)
			time.Sleep(10 * minRefresh)
			if !heard(changes) {
				t.Errorf("change %d: nobody is told", i)
			}
			if got := listed(t, r, ctx, Filter{}); len(got) != 3+2*i {
				t.Errorf("change %d: listed %d tools", i, len(got))
			}
		}
	})
}

func TestListsOverHTTPAreHeardOfInBothEras(t *testing.T) {
	for name, test := range map[string]struct {
		opts   mcptest.RawOptions
		shared bool
	}{
		"2025":                      {mcptest.RawOptions{Era: mcptest.Era2025}, false},
		"2026":                      {mcptest.RawOptions{Era: mcptest.Era2026}, false},
		"2026, shared":              {mcptest.RawOptions{Era: mcptest.Era2026}, true},
		"2026, shared, lists apart": {mcptest.RawOptions{Era: mcptest.Era2026, CacheScope: "private"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hearsOfATool(t, &test.opts, test.shared, func(s *mcptest.Raw, _ *mcptest.Host) { s.ListChanged() })
		})
	}
}

// hearsOfATool fails the test unless subscribers hear of a new tool of a server over HTTP, and find it, after happens.
func hearsOfATool(t *testing.T, opts *mcptest.RawOptions, shared bool, happens func(*mcptest.Raw, *mcptest.Host)) {
	t.Helper()
	s := mcptest.NewRaw(opts)
	host := s.Start(t)
	r := newRegistry(t, nil, ServerConfig{Name: "a", URL: host.URL() + "/mcp", Notifications: true, Shared: shared})
	listed(t, r, userContext("alice"), Filter{})
	eventually(t, func() bool { return s.Streams() == 1 })
	changes, cancel := r.Subscribe()
	defer cancel()
	s.SetTools(append(mcptest.BasicTools(), mcptest.RawTool{Def: map[string]any{"name": "added", "inputSchema": map[string]any{"type": "object"}}})...)
	happens(s, host)
	select {
	case <-changes:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody is told")
	}
	if got := listed(t, r, userContext("alice"), Filter{}); !slices.Contains(got, "added") {
		t.Errorf("listed %q", got)
	}
}

// What was notified while the stream was cut is lost.
func TestAChangeBehindACutStreamIsHeardOf(t *testing.T) {
	for _, era := range []string{mcptest.Era2025, mcptest.Era2026} {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			hearsOfATool(t, &mcptest.RawOptions{Era: era}, false, func(_ *mcptest.Raw, host *mcptest.Host) { host.CutConnections() })
		})
	}
}

// A host's panic while its server's tools are looked at is told as a change, and the next change is heard of too.
func TestAPanicWhileLookingIsNotTheEndOfTheNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bad atomic.Bool
		cfg := local("a", "x")
		r := newRegistry(t, &RegistryOptions{Options: func(ServerConfig) (*Options, error) {
			return &Options{Fingerprint: func(context.Context, session.Key) (string, error) {
				if bad.Load() {
					panic("in a mood")
				}
				return "", nil
			}}, nil
		}}, cfg)
		listed(t, r, userContext("alice"), Filter{})
		changes, cancel := r.Subscribe()
		defer cancel()
		for i, mood := range []bool{true, false, true} {
			bad.Store(mood)
			describe(cfg.Server, "a", fmt.Sprint("new", i), "new")
			time.Sleep(5 * minRefresh)
			if !heard(changes) {
				t.Errorf("change %d: nobody is told", i)
			}
		}
		bad.Store(false)
	})
}

// What waits for a server ends with it.
func TestRetriesEndWithTheirServer(t *testing.T) {
	for name, end := range map[string]func(*Registry) error{
		"removed": func(r *Registry) error { return r.Remove(context.Background(), "a") },
		"replaced": func(r *Registry) error {
			_, err := r.Reload(context.Background(), &Config{Servers: []ServerConfig{{Name: "a", Disabled: true}}})
			return err
		},
		"closed": (*Registry).Close,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tries atomic.Int64
				r := newRegistry(t, &RegistryOptions{WarmUp: true, Options: func(ServerConfig) (*Options, error) {
					return &Options{NewServer: func(context.Context, session.Key) (*mcp.Server, error) {
						tries.Add(1)
						return nil, errors.New("not today")
					}}, nil
				}}, ServerConfig{Name: "a"})
				time.Sleep(10 * time.Minute)
				if tries.Load() < 5 {
					t.Fatalf("%d tries", tries.Load())
				}
				synctest.Wait()
				if err := end(r); err != nil {
					t.Fatal(err)
				}
				idle := make(chan struct{})
				go func() { r.tasks.Wait(); close(idle) }()
				synctest.Wait()
				select {
				case <-idle:
				default:
					t.Error("somebody still waits for the server")
					<-idle
				}
			})
		})
	}
}

// What fails for one user is no reason not to ask for another.
func TestTheFailureOfOneUserIsNotSeenByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int64
		r := newRegistry(t, &RegistryOptions{Options: func(ServerConfig) (*Options, error) {
			return &Options{NewServer: func(_ context.Context, key session.Key) (*mcp.Server, error) {
				if key.User == "mallory" {
					tries.Add(1)
					return nil, errors.New("mallory's own secret trouble")
				}
				return local("a", "x").Server, nil
			}}, nil
		}}, ServerConfig{Name: "a", PerUserTools: true, Sessions: SessionLimits{Max: 100}})
		for range 3 { // mallory's own failure is remembered
			l, err := r.List(userContext("mallory"), Filter{})
			if err != nil || l.Unavailable["a"] == nil {
				t.Fatalf("%+v, %v", l, err)
			}
		}
		if tries.Load() != 1 {
			t.Errorf("the server was asked %d times within a second", tries.Load())
		}
		for _, user := range []string{"bob", "carol"} {
			l, err := r.List(userContext(user), Filter{})
			if err != nil || !slices.Equal(namesOf(l.Tools), []string{"x"}) {
				t.Errorf("%s: %+v, %v", user, l, err)
			}
		}
	})
}
