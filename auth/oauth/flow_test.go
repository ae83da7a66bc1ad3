package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

func TestAUserIsSentToAuthorizeAndThenCallsSucceed(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	address, _ := url.Parse(w.url(c, alice))
	q := address.Query()
	want := map[string]string{"response_type": "code", "redirect_uri": callback, "code_challenge_method": "S256", "resource": mcpURL, "scope": "read"}
	for name, value := range want {
		if q.Get(name) != value {
			t.Errorf("the authorization URL has %s = %q, want %q", name, q.Get(name), value)
		}
	}
	if len(q.Get("state")) < 26 || len(q.Get("code_challenge")) != 43 {
		t.Errorf("state has %d characters, code_challenge %d", len(q.Get("state")), len(q.Get("code_challenge")))
	}
	key, err := c.Complete(t.Context(), w.browse(address.String(), "alice"))
	if err != nil || key != alice {
		t.Fatalf("Complete = %v, %v", key, err)
	}
	for range 10 {
		w.works(c, alice)
	}
	w.wantCounts("register=1 authorize=1 code=1 refresh=0 prm=1 asm=1 mcp=11")
}

func TestTheSameURLIsGivenUntilItIsUsed(t *testing.T) {
	w := newWorld(t)
	store := auth.NewMemoryStore()
	c, replica := w.client(sharing(store)), w.client(sharing(store))
	first := w.url(c, alice)
	for range 5 {
		if w.url(c, alice) != first || w.url(replica, alice) != first {
			t.Fatal("another URL for the same user")
		}
	}
	if w.url(c, bob) == first {
		t.Fatal("two users got one URL")
	}
	w.wantCounts("register=2 prm=2 asm=2")
	if _, err := replica.Complete(t.Context(), w.browse(first, "alice")); err != nil {
		t.Fatal(err)
	}
	w.works(c, alice) // although the other one has completed
	w.works(replica, alice)
}

// Scenario 82.
func TestAnAuthorizationNeedsAUser(t *testing.T) {
	c := newWorld(t).client()
	for _, key := range []session.Key{{}, {Tenant: "acme"}, {User: "anonymous"}, {Tenant: "a\x00b", User: "alice"}} {
		var want *session.IdentityError
		if _, err := c.Token(t.Context(), key); !errors.As(err, &want) {
			t.Errorf("Token(%q) = %v", key, err)
		}
		if _, err := c.Refused(t.Context(), key, auth.Refusal{StatusCode: 401}); !errors.As(err, &want) {
			t.Errorf("Refused(%q) = %v", key, err)
		}
		if err := c.Forget(t.Context(), key); !errors.As(err, &want) {
			t.Errorf("Forget(%q) = %v", key, err)
		}
	}
}

// Scenario 77.
func TestOtherRefusalsStand(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	for _, r := range []auth.Refusal{
		{StatusCode: 403},
		{StatusCode: 403, Challenges: []string{`Bearer error="invalid_token"`}},
		{StatusCode: 403, Challenges: []string{`Basic error="insufficient_scope"`}},
		{StatusCode: 500, Challenges: []string{`Bearer error="insufficient_scope"`}},
	} {
		if again, err := c.Refused(t.Context(), alice, r); again || err != nil {
			t.Errorf("Refused(%v) = %t, %v", r, again, err)
		}
	}
	w.wantCounts("prm=0 asm=0")
}

