package auth_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

var (
	alice = auth.TokenKey{Kind: "token", Tenant: "acme", User: "alice", Server: "github"}
	bob   = auth.TokenKey{Kind: "token", Tenant: "acme", User: "bob", Server: "github"}
)

func mustSave(t *testing.T, s auth.TokenStore, key auth.TokenKey, value string) {
	t.Helper()
	if err := s.Save(t.Context(), key, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// mustHold checks what a store has, or what its error says about why it has not.
func mustHold(t *testing.T, s auth.TokenStore, key auth.TokenKey, want string) {
	t.Helper()
	if got, err := s.Load(t.Context(), key); err != nil || string(got) != want {
		t.Errorf("Load(%s) = %q, %v; want %q", key, got, err, want)
	}
}

func mustFail(t *testing.T, s auth.TokenStore, key auth.TokenKey, want ...string) {
	t.Helper()
	got, err := s.Load(t.Context(), key)
	if err == nil || errors.Is(err, auth.ErrNotFound) || got != nil {
		t.Errorf("Load(%s) = %q, %v; want an error that is not ErrNotFound", key, got, err)
		return
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("Load(%s) = %v; want it to say %q", key, err, part)
		}
	}
}

func TestEncryptedValuesAreSealedEachTimeAnew(t *testing.T) {
	m := auth.NewMemoryStore()
	e := encrypt(t, m, aesKey(1))
	seen := map[string]bool{}
	for range 100 {
		mustSave(t, e, alice, "t0ken")
		sealed, err := m.Load(t.Context(), alice)
		if err != nil || bytes.Contains(sealed, []byte("t0ken")) || seen[string(sealed)] {
			t.Fatalf("sealed value %q, %v: in the clear, or seen before", sealed, err)
		}
		seen[string(sealed)] = true
	}
	mustHold(t, e, alice, "t0ken")
}

// Every byte counts: what was changed anywhere, cut short or moved is an error and no value.
func TestChangedValuesCannotBeDecrypted(t *testing.T) {
	m := auth.NewMemoryStore()
	e := encrypt(t, m, aesKey(1))
	mustSave(t, e, alice, "t0ken")
	sealed, err := m.Load(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	put := func(key auth.TokenKey, value []byte) {
		if err := m.Save(t.Context(), key, value, 0); err != nil {
			t.Fatal(err)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		put(alice, changed)
		mustFail(t, e, alice, "token/acme/alice/github", "delete it")
		put(alice, sealed[:i])
		mustFail(t, e, alice)
	}
	put(bob, sealed)
	mustFail(t, e, bob, "token/acme/bob/github", "sealed for something else")
	put(alice, sealed)
	mustHold(t, e, alice, "t0ken")
}

func TestKeysCanBeReplaced(t *testing.T) {
	m := auth.NewMemoryStore()
	oldOnly, both, newOnly := encrypt(t, m, aesKey(1)), encrypt(t, m, aesKey(2), aesKey(1)), encrypt(t, m, aesKey(2))
	mustSave(t, oldOnly, alice, "a")
	mustHold(t, both, alice, "a")
	mustFail(t, newOnly, alice, "not among those given")
	mustSave(t, both, alice, "b")
	mustHold(t, newOnly, alice, "b")
	mustFail(t, oldOnly, alice, "not among those given")
	if err := oldOnly.Save(t.Context(), alice, nil, 0); err != nil { // whoever cannot read may still delete
		t.Error(err)
	}
	if _, err := newOnly.Load(t.Context(), alice); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("Load of a deleted value = %v", err)
	}
}

func TestUnfitKeysAreRefused(t *testing.T) {
	for _, test := range []struct {
		keys [][]byte
		want string
	}{
		{nil, "needs a key of 32 bytes"},
		{[][]byte{{}}, "key 1 of 1 has 0 bytes"},
		{[][]byte{aesKey(1), aesKey(2)[:31]}, "key 2 of 2 has 31 bytes"},
		{[][]byte{append(aesKey(1), 1)}, "key 1 of 1 has 33 bytes"},
	} {
		_, encryptErr := auth.Encrypt(auth.NewMemoryStore(), test.keys...)
		_, fileErr := auth.NewFileStore(t.TempDir(), test.keys...)
		for _, err := range []error{encryptErr, fileErr} {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want %q", err, test.want)
			}
		}
	}
}

// tokensOnly hides the locks of a store.
type tokensOnly struct{ auth.TokenStore }

func TestEncryptIsALockerIfTheStoreIsOne(t *testing.T) {
	if _, ok := encrypt(t, tokensOnly{auth.NewMemoryStore()}, aesKey(1)).(auth.Locker); ok {
		t.Error("Encrypt gives locks to a store that has none")
	}
	m := auth.NewMemoryStore()
	unlock, err := encrypt(t, m, aesKey(1)).(auth.Locker).Lock(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Lock(ctx, alice); !errors.Is(err, context.Canceled) {
		t.Errorf("the store's own Lock = %v while it is held through Encrypt", err)
	}
}

// broken is a store whose every operation fails.
type broken struct{ err error }

func (b broken) Load(context.Context, auth.TokenKey) ([]byte, error)              { return nil, b.err }
func (b broken) Save(context.Context, auth.TokenKey, []byte, time.Duration) error { return b.err }

func TestEncryptPassesErrorsOn(t *testing.T) {
	want := errors.New("broken")
	e := encrypt(t, broken{want}, aesKey(1))
	if _, err := e.Load(t.Context(), alice); !errors.Is(err, want) {
		t.Errorf("Load = %v", err)
	}
	if err := e.Save(t.Context(), alice, []byte("v"), 0); !errors.Is(err, want) {
		t.Errorf("Save = %v", err)
	}
}
