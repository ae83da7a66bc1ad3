package openapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// paramsDoc has one operation with parameters in all places.
func paramsDoc(more ...string) string {
	return document("3.1.0", `{"/x/{id}":{"get":{"operationId":"op","responses":{},"parameters":[
		{"name":"id","in":"path","required":true,"schema":{"type":"string"}},
		{"name":"q","in":"query","schema":{}},{"name":"api_key","in":"query","required":true,"schema":{"type":"string"}},
		{"name":"any","in":"query","schema":{"type":"object"}},
		{"name":"X-Key","in":"header","schema":{}},{"name":"X-Other","in":"header","schema":{}},
		{"name":"sid","in":"cookie","schema":{}},{"name":"theme","in":"cookie","schema":{}}]}}}`, more...)
}

func TestArgumentsNeverReplaceCredentials(t *testing.T) {
	var got *http.Request
	backend := func(_ http.ResponseWriter, r *http.Request) { got = r }
	const args = `{"id":"1","q":"mine","api_key":"mine","any":{"extra":"mine"},"X-Key":"mine","X-Other":"mine","sid":"mine","theme":"dark"}`
	for what, authorize := range map[string]func(context.Context, *http.Request) error{
		"that are set": func(_ context.Context, r *http.Request) error {
			r.Header.Set("X-Key", "theirs")
			q := r.URL.Query()
			q.Set("api_key", "theirs")
			q.Set("extra", "theirs")
			r.URL.RawQuery = q.Encode()
			r.Header.Set("Cookie", "sid=theirs&x; theme=dark")
			return nil
		},
		"that are added": func(_ context.Context, r *http.Request) error {
			r.Header.Add("X-Key", "theirs")
			r.URL.RawQuery += "&api_key=theirs&extra=theirs"
			r.AddCookie(&http.Cookie{Name: "sid", Value: "theirs&x"})
			return nil
		},
		"that are added in another order": func(_ context.Context, r *http.Request) error {
			r.Header.Add("X-Key", "theirs")
			q := r.URL.Query()
			q.Add("api_key", "theirs")
			q.Add("extra", "theirs")
			r.URL.RawQuery = q.Encode()
			r.AddCookie(&http.Cookie{Name: "sid", Value: "theirs&x"})
			return nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			a := newAPI(t, paramsDoc(), backend, &Options{Authorize: authorize})
			got = nil
			a.ok("op", args)
			q := got.URL.Query()
			for name, values := range map[string][]string{
				"header X-Key": got.Header.Values("X-Key"), "query api_key": q["api_key"], "query extra": q["extra"],
			} {
				if len(values) != 1 || values[0] != "theirs" {
					t.Errorf("%s: %q", name, values)
				}
			}
			if q.Get("q") != "mine" || got.Header.Get("X-Other") != "mine" {
				t.Errorf("other arguments are gone: %s %v", got.URL, got.Header)
			}
			sids := 0
			for _, c := range got.Cookies() {
				if c.Name == "sid" {
					sids++
				}
			}
			cookie := got.Header.Get("Cookie")
			if sids != 1 || !strings.Contains(cookie, "sid=theirs&x") || !strings.Contains(cookie, "theme=dark") {
				t.Errorf("cookies %q", cookie)
			}
		})
	}
}

func TestParametersThatCarryKeysAreHiddenFromTheModel(t *testing.T) {
	doc := paramsDoc(`,"components":{"securitySchemes":{"a":{"type":"apiKey","in":"query","name":"api_key"},"b":{"type":"apiKey","in":"header","name":"x-key"}}}`)
	backend := func(_ http.ResponseWriter, r *http.Request) {}
	with := newAPI(t, doc, backend, &Options{Authorize: func(context.Context, *http.Request) error { return nil }})
	in := with.tools()["op"].InputSchema.(map[string]any)
	sameJSON(t, in["required"], `["id"]`)
	if p := in["properties"].(map[string]any); p["api_key"] != nil || p["X-Key"] != nil || p["q"] == nil {
		t.Errorf("got %v", p)
	}
	with.ok("op", `{"id":"1"}`)
	with.fails("op", `{"id":"1","api_key":"x"}`, `no argument "api_key"`)
	// Without credentials of the server's own, the model has to bring the key.
	newAPI(t, doc, backend, nil).fails("op", `{"id":"1"}`, `"api_key" is required`)
}

