package auth_test

import (
	"bytes"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/storetest"
)

// aesKey returns a key for tests that differs from others by n.
func aesKey(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

func fileStore(t *testing.T, dir string, keys ...[]byte) *auth.FileStore {
	t.Helper()
	s, err := auth.NewFileStore(dir, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encrypt(t *testing.T, s auth.TokenStore, keys ...[]byte) auth.TokenStore {
	t.Helper()
	e, err := auth.Encrypt(s, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Scenario 92.
func TestMemoryStoreConforms(t *testing.T) {
	o := &storetest.Options{Bubble: true}
	storetest.TestTokenStore(t, func(*testing.T) auth.TokenStore { return auth.NewMemoryStore() }, o)
	storetest.TestSecretStore(t, func(*testing.T) auth.SecretStore { return auth.NewMemoryStore() }, o)
}

// Scenario 92.
func TestFileStoreConforms(t *testing.T) {
	var dirs sync.Map // store -> directory
	open := func(t *testing.T) *auth.FileStore {
		dir := filepath.Join(t.TempDir(), "store")
		s := fileStore(t, dir, aesKey(1))
		dirs.Store(s, dir)
		return s
	}
	reopen := func(t *testing.T, s any) *auth.FileStore {
		dir, _ := dirs.Load(s)
		return fileStore(t, dir.(string), aesKey(1))
	}
	o := &storetest.Options{
		Bubble:        true,
		ReopenTokens:  func(t *testing.T, s auth.TokenStore) auth.TokenStore { return reopen(t, s) },
		ReopenSecrets: func(t *testing.T, s auth.SecretStore) auth.SecretStore { return reopen(t, s) },
	}
	storetest.TestTokenStore(t, func(t *testing.T) auth.TokenStore { return open(t) }, o)
	storetest.TestSecretStore(t, func(t *testing.T) auth.SecretStore { return open(t) }, o)
}

func TestEncryptedStoreConforms(t *testing.T) {
	var inner sync.Map // encrypted store -> what it is over
	storetest.TestTokenStore(t, func(t *testing.T) auth.TokenStore {
		m := auth.NewMemoryStore()
		e := encrypt(t, m, aesKey(1))
		inner.Store(e, m)
		return e
	}, &storetest.Options{
		Bubble: true,
		ReopenTokens: func(t *testing.T, s auth.TokenStore) auth.TokenStore {
			m, _ := inner.Load(s)
			return encrypt(t, m.(*auth.MemoryStore), aesKey(1))
		},
		SharedLocks: true,
	})
}

// decodeTokenKey is the inverse of Encode: that there is one is what makes the encoding unambiguous.
func decodeTokenKey(t *testing.T, text string) auth.TokenKey {
	fields := strings.Split(text, "/")
	if len(fields) != 6 {
		t.Fatalf("%q has %d fields", text, len(fields))
	}
	for i, field := range fields {
		var err error
		if fields[i], err = url.QueryUnescape(field); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	}
	return auth.TokenKey{Kind: fields[0], Tenant: fields[1], User: fields[2], Server: fields[3], Issuer: fields[4], ID: fields[5]}
}

func FuzzTokenKeysHaveDifferentTexts(f *testing.F) {
	f.Add("token", "a", "b/c", "s", "https://as.example.com", "", "token", "a/b", "c", "s", "https://as.example.com", "")
	f.Add("", "", "", "", "", "", "/", "", "", "", "", "")
	f.Add("a+b", "%2F", "\x00", "ü", "\xff", "{x}", "a b", "/", "", "u\u0308", "\xfe", "x")
	f.Fuzz(func(t *testing.T, k1, t1, u1, s1, i1, d1, k2, t2, u2, s2, i2, d2 string) {
		a := auth.TokenKey{Kind: k1, Tenant: t1, User: u1, Server: s1, Issuer: i1, ID: d1}
		b := auth.TokenKey{Kind: k2, Tenant: t2, User: u2, Server: s2, Issuer: i2, ID: d2}
		if (a == b) != (a.Encode() == b.Encode()) {
			t.Errorf("%#v and %#v are written %q and %q", a, b, a.Encode(), b.Encode())
		}
		for _, k := range []auth.TokenKey{a, b} {
			text := k.Encode()
			if got := decodeTokenKey(t, text); got != k {
				t.Errorf("%#v is written %q, which reads %#v", k, text, got)
			}
			for _, c := range []byte(text + k.String()) {
				if c <= ' ' || c > '~' || strings.IndexByte(`:{}*?[]\`, c) >= 0 {
					t.Fatalf("%q has the byte %q", text, c)
				}
			}
		}
		// A credential is never taken for a token, nor one for another.
		x, y := auth.SecretKey{Tenant: t1, Server: s1, ID: d1}, auth.SecretKey{Tenant: t2, Server: s2, ID: d2}
		if (x == y) != (x.Encode() == y.Encode()) || x.Encode() == a.Encode() {
			t.Errorf("%#v, %#v and %#v are written %q, %q and %q", x, y, a, x.Encode(), y.Encode(), a.Encode())
		}
	})
}

func TestTextsOfTokenKeysForLogsHideTheID(t *testing.T) {
	k := auth.TokenKey{Kind: "state", Tenant: "acme", User: "alice@example.com", Server: "github", Issuer: "https://as.example.com", ID: "s3cret-state"}
	for _, text := range []string{k.String(), k.LogValue().String()} {
		if want := "state/acme/alice%40example.com/github/https%3A%2F%2Fas.example.com/d5269bdc"; text != want {
			t.Errorf("text of %#v = %q, want %q", k, text, want)
		}
	}
	k.ID = ""
	if k.String() != k.Encode() {
		t.Errorf("text of a key without ID = %q, want %q", k.String(), k.Encode())
	}
}
