package session

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Scenario 19.
func TestAFailedDialIsReportedAndNotRepeatedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dials, fail := 0, true
		w := newWorld(t, Config[*conn]{Dial: func(_ context.Context, id ID) (*conn, error) {
			if dials++; fail {
				return nil, errRefused
			}
			return &conn{id: id}, nil
		}})
		id := ID{Key: Key{Tenant: "acme", User: "alice"}, Fingerprint: "fingerprint-1"}
		_, first := w.m.Acquire(t.Context(), id)
		var dialErr *DialError
		if !errors.Is(first, errRefused) || !errors.As(first, &dialErr) || dialErr.ID != id {
			t.Fatalf("Acquire = %v, want a *DialError with %v", first, errRefused)
		}
		if text := first.Error(); text != `session: opening a session for "acme/alice": connection refused` {
			t.Errorf("error text = %s", text)
		}
		window := time.Until(dialErr.RetryAt)
		if window < 375*time.Millisecond || window > 625*time.Millisecond {
			t.Errorf("the first window is %v, want 500ms +-25%%", window)
		}
		time.Sleep(window - 1)
		if _, again := w.m.Acquire(t.Context(), id); again != first || dials != 1 {
			t.Errorf("Acquire inside the window = %v after %d dials, want the same error", again, dials)
		}
		if _, err := w.m.Acquire(t.Context(), of("bob")); err == first || dials != 2 {
			t.Errorf("the window of one ID holds for another")
		}
		fail = false
		time.Sleep(time.Nanosecond)
		r, err := w.m.Acquire(t.Context(), id)
		if err != nil {
			t.Fatalf("Acquire after the window: %v", err)
		}
		r.Release()
	})
}

func TestBackoffDoublesUpToItsLimitAndStartsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{DialBackoff: time.Second, MaxDialBackoff: 5 * time.Second,
			Dial: func(context.Context, ID) (*conn, error) { return nil, errRefused }})
		window := func() time.Duration {
			_, err := w.m.Acquire(t.Context(), of("alice"))
			var dialErr *DialError
			if !errors.As(err, &dialErr) {
				t.Fatalf("Acquire = %v", err)
			}
			return time.Until(dialErr.RetryAt)
		}
		for i, want := range []time.Duration{1, 2, 4, 5, 5} {
			want *= time.Second
			got := window()
			if got < want*3/4 || got > want*5/4 {
				t.Errorf("window %d = %v, want %v +-25%%", i, got, want)
			}
			time.Sleep(got)
		}
		time.Sleep(5 * time.Second)
		if got := window(); got > 5*time.Second/4 {
			t.Errorf("the window after a long pause = %v, want 1s", got)
		}
		w.m.Retire(is("alice"))
		if got := window(); got > 5*time.Second/4 || got == 0 {
			t.Errorf("the window after Retire = %v, want 1s of a new dial", got)
		}
	})
}

func TestBackoffCanBeTurnedOff(t *testing.T) {
	dials := 0
	w := newWorld(t, Config[*conn]{DialBackoff: -1, Dial: func(context.Context, ID) (*conn, error) {
		dials++
		return nil, errRefused
	}})
	for range 3 {
		_, err := w.m.Acquire(t.Context(), of("alice"))
		var dialErr *DialError
		if !errors.As(err, &dialErr) || !dialErr.RetryAt.IsZero() {
			t.Errorf("Acquire = %#v, want a *DialError without RetryAt", err)
		}
	}
	if dials != 3 {
		t.Errorf("%d dials, want 3", dials)
	}
}

func TestAMarkedErrorOpensNoWindowAndEndsOne(t *testing.T) {
	dials, mark := 0, false
	w := newWorld(t, Config[*conn]{Dial: func(context.Context, ID) (*conn, error) {
		dials++
		if mark {
			return nil, NoBackoff(errRefused)
		}
		return nil, errRefused
	}})
	mark = true
	for range 3 {
		_, err := w.m.Acquire(t.Context(), of("alice"))
		var dialErr *DialError
		if !errors.As(err, &dialErr) || !dialErr.RetryAt.IsZero() || dialErr.Err != errRefused {
			t.Errorf("Acquire = %#v, want a *DialError without RetryAt", err)
		}
	}
	if dials != 3 {
		t.Errorf("%d dials, want 3", dials)
	}
	mark = false
	for range 3 {
		w.m.Acquire(t.Context(), of("alice"))
	}
	if dials != 4 {
		t.Errorf("%d dials, want 4: an error without the mark opens a window", dials)
	}
	if NoBackoff(nil) != nil {
		t.Error("NoBackoff(nil) is an error")
	}
}

