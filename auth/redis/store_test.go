package redis

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/storetest"
)

// conform runs the suite on stores of one client, each with a prefix of its own, plain and encrypted.
func conform(t *testing.T, c *goredis.Client, opts storetest.Options) {
	key := bytes.Repeat([]byte{1}, 32)
	for name, wrap := range map[string]func(auth.TokenStore) (auth.TokenStore, error){
		"plain":     func(s auth.TokenStore) (auth.TokenStore, error) { return s, nil },
		"encrypted": func(s auth.TokenStore) (auth.TokenStore, error) { return auth.Encrypt(s, key) },
	} {
		t.Run(name, func(t *testing.T) {
			var prefixes sync.Map // store -> prefix
			open := func(t *testing.T, prefix string) auth.TokenStore {
				s, err := wrap(New(Config{Client: c, Prefix: prefix}))
				if err != nil {
					t.Fatal(err)
				}
				prefixes.Store(s, prefix)
				return s
			}
			opts := opts
			opts.SharedLocks = true
			opts.ReopenTokens = func(t *testing.T, s auth.TokenStore) auth.TokenStore {
				prefix, _ := prefixes.Load(s)
				return open(t, prefix.(string))
			}
			storetest.TestTokenStore(t, func(t *testing.T) auth.TokenStore { return open(t, anyPrefix()) }, &opts)
		})
	}
}

// Scenario 92.
func TestStoreConforms(t *testing.T) {
	m, c := mini(t)
	conform(t, c, storetest.Options{Wait: m.FastForward})
}

// Scenario 92.
func TestStoreConformsOnARealServer(t *testing.T) {
	conform(t, client(t, realServer(t).addr), storetest.Options{})
}

func TestConfigWithoutClientPanics(t *testing.T) {
	_, c := mini(t)
	for want, cfg := range map[string]Config{
		"Client is nil":   {},
		"at least 10ms":   {Client: c, LockTTL: time.Millisecond},
		"LockTTL is -1ns": {Client: c, LockTTL: -1},
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, want) {
					t.Errorf("New(%+v) panics with %q, want %q", cfg, text, want)
				}
			}()
			New(cfg)
		}()
	}
}

func TestNamesInRedisAreThoseDocumented(t *testing.T) {
	m, c := mini(t)
	s := New(Config{Client: c})
	if err := s.Save(t.Context(), alice, []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	unlock, err := s.Lock(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if got, want := fmt.Sprint(m.Keys()), "[mcpfleet:lock:token/acme/alice/github// mcpfleet:value:token/acme/alice/github//]"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
	if ttl := m.TTL("mcpfleet:lock:token/acme/alice/github//"); ttl <= 0 || ttl > defaultLockTTL {
		t.Errorf("the lock has the ttl %v, want %v", ttl, defaultLockTTL)
	}
	if ttl := m.TTL("mcpfleet:value:token/acme/alice/github//"); ttl != 0 {
		t.Errorf("the value has the ttl %v, want none", ttl)
	}
}

// Neither a user's name nor a prefix may make up the name of another's value or lock.
func FuzzNamesNeverMeet(f *testing.F) {
	f.Add("app", "token", "a", "b", "app:value", "token", "a", "b")
	f.Add("app", "x", "a:value:token/a", "b", "app:value:token/a", "x", "", "b")
	f.Add("p:lock", "k", "t", "u", "p", "lock:k", "t", "u")
	f.Add("{p}", "k", "{t}", "u/v", "{p}", "k", "{t}/u", "v")
	f.Fuzz(func(t *testing.T, p1, k1, t1, u1, p2, k2, t2, u2 string) {
		type entry struct {
			prefix, kind string
			key          auth.TokenKey
		}
		names := map[string]entry{}
		for _, e := range []entry{
			{p1, kindValue, auth.TokenKey{Kind: k1, Tenant: t1, User: u1}},
			{p1, kindLock, auth.TokenKey{Kind: k1, Tenant: t1, User: u1}},
			{p2, kindValue, auth.TokenKey{Kind: k2, Tenant: t2, User: u2}},
			{p2, kindLock, auth.TokenKey{Kind: k2, Tenant: t2, User: u2}},
			{p2, kindValue, auth.TokenKey{Tenant: k2, User: t2, Server: u2}},
			{p1, kindLock, auth.TokenKey{Kind: k1, Server: t1, ID: u1}},
		} {
			s := &Store{cfg: Config{Prefix: e.prefix}}
			name := s.name(e.kind, e.key)
			if other, ok := names[name]; ok && other != e {
				t.Errorf("%#v and %#v are both named %q", e, other, name)
			}
			names[name] = e
		}
	})
}

func TestErrorsNameTheKeyAndNotTheValue(t *testing.T) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	c := goredis.NewClient(&goredis.Options{Addr: m.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer c.Close()
	m.Close() // nobody listens there any more
	s := New(Config{Client: c})
	_, loadErr := s.Load(t.Context(), alice)
	_, lockErr := s.Lock(t.Context(), alice)
	for _, err := range []error{loadErr, lockErr, s.Save(t.Context(), alice, []byte("t0ken"), 0), s.Save(t.Context(), alice, nil, 0)} {
		if err == nil || errors.Is(err, auth.ErrNotFound) || !strings.HasPrefix(err.Error(), "auth/redis: ") ||
			!strings.Contains(err.Error(), "token/acme/alice/github") || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("error %v; want one that names the package and the key, and is not ErrNotFound", err)
		}
	}
	if err := m.Restart(); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := s.Save(t.Context(), alice, []byte("v"), 0); err != nil {
		t.Errorf("Save after Redis came back: %v", err)
	}
	unlock, err := s.Lock(t.Context(), alice)
	if err != nil {
		t.Fatalf("Lock after Redis came back: %v", err)
	}
	unlock()
}
