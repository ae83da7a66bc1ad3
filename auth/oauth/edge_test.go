package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// hide makes documents disappear whose URL holds one of the parts.
func (w *world) hide(parts ...string) {
	w.intercept = func(what string) http.HandlerFunc {
		for _, p := range parts {
			if strings.Contains(what, p) {
				return http.NotFound
			}
		}
		return nil
	}
}

func (w *world) refuse(c *Client, challenge string) error {
	_, err := c.Refused(context.Background(), alice, auth.Refusal{StatusCode: 401, Challenges: []string{challenge}})
	return err
}

// A pinned issuer needs no word of the MCP server.
func TestAPinnedIssuerIsUsedForServersWithoutMetadata(t *testing.T) {
	w := newWorld(t)
	w.hide("oauth-protected-resource")
	c := w.client(func(cfg *Config, _ *AuthorizationCode) { cfg.Issuer = asURL })
	var required *auth.AuthRequiredError
	if err := w.refuse(c, "Bearer"); !errors.As(err, &required) {
		t.Fatal(err)
	}
	if _, err := c.Complete(t.Context(), w.browse(required.URL, "alice")); err != nil {
		t.Fatal(err)
	}
	w.works(c, alice)

	w.hide("oauth-protected-resource", "oauth-authorization-server")
	if err := w.refuse(w.client(func(cfg *Config, _ *AuthorizationCode) { cfg.Issuer = asURL }), "Bearer"); !errors.Is(err, ErrMetadata) {
		t.Errorf("a pinned issuer without metadata: %v", err)
	}
}

// A server whose metadata is broken is not taken for one that has none.
func TestBrokenMetadataIsNoFallback(t *testing.T) {
	for _, place := range []string{"oauth-protected-resource/mcp", "oauth-authorization-server"} {
		w := newWorld(t)
		w.issuer = w.origin
		w.intercept = func(what string) http.HandlerFunc {
			switch {
			case strings.Contains(what, place):
				return body(200, "text/html", "<html>")
			case strings.Contains(what, ".well-known"):
				return http.NotFound
			}
			return nil
		}
		if err := w.refuse(w.client(), "Bearer"); !errors.Is(err, ErrMetadata) {
			t.Errorf("broken %s: %v", place, err)
		}
		w.wantCounts("register=0")
	}
}

// Some servers have a page for every path. The documents that follow are still found.
func TestAPageInPlaceOfADocumentIsPassedOver(t *testing.T) {
	w := newWorld(t)
	w.prm["resource"] = "https://mcp.example.com" // from the root it speaks for the origin
	w.intercept = func(what string) http.HandlerFunc {
		switch {
		case strings.HasSuffix(what, "oauth-protected-resource/mcp"):
			return body(200, "text/html", "<html>")
		case strings.HasSuffix(what, "oauth-protected-resource"):
			return func(rw http.ResponseWriter, _ *http.Request) {
				writeJSON(rw, 200, map[string]any{"resource": w.origin, "authorization_servers": []string{asURL}})
			}
		case strings.HasSuffix(what, "oauth-authorization-server"):
			return body(200, "text/html", "<html>")
		case strings.HasSuffix(what, "openid-configuration"):
			return func(rw http.ResponseWriter, r *http.Request) {
				r.URL.Path = "/.well-known/oauth-authorization-server"
				w.document(rw, "asm", map[string]any{
					"issuer": asURL, "authorization_endpoint": asURL + "/authorize", "token_endpoint": asURL + "/token",
					"registration_endpoint": asURL + "/register", "code_challenge_methods_supported": []string{"S256"},
				}, nil)
			}
		}
		return nil
	}
	var required *auth.AuthRequiredError
	if err := w.refuse(w.client(), "Bearer"); !errors.As(err, &required) {
		t.Fatal(err)
	}
	if u, _ := url.Parse(required.URL); u.Query().Get("resource") != w.origin {
		t.Errorf("resource = %q, want it as the server spells it", u.Query().Get("resource"))
	}
}

func TestAnUnreachableNetworkIsAnError(t *testing.T) {
	errNetwork := errors.New("no route to host")
	for _, part := range []string{"oauth-protected-resource/mcp", "oauth-protected-resource", "oauth-authorization-server", "register"} {
		w := newWorld(t)
		c := w.client(func(cfg *Config, _ *AuthorizationCode) {
			cfg.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, part) {
					return nil, errNetwork
				}
				if strings.Contains(r.URL.Path, "protected-resource") && part == "oauth-protected-resource" {
					r.URL.Path = "/gone"
				}
				return w.RoundTrip(r)
			})}
		})
		err := w.refuse(c, "Bearer")
		if !errors.Is(err, errNetwork) || !strings.HasPrefix(err.Error(), "oauth: ") {
			t.Errorf("%s: %v", part, err)
		}
	}
}

