package storetest

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/mcpfleet/mcpfleet/auth"
)

// TestSecretStore checks a [auth.SecretStore] that can be written. Every call of open returns one without credentials.
func TestSecretStore(t *testing.T, open func(t *testing.T) auth.SecretStore, opts *Options) {
	o := opts.withDefaults()
	with := func(f func(t *testing.T, s secrets)) func(t *testing.T) {
		return func(t *testing.T) { f(t, secrets{t, open(t), o}) }
	}
	o.run(t, "absent credentials are not found", with(testNoSecret))
	o.run(t, "credentials come back whole", with(testSecrets))
	o.run(t, "the zero credential deletes", with(testDeleteSecret))
	o.run(t, "keys that differ are apart", with(testSecretIsolation))
	o.run(t, "credentials are not aliased", with(testSecretAliasing))
	o.run(t, "concurrent callers get their own credentials", with(testSecretRace))
	if o.ReopenSecrets != nil {
		o.run(t, "another instance has the credentials", with(testReopenSecrets))
	}
}

var github = auth.SecretKey{Tenant: "acme", Server: "github", ID: "authorization"}

// secrets is a store under test.
type secrets struct {
	t *testing.T
	auth.SecretStore
	o *Options
}

func (s secrets) set(key auth.SecretKey, c auth.Credential) {
	s.t.Helper()
	if err := s.SetSecret(s.t.Context(), key, c); err != nil {
		s.t.Errorf("SetSecret(%+v): %v", key, err)
	}
}

// has checks the credential of key; the zero one is that there is none.
func (s secrets) has(key auth.SecretKey, want auth.Credential) {
	s.t.Helper()
	got, err := s.Secret(s.t.Context(), key)
	if want.IsZero() {
		if !isNotFound(err) || !got.IsZero() {
			s.t.Errorf("Secret(%+v) = %v, %v; want an error that wraps ErrNotFound", key, got, err)
		}
	} else if err != nil || !equal(got, want) {
		s.t.Errorf("Secret(%+v) = %v, %v; want another credential", key, got, err)
	}
}

func equal(a, b auth.Credential) bool {
	return a.Authorization.Equal(b.Authorization) && maps.EqualFunc(a.Headers, b.Headers, auth.Secret.Equal) &&
		maps.EqualFunc(a.Env, b.Env, auth.Secret.Equal) && a.ID == b.ID && a.Principal == b.Principal
}

func testNoSecret(t *testing.T, s secrets) {
	s.has(github, auth.Credential{})
	if _, err := s.Secret(t.Context(), github); errors.Is(err, auth.ErrDenied) || errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("Secret of an absent key = %v, which says that it is denied or the store unavailable", err)
	}
}

func testSecrets(t *testing.T, s secrets) {
	for _, c := range []auth.Credential{
		auth.Bearer("t0ken"),
		auth.Basic("user", "pässword"),
		auth.Header("X-Api-Key", "<k&\"\\\u2028e\ty>"),
		auth.Reference("elsewhere"),
		{Env: map[string]auth.Secret{"A": auth.NewSecret("1"), "B": auth.NewSecret("[redacted]")}},
		{Authorization: auth.NewSecret("Bearer x"), Principal: "service"},
		{
			Authorization: auth.NewSecret("Bearer y"),
			Headers:       map[string]auth.Secret{"X-A": auth.NewSecret("a"), "x-b": auth.NewSecret("b")},
			Env:           map[string]auth.Secret{"C": auth.NewSecret("line\nline")},
			ID:            "id", Principal: "p",
		},
	} {
		s.set(github, c)
		s.has(github, c)
	}

	// A store may refuse what it cannot keep, but must not alter it.
	odd := auth.Credential{Env: map[string]auth.Secret{"E": auth.NewSecret("\xff\xfe")}}
	if err := s.SetSecret(t.Context(), github, odd); err == nil {
		s.has(github, odd)
	}
}

func testDeleteSecret(t *testing.T, s secrets) {
	s.set(github, auth.Credential{}) // of what is not there
	s.set(github, auth.Bearer("a"))
	s.set(github, auth.Credential{})
	s.has(github, auth.Credential{})
	s.set(github, auth.Bearer("b"))
	s.has(github, auth.Bearer("b"))
}

func testSecretIsolation(t *testing.T, s secrets) {
	keys := secretKeys()
	value := func(i int) auth.Credential { return auth.Bearer(fmt.Sprintf("token-%d", i)) }
	for i, key := range keys {
		s.has(key, auth.Credential{})
		s.set(key, value(i))
	}
	for i, key := range keys {
		s.has(key, value(i))
		if i%2 == 0 {
			s.set(key, auth.Credential{})
		}
	}
	for i, key := range keys {
		if i%2 == 0 {
			s.has(key, auth.Credential{})
		} else {
			s.has(key, value(i))
		}
	}
}

func testSecretAliasing(t *testing.T, s secrets) {
	fresh := func() auth.Credential {
		return auth.Credential{Headers: map[string]auth.Secret{"A": auth.NewSecret("a")}, Env: map[string]auth.Secret{"B": auth.NewSecret("b")}}
	}
	c := fresh()
	s.set(github, c)
	c.Headers["A"], c.Env["C"] = auth.NewSecret("x"), auth.NewSecret("x")
	s.has(github, fresh())
	c, err := s.Secret(t.Context(), github)
	if err != nil || !equal(c, fresh()) {
		t.Fatalf("Secret = %v, %v; want another credential", c, err)
	}
	c.Headers["C"], c.Env["B"] = auth.NewSecret("x"), auth.NewSecret("x")
	s.has(github, fresh())
}

func testSecretRace(t *testing.T, s secrets) {
	const workers, rounds = 64, 10
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			own := auth.SecretKey{Tenant: fmt.Sprintf("tenant%d", w), ID: "x"}
			for i := range rounds {
				c := auth.Bearer(fmt.Sprintf("%d-%d", w, i))
				s.set(own, c)
				s.has(own, c)
				s.set(github, c)
				if _, err := s.Secret(t.Context(), github); err != nil {
					t.Errorf("Secret of the shared key: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func testReopenSecrets(t *testing.T, s secrets) {
	s.set(github, auth.Bearer("a"))
	other := secrets{t, s.o.ReopenSecrets(t, s.SecretStore), s.o}
	other.has(github, auth.Bearer("a"))
	other.set(github, auth.Bearer("b"))
	s.has(github, auth.Bearer("b"))
}
