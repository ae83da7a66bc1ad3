package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sweepPeriod is what the documentation of Config.IdleTimeout promises.
func sweepPeriod(idle time.Duration) time.Duration {
	return min(max(idle/8, 8*time.Millisecond), time.Minute)
}

func TestIdleSessionsAreClosedInTimeAndNotBefore(t *testing.T) {
	for _, idle := range []time.Duration{time.Millisecond, 50 * time.Millisecond, 64 * time.Millisecond, time.Second, 7*time.Minute + 1, 90500 * time.Millisecond, 30 * time.Minute, 2 * time.Hour} {
		t.Run(idle.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var w *world
				var mu sync.Mutex
				released := make(map[ID]time.Time)
				closes := 0
				w = newWorld(t, Config[*conn]{IdleTimeout: idle, Close: func(c *conn, id ID, reason Reason) {
					w.close(c, id, reason)
					mu.Lock()
					defer mu.Unlock()
					closes++
					if took := time.Since(released[id]); took < idle || took > idle+sweepPeriod(idle) {
						t.Errorf("%v was closed %v after its last use, want %v to %v", id, took, idle, idle+sweepPeriod(idle))
					}
				}})
				rng := rand.New(rand.NewPCG(1, uint64(idle)))
				for i := range 200 {
					user := numbered(i % 50)
					r := w.acquire(user)
					time.Sleep(rand.N(idle / 10))
					mu.Lock()
					released[of(user)] = time.Now()
					mu.Unlock()
					r.Release()
					if rng.IntN(10) == 0 {
						time.Sleep(time.Duration(rng.Int64N(int64(idle))))
					}
				}
				time.Sleep(2 * idle)
				time.Sleep(8 * time.Millisecond)
				synctest.Wait()
				if s := w.m.Stats(); s.Sessions != 0 || int(s.Closed[ReasonIdle]) != closes || closes < 50 {
					t.Errorf("%d closed, stats %+v", closes, s)
				}
			})
		})
	}
}

// R4: 1,000 sessions for 24 hours; some are held all day, some are used now and then. Scenario 22.
func TestADayWithAThousandSessions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const sessions, idle = 1000, 30 * time.Minute
		var w *world
		var mu sync.Mutex
		released := make(map[ID]time.Time)
		held := make(map[ID]bool)
		w = newWorld(t, Config[*conn]{IdleTimeout: idle, MaxSessions: sessions, Close: func(c *conn, id ID, reason Reason) {
			w.close(c, id, reason)
			mu.Lock()
			defer mu.Unlock()
			if held[id] {
				t.Errorf("%v was closed with a reference held", id)
			} else if took := time.Since(released[id]); took < idle || took > idle+time.Minute {
				t.Errorf("%v was closed %v after its last use", id, took)
			}
		}})
		var refs []Ref[*conn]
		for i := range sessions {
			r := w.acquire(numbered(i))
			if i%10 == 0 {
				held[of(numbered(i))] = true
				refs = append(refs, r)
				continue
			}
			released[of(numbered(i))] = time.Now()
			r.Release()
		}
		rng := rand.New(rand.NewPCG(3, 4))
		for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); {
			user := numbered(1 + rng.IntN(sessions/10)) // a tenth of them is busy
			if !held[of(user)] {
				r := w.acquire(user)
				mu.Lock()
				released[of(user)] = time.Now()
				mu.Unlock()
				r.Release()
			}
			time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Second))))
		}
		time.Sleep(idle + time.Minute)
		synctest.Wait()
		if s := w.m.Stats(); s.Sessions != len(refs) || s.Leased != len(refs) {
			t.Errorf("stats = %+v, want the %d held sessions", s, len(refs))
		}
		for _, r := range refs {
			if r.Value().closed.Load() {
				t.Errorf("%v is closed", r.ID())
			}
			mu.Lock()
			held[r.ID()] = false
			released[r.ID()] = time.Now()
			mu.Unlock()
			r.Release()
		}
		time.Sleep(idle + time.Minute)
		synctest.Wait()
		if s := w.m.Stats(); s.Sessions != 0 || s.Opened != s.Closed[ReasonIdle] {
			t.Errorf("stats = %+v, want all closed", s)
		}
		t.Logf("%d sessions opened and closed in 24 h", w.dials.Load())
	})
}

