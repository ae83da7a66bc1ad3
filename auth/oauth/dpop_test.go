package oauth

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpfleet/mcpfleet/auth"
)

func TestABoundTokenGoesWithAProofForEachRequest(t *testing.T) {
	w := newBoundWorld(t)
	c := w.client()
	w.logIn(c, alice)
	w.logIn(c, bob)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { w.does(c, alice) })
		wg.Go(func() { w.does(c, bob) })
	}
	wg.Wait()
	if w.rsProof != 40 || w.asProofs != 2 {
		t.Errorf("%d requests and %d token requests with a proof, want 40 and 2", w.rsProof, w.asProofs)
	}
	if a, b := w.record(c, alice), w.record(c, bob); bytes.Equal(a.Key, b.Key) {
		t.Error("two users have one key")
	}
	w.wantCounts("authorize=2 code=2 refresh=0")
}

// A bound token that goes out as a bearer token is refused at best.
func TestABoundTokenIsNoBearerToken(t *testing.T) {
	w := newBoundWorld(t)
	c := w.client()
	w.logIn(c, alice)
	w.does(c, alice)
	if token, err := c.Token(t.Context(), alice); !errors.Is(err, ErrBound) || !token.IsZero() {
		t.Errorf("Token = %v, %v; want ErrBound", token.IsZero(), err)
	}
	if _, ok := c.Cached(alice); ok {
		t.Error("Cached returns it")
	}
	chain, err := auth.NewChain(auth.ChainConfig{Server: "files", OAuth: c})
	if err != nil {
		t.Fatal(err)
	}
	var source *auth.SourceError
	if r, err := chain.Resolve(t.Context(), alice); !errors.As(err, &source) || !errors.Is(err, ErrBound) || r.Header() != nil {
		t.Errorf("Resolve = %v, %v; want a SourceError", r, err)
	}
}

// Replicas share keys by the store, in which they are encrypted as the tokens are.
func TestAKeyIsKeptWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBoundWorld(t)
		plain := auth.NewMemoryStore()
		key := bytes.Repeat([]byte{7}, 32)
		store, err := auth.Encrypt(plain, key)
		if err != nil {
			t.Fatal(err)
		}
		first, second := w.client(sharing(store)), w.client(sharing(store))
		w.logIn(first, alice)
		had := w.record(first, alice).Key
		w.does(second, alice)
		for _, c := range []*Client{second, first} {
			time.Sleep(2 * time.Hour)
			w.does(c, alice)
			if !bytes.Equal(w.record(c, alice).Key, had) {
				t.Error("a refresh has changed the key, which the refresh token is bound to")
			}
		}
		w.wantCounts("authorize=1 refresh=2 reuse=0")
		sealed, err := plain.Load(t.Context(), first.tokenKey(owner{alice.Tenant, alice.User}))
		text, _ := json.Marshal(had)
		if err != nil || bytes.Contains(sealed, had) || bytes.Contains(sealed, bytes.Trim(text, `"`)) {
			t.Errorf("the key lies in the clear, %v", err)
		}
		first.Close()
		second.Close()
	})
}

func TestTheNoncesOfServersAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBoundWorld(t)
		w.asNonce, w.rsNonce = "as-1", "rs-1"
		c := w.client()
		w.logIn(c, alice)
		for range 5 {
			w.does(c, alice)
		}
		w.logIn(c, bob)
		w.does(c, bob)
		if w.nonceRefusals != 1 || w.asProofs != 2 || w.counts["code"] != 2 {
			t.Errorf("%d refusals for a nonce, %d token requests; want 1 and 2", w.nonceRefusals, w.asProofs)
		}
		w.rsNonce = "rs-2"
		w.does(c, alice)
		w.asNonce = "as-2"
		time.Sleep(2 * time.Hour)
		w.does(c, alice)
		if w.nonceRefusals != 2 {
			t.Errorf("%d refusals for a nonce, want one more", w.nonceRefusals)
		}
		w.wantCounts("authorize=2 refresh=1 reuse=0")
		c.Close()
	})
}

