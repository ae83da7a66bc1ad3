package auth

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"
)

// A MemoryStore keeps tokens and credentials in memory, in the clear: they end with the process. It is a [TokenStore], a
// [Locker] between the callers of this one store, and a [SecretStore]. It needs no Close and is safe for concurrent use.
//
// Values are gone when their ttl is over. Their memory is freed by later Saves, each of which looks at a few: of the
// values that have a ttl, about one in eight has outlived it. What is saved without a ttl stays until it is deleted.
type MemoryStore struct {
	locks keyLocks

	// mu guards the maps. Nothing that can block runs under it.
	mu       sync.RWMutex
	tokens   map[TokenKey]memoryValue
	expiring expiries[TokenKey] // those of tokens with a ttl
	secrets  map[SecretKey]Credential
}

type memoryValue struct {
	value   []byte
	expires time.Time // zero: never
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{tokens: map[TokenKey]memoryValue{}, expiring: expiries[TokenKey]{}, secrets: map[SecretKey]Credential{}}
}

// Load implements [TokenStore].
func (s *MemoryStore) Load(_ context.Context, key TokenKey) ([]byte, error) {
	s.mu.RLock()
	v, ok := s.tokens[key]
	s.mu.RUnlock()
	if !ok || over(v.expires, time.Now()) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, key)
	}
	return bytes.Clone(v.value), nil
}

// Save implements [TokenStore]. A negative ttl is over already: it deletes the value.
func (s *MemoryStore) Save(_ context.Context, key TokenKey, value []byte, ttl time.Duration) error {
	now := time.Now()
	v := memoryValue{value: bytes.Clone(value)}
	if ttl != 0 {
		v.expires = now.Add(ttl)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expiring.set(key, v.expires)
	if value == nil || ttl < 0 {
		delete(s.tokens, key)
		delete(s.expiring, key)
	} else {
		s.tokens[key] = v
	}
	for _, old := range s.expiring.due(now) {
		delete(s.tokens, old)
		delete(s.expiring, old)
	}
	return nil
}

// Lock implements [Locker]. Those who wait get the lock in the order in which they came. Calling unlock twice panics.
func (s *MemoryStore) Lock(ctx context.Context, key TokenKey) (unlock func(), err error) {
	return s.locks.lock(ctx, key)
}

// Secret implements [SecretStore].
func (s *MemoryStore) Secret(_ context.Context, key SecretKey) (Credential, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, ok := s.secrets[key]
	if !ok {
		return Credential{}, fmt.Errorf("%w: credential %s", ErrNotFound, key)
	}
	return c.clone(), nil
}

// SetSecret implements [SecretStore].
func (s *MemoryStore) SetSecret(_ context.Context, key SecretKey, c Credential) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.IsZero() {
		delete(s.secrets, key)
	} else {
		s.secrets[key] = c.clone()
	}
	return nil
}
