package mcphttp

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mcpfleet/mcpfleet/internal/httptext"
)

func TestNewRefusesWhatCannotWork(t *testing.T) {
	const secret = "hunter2secret"
	for name, cfg := range map[string]Config{
		"empty":              {},
		"relative":           {Endpoint: "/mcp"},
		"scheme":             {Endpoint: "ftp://h/mcp"},
		"host":               {Endpoint: "http:///mcp"},
		"userinfo":           {Endpoint: "https://u:" + secret + "@h/mcp"},
		"fragment":           {Endpoint: "https://h/mcp#" + secret},
		"control character":  {Endpoint: "https://h/\x7f" + secret},
		"negative limit":     {Endpoint: "https://h/", MaxBody: -1},
		"negative limit 2":   {Endpoint: "https://h/", MaxErrorBody: -1},
		"reserved header":    {Endpoint: "https://h/", Header: http.Header{"Content-Type": {secret}}},
		"lower case header":  {Endpoint: "https://h/", Header: http.Header{"mcp-session-id": {secret}}},
		"header twice":       {Endpoint: "https://h/", Header: http.Header{"x-a": {secret}, "X-A": {secret}}},
		"header name":        {Endpoint: "https://h/", Header: http.Header{"X A": {secret}}},
		"empty header name":  {Endpoint: "https://h/", Header: http.Header{"": {secret}}},
		"header value":       {Endpoint: "https://h/", Header: http.Header{"X-A": {secret + "\n"}}},
		"idempotency":        {Endpoint: "https://h/", Header: http.Header{"Idempotency-Key": {secret}}},
		"two authorizations": {Endpoint: "https://h/", Header: http.Header{"Authorization": {"Bearer a", secret}}},
	} {
		_, err := New(cfg)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		mustNotContain(t, err.Error(), secret)
		if cfg.Header != nil {
			var h *HeaderError
			if !errors.As(err, &h) {
				t.Errorf("%s: error %v, want a HeaderError", name, err)
			}
		}
	}
	if _, err := New(Config{Endpoint: "https://h/mcp?key=x", Header: http.Header{"X-Empty": {""}}}); err != nil {
		t.Errorf("a good configuration is refused: %v", err)
	}
}

