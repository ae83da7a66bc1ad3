package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Scenario 5: five are leased, so there is none to evict.
func TestTheLimitRefusesASessionOnlyIfNoneIsIdle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{MaxSessions: 5})
		var refs []Ref[*conn]
		for i := range 5 {
			refs = append(refs, w.acquire(numbered(i)))
		}
		_, err := w.m.Acquire(t.Context(), of("another"))
		var limitErr *LimitError
		if !errors.As(err, &limitErr) || *limitErr != (LimitError{Max: 5}) || !strings.Contains(err.Error(), "maximum concurrent sessions (5) exceeded") {
			t.Fatalf("Acquire = %v, want a *LimitError", err)
		}
		refs[3].Release()
		w.use("another")
		if got := fmt.Sprint(w.closes()); got != "[user3:evicted]" {
			t.Errorf("closed %v, want the only idle one", got)
		}
		for _, i := range []int{0, 1, 2, 4} {
			refs[i].Release()
		}
		if s := w.m.Stats(); s.LimitErrors != 1 || s.Sessions != 5 {
			t.Errorf("stats = %+v", s)
		}
	})
}

func TestTheLeastRecentlyUsedIsEvicted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const limit = 4 * evictBatch // more than one search finds
		w := newWorld(t, Config[*conn]{MaxSessions: limit})
		rng := rand.New(rand.NewPCG(1, 2))
		var order []string // the least recently used first
		for i := range limit {
			order = append(order, numbered(i))
		}
		w.use(order...)
		var want []string
		for i := range 5 * limit {
			if i%3 == 0 { // something else becomes the most recently used
				at := rng.IntN(limit)
				user := order[at]
				order = append(slices.Delete(order, at, at+1), user)
				w.use(user)
			}
			user := numbered(limit + i)
			want = append(want, order[0]+":evicted")
			order = append(order[1:], user)
			w.use(user)
			synctest.Wait()
		}
		if got := w.closes(); !slices.Equal(got, want) {
			t.Errorf("evicted %v\nwant %v", got, want)
		}
	})
}

func TestTheUserLimitEvictsTheUsersOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{MaxPerUser: 2})
		conversation := func(n string) ID {
			return ID{Key: Key{Tenant: "acme", User: "alice", Conversation: n}}
		}
		use := func(id ID) {
			r, err := w.m.Acquire(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			r.Release()
		}
		w.use("bob")
		use(conversation("1"))
		held, _ := w.m.Acquire(t.Context(), conversation("2"))
		use(conversation("3"))
		if s := w.m.Sessions(); len(s) != 3 || s[0].ID != of("bob") || s[1].ID != conversation("3") {
			t.Errorf("sessions = %v, want alice's first to be evicted and not bob's", s)
		}
		third, _ := w.m.Acquire(t.Context(), conversation("3"))
		_, err := w.m.Acquire(t.Context(), conversation("4"))
		var limitErr *LimitError
		if !errors.As(err, &limitErr) || *limitErr != (LimitError{Max: 2, PerUser: true}) || !strings.Contains(err.Error(), "maximum concurrent sessions (2) exceeded for this user") {
			t.Errorf("Acquire = %v, want a *LimitError of the user", err)
		}
		use(ID{Key: Key{Tenant: "other", User: "alice"}}) // somebody else
		held.Release()
		third.Release()
	})
}

// A caller who holds a dead session replaces it, at whatever limit.
func TestAKilledSessionDoesNotCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{MaxSessions: 1, MaxPerUser: 1})
		dead := w.acquire("alice")
		w.m.Kill(dead)
		w.use("alice")
		dead.Release()
	})
}

func TestWaitersGetSlotsInTheOrderOfTheirArrival(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{MaxSessions: 2, OnLimit: LimitWait})
		held := []Ref[*conn]{w.acquire("a"), w.acquire("b")}
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				r := w.acquire(numbered(i))
				mu.Lock()
				order = append(order, numbered(i))
				mu.Unlock()
				time.Sleep(time.Second)
				r.Release()
			})
			synctest.Wait()
		}
		if s := w.m.Stats(); s.Waiting != 20 || s.LimitErrors != 0 {
			t.Errorf("stats = %+v, want 20 waiting", s)
		}
		held[0].Release()
		wg.Wait()
		held[1].Release()
		for i, user := range order {
			if user != numbered(i) {
				t.Fatalf("served in the order %v", order)
			}
		}
		if s := w.m.Stats(); s.Waiting != 0 {
			t.Errorf("%d still wait", s.Waiting)
		}
	})
}