// Anyone can present a new credential each time; what is remembered of it is bounded.
func TestRememberedFailuresAreBounded(t *testing.T) {
	w := newWorld(t, Config[*conn]{MaxSessions: 10, Dial: func(context.Context, ID) (*conn, error) { return nil, errRefused }})
	for i := range 3000 {
		w.m.Acquire(t.Context(), ID{Key: of("mallory").Key, Fingerprint: fmt.Sprint(i)})
	}
	if got := len(w.m.failures.byID); got != 1024 {
		t.Errorf("%d failures remembered, want 1024", got)
	}
}

// Scenario 20: the dial ignores its context.
func TestAHangingDialDelaysNobodyBeyondDialTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w *world
		w = newWorld(t, Config[*conn]{DialTimeout: 2 * time.Second, MaxSessions: 1, IdleTimeout: -1, Dial: func(ctx context.Context, id ID) (*conn, error) {
			if id == of("alice") {
				time.Sleep(time.Hour)
			}
			return w.dial(ctx, id)
		}})
		start := time.Now()
		_, err := w.m.Acquire(t.Context(), of("alice"))
		var dialErr *DialError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &dialErr) || !strings.Contains(err.Error(), "no answer within 2s") {
			t.Errorf("Acquire = %v, want a *DialError with context.DeadlineExceeded", err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("Acquire took %v, want 2s", took)
		}
		w.use("bob") // the slot is free
		time.Sleep(time.Hour)
		if got := fmt.Sprint(w.closes()); got != "[alice:abandoned]" {
			t.Errorf("closed %v, want the session that came too late", got)
		}
		s := w.m.Stats()
		if s.Dials != 2 || s.Opened != 2 || s.DialErrors != 1 || s.DialsDiscarded != 1 || s.Dialing != 0 {
			t.Errorf("stats = %+v", s)
		}
	})
}

func TestADialIsCancelledWhenItsLastCallerLeaves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cancelled := 0
		w := newWorld(t, Config[*conn]{Dial: func(ctx context.Context, id ID) (*conn, error) {
			<-ctx.Done()
			if ctx.Err() == context.Canceled {
				cancelled++
			}
			return nil, ctx.Err()
		}})
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			go w.m.Acquire(ctx, of("alice"))
		}
		synctest.Wait()
		if cancelled != 0 {
			t.Error("the dial was cancelled while callers waited")
		}
		cancel()
		synctest.Wait()
		if s := w.m.Stats(); cancelled != 1 || s.Dialing != 0 || s.DialErrors != 0 {
			t.Errorf("cancelled %d dials, want 1; stats %+v", cancelled, s)
		}
		// Nobody has seen a failure, so there is no window either.
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.m.Acquire(ctx, of("alice")); !errors.Is(err, context.DeadlineExceeded) || w.m.Stats().Dials != 2 {
			t.Errorf("the next Acquire = %v after %d dials, want a dial of its own", err, w.m.Stats().Dials)
		}
	})
}

// What happens to a dial that is cancelled but returns only when told to, with and without somebody new who waits for it.
func TestAnAbandonedDialIsAdoptedRepeatedOrClosed(t *testing.T) {
	for _, test := range []struct {
		name     string
		joined   bool
		err      error
		dials    int
		closes   string
		sessions int
	}{
		{"session and nobody", false, nil, 1, "[alice:abandoned]", 0},
		{"session and somebody", true, nil, 1, "[]", 1},
		{"error and nobody", false, context.Canceled, 1, "[]", 0},
		{"error and somebody", true, context.Canceled, 2, "[]", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				answer := make(chan error)
				var w *world
				w = newWorld(t, Config[*conn]{Dial: func(ctx context.Context, id ID) (*conn, error) {
					if err := <-answer; err != nil {
						w.dials.Add(1)
						return nil, err
					}
					return w.dial(ctx, id)
				}})
				ctx, cancel := context.WithCancel(t.Context())
				go w.m.Acquire(ctx, of("alice"))
				synctest.Wait()
				cancel()
				synctest.Wait()
				if test.joined {
					go func() {
						time.Sleep(time.Second)
						answer <- test.err
						if test.err != nil {
							answer <- nil
						}
					}()
					w.use("alice")
				} else {
					answer <- test.err
				}
				if got := fmt.Sprint(w.closes()); got != test.closes {
					t.Errorf("closed %v, want %v", got, test.closes)
				}
				if s := w.m.Stats(); w.dials.Load() != int64(test.dials) || s.Sessions != test.sessions || s.DialErrors != 0 {
					t.Errorf("%d dials, want %d; stats %+v", w.dials.Load(), test.dials, s)
				}
			})
		})
	}
}

