package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfleet/mcpfleet/session"
)

// The states of a source.
const (
	absent = iota
	valid
	unusable
)

// A scene says in what state each source is: the values are those of the source's index in ordered.
type scene [5]int

var ordered = [5]Source{SourceRequest, SourceRequestID, SourceAgent, SourceServer, SourceOAuth}

func scenes() (all []scene) {
	for n := range 3 * 3 * 3 * 3 * 3 {
		var s scene
		for i := range s {
			s[i], n = n%3, n/3
		}
		all = append(all, s)
	}
	return all
}

func (s scene) String() string {
	return fmt.Sprint("sources 1 to 5 (0 absent, 1 valid, 2 unusable): ", [5]int(s))
}

var errProvider = errors.New("no token for you")

// set returns the scene's chain and context. As a variation the agent and the server bring a value or a reference.
func (s scene) set(t testing.TB, store *fakeStore, byValue bool) (*Chain, context.Context) {
	state := func(i int, value, reference Credential) Credential {
		switch {
		case s[i] == unusable && byValue:
			return Credential{Authorization: NewSecret("Bearer bad token of " + ordered[i].String())}
		case s[i] == unusable:
			return Reference("missing-" + fmt.Sprint(i))
		case byValue:
			return value
		}
		return reference
	}
	cfg := ChainConfig{Server: "s", Secrets: store}
	ctx := t.Context()

	var brought Credential
	switch s[0] {
	case valid:
		brought = Bearer("value-0")
	case unusable:
		brought = Bearer("bad value-0")
	}
	switch s[1] {
	case valid:
		brought.ID = "id-1"
	case unusable:
		brought.ID = "missing-1"
	}
	if s[0] != absent || s[1] != absent {
		ctx = request(ctx, brought)
	}
	if s[2] != absent {
		ctx = agent(ctx, state(2, Bearer("value-2"), Reference("id-2")))
	}
	if s[4] != absent {
		p := tokenIs("value-4")
		if s[4] == unusable {
			p.token = func(context.Context, session.Key) (Secret, error) { return Secret{}, errProvider }
		}
		cfg.OAuth = p
	}
	if s[3] != absent && !(s[3] == unusable && byValue) {
		cfg.Credential = state(3, Bearer("value-3"), Reference("id-3"))
	}
	c := mustChain(t, cfg)
	if s[3] == unusable && byValue { // NewChain refuses it, so it goes bad later: somebody deletes what the server owns
		if err := c.SetServerCredential(ctx, alice.Tenant, Bearer("value-3")); err != nil {
			t.Fatal(err)
		}
		c.secrets.drop(c.ownedKey(alice.Tenant))
		if err := store.SetSecret(ctx, c.ownedKey(alice.Tenant), Credential{}); err != nil {
			t.Fatal(err)
		}
	}
	return c, ctx
}

// wants returns the source of the scene that must be used, and whether it must fail.
func (s scene) wants() (index int, source Source, fail bool) {
	for i, state := range s {
		if state != absent {
			return i, ordered[i], state == unusable
		}
	}
	return 5, SourceNone, false
}

// authorized is a round tripper that does as a host does with a chain.
type authorized struct {
	c    *Chain
	key  session.Key
	next http.RoundTripper
}

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := a.c.Resolve(r.Context(), a.key)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	for name, values := range res.Header() {
		r.Header[name] = values
	}
	return a.next.RoundTrip(r)
}

// A recorder is a server that notes all header fields of all requests.
type recorder struct {
	mu   sync.Mutex
	seen []http.Header
}

func (r *recorder) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, req.Header.Clone())
}

