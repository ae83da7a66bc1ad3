package session

import (
	"cmp"
	"slices"
	"time"
)

// counters are guarded by Map.mu.
type counters struct {
	dialing, draining, closing int

	dials, opened, dialErrors, discarded, limitErrors uint64

	closedFor [reasons]uint64
}

// Stats is a snapshot of a [Map]. At every moment Opened = Sessions + Draining + the sum of Closed.
type Stats struct {
	Sessions int // in the map: Leased + Idle
	Leased   int // with references
	Idle     int // without
	Dialing  int // calls of Dial that have neither returned nor exceeded DialTimeout
	Waiting  int // calls of Acquire that wait for a slot, under LimitWait
	Draining int // killed, retired, expired or closed with the map, but still leased
	Closing  int // calls of Close that have not returned

	// The others count since New.

	Dials          uint64 // calls of Dial
	Opened         uint64 // those that returned a session
	DialErrors     uint64 // those that failed, panicked or exceeded DialTimeout; not those that were cancelled
	DialsDiscarded uint64 // those whose session came when nobody waited for it
	LimitErrors    uint64 // calls of Acquire that returned a LimitError
	Panics         uint64 // panics and runtime.Goexit in Dial, Close and the log handler

	Closed map[Reason]uint64 // calls of Close, the running ones included; reasons that have not occurred are absent
}

// Stats returns a snapshot. It takes time proportional to the number of sessions.
func (m *Map[V]) Stats() Stats {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := Stats{
		Sessions: len(m.entries),
		Dialing:  m.stats.dialing,
		Draining: m.stats.draining,
		Closing:  m.stats.closing,

		Dials:          m.stats.dials,
		Opened:         m.stats.opened,
		DialErrors:     m.stats.dialErrors,
		DialsDiscarded: m.stats.discarded,
		LimitErrors:    m.stats.limitErrors,
		Panics:         m.panics.Load(),

		Closed: make(map[Reason]uint64),
	}
	for _, e := range m.entries {
		if e.refs.Load() > 0 {
			s.Leased++
		} else {
			s.Idle++
		}
	}
	for at := m.queue.Front(); at != nil; at = at.Next() {
		s.Waiting += at.Value.(*dial[V]).waiters
	}
	for reason, n := range m.stats.closedFor {
		if n > 0 {
			s.Closed[Reason(reason)] = n
		}
	}
	return s
}

// Info describes one session of a [Map].
type Info struct {
	ID         ID
	Generation uint64
	Refs       int // references held
	CreatedAt  time.Time
	LastUsed   time.Time // when the last reference was released; the time of the snapshot if one is held
}

// Sessions returns a snapshot of the sessions in the map, the least recently used first. Times are known to about a second, but
// their order is exact.
func (m *Map[V]) Sessions() []Info {
	m.mu.Lock() // for lastUsed
	defer m.mu.Unlock()
	m.clock.now()
	now := m.clock.tick() // later than every release
	infos := make([]Info, 0, len(m.entries))
	for _, e := range m.entries {
		lastUsed, idle := e.idleSince()
		if !idle {
			lastUsed = now
		}
		infos = append(infos, Info{e.id, e.gen, int(e.refs.Load()), m.clock.time(e.created), m.clock.time(lastUsed)})
	}
	slices.SortFunc(infos, func(a, b Info) int {
		return cmp.Or(a.LastUsed.Compare(b.LastUsed), cmp.Compare(a.Generation, b.Generation))
	})
	return infos
}