func TestTheTimerRunsOnlyWhileThereAreSessions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{IdleTimeout: time.Minute})
		for range 2 {
			if w.m.sweeper.running {
				t.Error("the timer of an empty map runs")
			}
			w.use("alice")
			w.m.mu.RLock()
			running := w.m.sweeper.running
			w.m.mu.RUnlock()
			if !running {
				t.Error("the timer does not run")
			}
			time.Sleep(time.Hour)
			synctest.Wait()
		}
		if got := fmt.Sprint(w.closes()); got != "[alice:idle alice:idle]" {
			t.Errorf("closed %v", got)
		}
	})
}

func TestSessionsStayWithoutAnIdleTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{IdleTimeout: -1})
		w.use("alice")
		time.Sleep(48 * time.Hour)
		if got := w.closes(); len(got) != 0 {
			t.Errorf("closed %v", got)
		}
		if got := w.m.Sessions()[0].LastUsed; time.Since(got) < 47*time.Hour {
			t.Errorf("last used %v ago", time.Since(got))
		}
	})
}

func TestOldSessionsAreReplacedButNotUnderTheirHolder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{MaxLifetime: time.Hour, IdleTimeout: -1})
		held := w.acquire("held")
		var users []string
		for i := range 100 {
			users = append(users, numbered(i))
		}
		w.use(users...)
		time.Sleep(54*time.Minute - 1)
		if got := w.closes(); len(got) != 0 {
			t.Errorf("closed %v before their time", got)
		}
		time.Sleep(6 * time.Minute)
		if got := len(w.closes()); got < 20 || got > 80 {
			t.Errorf("%d of 100 sessions are closed after an hour, want about half", got)
		}
		time.Sleep(7 * time.Minute)
		if got := w.closes(); len(got) != 100 || slices.Contains(got, "held:lifetime") {
			t.Errorf("closed %v, want all but the held one", got)
		}
		if s := w.m.Stats(); s.Draining != 1 {
			t.Errorf("stats = %+v, want one draining", s)
		}
		fresh := w.acquire("held")
		if fresh.Generation() == held.Generation() {
			t.Error("an expired session got a new reference")
		}
		fresh.Release()
		held.Release()
		if got := w.closes(); got[len(got)-1] != "held:lifetime" {
			t.Errorf("last closed %v", got[len(got)-1])
		}
	})
}

// Scenarios 11, 16 and 17.
func TestCleanupSessions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{IdleTimeout: time.Hour})
		expect := func(maxAge time.Duration, n int) {
			t.Helper()
			if got := w.m.CleanupSessions(maxAge); got != n {
				t.Errorf("CleanupSessions(%v) = %d, want %d", maxAge, got, n)
			}
		}
		expect(0, 0)
		w.use("old")
		held := w.acquire("held")
		time.Sleep(10 * time.Minute)
		w.use("young")
		expect(30*time.Minute, 0)
		expect(5*time.Minute, 1)
		if got := fmt.Sprint(w.closes()); got != "[old:cleanup]" {
			t.Errorf("closed %v", got)
		}
		expect(10*time.Minute, 0)
		w.use("a", "b")
		expect(0, 3)
		held.Release()
		expect(time.Minute, 0)
		expect(0, 1)
		if got := w.closes(); len(got) != 5 {
			t.Errorf("closed %v", got)
		}
	})
}

// Scenario 13.
func TestASessionWhoseCloseFailsIsGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, Config[*conn]{Close: func(*conn, ID, Reason) { panic("broken pipe") }})
		w.use("alice")
		if got := w.m.CleanupSessions(0); got != 1 || w.m.Stats().Sessions != 0 {
			t.Errorf("CleanupSessions(0) = %d, %d sessions left", got, w.m.Stats().Sessions)
		}
		synctest.Wait()
		if s := w.m.Stats(); s.Panics != 1 || s.Closing != 0 || s.Closed[ReasonCleanup] != 1 {
			t.Errorf("stats = %+v", s)
		}
		w.use("alice")
	})
}

func TestCloseRunsWithoutLocksAndMayCallTheMap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w *world
		w = newWorld(t, Config[*conn]{
			Dial: func(ctx context.Context, id ID) (*conn, error) {
				w.m.Stats()
				return w.dial(ctx, id)
			},
			Close: func(c *conn, id ID, reason Reason) {
				w.close(c, id, reason)
				if reason == ReasonCleanup {
					w.use(id.Key.User + "'s heir")
				}
			},
		})
		w.use("alice")
		w.m.CleanupSessions(0)
		synctest.Wait()
		if got := w.m.Sessions(); len(got) != 1 || got[0].ID != of("alice's heir") {
			t.Errorf("sessions = %v", got)
		}
	})
}