func (r *recorder) take() []http.Header {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

func TestTheFirstSourceThatIsPresentIsUsedOrNone(t *testing.T) {
	rec := &recorder{}
	server := httptest.NewServer(rec)
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()

	for _, byValue := range []bool{false, true} {
		for _, s := range scenes() {
			store := newFakeStore()
			for i := 1; i < 4; i++ {
				store.has(t, alice.Tenant, fmt.Sprintf("id-%d", i), Bearer(fmt.Sprintf("value-%d", i)))
			}
			c, ctx := s.set(t, store, byValue)
			index, source, fail := s.wants()
			wantHeader := ""
			if index < 5 && !fail {
				wantHeader = fmt.Sprintf("Bearer value-%d", index)
			}
			check := func(what string, got string) {
				for loser := range 5 {
					if loser != index && strings.Contains(got, fmt.Sprintf("value-%d", loser)) {
						t.Errorf("%v: %s shows the value of source %d: %s", s, what, loser+1, got)
					}
				}
			}

			if got := c.Explain(ctx, alice); got != source {
				t.Errorf("%v: Explain = %v, want %v", s, got, source)
			}
			r, err := c.Resolve(ctx, alice)
			check("Resolve", fmt.Sprint(r.Header(), r.Env(), err))
			var sourced *SourceError
			switch {
			case fail:
				if !errors.As(err, &sourced) || sourced.Source != source || r.Header() != nil {
					t.Errorf("%v: Resolve = %v, %v; want a SourceError of the %v", s, r.Header(), err, source)
				}
				if strings.Contains(fmt.Sprint(err), "value-") {
					t.Errorf("%v: the error shows a value: %v", s, err)
				}
			case err != nil || r.Source != source || r.Header().Get("Authorization") != wantHeader:
				t.Errorf("%v: Resolve = %v, %v, %v; want %q of the %v", s, r, r.Header(), err, wantHeader, source)
			}

			req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := authorized{c, alice, transport}.RoundTrip(req)
			seen := rec.take()
			if fail {
				if err == nil || len(seen) != 0 {
					t.Errorf("%v: the server was sent %v (%v), want nothing", s, seen, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if len(seen) != 1 || seen[0].Get("Authorization") != wantHeader {
				t.Errorf("%v: the server saw %v, want %q", s, seen, wantHeader)
			}
			check("the request", fmt.Sprint(seen))
		}
	}
}

func TestTheZeroCredentialOfANamedServerFailsClosed(t *testing.T) {
	c := mustChain(t, ChainConfig{Server: "s", Credential: Bearer("server")})
	sends(t, t.Context(), c, alice, "server")
	fails(t, request(t.Context(), Credential{}), c, alice, SourceRequest, ErrInvalidCredential)
	fails(t, request(t.Context(), Credential{Principal: "p"}), c, alice, SourceRequest, ErrInvalidCredential)
	fails(t, agent(t.Context(), Credential{}), c, alice, SourceAgent, ErrInvalidCredential)
	if _, err := c.Principal(request(t.Context(), Credential{}), alice); !errors.Is(err, ErrInvalidCredential) {
		t.Errorf("Principal of the zero credential: %v, want ErrInvalidCredential", err)
	}
}

func TestCredentialsOfOtherServersAreInvisible(t *testing.T) {
	c := mustChain(t, ChainConfig{Server: "s"})
	ctx := WithCredentials(t.Context(), map[string]Credential{"other": Bearer("bad " + canary), "S": Bearer(canary), "": Bearer(canary)})
	ctx = WithAgentCredentials(ctx, map[string]Credential{"other": Reference(canary), "s ": Bearer(canary)})
	r, err := c.Resolve(ctx, alice)
	if err != nil || r.Source != SourceNone || r.Header() != nil {
		t.Errorf("Resolve = %v, %v; want nothing", r, err)
	}
	if p := principal(t, ctx, c, alice); p != "" {
		t.Errorf("Principal = %q, want none", p)
	}
	fails(t, request(ctx, Credential{}), c, alice, SourceRequest, ErrInvalidCredential)
	if _, err := c.Resolve(request(ctx, Credential{}), alice); finds(err.Error()) {
		t.Errorf("the error shows another server's credential: %v", err)
	}
}

func TestIDsNeedAStoreAndABound(t *testing.T) {
	c := mustChain(t, ChainConfig{Server: "s"})
	fails(t, request(t.Context(), Reference("x")), c, alice, SourceRequestID, errNoSecrets)
	if _, err := NewChain(ChainConfig{Server: "s", Credential: Reference("x")}); !errors.Is(err, errNoSecrets) {
		t.Errorf("NewChain with a reference and no store: %v", err)
	}
	c = mustChain(t, ChainConfig{Server: "s", Secrets: newFakeStore()})
	long := strings.Repeat("x", maxIDBytes+1)
	fails(t, request(t.Context(), Reference(long)), c, alice, SourceRequestID, ErrInvalidCredential)
	if _, err := c.Resolve(request(t.Context(), Reference(long)), alice); len(err.Error()) > 300 {
		t.Errorf("the error repeats the long id: %v", err)
	}
	fails(t, request(t.Context(), Reference(long[1:])), c, alice, SourceRequestID, ErrNotFound)
}

func TestAChainNeedsAServer(t *testing.T) {
	if _, err := NewChain(ChainConfig{}); err == nil || !strings.HasPrefix(err.Error(), "auth: ") {
		t.Errorf("NewChain without a server: %v", err)
	}
}

func TestOAuthTokensAreChecked(t *testing.T) {
	for _, token := range []string{"a b", "a\r\nX: y", "=", "tökén", "Bearer x"} {
		fails(t, t.Context(), mustChain(t, ChainConfig{Server: "s", OAuth: tokenIs(token)}), alice, SourceOAuth, ErrInvalidCredential)
	}
	c := mustChain(t, ChainConfig{Server: "s", OAuth: tokenIs("")})
	if r, err := c.Resolve(t.Context(), alice); err != nil || r.Source != SourceOAuth || r.Header() != nil {
		t.Errorf("Resolve without a token yet = %v, %v; want a request without one", r, err)
	}
	required := &AuthRequiredError{Server: "s", User: alice, URL: "https://as.example/authorize?state=x"}
	p := fakeProvider{token: func(context.Context, session.Key) (Secret, error) { return Secret{}, required }}
	c = mustChain(t, ChainConfig{Server: "s", OAuth: p})
	fails(t, t.Context(), c, alice, SourceOAuth, required)
}

func TestEveryTokenAndHeaderByteIsRefusedUnlessAllowed(t *testing.T) {
	refused := func(c Credential) bool {
		t.Helper()
		r, err := mustChain(t, ChainConfig{Server: "s"}).Resolve(request(t.Context(), c), alice)
		if err != nil && (!errors.Is(err, ErrInvalidCredential) || finds(err.Error()) || r.Header() != nil) {
			t.Errorf("Resolve = %v, %v; want ErrInvalidCredential without the value", r.Header(), err)
		}
		return err != nil
	}
	for b := range 0x100 {
		with := canary + string([]byte{byte(b)}) + canary
		b64 := strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/", rune(b)) && b < 0x80
		printable := b >= 0x20 && b < 0x7f
		if got := refused(Bearer(with)); got == b64 {
			t.Errorf("byte %#x in a token: refused %t", b, got)
		}
		if got := refused(Header("X-Key", with)); got == printable {
			t.Errorf("byte %#x in a header value: refused %t", b, got)
		}
		name := "X" + string([]byte{byte(b)}) + "Y"
		token := printable && !strings.ContainsRune(" \"(),/:;<=>?@[\\]{}", rune(b))
		if got := refused(Header(name, canary)); got == token {
			t.Errorf("byte %#x in a header name: refused %t", b, got)
		}
		env := Credential{Env: map[string]Secret{"E": NewSecret(with)}}
		if got := refused(env); got != (b == 0) {
			t.Errorf("byte %#x in a variable: refused %t", b, got)
		}
	}
	for what, c := range map[string]Credential{
		"empty token":             Bearer(""),
		"blank token":             Bearer(" "),
		"padding only":            Bearer("=="),
		"empty header":            Header("X-Key", ""),
		"scheme only":             {Authorization: NewSecret("bearer")},
		"leading space":           Header("X-Key", " "+canary),
		"trailing space":          Header("X-Key", canary+" "),
		"authorization twice":     {Authorization: NewSecret("Bearer a"), Headers: map[string]Secret{"authorization": NewSecret("Bearer b")}},
		"two spellings":           {Headers: map[string]Secret{"x-key": NewSecret("a"), "X-Key": NewSecret("a")}},
		"token in another header": Header("Authorization", "Bearer a b"),
		"empty variable":          {Env: map[string]Secret{"E": {}}},
		"variable without a name": {Env: map[string]Secret{"": NewSecret("a")}},
		"variable with =":         {Env: map[string]Secret{"A=B": NewSecret("a")}},
		"malformed basic":         {Authorization: NewSecret("Basic user:password")},
	} {
		if !refused(c) {
			t.Errorf("%s is not refused", what)
		}
	}
	for what, c := range map[string]Credential{
		"bearer": Bearer("abc=="), "basic": Basic("user", "pässword"), "raw key": {Authorization: NewSecret("abc def, ghi")},
		"header": Header("x-api-key", "a b"), "variable": {Env: map[string]Secret{"E": NewSecret("line\nline ü")}},
	} {
		if refused(c) {
			t.Errorf("%s is refused", what)
		}
	}
}

func TestHeadersAndVariablesOfACredentialComeTogether(t *testing.T) {
	c := mustChain(t, ChainConfig{Server: "s", Credential: Credential{
		Authorization: NewSecret("Bearer a"),
		Headers:       map[string]Secret{"x-api-key": NewSecret("b")},
		Env:           map[string]Secret{"TOKEN": NewSecret("c")},
	}})
	r, err := c.Resolve(t.Context(), alice)
	if err != nil || len(r.Header()) != 2 || r.Header().Get("X-Api-Key") != "b" || len(r.Env()) != 1 || r.Env()["TOKEN"] != "c" {
		t.Fatalf("Resolve = %v %v, %v", r.Header(), r.Env(), err)
	}
	r.Env()["TOKEN"] = "x"
	if r.Env()["TOKEN"] != "c" {
		t.Error("a change to Env reaches the credential")
	}
	if got := fmt.Sprint(r); got != "server secret (2 headers, 1 variables)" {
		t.Errorf("Resolution prints %q", got)
	}
}

func TestTenantsDoNotMeetAtAnID(t *testing.T) {
	store := newFakeStore()
	store.has(t, "acme", "github", Bearer("of-acme"))
	store.has(t, "umbrella", "github", Bearer("of-umbrella"))
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store, Credential: Reference("github")})
	for range 2 {
		sends(t, t.Context(), c, alice, "of-acme")
		sends(t, t.Context(), c, mario, "of-umbrella")
		sends(t, request(t.Context(), Reference("github")), c, mario, "of-umbrella")
		fails(t, t.Context(), c, session.Key{User: "alice"}, SourceServer, ErrNotFound)
		fails(t, t.Context(), c, session.Key{Tenant: "acme/umbrella", User: "x"}, SourceServer, ErrNotFound)
	}
}

func TestChainsOfOneServerNameDoNotMeet(t *testing.T) {
	one, two := newFakeStore(), newFakeStore()
	one.has(t, "acme", "x", Bearer("one"))
	two.has(t, "acme", "x", Bearer("two"))
	a := mustChain(t, ChainConfig{Server: "s", Secrets: one})
	b := mustChain(t, ChainConfig{Server: "s", Secrets: two})
	ctx := request(t.Context(), Reference("x"))
	for range 2 {
		sends(t, ctx, a, alice, "one")
		sends(t, ctx, b, alice, "two")
	}
	if err := a.SetServerCredential(ctx, "acme", Bearer("server")); err != nil {
		t.Fatal(err)
	}
	sends(t, t.Context(), a, alice, "server")
	sends(t, t.Context(), b, alice, "")
}

func TestAnIDCannotNameWhatAServerOwns(t *testing.T) {
	store := newFakeStore()
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
	if err := c.SetServerCredential(t.Context(), "acme", Bearer("owned")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{ownedID, "s/authorization", "/s/authorization", "acme/s/authorization"} {
		fails(t, request(t.Context(), Reference(id)), c, alice, SourceRequestID, ErrNotFound)
	}
}
