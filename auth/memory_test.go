package auth

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryStoreForgetsWhatNobodyAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewMemoryStore()
		save := func(kind string, i int, ttl time.Duration) {
			if err := s.Save(t.Context(), TokenKey{Kind: kind, ID: fmt.Sprint(i)}, []byte("v"), ttl); err != nil {
				t.Fatal(err)
			}
		}
		const kept, alive = 5000, 1000
		for i := range kept { // what has no ttl must not hide what has
			save("token", i, 0)
		}
		for i := range 50 * alive { // at any time, this many are alive
			save("state", i, alive*time.Second)
			time.Sleep(time.Second)
			if max := 2 * alive; len(s.expiring) > max {
				t.Fatalf("%d values with a ttl after %d saves, of which %d live; want at most %d", len(s.expiring), i+1, alive, max)
			}
		}
		if got, want := len(s.tokens), kept+len(s.expiring); got != want {
			t.Errorf("%d values, want %d", got, want)
		}
	})
}

func TestExpiriesSampleFindsEverythingInTheEnd(t *testing.T) {
	e, now := expiries[int]{}, time.Now()
	for i := range 1000 {
		at := now.Add(time.Hour)
		if i%10 == 0 {
			at = now // over to the instant
		}
		e.set(i, at)
	}
	e.set(1, time.Time{})
	found := 0
	for range 1_000_000 {
		for _, key := range e.due(now) {
			if key%10 != 0 {
				t.Fatalf("%d is due, which has an hour left", key)
			}
			delete(e, key)
			found++
		}
		if found == 100 {
			break
		}
	}
	if found != 100 || len(e) != 899 {
		t.Errorf("found %d of 100 that were due, and left %d of 899", found, len(e))
	}
}

func TestLocksLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l keyLocks
		key := TokenKey{Kind: "token", User: "alice"}
		unlock, err := l.lock(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		var got atomic.Int64
		for range 10 {
			go func() {
				unlock, err := l.lock(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				got.Add(1)
				unlock()
			}()
		}
		synctest.Wait()
		if len(l.used) != 1 || l.used[key].users != 11 || got.Load() != 0 {
			t.Errorf("%d locks, %d users, %d of them got it; want 1, 11, 0", len(l.used), l.used[key].users, got.Load())
		}
		unlock()
		synctest.Wait()
		if len(l.used) != 0 || got.Load() != 10 {
			t.Errorf("%d locks left, %d users got it; want 0, 10", len(l.used), got.Load())
		}
	})
}

func TestUnlockTwicePanicsAndHarmsNobody(t *testing.T) {
	s := NewMemoryStore()
	key := TokenKey{Kind: "state", User: "alice", ID: "s3cret"}
	unlock, err := s.Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	second, err := s.Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if text := fmt.Sprint(recover()); !strings.Contains(text, "unlock of state//alice///") || strings.Contains(text, "s3cret") {
				t.Errorf("the second unlock panics with %q", text)
			}
		}()
		unlock()
	}()
	if len(s.locks.used) != 1 {
		t.Errorf("%d locks after one was unlocked twice, want the one that is held", len(s.locks.used))
	}
	second()
}
