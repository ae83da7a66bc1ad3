package session

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// R9 for the map, and scenario 23: 64 callers, one session that closes slowly, and Close called again and again.
func TestCloseUnderLoad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w *world
		w = newWorld(t, Config[*conn]{
			Dial: func(ctx context.Context, id ID) (*conn, error) {
				select {
				case <-time.After(100 * time.Millisecond):
					return w.dial(ctx, id)
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			},
			Close: func(c *conn, id ID, reason Reason) {
				time.Sleep(5 * time.Second)
				w.close(c, id, reason)
			},
		})
		var closed atomic.Bool
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				for n := 0; ; n++ {
					after := closed.Load()
					r, err := w.m.Acquire(t.Context(), of(numbered(i%8+n%3)))
					if err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Errorf("Acquire: %v", err)
						}
						return
					}
					if after {
						t.Error("Acquire succeeded after Close")
					}
					time.Sleep(time.Duration(i+1) * time.Millisecond)
					if r.Value().closed.Load() {
						t.Error("a session was closed under its holder")
					}
					r.Release()
				}
			})
		}
		time.Sleep(time.Second)
		start := time.Now()
		for range 3 {
			wg.Go(func() {
				if err := w.m.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("Close took %v", took)
				}
				closed.Store(true)
			})
		}
		wg.Wait()
		if err := w.m.Drain(t.Context()); err != nil {
			t.Errorf("Drain: %v", err)
		}
		if s := w.m.Stats(); int64(s.Closed[ReasonClosed]+s.Closed[ReasonAbandoned]) != w.opened || s.Closing+s.Draining+s.Dialing != 0 {
			t.Errorf("stats = %+v after %d sessions", s, w.opened)
		}
	})
}

func TestCloseEndsWaitingAndDialling(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w *world
		w = newWorld(t, Config[*conn]{MaxSessions: 1, OnLimit: LimitWait, Dial: func(ctx context.Context, id ID) (*conn, error) {
			<-ctx.Done()
			time.Sleep(time.Second)
			return w.dial(ctx, id)
		}})
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				if _, err := w.m.Acquire(t.Context(), of(numbered(i))); !errors.Is(err, ErrClosed) {
					t.Errorf("Acquire = %v, want ErrClosed", err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		w.m.Close()
		wg.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("Close and the waiters took %v", took)
		}
		if err := w.m.Drain(t.Context()); err != nil || time.Since(start) != time.Second {
			t.Errorf("Drain = %v after %v, want nil once the dial has returned", err, time.Since(start))
		}
		if got := w.closes(); len(got) != 1 || !strings.HasSuffix(got[0], ":abandoned") {
			t.Errorf("closed %v", got)
		}
	})
}

func TestLeasedSessionsOutliveTheMap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{})
		held := w.acquire("held")
		w.use("idle")
		w.m.Close()
		if got := fmt.Sprint(w.closes()); got != "[idle:closed]" {
			t.Errorf("closed %v", got)
		}
		if _, err := w.m.Acquire(t.Context(), of("held")); !errors.Is(err, ErrClosed) {
			t.Errorf("Acquire of a leased session = %v, want ErrClosed", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := w.m.Drain(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 session left (1 in use") {
			t.Errorf("Drain = %v", err)
		}
		go func() {
			time.Sleep(time.Minute)
			held.Release()
		}()
		start := time.Now()
		if err := w.m.Drain(t.Context()); err != nil || time.Since(start) != time.Minute {
			t.Errorf("Drain = %v after %v", err, time.Since(start))
		}
		if got := fmt.Sprint(w.closes()); got != "[idle:closed held:closed]" {
			t.Errorf("closed %v", got)
		}
	})
}

func TestCloseWaitsForSessionsThatAreClosingAlready(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{Close: func(*conn, ID, Reason) { time.Sleep(time.Second) }})
		w.use("alice")
		w.m.CleanupSessions(0)
		start := time.Now()
		w.m.Close()
		if took := time.Since(start); took != time.Second {
			t.Errorf("Close took %v, want 1s", took)
		}
	})
}

func TestCloseDoesNotWaitForSessionsThatAreReleasedLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{Close: func(_ *conn, id ID, _ Reason) {
			if id == of("slow") {
				time.Sleep(time.Hour)
			} else {
				time.Sleep(time.Second)
			}
		}})
		held := w.acquire("slow")
		w.use("alice")
		go func() {
			time.Sleep(time.Millisecond)
			held.Release()
		}()
		start := time.Now()
		w.m.Close()
		if took := time.Since(start); took != time.Second {
			t.Errorf("Close took %v, want 1s", took)
		}
		if err := w.m.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// R11.
func TestAPanicInCloseIsLoggedAndCounted(t *testing.T) {
	for name, end := range map[string]func(){
		"panic":  func() { panic("broken pipe") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var log strings.Builder
				w := newWorld(t, Config[*conn]{Logger: textLogger(&log), Close: func(*conn, ID, Reason) { end() }})
				r := w.acquire("alice")
				w.m.Kill(r)
				r.Release()
				synctest.Wait()
				if s := w.m.Stats(); s.Panics != 1 || s.Closing != 0 || s.Closed[ReasonKilled] != 1 {
					t.Errorf("stats = %+v", s)
				}
				if text := log.String(); !strings.Contains(text, "level=ERROR msg=\"session close failed\" session=acme/alice reason=killed") {
					t.Errorf("logged %s", text)
				}
				w.use("alice")
				w.m.Close()
				if err := w.m.Drain(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAMapThatWasNeverUsedDrainsAtOnce(t *testing.T) {
	w := newWorld(t, Config[*conn]{})
	if err := w.m.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := w.m.Acquire(t.Context(), of("alice")); !errors.Is(err, ErrClosed) {
		t.Errorf("Acquire = %v, want ErrClosed", err)
	}
}