func TestWhoJoinsAnAbandonedDialWaitsNoLongerThanDialTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first := true
		w := newWorld(t, Config[*conn]{DialTimeout: 10 * time.Second, Dial: func(ctx context.Context, id ID) (*conn, error) {
			if first {
				first = false
				time.Sleep(8 * time.Second)
				return nil, errors.New("cancelled, after a while")
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.m.Acquire(ctx, of("alice"))
		time.Sleep(time.Second)
		start := time.Now()
		_, err := w.m.Acquire(t.Context(), of("alice"))
		if took := time.Since(start); took != 10*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Acquire = %v after %v, want context.DeadlineExceeded after 10s", err, took)
		}
	})
}

// R11.
func TestAPanicInDialIsAFailedDial(t *testing.T) {
	for _, test := range []struct {
		name, text string
		value      any
		dial       func()
	}{
		{"panic", "Dial panicked: connection refused", errRefused, func() { panic(errRefused) }},
		{"nil panic", "Dial panicked: panic called with nil argument", nil, func() { panic(nil) }},
		{"Goexit", "Dial called runtime.Goexit", nil, runtime.Goexit},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var log strings.Builder
				var w *world
				healthy := false
				w = newWorld(t, Config[*conn]{Logger: textLogger(&log), Dial: func(ctx context.Context, id ID) (*conn, error) {
					if !healthy {
						test.dial()
					}
					return w.dial(ctx, id)
				}})
				_, err := w.m.Acquire(t.Context(), of("alice"))
				var dialErr *DialError
				var panicErr *PanicError
				if !errors.As(err, &dialErr) || !errors.As(err, &panicErr) || !strings.Contains(err.Error(), test.text) {
					t.Fatalf("Acquire = %v, want a *DialError with a *PanicError: %s", err, test.text)
				}
				if test.value != nil && (panicErr.Value != test.value || !errors.Is(err, errRefused) || !strings.Contains(string(panicErr.Stack), "dial_test.go")) {
					t.Errorf("PanicError = %v with stack %s", panicErr.Value, panicErr.Stack)
				}
				healthy = true
				time.Sleep(time.Second)
				w.use("alice")
				if s := w.m.Stats(); s.Panics != 1 || s.DialErrors != 1 {
					t.Errorf("stats = %+v", s)
				}
				synctest.Wait()
				if !strings.Contains(log.String(), "level=ERROR") {
					t.Errorf("logged %q, want an error", log.String())
				}
			})
		})
	}
}

func TestAPanickingLogHandlerHarmsNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{Logger: panicLogger()})
		w.use("alice", "bob")
		synctest.Wait()
		w.m.CleanupSessions(0)
		if got := len(w.closes()); got != 2 || w.m.Stats().Panics != 4 {
			t.Errorf("%d sessions closed, %d panics; want 2 and 4", got, w.m.Stats().Panics)
		}
	})
}

// A caller who leaves at the moment the session arrives either has a reference or has not; none is lost.
func TestCancelledAcquiresLeakNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w *world
		w = newWorld(t, Config[*conn]{Dial: func(ctx context.Context, id ID) (*conn, error) {
			time.Sleep(time.Second)
			return w.dial(ctx, id)
		}})
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				// Some leave before, some with and some after the end of the dial.
				ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Duration(i%3-1)*time.Millisecond)
				defer cancel()
				if r, err := w.m.Acquire(ctx, of(numbered(i/2))); err == nil {
					r.Release()
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		s := w.m.Stats()
		if s.Leased != 0 || s.Dialing != 0 || s.Draining != 0 || int(s.Opened) != s.Sessions+int(s.DialsDiscarded) {
			t.Errorf("stats = %+v, want no references left", s)
		}
		if got := w.m.CleanupSessions(0); got != s.Idle {
			t.Errorf("CleanupSessions(0) = %d, want %d", got, s.Idle)
		}
		if got := len(w.closes()); int64(got) != w.opened {
			t.Errorf("%d sessions opened, %d closed", w.opened, got)
		}
	})
}
