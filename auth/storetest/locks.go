package storetest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// testExclusion counts up a stored number. Without the lock, increments are lost; the unguarded variable gives the race
// detector something to find.
func testExclusion(t *testing.T, s tokens) {
	const workers, rounds = 64, 3
	exclude(t, s, s, workers, rounds)
}

func testSharedLocks(t *testing.T, s tokens) {
	exclude(t, s, tokens{t, s.o.ReopenTokens(t, s.TokenStore), s.o}, 16, 3)
}

func exclude(t *testing.T, even, odd tokens, workers, rounds int) {
	var holders atomic.Int64
	var wg sync.WaitGroup
	even.save(alice, []byte("0"), 0)
	unguarded := 0
	for w := range workers {
		s := even
		if w%2 == 1 {
			s = odd
		}
		wg.Go(func() {
			for range rounds {
				unlock := s.tryLock(alice)
				if unlock == nil {
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d holders of one lock", n)
				}
				unguarded++
				value, err := s.Load(t.Context(), alice)
				n, atoiErr := strconv.Atoi(string(value))
				if err != nil || atoiErr != nil {
					t.Errorf("Load under the lock = %q, %v", value, err)
				}
				s.save(alice, []byte(strconv.Itoa(n+1)), 0)
				holders.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
	if want := workers * rounds; unguarded != want {
		t.Errorf("%d increments, want %d", unguarded, want)
	}
	even.has(alice, []byte(strconv.Itoa(workers*rounds)))
}

func testLocksApart(t *testing.T, s tokens) {
	for _, key := range tokenKeys() {
		defer s.mustLock(key)() // all at once
	}
}

func testLockContext(t *testing.T, s tokens) {
	unlock := s.mustLock(alice)
	ctx, cancel := context.WithTimeout(t.Context(), s.o.TTL)
	defer cancel()
	if _, err := s.lock(ctx, alice); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of a held key = %v, want context.DeadlineExceeded", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.lock(ended, alice); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock of a held key with an ended context = %v, want context.Canceled", err)
	}
	unlock()
	if _, err := s.lock(ended, alice); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock of a free key with an ended context = %v, want context.Canceled", err)
	}
	s.mustLock(alice)() // who gave up holds nothing
}

func testHandOver(t *testing.T, s tokens) {
	unlock := s.mustLock(alice)
	const waiters = 8
	var got, released atomic.Int64
	var wg sync.WaitGroup
	for range waiters {
		wg.Go(func() {
			u := s.tryLock(alice)
			if u == nil {
				return
			}
			got.Add(1)
			if released.Load() == 0 {
				t.Error("a waiter got the lock while it was held")
			}
			u()
		})
	}
	time.Sleep(s.o.TTL)
	released.Store(1)
	unlock()
	wg.Wait()
	if got.Load() != waiters {
		t.Errorf("%d waiters got the lock, want %d", got.Load(), waiters)
	}
}
