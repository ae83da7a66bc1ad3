package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Scenario 2.
func TestAcquireOpensASessionAndKeepsIt(t *testing.T) {
	w := newWorld(t, Config[*conn]{})
	first := w.acquire("alice")
	second := w.acquire("alice")
	if first.Value() != second.Value() || first.Generation() != second.Generation() {
		t.Error("two Acquires of one ID returned different sessions")
	}
	if first.ID() != of("alice") {
		t.Errorf("ID() = %v", first.ID())
	}
	first.Release()
	second.Release()
	if got := w.dials.Load(); got != 1 {
		t.Errorf("%d dials, want 1", got)
	}
}

// Scenario 25.
func TestSessionsOfDifferentIDsAreIndependent(t *testing.T) {
	w := newWorld(t, Config[*conn]{})
	base := ID{Key: Key{Tenant: "acme", User: "alice", Conversation: "1"}, Fingerprint: "f"}
	ids := []ID{base, base, base, base, base}
	ids[1].Key.Tenant = "other"
	ids[2].Key.User = "bob"
	ids[3].Key.Conversation = "2"
	ids[4].Fingerprint = "g"
	seen := make(map[*conn]bool)
	for _, id := range ids {
		r, err := w.m.Acquire(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		seen[r.Value()] = true
	}
	if len(seen) != len(ids) {
		t.Errorf("%d IDs share %d sessions", len(ids), len(seen))
	}
	w.m.Retire(func(id ID) bool { return id == ids[2] })
	if got := w.m.Stats().Sessions; got != len(ids)-1 {
		t.Errorf("%d sessions after one was retired, want %d", got, len(ids)-1)
	}
}

// Scenario 4.
func TestReleaseMakesASessionLaterUsed(t *testing.T) {
	w := newWorld(t, Config[*conn]{})
	w.use("alice", "bob")
	for range 100 {
		before := w.m.Sessions()
		w.use(before[0].ID.Key.User)
		after := w.m.Sessions()
		if !after[1].LastUsed.After(before[1].LastUsed) || after[1].ID != before[0].ID {
			t.Fatalf("used %v: sessions were %v, are %v", before[0].ID, before, after)
		}
	}
}

// Scenarios 7 and 8.
func TestReferencesAreCounted(t *testing.T) {
	w := newWorld(t, Config[*conn]{})
	refs := func() int { return w.m.Sessions()[0].Refs }
	outer := w.acquire("alice")
	inner := w.acquire("alice")
	if got := refs(); got != 2 {
		t.Errorf("two references held, counted %d", got)
	}
	inner.Release()
	if got := w.m.CleanupSessions(0); got != 0 || refs() != 1 {
		t.Errorf("CleanupSessions closed %d sessions with a reference held, references = %d", got, refs())
	}
	outer.Release()
	if got := refs(); got != 0 {
		t.Errorf("no reference held, counted %d", got)
	}
}

func TestReleaseTooOftenPanicsAndHarmsNobody(t *testing.T) {
	w := newWorld(t, Config[*conn]{})
	for _, end := range []func(r Ref[*conn]){
		func(Ref[*conn]) {},
		func(r Ref[*conn]) { w.m.Kill(r) },
	} {
		r := w.acquire("alice")
		end(r)
		r.Release()
		mustPanic(t, "released more often", r.Release)
	}
	w.use("alice")
	mustPanic(t, "zero Ref", Ref[*conn]{}.Release)
	mustPanic(t, "not of this map", func() { w.m.Kill(Ref[*conn]{}) })
	other := newWorld(t, Config[*conn]{}).acquire("alice")
	defer other.Release()
	mustPanic(t, "not of this map", func() { w.m.Kill(other) })
}

func TestTryAcquireNeverDials(t *testing.T) {
	w := newWorld(t, Config[*conn]{})
	if _, ok := w.m.TryAcquire(of("alice")); ok || w.dials.Load() != 0 {
		t.Errorf("TryAcquire of an unknown ID = %t after %d dials", ok, w.dials.Load())
	}
	w.use("alice")
	r, ok := w.m.TryAcquire(of("alice"))
	if !ok {
		t.Fatal("TryAcquire of an open session failed")
	}
	r.Release()
}

func TestAcquireWithAnEndedContextNeedsAnOpenSession(t *testing.T) {
	w := newWorld(t, Config[*conn]{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.m.Acquire(ctx, of("alice")); !errors.Is(err, context.Canceled) || w.dials.Load() != 0 {
		t.Errorf("Acquire = %v after %d dials, want context.Canceled after none", err, w.dials.Load())
	}
	w.use("alice")
	r, err := w.m.Acquire(ctx, of("alice"))
	if err != nil {
		t.Fatalf("Acquire of an open session: %v", err)
	}
	r.Release()
}

// Scenario 14 and R3: one of 1,000 callers gives up, and it is the one who started the dial.
func TestConcurrentCallersShareOneDial(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const callers = 1000
		var w *world
		w = newWorld(t, Config[*conn]{Dial: func(ctx context.Context, id ID) (*conn, error) {
			time.Sleep(time.Second)
			return w.dial(ctx, id)
		}})
		ctx, cancel := context.WithCancel(t.Context())
		var failed, succeeded atomic.Int64
		var values sync.Map
		var wg sync.WaitGroup
		acquire := func(ctx context.Context) {
			r, err := w.m.Acquire(ctx, of("alice"))
			if err != nil {
				failed.Add(1)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("Acquire: %v", err)
				}
				return
			}
			succeeded.Add(1)
			values.Store(r.Value(), true)
			r.Release()
		}
		wg.Go(func() { acquire(ctx) })
		synctest.Wait()
		for range callers - 1 {
			wg.Go(func() { acquire(t.Context()) })
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		distinct := 0
		values.Range(func(any, any) bool { distinct++; return true })
		if w.dials.Load() != 1 || succeeded.Load() != callers-1 || failed.Load() != 1 || distinct != 1 {
			t.Errorf("%d dials, %d succeeded, %d failed, %d sessions; want 1, %d, 1, 1", w.dials.Load(), succeeded.Load(), failed.Load(), distinct, callers-1)
		}
	})
}

// A dial that takes for ever concerns nobody but its own callers.
func TestOpenSessionsAreServedWhileAnotherIsDialled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w *world
		w = newWorld(t, Config[*conn]{Dial: func(ctx context.Context, id ID) (*conn, error) {
			if id == of("slow") {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return w.dial(ctx, id)
		}})
		w.use("alice")
		start := time.Now()
		go w.m.Acquire(t.Context(), of("slow"))
		synctest.Wait()
		w.use("alice", "bob")
		if took := time.Since(start); took != 0 {
			t.Errorf("others waited %v", took)
		}
	})
}