// A server that wants another nonce each time is asked once more, and costs no token.
func TestANonceIsFollowedOnce(t *testing.T) {
	w := newBoundWorld(t)
	c := w.client()
	w.logIn(c, alice)
	w.does(c, alice)
	w.rsNonce, w.rotate = "rs", true
	if _, err := w.do(t.Context(), c, alice); err == nil || err.Error() != "status 401" {
		t.Errorf("error %v, want the refusal", err)
	}
	if w.nonceRefusals != 2 {
		t.Errorf("%d requests, want 2", w.nonceRefusals)
	}
	w.rotate = false
	w.does(c, alice)
	w.wantCounts("authorize=1 refresh=0")
	header := http.Header{"Authorization": {"DPoP token"}}
	for _, r := range []auth.Refusal{
		{StatusCode: 401, Challenges: []string{`DPoP error="use_dpop_nonce"`}, Sent: header},
		{StatusCode: 401, Challenges: []string{`DPoP error="use_dpop_nonce"`}, DPoPNonce: "a b", Sent: header},
		{StatusCode: 401, Challenges: []string{`DPoP error="invalid_dpop_proof"`}, DPoPNonce: "ab", Sent: header}, // such as for a wrong clock
	} {
		if again, err := c.Refused(t.Context(), alice, r); again || err != nil {
			t.Errorf("Refused(%q, nonce %q) = %t, %v", r.Challenges, r.DPoPNonce, again, err)
		}
	}
	w.wantCounts("authorize=1 refresh=0")
}

func TestANonceForATokenRequestIsFollowedOnce(t *testing.T) {
	w := newBoundWorld(t)
	c := w.client()
	w.logIn(c, alice)
	w.mu.Lock()
	w.intercept = func(what string) http.HandlerFunc {
		if !strings.HasSuffix(what, "/token") {
			return nil
		}
		return func(rw http.ResponseWriter, r *http.Request) {
			w.nonceRefusals++
			rw.Header().Set("DPoP-Nonce", "never-enough")
			writeJSON(rw, 400, map[string]any{"error": "use_dpop_nonce"})
		}
	}
	w.mu.Unlock()
	c.mustEnd(t, alice)
	c.cache.m = nil
	if _, err := w.do(t.Context(), c, alice); !hasCode(err, "use_dpop_nonce") || w.nonceRefusals != 2 {
		t.Errorf("error %v after %d token requests, want 2", err, w.nonceRefusals)
	}
}

// An authorization server may offer bound tokens to all of its resources, of which few know the scheme.
func TestATokenIsBoundWhereBothServersWantIt(t *testing.T) {
	es256, rs256 := []string{"ES256"}, []string{"RS256"}
	for name, tt := range map[string]struct {
		challenge string
		as, rs    []string
		required  bool
		want      bool
	}{
		"challenged":                    {"DPoP", es256, nil, false, true},
		"challenged with both":          {"Bearer, DPoP", es256, nil, false, true},
		"challenged with the algorithm": {`DPoP algs="PS256 ES256"`, es256, es256, false, true},
		"required":                      {"Bearer", es256, nil, true, true},
		"offered only":                  {"Bearer", es256, es256, false, false},
		"not offered":                   {"DPoP", nil, nil, true, false},
		"another algorithm there":       {"DPoP", rs256, nil, false, false},
		"another algorithm here":        {"DPoP", es256, rs256, true, false},
		"another algorithm challenged":  {`DPoP algs="RS256"`, es256, nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.asm["dpop_signing_alg_values_supported"] = tt.as
			w.prm["dpop_signing_alg_values_supported"], w.prm["dpop_bound_access_tokens_required"] = tt.rs, tt.required
			c := w.client()
			proofs := 0
			w.intercept = func(what string) http.HandlerFunc {
				return func(rw http.ResponseWriter, r *http.Request) {
					proofs += len(r.Header["Dpop"])
					w.intercept = nil
					w.ServeHTTP(rw, r)
				}
			}
			inner := w.intercept
			_, err := c.Refused(t.Context(), alice, auth.Refusal{StatusCode: 401, Challenges: []string{tt.challenge}})
			back := w.browse(urlOf(t, err).String(), "alice")
			w.intercept = inner
			if _, err := c.Complete(t.Context(), back); err != nil {
				t.Fatal(err)
			}
			if proofs == 1 != tt.want {
				t.Errorf("%d proofs, want any: %t", proofs, tt.want)
			}
		})
	}
}

// RFC 9449 section 5: the refresh token of a public client is bound although the access token is not.
func TestABearerTokenInPlaceOfABoundOne(t *testing.T) {
	w := newBoundWorld(t)
	w.unbound, w.scheme = true, "Bearer"
	w.prm["dpop_bound_access_tokens_required"] = true
	c := w.client()
	w.logIn(c, alice)
	w.does(c, alice)
	if token, err := c.Token(t.Context(), alice); err != nil || token.IsZero() {
		t.Errorf("Token: %v", err)
	}
	c.mustEnd(t, alice)
	c.cache.m = nil
	w.does(c, alice)
	if w.asProofs != 2 || w.rsProof != 0 {
		t.Errorf("%d token requests and %d requests with a proof, want 2 and 0", w.asProofs, w.rsProof)
	}
	w.wantCounts("authorize=1 refresh=1")
}

