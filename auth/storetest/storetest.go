// Package storetest checks implementations of [auth.TokenStore], [auth.Locker] and [auth.SecretStore] against what the
// rest of the library relies on. The stores of this repository run it; so should every other one:
//
//	func TestStore(t *testing.T) {
//		storetest.TestTokenStore(t, func(t *testing.T) auth.TokenStore { return mystore.New(t.TempDir()) }, nil)
//	}
//
// It imports package testing and belongs in tests only.
package storetest

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// Options say what a store can do. Nil is the same as the zero Options.
type Options struct {
	// Bubble runs every case in a bubble of testing/synctest, in which time passes at once. It is for stores that wait
	// for nothing but time and each other: no sockets, no processes.
	Bubble bool
	// TTL is how long values live that the cases let expire. The default is 50 ms. It should be longer where the system
	// behind the store counts in seconds.
	TTL time.Duration
	// Wait lets time pass for the store. The default is time.Sleep.
	Wait func(d time.Duration)
	// ReopenTokens returns another instance over the data of a store that TestTokenStore got. Nil: the data ends with
	// the instance.
	ReopenTokens func(t *testing.T, s auth.TokenStore) auth.TokenStore
	// ReopenSecrets is the same for TestSecretStore.
	ReopenSecrets func(t *testing.T, s auth.SecretStore) auth.SecretStore
	// SharedLocks says that instances over the same data share their locks too.
	SharedLocks bool
}

func (o *Options) withDefaults() *Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.TTL == 0 {
		c.TTL = 50 * time.Millisecond
	}
	if c.Wait == nil {
		c.Wait = time.Sleep
	}
	return &c
}

func (o *Options) run(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		if o.Bubble {
			synctest.Test(t, f)
		} else {
			f(t)
		}
	})
}

// TestTokenStore checks a [auth.TokenStore]; if it is a [auth.Locker], its locks too. Every call of open returns a store
// without values. The cases run one after the other.
func TestTokenStore(t *testing.T, open func(t *testing.T) auth.TokenStore, opts *Options) {
	o := opts.withDefaults()
	with := func(f func(t *testing.T, s tokens)) func(t *testing.T) {
		return func(t *testing.T) { f(t, tokens{t, open(t), o}) }
	}
	o.run(t, "absent values are not found", with(testAbsent))
	o.run(t, "saved values are loaded", with(testValues))
	o.run(t, "nil deletes", with(testDelete))
	o.run(t, "values end with their ttl", with(testTTL))
	o.run(t, "keys that differ are apart", with(testIsolation))
	o.run(t, "values are not aliased", with(testAliasing))
	o.run(t, "concurrent callers get their own values", with(testRace))
	if o.ReopenTokens != nil {
		o.run(t, "another instance has the values", with(testReopen))
	}

	isLocker := false
	o.run(t, "kind", func(t *testing.T) { _, isLocker = open(t).(auth.Locker) })
	if !isLocker {
		return
	}
	o.run(t, "a lock has one holder", with(testExclusion))
	o.run(t, "locks of keys that differ are apart", with(testLocksApart))
	o.run(t, "waiting ends with the context", with(testLockContext))
	o.run(t, "a lock goes to those who wait", with(testHandOver))
	o.run(t, "a holder can load and save", with(testUseUnderLock))
	if o.SharedLocks {
		o.run(t, "another instance has the locks", with(testSharedLocks))
	}
}

// tokens is a store under test.
type tokens struct {
	t *testing.T
	auth.TokenStore
	o *Options
}

func (s tokens) save(key auth.TokenKey, value []byte, ttl time.Duration) {
	s.t.Helper()
	if err := s.Save(s.t.Context(), key, value, ttl); err != nil {
		s.t.Errorf("Save(%+v): %v", key, err)
	}
}

// has checks the value of key; nil is that there is none.
func (s tokens) has(key auth.TokenKey, want []byte) {
	s.t.Helper()
	got, err := s.Load(s.t.Context(), key)
	switch {
	case want == nil && !isNotFound(err):
		s.t.Errorf("Load(%+v) = %q, %v; want an error that wraps ErrNotFound", key, got, err)
	case want != nil && (err != nil || !bytes.Equal(got, want)):
		s.t.Errorf("Load(%+v) = %.40q (%d bytes), %v; want %.40q (%d bytes)", key, got, len(got), err, want, len(want))
	}
}

func (s tokens) lock(ctx context.Context, key auth.TokenKey) (unlock func(), err error) {
	return s.TokenStore.(auth.Locker).Lock(ctx, key)
}

// mustLock locks as a caller with patience does.
func (s tokens) mustLock(key auth.TokenKey) (unlock func()) {
	s.t.Helper()
	unlock = s.tryLock(key)
	if unlock == nil {
		s.t.FailNow()
	}
	return unlock
}

// tryLock is mustLock for goroutines, which must not end the test: it returns nil.
func (s tokens) tryLock(key auth.TokenKey) (unlock func()) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	unlock, err := s.lock(ctx, key)
	if err != nil {
		s.t.Errorf("Lock(%+v): %v", key, err)
		return nil
	}
	return unlock
}

// patience is after what time something that must happen is taken never to happen.
const patience = time.Minute
