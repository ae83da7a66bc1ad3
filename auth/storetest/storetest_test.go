package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faultyEnv names the faulty store that a process of this binary is to check.
const faultyEnv = "MCPFLEET_TEST_FAULTY"

// A tokenFault is a store with one fault. The embedded store has none.
type tokenFault struct {
	*auth.MemoryStore
	load func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey) ([]byte, error)
	save func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error
	lock func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey) (func(), error)
}

func (f tokenFault) Load(ctx context.Context, key auth.TokenKey) ([]byte, error) {
	if f.load != nil {
		return f.load(f.MemoryStore, ctx, key)
	}
	return f.MemoryStore.Load(ctx, key)
}

func (f tokenFault) Save(ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
	if f.save != nil {
		return f.save(f.MemoryStore, ctx, key, value, ttl)
	}
	return f.MemoryStore.Save(ctx, key, value, ttl)
}

func (f tokenFault) Lock(ctx context.Context, key auth.TokenKey) (func(), error) {
	if f.lock != nil {
		return f.lock(f.MemoryStore, ctx, key)
	}
	return f.MemoryStore.Lock(ctx, key)
}

// renamed returns a store that confuses keys.
func renamed(name func(k auth.TokenKey) auth.TokenKey) tokenFault {
	return tokenFault{
		load: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey) ([]byte, error) {
			return s.Load(ctx, name(key))
		},
		save: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
			return s.Save(ctx, name(key), value, ttl)
		},
	}
}

var tokenFaults = map[string]tokenFault{
	"absent is no error": {load: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey) ([]byte, error) {
		v, err := s.Load(ctx, key)
		if errors.Is(err, auth.ErrNotFound) {
			return nil, nil
		}
		return v, err
	}},
	"absent is another error": {load: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey) ([]byte, error) {
		v, err := s.Load(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("%v", err)
		}
		return v, nil
	}},
	"values are texts": {save: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
		if value != nil {
			value = bytes.ToValidUTF8(value, []byte("?"))
		}
		return s.Save(ctx, key, value, ttl)
	}},
	"empty deletes": {save: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
		if len(value) == 0 {
			value = nil
		}
		return s.Save(ctx, key, value, ttl)
	}},
	"nil is empty": {save: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
		return s.Save(ctx, key, append([]byte{}, value...), ttl)
	}},
	"first value stays": {save: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
		if _, err := s.Load(ctx, key); err == nil && value != nil {
			return nil
		}
		return s.Save(ctx, key, value, ttl)
	}},
	"no ttl": {save: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
		return s.Save(ctx, key, value, 0)
	}},
	"ttl in seconds": {save: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
		return s.Save(ctx, key, value, ttl.Truncate(time.Second))
	}},
	"a negative ttl is none": {save: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
		return s.Save(ctx, key, value, max(ttl, 0))
	}},
	"everything ends": {save: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
		if ttl == 0 {
			ttl = time.Millisecond
		}
		return s.Save(ctx, key, value, ttl)
	}},
	"one tenant": renamed(func(k auth.TokenKey) auth.TokenKey { k.Tenant = ""; return k }),
	"one user":   renamed(func(k auth.TokenKey) auth.TokenKey { k.User = ""; return k }),
	"one server": renamed(func(k auth.TokenKey) auth.TokenKey { k.Server = ""; return k }),
	"one issuer": renamed(func(k auth.TokenKey) auth.TokenKey { k.Issuer = ""; return k }),
	"one kind":   renamed(func(k auth.TokenKey) auth.TokenKey { k.Kind = ""; return k }),
	"one ID":     renamed(func(k auth.TokenKey) auth.TokenKey { k.ID = ""; return k }),
	"no case":    renamed(func(k auth.TokenKey) auth.TokenKey { k.User = strings.ToLower(k.User); return k }),
	"joined by slashes": renamed(func(k auth.TokenKey) auth.TokenKey {
		return auth.TokenKey{ID: strings.Join([]string{k.Kind, k.Tenant, k.User, k.Server, k.Issuer, k.ID}, "/")}
	}),
	"joined by colons": renamed(func(k auth.TokenKey) auth.TokenKey {
		return auth.TokenKey{ID: strings.Join([]string{k.Kind, k.Tenant, k.User, k.Server, k.Issuer, k.ID}, ":")}
	}),
	"long names cut": renamed(func(k auth.TokenKey) auth.TokenKey { k.User = k.User[:min(len(k.User), 255)]; return k }),
	"no lock": {lock: func(*auth.MemoryStore, context.Context, auth.TokenKey) (func(), error) {
		return func() {}, nil
	}},
	"one lock for all": {lock: func(s *auth.MemoryStore, ctx context.Context, _ auth.TokenKey) (func(), error) {
		return s.Lock(ctx, auth.TokenKey{})
	}},
	"waits for ever": {lock: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey) (func(), error) {
		return s.Lock(context.WithoutCancel(ctx), key)
	}},
	"unlock does nothing": {lock: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey) (func(), error) {
		if _, err := s.Lock(ctx, key); err != nil {
			return nil, err
		}
		return func() {}, nil
	}},
	"the context holds the lock": {lock: func(s *auth.MemoryStore, ctx context.Context, key auth.TokenKey) (func(), error) {
		unlock, err := s.Lock(ctx, key)
		if err != nil {
			return nil, err
		}
		once := sync.OnceFunc(unlock)
		context.AfterFunc(ctx, once)
		return once, nil
	}},
}

