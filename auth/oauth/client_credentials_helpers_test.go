package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// A grantWorld is an MCP server, its authorization server and an identity provider, all in memory.
type grantWorld struct {
	t *testing.T

	mu       sync.Mutex
	metadata map[string]any // more fields of the authorization server's metadata
	listed   []string       // scopes_supported of the MCP server
	named    string         // the issuer that the MCP server names
	paths    []string       // of all requests, with their hosts
	asked    []tokenRequest
	answers  map[string]http.HandlerFunc // of token endpoints, by host; the default issues tokens
	life     json.RawMessage             // of tokens, in seconds; nil: not told
	issued   int
}

// A tokenRequest is a request that arrived at a token endpoint.
type tokenRequest struct {
	host         string
	form         url.Values
	user, passwd string // HTTP Basic, unescaped (RFC 6749 section 2.3.1)
}

const (
	worldResource = "https://mcp.example/mcp"
	worldIssuer   = "https://as.example"
	worldIDP      = "https://idp.example"
)

func newGrantWorld(t *testing.T) *grantWorld {
	return &grantWorld{t: t, named: worldIssuer, listed: []string{"read", "write"}, metadata: map[string]any{}, answers: map[string]http.HandlerFunc{}}
}

// client returns a client of the grant in this world. The function may change its configuration.
func (w *grantWorld) client(g Grant, change ...func(*Config)) *Client {
	w.t.Helper()
	cfg := Config{Server: "files", Resource: worldResource, Grant: g, HTTPClient: &http.Client{Transport: w}, Timeout: 10 * time.Second}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		w.t.Fatalf("New: %v", err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// RoundTrip answers without a network. It gives up when the request does, as a transport must.
func (w *grantWorld) RoundTrip(r *http.Request) (*http.Response, error) {
	rec, done := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		w.ServeHTTP(rec, r)
	}()
	<-done
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

func (w *grantWorld) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.paths = append(w.paths, r.URL.Host+r.URL.Path)
	named, listed, more := w.named, w.listed, maps.Clone(w.metadata)
	w.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/oauth-protected-resource/mcp":
		writeJSON(rw, 200, map[string]any{"resource": worldResource, "authorization_servers": []string{named}, "scopes_supported": listed})
	case "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server":
		// Without code_challenge_methods_supported: no grant of machines needs PKCE.
		meta := map[string]any{"issuer": "https://" + r.URL.Host, "token_endpoint": "https://" + r.URL.Host + "/token"}
		maps.Copy(meta, more)
		writeJSON(rw, 200, meta)
	case "/token":
		w.token(rw, r)
	default:
		http.NotFound(rw, r)
	}
}

func (w *grantWorld) token(rw http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		w.t.Errorf("a token request is no form: %v", err)
	}
	asked := tokenRequest{host: r.URL.Host, form: maps.Clone(r.PostForm)}
	if user, passwd, ok := r.BasicAuth(); ok {
		asked.user, _ = url.QueryUnescape(user)
		asked.passwd, _ = url.QueryUnescape(passwd)
	}
	w.mu.Lock()
	w.asked = append(w.asked, asked)
	w.issued++
	n, answer := w.issued, w.answers[r.URL.Host]
	w.mu.Unlock()
	if answer != nil {
		answer(rw, r)
		return
	}
	issue := map[string]any{"access_token": "token-" + string(rune('0'+n)), "token_type": "Bearer"}
	if w.life != nil {
		issue["expires_in"] = w.life
	}
	writeJSON(rw, 200, issue)
}

func writeJSON(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	json.NewEncoder(rw).Encode(v)
}

func (w *grantWorld) requests() []tokenRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// only returns the one token request that arrived.
func (w *grantWorld) only() tokenRequest {
	w.t.Helper()
	all := w.requests()
	if len(all) != 1 {
		w.t.Fatalf("%d token requests, want 1", len(all))
	}
	return all[0]
}

var worldUser = session.Key{Tenant: "acme", User: "alice"}

// obtain does what a chain does: it asks for the token, is refused without one, and asks again.
func obtain(ctx context.Context, c *Client, key session.Key) (string, error) {
	token, err := c.Token(ctx, key)
	if err != nil || !token.IsZero() {
		return token.Reveal(), err
	}
	again, err := c.Refused(ctx, key, auth.Refusal{StatusCode: http.StatusUnauthorized})
	if err != nil {
		return "", err
	}
	if !again {
		return "", errors.New("not to be sent again")
	}
	token, err = c.Token(ctx, key)
	return token.Reveal(), err
}

// mustObtain returns the token of the user.
func mustObtain(t *testing.T, c *Client, key session.Key) string {
	t.Helper()
	token, err := obtain(t.Context(), c, key)
	if err != nil || token == "" {
		t.Fatalf("no token for %v: %v", key, err)
	}
	return token
}

// leaks reports an error whose text holds one of the secrets.
func leaks(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if err != nil && strings.Contains(err.Error(), s) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
}
