package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// A boundWorld is a world whose servers bind tokens to keys (RFC 9449) and check every proof. Its further fields belong to
// mu, as those of world do.
type boundWorld struct {
	*world
	scheme            string            // of the challenges
	asNonce, rsNonce  string            // that proofs must hold; empty: none
	rotate            bool              // no nonce that it hands out is of use
	unbound           bool              // the authorization server takes the proof and issues bearer tokens
	keys              map[string]string // x of the key by access and refresh token
	seen              map[string]bool   // jti
	asProofs, rsProof int               // good ones
	nonceRefusals     int
}

func newBoundWorld(t testing.TB) *boundWorld {
	w := &boundWorld{world: newWorld(t), scheme: "DPoP", keys: map[string]string{}, seen: map[string]bool{}}
	w.asm["dpop_signing_alg_values_supported"] = []string{"RS256", "ES256"}
	w.intercept = func(what string) http.HandlerFunc {
		if what == "POST as.example.com/token" {
			return w.boundToken
		}
		return nil
	}
	return w
}

// proof checks the DPoP header of r (RFC 9449 section 4.3) and returns x of its key. mu must be held.
func (w *boundWorld) proof(r *http.Request, htu, token, nonce string) (x string, err error) {
	if n := len(r.Header["Dpop"]); n != 1 {
		return "", fmt.Errorf("%d proofs", n)
	}
	var claims struct {
		jwt.RegisteredClaims
		Htm, Htu, Ath, Nonce string
	}
	t, err := jwt.ParseWithClaims(r.Header.Get("DPoP"), &claims, func(t *jwt.Token) (any, error) {
		jwk, _ := t.Header["jwk"].(map[string]any)
		if t.Header["typ"] != "dpop+jwt" || len(jwk) != 4 || jwk["kty"] != "EC" || jwk["crv"] != "P-256" {
			return nil, fmt.Errorf("header %v", t.Header)
		}
		x, _ = jwk["x"].(string)
		xs, errX := base64.RawURLEncoding.DecodeString(x)
		ys, errY := base64.RawURLEncoding.DecodeString(jwk["y"].(string))
		if errX != nil || errY != nil || len(xs) != 32 || len(ys) != 32 {
			return nil, errors.New("the coordinates are not of full length")
		}
		return &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(xs), Y: new(big.Int).SetBytes(ys)}, nil
	}, jwt.WithValidMethods([]string{"ES256"}))
	ath := ""
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		ath = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	switch {
	case err != nil || !t.Valid:
		return "", fmt.Errorf("the proof is not valid: %w", err)
	case claims.Htm != r.Method || claims.Htu != htu || claims.Ath != ath:
		return "", fmt.Errorf("the proof is for %s %s with %q", claims.Htm, claims.Htu, claims.Ath)
	case claims.IssuedAt == nil || time.Since(claims.IssuedAt.Time).Abs() > 5*time.Second:
		return "", fmt.Errorf("the proof is of %v", claims.IssuedAt)
	case claims.ID == "" || w.seen[claims.ID]:
		return "", errors.New("the proof was used before")
	}
	w.seen[claims.ID] = true
	if claims.Nonce != nonce {
		return "", errNonce
	}
	return x, nil
}

var errNonce = errors.New("another nonce")

func (w *boundWorld) boundToken(rw http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	if r.Header.Get("DPoP") == "" {
		w.mu.Lock()
		bound := w.keys[r.PostForm.Get("refresh_token")] != ""
		w.mu.Unlock()
		if bound {
			writeJSON(rw, 400, map[string]any{"error": "invalid_dpop_proof"})
			return
		}
		w.token(rw, r)
		return
	}
	w.mu.Lock()
	x, err := w.proof(r, asURL+"/token", "", w.asNonce)
	if had := w.keys[r.PostForm.Get("refresh_token")]; err == nil && had != "" && had != x {
		err = errors.New("the refresh token is bound to another key")
	}
	if err == nil {
		w.asProofs++
	}
	nonce := w.asNonce
	w.mu.Unlock()
	switch {
	case errors.Is(err, errNonce):
		rw.Header().Set("DPoP-Nonce", nonce)
		writeJSON(rw, 400, map[string]any{"error": "use_dpop_nonce"})
		return
	case err != nil:
		w.t.Errorf("token request: %v", err)
		writeJSON(rw, 400, map[string]any{"error": "invalid_dpop_proof"})
		return
	}
	w.mu.Lock()
	w.onToken = func(_ url.Values, answer map[string]any) { // called with mu held
		if refresh, ok := answer["refresh_token"].(string); ok {
			w.keys[refresh] = x
		}
		if !w.unbound {
			answer["token_type"] = "DPoP"
			w.keys[answer["access_token"].(string)] = x
		}
	}
	w.mu.Unlock()
	w.token(rw, r)
	w.mu.Lock()
	w.onToken = nil
	w.mu.Unlock()
}

