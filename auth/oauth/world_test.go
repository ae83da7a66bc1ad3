package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
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

const (
	mcpURL   = "https://mcp.example.com/mcp"
	asURL    = "https://as.example.com"
	callback = "https://app.example.com/callback"
)

var alice, bob = session.Key{Tenant: "acme", User: "alice"}, session.Key{Tenant: "acme", User: "bob"}

// A world is an MCP server and its authorization server, by default honest, strict and in memory. Its fields are set
// before use; a test that changes one later holds mu.
type world struct {
	t  testing.TB
	mu sync.Mutex

	origin    string                           // of the MCP server
	issuer    string                           // of the authorization server in charge
	ttl       time.Duration                    // of access tokens; 0: not told
	noRefresh bool                             // issue no refresh tokens
	scopes    []string                         // that the MCP server demands, in its challenge
	prm       map[string]any                   // changes of the resource's metadata; nil values delete
	asm       map[string]any                   // changes of the authorization server's metadata
	intercept func(string) http.HandlerFunc    // by "METHOD host/path"; nil: the honest answer
	onToken   func(url.Values, map[string]any) // changes an answer of the token endpoint
	sendIss   string                           // iss of authorization responses
	slow      time.Duration                    // of the token endpoint

	clients  map[string]map[string]any // registrations by client_id
	codes    map[string]grantedCode
	refresh  map[string]*family
	access   map[string]grantedToken
	counts   map[string]int // by endpoint: "register", "authorize", "code", "refresh", "reuse", "revoke", "prm", "asm", "mcp"
	lastForm url.Values     // of the token endpoint
}

type grantedCode struct {
	user, client, redirect, challenge, resource string
	scopes                                      []string
}

// A family is the refresh tokens of one authorization. Using one twice revokes all (RFC 9700 section 4.14.2).
type family struct {
	code    grantedCode
	current string
	revoked bool
}

type grantedToken struct {
	user, issuer string
	scopes       []string
	end          time.Time
	family       *family
}

func newWorld(t testing.TB) *world {
	return &world{
		t: t, origin: "https://mcp.example.com", issuer: asURL, ttl: time.Hour, prm: map[string]any{}, asm: map[string]any{},
		clients: map[string]map[string]any{}, codes: map[string]grantedCode{}, refresh: map[string]*family{},
		access: map[string]grantedToken{}, counts: map[string]int{},
	}
}