// aliased keeps the slices it is given, or gives out its own.
type aliased struct {
	mu         sync.Mutex
	values     map[auth.TokenKey][]byte
	save, load bool
}

func (s *aliased) Load(_ context.Context, key auth.TokenKey) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	if !ok {
		return nil, auth.ErrNotFound
	}
	if !s.load {
		v = bytes.Clone(v)
	}
	return v, nil
}

func (s *aliased) Save(_ context.Context, key auth.TokenKey, value []byte, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.save {
		value = bytes.Clone(value)
	}
	s.values[key] = value
	return nil
}

// A secretFault is the same for credentials.
type secretFault struct {
	*auth.MemoryStore
	get func(s *auth.MemoryStore, key auth.SecretKey) (auth.Credential, error)
	set func(s *auth.MemoryStore, key auth.SecretKey, c auth.Credential) error
}

func (f secretFault) Secret(ctx context.Context, key auth.SecretKey) (auth.Credential, error) {
	if f.get != nil {
		return f.get(f.MemoryStore, key)
	}
	return f.MemoryStore.Secret(ctx, key)
}

func (f secretFault) SetSecret(ctx context.Context, key auth.SecretKey, c auth.Credential) error {
	if f.set != nil {
		return f.set(f.MemoryStore, key, c)
	}
	return f.MemoryStore.SetSecret(ctx, key, c)
}

func renamedSecret(name func(k auth.SecretKey) auth.SecretKey) secretFault {
	ctx := context.Background()
	return secretFault{
		get: func(s *auth.MemoryStore, key auth.SecretKey) (auth.Credential, error) {
			return s.Secret(ctx, name(key))
		},
		set: func(s *auth.MemoryStore, key auth.SecretKey, c auth.Credential) error {
			return s.SetSecret(ctx, name(key), c)
		},
	}
}

var secretFaults = map[string]secretFault{
	"no credential is no error": {get: func(s *auth.MemoryStore, key auth.SecretKey) (auth.Credential, error) {
		c, _ := s.Secret(context.Background(), key)
		return c, nil
	}},
	"credentials of one tenant": renamedSecret(func(k auth.SecretKey) auth.SecretKey { k.Tenant = ""; return k }),
	"credentials of one server": renamedSecret(func(k auth.SecretKey) auth.SecretKey { k.Server = ""; return k }),
	"credentials without ID":    renamedSecret(func(k auth.SecretKey) auth.SecretKey { k.ID = ""; return k }),
	"credentials without case":  renamedSecret(func(k auth.SecretKey) auth.SecretKey { k.ID = strings.ToLower(k.ID); return k }),
	"credentials joined by dots": renamedSecret(func(k auth.SecretKey) auth.SecretKey {
		return auth.SecretKey{ID: k.Tenant + "." + k.Server + "." + k.ID}
	}),
	"no headers": {set: func(s *auth.MemoryStore, key auth.SecretKey, c auth.Credential) error {
		c.Headers = nil
		return s.SetSecret(context.Background(), key, c)
	}},
	"redacted": {set: func(s *auth.MemoryStore, key auth.SecretKey, c auth.Credential) error {
		if !c.Authorization.IsZero() {
			c.Authorization = auth.NewSecret(c.Authorization.String())
		}
		return s.SetSecret(context.Background(), key, c)
	}},
	"no principal": {set: func(s *auth.MemoryStore, key auth.SecretKey, c auth.Credential) error {
		c.Principal = ""
		return s.SetSecret(context.Background(), key, c)
	}},
	"the zero credential is kept": {set: func(s *auth.MemoryStore, key auth.SecretKey, c auth.Credential) error {
		if c.IsZero() {
			c.Principal = "nobody"
		}
		return s.SetSecret(context.Background(), key, c)
	}},
}

// TestSuiteFindsEveryFault runs the suite on stores with one fault each, in processes of their own because it has to fail.
func TestSuiteFindsEveryFault(t *testing.T) {
	names := []string{"aliased by load", "aliased by save"}
	for name := range tokenFaults {
		names = append(names, name)
	}
	for name := range secretFaults {
		names = append(names, name)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(fault string) (string, error) {
		cmd := exec.Command(exe, "-test.run=^TestFaultyStore$", "-test.timeout=1m")
		cmd.Env = append(os.Environ(), faultyEnv+"="+fault)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("none"); err != nil {
		t.Fatalf("a store without a fault fails: %v\n%s", err, out)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			out, err := run(name)
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || !strings.Contains(out, "--- FAIL: TestFaultyStore") {
				t.Errorf("the suite ends with %v, want that it fails:\n%s", err, out)
			}
		})
	}
}

// TestFaultyStore is what those processes run.
func TestFaultyStore(t *testing.T) {
	name, ok := os.LookupEnv(faultyEnv)
	if !ok {
		t.Skip("runs in the processes of TestSuiteFindsEveryFault")
	}
	o := &storetest.Options{Bubble: true}
	secret, isSecret := secretFaults[name]
	if isSecret || name == "none" {
		storetest.TestSecretStore(t, func(*testing.T) auth.SecretStore {
			secret.MemoryStore = auth.NewMemoryStore()
			return secret
		}, o)
	}
	if isSecret {
		return
	}
	storetest.TestTokenStore(t, func(*testing.T) auth.TokenStore {
		switch name {
		case "aliased by load", "aliased by save":
			return &aliased{values: map[auth.TokenKey][]byte{}, load: name == "aliased by load", save: name == "aliased by save"}
		}
		fault := tokenFaults[name] // "none" has none
		fault.MemoryStore = auth.NewMemoryStore()
		return fault
	}, o)
}
