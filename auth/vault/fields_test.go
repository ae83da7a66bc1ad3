package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/mcpfleet/mcpfleet/auth"
)

// same compares credentials with their values.
func same(a, b auth.Credential) bool {
	return a.Authorization.Equal(b.Authorization) && maps.EqualFunc(a.Headers, b.Headers, auth.Secret.Equal) &&
		maps.EqualFunc(a.Env, b.Env, auth.Secret.Equal) && a.ID == b.ID && a.Principal == b.Principal
}

// fieldErrors are secrets that are no credentials, each with the field that the error must name. Every value that a person
// might take for a secret has "t0ps3cret" in it.
var fieldErrors = []struct {
	field string
	data  map[string]any
}{
	{"", map[string]any{}},
	{"tokn", map[string]any{"tokn": "t0ps3cret"}},
	{"Token", map[string]any{"Token": "t0ps3cret"}},
	{"description", map[string]any{"token": "t0ps3cret", "description": "t0ps3cret"}},
	{"token", map[string]any{"token": 12345678}},
	{"token", map[string]any{"token": true}},
	{"token", map[string]any{"token": nil}},
	{"token", map[string]any{"token": []any{"t0ps3cret"}}},
	{"token", map[string]any{"token": map[string]any{"value": "t0ps3cret"}}},
	{"token", map[string]any{"token": ""}},
	{"authorization", map[string]any{"authorization": ""}},
	{"token", map[string]any{"token": "t0ps3cret1", "authorization": "Bearer t0ps3cret2"}},
	{"username", map[string]any{"token": "t0ps3cret1", "username": "t0ps3cret2", "password": "t0ps3cret3"}},
	{"username", map[string]any{"authorization": "Bearer t0ps3cret1", "username": "t0ps3cret2", "password": "t0ps3cret3"}},
	{"password", map[string]any{"username": "t0ps3cret"}},
	{"password", map[string]any{"username": "t0ps3cret", "password": 12345678}},
	{"password", map[string]any{"password": "t0ps3cret"}},
	{"password", map[string]any{"password": "t0ps3cret", "token": "t0ps3cret"}},
	{"username", map[string]any{"username": "t0ps3cret:x", "password": "t0ps3cret"}},
	{"username", map[string]any{"username": "t0ps3cret\n", "password": "t0ps3cret"}},
	{"password", map[string]any{"username": "t0ps3cret", "password": "t0ps3cret\x7f"}},
	{"header:", map[string]any{"header:": "t0ps3cret"}},
	{"env:", map[string]any{"env:": "t0ps3cret"}},
	{"header", map[string]any{"header": "t0ps3cret"}},
	{"header:X-Key", map[string]any{"header:X-Key": 12345678}},
	{"header:X-Key", map[string]any{"header:X-Key": ""}},
	{"env:KEY", map[string]any{"env:KEY": ""}},
	{"principal", map[string]any{"token": "t0ps3cret", "principal": ""}},
}

func checkFieldError(t testing.TB, err error, field string, data map[string]any) {
	t.Helper()
	var e *FieldError
	switch {
	case !errors.As(err, &e) || e.Field != field || !errors.Is(err, auth.ErrInvalidCredential):
		t.Errorf("secret %v: error %v; want a FieldError for %q that wraps ErrInvalidCredential", data, err, field)
	case !strings.Contains(err.Error(), "/acme/shared/github-pat") || !strings.Contains(err.Error(), field) || !strings.HasPrefix(err.Error(), "auth/vault: "):
		t.Errorf("secret %v: error %q; want one that names the package, the secret and the field", data, err)
	case strings.Contains(err.Error(), "t0ps3cret") || strings.Contains(err.Error(), "12345678"):
		t.Errorf("secret %v: error %q has a value in it", data, err)
	}
}

func TestFieldErrorsOfLongNamesAreShort(t *testing.T) {
	_, err := decode("p", map[string]any{strings.Repeat("n", 1<<20): "x"})
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("error of %d bytes", len(fmt.Sprint(err)))
	}
}

func TestCredentialsThatCannotBeKeptAreRefused(t *testing.T) {
	w := doubleWorld(t)
	s := w.openRoot()
	for field, c := range map[string]auth.Credential{
		"authorization": {Authorization: auth.NewSecret("t0ps3cret\xff")},
		"principal":     {Authorization: auth.NewSecret("t0ps3cret"), Principal: "\xff"},
		"id":            auth.Reference("\xff"),
		"header:":       auth.Header("", "t0ps3cret"),
		"header:X":      {Headers: map[string]auth.Secret{"X": {}}},
		"env:E":         {Env: map[string]auth.Secret{"E": auth.NewSecret("t0ps3cret\xff")}},
		"env:E\xff":     {Env: map[string]auth.Secret{"E\xff": auth.NewSecret("t0ps3cret")}},
	} {
		var e *FieldError
		if err := s.SetSecret(t.Context(), pat, c); !errors.As(err, &e) || e.Field != field || strings.Contains(err.Error(), "t0ps3cret") {
			t.Errorf("SetSecret with a bad %q: %v; want a FieldError without the value", field, err)
		}
	}
	if got := s.calls.of("POST"); got != 0 {
		t.Errorf("%d writes, want 0", got)
	}
}

// Whatever a secret holds, decoding it gives a credential that is the same after it was written and read, or an error that
// names the field and has no value in it.
func FuzzDecode(f *testing.F) {
	for _, c := range fieldErrors {
		encoded, _ := json.Marshal(c.data)
		f.Add(encoded)
	}
	f.Add([]byte(`{"token":"x","header:X-A":"a","header:X:Y":"b","env:E":"c","principal":"p","id":"i"}`))
	f.Add([]byte(`{"username":"u","password":""}`))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var data map[string]any
		if json.Unmarshal(encoded, &data) != nil {
			return
		}
		c, err := decode("p", data)
		if err != nil {
			var e *FieldError
			if !errors.As(err, &e) || !c.IsZero() {
				t.Fatalf("decode(%s) = %v, %v", encoded, c, err)
			}
			if _, there := data[e.Field]; e.Field != "" && e.Field != fieldPassword && !there {
				t.Fatalf("decode(%s) names the field %q, which is not there", encoded, e.Field)
			}
			return
		}
		if c.IsZero() {
			t.Fatalf("decode(%s) is no credential and no error", encoded)
		}
		again, err := encode("p", c)
		if err != nil {
			t.Fatalf("encode of decode(%s): %v", encoded, err)
		}
		back := make(map[string]any, len(again))
		for field, text := range again {
			back[field] = text
		}
		if d, err := decode("p", back); err != nil || !same(c, d) {
			t.Fatalf("decode(%s) written and read again: %v, %v", encoded, d, err)
		}
	})
}
