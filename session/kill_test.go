package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestOfManyCallersOneKillsAndAllShareTheReplacement(t *testing.T) {
	w := newWorld(t, Config[*conn]{})
	var refs []Ref[*conn]
	for range 64 {
		refs = append(refs, w.acquire("alice"))
	}
	var kills atomic.Int64
	var wg sync.WaitGroup
	for _, r := range refs {
		wg.Go(func() {
			if w.m.Kill(r) {
				kills.Add(1)
			}
			fresh := w.acquire("alice")
			if fresh.Generation() <= r.Generation() {
				t.Errorf("generation %d was replaced by %d", r.Generation(), fresh.Generation())
			}
			if w.m.Kill(r) {
				t.Error("a session was killed twice")
			}
			fresh.Release()
			if r.Value().closed.Load() {
				t.Error("a killed session was closed under its holder")
			}
			r.Release()
		})
	}
	wg.Wait()
	if kills.Load() != 1 || w.dials.Load() != 2 {
		t.Errorf("%d kills and %d dials, want 1 and 2", kills.Load(), w.dials.Load())
	}
}

func TestAReleasedSessionCanStillBeKilled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{})
		r := w.acquire("alice")
		r.Release()
		if !w.m.Kill(r) || w.m.Kill(r) {
			t.Error("Kill of an idle session, want true and then false")
		}
		if got := fmt.Sprint(w.closes()); got != "[alice:killed]" {
			t.Errorf("closed %v", got)
		}
	})
}

func TestRetireLogsAUserOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w *world
		w = newWorld(t, Config[*conn]{Dial: func(ctx context.Context, id ID) (*conn, error) {
			if id.Key.Conversation == "dialling" {
				time.Sleep(time.Second) // and ignores ctx
			}
			return w.dial(ctx, id)
		}})
		of := func(conversation string) ID {
			return ID{Key: Key{Tenant: "acme", User: "alice", Conversation: conversation}}
		}
		idle, err := w.m.Acquire(t.Context(), of("idle"))
		if err != nil {
			t.Fatal(err)
		}
		idle.Release()
		leased, err := w.m.Acquire(t.Context(), of("leased"))
		if err != nil {
			t.Fatal(err)
		}
		w.use("bob")
		failed := make(chan error)
		go func() {
			_, err := w.m.Acquire(t.Context(), of("dialling"))
			failed <- err
		}()
		synctest.Wait()
		if got := w.m.Retire(is("alice")); got != 3 {
			t.Errorf("Retire = %d, want 3", got)
		}
		if err := <-failed; !errors.Is(err, ErrRetired) {
			t.Errorf("the caller of the discarded dial got %v", err)
		}
		if got := fmt.Sprint(w.closes()); got != "[alice:retired]" {
			t.Errorf("closed %v, want the idle one", got)
		}
		if _, ok := w.m.TryAcquire(of("leased")); ok {
			t.Error("a retired session got a new reference")
		}
		leased.Release()
		time.Sleep(time.Second)
		if got := fmt.Sprint(w.closes()); got != "[alice:retired alice:retired alice:abandoned]" {
			t.Errorf("closed %v", got)
		}
		if got := w.m.Sessions(); len(got) != 1 || got[0].ID.Key.User != "bob" {
			t.Errorf("sessions = %v, want bob's", got)
		}
		if got := w.m.Retire(is("alice")); got != 0 {
			t.Errorf("Retire of nobody = %d", got)
		}
	})
}

func TestRangeLeasesWhatItShows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{})
		w.use("a", "b", "c")
		before := w.m.Sessions()
		seen := 0
		w.m.Range(func(id ID, c *conn) bool {
			seen++
			w.m.Retire(func(other ID) bool { return other == id })
			synctest.Wait()
			if c.closed.Load() || c.id != id {
				t.Errorf("%v is closed while it is shown", id)
			}
			return seen < 2
		})
		if got := w.closes(); len(got) != 2 || seen != 2 {
			t.Errorf("%d seen, closed %v", seen, got)
		}
		w.m.Range(func(ID, *conn) bool { return true })
		for _, info := range w.m.Sessions() {
			for _, old := range before {
				if old.ID == info.ID && old != info {
					t.Errorf("Range changed %v to %v", old, info)
				}
			}
		}
		func() {
			defer func() { _ = recover() }()
			w.m.Range(func(ID, *conn) bool { panic("oops") })
		}()
		if s := w.m.Stats(); s.Leased != 0 {
			t.Errorf("stats = %+v: Range leaked a reference", s)
		}
	})
}

func TestStatsTellLeasedFromIdle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{})
		w.use("a", "b", "c")
		held, dead := w.acquire("c"), w.acquire("d")
		w.m.Kill(dead)
		want := Stats{Sessions: 3, Leased: 1, Idle: 2, Draining: 1, Dials: 4, Opened: 4, Closed: map[Reason]uint64{}}
		if got := w.m.Stats(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("stats = %+v, want %+v", got, want)
		}
		infos := w.m.Sessions()
		if infos[2].ID != of("c") || infos[2].Refs != 1 || time.Since(infos[2].LastUsed).Abs() > time.Microsecond || infos[2].Generation != held.Generation() {
			t.Errorf("sessions = %+v", infos)
		}
		if time.Since(infos[2].CreatedAt).Abs() > time.Microsecond {
			t.Errorf("created at %v, want now", infos[2].CreatedAt)
		}
		held.Release()
		dead.Release()
	})
}
