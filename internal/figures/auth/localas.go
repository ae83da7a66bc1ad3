package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	sdkauth "github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

// localAS is an authorization server of this process, for what the real one cannot do: choose the texts of its tokens,
// forget them at once, and misbehave. Unless told to, it does not: PKCE, resource, redirect URI and the single use of codes
// and refresh tokens are enforced.
type localAS struct {
	host *mcptest.Host
	life time.Duration // of access tokens

	// mu guards all below.
	mu      sync.Mutex
	hooks   hooks
	clients map[string]string // the redirect URI, by client id
	secrets map[string]string // the client secret, by client id
	codes   map[string]permit
	refresh map[string]permit
	access  map[string]permit
	count   authCounts
}

// hooks change what a localAS does. They are called concurrently.
type hooks struct {
	// text makes the value of a kind of secret: "client", "client secret", "code", "access", "refresh".
	text func(kind string) string
	// twist may change a document before it is sent: "metadata", "registration", "redirect" (the parameters), "token".
	twist func(document string, fields map[string]any)
	// answer may answer a request in the server's place.
	answer func(w http.ResponseWriter, r *http.Request) bool
}

// permit is what a code or token stands for.
type permit struct {
	user, client, resource, redirect, challenge string

	ends time.Time
	used bool
}

func newLocalAS(life time.Duration) *localAS {
	as := &localAS{
		life: life, clients: map[string]string{}, secrets: map[string]string{},
		codes: map[string]permit{}, refresh: map[string]permit{}, access: map[string]permit{},
	}
	as.hook(hooks{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", as.metadata)
	mux.HandleFunc("POST /register", as.register)
	mux.HandleFunc("GET /authorize", as.authorize)
	mux.HandleFunc("POST /token", as.token)
	mux.HandleFunc("POST /revoke", as.revoke)
	as.host = mcptest.Listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !as.hooked().answer(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	return as
}

// hook sets the hooks; those that are nil do nothing.
func (as *localAS) hook(h hooks) {
	if h.text == nil {
		h.text = func(kind string) string { return strings.ReplaceAll(kind, " ", "-") + "-" + rand.Text() }
	}
	if h.twist == nil {
		h.twist = func(string, map[string]any) {}
	}
	if h.answer == nil {
		h.answer = func(http.ResponseWriter, *http.Request) bool { return false }
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	as.hooks = h
}

func (as *localAS) hooked() hooks {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.hooks
}

func (as *localAS) issuer() string { return as.host.URL() }

func (as *localAS) close() { as.host.Close() }

func (as *localAS) counts() authCounts {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.count
}

// expire makes every access token of the server worthless at once.
func (as *localAS) expire() {
	as.mu.Lock()
	defer as.mu.Unlock()
	clear(as.access)
}

// permit returns what an access token is good for.
func (as *localAS) permit(token string) (permit, bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	p, ok := as.access[token]
	return p, ok
}

// verifier knows the tokens of as.
func (as *localAS) verifier(_, resource string) sdkauth.TokenVerifier {
	return func(_ context.Context, token string, _ *http.Request) (*sdkauth.TokenInfo, error) {
		p, ok := as.permit(token)
		if !ok || p.resource != resource {
			return nil, sdkauth.ErrInvalidToken
		}
		return &sdkauth.TokenInfo{UserID: p.user, Expiration: p.ends, Scopes: []string{"tools"}}, nil
	}
}

func (as *localAS) metadata(w http.ResponseWriter, _ *http.Request) {
	as.send(w, "metadata", http.StatusOK, map[string]any{
		"issuer": as.issuer(), "authorization_endpoint": as.issuer() + "/authorize", "token_endpoint": as.issuer() + "/token",
		"registration_endpoint": as.issuer() + "/register", "revocation_endpoint": as.issuer() + "/revoke",
		"response_types_supported": []string{"code"}, "grant_types_supported": []string{"authorization_code", "refresh_token"},
		"code_challenge_methods_supported": []string{"S256"}, "token_endpoint_auth_methods_supported": []string{"client_secret_post", "none"},
		"authorization_response_iss_parameter_supported": true, "scopes_supported": []string{"tools"},
	})
}

func (as *localAS) register(w http.ResponseWriter, r *http.Request) {
	var fields map[string]any
	if err := json.NewDecoder(r.Body).Decode(&fields); err != nil {
		as.fail(w, "invalid_client_metadata")
		return
	}
	redirects, _ := fields["redirect_uris"].([]any)
	if len(redirects) != 1 {
		as.fail(w, "invalid_redirect_uri")
		return
	}
	id := as.hooked().text("client")
	fields["client_id"] = id
	secret := as.hooked().text("client secret")
	as.mu.Lock()
	as.clients[id] = fmt.Sprint(redirects[0])
	as.count.Registrations++
	if fields["token_endpoint_auth_method"] != "none" {
		as.secrets[id] = secret
		fields["client_secret"] = secret
		fields["token_endpoint_auth_method"] = "client_secret_post"
	}
	as.mu.Unlock()
	as.send(w, "registration", http.StatusCreated, fields)
}

// authorize logs in whoever the browser says its user is.
func (as *localAS) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	client := q.Get("client_id")
	as.mu.Lock()
	redirect, known := as.clients[client]
	as.mu.Unlock()
	if !known || q.Get("redirect_uri") != redirect {
		http.Error(w, "unknown client or redirect URI", http.StatusBadRequest)
		return
	}
	back := map[string]any{"state": q.Get("state"), "iss": as.issuer()}
	switch {
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "":
		back["error"] = "invalid_request"
	case q.Get("resource") == "":
		back["error"] = "invalid_target"
	case r.Header.Get(browserDenies) != "":
		back["error"], back["error_description"] = "access_denied", "the user refused"
	default:
		code := as.hooked().text("code")
		back["code"] = code
		as.mu.Lock()
		as.count.Authorizations++
		as.codes[code] = permit{user: r.Header.Get(browserUser), client: client, resource: q.Get("resource"), redirect: redirect,
			challenge: q.Get("code_challenge"), ends: time.Now().Add(time.Minute)}
		as.mu.Unlock()
	}
	as.hooked().twist("redirect", back)
	params := url.Values{}
	for k, v := range back {
		if list, ok := v.([]string); ok {
			params[k] = list
		} else {
			params.Set(k, fmt.Sprint(v))
		}
	}
	http.Redirect(w, r, redirect+"?"+params.Encode(), http.StatusFound)
}

func (as *localAS) token(w http.ResponseWriter, r *http.Request) {
	client := r.PostFormValue("client_id")
	as.mu.Lock()
	_, known := as.clients[client]
	secret := as.secrets[client]
	as.mu.Unlock()
	switch {
	case !known || r.PostFormValue("client_secret") != secret:
		as.fail(w, "invalid_client")
	case r.PostFormValue("grant_type") == "authorization_code":
		p, ok := as.take(as.codes, r.PostFormValue("code"))
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if !ok || p.client != client || p.redirect != r.PostFormValue("redirect_uri") || p.resource != r.PostFormValue("resource") ||
			p.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
			as.fail(w, "invalid_grant")
			return
		}
		as.issue(w, p, func(c *authCounts) { c.Codes++ })
	case r.PostFormValue("grant_type") == "refresh_token":
		p, ok := as.take(as.refresh, r.PostFormValue("refresh_token"))
		if !ok || p.client != client || p.resource != r.PostFormValue("resource") {
			as.fail(w, "invalid_grant")
			return
		}
		as.issue(w, p, func(c *authCounts) { c.Refreshes++ })
	default:
		as.fail(w, "unsupported_grant_type")
	}
}

// take uses up a code or refresh token. The second use of one is what nobody honest does.
func (as *localAS) take(from map[string]permit, text string) (permit, bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	p, ok := from[text]
	if !ok {
		return p, false
	}
	if p.used {
		as.count.Reuses++
		return p, false
	}
	spent := p
	spent.used = true
	from[text] = spent
	return p, time.Now().Before(p.ends)
}

func (as *localAS) issue(w http.ResponseWriter, p permit, count func(*authCounts)) {
	access, refresh := as.hooked().text("access"), as.hooked().text("refresh")
	as.mu.Lock()
	count(&as.count)
	p.ends = time.Now().Add(as.life)
	as.access[access] = p
	p.ends = time.Now().Add(time.Hour)
	as.refresh[refresh] = p
	as.mu.Unlock()
	as.send(w, "token", http.StatusOK, map[string]any{
		"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "scope": "tools", "expires_in": int(as.life / time.Second),
	})
}

func (as *localAS) revoke(w http.ResponseWriter, r *http.Request) {
	as.mu.Lock()
	defer as.mu.Unlock()
	delete(as.refresh, r.PostFormValue("token"))
	delete(as.access, r.PostFormValue("token"))
}

func (as *localAS) send(w http.ResponseWriter, document string, status int, fields map[string]any) {
	as.hooked().twist(document, fields)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(fields)
}

func (as *localAS) fail(w http.ResponseWriter, code string) {
	status := http.StatusBadRequest
	if code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	as.mu.Lock()
	if as.count.Errors == nil {
		as.count.Errors = map[string]int{}
	}
	as.count.Errors[code]++
	as.mu.Unlock()
	as.send(w, "error", status, map[string]any{"error": code})
}