// Scenario 83.
func TestWhichScopesAreAskedFor(t *testing.T) {
	const challenge = `Bearer scope="challenged one"`
	upper := func(found []string) []string { return []string{strings.ToUpper(strings.Join(found, "+"))} }
	for name, tt := range map[string]struct {
		challenge  string
		configured []string
		filter     func([]string) []string
		prm, asm   any // scopes_supported
		want       string
	}{
		"configured beats all":         {challenge, []string{"mine"}, upper, []string{"a"}, []string{"offline_access"}, "mine"},
		"challenge beats metadata":     {challenge, nil, nil, []string{"a"}, nil, "challenged one"},
		"metadata":                     {"Bearer", nil, nil, []string{"a", "b"}, nil, "a b"},
		"none":                         {"Bearer", nil, nil, nil, nil, ""},
		"filtered":                     {challenge, nil, upper, nil, nil, "CHALLENGED+ONE"},
		"none needs no filter":         {"Bearer", nil, upper, nil, nil, ""},
		"offline access is added":      {challenge, nil, upper, nil, []string{"x", "offline_access"}, "CHALLENGED+ONE offline_access"},
		"offline access is added once": {`Bearer scope="offline_access a"`, nil, nil, nil, []string{"offline_access"}, "offline_access a"},
		"other schemes do not count":   {`Basic scope="x"`, nil, nil, []string{"a"}, nil, "a"},
		"unreadable challenge":         {`Bearer scope="x`, nil, nil, []string{"a"}, nil, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.prm["scopes_supported"], w.asm["scopes_supported"] = tt.prm, tt.asm
			c := w.client(func(cfg *Config, _ *AuthorizationCode) { cfg.Scopes, cfg.ScopeFilter = tt.configured, tt.filter })
			_, err := c.Refused(t.Context(), alice, auth.Refusal{StatusCode: 401, Challenges: []string{tt.challenge}})
			var required *auth.AuthRequiredError
			if !errors.As(err, &required) {
				t.Fatal(err)
			}
			u, _ := url.Parse(required.URL)
			if got := u.Query().Get("scope"); got != tt.want || u.Query().Has("scope") != (tt.want != "") {
				t.Errorf("scope = %q, want %q", got, tt.want)
			}
			if consent := u.Query().Get("prompt") == "consent"; consent != strings.Contains(tt.want, "offline_access") {
				t.Errorf("prompt = %q", u.Query().Get("prompt"))
			}
		})
	}
}

func TestAStepUpAsksForAllScopesAndOnlyOnce(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	w.scopes = []string{"write"}
	address, _ := url.Parse(w.url(c, alice))
	if got := strings.Fields(address.Query().Get("scope")); !slices.Equal(got, []string{"read", "write"}) {
		t.Errorf("the step-up asks for %q", got)
	}
	if other := w.url(c, alice); other != address.String() {
		t.Error("a second URL for the same step-up")
	}
	if _, err := c.Complete(t.Context(), w.browse(address.String(), "alice")); err != nil {
		t.Fatal(err)
	}
	w.works(c, alice)

	// The user keeps one scope back: they are not asked for it for ever.
	w.scopes = []string{"admin"}
	back := w.browse(w.url(c, alice), "alice")
	w.onToken = func(_ url.Values, answer map[string]any) { answer["scope"] = "read write" }
	w.mu.Lock()
	code := w.codes[back.Get("code")]
	code.scopes = []string{"read", "write"}
	w.codes[back.Get("code")] = code
	w.mu.Unlock()
	if _, err := c.Complete(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	prm := w.count("prm")
	for range 3 {
		if _, err := w.call(t.Context(), c, alice); err == nil || err.Error() != "status 403" {
			t.Errorf("a call that lacks a scope which the user did not grant: %v", err)
		}
	}
	w.wantCounts(fmt.Sprintf("authorize=3 register=1 prm=%d", prm))
}

// Scenarios 76 and 79: without a secret, and without metadata.
func TestServersOfTheFirstRevisionAuthorizeAtTheirOrigin(t *testing.T) {
	for name, metadata := range map[string]bool{"with metadata": true, "with default endpoints": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.issuer = "https://mcp.example.com"
			w.intercept = func(what string) http.HandlerFunc {
				if strings.Contains(what, "oauth-protected-resource") || !metadata && strings.Contains(what, ".well-known") {
					return http.NotFound
				}
				return nil
			}
			c := w.client()
			address := func() string {
				_, err := c.Refused(t.Context(), alice, auth.Refusal{StatusCode: 401})
				var required *auth.AuthRequiredError
				if !errors.As(err, &required) {
					t.Fatal(err)
				}
				return required.URL
			}()
			if _, err := c.Complete(t.Context(), w.browse(address, "alice")); err != nil {
				t.Fatal(err)
			}
			w.works(c, alice)
		})
	}
}