func TestCredentialsStayAtTheirOrigin(t *testing.T) {
	var seen sync.Map
	backend := func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.URL.Path, r.Header.Get("Authorization"))
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	}
	other := httptest.NewServer(http.HandlerFunc(backend))
	defer other.Close()
	main := httptest.NewServer(http.HandlerFunc(backend))
	defer main.Close()
	doc := document("3.1.0", `{
		"/own":{"servers":[{"url":"`+other.URL+`/other"}],"get":{"operationId":"elsewhere","responses":{}}},
		"/same":{"get":{"operationId":"same","servers":[{"url":"`+main.URL+`/v2"}],"responses":{}}},
		"/redirect":{"get":{"operationId":"redirect","responses":{},"parameters":[{"name":"to","in":"query","schema":{}}]}}}`,
		`,"servers":[{"url":"`+main.URL+`/v1"}]`)
	authorize := func(_ context.Context, r *http.Request) error { r.Header.Set("Authorization", "Bearer t"); return nil }
	a := &api{t: t, session: connect(t, mustServer(t, mustParse(t, doc), &Options{Client: &http.Client{Transport: main.Client().Transport}, Authorize: authorize}))}
	a.ok("elsewhere", `{}`)
	a.ok("same", `{}`)
	a.ok("redirect", `{"to":"/v1/again"}`)
	got := a.fails("redirect", `{"to":"`+other.URL+`/stolen?secret=s"}`, "307 Temporary Redirect; the redirect was not followed: "+other.URL+"/stolen")
	if strings.Contains(got, "secret") {
		t.Errorf("%q shows a query", got)
	}
	for path, want := range map[string]any{"/other/own": "", "/v2/same": "Bearer t", "/v1/again": "Bearer t", "/stolen": nil} {
		if got, _ := seen.Load(path); got != want {
			t.Errorf("%s got %v, want %v", path, got, want)
		}
	}
	// An override moves everything.
	b := &api{t: t, session: connect(t, mustServer(t, mustParse(t, doc), &Options{BaseURL: main.URL + "/v3/", Authorize: authorize, Client: main.Client()}))}
	b.ok("elsewhere", `{}`)
	if got, _ := seen.Load("/v3/own"); got != "Bearer t" {
		t.Errorf("got %v", got)
	}
	for what, bad := range map[string]func(*http.Request){
		"host":   func(r *http.Request) { r.URL.Host = "example.com" },
		"scheme": func(r *http.Request) { r.URL.Scheme = "https" },
		"Host":   func(r *http.Request) { r.Host = "example.com" },
	} {
		c := &api{t: t, session: connect(t, mustServer(t, mustParse(t, doc), &Options{BaseURL: main.URL, Client: main.Client(),
			Authorize: func(_ context.Context, r *http.Request) error { bad(r); return nil }}))}
		if got := c.fails("same", `{}`, "nothing was sent"); !strings.Contains(got, "authorization failed") {
			t.Errorf("%s: %q", what, got)
		}
	}
}

func TestClientsThatFollowNoRedirectsByDefault(t *testing.T) {
	calls := 0
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, "/again", http.StatusFound)
	}))
	defer ts.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	s := mustServer(t, mustParse(t, operationDoc("3.1.0", "/x", "post", `"summary":"x"`)), &Options{BaseURL: ts.URL})
	(&api{t: t, session: connect(t, s)}).fails("op", `{}`, "302 Found; the redirect was not followed")
	if calls != 1 {
		t.Errorf("%d requests", calls)
	}
}

