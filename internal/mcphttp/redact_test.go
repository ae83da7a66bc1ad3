package mcphttp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func TestRedactRemovesWhatMustNotBeLogged(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`Post "https://u:pw@h.example/mcp?key=s3cret&x=1#frag": EOF`, `Post "https://h.example/mcp": EOF`},
		{`Get https://h.example/mcp?key=s3cret failed`, `Get https://h.example/mcp failed`},
		{`sending "tools/call": failed to connect (session ID: ABCDEF): session not found`, `sending "tools/call": failed to connect (session ID: [removed]): session not found`},
		{`mismatching session IDs "a1" and "b2"`, `mismatching session IDs [removed]`},
		{`header Mcp-Session-Id: abc is bad`, `header Mcp-Session-Id: [removed] is bad`},
		{`Authorization: Bearer abc.def-ghi, X-Api-Key: k1`, `Authorization: [removed], X-Api-Key: [removed]`},
		{`token "Bearer abcdefghi" refused`, `token "Bearer [removed]" refused`},
		{`missing bearer token`, `missing bearer token`},
		{`dial tcp 127.0.0.1:1: connect: connection refused`, `dial tcp 127.0.0.1:1: connect: connection refused`},
		{`parse "http://h/%zz?k=s3cret": bad`, `parse "[removed]": bad`},
		{`lookup wss://h?a=1;postgres://u:p@db/x?sslmode=1`, `lookup wss://h`},
		{``, ``},
	} {
		if got := Redact(errors.New(tt.in)); got != tt.want {
			t.Errorf("Redact(%s)\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
	if Redact(nil) != "" {
		t.Error("Redact(nil) is not empty")
	}
}

func TestRedactKnowsTheErrorsOfNetHTTPAndTheSDK(t *testing.T) {
	err := fmt.Errorf("calling: %w", &url.Error{Op: "Post", URL: "https://h/mcp?token=s3cret", Err: errors.New("EOF")})
	mustNotContain(t, Redact(err), "s3cret", "?")
	mustNotContain(t, Redact(fmt.Errorf("x: failed to connect (session ID: %v): %w", "S3SSION", mcp.ErrSessionMissing)), "S3SSION")
}

func FuzzRedactNeverKeepsAQuery(f *testing.F) {
	f.Add("https://h/p", "secret")
	f.Add("Get \"http://u:p@[::1]:80/", "x y")
	f.Fuzz(func(t *testing.T, before, after string) {
		Redact(errors.New(before + "?" + after))
		const canary = "c4nary"
		mustNotContain(t, Redact(errors.New(before+` "https://h.example/mcp?token=`+canary+`": `+after)), canary)
	})
}

// A server knows what it was sent. What it says about a failure ends up in errors and logs.
func TestAServerCannotEchoCredentialsIntoErrors(t *testing.T) {
	const bearer, password = "tok/en-1234", "pass:word 1234"
	basic := base64.StdEncoding.EncodeToString([]byte("user:" + password))
	for name, answer := range map[string]func(w http.ResponseWriter, echo string){
		"JSON": func(w http.ResponseWriter, echo string) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"bad %s","data":{"got":%q}}}`, echo, echo)
		},
		"400": func(w http.ResponseWriter, echo string) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"bad %s"}}`, echo)
		},
		"stream": func(w http.ResponseWriter, echo string) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":7,\ndata: \"error\":{\"code\":-32000,\"message\":\"bad %s\"}}\n\n", echo)
		},
		"401": func(w http.ResponseWriter, echo string) {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer error_description=%q", echo))
			http.Error(w, "not "+echo, http.StatusUnauthorized)
		},
	} {
		for credential, echoes := range map[string][]string{"Bearer " + bearer: {bearer}, "Basic " + basic: {basic, password}} {
			for _, echo := range echoes {
				c, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Authorization") != credential {
						t.Errorf("the server got %q", r.Header.Get("Authorization"))
					}
					answer(w, echo)
				}), func(cfg *Config) { cfg.Header = http.Header{"Authorization": {credential}} })
				body, err, _ := do(t.Context(), t, c, url, call)
				if text := fmt.Sprintf("%s %v %#v", body, err, err); strings.Contains(text, echo) {
					t.Errorf("%s: %s", name, text)
				}
				var h *HTTPError
				if errors.As(err, &h) && strings.Contains(fmt.Sprintf("%#v", *h), echo) {
					t.Errorf("%s: %#v", name, *h)
				}
				if err == nil && !strings.Contains(body, "-32000") {
					t.Errorf("%s: the error is lost: %s", name, body)
				}
			}
		}
	}
}
