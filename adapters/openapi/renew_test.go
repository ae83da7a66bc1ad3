package openapi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// refusing is an API that accepts one token, and knows the requests it got as "POST /notes Bearer token body".
type refusing struct {
	*httptest.Server
	accepts string
	ahead   func(http.ResponseWriter, *http.Request) (answered bool) // may be nil

	mu   sync.Mutex
	seen []string
}

func newRefusing(t *testing.T, accepts string) *refusing {
	api := &refusing{accepts: "Bearer " + accepts}
	api.Server = httptest.NewServer(api)
	t.Cleanup(api.Close)
	return api
}

func (api *refusing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	api.mu.Lock()
	api.seen = append(api.seen, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+string(body)))
	api.mu.Unlock()
	if api.ahead != nil && api.ahead(w, r) {
		return
	}
	if r.Header.Get("Authorization") != api.accepts {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	fmt.Fprint(w, "written")
}

func (api *refusing) requests() []string {
	api.mu.Lock()
	defer api.mu.Unlock()
	return api.seen
}

const notesDoc = `{"/notes":{"post":{"operationId":"write","responses":{"200":{"description":"ok"}},
	"requestBody":{"content":{"text/plain":{"schema":{"type":"string"}}}}}}}`

// add makes a registry with the API as the server "notes".
func (api *refusing) add(t *testing.T, cfg mcpgroup.ServerConfig, opts mcpgroup.RegistryOptions, o *Options) *mcpgroup.Registry {
	t.Helper()
	reg, err := mcpgroup.NewRegistry(&opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reg.Close() })
	if o == nil {
		o = &Options{}
	}
	o.BaseURL, o.Client = api.URL, api.Client()
	cfg.Name = "notes"
	if err := AddDocument(t.Context(), reg, cfg, mustParse(t, document("3.1.0", notesDoc)), o); err != nil {
		t.Fatal(err)
	}
	return reg
}

var asAlice = session.Key{Tenant: "acme", User: "alice"}

func writeNote(t *testing.T, reg *mcpgroup.Registry, want string) string {
	t.Helper()
	res, err := reg.Call(session.NewContext(t.Context(), asAlice), "notes.write", map[string]any{"body": "hello"})
	if err != nil {
		t.Errorf("writing: %v", err)
		return ""
	}
	if !strings.Contains(res.Text(), want) {
		t.Errorf("writing = %q, want it to say %q", res.Text(), want)
	}
	return res.Text()
}

// counting counts what a secret store is asked.
type counting struct {
	*auth.MemoryStore
	asked atomic.Int64
}

func (c *counting) Secret(ctx context.Context, key auth.SecretKey) (auth.Credential, error) {
	c.asked.Add(1)
	return c.MemoryStore.Secret(ctx, key)
}

func newCounting(t *testing.T, secrets map[string]auth.Credential) *counting {
	c := &counting{MemoryStore: auth.NewMemoryStore()}
	for id, cred := range secrets {
		c.set(t, id, cred)
	}
	return c
}

func (c *counting) set(t *testing.T, id string, cred auth.Credential) {
	t.Helper()
	if err := c.SetSecret(t.Context(), auth.SecretKey{Tenant: "acme", ID: id}, cred); err != nil {
		t.Fatal(err)
	}
}

// A provider obtains what a test says.
type provider struct {
	token   atomic.Value // string
	refused func() (bool, error)
	asked   atomic.Int64
}

func (p *provider) Token(context.Context, session.Key) (auth.Secret, error) {
	token, _ := p.token.Load().(string)
	return auth.NewSecret(token), nil
}

func (p *provider) Refused(_ context.Context, key session.Key, r auth.Refusal) (bool, error) {
	if key != asAlice || len(r.Challenges) != 1 {
		return false, fmt.Errorf("refused with %v, %v", key, r)
	}
	p.asked.Add(1)
	return p.refused()
}

// A prover is a provider whose tokens are bound to a key (RFC 9449).
type prover struct{ *provider }

func (b prover) TokenFor(ctx context.Context, key session.Key, method string, u *url.URL) (token, proof auth.Secret, err error) {
	token, err = b.Token(ctx, key)
	return token, auth.NewSecret("proof-for-" + method + u.Path), err
}

func (p *provider) options(log io.Writer) (mcpgroup.ServerConfig, mcpgroup.RegistryOptions, *Options) {
	return mcpgroup.ServerConfig{OAuth: map[string]string{"grant": "any"}},
		mcpgroup.RegistryOptions{OAuth: func(mcpgroup.ServerConfig) (auth.TokenProvider, error) { return p, nil }},
		&Options{Logger: slog.New(slog.NewTextHandler(log, nil))}
}