func TestEveryWayToFreeASlotServesTheWaiters(t *testing.T) {
	for _, test := range []struct {
		name string
		free func(m *Map[*conn], r Ref[*conn])
	}{
		{"release", func(m *Map[*conn], r Ref[*conn]) { r.Release() }},
		{"kill", func(m *Map[*conn], r Ref[*conn]) { m.Kill(r); r.Release() }},
		{"retire", func(m *Map[*conn], r Ref[*conn]) { m.Retire(is("held")); r.Release() }},
		{"range", func(m *Map[*conn], r Ref[*conn]) {
			m.Range(func(ID, *conn) bool { r.Release(); return true })
		}},
		{"lifetime", func(m *Map[*conn], r Ref[*conn]) { time.Sleep(2 * time.Hour); r.Release() }},
		{"failed dial", func(m *Map[*conn], r Ref[*conn]) {
			m.Kill(r)
			r.Release()
			synctest.Wait()
			m.Retire(is("waiter"))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, Config[*conn]{MaxSessions: 1, OnLimit: LimitWait, MaxLifetime: time.Hour, IdleTimeout: -1})
				held := w.acquire("held")
				go func() {
					r, err := w.m.Acquire(t.Context(), of("waiter"))
					if err != nil {
						t.Errorf("the waiter got %v", err)
						return
					}
					r.Release()
				}()
				synctest.Wait()
				if s := w.m.Stats(); s.Waiting != 1 {
					t.Fatalf("stats = %+v, want one waiting", s)
				}
				test.free(w.m, held)
				synctest.Wait()
				if s := w.m.Stats(); s.Waiting != 0 || s.Dials != 2 {
					t.Errorf("stats = %+v, want the waiter served", s)
				}
			})
		})
	}
}

func TestAWaiterOfAFullUserLetsOthersPass(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{MaxPerUser: 1, OnLimit: LimitWait})
		held := w.acquire("alice")
		second := ID{Key: Key{Tenant: "acme", User: "alice", Conversation: "2"}}
		done := make(chan error, 1)
		go func() {
			r, err := w.m.Acquire(t.Context(), second)
			if err == nil {
				r.Release()
			}
			done <- err
		}()
		synctest.Wait()
		w.use("bob", "carol")
		if s := w.m.Stats(); s.Waiting != 1 {
			t.Errorf("stats = %+v, want one waiting", s)
		}
		held.Release()
		if err := <-done; err != nil {
			t.Errorf("the waiter got %v", err)
		}
	})
}

func TestAWaiterWhoLeavesFreesItsPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{MaxSessions: 1, OnLimit: LimitWait})
		held := w.acquire("held")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.m.Acquire(ctx, of("waiter")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Acquire = %v, want context.DeadlineExceeded", err)
		}
		held.Release()
		synctest.Wait()
		if s := w.m.Stats(); s.Waiting != 0 || s.Dials != 1 || s.Sessions != 1 {
			t.Errorf("stats = %+v, want the held session kept and nothing else", s)
		}
	})
}

// A limit that refuses a thousand times searches once, and a release ends that.
func TestALimitThatIsHitAgainSearchesOnce(t *testing.T) {
	w := newWorld(t, Config[*conn]{MaxSessions: 1})
	held := w.acquire("held")
	for range 3 {
		if _, err := w.m.Acquire(t.Context(), of("another")); err == nil {
			t.Fatal("a leased session was evicted")
		}
		if !w.m.all.exhausted.Load() {
			t.Error("the limit is not marked as exhausted")
		}
	}
	held.Release()
	if w.m.all.exhausted.Load() {
		t.Error("the limit is still marked as exhausted after a release")
	}
	w.use("another")
}

func TestANegativeLimitIsNone(t *testing.T) {
	w := newWorld(t, Config[*conn]{MaxSessions: -1})
	for i := range 2000 {
		defer w.acquire(numbered(i)).Release()
	}
}
