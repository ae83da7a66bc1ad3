package mcphttp

import (
	"errors"
	"fmt"
	"net/url"
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
