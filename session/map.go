package session

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A Map keeps at most one open session per [ID]. Create it with [New] and end it with [Map.Close].
// Its methods are safe for concurrent use.
type Map[V any] struct {
	cfg   Config[V]
	clock clock

	// mu guards all below but what is atomic. Nothing that can block runs while it is held: no Dial, no Close, no other
	// function of the caller's, no log call.
	//
	// Acquire of an open session takes a read lock, looks entries up and raises a counter. Everything else that changes the
	// map takes the write lock, so a write lock also keeps new references away.
	mu      sync.RWMutex
	entries map[ID]*entry[V]
	dials   map[ID]*dial[V] // running or queued; an ID is in entries or in dials, never in both
	queue   list.List       // of *dial[V], oldest first: those that wait for a slot
	all     quota[V]
	users   map[user]*quota[V] // empty without MaxPerUser

	failures failures
	sweeper  sweeper
	stats    counters
	gens     uint64 // the last generation given out
	closed   bool

	// closers counts the running Close functions. Map.Close puts a new one in place and waits for the old one, so that it
	// does not wait for sessions that are released later. atClose is that old one.
	closers *sync.WaitGroup
	atClose *sync.WaitGroup
	empty   chan struct{} // closed when the map is closed and nothing is left

	panics atomic.Uint64
}

// New returns an empty map. It panics if cfg.Dial or cfg.Close is nil or if another field makes no sense.
func New[V any](cfg Config[V]) *Map[V] {
	cfg = cfg.withDefaults()
	m := &Map[V]{
		cfg:     cfg,
		clock:   clock{epoch: time.Now()},
		entries: make(map[ID]*entry[V]),
		dials:   make(map[ID]*dial[V]),
		all:     quota[V]{max: cfg.MaxSessions},
		users:   make(map[user]*quota[V]),
		closers: new(sync.WaitGroup),
		empty:   make(chan struct{}),
	}
	m.failures.init(cfg.DialBackoff, cfg.MaxDialBackoff, cfg.MaxSessions)
	m.sweeper.init(cfg.IdleTimeout, cfg.MaxLifetime)
	return m
}

// Acquire returns a reference to the session of id, which the caller must release. If there is none it is opened first;
// concurrent callers of one ID wait for the same dial.
//
// An open session is returned at once, even if ctx has already ended: a caller that does not look at its context before a
// call looks at it during the call. Otherwise Acquire returns an error that wraps ctx.Err() as soon as ctx ends; the dial goes
// on for the others, and is cancelled if there are none.
//
// Other errors are [*DialError], [*LimitError], [ErrRetired] and [ErrClosed].
func (m *Map[V]) Acquire(ctx context.Context, id ID) (Ref[V], error) {
	m.mu.RLock()
	e := m.entries[id]
	if e != nil {
		e.refs.Add(1)
		m.mu.RUnlock()
		return Ref[V]{e}, nil
	}
	m.mu.RUnlock()
	return m.open(ctx, id)
}

// TryAcquire returns a reference to the session of id if it is open. It never dials and never waits.
func (m *Map[V]) TryAcquire(id ID) (Ref[V], bool) {
	m.mu.RLock()
	e := m.entries[id]
	if e != nil {
		e.refs.Add(1)
	}
	m.mu.RUnlock()
	return Ref[V]{e}, e != nil
}

// Kill reports that the session of r is dead: nobody gets a new reference to it, it is closed when its last reference is
// released, and the next Acquire of its ID dials anew. The caller keeps r and still has to release it.
//
// Kill returns true for the one call that killed the session, and false if it was gone already. Of many callers that
// find the same session dead at the same time one replaces it, and the others share its replacement.
// Kill panics if r is of another map.
func (m *Map[V]) Kill(r Ref[V]) bool {
	if r.e == nil || r.e.m != m {
		panic("session: Kill of a Ref that is not of this map")
	}
	if r.e.refs.Load()&gone != 0 {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[r.e.id] != r.e {
		return false
	}
	m.remove(r.e, ReasonKilled)
	m.serveQueue()
	return true
}

// CleanupSessions closes the sessions without references that have not been used for maxAge, all of them if maxAge is 0,
// and returns how many it closed. It does not wait for their Close functions. The age of a session is known to about a
// second, and to a 64th of IdleTimeout or MaxLifetime if that is shorter.
func (m *Map[V]) CleanupSessions(maxAge time.Duration) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	// Each release takes a nanosecond of the clock, so a session may look that much younger than it is.
	before, n := m.clock.now()-int64(maxAge-time.Millisecond), 0
	for _, e := range m.entries {
		if tick, idle := e.idleSince(); idle && tick <= before && m.removeIdle(e, ReasonCleanup) {
			n++
		}
	}
	m.serveQueue()
	return n
}