func TestDialGetsTheValuesButNotTheCancellationOfItsCaller(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start := time.Now()
		w := newWorld(t, Config[*conn]{DialTimeout: time.Minute, Dial: func(ctx context.Context, id ID) (*conn, error) {
			if k, _ := FromContext(ctx); k != id.Key {
				t.Errorf("the context of the dial carries %v, want %v", k, id.Key)
			}
			if deadline, ok := ctx.Deadline(); !ok || !deadline.Equal(start.Add(time.Minute)) {
				t.Errorf("the dial has the deadline %v, want %v", deadline, start.Add(time.Minute))
			}
			time.Sleep(30 * time.Second)
			return &conn{id: id}, ctx.Err()
		}})
		ctx, cancel := context.WithTimeout(NewContext(t.Context(), of("alice").Key), time.Second)
		defer cancel()
		go func() {
			if _, err := w.m.Acquire(ctx, of("alice")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the caller with the deadline got %v", err)
			}
		}()
		synctest.Wait()
		w.use("alice")
	})
}

func TestAcquireAndReleaseAllocateNothing(t *testing.T) {
	w := newWorld(t, Config[*conn]{})
	w.use("alice")
	ctx, id := t.Context(), of("alice")
	allocs := testing.AllocsPerRun(1000, func() {
		r, err := w.m.Acquire(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		r.Release()
		if r, ok := w.m.TryAcquire(id); ok {
			r.Release()
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per Acquire and Release, want 0", allocs)
	}
}
