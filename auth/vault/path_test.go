package vault

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/mcpfleet/mcpfleet/auth"
)

func TestPathsAreThoseDocumented(t *testing.T) {
	for want, key := range map[string]auth.SecretKey{
		"mcpfleet/acme/shared/github-pat":                  {Tenant: "acme", ID: "github-pat"},
		"mcpfleet/acme/github/authorization":               {Tenant: "acme", Server: "github", ID: "authorization"},
		"mcpfleet/acme/~73hared/x":                         {Tenant: "acme", Server: "shared", ID: "x"},
		"mcpfleet/shared/shared/shared":                    {Tenant: "shared", ID: "shared"},
		"mcpfleet/~/shared/~":                              {},
		"mcpfleet/~2E~2E/~2E/a.~2E~2E":                     {Tenant: "..", Server: ".", ID: "a..."},
		"mcpfleet/a~2Fb/example.com/alice~40corp.com":      {Tenant: "a/b", Server: "example.com", ID: "alice@corp.com"},
		"mcpfleet/~252f/~7E/~2B":                           {Tenant: "%2f", Server: "~", ID: "+"},
		"mcpfleet/~C3~A4/shared/a~00b":                     {Tenant: "ä", ID: "a\x00b"},
		"mcpfleet/acme/shared/" + strings.Repeat("n", 128): {Tenant: "acme", ID: strings.Repeat("n", 128)},
		"mcpfleet/acme/shared/~h0bf2917cc7e3d671a8cb2cea35cfffbc6586cfda9f0ae830a6e1f2295b74fc8c": {Tenant: "acme", ID: strings.Repeat("n", 129)},
	} {
		if got := Path("", key); got != want {
			t.Errorf("Path(%+v) = %q, want %q", key, got, want)
		}
	}
	if got, want := Path("a/b", pat), "a/b/acme/shared/github-pat"; got != want {
		t.Errorf("Path with a prefix = %q, want %q", got, want)
	}
}

// arrives returns the path that a server sees which Go's own client asks for p.
func arrives(t testing.TB, p string) string {
	u := url.URL{Scheme: "http", Host: "vault.invalid", Path: "/v1/secret/data/" + p}
	parsed, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil {
		t.Fatalf("%q: %v", p, err)
	}
	if parsed.URL.RawQuery != "" || parsed.URL.Fragment != "" || parsed.URL.RawPath != "" {
		t.Fatalf("%q has bytes with a meaning in a URL", p)
	}
	r := httptest.NewRequest(http.MethodGet, parsed.URL.RequestURI(), nil)
	return strings.TrimPrefix(r.URL.Path, "/v1/secret/data/")
}

// No name leaves its place, whoever made it up, and two keys never meet.
func FuzzPaths(f *testing.F) {
	f.Add("acme", "github", "x", "acme", "", "github/x")
	f.Add("..", "", "x", "%2e%2e", "shared", "x")
	f.Add("a/../b", "..", "%2f", "a", "..", "..")
	f.Add("", "", "", "~", "~", "~")
	f.Add("a", "shared", "x", "a", "~73hared", "x")
	f.Add("ä", "\x00", "\xff", "a\u0308", "\n", "?a=b#c")
	f.Add(strings.Repeat("n", 129), "+", "*", "~h"+strings.Repeat("0", 64), "{{identity.entity.id}}", "a*")
	f.Fuzz(func(t *testing.T, tenant1, server1, id1, tenant2, server2, id2 string) {
		one, two := auth.SecretKey{Tenant: tenant1, Server: server1, ID: id1}, auth.SecretKey{Tenant: tenant2, Server: server2, ID: id2}
		p1, p2 := Path("", one), Path("", two)
		if (p1 == p2) != (one == two) {
			t.Fatalf("%+v and %+v: %q and %q", one, two, p1, p2)
		}
		below := "mcpfleet/" + segment(tenant1) + "/"
		if !strings.HasPrefix(p1, below) || strings.HasPrefix(p2, below) != (tenant1 == tenant2) {
			t.Fatalf("%q and %q: tenants %q and %q are not apart", p1, p2, tenant1, tenant2)
		}
		if strings.HasPrefix(p1, below+"shared/") != (server1 == "") {
			t.Fatalf("%q: server %q", p1, server1)
		}
		if strings.Count(p1, "/") != 3 || path.Clean(p1) != p1 || strings.ContainsAny(p1, "%+*{}?#\\ ") || !isPath(p1) || strings.Contains(p1, "..") {
			t.Fatalf("%q has a segment with a meaning", p1)
		}
		for s := range strings.SplitSeq(p1, "/") {
			if len(s) > maxSegment {
				t.Fatalf("%q has a segment of %d bytes", p1, len(s))
			}
		}
		if got := arrives(t, p1); got != p1 {
			t.Fatalf("%q arrives as %q", p1, got)
		}
	})
}
