package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// Scenario 89.
func TestATokenInMemoryCostsNothing(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	c.cfg.Store, c.web.base = nil, nil // neither may be touched
	w.works(c, alice)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { c.Token(ctx, alice) }); n != 0 {
		t.Errorf("Token allocates %v times", n)
	}
}

// Scenario 89.
func TestATokenIsRefreshedBeforeItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.client()
		w.login(c, alice)
		before, _ := c.Token(t.Context(), alice)
		w.slow = 5 * time.Second
		time.Sleep(59*time.Minute + time.Second)
		start := time.Now()
		for range 100 {
			if now, err := c.Token(t.Context(), alice); err != nil || !now.Equal(before) {
				t.Fatalf("during the refresh: another token, %v", err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("callers waited %v for a refresh ahead of time", took)
		}
		time.Sleep(6 * time.Second)
		if now, err := c.Token(t.Context(), alice); err != nil || now.Equal(before) {
			t.Errorf("after the refresh: the old token, %v", err)
		}
		w.works(c, alice)
		w.wantCounts("refresh=1 reuse=0 authorize=1")
		c.Close()
	})
}

func TestAnExpiredTokenIsRefreshedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.client()
		w.login(c, alice)
		before, _ := c.Token(t.Context(), alice)
		w.slow = time.Second
		time.Sleep(2 * time.Hour)
		hurried, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { // comes first, and gives up
			if _, err := c.Token(hurried, alice); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Token with a short deadline: %v", err)
			}
		})
		synctest.Wait()
		for range 100 {
			wg.Go(func() {
				if now, err := c.Token(t.Context(), alice); err != nil || now.Equal(before) || now.IsZero() {
					t.Errorf("the token is %t old, %v", now.Equal(before), err)
				}
			})
		}
		wg.Wait()
		w.wantCounts("refresh=1 reuse=0")
		c.Close()
	})
}

func TestRefreshAheadIsAFifthOfAShortLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ttl = 10 * time.Second
		c := w.client()
		w.login(c, alice)
		for range 100 {
			time.Sleep(time.Second)
			w.works(c, alice)
			synctest.Wait()
		}
		// 100 seconds in lives of 8: nobody was refused, nothing was refreshed more often.
		if got := w.count("refresh"); got < 11 || got > 13 {
			t.Errorf("%d refreshes, want about 12", got)
		}
		w.wantCounts("reuse=0 authorize=1 mcp=102")
		c.Close()
	})
}

func Test100RefusalsCostOneRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.client()
		w.login(c, alice)
		w.slow = time.Second
		w.mu.Lock()
		clear(w.access) // the server has forgotten its tokens
		w.mu.Unlock()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if user, err := w.call(t.Context(), c, alice); user != "alice" || err != nil {
					t.Errorf("call = %q, %v", user, err)
				}
			})
		}
		wg.Wait()
		w.wantCounts("refresh=1 reuse=0 authorize=1 mcp=202")
		c.Close()
	})
}

func TestARefusalOfAnOldTokenNeedsNothing(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	prm := w.count("prm")
	again, err := c.Refused(t.Context(), alice, auth.Refusal{StatusCode: 401, Sent: http.Header{"Authorization": {"Bearer old"}}})
	if !again || err != nil || w.count("prm") != prm {
		t.Errorf("Refused = %t, %v", again, err)
	}
}

// A token that the server goes on refusing is not refreshed for ever: the user is asked.
func TestARefreshedTokenThatIsRefusedTooAsksTheUser(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	w.onToken = func(form url.Values, answer map[string]any) {
		if form.Get("grant_type") == "refresh_token" {
			delete(w.access, answer["access_token"].(string)) // of no use, whatever the reason
		}
	}
	w.mu.Lock()
	clear(w.access)
	w.mu.Unlock()
	for range maxHeals {
		if _, err := w.call(t.Context(), c, alice); err == nil {
			t.Error("the call succeeded")
		}
	}
	w.url(c, alice)
	w.wantCounts(fmt.Sprintf("refresh=%d", maxHeals))
	w.login(c, alice)
}

// A server that restarts forgets the tokens it has seen, which can happen to a token twice.
func TestARefreshedTokenMayBeRefusedAgainLater(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	for range 4 {
		w.mu.Lock()
		clear(w.access)
		w.mu.Unlock()
		if _, err := w.call(t.Context(), c, alice); err != nil {
			t.Error(err)
		}
	}
	w.wantCounts("refresh=4")
}

func TestARevokedAuthorizationAsksTheUserAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, when := range []time.Duration{0, 59*time.Minute + 30*time.Second, 2 * time.Hour} {
			w := newWorld(t)
			c := w.client()
			w.login(c, alice)
			w.mu.Lock()
			for _, f := range w.refresh {
				f.revoked = true
			}
			w.mu.Unlock()
			time.Sleep(when)
			w.login(c, alice)
			w.wantCounts("refresh=1 register=1 authorize=2")
			c.Close()
		}
	})
}

func TestAnUnreachableServerCostsNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.client()
		w.login(c, alice)
		status := http.StatusServiceUnavailable
		var tries atomic.Int64
		w.intercept = func(what string) http.HandlerFunc {
			if strings.HasSuffix(what, "/token") && status != 0 {
				return func(rw http.ResponseWriter, _ *http.Request) { tries.Add(1); rw.WriteHeader(status) }
			}
			return nil
		}
		time.Sleep(59*time.Minute + time.Second)
		for range 50 { // about to expire: used, and not refreshed with each call
			w.works(c, alice)
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if got := tries.Load(); got != 5 {
			t.Errorf("%d refreshes in 50 seconds, want 5", got)
		}
		time.Sleep(time.Hour)
		var failed *Error
		if _, err := w.call(t.Context(), c, alice); !errors.As(err, &failed) || failed.Op != "refresh" {
			t.Errorf("with an expired token: %v", err)
		}
		status = 0
		time.Sleep(maxPause)
		w.works(c, alice)
		w.wantCounts("authorize=1 refresh=1")
		c.Close()
	})
}

func TestAnAnswerWithoutRefreshTokenKeepsTheOldOne(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	for range 3 {
		w.onToken = func(form url.Values, answer map[string]any) {
			w.refresh[form.Get("refresh_token")].current = form.Get("refresh_token")
			delete(answer, "refresh_token")
			delete(answer, "scope")
		}
		c.cache.m = nil
		c.mustEnd(t, alice)
		w.works(c, alice)
	}
	w.wantCounts("refresh=3 reuse=0 authorize=1")

	// Without a scope in the answer, what was granted stays granted, and not what was once asked for.
	o := owner{"acme", "alice"}
	r, _ := c.loadToken(t.Context(), o)
	r.Asked = []string{"read", "write"}
	if _, err := c.save(t.Context(), o, r); err != nil {
		t.Fatal(err)
	}
	c.cache.m = nil
	c.mustEnd(t, alice)
	w.works(c, alice)
	if r, _ := c.loadToken(t.Context(), o); !slices.Equal(r.Scopes, []string{"read"}) {
		t.Errorf("scopes after a refresh that does not name them: %q", r.Scopes)
	}
}

// mustEnd makes the user's token, in the store, an expired one.
func (c *Client) mustEnd(t *testing.T, key session.Key) {
	t.Helper()
	o := owner{key.Tenant, key.User}
	r, err := c.loadToken(t.Context(), o)
	if err != nil || r == nil {
		t.Fatalf("no token in the store: %v", err)
	}
	r.Expiry = time.Now().Add(-time.Second)
	if err := store(t.Context(), c, c.tokenKey(o), r, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

func TestATokenWithoutEndIsUsedUntilItIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ttl = 0
		c := w.client()
		w.login(c, alice)
		time.Sleep(23 * time.Hour)
		w.works(c, alice)
		w.wantCounts("refresh=0")
		time.Sleep(2 * time.Hour) // it has an end that nobody told
		w.works(c, alice)
		w.wantCounts("refresh=1 authorize=1")
		c.Close()
	})
}

func TestATokenWithoutRefreshTokenAsksTheUserWhenItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.noRefresh = true
		c := w.client()
		w.login(c, alice)
		time.Sleep(59 * time.Minute)
		w.works(c, alice)
		time.Sleep(time.Hour)
		w.login(c, alice)
		w.wantCounts("refresh=0 authorize=2 register=1")
		c.Close()
	})
}

// Scenario 86.
func TestARegistrationThatExpiresIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.noRefresh = true
		w.asm["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
		register := w.register
		w.intercept = func(what string) http.HandlerFunc {
			if !strings.HasSuffix(what, "/register") {
				return nil
			}
			return func(rw http.ResponseWriter, r *http.Request) {
				register(extraJSON{rw, fmt.Sprintf(`,"client_secret_expires_at":%d}`, time.Now().Add(90*time.Minute).Unix())}, r)
			}
		}
		c := w.client(sharing(immortal{auth.NewMemoryStore()}))
		w.login(c, alice)
		time.Sleep(time.Hour)
		w.login(c, alice)
		w.wantCounts("register=1")
		time.Sleep(time.Hour)
		w.login(c, alice)
		w.wantCounts("register=2")
		c.Close()
	})
}

// extraJSON puts more fields at the end of an object.
type extraJSON struct {
	http.ResponseWriter
	more string
}

func (e extraJSON) Write(b []byte) (int, error) {
	s, ok := strings.CutSuffix(string(b), "}\n")
	if ok {
		s += e.more
	}
	return e.ResponseWriter.Write([]byte(s))
}

