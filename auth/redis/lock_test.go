package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/mcpfleet/mcpfleet/auth"
)

const lockName = "mcpfleet:lock:token/acme/alice/github//"

func mustLock(t *testing.T, s *Store) (unlock func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	unlock, err := s.Lock(ctx, alice)
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

func TestLocksAreRenewedWhileTheyAreHeld(t *testing.T) {
	m, c := mini(t)
	ttl := 90 * time.Millisecond
	unlock := mustLock(t, New(Config{Client: c, LockTTL: ttl}))
	for range 4 { // more than two ttls
		m.FastForward(ttl * 2 / 3)
		if !eventually(func() bool { return m.TTL(lockName) == ttl }) {
			t.Fatalf("the lock was not renewed: ttl %v", m.TTL(lockName))
		}
	}
	unlock()
	if m.Exists(lockName) {
		t.Error("the lock is there after unlock")
	}
}

func TestLocksOfDeadProcessesEnd(t *testing.T) {
	m, c := mini(t)
	s := New(Config{Client: c, LockTTL: time.Second})
	if err := c.Set(t.Context(), lockName, "somebody who died", time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(ctx, alice); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock = %v while another's lock lives, want context.DeadlineExceeded", err)
	}
	m.FastForward(time.Second)
	mustLock(t, s)()
}

// A holder whose lock another may have had must not load what that other may be using.
func TestHoldersOfLostLocksCannotLoad(t *testing.T) {
	for name, lose := range map[string]func(m *miniredis.Miniredis){
		"forgotten": func(m *miniredis.Miniredis) { m.FlushAll() },
		"expired":   func(m *miniredis.Miniredis) { m.Del(lockName) },
		"another's": func(m *miniredis.Miniredis) { m.Set(lockName, "somebody else") },
	} {
		t.Run(name, func(t *testing.T) {
			m, c := mini(t)
			var log logbook
			s := New(Config{Client: c, LockTTL: 30 * time.Millisecond, Logger: log.logger()})
			unlock := mustLock(t, s)
			if _, err := s.Load(t.Context(), alice); !errors.Is(err, auth.ErrNotFound) {
				t.Errorf("Load under the lock = %v, want ErrNotFound", err)
			}
			lose(m)
			for range 2 {
				if _, err := s.Load(t.Context(), alice); !errors.Is(err, auth.ErrLockLost) || errors.Is(err, auth.ErrNotFound) {
					t.Errorf("Load = %v, want that the lock was lost", err)
				}
				if err := s.Save(t.Context(), alice, []byte("v"), 0); err != nil { // the second Load finds something
					t.Errorf("Save = %v", err)
				}
			}
			if !eventually(func() bool { return strings.Contains(log.String(), "was lost") }) {
				t.Errorf("log %q", &log)
			}
			other, _ := m.Get(lockName)
			unlock()
			if got, _ := m.Get(lockName); got != other {
				t.Errorf("the lock of another was %q and is %q after unlock", other, got)
			}
			if got, err := s.Load(t.Context(), alice); string(got) != "v" || err != nil {
				t.Errorf("Load after unlock = %q, %v", got, err)
			}
			if len(s.held) != 0 {
				t.Errorf("%d locks held after unlock", len(s.held))
			}
		})
	}
}

func TestUnlockTwicePanics(t *testing.T) {
	_, c := mini(t)
	s := New(Config{Client: c})
	unlock := mustLock(t, s)
	unlock()
	defer mustLock(t, s)()
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, "called twice") {
			t.Errorf("the second unlock panics with %q", text)
		}
	}()
	unlock()
}

// lossy loses the answers to commands that Redis has carried out.
type lossy struct{ lose atomic.Int64 }

var errLost = errors.New("answer lost")

func (l *lossy) DialHook(next goredis.DialHook) goredis.DialHook { return next }
func (l *lossy) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}
func (l *lossy) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && l.lose.Add(-1) >= 0 {
			cmd.SetErr(errLost)
			return errLost
		}
		return err
	}
}