func TestTheClientIsDocumentedOrConfiguredOrRegistered(t *testing.T) {
	const document = "https://app.example.com/client.json"
	for name, tt := range map[string]struct {
		grant AuthorizationCode
		asm   map[string]any
		want  string
		err   error
	}{
		"document":                   {AuthorizationCode{ClientMetadataURL: document, ClientID: "mine"}, map[string]any{"client_id_metadata_document_supported": true}, document, nil},
		"document is not supported":  {AuthorizationCode{ClientMetadataURL: document, ClientID: "mine"}, nil, "mine", nil},
		"configured":                 {AuthorizationCode{ClientID: "mine"}, nil, "mine", nil},
		"configured, with a secret":  {AuthorizationCode{ClientID: "mine", ClientSecret: auth.NewSecret("s3cret")}, nil, "mine", nil},
		"registered":                 {AuthorizationCode{ClientMetadataURL: document}, nil, "client-", nil},
		"registration not supported": {AuthorizationCode{ClientMetadataURL: document}, map[string]any{"registration_endpoint": nil}, "", ErrNoRegistration},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.asm = tt.asm
			c := w.client(func(cfg *Config, _ *AuthorizationCode) {
				tt.grant.RedirectURL = callback
				cfg.Grant = &tt.grant
			})
			_, err := w.call(t.Context(), c, alice)
			if tt.err != nil {
				if !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				return
			}
			var required *auth.AuthRequiredError
			if !errors.As(err, &required) {
				t.Fatal(err)
			}
			u, _ := url.Parse(required.URL)
			if got := u.Query().Get("client_id"); !strings.HasPrefix(got, tt.want) {
				t.Errorf("client_id = %q, want %q", got, tt.want)
			}
			registered := 0
			if tt.want == "client-" {
				registered = 1
			}
			if got := w.count("register"); got != registered {
				t.Errorf("%d registrations, want %d", got, registered)
			}
		})
	}
}

func TestClientsAuthenticateAsTheyWereRegistered(t *testing.T) {
	for _, method := range []string{"client_secret_basic", "client_secret_post", "none", ""} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.asm["token_endpoint_auth_methods_supported"] = []string{method}
			if method == "" {
				w.asm["token_endpoint_auth_methods_supported"] = nil
			}
			w.login(w.client(), alice)
			w.mu.Lock()
			defer w.mu.Unlock()
			if got, want := w.lastForm.Get("client_secret") != "", method == "client_secret_post"; got != want {
				t.Errorf("secret in the form: %t, want %t", got, want)
			}
			if got, want := w.lastForm.Get("client_id") != "", method == "client_secret_post" || method == "none"; got != want {
				t.Errorf("client_id in the form: %t, want %t", got, want)
			}
		})
	}
}

func TestTheRegistrationSaysWhatTheClientIs(t *testing.T) {
	for redirect, want := range map[string]string{
		callback: "web", "http://127.0.0.1:8123/cb": "native", "http://localhost/cb": "native", "com.example.app:/cb": "native",
	} {
		g, err := (&AuthorizationCode{RedirectURL: redirect}).prepare(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.(*AuthorizationCode).Registration.ApplicationType; got != want {
			t.Errorf("application_type for %s = %q, want %q", redirect, got, want)
		}
	}
	mine := &oauthex.ClientRegistrationMetadata{ClientName: "My agent"}
	g, err := (&AuthorizationCode{RedirectURL: callback, Registration: mine}).prepare(nil)
	if err != nil {
		t.Fatal(err)
	}
	got := g.(*AuthorizationCode).Registration
	if got == mine || got.ClientName != "My agent" || !slices.Equal(got.RedirectURIs, []string{callback}) || len(mine.RedirectURIs) != 0 {
		t.Errorf("registration %+v of %+v", got, mine)
	}
}

func TestForgetLogsOut(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	w.login(c, bob)
	if err := c.Forget(context.Background(), alice); err != nil {
		t.Fatal(err)
	}
	w.wantCounts("revoke=1 register=2")
	w.url(c, alice) // has to authorize
	w.works(c, bob)
	w.wantCounts("register=3")

	old := w.browse(w.url(c, alice), "alice")
	if err := c.Forget(context.Background(), alice); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Complete(t.Context(), old); !errors.Is(err, ErrState) {
		t.Errorf("Complete of a forgotten authorization: %v", err)
	}
	if err := c.Forget(context.Background(), session.Key{User: "carol"}); err != nil {
		t.Errorf("Forget of a stranger: %v", err)
	}
}

func TestAClosedClientGivesOutWhatItHas(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w.works(c, alice)
	if _, err := c.Token(t.Context(), bob); !errors.Is(err, ErrClosed) {
		t.Errorf("Token of a stranger = %v", err)
	}
	if _, err := c.Complete(t.Context(), url.Values{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Complete = %v", err)
	}
	if err := c.Forget(t.Context(), alice); !errors.Is(err, ErrClosed) {
		t.Errorf("Forget = %v", err)
	}
}