func TestATokenThatIsBoundToNobodyKnowsWhatIsRefused(t *testing.T) {
	w := newWorld(t)
	w.onToken = func(_ url.Values, answer map[string]any) { answer["token_type"] = "DPoP" }
	c := w.client()
	if _, err := c.Complete(t.Context(), w.browse(w.url(c, alice), "alice")); !errors.Is(err, ErrTokenResponse) {
		t.Errorf("Complete = %v, want ErrTokenResponse", err)
	}
}

// A server that begins to want bound tokens gets one by a refresh; the user notices nothing.
func TestARefreshBindsATokenThatWasNot(t *testing.T) {
	w := newBoundWorld(t)
	w.scheme = "Bearer"
	c := w.client()
	w.logIn(c, alice)
	w.does(c, alice)
	if w.asProofs != 0 {
		t.Fatal("bound already")
	}
	w.scheme = "DPoP"
	w.does(c, alice)
	if w.rsProof != 1 {
		t.Errorf("%d proofs, want 1", w.rsProof)
	}
	w.wantCounts("authorize=1 refresh=1")
}

func TestAStepUpKeepsTheKey(t *testing.T) {
	for _, scheme := range []string{"DPoP", "Bearer"} { // not all servers change the scheme of that challenge
		stepUpKeepsTheKey(t, scheme)
	}
}

func stepUpKeepsTheKey(t *testing.T, scheme string) {
	t.Helper()
	w := newBoundWorld(t)
	c := w.client()
	w.logIn(c, alice)
	w.does(c, alice)
	had := w.record(c, alice).Key
	w.mu.Lock()
	w.scopes, w.scheme = []string{"write"}, scheme
	w.mu.Unlock()
	w.logIn(c, alice) // as the error of the challenge DPoP is read, too
	w.does(c, alice)
	if got := w.record(c, alice); !bytes.Equal(got.Key, had) || !covers(got.Scopes, []string{"read", "write"}) {
		t.Errorf("the key is the same: %t; scopes %q", bytes.Equal(got.Key, had), got.Scopes)
	}
	w.wantCounts("authorize=2 code=2")
}

// An assertion may be used once, and the refusal for want of a nonce may come after that.
func TestTheRepetitionWithANonceHasAnAssertionOfItsOwn(t *testing.T) {
	w := newGrantWorld(t)
	w.metadata["dpop_signing_alg_values_supported"] = []string{"ES256"}
	var proofs, assertions []string
	w.answers["as.example"] = func(rw http.ResponseWriter, r *http.Request) {
		var claims jwt.MapClaims
		if _, _, err := jwt.NewParser().ParseUnverified(r.Header.Get("DPoP"), &claims); err != nil {
			t.Errorf("the proof: %v", err)
		}
		proofs, assertions = append(proofs, r.Header.Get("DPoP")), append(assertions, r.PostForm.Get("client_assertion"))
		if claims["nonce"] != "n" {
			rw.Header().Set("DPoP-Nonce", "n")
			writeJSON(rw, 400, map[string]any{"error": "use_dpop_nonce"})
			return
		}
		writeJSON(rw, 200, map[string]any{"access_token": "bound", "token_type": "dpop"})
	}
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	c := w.client(&ClientCredentials{Client: ClientAuth{ID: "agent", Key: &PrivateKeyJWT{Signer: key}}})
	again, err := c.Refused(t.Context(), worldUser, auth.Refusal{StatusCode: 401, Challenges: []string{"DPoP"}})
	if !again || err != nil {
		t.Fatalf("Refused = %t, %v", again, err)
	}
	if len(proofs) != 2 || proofs[0] == proofs[1] || assertions[0] == assertions[1] || assertions[0] == "" {
		t.Errorf("%d token requests, with the same proof or assertion", len(proofs))
	}
	u, _ := url.Parse(worldResource)
	if token, proof, err := c.TokenFor(t.Context(), worldUser, "POST", u); token.Reveal() != "bound" || proof.IsZero() || err != nil {
		t.Errorf("TokenFor = %q, proof %t, %v", token.Reveal(), !proof.IsZero(), err)
	}
}

