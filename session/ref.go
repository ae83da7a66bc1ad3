package session

import "sync/atomic"

// gone is the bit of entry.refs that keeps new references away. It is set once, and the entry leaves the map under the same
// write lock; what is left in the lower bits are the references that still have to be released.
const gone = 1 << 63

// An entry is one open session. What every Acquire and Release touches is kept apart from the rest, so that it fits into one
// cache line.
type entry[V any] struct {
	// refs counts references in its lower bits. Each transition has one owner:
	//
	//	n -> n+1          under the map's read lock; an entry in the map is never gone
	//	n -> n-1          by whoever holds a reference
	//	0 -> gone         by the evictor, in one step and under the write lock: it closes the session
	//	n -> n|gone       under the write lock: the last release closes the session
	//	gone|1 -> gone    by the last release
	refs atomic.Uint64

	// lastUsed is the tick of the map's clock at the last release. It is written by the only holder of a reference, before it
	// releases it, and read with the write lock held and refs being 0: then nobody can have or get a reference.
	lastUsed int64

	m     *Map[V]
	own   *quota[V] // the user's, or m.all if users have none
	value V
	*details
}

type details struct {
	id      ID
	gen     uint64
	created int64  // tick of the map's clock
	expires int64  // likewise; forever without MaxLifetime
	reason  Reason // why it is gone; guarded by Map.mu
}

// idleSince returns whether e is idle and the tick of its last use. The caller holds the map's write lock.
func (e *entry[V]) idleSince() (tick int64, idle bool) {
	if e.refs.Load() != 0 {
		return 0, false
	}
	return e.lastUsed, true
}

// retain takes a reference without holding the map's lock. It reports false if the entry is gone.
func (e *entry[V]) retain() bool {
	for {
		n := e.refs.Load()
		if n&gone != 0 {
			return false
		}
		if e.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release gives one reference back. used says whether the session has been used, which a look by Range is not.
func (e *entry[V]) release(used bool) {
	for {
		n := e.refs.Load()
		if n&^gone == 0 {
			panic("session: Ref released more often than it was acquired; call Release once per Acquire")
		}
		if n == 1 && used {
			// Stamped before the count drops, so that no sweep finds an idle session with an old time.
			e.lastUsed = e.m.clock.tick()
		}
		if !e.refs.CompareAndSwap(n, n-1) {
			continue
		}
		switch n {
		case 1:
			if e.m.all.exhausted.Load() || e.own.exhausted.Load() {
				e.m.becameIdle(e)
			}
		case gone | 1:
			e.m.drained(e)
		}
		return
	}
}

// A Ref is a reference to an open session, as returned by [Map.Acquire]. While it is held the session is not closed.
//
// It is a small value; copies are the same reference, which must be released once. Its methods are safe for concurrent use.
type Ref[V any] struct {
	e *entry[V]
}

// Value returns the session. It must not be used after Release.
func (r Ref[V]) Value() V { return r.e.value }

// ID returns the ID that the session was acquired with.
func (r Ref[V]) ID() ID { return r.e.id }

// Generation returns a number that is different for each session of a map and grows: the session that replaces a killed one
// has a higher generation.
func (r Ref[V]) Generation() uint64 { return r.e.gen }

// Release gives the reference back. It never blocks on, nor runs, [Config.Close].
// It panics if the session has been released more often than acquired.
func (r Ref[V]) Release() {
	if r.e == nil {
		panic("session: Release of a zero Ref; release only what Acquire returned without an error")
	}
	r.e.release(true)
}