// server is the MCP server.
func (w *boundWorld) server(rw http.ResponseWriter, r *http.Request) {
	meta := `resource_metadata="` + w.origin + `/.well-known/oauth-protected-resource/mcp"`
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	w.mu.Lock()
	x, err := "", error(nil)
	if want := w.keys[token]; want != "" {
		if x, err = w.proof(r, w.origin+"/mcp", token, w.rsNonce); err == nil && (x != want || scheme != "DPoP") {
			err = fmt.Errorf("with scheme %q and another key", scheme)
		}
		if err == nil {
			w.rsProof++
		}
	} else if r.Header.Get("DPoP") != "" {
		w.t.Error("a proof goes with a token that is not bound")
	}
	nonce := w.rsNonce
	if errors.Is(err, errNonce) {
		w.nonceRefusals++
		if w.rotate {
			w.rsNonce += "+" // so that the one it hands out is of no use
		}
	}
	challenge, accepts := w.scheme, w.keys[token] != "" || w.scheme != "DPoP"
	w.mu.Unlock()
	switch {
	case errors.Is(err, errNonce):
		rw.Header().Set("DPoP-Nonce", nonce)
		rw.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", `+meta)
		rw.WriteHeader(401)
		return
	case err != nil:
		w.t.Errorf("request: %v", err)
	}
	inner := r.Clone(r.Context())
	inner.Header.Del("Authorization")
	if accepts {
		inner.Header.Set("Authorization", "Bearer "+token)
	}
	w.mcp(rw, inner)
	for i, c := range rw.Header()["Www-Authenticate"] {
		rw.Header()["Www-Authenticate"][i] = strings.ReplaceAll(c, "Bearer", challenge)
	}
}

// do makes one request through a chain, as the HTTP layer does: a refusal is looked at once.
func (w *boundWorld) do(ctx context.Context, c *Client, key session.Key) (string, error) {
	w.t.Helper()
	chain, err := auth.NewChain(auth.ChainConfig{Server: "files", OAuth: c})
	if err != nil {
		w.t.Fatal(err)
	}
	for attempt := 0; ; attempt++ {
		req := httptest.NewRequest("POST", w.origin+"/mcp?session=1", nil)
		r, err := chain.ResolveFor(ctx, key, req)
		if err != nil {
			return "", err
		}
		for name, values := range r.Header() {
			req.Header[name] = values
		}
		rec := httptest.NewRecorder()
		w.server(rec, req)
		if rec.Code == 200 {
			return rec.Body.String(), nil
		}
		again, err := chain.Refused(ctx, key, auth.Refusal{
			StatusCode: rec.Code, Challenges: rec.Header()["Www-Authenticate"], DPoPNonce: rec.Header().Get("DPoP-Nonce"), Sent: req.Header,
		})
		switch {
		case err != nil:
			return "", err
		case !again || attempt > 0:
			return "", fmt.Errorf("status %d", rec.Code)
		}
	}
}

// logIn authorizes a user.
func (w *boundWorld) logIn(c *Client, key session.Key) {
	w.t.Helper()
	_, err := w.do(context.Background(), c, key)
	var required *auth.AuthRequiredError
	if !errors.As(err, &required) {
		w.t.Fatalf("the first call: %v, want an AuthRequiredError", err)
	}
	if _, err := c.Complete(context.Background(), w.browse(required.URL, key.User)); err != nil {
		w.t.Fatalf("Complete: %v", err)
	}
}

func (w *boundWorld) does(c *Client, key session.Key) {
	w.t.Helper()
	if got, err := w.do(context.Background(), c, key); err != nil || got != key.User {
		w.t.Fatalf("call of %v = %q, %v", key, got, err)
	}
}

// record returns what the store has of a user.
func (w *boundWorld) record(c *Client, key session.Key) *tokenRecord {
	w.t.Helper()
	r, err := c.loadToken(context.Background(), owner{key.Tenant, key.User})
	if err != nil || r == nil {
		w.t.Fatalf("no token in the store: %v", err)
	}
	return r
}
