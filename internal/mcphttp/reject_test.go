package mcphttp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestHTTPErrorTellsWhatTheAnswerSaid(t *testing.T) {
	c, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "17")
		w.Header().Add("WWW-Authenticate", `Bearer realm="a"`)
		w.Header().Add("WWW-Authenticate", `Basic`)
		w.WriteHeader(429)
		fmt.Fprint(w, `{"jsonrpc":"2.0","id":7,"error":{"code":-32050,"message":"slow\u0000 down\u001b[31m"}}`)
	}), nil)
	_, err, x := do(t.Context(), t, c, url, call)
	var e *HTTPError
	if !errors.As(err, &e) || x.Err() != error(e) {
		t.Fatalf("error %v, recorded %v", err, x.Err())
	}
	if e.StatusCode != 429 || e.RetryAfter != 17*time.Second || !e.HasRetryAfter || len(e.WWWAuthenticate) != 2 || e.Code != -32050 || e.Message != "slow down[31m" {
		t.Errorf("%+v", e)
	}
	if want := "mcphttp: the server answered 429 Too Many Requests (retry after 17s): slow down[31m (code -32050)"; e.Error() != want {
		t.Errorf("text %q, want %q", e, want)
	}
}

func TestEchoedSecretsAreRemovedFromErrors(t *testing.T) {
	const token, key = "tok-5ecret-A", "k3y+static/B="
	for _, format := range []string{
		"bad credentials %s for session %s, key %s",
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"bad credentials %s for session %s, key %s"}}`,
		`{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"bad credentials %s for session %s, key %s"}}`,
		`{"error":{"message":"%s %s %s"}}`,
	} {
		for _, code := range []int{400, 401, 404, 500} {
			c, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(code)
				fmt.Fprintf(w, format, r.Header.Get("Authorization"), r.Header.Get(headerSession), r.Header.Get("X-Key"))
			}), func(c *Config) {
				c.Header = http.Header{"X-Key": {key}, "Authorization": {"Bearer " + token}}
			})
			body, err, x := do(t.Context(), t, c, url+"?token="+token, call)
			mustNotContain(t, body, token, key, "SESSION-1234")
			if err != nil {
				mustNotContain(t, Redact(err), token, key, "SESSION-1234", "?")
				mustNotContain(t, x.Err().Error(), token, key, "SESSION-1234")
			} else if !strings.Contains(body, "bad credentials") {
				t.Errorf("%d: body %q", code, body)
			}
		}
	}
}

func TestErrorBodiesAreCutCleanly(t *testing.T) {
	c, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		io.WriteString(w, "a"+strings.Repeat("é\x07\u202e\U000e0041", 100_000))
	}), nil)
	_, err, _ := do(t.Context(), t, c, url, call)
	var e *HTTPError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if strings.Trim(e.Body, "aé") != "" || len(e.Body) > maxErrorText || len(e.Body) < 64 {
		t.Errorf("body of %d bytes: %q", len(e.Body), e.Body)
	}
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"0": 0, "30": 30 * time.Second, " 30 ": 30 * time.Second, "300": 5 * time.Minute, "301": 5 * time.Minute,
		"99999999999999999999999": 5 * time.Minute, "Fri, 02 Jan 2026 03:04:25 GMT": 20 * time.Second,
		"Fri, 02 Jan 2026 03:00:00 GMT": 0, "Sat, 03 Jan 2026 00:00:00 GMT": 5 * time.Minute,
		"": -1, "soon": -1, "-1": -1, "1.5": -1, "0x10": -1,
	} {
		got, ok := retryAfter(v, now)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("retryAfter(%q) = %v, %v, want %v", v, got, ok, want)
		}
	}
}

// The 25 redirects: five statuses, and five places they can lead to.
func TestRedirectsCarryNothingAway(t *testing.T) {
	const secret = "hunter2secret"
	for _, code := range []int{301, 302, 303, 307, 308} {
		for name, target := range map[string]string{
			"other host": "https://evil.example/mcp?q=1", "other port": "https://h.example:8443/mcp", "subdomain": "https://a.h.example/mcp",
			"downgrade": "http://h.example/mcp", "same origin": "https://h.example/elsewhere?token=x",
		} {
			requests := 0
			c, err := New(Config{
				Endpoint: "https://h.example/mcp?k=" + secret, Header: http.Header{"Authorization": {"Bearer " + secret}},
				Base: roundTripper(func(r *http.Request) (*http.Response, error) {
					if requests++; r.URL.Path != "/mcp" || r.URL.Host != "h.example" || r.URL.Scheme != "https" {
						t.Errorf("%d to %s: a request went to %s", code, name, r.URL.Host)
					}
					return respond(code, "", "", "Location", target)
				}),
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err, x := do(t.Context(), t, c, "https://h.example/mcp?k="+secret, call)
			var redirect *RedirectError
			if !errors.As(err, &redirect) || redirect.StatusCode != code || redirect.Host == "" || x.Err() != error(redirect) {
				t.Errorf("%d to %s: error %v", code, name, err)
			}
			mustNotContain(t, x.Err().Error(), "token=x", "q=1", secret)
			mustNotContain(t, Redact(err), "token=x", "q=1", secret)
			if requests != 1 {
				t.Errorf("%d to %s: %d requests", code, name, requests)
			}
		}
	}
}
