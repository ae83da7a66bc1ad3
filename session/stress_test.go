package session

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// R1: many callers of many keys, failing dials, callers who give up, and everything that closes sessions at random.
func TestStress(t *testing.T) {
	keys, actions := 1_000, 400_000
	if *long {
		keys, actions = 10_000, 10_000_000
	}
	const workers = 64
	baseline := runtime.NumGoroutine()
	ids := make([]ID, keys)
	for i := range ids {
		ids[i] = of(numbered(i))
	}
	var opened, closed, useAfterClose, unexpected, refused atomic.Int64
	m := New(Config[*conn]{
		MaxSessions: keys * 999 / 1000,
		DialBackoff: time.Nanosecond,
		IdleTimeout: time.Second,
		MaxLifetime: 10 * time.Second,
		Dial: func(ctx context.Context, id ID) (*conn, error) {
			switch rand.IntN(40) {
			case 0, 1: // 5 %
				return nil, errRefused
			case 2:
				time.Sleep(time.Millisecond) // so that some leave meanwhile
			}
			opened.Add(1)
			n, err := strconv.Atoi(strings.TrimPrefix(id.Key.User, "user"))
			return &conn{id: id, n: int64(n)}, err
		},
		Close: func(c *conn, id ID, _ Reason) {
			if c.closed.Swap(true) || c.id != id {
				useAfterClose.Add(1)
			}
			closed.Add(1)
		},
	})
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			cancelled, cancel := context.WithCancel(context.Background())
			cancel()
			for range actions / workers {
				// One draw is enough for all choices: the generator costs more than an Acquire under the race detector.
				draw := rng.Uint64()
				key, chance := int(uint32(draw))%keys, int(draw>>32)
				id := ids[key]
				ctx := context.Background()
				switch chance % 40 {
				case 0: // half of 5 % before
					ctx = cancelled
				case 1: // and half meanwhile
					var stop context.CancelFunc
					ctx, stop = context.WithCancel(ctx)
					go stop()
				}
				r, err := m.Acquire(ctx, id)
				if err != nil {
					refused.Add(1)
					if ctx.Err() == nil && !isExpected(err) {
						unexpected.Add(1)
					}
					continue
				}
				if c := r.Value(); c.closed.Load() || c.n != int64(key) {
					useAfterClose.Add(1)
				}
				// What ends all sessions costs as many dials, so it is rare.
				switch n := chance / 40 % (200 * keys); {
				case n == 0:
					m.CleanupSessions(0)
				case n <= 2:
					m.CleanupSessions(time.Millisecond)
				case n <= 10:
					m.Range(func(id ID, c *conn) bool {
						if c.closed.Load() || c.id != id {
							useAfterClose.Add(1)
						}
						return rng.IntN(100) > 0
					})
					m.Sessions()
				case n%1000 == 0:
					m.Kill(r)
				case n%20_000 == 1:
					m.Retire(func(other ID) bool { return other == id })
				case n%1000 == 2:
					runtime.Gosched()
				}
				if r.Value().closed.Load() {
					useAfterClose.Add(1)
				}
				r.Release()
			}
		})
	}
	wg.Wait()
	checkInvariants(t, m)
	if s := m.Stats(); s.Leased != 0 || s.Waiting != 0 {
		t.Errorf("stats = %+v, want no references left", s)
	}
	if err := m.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	checkInvariants(t, m)
	t.Logf("%d actions on %d keys: %d sessions opened, %d closed, %d refused, %d used after close", actions, keys, opened.Load(), closed.Load(), refused.Load(), useAfterClose.Load())
	if opened.Load() != closed.Load() || useAfterClose.Load() != 0 || unexpected.Load() != 0 {
		t.Errorf("%d opened, %d closed, %d used after close, %d unexpected errors", opened.Load(), closed.Load(), useAfterClose.Load(), unexpected.Load())
	}
	for range 1000 {
		if runtime.NumGoroutine() <= baseline {
			return
		}
		time.Sleep(time.Millisecond) // callbacks have returned, their goroutines are about to
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), baseline)
}

// Whoever acquires while everything idle is being closed gets a session, always.
func TestAcquireIsNeverRefusedByACleanup(t *testing.T) {
	rounds := 50_000
	if *long {
		rounds = 1_000_000
	}
	w := newWorld(t, Config[*conn]{Close: func(c *conn, _ ID, _ Reason) { c.closed.Store(true) }})
	stop := make(chan struct{})
	var cleaner sync.WaitGroup
	cleaner.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.m.CleanupSessions(0)
			}
		}
	})
	var failed atomic.Int64
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			id := of(numbered(i))
			for n := range rounds / 5 {
				if n%64 == i {
					w.m.CleanupSessions(0) // on one processor the cleaner alone would seldom run
				}
				r, err := w.m.Acquire(context.Background(), id)
				if err != nil || r.Value().closed.Load() {
					failed.Add(1)
					continue
				}
				r.Release()
			}
		})
	}
	wg.Wait()
	close(stop)
	cleaner.Wait()
	t.Logf("%d acquires during a cleanup, %d sessions opened, %d failed", rounds, w.dials.Load(), failed.Load())
	if failed.Load() != 0 || w.dials.Load() < 100 {
		t.Errorf("%d of %d acquires failed, with %d sessions opened", failed.Load(), rounds, w.dials.Load())
	}
}

// Waiters for slots come and go while others take and leave them: none is forgotten.
func TestWaitersAreNotForgotten(t *testing.T) {
	w := newWorld(t, Config[*conn]{MaxSessions: 4, MaxPerUser: 2, OnLimit: LimitWait, Close: func(*conn, ID, Reason) {}})
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for n := range 1000 {
				id := ID{Key: Key{User: numbered(rng.IntN(5)), Conversation: numbered(rng.IntN(4))}}
				ctx, cancel := context.WithCancel(context.Background())
				if n%10 == 0 {
					go cancel()
				}
				r, err := w.m.Acquire(ctx, id)
				switch {
				case err == nil:
					if rng.IntN(10) == 0 {
						w.m.Kill(r)
					}
					r.Release()
				case ctx.Err() == nil:
					t.Errorf("Acquire: %v", err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if s := w.m.Stats(); s.Waiting != 0 || s.Leased != 0 {
		t.Errorf("stats = %+v", s)
	}
}
