package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfleet/mcpfleet/internal/httptext"
)

// An internet is one TLS server and one without, behind all names. Which host a client meant stands in the requests.
type internet struct {
	handle http.HandlerFunc // by default it answers 200

	mu   sync.Mutex // guards seen
	seen []visit
}

type visit struct{ origin, method, path, body, secrets string }

func (n *internet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v := visit{"http://" + r.Host, r.Method, r.URL.RequestURI(), string(body), r.Header.Get("Authorization") + r.Header.Get("X-Api-Key") + r.Header.Get("Cookie")}
	if r.TLS != nil {
		v.origin = "https://" + r.Host
	}
	n.mu.Lock()
	n.seen = append(n.seen, v)
	n.mu.Unlock()
	n.handle(w, r)
}

// visits returns what was seen since the last call.
func (n *internet) visits() []visit {
	n.mu.Lock()
	defer n.mu.Unlock()
	seen := n.seen
	n.seen = nil
	return seen
}

// client starts the servers and returns a guarded client that reaches them under every public name.
func (n *internet) client(t *testing.T, e *Egress) *http.Client {
	t.Helper()
	secure, plain := httptest.NewUnstartedServer(n), httptest.NewServer(n)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	e = e.clone()
	e.LookupNetIP = func(context.Context, string, string) ([]netip.Addr, error) { return []netip.Addr{public}, nil }
	e.Dial = func(ctx context.Context, network string, a netip.AddrPort) (net.Conn, error) {
		to := secure
		if a.Port()%100 == 80 {
			to = plain
		}
		return new(net.Dialer).DialContext(ctx, network, to.Listener.Addr().String())
	}
	c := e.Client()
	tlsConfig := secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	tlsConfig.InsecureSkipVerify = true // of a server that is on this machine under many names
	c.Transport.(*egressTripper).base.TLSClientConfig = tlsConfig
	t.Cleanup(func() {
		c.CloseIdleConnections()
		secure.Close()
		plain.Close()
	})
	return c
}

func post(t *testing.T, c *http.Client, url string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("BODY"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer SECRET")
	req.Header.Set("X-Api-Key", "SECRET")
	req.Header.Set("Cookie", "c=SECRET")
	return c.Do(req)
}

var foreign = map[string]string{
	"other host": "https://other.example/to?code=QUERY", "other port": "https://mcp.example:8443/to?code=QUERY",
	"subdomain": "https://www.mcp.example/to?code=QUERY", "downgrade": "http://mcp.example/to?code=QUERY",
}

// Reliability scenario S2: 5 statuses, 5 targets.
func TestRedirectsGiveNothingToAnotherOrigin(t *testing.T) {
	n := new(internet)
	c := n.client(t, new(Egress))
	cases := 0
	for _, status := range []int{301, 302, 303, 307, 308} {
		for name, target := range foreign {
			cases++
			n.handle = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", target)
				w.WriteHeader(status)
			}
			resp, err := post(t, c, "https://mcp.example/from")
			var refused *EgressError
			if !errors.As(err, &refused) || !strings.Contains(target, refused.Host) {
				t.Errorf("%d to %s: %v, %v, want an EgressError", status, name, resp, err)
				continue
			}
			if text := err.Error(); strings.Contains(text, "QUERY") || strings.Contains(text, "/to") {
				t.Errorf("%d to %s: the error shows the target: %s", status, name, text)
			}
			if seen := n.visits(); len(seen) != 1 || seen[0].origin != "https://mcp.example" {
				t.Errorf("%d to %s: visited %v", status, name, seen)
			}
		}
		cases++
		n.handle = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/from" {
				w.Header().Set("Location", "https://mcp.example:443/to?x=1")
				w.WriteHeader(status)
			}
		}
		resp, err := post(t, c, "https://mcp.example/from")
		if err != nil {
			t.Fatalf("%d to the same origin: %v", status, err)
		}
		resp.Body.Close()
		want := visit{"https://mcp.example:443", "GET", "/to?x=1", "", "Bearer SECRETSECRETc=SECRET"}
		if status >= 307 {
			want.method, want.body = "POST", "BODY"
		}
		if seen := n.visits(); len(seen) != 2 || seen[1] != want {
			t.Errorf("%d to the same origin: visited %+v, want %+v at last", status, seen, want)
		}
	}
	if cases != 25 {
		t.Errorf("%d cases, want 25", cases)
	}
}

// The twin of the test above: a client without the guard gives secrets away, so that the test sees them.
func TestAPlainClientGivesSecretsToAnotherOrigin(t *testing.T) {
	n := new(internet)
	guarded := n.client(t, new(Egress))
	c := &http.Client{Transport: guarded.Transport.(*egressTripper).base}
	for name, target := range foreign {
		n.handle = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/from" {
				w.Header().Set("Location", target)
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
		}
		resp, err := post(t, c, "https://mcp.example/from")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if seen := n.visits(); len(seen) != 2 || seen[1].body != "BODY" || !strings.Contains(seen[1].secrets, "SECRET") {
			t.Errorf("%s: %+v", name, seen)
		}
	}
}