func TestALostRegistrationIsMadeAnew(t *testing.T) {
	t.Run("found out by a refresh", func(t *testing.T) {
		w := newWorld(t)
		c := w.client()
		w.login(c, alice)
		w.mu.Lock()
		clear(w.clients)
		clear(w.access)
		w.mu.Unlock()
		w.login(c, alice)
		w.wantCounts("register=2")
	})
	t.Run("found out by a code", func(t *testing.T) {
		w := newWorld(t)
		c := w.client()
		back := w.browse(w.url(c, alice), "alice")
		w.mu.Lock()
		clear(w.clients)
		w.mu.Unlock()
		if _, err := c.Complete(t.Context(), back); !hasCode(err, "invalid_client") {
			t.Errorf("Complete = %v", err)
		}
		w.login(c, alice)
		w.wantCounts("register=2")
	})
	t.Run("told by the browser", func(t *testing.T) {
		for _, query := range []url.Values{
			{"error": {"invalid_request"}, "error_description": {"Redirect URI is not registered for client"}},
			{"error": {"unauthorized_client"}},
		} {
			w := newWorld(t)
			c := w.client()
			back := w.browse(w.url(c, alice), "alice")
			query["state"] = back["state"]
			if _, err := c.Complete(t.Context(), query); err == nil {
				t.Error("Complete of an error succeeded")
			}
			w.login(c, alice)
			w.wantCounts("register=2")
		}
	})
	t.Run("but not a configured one", func(t *testing.T) {
		w := newWorld(t)
		w.clients["mine"] = map[string]any{"redirect_uris": []any{callback}, "client_secret": "right"}
		c := w.client(func(_ *Config, g *AuthorizationCode) { g.ClientID, g.ClientSecret = "mine", auth.NewSecret("right") })
		w.login(c, alice)
		w.mu.Lock()
		w.clients["mine"]["client_secret"] = "other"
		clear(w.access)
		w.mu.Unlock()
		if _, err := w.call(t.Context(), c, alice); !hasCode(err, "invalid_client") {
			t.Errorf("call = %v", err)
		}
		w.mu.Lock()
		w.clients["mine"]["client_secret"] = "right"
		w.mu.Unlock()
		c.failures.forget(c.owner(alice)) // as some seconds do
		w.works(c, alice)                 // the token was kept
		w.wantCounts("register=0 authorize=1")
	})
}

// A configured secret that is rotated must not live on in stored tokens.
func TestTheConfiguredSecretIsUsedForOldTokens(t *testing.T) {
	w := newWorld(t)
	store := auth.NewMemoryStore()
	configure := func(secret string) func(*Config, *AuthorizationCode) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.clients["mine"] = map[string]any{"redirect_uris": []any{callback}, "client_secret": secret}
		return func(cfg *Config, g *AuthorizationCode) {
			cfg.Store, g.ClientID, g.ClientSecret = store, "mine", auth.NewSecret(secret)
		}
	}
	c := w.client(configure("first"))
	w.login(c, alice)
	c.mustEnd(t, alice)
	w.works(w.client(configure("second")), alice)
	w.wantCounts("refresh=1 authorize=1")
}

func TestANewAuthorizationServerGetsNothingOfTheOldOne(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	o := owner{"acme", "alice"}
	old, _ := c.loadToken(t.Context(), o)
	w.mu.Lock()
	w.issuer = "https://new.example.com"
	w.mu.Unlock()
	address, _ := url.Parse(w.url(c, alice))
	if address.Host != "new.example.com" || address.Query().Get("client_id") == old.Client.ID {
		t.Errorf("the user is sent to %s as client %s", address.Host, address.Query().Get("client_id"))
	}
	if r, _ := c.loadToken(t.Context(), o); r != nil {
		t.Error("the old token is still there")
	}
	if tok, err := c.Token(t.Context(), alice); !tok.IsZero() || err != nil {
		t.Errorf("the old token is still given out, %v", err)
	}
	w.login(c, alice)
	w.wantCounts("register=2 refresh=0")
}

// What one server's authorization server issued is not sent to another address, whatever the configuration calls it.
func TestATokenIsBoundToResourceAndIssuer(t *testing.T) {
	store := auth.NewMemoryStore()
	w := newWorld(t)
	c := w.client(sharing(store))
	w.login(c, alice)
	for name, change := range map[string]func(*Config){
		"another resource": func(cfg *Config) { cfg.Resource = "https://evil.example.com/mcp" },
		"another issuer":   func(cfg *Config) { cfg.Issuer = "https://other.example.com" },
		"another server":   func(cfg *Config) { cfg.Server = "mail" },
	} {
		other := w.client(sharing(store), func(cfg *Config, _ *AuthorizationCode) { change(cfg) })
		if tok, err := other.Token(t.Context(), alice); !tok.IsZero() || err != nil {
			t.Errorf("%s: got the token, %v", name, err)
		}
	}
	pending := w.url(c, bob)
	moved := w.client(sharing(store), func(cfg *Config, _ *AuthorizationCode) { cfg.Resource = "https://evil.example.com/mcp" })
	if _, err := moved.Complete(t.Context(), w.browse(pending, "bob")); !errors.Is(err, ErrState) {
		t.Errorf("Complete by a client of another resource: %v", err)
	}
	for _, key := range []session.Key{{Tenant: "other", User: "alice"}, {User: "alice"}, bob, {Tenant: "acme", User: "Alice"}} {
		if tok, err := c.Token(t.Context(), key); !tok.IsZero() || err != nil {
			t.Errorf("%v got the token, %v", key, err)
		}
	}
	if tok, err := c.Token(t.Context(), session.Key{Tenant: "acme", User: "alice", Conversation: "2"}); tok.IsZero() || err != nil {
		t.Errorf("another conversation did not get the token, %v", err)
	}
}
