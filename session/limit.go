package session

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"sync/atomic"
)

// A user is what MaxPerUser counts by.
type user struct{ tenant, name string }

// A quota counts the slots in use against a limit: one for each session in the map and for each dial that has been started.
// All fields but exhausted are guarded by Map.mu.
type quota[V any] struct {
	max  int // not positive: no limit
	used int

	// exhausted says that a search for an idle session found none. It is raised before the search begins and lowered by the
	// first release after it that leaves a session idle, so a release need do no more than load it, and a limit that is
	// hit again and again searches once.
	exhausted atomic.Bool

	oldest []stamped[V] // idle sessions as of the last search, the least recently used last

	// These are in use for users only: m.all has all entries, and is never dropped.
	entries []*entry[V]
	members int // sessions and dials, also queued ones, that point here; the quota is dropped with the last
}

type stamped[V any] struct {
	e    *entry[V]
	tick int64 // lastUsed when it was found
}

func (q *quota[V]) add(e *entry[V], all *quota[V]) {
	if q != all {
		q.entries = append(q.entries, e)
	}
}

func (q *quota[V]) remove(e *entry[V], all *quota[V]) {
	if q != all {
		i := slices.Index(q.entries, e)
		q.entries = slices.Delete(q.entries, i, i+1)
	}
}

// join returns the quota of id's user. The caller holds m.mu and calls leave when what it needs the quota for has gone.
func (m *Map[V]) join(id ID) *quota[V] {
	if m.cfg.MaxPerUser <= 0 {
		return &m.all
	}
	u := user{id.Key.Tenant, id.Key.User}
	q := m.users[u]
	if q == nil {
		q = &quota[V]{max: m.cfg.MaxPerUser}
		m.users[u] = q
	}
	q.members++
	return q
}

func (m *Map[V]) leave(id ID, q *quota[V]) {
	if q == &m.all {
		return
	}
	if q.members--; q.members == 0 {
		delete(m.users, user{id.Key.Tenant, id.Key.User})
	}
}

// takeSlot counts one more session of own, evicting an idle one if need be. If that is impossible it returns the quota that is
// exhausted, else nil. The caller holds m.mu.
func (m *Map[V]) takeSlot(own *quota[V]) (full *quota[V]) {
	// The user's own sessions go first: what is evicted there makes room in both.
	for _, q := range [...]*quota[V]{own, &m.all} {
		if q.max > 0 && q.used >= q.max && !m.evict(q) {
			return q
		}
	}
	own.used++
	if own != &m.all {
		m.all.used++
	}
	return nil
}

func (m *Map[V]) freeSlot(own *quota[V]) {
	own.used--
	if own != &m.all {
		m.all.used--
	}
}

// evict closes the least recently used idle session that counts against q. The caller holds m.mu.
func (m *Map[V]) evict(q *quota[V]) bool {
	if q.exhausted.Load() {
		return false
	}
	q.exhausted.Store(true)
	for {
		for len(q.oldest) > 0 {
			last := len(q.oldest) - 1
			s := q.oldest[last]
			q.oldest[last] = stamped[V]{} // do not keep a closed session from being collected
			q.oldest = q.oldest[:last]
			// One that has been used since it was found is no longer the oldest, and one that has left the map is gone.
			if tick, idle := s.e.idleSince(); idle && tick == s.tick && m.removeIdle(s.e, ReasonEvicted) {
				q.exhausted.Store(false)
				return true
			}
		}
		entries := slices.Values(q.entries)
		if q == &m.all {
			entries = maps.Values(m.entries)
		}
		if q.oldest = oldestIdle(entries, q.oldest); len(q.oldest) == 0 {
			return false
		}
	}
}

// evictBatch is how many idle sessions one search finds. Searching is linear and holds the write lock: finding a batch makes an
// eviction cheap on average. A session that becomes idle after the search has a later tick than all it has found, so
// evicting the batch in order is still exactly least recently used first.
const evictBatch = 64

// oldestIdle returns the least recently used idle sessions, the oldest last. It reuses buf.
func oldestIdle[V any](entries iter.Seq[*entry[V]], buf []stamped[V]) []stamped[V] {
	found := buf[:0]
	for e := range entries {
		tick, idle := e.idleSince()
		if !idle {
			continue
		}
		if len(found) == evictBatch {
			if tick >= found[0].tick {
				continue
			}
			found = slices.Delete(found, 0, 1)
		}
		i, _ := slices.BinarySearchFunc(found, tick, func(f stamped[V], tick int64) int {
			return cmp.Compare(tick, f.tick)
		})
		found = slices.Insert(found, i, stamped[V]{e, tick})
	}
	return found
}

// becameIdle is called by a release that left e without references while a limit was exhausted.
func (m *Map[V]) becameIdle(e *entry[V]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all.exhausted.Store(false)
	e.own.exhausted.Store(false)
	m.serveQueue()
}

// serveQueue starts the queued dials for which there is a slot, in the order of their arrival. It is called whenever a slot has
// become free. A dial that waits for its user's limit lets others pass. The caller holds m.mu.
func (m *Map[V]) serveQueue() {
	for at := m.queue.Front(); at != nil; {
		d := at.Value.(*dial[V])
		at = at.Next()
		switch m.takeSlot(d.own) {
		case nil:
			m.dequeue(d)
			m.start(d, m.cfg.DialTimeout)
		case &m.all:
			return // for the others too
		}
	}
}

func (m *Map[V]) dequeue(d *dial[V]) {
	m.queue.Remove(d.queued)
	d.queued = nil
}