func TestCredentialsAreBlottedOutOfWhatComesBack(t *testing.T) {
	const token, password, key = "tok/en+very-secret", "pass word-secret", "key-secret"
	echo := func(status int, contentType string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, pass, _ := r.BasicAuth()
			fmt.Fprintf(w, `{"auth":%q,"token":%q,"url":%q,"pass":%q,"cookie":%q,"slashes":"%s"}`, r.Header.Get("Authorization"),
				strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), r.RequestURI, pass, r.Header.Get("Cookie"),
				strings.ReplaceAll(token, "/", `\/`))
		}
	}
	for what, authorize := range map[string]func(context.Context, *http.Request) error{
		"bearer": func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+token)
			return nil
		},
		"basic": func(_ context.Context, r *http.Request) error { r.SetBasicAuth("user", password); return nil },
		"query": func(_ context.Context, r *http.Request) error {
			q := r.URL.Query()
			q.Set("key", key)
			r.URL.RawQuery = q.Encode()
			return nil
		},
		"cookie": func(_ context.Context, r *http.Request) error {
			r.AddCookie(&http.Cookie{Name: "s", Value: key})
			return nil
		},
	} {
		for _, status := range []int{200, 403} {
			for _, contentType := range []string{"application/json", "text/plain"} {
				a := newAPI(t, operationDoc("3.1.0", "/x", "get", `"summary":"x"`), echo(status, contentType), &Options{Authorize: authorize})
				res := a.call("op", `{}`)
				all := textOf(res) + string(marshal(res.StructuredContent))
				for _, secret := range []string{token, password, key, "secret", "dXNlcjpwYXNz"} {
					if what != "bearer" {
						all = strings.ReplaceAll(all, strings.ReplaceAll(token, "/", `\/`), "") // nobody knows that it is one
						all = strings.ReplaceAll(all, token, "")
					}
					if strings.Contains(all, secret) {
						t.Errorf("%s, %d, %s: %q in %s", what, status, contentType, secret, all)
					}
				}
				if !strings.Contains(all, redacted) {
					t.Errorf("%s, %d, %s: nothing is blotted out of %s", what, status, contentType, all)
				}
			}
		}
	}
}

type contextKey struct{}

// A server may be shared: each session says whose it is when it connects.
func TestAuthorizeSeesTheContextOfItsSession(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("X-User")) }))
	defer ts.Close()
	s := mustServer(t, mustParse(t, operationDoc("3.1.0", "/x", "get", `"summary":"x"`)), &Options{
		BaseURL: ts.URL, Client: ts.Client(),
		Authorize: func(ctx context.Context, r *http.Request) error {
			r.Header.Set("X-User", ctx.Value(contextKey{}).(string))
			return nil
		},
	})
	for _, user := range []string{"al", "bo"} { // too short to be blotted out
		near, far := mcp.NewInMemoryTransports()
		ss, err := s.Connect(context.WithValue(context.Background(), contextKey{}, user), far, nil)
		if err != nil {
			t.Fatal(err)
		}
		cs, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), near, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&api{t: t, session: cs}).ok("op", `{}`); got != user {
			t.Errorf("%s calls as %s", user, got)
		}
		cs.Close()
		ss.Wait()
	}
}

func TestAFailedAuthorizationIsLoggedAndNotTold(t *testing.T) {
	calls := 0
	var log bytes.Buffer
	a := newAPI(t, operationDoc("3.1.0", "/x", "get", `"summary":"x"`), func(http.ResponseWriter, *http.Request) { calls++ }, &Options{
		Authorize: func(context.Context, *http.Request) error { return errors.New("the vault says secret") },
		Logger:    slog.New(slog.NewTextHandler(&log, nil)),
	})
	if got := a.fails("op", `{}`, "authorization failed; nothing was sent"); strings.Contains(got, "secret") || calls != 0 {
		t.Errorf("%q after %d requests", got, calls)
	}
	if !strings.Contains(log.String(), "the vault says secret") {
		t.Errorf("the log has %q", log.String())
	}
}