// client returns a client in this world. The functions may change its configuration.
func (w *world) client(change ...func(*Config, *AuthorizationCode)) *Client {
	w.t.Helper()
	g := &AuthorizationCode{RedirectURL: callback}
	cfg := Config{Server: "files", Resource: w.origin + "/mcp", Grant: g, HTTPClient: &http.Client{Transport: w}}
	for _, f := range change {
		f(&cfg, g)
	}
	c, err := New(cfg)
	if err != nil {
		w.t.Fatalf("New: %v", err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

func sharing(s auth.TokenStore) func(*Config, *AuthorizationCode) {
	return func(cfg *Config, _ *AuthorizationCode) { cfg.Store = s }
}

// RoundTrip answers without a network.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	if err := r.Context().Err(); err != nil { // who does not wait gets no answer
		return nil, err
	}
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func (w *world) count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[what]
}

// wantCounts compares counters, given as "register=1 code=0".
func (w *world) wantCounts(want string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, pair := range strings.Fields(want) {
		name, n, _ := strings.Cut(pair, "=")
		if got := fmt.Sprint(w.counts[name]); got != n {
			w.t.Errorf("%s requests for %s, want %s", got, name, n)
		}
	}
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	host := r.URL.Host
	if host == "" { // it has come over a connection
		host = r.Host
	}
	if w.intercept != nil {
		if h := w.intercept(r.Method + " " + host + r.URL.Path); h != nil {
			h(rw, r)
			return
		}
	}
	w.mu.Lock()
	issuer := w.issuer
	w.mu.Unlock()
	iu, _ := url.Parse(issuer)
	mu, _ := url.Parse(w.origin)
	switch host + r.URL.Path {
	case mu.Host + "/.well-known/oauth-protected-resource/mcp":
		w.document(rw, "prm", map[string]any{"resource": w.origin + "/mcp", "authorization_servers": []string{issuer}, "scopes_supported": []string{"read"}}, w.prm)
	case mu.Host + "/mcp":
		w.mcp(rw, r)
	case iu.Host + "/.well-known/oauth-authorization-server":
		w.document(rw, "asm", map[string]any{
			"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token",
			"registration_endpoint": issuer + "/register", "revocation_endpoint": issuer + "/revoke",
			"code_challenge_methods_supported": []string{"S256"}, "token_endpoint_auth_methods_supported": []string{"none"},
		}, w.asm)
	case iu.Host + "/register":
		w.register(rw, r)
	case iu.Host + "/authorize":
		w.authorize(rw, r)
	case iu.Host + "/token":
		if w.slow > 0 {
			time.Sleep(w.slow)
		}
		w.token(rw, r)
	case iu.Host + "/revoke":
		r.ParseForm()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.counts["revoke"]++
		if f := w.refresh[r.PostForm.Get("token")]; f != nil {
			f.revoked = true
		}
	default:
		http.NotFound(rw, r)
	}
}

func (w *world) document(rw http.ResponseWriter, name string, doc, changes map[string]any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[name]++
	maps.Copy(doc, changes)
	maps.DeleteFunc(doc, func(_ string, v any) bool { return v == nil })
	writeJSON(rw, 200, doc)
}

// mcp answers with the name of the user.
func (w *world) mcp(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts["mcp"]++
	meta := `resource_metadata="` + w.origin + `/.well-known/oauth-protected-resource/mcp"`
	t, ok := w.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	switch {
	case !ok || !time.Now().Before(t.end) || t.issuer != w.issuer || t.family != nil && t.family.revoked:
		rw.Header().Set("WWW-Authenticate", "Bearer "+meta)
		rw.WriteHeader(401)
	case !covers(t.scopes, w.scopes):
		rw.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer error="insufficient_scope", scope=%q, %s`, strings.Join(w.scopes, " "), meta))
		rw.WriteHeader(403)
	default:
		fmt.Fprint(rw, t.user)
	}
}

func (w *world) register(rw http.ResponseWriter, r *http.Request) {
	var reg map[string]any
	json.NewDecoder(r.Body).Decode(&reg)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts["register"]++
	reg["client_id"] = "client-" + rand.Text()
	if m := reg["token_endpoint_auth_method"]; m == nil || m != "none" {
		reg["client_secret"] = "client-secret-" + rand.Text()
	}
	w.clients[reg["client_id"].(string)] = reg
	writeJSON(rw, 201, reg)
}

// authorize is the authorization endpoint as a browser sees it in which X-User is logged in and agrees.
func (w *world) authorize(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts["authorize"]++
	q := r.URL.Query()
	reg := w.clients[q.Get("client_id")]
	if reg == nil || !slices.Contains(reg["redirect_uris"].([]any), any(q.Get("redirect_uri"))) {
		http.Error(rw, "redirect uri is not registered for client", 400)
		return
	}
	if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || q.Get("state") == "" {
		http.Error(rw, "bad request", 400)
		return
	}
	code := "code-" + rand.Text()
	w.codes[code] = grantedCode{r.Header.Get("X-User"), q.Get("client_id"), q.Get("redirect_uri"), q.Get("code_challenge"), q.Get("resource"), strings.Fields(q.Get("scope"))}
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	if w.sendIss != "" {
		back.Set("iss", w.sendIss)
	}
	rw.Header().Set("Location", q.Get("redirect_uri")+"?"+back.Encode())
	rw.WriteHeader(302)
}

func (w *world) token(rw http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastForm = maps.Clone(r.PostForm)
	refuse := func(code string) { writeJSON(rw, 400, map[string]any{"error": code}) }
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(password)
	}
	if reg := w.clients[id]; reg == nil || reg["client_secret"] != nil && reg["client_secret"] != secret {
		writeJSON(rw, 401, map[string]any{"error": "invalid_client"})
		return
	}
	if r.PostForm.Get("resource") != w.origin+"/mcp" {
		refuse("invalid_target")
		return
	}
	var f *family
	switch grant := r.PostForm.Get("grant_type"); grant {
	case "authorization_code":
		w.counts["code"]++
		c, ok := w.codes[r.PostForm.Get("code")]
		delete(w.codes, r.PostForm.Get("code"))
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if !ok || c.client != id || c.redirect != r.PostForm.Get("redirect_uri") || c.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
			refuse("invalid_grant")
			return
		}
		f = &family{code: c}
	case "refresh_token":
		w.counts["refresh"]++
		f = w.refresh[r.PostForm.Get("refresh_token")]
		if f != nil && f.current != r.PostForm.Get("refresh_token") {
			w.counts["reuse"]++
			f.revoked = true
		}
		if f == nil || f.revoked || f.code.client != id {
			refuse("invalid_grant")
			return
		}
	default:
		refuse("unsupported_grant_type")
		return
	}
	answer := map[string]any{"access_token": "access-" + rand.Text(), "token_type": "Bearer", "scope": strings.Join(f.code.scopes, " ")}
	end := time.Now().Add(24 * time.Hour)
	if w.ttl > 0 {
		end = time.Now().Add(w.ttl)
		answer["expires_in"] = int(w.ttl / time.Second)
	}
	if !w.noRefresh {
		f.current = "refresh-" + rand.Text()
		w.refresh[f.current] = f
		answer["refresh_token"] = f.current
	}
	w.access[answer["access_token"].(string)] = grantedToken{f.code.user, w.issuer, f.code.scopes, end, f}
	if w.onToken != nil {
		w.onToken(r.PostForm, answer)
	}
	writeJSON(rw, 200, answer)
}

// call does one request of a user as the HTTP layer does. It returns the user whom the server took them for.
func (w *world) call(ctx context.Context, c *Client, key session.Key) (string, error) {
	for attempt := 0; ; attempt++ {
		secret, err := c.Token(ctx, key)
		if err != nil {
			return "", err
		}
		r, _ := http.NewRequestWithContext(ctx, "POST", mcpURL, nil)
		if !secret.IsZero() {
			r.Header.Set("Authorization", "Bearer "+secret.Reveal())
		}
		rec := httptest.NewRecorder()
		w.mcp(rec, r)
		if rec.Code == 200 {
			return rec.Body.String(), nil
		}
		again, err := c.Refused(ctx, key, auth.Refusal{StatusCode: rec.Code, Challenges: rec.Header()["Www-Authenticate"], Sent: r.Header})
		var required *auth.AuthRequiredError
		if errors.As(err, &required) && required.Wait != nil {
			err = required.Wait(ctx)
			again = err == nil
		}
		if err != nil {
			return "", err
		}
		if !again || attempt > 0 {
			return "", fmt.Errorf("status %d", rec.Code)
		}
	}
}

// browse opens a URL in the browser of a user who agrees, and returns the query of the redirect.
func (w *world) browse(address, user string) url.Values {
	w.t.Helper()
	r, err := http.NewRequest("GET", address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-User", user)
	resp, err := w.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	back, err := resp.Location()
	if err != nil || !strings.HasPrefix(back.String(), callback+"?") {
		w.t.Fatalf("the authorization endpoint answered %d, %v", resp.StatusCode, err)
	}
	return back.Query()
}

// url returns where the user is sent, and fails the test unless they are.
func (w *world) url(c *Client, key session.Key) string {
	w.t.Helper()
	_, err := w.call(context.Background(), c, key)
	var required *auth.AuthRequiredError
	if !errors.As(err, &required) {
		w.t.Fatalf("the first call of %v: %v, want an AuthRequiredError", key, err)
	}
	return required.URL
}

// login authorizes a user, and checks that calls work after that.
func (w *world) login(c *Client, key session.Key) {
	w.t.Helper()
	if _, err := c.Complete(context.Background(), w.browse(w.url(c, key), key.User)); err != nil {
		w.t.Fatalf("Complete: %v", err)
	}
	w.works(c, key)
}

func (w *world) works(c *Client, key session.Key) {
	w.t.Helper()
	if got, err := w.call(context.Background(), c, key); err != nil || got != key.User {
		w.t.Fatalf("call of %v = %q, %v", key, got, err)
	}
}