// Where no user is asked the next token is bound, too, until the MCP server wants bearer tokens.
func TestTheTokensOfAMachineStayBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGrantWorld(t)
		w.answers["as.example"] = func(rw http.ResponseWriter, r *http.Request) {
			kind := "Bearer"
			if r.Header.Get("DPoP") != "" {
				kind = "DPoP"
			}
			writeJSON(rw, 200, map[string]any{"access_token": rand.Text(), "token_type": kind, "expires_in": 3600})
		}
		grant := serviceAccount()
		grant.TokenURL = worldIssuer + "/token" // of whose server nothing else is known
		c := w.client(grant)
		o := owner{tenant: worldUser.Tenant}
		refuse := func(challenges ...string) *tokenRecord {
			t.Helper()
			time.Sleep(settling)
			sent := http.Header{}
			if r, _ := c.loadToken(t.Context(), o); r != nil {
				sent.Set("Authorization", "DPoP "+r.Access)
			}
			if again, err := c.Refused(t.Context(), worldUser, auth.Refusal{StatusCode: 401, Challenges: challenges, Sent: sent}); !again || err != nil {
				t.Fatalf("Refused = %t, %v", again, err)
			}
			r, err := c.loadToken(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		first := refuse("DPoP")
		time.Sleep(defaultLife - defaultRefreshAhead/2)
		u, _ := url.Parse(worldResource)
		if _, proof, err := c.TokenFor(t.Context(), worldUser, "POST", u); proof.IsZero() || err != nil {
			t.Errorf("there is a proof: %t, %v", !proof.IsZero(), err)
		}
		synctest.Wait() // for the refresh ahead of time
		renewed, _ := c.loadToken(t.Context(), o)
		for name, r := range map[string]*tokenRecord{"renewed": renewed, "refused without a challenge": refuse(), "refused with one": refuse("DPoP")} {
			if !r.Bound || !bytes.Equal(r.Key, first.Key) || r.Access == first.Access {
				t.Errorf("%s: bound %t, to the same key %t", name, r.Bound, bytes.Equal(r.Key, first.Key))
			}
		}
		if r := refuse("Bearer"); r.Bound || r.Key != nil {
			t.Errorf("bound %t, although the server wants bearer tokens", r.Bound)
		}
		if _, ok := c.Cached(worldUser); !ok {
			t.Error("a bearer token is not on the fast path")
		}
		c.Close()
	})
}

// A record with a key that is none would be of no use.
func TestABrokenKeyIsNoKey(t *testing.T) {
	w := newBoundWorld(t)
	c := w.client()
	w.logIn(c, alice)
	good := w.record(c, alice)
	for name, change := range map[string]func(*tokenRecord){
		"short":  func(r *tokenRecord) { r.Key = r.Key[1:] },
		"zero":   func(r *tokenRecord) { r.Key = make([]byte, 32) },
		"absent": func(r *tokenRecord) { r.Key = nil },
	} {
		r := *good
		change(&r)
		text, _ := json.Marshal(r)
		if _, err := decodeRecord[tokenRecord](text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNoncesAreBounded(t *testing.T) {
	var n nonces
	for _, bad := range []string{"", "a b", "a\"", "a\\", "ä", "a\n", "a\x7f", strings.Repeat("x", 4<<10+1)} {
		if n.learn("s", bad) || n.of("s") != "" {
			t.Errorf("%q is taken for a nonce", bad)
		}
	}
	for i := range 1000 {
		if origin := string(rune('a' + i)); !n.learn(origin, "nonce") || n.of(origin) != "nonce" {
			t.Fatal("the last nonce is not known")
		}
	}
	if len(n.m) > 64 {
		t.Errorf("%d nonces are kept", len(n.m))
	}
}

func TestAProofNamesTheURLWithoutItsQuery(t *testing.T) {
	raw, err := newProofKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := parseProofKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"https://h":                 "https://h/",
		"https://h:8443/a%2Fb?c=d":  "https://h:8443/a%2Fb",
		"http://127.0.0.1:80/mcp/#": "http://127.0.0.1:80/mcp/",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := prove(key, "GET", u, auth.NewSecret("token"), "")
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.MapClaims
		if _, _, err := jwt.NewParser().ParseUnverified(proof.Reveal(), &claims); err != nil || claims["htu"] != want || claims["htm"] != "GET" {
			t.Errorf("the proof for %s names %v, %v", address, claims["htu"], err)
		}
		if _, nonce := claims["nonce"]; nonce {
			t.Error("an empty nonce is sent")
		}
	}
}