func TestRevocationFailsQuietly(t *testing.T) {
	for name, tt := range map[string]struct {
		set    func(*world)
		method string
	}{
		"with a secret in the form":     {func(*world) {}, "client_secret_post"},
		"with a secret in a header":     {func(*world) {}, "client_secret_basic"},
		"no endpoint":                   {asm("revocation_endpoint", nil), "none"},
		"no refresh token":              {func(w *world) { w.noRefresh = true }, "none"},
		"refused":                       {answers("/revoke", body(503, "text/html", "<html>")), "none"},
		"redirected":                    {answers("/revoke", redirectTo("https://evil.example/")), "none"},
		"2 MiB of answer":               {answers("/revoke", body(200, "text/html", strings.Repeat("x", 2<<20))), "none"},
		"an endpoint that is not heard": {answers("/revoke", func(http.ResponseWriter, *http.Request) {}), "none"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tt.set(w)
			w.asm["token_endpoint_auth_methods_supported"] = []string{tt.method}
			var form url.Values
			var user string
			next := w.intercept
			w.intercept = func(what string) http.HandlerFunc {
				if next != nil {
					if h := next(what); h != nil {
						return h
					}
				}
				if strings.HasSuffix(what, "/revoke") {
					return func(_ http.ResponseWriter, r *http.Request) {
						r.ParseForm()
						form = r.PostForm
						user, _, _ = r.BasicAuth()
					}
				}
				return nil
			}
			c := w.client()
			w.login(c, alice)
			if err := c.Forget(t.Context(), alice); err != nil {
				t.Errorf("Forget = %v", err)
			}
			if tok, err := c.Token(t.Context(), alice); !tok.IsZero() || err != nil {
				t.Errorf("there still is a token, %v", err)
			}
			if tt.method == "client_secret_basic" && (user == "" || form.Has("client_secret")) ||
				tt.method == "client_secret_post" && (user != "" || !form.Has("client_secret")) ||
				tt.method != "none" && !strings.HasPrefix(form.Get("token"), "refresh-") {
				t.Errorf("the revocation has the user %q and %d parameters", user, len(form))
			}
			if name == "no refresh token" && !strings.HasPrefix(form.Get("token"), "access-") {
				t.Error("the access token is not revoked")
			}
		})
	}
}

// Another process has refreshed while this one had the old token in memory.
func TestARefreshFindsWhatAnotherProcessHasGot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := auth.NewMemoryStore()
		c, other := w.client(sharing(store)), w.client(sharing(store))
		w.login(c, alice)
		w.works(other, alice)
		time.Sleep(2 * time.Hour)
		w.works(c, alice)
		w.works(other, alice)
		w.wantCounts("refresh=1")

		// And one has logged the user out.
		if err := c.Forget(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if tok, err := other.Token(t.Context(), alice); !tok.IsZero() || err != nil {
			t.Errorf("the token that the other process has forgotten is given out, %v", err)
		}
		c.Close()
		other.Close()
	})
}

// The URL of a prompt can be used up before the prompt is shown: then nobody is prompted.
func TestADeadURLIsNotPrompted(t *testing.T) {
	w := newWorld(t)
	store := auth.NewMemoryStore()
	var prompts atomic.Int64
	c := w.client(sharing(store), func(_ *Config, g *AuthorizationCode) {
		g.Prompt = func(context.Context, *auth.AuthRequiredError) error { prompts.Add(1); return nil }
	})
	replica := w.client(sharing(store))
	g := c.grant.(*AuthorizationCode)
	o := owner{"acme", "alice"}
	required := &auth.AuthRequiredError{Server: "files", User: alice, URL: w.url(replica, alice)}
	c.cache.put(o, nil)

	back := w.browse(required.URL, "alice")
	failed := url.Values{"state": back["state"], "error": {"access_denied"}}
	if _, err := replica.Complete(t.Context(), failed); !hasCode(err, "access_denied") {
		t.Fatal(err)
	}
	await := func() error {
		var waiting *auth.AuthRequiredError
		again, err := c.invite(t.Context(), o, g, *required, auth.Secret{})
		if errors.As(err, &waiting) {
			err = waiting.Wait(t.Context())
			again = err == nil
		}
		if again != (err == nil) {
			t.Errorf("another try %t, error %v", again, err)
		}
		return err
	}
	if err := await(); !errors.Is(err, ErrExpired) {
		t.Errorf("waiting for an authorization that has failed elsewhere: %v", err)
	}
	required.URL = w.url(replica, alice)
	if _, err := replica.Complete(t.Context(), w.browse(required.URL, "alice")); err != nil {
		t.Fatal(err)
	}
	if err := await(); err != nil {
		t.Errorf("waiting for an authorization that was completed elsewhere: %v", err)
	}
	if prompts.Load() != 0 {
		t.Errorf("%d prompts", prompts.Load())
	}
	if err := await(); err != nil {
		t.Errorf("waiting for what is there: %v", err)
	}
}

func TestPromptsOfUsersWhoNeverComeAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rs rooms
		for i := range 1000 {
			if _, first := rs.enter(owner{"acme", string(rune('a' + i))}, "https://x", time.Minute); !first {
				t.Fatal("not the first")
			}
		}
		if _, first := rs.enter(owner{"acme", "a"}, "https://x", time.Minute); first {
			t.Error("a user is prompted twice with one URL")
		}
		time.Sleep(time.Minute)
		rs.enter(owner{"acme", "new"}, "https://x", time.Minute)
		if len(rs.m) != 1 {
			t.Errorf("%d rooms are left, want 1", len(rs.m))
		}
	})
}

// A configuration that was changed makes stored authorizations void.
func TestAPendingAuthorizationMustFitTheConfiguration(t *testing.T) {
	w := newWorld(t)
	store := auth.NewMemoryStore()
	first := w.url(w.client(sharing(store)), alice)
	moved := w.client(sharing(store), func(_ *Config, g *AuthorizationCode) { g.RedirectURL = callback + "/new" })
	second := w.url(moved, alice)
	if u, _ := url.Parse(second); second == first || u.Query().Get("redirect_uri") != callback+"/new" {
		t.Errorf("the old URL is given out with another redirect URI: %s", second)
	}
	w.wantCounts("register=2")
	if _, err := w.client(sharing(store)).Complete(t.Context(), w.browse(first, "alice")); !errors.Is(err, ErrState) {
		t.Errorf("Complete of the first: %v", err)
	}
}

func TestALockThatIsNotToBeHadIsAnError(t *testing.T) {
	w := newWorld(t)
	c := w.client(sharing(stuck{auth.NewMemoryStore()}))
	if err := w.refuse(c, "Bearer"); !errors.Is(err, errMood) {
		t.Errorf("Refused = %v", err)
	}
}

type stuck struct{ *auth.MemoryStore }

func (stuck) Lock(context.Context, auth.TokenKey) (func(), error) { return nil, errMood }

func TestAClientSecretGoesToThePinnedIssuerOnly(t *testing.T) {
	c := newWorld(t).client(func(cfg *Config, _ *AuthorizationCode) { cfg.Issuer = asURL })
	if err := c.bind(t.Context(), "acme", "mine", asURL); err != nil {
		t.Error(err)
	}
	if err := c.bind(t.Context(), "acme", "mine", "https://evil.example"); !errors.Is(err, ErrIssuerMismatch) {
		t.Errorf("bind to another issuer: %v", err)
	}
}

func TestACallerWhoHasGivenUpStartsNothing(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Token(ctx, alice); !errors.Is(err, context.Canceled) {
		t.Errorf("Token = %v", err)
	}
	if _, err := c.Refused(ctx, alice, auth.Refusal{StatusCode: 401}); !errors.Is(err, context.Canceled) {
		t.Errorf("Refused = %v", err)
	}
	w.wantCounts("prm=0")
}

// A browser that goes away costs no authorization.
func TestACompleteWhoseCallerGivesUpIsFinished(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	c := w.client()
	back := w.browse(w.url(c, alice), "alice")
	w.onToken = func(url.Values, map[string]any) { cancel() }
	if _, err := c.Complete(ctx, back); err != nil {
		t.Errorf("Complete = %v", err)
	}
	w.works(c, alice)
}

// Another process has registered anew: that registration is a good one.
func TestOnlyTheRegistrationThatFailedIsDropped(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	o := owner{"acme", "alice"}
	key := c.clientKey(o, asURL)
	if err := c.unregister(t.Context(), o, asURL, "client-older"); err != nil {
		t.Fatal(err)
	}
	r, err := load[clientRecord](t.Context(), c, key)
	if err != nil || r == nil {
		t.Fatalf("the registration is gone, %v", err)
	}
	if err := c.unregister(t.Context(), o, asURL, r.ID); err != nil {
		t.Fatal(err)
	}
	if r, err := load[clientRecord](t.Context(), c, key); err != nil || r != nil {
		t.Errorf("the registration is still there, %v", err)
	}
}
