package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// proofAlgorithm signs all proofs. It is the one that every server knows which knows any.
const proofAlgorithm = "ES256"

// newProofKey returns the key that the tokens of one user at one client are bound to, in the form in which records have it.
func newProofKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return key.Bytes()
}

func parseProofKey(raw []byte) (*ecdsa.PrivateKey, error) {
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
}

func validProofKey(raw []byte) bool {
	if len(raw) == 0 {
		return true
	}
	_, err := parseProofKey(raw)
	return err == nil
}

// prove returns the proof for one request with a token, or for a token if that is zero (RFC 9449 section 4.2).
func prove(key *ecdsa.PrivateKey, method string, u *url.URL, token auth.Secret, nonce string) (auth.Secret, error) {
	point, err := key.PublicKey.Bytes() // 4, x and y: SEC 1 section 2.3.3
	if err != nil {
		return auth.Secret{}, err
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	encode := base64.RawURLEncoding.EncodeToString
	claims := jwt.MapClaims{"jti": rand.Text(), "htm": method, "htu": originOf(u) + path, "iat": time.Now().Unix()}
	if !token.IsZero() {
		sum := sha256.Sum256([]byte(token.Reveal()))
		claims["ath"] = encode(sum[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	t := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	t.Header["typ"] = "dpop+jwt"
	t.Header["jwk"] = map[string]string{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}
	proof, err := t.SignedString(key)
	return auth.NewSecret(proof), err
}

// TokenFor is [Client.Token] for one request to the MCP server. If the token is bound to a key, proof is for the header
// field DPoP of a request with that method and URL, and is good for one. See [auth.ProofProvider].
func (c *Client) TokenFor(ctx context.Context, key session.Key, method string, u *url.URL) (access, proof auth.Secret, err error) {
	t, err := c.current(ctx, key)
	if err != nil || t == nil {
		return auth.Secret{}, auth.Secret{}, err
	}
	if t.key != nil {
		proof, err = prove(t.key, method, u, t.access, c.web.nonces.of(nonceOfResource))
	}
	return t.access, proof, newError("token", c.cfg.Server, "", err)
}

// keyFor returns the key that the next token of an owner, who has r, is to be bound to; nil asks for a bearer token. Only
// where the MCP server asks for a bound token does it get one: an authorization server may offer them to all of its
// resources, of which few know the scheme. One that does not say, or wants more scopes only, gets what it had.
func (c *Client) keyFor(d *discovery, ref refusal, r *tokenRecord) ([]byte, error) {
	wanted := d.proofs && (d.proofsOnly || ref.challenges.wantProof())
	switch {
	case r != nil && len(r.Key) > 0 && (wanted || ref.stepUp || !ref.challenges.has("bearer")):
		return r.Key, nil
	case wanted:
		return newProofKey()
	}
	return nil, nil
}

// wantProof reports whether the MCP server takes bound tokens, with proofs as ours (RFC 9449 section 7.1).
func (cs challenges) wantProof() bool {
	return slices.ContainsFunc(cs, func(c oauthex.Challenge) bool {
		algorithms := strings.Fields(c.Params["algs"])
		return c.Scheme == "dpop" && (len(algorithms) == 0 || slices.Contains(algorithms, proofAlgorithm))
	})
}

// ask makes a token request by means of f, with a proof if key is not nil. If the authorization server then wants its
// nonce in the proof, f is called once more (RFC 9449 section 8), so that what may be used once is made anew.
func (c *Client) ask(ctx context.Context, key []byte, add url.Values, f func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	ctx, err := c.tokenContext(ctx, key, add)
	if err != nil {
		return nil, err
	}
	t, err := f(ctx)
	var refused *oauth2.RetrieveError
	if len(key) > 0 && errors.As(err, &refused) && refused.ErrorCode == "use_dpop_nonce" {
		return f(ctx)
	}
	return t, err
}

// A proofTripper adds proofs to token requests, with the nonces that the server hands out.
type proofTripper struct {
	base   http.RoundTripper
	key    *ecdsa.PrivateKey
	nonces *nonces
}

// RoundTrip sends req with a proof.
func (t proofTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	origin := originOf(req.URL)
	proof, err := prove(t.key, req.Method, req.URL, auth.Secret{}, t.nonces.of(origin))
	if err != nil {
		return nil, fmt.Errorf("signing the proof: %w", err)
	}
	out := req.Clone(req.Context())
	out.Header.Set("DPoP", proof.Reveal())
	resp, err := t.base.RoundTrip(out)
	if err == nil {
		t.nonces.learn(origin, resp.Header.Get("DPoP-Nonce"))
	}
	return resp, err
}

// nonceOfResource is what the nonce of the MCP server is kept under. Those of authorization servers are under origins.
const nonceOfResource = ""

// nonces has the last nonce of each server. Users share them: a server that gives each its own costs one more request
// when they take turns, and the others none for a new user. The zero value is ready.
type nonces struct {
	mu sync.Mutex // guards m
	m  map[string]string
}

func (n *nonces) of(server string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.m[server]
}

// learn keeps a nonce, if it is one (RFC 9449 section 8.1), and reports whether it is.
func (n *nonces) learn(server, nonce string) bool {
	const maxNonce, maxServers = 4 << 10, 64
	for i := range len(nonce) {
		if c := nonce[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	if nonce == "" || len(nonce) > maxNonce {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.m[server]; n.m == nil || !known && len(n.m) >= maxServers {
		n.m = make(map[string]string) // to be learned anew
	}
	n.m[server] = nonce
	return true
}
