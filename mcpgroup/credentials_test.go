package mcpgroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

// guard lets only requests with the right Authorization pass, and notes what every request brought.
type guard struct {
	challenge string

	// mu guards all below.
	mu    sync.Mutex
	want  string
	saw   map[string][]string // Authorization by method of HTTP or JSON-RPC
	turns int                 // requests that were refused
}

func (g *guard) intercept(w http.ResponseWriter, r *http.Request, method string, _ json.RawMessage, _ []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if method == "" {
		method = r.Method
	}
	got := r.Header.Get("Authorization")
	if g.saw == nil {
		g.saw = map[string][]string{}
	}
	g.saw[method] = append(g.saw[method], got)
	if g.want == "" || got == g.want {
		return false
	}
	g.turns++
	w.Header().Set("WWW-Authenticate", g.challenge)
	w.WriteHeader(http.StatusUnauthorized)
	return true
}

func (g *guard) demand(want string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.want = want
}

// seen returns every Authorization that the requests of method brought, or with "" those of all requests, each once.
func (g *guard) seen(method string) (values []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for m, saw := range g.saw {
		if method == "" || m == method {
			values = append(values, saw...)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// tokens is a token provider that is told what to give.
type tokenSource struct {
	token     atomic.Pointer[string]
	renewed   string // what a refresh gives; "" asks the user to log in
	refreshes atomic.Int64
	mu        sync.Mutex
}

func (p *tokenSource) Token(context.Context, session.Key) (auth.Secret, error) {
	if t := p.token.Load(); t != nil {
		return auth.NewSecret(*t), nil
	}
	return auth.Secret{}, nil
}

func (p *tokenSource) Refused(_ context.Context, key session.Key, r auth.Refusal) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.token.Load(); t != nil && r.Sent.Get("Authorization") != "Bearer "+*t {
		return true, nil
	}
	if p.renewed == "" {
		return false, &auth.AuthRequiredError{Server: "remote", User: key, URL: "https://as.example/authorize?state=s"}
	}
	p.refreshes.Add(1)
	p.token.Store(&p.renewed)
	return true, nil
}

func chainFor(t testing.TB, cfg auth.ChainConfig) *auth.Chain {
	t.Helper()
	cfg.Server = "remote"
	c, err := auth.NewChain(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// guardedGroup is a group for a server that asks for credentials.
func guardedGroup(t testing.TB, raw *mcptest.RawOptions, cfg ServerConfig, chain auth.ChainConfig) (*mcptest.Raw, *guard, *MCPFunctionGroup) {
	t.Helper()
	s, _, g := rawGroup(t, raw, cfg, &Options{Auth: chainFor(t, chain)})
	w := &guard{challenge: `Bearer error="invalid_token"`}
	s.SetIntercept(w.intercept)
	return s, w, g
}

func TestAnExpiredTokenIsRenewedOnceForAllCallers(t *testing.T) {
	for _, era := range []string{mcptest.Era2025, mcptest.Era2026} {
		t.Run(era, func(t *testing.T) {
			old := "old"
			p := &tokenSource{renewed: "new"}
			p.token.Store(&old)
			s, w, g := guardedGroup(t, &mcptest.RawOptions{Era: era}, ServerConfig{Name: "remote"}, auth.ChainConfig{OAuth: p})
			ctx := userContext("alice")
			w.demand("Bearer old")
			mustCall(t, g, ctx, "inc", map[string]any{"key": "before"})
			w.demand("Bearer new")
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					key := fmt.Sprint("k", i)
					if res := mustCall(t, g, ctx, "inc", map[string]any{"key": key}); res.Attempts != 1 {
						t.Errorf("%s took %d attempts", key, res.Attempts)
					}
				})
			}
			wg.Wait()
			if n := p.refreshes.Load(); n != 1 {
				t.Errorf("%d refreshes, want 1", n)
			}
			if n := g.Status().Sessions.Opened; n != 1 {
				t.Errorf("%d sessions, want the one: it is the same principal", n)
			}
			for key, n := range s.Keys() {
				if n != 1 {
					t.Errorf("%s ran %d times", key, n)
				}
			}
		})
	}
}

// The user has to log in. Every caller is told so with the same URL, at once, and the first call after it succeeds.
func TestACallThatNeedsTheUserSaysSo(t *testing.T) {
	p := &tokenSource{}
	_, w, g := guardedGroup(t, nil, ServerConfig{Name: "remote"}, auth.ChainConfig{OAuth: p})
	w.demand("Bearer token")
	ctx := userContext("alice")
	for range 3 {
		_, err := g.Call(ctx, "inc", map[string]any{"key": "a"})
		var required *auth.AuthRequiredError
		if !errors.As(err, &required) || required.URL == "" || outcomeOf(t, err) != NotSent {
			t.Fatalf("error %v, want an *auth.AuthRequiredError with a URL", err)
		}
		if strings.Contains(err.Error(), "state=") {
			t.Errorf("the text %q holds the URL", err)
		}
	}
	token := "token"
	p.token.Store(&token)
	mustCall(t, g, ctx, "inc", map[string]any{"key": "a"})
}

// Requests that a connection makes on its own account come after the call that brought the credential. They go without
// rather than with another one.
func TestARequestsOwnCredentialIsNotKept(t *testing.T) {
	_, w, g := guardedGroup(t, nil, ServerConfig{Name: "remote", Notifications: true}, auth.ChainConfig{Credential: auth.Bearer("of-the-server")})
	ctx := auth.WithCredentials(userContext("alice"), map[string]auth.Credential{"remote": auth.Bearer("of-the-call")})
	mustCall(t, g, ctx, "inc", map[string]any{"key": "a"})
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if got := w.seen(""); !slices.Equal(got, []string{"Bearer of-the-call"}) {
		t.Errorf("the server saw %q, want the call's credential and no other", got)
	}
}

// An id is no secret: the connection keeps it and ends its session on the server in order.
func TestACredentialIDIsKeptForTheConnection(t *testing.T) {
	store := auth.NewMemoryStore()
	ctx := session.NewContext(t.Context(), session.Key{Tenant: "acme", User: "alice"})
	if err := store.SetSecret(ctx, auth.SecretKey{Tenant: "acme", ID: "a1"}, auth.Bearer("stored")); err != nil {
		t.Fatal(err)
	}
	_, w, g := guardedGroup(t, nil, ServerConfig{Name: "remote"}, auth.ChainConfig{Secrets: store, Credential: auth.Bearer("of-the-server")})
	mustCall(t, g, auth.WithCredentials(ctx, map[string]auth.Credential{"remote": auth.Reference("a1")}), "inc", map[string]any{"key": "a"})
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if got := w.seen(http.MethodDelete); !slices.Equal(got, []string{"Bearer stored"}) {
		t.Errorf("DELETE brought %q", got)
	}
	if got := w.seen(""); !slices.Equal(got, []string{"Bearer stored"}) {
		t.Errorf("the server saw %q", got)
	}
}

func TestEveryPrincipalHasASessionOfItsOwn(t *testing.T) {
	_, w, g := guardedGroup(t, nil, ServerConfig{Name: "remote"}, auth.ChainConfig{})
	with := func(c auth.Credential) context.Context {
		return auth.WithCredentials(userContext("alice"), map[string]auth.Credential{"remote": c})
	}
	work := auth.Bearer("work-1")
	work.Principal = "alice@work"
	rotated := auth.Bearer("work-2")
	rotated.Principal = "alice@work"
	for i, c := range []auth.Credential{work, rotated, auth.Bearer("private"), auth.Bearer("private")} {
		mustCall(t, g, with(c), "inc", map[string]any{"key": fmt.Sprint(i)})
	}
	if n := g.Status().Sessions.Opened; n != 2 {
		t.Errorf("%d sessions, want 2: one for alice@work, one for the private token", n)
	}
	if got, want := w.seen("tools/call"), []string{"Bearer private", "Bearer work-1", "Bearer work-2"}; !slices.Equal(got, want) {
		t.Errorf("calls brought %q, want %q", got, want)
	}
}

func TestAServerOfOneTenantRefusesOthers(t *testing.T) {
	for _, cfg := range []ServerConfig{{Name: "remote", Tenant: "acme"}, {Name: "remote", Tenant: "acme", Shared: true}} {
		_, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026}, cfg, nil)
		of := func(tenant string) context.Context {
			return session.NewContext(t.Context(), session.Key{Tenant: tenant, User: "alice"})
		}
		mustCall(t, g, of("acme"), "inc", map[string]any{"key": "a"})
		for _, ctx := range []context.Context{of("globex"), of(""), t.Context()} {
			var identity *session.IdentityError
			if _, err := g.Call(ctx, "inc", map[string]any{"key": "b"}); !errors.As(err, &identity) {
				t.Errorf("Call: error %v, want an *IdentityError", err)
			}
			if _, err := g.Tools(ctx); !errors.As(err, &identity) {
				t.Errorf("Tools: error %v, want an *IdentityError", err)
			}
		}
	}
}