// A token is rotated behind our back, and 20 callers are refused at once.
func TestARefusedCredentialIsRenewedOnceForAllCallers(t *testing.T) {
	const callers = 20
	api := newRefusing(t, "new")
	store := newCounting(t, map[string]auth.Credential{"own": auth.Bearer("old")})
	api.accepts = "Bearer old"
	reg := api.add(t, mcpgroup.ServerConfig{Credential: "own"}, mcpgroup.RegistryOptions{Secrets: store}, nil)
	writeNote(t, reg, "written")

	store.set(t, "own", auth.Bearer("new"))
	api.accepts = "Bearer new"
	var together sync.WaitGroup
	together.Add(callers)
	api.ahead = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer old" {
			together.Done()
			together.Wait()
		}
		return false
	}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() { writeNote(t, reg, "written") })
	}
	wg.Wait()
	if n := store.asked.Load(); n != 2 {
		t.Errorf("the secret store was asked %d times, want 2: at first, and after the refusals", n)
	}
	count := map[string]int{}
	for _, r := range api.requests() {
		count[r]++
	}
	if len(count) != 2 || count["POST /notes Bearer old hello"] != 1+callers || count["POST /notes Bearer new hello"] != callers {
		t.Errorf("the API saw %v", count)
	}
}

// The first token of a user is had that way too.
func TestAProviderIsAskedForTheFirstToken(t *testing.T) {
	api := newRefusing(t, "token")
	p := &provider{}
	p.refused = func() (bool, error) { p.token.Store("token"); return true, nil }
	cfg, opts, o := p.options(io.Discard)
	reg := api.add(t, cfg, opts, o)
	writeNote(t, reg, "written")
	writeNote(t, reg, "written")
	if got := strings.Join(api.requests(), ", "); got != "POST /notes  hello, POST /notes Bearer token hello, POST /notes Bearer token hello" {
		t.Errorf("the API saw %s", got)
	}
}

// A token that is bound to a key goes with a proof for its request.
func TestABoundTokenGoesWithItsProof(t *testing.T) {
	api := newRefusing(t, "token")
	var proof string
	api.ahead = func(_ http.ResponseWriter, r *http.Request) bool { proof = r.Header.Get("DPoP"); return false }
	p := prover{&provider{refused: func() (bool, error) { return false, nil }}}
	p.token.Store("token")
	cfg, opts, o := p.options(io.Discard)
	opts.OAuth = func(mcpgroup.ServerConfig) (auth.TokenProvider, error) { return p, nil }
	api.accepts = "DPoP token"
	writeNote(t, api.add(t, cfg, opts, o), "written")
	if proof != "proof-for-POST/notes" {
		t.Errorf("the proof is %q", proof)
	}
}

func TestARefusalStandsWhereNothingElseCanBeSent(t *testing.T) {
	api := newRefusing(t, "another")
	store := newCounting(t, map[string]auth.Credential{"own": auth.Bearer("old")})
	writeNote(t, api.add(t, mcpgroup.ServerConfig{Credential: "own"}, mcpgroup.RegistryOptions{Secrets: store}, nil), "answered 401 Unauthorized\nwho are you?")
	if n := len(api.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}

	// A provider that always knows another token has one more try, and no third.
	api = newRefusing(t, "another")
	p := &provider{refused: func() (bool, error) { return true, nil }}
	p.token.Store("token")
	cfg, opts, o := p.options(io.Discard)
	writeNote(t, api.add(t, cfg, opts, o), "answered 401 Unauthorized\nwho are you?")
	if n := len(api.requests()); n != 2 || p.asked.Load() != 1 {
		t.Errorf("%d requests and %d refusals, want 2 and 1", n, p.asked.Load())
	}

	// What the host authorizes itself is the host's to renew.
	api = newRefusing(t, "another")
	writeNote(t, api.add(t, mcpgroup.ServerConfig{Credential: "own"}, mcpgroup.RegistryOptions{Secrets: store}, &Options{
		Authorize: func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer mine")
			return nil
		},
	}), "answered 401")
	if n := len(api.requests()); n != 1 {
		t.Errorf("%d requests with an Authorize of the host's, want 1", n)
	}
}

