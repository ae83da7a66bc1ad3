package session

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

var long = flag.Bool("long", os.Getenv("MCPFLEET_LONG") != "", "run the stress tests at full length")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

var errRefused = errors.New("connection refused")

// A conn is a session that knows whether it is used as it may be.
type conn struct {
	id     ID
	n      int64 // which dial it came from
	closed atomic.Bool
	reason Reason // set before closed
}

// A world is the far side of a map: it counts what the map does to it and complains about what it must not do.
type world struct {
	t     testing.TB
	m     *Map[*conn]
	dials atomic.Int64

	mu     sync.Mutex
	closed []*conn // in the order of their Close calls
	opened int64
}

// newWorld returns a map with an honest Dial and Close where cfg has none. When the test ends the map is closed and checked.
func newWorld(t testing.TB, cfg Config[*conn]) *world {
	w := &world{t: t}
	if cfg.Dial == nil {
		cfg.Dial = w.dial
	}
	if cfg.Close == nil {
		cfg.Close = w.close
	}
	w.m = New(cfg)
	t.Cleanup(func() {
		checkInvariants(t, w.m)
		w.m.Close()
		checkInvariants(t, w.m)
	})
	return w
}

func (w *world) dial(_ context.Context, id ID) (*conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened++
	return &conn{id: id, n: w.dials.Add(1)}, nil
}

func (w *world) close(c *conn, id ID, reason Reason) {
	if c.id != id {
		w.t.Errorf("Close of %v called with the value of %v", id, c.id)
	}
	c.reason = reason
	if c.closed.Swap(true) {
		w.t.Errorf("session of %v closed twice", id)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = append(w.closed, c)
}

// closes returns "user:reason" for each Close call so far. It must be called in a bubble.
func (w *world) closes() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var s []string
	for _, c := range w.closed {
		s = append(s, c.id.Key.User+":"+c.reason.String())
	}
	return s
}

func (w *world) acquire(user string) Ref[*conn] {
	w.t.Helper()
	r, err := w.m.Acquire(context.Background(), of(user))
	if err != nil {
		w.t.Fatalf("Acquire of %s: %v", user, err)
	}
	if r.Value().closed.Load() {
		w.t.Fatalf("Acquire of %s returned a closed session", user)
	}
	return r
}

// use acquires and releases.
func (w *world) use(users ...string) {
	w.t.Helper()
	for _, user := range users {
		w.acquire(user).Release()
	}
}

func of(user string) ID { return ID{Key: Key{Tenant: "acme", User: user}} }

func is(user string) func(ID) bool { return func(id ID) bool { return id.Key.User == user } }

func numbered(i int) string { return fmt.Sprintf("user%d", i) }

// bubble runs a test in which time passes at once.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// checkInvariants walks the whole map.
func checkInvariants[V any](t testing.TB, m *Map[V]) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()

	running, queued := 0, 0
	type count struct{ used, members, entries int }
	users := make(map[user]count)
	bump := func(id ID, used, entries int) {
		u := user{id.Key.Tenant, id.Key.User}
		c := users[u]
		users[u] = count{c.used + used, c.members + 1, c.entries + entries}
	}
	for id, e := range m.entries {
		if e.id != id {
			t.Errorf("session of %v is filed under %v", e.id, id)
		}
		if e.refs.Load()&gone != 0 {
			t.Errorf("session of %v is in the map and gone", id)
		}
		if e.lastUsed > m.clock.ticks.Load() {
			t.Errorf("session of %v was last used in the future", id)
		}
		if m.dials[id] != nil {
			t.Errorf("%v has a session and a dial", id)
		}
		bump(id, 1, 1)
	}
	for id, d := range m.dials {
		switch {
		case d.id != id:
			t.Errorf("dial of %v is filed under %v", d.id, id)
		case d.queued != nil:
			queued++
			if d.waiters == 0 || d.attempt != nil {
				t.Errorf("queued dial of %v has %d waiters, attempt %v", id, d.waiters, d.attempt)
			}
			if d.own.used < d.own.max && m.all.used < m.all.max {
				t.Errorf("dial of %v waits although there is a slot", id)
			}
			bump(id, 0, 0)
		default:
			running++
			if d.attempt == nil || d.attempt.over || d.waiters == 0 && !d.attempt.abandoned {
				t.Errorf("running dial of %v has %d waiters, attempt %+v", id, d.waiters, d.attempt)
			}
			bump(id, 1, 0)
		}
	}
	if queued != m.queue.Len() {
		t.Errorf("%d dials think they are queued, the queue has %d", queued, m.queue.Len())
	}
	if want := len(m.entries) + running; m.all.used != want || m.all.max > 0 && want > m.all.max {
		t.Errorf("%d slots in use, counted %d of %d", want, m.all.used, m.all.max)
	}
	if m.stats.dialing < running {
		t.Errorf("%d dials run, counted %d", running, m.stats.dialing)
	}
	if m.cfg.MaxPerUser > 0 {
		for u, q := range m.users {
			if got := (count{q.used, q.members, len(q.entries)}); got != users[u] || got.used > q.max {
				t.Errorf("user %v has %+v of %d, counted %+v", u, users[u], q.max, got)
			}
		}
		if len(m.users) != len(users) {
			t.Errorf("%d users are counted, want %d", len(m.users), len(users))
		}
	}
	closed := uint64(0)
	for _, n := range m.stats.closedFor {
		closed += n
	}
	if want := uint64(len(m.entries)+m.stats.draining) + closed; m.stats.opened != want {
		t.Errorf("%d sessions opened, but %d in the map, %d draining and %d closed", m.stats.opened, len(m.entries), m.stats.draining, closed)
	}
	if len(m.entries) > 0 && !m.sweeper.running {
		t.Error("there are sessions and no timer")
	}
	if m.closed && len(m.entries)+len(m.dials)+m.queue.Len() > 0 {
		t.Errorf("closed with %d sessions, %d dials, %d queued", len(m.entries), len(m.dials), m.queue.Len())
	}
}