// A roundTrip is a transport that reports nothing of its progress.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestFailuresSayWhetherTheRequestMayHaveBeenExecuted(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	hangup := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
	}
	half := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
	}
	const unsent, perhaps = "; the request was not sent", "; the API may have executed the request"
	for _, c := range []struct {
		what, method string
		backend      http.HandlerFunc
		opts         Options
		want         string
		harmless     bool
	}{
		{"nobody listens", "post", nil, Options{BaseURL: closed.URL}, unsent, false},
		{"no such host", "post", nil, Options{Client: &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "h", IsNotFound: true}
		}}}}, unsent, false},
		{"a transport without traces", "post", nil, Options{Client: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return nil, errors.New("it broke at https://h/?key=secret")
		})}}, perhaps, false},
		{"a dial without traces", "post", nil, Options{Client: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		})}}, unsent, false},
		{"hung up", "post", hangup, Options{}, perhaps, false},
		{"hung up on a reader", "get", hangup, Options{}, perhaps + ", which changes nothing", true},
		{"half an answer", "post", half, Options{}, "answered 200 OK, but the answer broke off", false},
	} {
		a := newAPI(t, operationDoc("3.1.0", "/x", c.method, `"summary":"x"`), c.backend, &c.opts)
		got := a.fails("op", `{}`, c.want)
		if !c.harmless && strings.Contains(got, "repeated") {
			t.Errorf("%s: %q", c.what, got)
		}
	}
}

func TestCallsEndInTime(t *testing.T) {
	release := make(chan struct{})
	var once atomic.Bool
	a := newAPI(t, operationDoc("3.1.0", "/x", "post", `"summary":"x"`), func(http.ResponseWriter, *http.Request) { <-release }, &Options{Timeout: 50 * time.Millisecond})
	t.Cleanup(func() {
		if once.CompareAndSwap(false, true) {
			close(release)
		}
	})
	a.fails("op", `{}`, "no answer in time; the API may have executed the request")
	once.Store(true)
	close(release)
}

func TestArgumentsAreCheckedBeforeAnythingIsSent(t *testing.T) {
	calls := 0
	a := newAPI(t, paramsDoc(), func(http.ResponseWriter, *http.Request) { calls++ }, nil)
	for args, want := range map[string]string{
		`{}`:                                    `"id" is required`,
		`{"id":null,"api_key":"k"}`:             `"id" is required`,
		`{"id":"1"}`:                            `"api_key" is required`,
		`{"id":"1","api_key":"k","nope":1}`:     `no argument "nope"`,
		`{"id":"","api_key":"k"}`:               `"id" is empty`,
		`{"id":"..","api_key":"k"}`:             "another one",
		`{"id":"..;x","api_key":"k"}`:           "another one",
		`{"id":"a\\..\\b","api_key":"k"}`:       "another one",
		`{"id":"a/../../b","api_key":"k"}`:      "another one",
		`{"id":"%2e%2e","api_key":"k"}`:         "another one",
		`{"id":"a\u0000","api_key":"k"}`:        "NUL",
		`{"id":"1","api_key":"k","X-Key":"\n"}`: "cannot hold",
		`{"id":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `,"api_key":"k"}`: "deeper",
	} {
		if got := a.fails("op", args, want); !strings.HasSuffix(got, "; nothing was sent") {
			t.Errorf("%s: %q", args, got)
		}
	}
	if calls != 0 {
		t.Errorf("%d requests were sent", calls)
	}
}

func TestOneServerServesManyCallersAtOnce(t *testing.T) {
	doc := operationDoc("3.1.0", "/x/{id}", "get", `"parameters":[{"name":"id","in":"path","required":true,"schema":{}}]`)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	defer ts.Close()
	d := mustParse(t, doc)
	s := mustServer(t, d, &Options{BaseURL: ts.URL, Client: ts.Client()})
	var wg sync.WaitGroup
	for user := range 4 {
		a := &api{t: t, session: connect(t, s)}
		wg.Go(func() {
			for i := range 20 {
				want := fmt.Sprintf("/x/%d-%d", user, i)
				if got := a.ok("op", fmt.Sprintf(`{"id":"%d-%d"}`, user, i)); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
		wg.Go(func() { // a second server shares the document's schemas
			if _, err := NewServer(d, &Options{BaseURL: ts.URL}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestNegativeLimitsPanic(t *testing.T) {
	for _, f := range []func(){
		func() { _, _ = Parse(t.Context(), nil, &ParseOptions{MaxDepth: -1}) },
		func() { _, _ = NewServer(&Document{}, &Options{Timeout: -1}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		}()
	}
}