// A transport with an HTTP/2 connection to the target at hand sends without asking for proxy or dial.
func TestRedirectsDoNotUseConnectionsOfOtherRequests(t *testing.T) {
	n := new(internet)
	c := n.client(t, new(Egress))
	n.handle = func(http.ResponseWriter, *http.Request) {}
	for range 2 {
		resp, err := c.Get("https://other.example/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Fatalf("%s, want HTTP/2", resp.Proto)
		}
	}
	n.visits()
	n.handle = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://other.example/", http.StatusTemporaryRedirect)
	}
	if _, err := post(t, c, "https://mcp.example/"); err == nil {
		t.Error("a redirect to another origin was followed")
	}
	if seen := n.visits(); len(seen) != 1 {
		t.Errorf("visited %+v", seen)
	}
	// And the URL is checked for each request, not for each connection.
	var refused *EgressError
	if _, err := c.Get("https://user:SECRET@other.example/"); !errors.As(err, &refused) {
		t.Errorf("a URL with a password gives %v", err)
	}
	if seen := n.visits(); len(seen) != 0 {
		t.Errorf("visited %+v", seen)
	}
}

func TestFiveRedirectsOfOneOriginAreFollowed(t *testing.T) {
	for hops := range 8 {
		n := new(internet)
		n.handle = func(w http.ResponseWriter, r *http.Request) {
			var i int
			fmt.Sscanf(r.URL.Path, "/%d", &i)
			if i < hops {
				http.Redirect(w, r, fmt.Sprintf("/%d?code=QUERY", i+1), http.StatusFound)
			}
		}
		resp, err := n.client(t, new(Egress)).Get("https://mcp.example/0")
		if err == nil {
			resp.Body.Close()
		}
		var refused *EgressError
		if got := len(n.visits()); got != min(hops, 5)+1 || errors.As(err, &refused) != (hops > 5) {
			t.Errorf("%d redirects: %d visits and %v", hops, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "QUERY") {
			t.Errorf("the error shows the query: %v", err)
		}
	}
}

func TestRedirectsToOtherSchemesAndUsersAreRefused(t *testing.T) {
	for _, location := range []string{"file:///etc/passwd", "gopher://mcp.example/", "javascript:alert(1)", "https://user:HIDDEN@mcp.example/", "//HIDDEN@mcp.example/",
		"https:mcp.example", "https://①②⑦.0.0.1/", "//mcp.example:0/", "https://mcp.example./"} {
		n := new(internet)
		n.handle = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusPermanentRedirect)
		}
		_, err := post(t, n.client(t, new(Egress)), "https://mcp.example/")
		var refused *EgressError
		if seen := n.visits(); !errors.As(err, &refused) || len(seen) != 1 || strings.Contains(err.Error(), "HIDDEN") {
			t.Errorf("%s: visited %d and %v", location, len(seen), err)
		}
	}
}

func TestOriginsAreComparedAsDNSComparesNames(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"https://mcp.example/a", "https://mcp.example/b?c", true},
		{"https://mcp.example", "https://MCP.Example:443", true},
		{"http://mcp.example:80", "http://mcp.example", true},
		{"https://[2606:4700::AB]", "https://[2606:4700::ab]:443", true},
		{"https://bücher.example", "https://Bücher.example", true},
		{"https://mcp.example", "http://mcp.example", false},
		{"https://mcp.example", "http://mcp.example:443", false},
		{"https://mcp.example", "https://mcp.example:444", false},
		{"https://mcp.example", "https://mcp.example.", false},
		// Letters that Unicode folds and DNS tells apart.
		{"https://φως.example", "https://φωσ.example", false},
		{"https://büß.example", "https://büẞ.example", false},
	} {
		a, errA := url.Parse(tt.a)
		b, errB := url.Parse(tt.b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if got := httptext.SameOrigin(a, b); got != tt.same || httptext.SameOrigin(b, a) != tt.same {
			t.Errorf("sameOrigin(%s, %s) = %t, want %t", a, b, got, tt.same)
		}
	}
}

func TestTheClientKeepsNoCookies(t *testing.T) {
	n := new(internet)
	n.handle = func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "s", Value: "COOKIE"})
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/next", http.StatusFound)
		}
	}
	c := n.client(t, new(Egress))
	for range 2 {
		resp, err := c.Get("https://mcp.example/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	for _, v := range n.visits() {
		if v.secrets != "" {
			t.Errorf("a request brought %q", v.secrets)
		}
	}
}

// A body that is refused is closed, as http.RoundTripper demands.
func TestABodyThatIsRefusedIsClosed(t *testing.T) {
	for name, rt := range map[string]http.RoundTripper{"Client": Public().Client().Transport, "Transport": Public().Transport()} {
		body := &closeRecorder{Reader: strings.NewReader("BODY")}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/", body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rt.RoundTrip(req); err == nil || !body.closed {
			t.Errorf("%s: error %v, closed %t", name, err, body.closed)
		}
	}
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }
