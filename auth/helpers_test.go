package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/mcpfleet/mcpfleet/session"
)

var (
	alice = session.Key{Tenant: "acme", User: "alice"}
	mario = session.Key{Tenant: "umbrella", User: "mario"}
)

func mustChain(t testing.TB, cfg ChainConfig) *Chain {
	t.Helper()
	c, err := NewChain(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A fakeStore is a secret store that counts and can be told to fail.
type fakeStore struct {
	*MemoryStore
	reads   atomic.Int64
	fail    atomic.Pointer[error]
	before  func(ctx context.Context, key SecretKey) // called by Secret first
	failSet atomic.Pointer[error]
}

func newFakeStore() *fakeStore { return &fakeStore{MemoryStore: NewMemoryStore()} }

func (s *fakeStore) Secret(ctx context.Context, key SecretKey) (Credential, error) {
	s.reads.Add(1)
	if s.before != nil {
		s.before(ctx, key)
	}
	if err := s.fail.Load(); err != nil {
		return Credential{}, *err
	}
	return s.MemoryStore.Secret(ctx, key)
}

func (s *fakeStore) SetSecret(ctx context.Context, key SecretKey, c Credential) error {
	if err := s.failSet.Load(); err != nil {
		return *err
	}
	return s.MemoryStore.SetSecret(ctx, key, c)
}

func (s *fakeStore) failing(err error) {
	if err == nil {
		s.fail.Store(nil)
	} else {
		s.fail.Store(&err)
	}
}

func (s *fakeStore) failingSet(err error) {
	if err == nil {
		s.failSet.Store(nil)
	} else {
		s.failSet.Store(&err)
	}
}

// has puts a credential where a reference of the tenant finds it.
func (s *fakeStore) has(t testing.TB, tenant, id string, c Credential) {
	t.Helper()
	if err := s.MemoryStore.SetSecret(context.Background(), SecretKey{Tenant: tenant, ID: id}, c); err != nil {
		t.Fatal(err)
	}
}

// owns reports what the server owns for a tenant.
func (s *fakeStore) owns(server, tenant string) Credential {
	c, err := s.MemoryStore.Secret(context.Background(), SecretKey{tenant, server, ownedID})
	if err != nil && !errors.Is(err, ErrNotFound) {
		panic(err)
	}
	return c
}

// A fakeProvider is a token provider of two functions.
type fakeProvider struct {
	token   func(context.Context, session.Key) (Secret, error)
	refused func(context.Context, session.Key, Refusal) (bool, error)
}

func (p fakeProvider) Token(ctx context.Context, key session.Key) (Secret, error) {
	return p.token(ctx, key)
}

func (p fakeProvider) Refused(ctx context.Context, key session.Key, r Refusal) (bool, error) {
	return p.refused(ctx, key, r)
}

func tokenIs(token string) fakeProvider {
	secret := NewSecret(token)
	return fakeProvider{token: func(context.Context, session.Key) (Secret, error) { return secret, nil }}
}

// authorization resolves and returns the Authorization, or an error.
func authorization(ctx context.Context, c *Chain, key session.Key) (string, error) {
	r, err := c.Resolve(ctx, key)
	return r.Header().Get("Authorization"), err
}

// sends fails the test unless a request of ctx is sent with the bearer token.
func sends(t testing.TB, ctx context.Context, c *Chain, key session.Key, token string) { //nolint:revive // t comes first
	t.Helper()
	want := ""
	if token != "" {
		want = "Bearer " + token
	}
	if got, err := authorization(ctx, c, key); err != nil || got != want {
		t.Errorf("Resolve gives %q, %v; want %q", got, err, want)
	}
}

// fails fails the test unless a request of ctx fails with a SourceError of source that wraps want.
func fails(t testing.TB, ctx context.Context, c *Chain, key session.Key, source Source, want error) { //nolint:revive // t comes first
	t.Helper()
	r, err := c.Resolve(ctx, key)
	var sourced *SourceError
	if !errors.As(err, &sourced) || sourced.Source != source || !errors.Is(err, want) || sourced.Server != c.server {
		t.Errorf("Resolve fails with %v, want a SourceError of the %v that wraps %v", err, source, want)
	}
	if r.Header() != nil || r.Env() != nil || r.Source != 0 {
		t.Errorf("Resolve fails and returns %v", r)
	}
}

// refusal is the refusal of a request that was sent with the bearer token.
func refusal(token string) Refusal {
	return Refusal{StatusCode: http.StatusUnauthorized, Sent: http.Header{"Authorization": {"Bearer " + token}, "Accept": {"*/*"}}}
}

func principal(t testing.TB, ctx context.Context, c *Chain, key session.Key) string { //nolint:revive // t comes first
	t.Helper()
	p, err := c.Principal(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func request(ctx context.Context, c Credential) context.Context {
	return WithCredentials(ctx, map[string]Credential{"s": c})
}

func agent(ctx context.Context, c Credential) context.Context {
	return WithAgentCredentials(ctx, map[string]Credential{"s": c})
}

func tokenNumber(i int) string { return fmt.Sprintf("token-%d", i) }