func TestOnlyPrintableValuesAndRealTokensLeave(t *testing.T) {
	var sent atomic.Int32
	var value atomic.Value
	c, err := New(Config{
		Endpoint: "https://h.example/mcp",
		Base: roundTripper(func(*http.Request) (*http.Response, error) {
			sent.Add(1)
			return respond(200, "application/json", `{"jsonrpc":"2.0","id":1,"result":{}}`)
		}),
		Headers: func(context.Context, *http.Request) (http.Header, error) { return value.Load().(http.Header), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	try := func(h http.Header) error {
		value.Store(h)
		_, err, x := do(t.Context(), t, c, "https://h.example/mcp", call)
		if err != nil && (x.Sent() || x.Err() == nil) {
			t.Errorf("a refused header: Sent %v, Err %v", x.Sent(), x.Err())
		}
		return err
	}
	for b := range 256 {
		inner := "abc" + string([]byte{byte(b)}) + "def"
		for _, tt := range []struct {
			name, value string
			ok          bool
		}{
			{"X-Value", inner, b >= 0x20 && b <= 0x7e},
			{"Authorization", "Bearer " + inner, httptext.Alphanumeric(byte(b)) || strings.IndexByte("-._~+/", byte(b)) >= 0},
		} {
			before := sent.Load()
			err := try(http.Header{tt.name: {tt.value}})
			if (err == nil) != tt.ok || (sent.Load() > before) != tt.ok {
				t.Errorf("%s with byte %#x: error %v, sent %v, want ok %v", tt.name, b, err, sent.Load() > before, tt.ok)
			}
			var h *HeaderError
			if err != nil {
				mustNotContain(t, err.Error(), inner, "abc")
				if !errors.As(err, &h) || h.Name != tt.name {
					t.Errorf("error %v, want a HeaderError that names %s", err, tt.name)
				}
			}
		}
	}
	for v, ok := range map[string]bool{
		"": false, "Bearer": false, "Bearer ": false, "bearer": false, "Bearer =": false, "Bearer a=b": false, "Bearer a b": false,
		"Basic": false, "Basic a:b": false, " Bearer abc": false, "Bearer abc ": false,
		"Bearer abc==": true, "bearer a": true, "Basic dXNlcjpwYXNz": true, "raw-api-key": true, `Digest username="a", uri="/"`: true,
	} {
		if err := try(http.Header{"Authorization": {v}}); (err == nil) != ok {
			t.Errorf("Authorization %q: error %v, want ok %v", v, err, ok)
		}
	}
	for name := range maps.Keys(reserved) {
		if err := try(http.Header{name: {"x"}}); err == nil {
			t.Errorf("header %s was not refused", name)
		}
	}
	for _, name := range []string{"Mcp-Session-Id", "mcp-anything", "MCP-PROTOCOL-VERSION", "X:", "X\r\nY", "Ünicode"} {
		if err := try(http.Header{name: {"x"}}); err == nil {
			t.Errorf("header %q was not refused", name)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestHeadersWinInOrderAndLeaveTheRequestAlone(t *testing.T) {
	var got http.Header
	static := http.Header{"x-static": {"1"}, "X-Both": {"static"}}
	c, err := New(Config{
		Endpoint: "https://h.example/mcp", Header: static,
		Headers: func(ctx context.Context, r *http.Request) (http.Header, error) {
			return http.Header{"x-both": {"request"}, "Authorization": {"Bearer " + ctx.Value(userKey{}).(string)}}, nil
		},
		Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			got = r.Header.Clone()
			return respond(200, "application/json", `{"jsonrpc":"2.0","id":1,"result":{}}`)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	static.Set("X-Static", "changed later")
	req := newPost(context.WithValue(t.Context(), userKey{}, "alice"), t, "https://h.example/mcp", call)
	before := req.Header.Clone()
	resp, err := tripper{c}.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !maps.EqualFunc(req.Header, before, slices.Equal) {
		t.Errorf("the request was changed: %v", req.Header)
	}
	for name, want := range map[string]string{"X-Static": "1", "X-Both": "request", "Authorization": "Bearer alice", headerSession: "SESSION-1234"} {
		if got.Get(name) != want || len(got[name]) != 1 {
			t.Errorf("%s: %q was sent, want %q", name, got[name], want)
		}
	}
}

type userKey struct{}

func TestFailingHeadersSendNothing(t *testing.T) {
	fault := errors.New("vault is sealed")
	c, err := New(Config{
		Endpoint: "https://h.example/mcp",
		Headers:  func(context.Context, *http.Request) (http.Header, error) { return nil, fault },
		Base:     roundTripper(func(*http.Request) (*http.Response, error) { panic("sent") }),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err, x := do(t.Context(), t, c, "https://h.example/mcp", call)
	if !errors.Is(err, fault) || !errors.Is(x.Err(), fault) || x.Sent() {
		t.Errorf("error %v, recorded %v, Sent %v", err, x.Err(), x.Sent())
	}
}

func TestOriginsAreComparedWithTheirDefaultPorts(t *testing.T) {
	for _, tt := range []struct {
		endpoint, target string
		same             bool
	}{
		{"https://h.example/mcp", "https://h.example/other?x=1", true},
		{"https://h.example/mcp", "https://h.example:443/", true},
		{"https://h.example:443/mcp", "https://H.EXAMPLE/", true},
		{"http://h.example/mcp", "http://h.example:80/", true},
		{"http://[::1]:80/mcp", "http://[::1]/", true},
		{"https://h.example/mcp", "http://h.example/", false},
		{"https://h.example/mcp", "http://h.example:443/", false},
		{"https://h.example/mcp", "https://h.example:8443/", false},
		{"https://h.example/mcp", "https://sub.h.example/", false},
		{"https://h.example/mcp", "https://h.example.evil/", false},
		{"https://h.example/mcp", "https://u:p@h.example/", false},
	} {
		c, err := New(Config{Endpoint: tt.endpoint})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(tt.target)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ours(u); got != tt.same {
			t.Errorf("%s of %s: same origin = %v", tt.target, tt.endpoint, got)
		}
	}
}

func TestRequestsToOtherOriginsAreRefused(t *testing.T) {
	c, err := New(Config{
		Endpoint: "https://h.example/mcp",
		Base:     roundTripper(func(*http.Request) (*http.Response, error) { panic("sent") }),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodPut} {
		req, _ := http.NewRequestWithContext(t.Context(), method, "https://evil.example/mcp?token=x", strings.NewReader(call))
		_, err := c.Client().Do(req)
		var redirect *RedirectError
		if !errors.As(err, &redirect) || redirect.Host != "evil.example" {
			t.Errorf("%s: error %v, want a RedirectError", method, err)
		}
	}
}
