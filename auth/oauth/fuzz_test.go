package oauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfleet/mcpfleet/internal/httptext"
)

// Whatever comes back with a browser: only the right code for the right state gives a token, and errors are typed and
// tell nothing.
func FuzzComplete(f *testing.F) {
	for _, s := range []string{
		"", "state=STATE", "state=STATE&code=CODE", "state=STATE&code=CODE&iss=https://as.example.com", "state=STATE&code=x", "code=CODE",
		"state=STATE&state=STATE&code=CODE", "state=STATE&error=access_denied&error_description=%0d%0aCODE", "state=STATE&error=&code=CODE",
		"state=%00&code=%ff", "state=STATE&code=CODE&scope=x#y", "STATE=CODE",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		w := newWorld(t)
		c := w.client()
		right := w.browse(w.url(c, alice), "alice")
		query, err := url.ParseQuery(strings.NewReplacer("STATE", right.Get("state"), "CODE", right.Get("code")).Replace(raw))
		if err != nil {
			return
		}
		key, err := c.Complete(t.Context(), query)
		tok, terr := c.Token(t.Context(), alice)
		if terr != nil {
			t.Fatal(terr)
		}
		ok := reflect.DeepEqual(query["state"], right["state"]) && reflect.DeepEqual(query["code"], right["code"]) &&
			!query.Has("error") && query.Get("iss") == "" && len(query["iss"]) < 2 && len(query["error_description"]) < 2 &&
			len(query.Get("error_description")) <= maxParameter
		if (err == nil) != ok || tok.IsZero() == ok || ok && key != alice {
			t.Fatalf("Complete(%q) = %v, %v; token %t", query, key, err, !tok.IsZero())
		}
		var typed *Error
		if err != nil && (!errors.As(err, &typed) || strings.Contains(err.Error(), right.Get("state")) || strings.Contains(err.Error(), right.Get("code"))) {
			t.Fatalf("error %v", err)
		}
		for _, b := range []byte(errorText(err)) {
			if b < ' ' || b > '~' {
				t.Fatalf("error %q", err)
			}
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Stored values are decoded to what would be encoded to them, or not at all.
func FuzzRecords(f *testing.F) {
	w := newWorld(f)
	c := w.client()
	w.url(c, alice)
	w.login(c, bob)
	w.url(c, alice)
	o, b := owner{"acme", "alice"}, owner{"acme", "bob"}
	for _, key := range []struct {
		kind string
		o    owner
	}{{"token", b}, {"pending", o}, {"client", o}} {
		k := c.tokenKey(key.o)
		k.Kind = key.kind
		if key.kind == "client" {
			k = c.clientKey(key.o, asURL)
		}
		data, err := c.cfg.Store.Load(f.Context(), k)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	p, _ := c.pending(f.Context(), o)
	data, _ := c.cfg.Store.Load(f.Context(), c.stateKey(p.State))
	f.Add(data)
	bw := newBoundWorld(f)
	bc := bw.client()
	bw.logIn(bc, bob)
	bound, _ := bc.cfg.Store.Load(f.Context(), bc.tokenKey(b))
	f.Add(bound)
	f.Add([]byte(`{"v":1,"issuer":"https://as.example.com"}`))
	f.Add([]byte(`{"v":2,"issuer":"https://as.example.com"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		again[tokenRecord](t, data)
		again[clientRecord](t, data)
		again[pendingRecord](t, data)
		again[stateRecord](t, data)
		again[bindingRecord](t, data)
		if r, err := decodeRecord[tokenRecord](data); err == nil && (!httptext.B64Token(r.Access) || r.For == "" || r.Bound && c.token(&r).key == nil) {
			t.Errorf("a token %q for %q", r.Access, r.For)
		}
	})
}

func again[T interface{ valid() bool }](t *testing.T, data []byte) {
	r, err := decodeRecord[T](data)
	if err != nil {
		return
	}
	text, err := json.Marshal(r)
	if err != nil {
		return // a time beyond the year 9999
	}
	second, err := decodeRecord[T](text)
	if err != nil {
		t.Fatalf("%T is not decoded any more: %v", r, err)
	}
	if twice, _ := json.Marshal(second); string(twice) != string(text) {
		t.Errorf("%s\nbecomes\n%s", text, twice)
	}
}

// Whatever metadata says: what is accepted is of the issuer and has secure endpoints only.
func FuzzServerMetadata(f *testing.F) {
	f.Add(`{"issuer":"https://as.example.com","token_endpoint":"https://as.example.com/token"}`)
	f.Add(`{"issuer":"https://as.example.com/","token_endpoint":"http://localhost/token"}`)
	f.Add(`{"issuer":"https://as.example.com","token_endpoint":"https://x/","authorization_endpoint":"javascript://x/%0a"}`)
	f.Add(`{"Issuer":"https://as.example.com","token_endpoint":"https:x"}`)
	f.Fuzz(func(t *testing.T, text string) {
		w := &web{base: tripper(func(r *http.Request) (*http.Response, error) {
			rw := httptest.NewRecorder()
			body(200, "application/json", text)(rw, r)
			return rw.Result(), nil
		})}
		meta, err := w.issuer(t.Context(), asURL)
		if err != nil {
			return
		}
		checkSecure(t, &meta.AuthServerMeta)
	})
}

func checkSecure(t *testing.T, m *oauthex.AuthServerMeta) {
	if strings.TrimSuffix(m.Issuer, "/") != asURL || m.TokenEndpoint == "" {
		t.Errorf("issuer %q, token endpoint %q", m.Issuer, m.TokenEndpoint)
	}
	for _, e := range []string{m.TokenEndpoint, m.AuthorizationEndpoint, m.RegistrationEndpoint, m.RevocationEndpoint} {
		if e != "" && (!strings.HasPrefix(strings.ToLower(e), "https://") || strings.ContainsAny(e, "\r\n\x00#")) {
			t.Errorf("endpoint %q", e)
		}
	}
}