// Retire ends the sessions of all IDs that match, to log a user out: idle ones are closed now, leased ones get no new references
// and are closed with their last, dials in flight are discarded and their callers get [ErrRetired]. Failed dials of these IDs
// are forgotten. Retire returns how many sessions and dials it ended.
//
// match is called without locks. An Acquire that begins while Retire runs may open a new session: whoever logs a user out
// first stops accepting the user's credential.
func (m *Map[V]) Retire(match func(ID) bool) int {
	var ids []ID
	m.mu.RLock()
	for id := range m.entries {
		ids = append(ids, id)
	}
	for id := range m.dials {
		ids = append(ids, id)
	}
	for id := range m.failures.byID {
		ids = append(ids, id)
	}
	m.mu.RUnlock()

	n := 0
	for _, id := range ids {
		if match(id) && m.retire(id) {
			n++
		}
	}
	return n
}

// retire ends what there is of id by now, which may be the session of a dial that was in flight a moment ago.
func (m *Map[V]) retire(id ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failures.forget(id)
	if e := m.entries[id]; e != nil {
		m.remove(e, ReasonRetired)
		m.serveQueue()
		return true
	}
	if d := m.dials[id]; d != nil {
		m.discard(d, ErrRetired)
		m.serveQueue()
		return true
	}
	return false
}

// Range calls fn for each open session until fn returns false. It works on a snapshot and calls fn without locks; each session
// is leased while fn runs, which does not count as a use.
func (m *Map[V]) Range(fn func(ID, V) bool) {
	m.mu.RLock()
	snapshot := make([]*entry[V], 0, len(m.entries))
	for _, e := range m.entries {
		snapshot = append(snapshot, e)
	}
	m.mu.RUnlock()

	for _, e := range snapshot {
		if e.retain() && !visit(e, fn) {
			return
		}
	}
}

func visit[V any](e *entry[V], fn func(ID, V) bool) bool {
	defer e.release(false) // even if fn panics
	return fn(e.id, e.value)
}

// insert adds the session that a dial has opened, with one reference per waiter. The slot of the dial becomes the session's.
// The caller holds m.mu.
func (m *Map[V]) insert(d *dial[V], v V) *entry[V] {
	now := m.clock.now()
	m.gens++
	e := &entry[V]{
		m:       m,
		own:     d.own,
		value:   v,
		details: &details{id: d.id, gen: m.gens, created: now, expires: m.sweeper.expiry(now)},
	}
	e.refs.Store(uint64(d.waiters))
	m.entries[e.id] = e
	e.own.add(e, &m.all)
	m.armSweeper(e, now)
	return e
}

// remove takes e out of the map. It is closed now if it is idle, else by its last release. The caller holds m.mu.
func (m *Map[V]) remove(e *entry[V], reason Reason) {
	idle := e.refs.Or(gone) == 0
	m.unlink(e, reason)
	if idle {
		m.close(e.value, e.id, reason)
	} else {
		m.stats.draining++
	}
}

// removeIdle takes e out of the map and closes it if it is idle. The caller holds m.mu.
func (m *Map[V]) removeIdle(e *entry[V], reason Reason) bool {
	if !e.refs.CompareAndSwap(0, gone) {
		return false
	}
	m.unlink(e, reason)
	m.close(e.value, e.id, reason)
	return true
}

func (m *Map[V]) unlink(e *entry[V], reason Reason) {
	e.reason = reason
	delete(m.entries, e.id)
	e.own.remove(e, &m.all)
	m.freeSlot(e.own)
	m.leave(e.id, e.own)
}

// drained closes e after its last reference was released.
func (m *Map[V]) drained(e *entry[V]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.draining--
	m.close(e.value, e.id, e.reason)
}

// contextError is the error of an Acquire whose context has ended.
func contextError(id ID, err error) error {
	return fmt.Errorf("session: waiting for the session of %q: %w", id.Key, err)
}