// The URL at which the user authorizes is the user's alone, and a model would show it to anybody.
func TestAUserWhoMustAuthorizeIsNotToldByTheModel(t *testing.T) {
	api := newRefusing(t, "token")
	p := &provider{refused: func() (bool, error) {
		return false, &auth.AuthRequiredError{Server: "notes", User: asAlice, URL: "https://as.example.com/authorize?state=s3cret"}
	}}
	var log bytes.Buffer
	cfg, opts, o := p.options(&log)
	text := writeNote(t, api.add(t, cfg, opts, o), "401 Unauthorized, and no other credential could be had; nothing was executed")
	if strings.Contains(text+log.String(), "s3cret") || !strings.Contains(log.String(), "must authorize") {
		t.Errorf("the model is told %q, and the log %q", text, &log)
	}
	if n := len(api.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// RFC 6750 section 3.1. Other 403s say that the user may not do this, whatever the token.
func TestATokenWithTooLittleScopeIsReplaced(t *testing.T) {
	for challenge, want := range map[string]int{
		`Bearer error="insufficient_scope", scope="write"`: 3,
		`Bearer error="access_denied"`:                     2,
	} {
		api := newRefusing(t, "wide")
		api.ahead = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") != "Bearer narrow" {
				return false
			}
			w.Header().Set("WWW-Authenticate", challenge)
			http.Error(w, "you may not", http.StatusForbidden)
			return true
		}
		p := &provider{}
		p.refused = func() (bool, error) { // first for the 401 of the request without a token
			p.token.Store([]string{"", "narrow", "wide", "wider"}[p.asked.Load()])
			return true, nil
		}
		cfg, opts, o := p.options(io.Discard)
		text := writeNote(t, api.add(t, cfg, opts, o), "")
		if n := len(api.requests()); n != want || strings.Contains(text, "written") != (want == 3) {
			t.Errorf("%s: %d requests and %q, want %d", challenge, n, text, want)
		}
	}
}

// What was redirected may have been carried out before the refusal.
func TestARedirectedRequestIsNotSentAgain(t *testing.T) {
	for _, status := range []int{http.StatusSeeOther, http.StatusTemporaryRedirect} {
		api := newRefusing(t, "token")
		api.ahead = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/notes" {
				return false
			}
			http.Redirect(w, r, "/notes/7", status)
			return true
		}
		p := &provider{refused: func() (bool, error) { return true, nil }}
		cfg, opts, o := p.options(io.Discard)
		writeNote(t, api.add(t, cfg, opts, o), "answered 401")
		if n := len(api.requests()); n != 2 || p.asked.Load() != 0 {
			t.Errorf("%d: %d requests and %d refusals, want the two of the redirect", status, n, p.asked.Load())
		}
	}
}

// An API that delays its refusal until another server has its name must not get what is for that one.
func TestAReplacedServerGetsNothingOfItsSuccessor(t *testing.T) {
	api := newRefusing(t, "another")
	store := newCounting(t, map[string]auth.Credential{"own": auth.Bearer("old"), "successor": auth.Bearer("successor")})
	reg := api.add(t, mcpgroup.ServerConfig{Credential: "own"}, mcpgroup.RegistryOptions{Secrets: store}, nil)
	var once sync.Once
	api.ahead = func(http.ResponseWriter, *http.Request) bool {
		once.Do(func() {
			if err := reg.Remove(context.Background(), "notes"); err != nil {
				t.Error(err)
			}
			err := AddDocument(context.Background(), reg, mcpgroup.ServerConfig{Name: "notes", Credential: "successor"},
				mustParse(t, document("3.1.0", notesDoc)), &Options{BaseURL: "https://successor.example.com"})
			if err != nil {
				t.Error(err)
			}
		})
		return false
	}
	writeNote(t, reg, "answered 401")
	if got := strings.Join(api.requests(), ", "); got != "POST /notes Bearer old hello" {
		t.Errorf("the API saw %s", got)
	}
}

// A credential that has nothing for an API is not the same as none.
func TestACredentialWithoutHeadersSendsNothing(t *testing.T) {
	api := newRefusing(t, "token")
	store := newCounting(t, map[string]auth.Credential{"own": {Env: map[string]auth.Secret{"TOKEN": auth.NewSecret("token")}}})
	var log bytes.Buffer
	reg := api.add(t, mcpgroup.ServerConfig{Credential: "own"}, mcpgroup.RegistryOptions{Secrets: store}, &Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	writeNote(t, reg, "authorization failed; nothing was sent")
	if n := len(api.requests()); n != 0 || !strings.Contains(log.String(), "no header fields") {
		t.Errorf("%d requests; the log says %q", n, &log)
	}
}
