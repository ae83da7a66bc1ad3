package oauth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

func TestReplicasUseNoRefreshTokenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ttl, w.slow = 30*time.Second, time.Second
		store := auth.NewMemoryStore()
		var replicas []*Client
		for range 3 {
			replicas = append(replicas, w.client(sharing(store)))
		}
		w.login(replicas[0], alice)
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				for _, c := range replicas {
					wg.Go(func() {
						if user, err := w.call(t.Context(), c, alice); user != "alice" || err != nil {
							t.Errorf("second %d: %q, %v", i, user, err)
						}
					})
				}
			})
		}
		wg.Wait()
		w.wantCounts("reuse=0 authorize=1")
		if n := w.count("refresh"); n < 9 || n > 14 {
			t.Errorf("%d refreshes in 300 seconds, want about one in 24", n)
		}
		for _, c := range replicas {
			c.Close()
		}
	})
}

// lockless hides the Lock of a store.
type lockless struct{ auth.TokenStore }

// Without a Locker a refresh token can be used twice. Whoever loses finds the winner's token and asks nobody.
func TestALostRaceOfRefreshesAdoptsTheWinnersToken(t *testing.T) {
	w := newWorld(t)
	store := lockless{auth.NewMemoryStore()}
	c, other := w.client(sharing(store)), w.client(sharing(store))
	w.login(c, alice)
	o := owner{"acme", "alice"}
	old, _ := c.loadToken(t.Context(), o)
	c.mustEnd(t, alice)
	w.works(other, alice) // with a token that its refresh has got
	w.mu.Lock()
	for _, f := range w.refresh {
		f.current = old.Refresh + "used" // so that a second use is refused and revokes nothing
	}
	w.mu.Unlock()
	r, err := c.refresh(t.Context(), o, old, false)
	now, _ := c.loadToken(t.Context(), o)
	if err != nil || r == nil || r.Access != now.Access {
		t.Errorf("refresh = %v, %v", r != nil, err)
	}
}

// S4 and R3: nobody gets what is another's, and each user costs one of everything.
func Test100UsersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users, callers = 100, 5
		w := newWorld(t)
		w.slow = time.Second
		var c *Client
		var prompts, crossed atomic.Int64
		prompted := make(chan *auth.AuthRequiredError, users*callers)
		c = w.client(func(_ *Config, g *AuthorizationCode) {
			g.Prompt = func(_ context.Context, e *auth.AuthRequiredError) error {
				prompts.Add(1)
				prompted <- e
				return nil
			}
		})
		var wg sync.WaitGroup
		for range callers {
			for u := range users {
				user := fmt.Sprintf("user-%d", u)
				wg.Go(func() {
					got, err := w.call(t.Context(), c, session.Key{Tenant: "acme", User: user, Conversation: fmt.Sprint(rand.Int())})
					if err != nil {
						t.Errorf("call of %s: %v", user, err)
					} else if got != user {
						crossed.Add(1)
					}
				})
			}
		}
		synctest.Wait()
		for range users {
			e := <-prompted
			wg.Go(func() {
				if key, err := c.Complete(t.Context(), w.browse(e.URL, e.User.User)); err != nil || key != e.User {
					t.Errorf("Complete = %v, %v", key, err)
				}
			})
		}
		wg.Wait()
		if prompts.Load() != users || crossed.Load() != 0 {
			t.Errorf("%d prompts for %d users, %d crossed tokens", prompts.Load(), users, crossed.Load())
		}
		w.wantCounts("register=100 authorize=100 code=100 refresh=0 reuse=0")
		c.Close()
	})
}

func TestUsersOfATenantCanShareARegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.intercept = func(what string) http.HandlerFunc {
			if strings.HasSuffix(what, "/register") {
				time.Sleep(time.Second)
			}
			return nil
		}
		c := w.client(func(_ *Config, g *AuthorizationCode) { g.ShareClient = true })
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { w.login(c, session.Key{Tenant: "acme", User: fmt.Sprintf("user-%d", i)}) })
		}
		wg.Wait()
		w.wantCounts("register=1 authorize=20")
		w.login(c, session.Key{Tenant: "other", User: "user-1"})
		w.wantCounts("register=2")
		c.Close()
	})
}

func TestAPromptEndsInAnyReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := auth.NewMemoryStore()
		urls := make(chan string, 10)
		prompting := func(_ *Config, g *AuthorizationCode) {
			g.Prompt = func(_ context.Context, e *auth.AuthRequiredError) error { urls <- e.URL; return nil }
		}
		c, replica, third := w.client(sharing(store), prompting), w.client(sharing(store)), w.client(sharing(store), prompting)
		var wg sync.WaitGroup
		for _, c := range []*Client{c, c, third} {
			wg.Go(func() { w.works(c, alice) })
		}
		hurried, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		wg.Go(func() {
			if _, err := w.call(hurried, c, alice); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the caller with a deadline got %v", err)
			}
		})
		time.Sleep(5 * time.Minute)
		if len(urls) != 2 { // one per process
			t.Errorf("%d prompts, want 2", len(urls))
		}
		address := <-urls
		if other := <-urls; other != address {
			t.Error("two replicas prompt with two URLs")
		}
		if _, err := replica.Complete(t.Context(), w.browse(address, "alice")); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		w.wantCounts("register=1 authorize=1")
		for _, c := range []*Client{c, replica, third} {
			c.Close()
		}
	})
}

func TestAPromptFailsForAllWhoWait(t *testing.T) {
	errBrowser := errors.New("no browser")
	for name, tt := range map[string]struct {
		prompt func(*world, *Client, *auth.AuthRequiredError) error
		want   func(error) bool
		took   time.Duration
	}{
		"its own error": {func(*world, *Client, *auth.AuthRequiredError) error { return errBrowser }, func(err error) bool { return errors.Is(err, errBrowser) }, 0},
		"declined": {func(w *world, c *Client, e *auth.AuthRequiredError) error {
			back := w.browse(e.URL, "alice")
			back.Del("code")
			back.Set("error", "access_denied")
			c.Complete(context.Background(), back)
			return nil
		}, func(err error) bool { return hasCode(err, "access_denied") }, 0},
		"nobody answers": {func(*world, *Client, *auth.AuthRequiredError) error { return nil }, func(err error) bool { return errors.Is(err, ErrExpired) }, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var prompts atomic.Int64
				var c *Client
				c = w.client(func(_ *Config, g *AuthorizationCode) {
					g.Prompt = func(_ context.Context, e *auth.AuthRequiredError) error {
						prompts.Add(1)
						time.Sleep(time.Second)
						return tt.prompt(w, c, e)
					}
				})
				start := time.Now()
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() {
						if _, err := w.call(t.Context(), c, alice); !tt.want(err) {
							t.Errorf("call: %v", err)
						}
					})
				}
				wg.Wait()
				if took := time.Since(start); took > tt.took+pollEvery || took < tt.took {
					t.Errorf("callers waited %v, want %v", took, tt.took)
				}
				if prompts.Load() != 1 {
					t.Errorf("%d prompts, want 1", prompts.Load())
				}
				c.Close()
			})
		})
	}
}

func TestCloseEndsAPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.client(func(_ *Config, g *AuthorizationCode) {
			g.Prompt = func(ctx context.Context, _ *auth.AuthRequiredError) error { <-ctx.Done(); return ctx.Err() }
		})
		done := make(chan error, 1)
		go func() { _, err := w.call(t.Context(), c, alice); done <- err }()
		synctest.Wait()
		c.Close()
		if err := <-done; !errors.Is(err, ErrClosed) && !errors.Is(err, context.Canceled) {
			t.Errorf("the waiting caller got %v", err)
		}
	})
}

// A store that fails now and then loses no refresh token, although each can be used once.
func TestATokenThatCannotBeSavedIsNotLost(t *testing.T) {
	w := newWorld(t)
	s := &moody{TokenStore: auth.NewMemoryStore()}
	c := w.client(sharing(s))
	w.login(c, alice)
	w.mu.Lock()
	clear(w.access)
	w.mu.Unlock()
	s.fail.Store(true)
	if _, err := w.call(t.Context(), c, alice); !errors.Is(err, errMood) {
		t.Errorf("call with a broken store: %v", err)
	}
	s.fail.Store(false)
	w.works(c, alice)
	w.works(w.client(sharing(s)), alice)
	w.wantCounts("reuse=0 authorize=1")
}

var errMood = errors.New("the disk is full")

// moody is a store whose Saves of tokens can fail.
type moody struct {
	auth.TokenStore
	fail atomic.Bool
}

func (m *moody) Save(ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
	if m.fail.Load() && key.Kind == "token" && value != nil {
		return errMood
	}
	return m.TokenStore.Save(ctx, key, value, ttl)
}