// Two tenants use one server whose list depends on the credential.
func TestListsAreNotSharedBetweenTenants(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{Name: "remote"}, &Options{Headers: func(_ context.Context, key session.Key) (http.Header, error) {
		return http.Header{"X-Tenant": {key.Tenant}}, nil
	}})
	s.SetIntercept(func(w http.ResponseWriter, r *http.Request, method string, id json.RawMessage, _ []byte) bool {
		if method != "tools/list" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"of_%s","inputSchema":{"type":"object"}}]}}`, id, r.Header.Get("X-Tenant"))
		return true
	})
	for range 2 {
		for _, tenant := range []string{"acme", "globex"} {
			for _, user := range []string{"alice", "bob"} {
				ctx := session.NewContext(t.Context(), session.Key{Tenant: tenant, User: user})
				if got := toolNames(t, g, ctx); !slices.Equal(got, []string{"of_" + tenant}) {
					t.Errorf("%s of %s sees %v", user, tenant, got)
				}
			}
		}
	}
	if n := g.Status().Tools; n != 1 {
		t.Errorf("Status.Tools = %d, want 1", n)
	}
}

func TestOptionsThatContradictEachOtherAreRefused(t *testing.T) {
	chain := chainFor(t, auth.ChainConfig{})
	headers := func(context.Context, session.Key) (http.Header, error) { return nil, nil }
	for _, test := range []struct {
		name  string
		cfg   ServerConfig
		opts  Options
		field string
	}{
		{"auth and headers", ServerConfig{URL: "http://localhost/mcp"}, Options{Auth: chain, Headers: headers}, "Auth"},
		{"two transports", ServerConfig{URL: "http://localhost/mcp"}, Options{Egress: auth.Operator(), HTTPTransport: http.DefaultTransport}, "Egress"},
		{"a guard for a process", ServerConfig{Command: "true"}, Options{Egress: auth.Operator()}, "Headers"},
		{"a user's server on loopback", ServerConfig{URL: "https://127.0.0.1/mcp"}, Options{Egress: auth.Public()}, "URL"},
		{"a user's server in the clear", ServerConfig{URL: "http://example.com/mcp"}, Options{Egress: auth.Public()}, "URL"},
		{"cloud metadata", ServerConfig{URL: "http://169.254.169.254/mcp"}, Options{}, "URL"},
	} {
		test.cfg.Name = "remote"
		_, err := New(test.cfg, &test.opts)
		var config *ConfigError
		if !errors.As(err, &config) || config.Field != test.field {
			t.Errorf("%s: error %v, want a *ConfigError of %s", test.name, err, test.field)
		}
	}
}

// A process has one environment: with one client for all, it cannot be that of the user who came first.
func TestASharedProcessTakesNoUsersVariables(t *testing.T) {
	cfg := childConfig("honest")
	cfg.Name, cfg.Shared = "remote", true
	g := newGroup(t, cfg, &Options{Auth: chainFor(t, auth.ChainConfig{})})
	ctx := auth.WithCredentials(userContext("alice"), map[string]auth.Credential{
		"remote": {Env: map[string]auth.Secret{mcptest.EnvUser: auth.NewSecret("alices-secret")}},
	})
	_, err := g.Call(ctx, "whoami", nil)
	var source *auth.SourceError
	if !errors.As(err, &source) || source.Source != auth.SourceRequest || strings.Contains(err.Error(), "alices-secret") {
		t.Errorf("error %v, want a *SourceError", err)
	}
}

// The stream of a shared connection belongs to nobody: it goes with the server's own credential.
func TestASharedStreamIsNotTheFirstUsers(t *testing.T) {
	store := auth.NewMemoryStore()
	if err := store.SetSecret(t.Context(), auth.SecretKey{Tenant: "acme", ID: "a1"}, auth.Bearer("stored-alice")); err != nil {
		t.Fatal(err)
	}
	_, w, g := guardedGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026}, ServerConfig{Name: "remote", Shared: true, Notifications: true},
		auth.ChainConfig{Secrets: store, Credential: auth.Bearer("of-the-server")})
	ctx := session.NewContext(t.Context(), session.Key{Tenant: "acme", User: "alice"})
	ctx = auth.WithCredentials(ctx, map[string]auth.Credential{"remote": auth.Reference("a1")})
	mustCall(t, g, ctx, "inc", map[string]any{"key": "a"})
	eventually(t, func() bool { return len(w.seen("subscriptions/listen")) > 0 })
	if got := w.seen("subscriptions/listen"); !slices.Equal(got, []string{"Bearer of-the-server"}) {
		t.Errorf("the stream brought %q", got)
	}
	if got := w.seen("tools/call"); !slices.Equal(got, []string{"Bearer stored-alice"}) {
		t.Errorf("the call brought %q", got)
	}
}