// A lock that was given, but not heard of, is the next caller's and not nobody's.
func TestLocksWhoseAnswerWasLostAreFoundAgain(t *testing.T) {
	m, c := mini(t)
	l := &lossy{}
	c.AddHook(l)
	s := New(Config{Client: c})
	mustLock(t, s)() // loads the scripts
	l.lose.Store(1)
	if _, err := s.Lock(t.Context(), alice); !errors.Is(err, errLost) {
		t.Fatalf("Lock = %v, want the loss", err)
	}
	if !m.Exists(lockName) {
		t.Fatal("Redis does not have the lock; the test tests nothing")
	}
	mustLock(t, s)() // or it would wait for ever: this Redis has no time of its own
	if m.Exists(lockName) || len(s.doubts) != 0 {
		t.Errorf("after unlock the lock is there (%t) and %d doubts", m.Exists(lockName), len(s.doubts))
	}
}

func TestDoubtsEndWithTheLocksTheyAreAbout(t *testing.T) {
	_, c := mini(t)
	l := &lossy{}
	c.AddHook(l)
	s := New(Config{Client: c, LockTTL: 10 * time.Millisecond})
	mustLock(t, s)()
	l.lose.Store(1)
	if _, err := s.Lock(t.Context(), alice); !errors.Is(err, errLost) {
		t.Fatalf("Lock = %v, want the loss", err)
	}
	if !eventually(func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.doubts) == 0 }) {
		t.Error("a doubt is kept for ever")
	}
}

// Whoever gives up at the moment in which Redis gives them the lock gives it back.
func TestCallersWhoGiveUpLeaveNoLock(t *testing.T) {
	m, c := mini(t)
	ctx, cancel := context.WithCancel(t.Context())
	l := &lossy{}
	c.AddHook(l)
	s := New(Config{Client: c})
	mustLock(t, s)()
	l.lose.Store(1)
	c.AddHook(&before{cancel})
	if _, err := s.Lock(ctx, alice); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock = %v, want context.Canceled", err)
	}
	if m.Exists(lockName) || len(s.doubts) != 0 {
		t.Errorf("the lock is there (%t), %d doubts", m.Exists(lockName), len(s.doubts))
	}
}

// before calls a function when a command has been carried out, before its caller hears of it.
type before struct{ f func() }

func (b *before) DialHook(next goredis.DialHook) goredis.DialHook { return next }
func (b *before) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}
func (b *before) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		defer b.f()
		return next(ctx, cmd)
	}
}

// While others ask for a lock, the callers of one process do not hand it on among themselves.
func TestOtherProcessesHaveALockBeforeThoseWhoWaitInThisOne(t *testing.T) {
	m, c := mini(t)
	busy, other := New(Config{Client: c}), New(Config{Client: c})
	const rounds = 10
	first := 0
	for range rounds {
		unlock := mustLock(t, busy)
		order := make(chan *Store, 2)
		wait := func(s *Store) {
			unlock := mustLock(t, s)
			order <- s
			unlock()
		}
		var wg sync.WaitGroup
		wg.Go(func() { wait(busy) })
		wg.Go(func() { wait(other) })
		if !eventually(func() bool { holder, _ := m.Get(lockName); return strings.HasSuffix(holder, wanted) }) {
			t.Fatal("the other process does not ask")
		}
		unlock()
		wg.Wait()
		if <-order == other {
			first++
		}
	}
	if first <= rounds/2 { // a slow machine may have the other ask too late now and then
		t.Errorf("the other process was first in %d of %d rounds", first, rounds)
	}
}

// A lock that others have asked for is as good as one that they have not.
func TestLocksThatOthersAskForAreHeldAllTheSame(t *testing.T) {
	m, c := mini(t)
	ttl := 90 * time.Millisecond
	s := New(Config{Client: c, LockTTL: ttl})
	unlock := mustLock(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := New(Config{Client: c}).Lock(ctx, alice); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Lock of a held key = %v", err)
	}
	if holder, _ := m.Get(lockName); !strings.HasSuffix(holder, wanted) || strings.Count(holder, wanted) != 1 {
		t.Fatalf("the lock is %q; the test tests nothing", holder)
	}
	if _, err := s.Load(t.Context(), alice); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("Load = %v, want ErrNotFound", err)
	}
	m.FastForward(ttl * 2 / 3)
	if !eventually(func() bool { return m.TTL(lockName) == ttl }) {
		t.Errorf("the lock was not renewed: ttl %v", m.TTL(lockName))
	}
	unlock()
	if m.Exists(lockName) {
		t.Error("the lock is there after unlock")
	}
}
