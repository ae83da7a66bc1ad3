package linearizability

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// twin is a map of one session that is simple enough to be obviously right: everything happens under one lock.
//
// With broken set it is what one writes first: acquire takes its reference after it has let go of the lock, and cleanup
// looks at the references without claiming the session. The same clients and the same specification must find that.
type twin struct {
	run      *run
	broken   bool
	pause    func() // what acquire does between the lock and the reference, when broken
	hangUps  sync.WaitGroup
	mu       sync.RWMutex // guards all below, and the fields of entries that are not atomic
	current  *twinEntry
	isClosed bool
}

type twinEntry struct {
	id   int8
	refs atomic.Int32
	dead bool
	once sync.Once
}

type twinLease struct {
	m     *twin
	entry *twinEntry
}

func newTwin(r *run) sessions       { return &twin{run: r} }
func newBrokenTwin(r *run) sessions { return &twin{run: r, broken: true, pause: func() {}} }

// newSlowBrokenTwin has acquire interrupted where it hurts, as happens on a busy machine sooner or later.
func newSlowBrokenTwin(r *run) sessions {
	return &twin{run: r, broken: true, pause: func() { yield(rand.New(rand.NewPCG(r.seed, uint64(r.clock.Load())))) }}
}

func (m *twin) acquire() (lease, failure) {
	if m.broken {
		if l := m.acquireLate(); l != nil {
			return l, none
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isClosed {
		return nil, mapClosed
	}
	if m.current == nil {
		id, err := m.run.dial()
		if err != nil {
			return nil, dialFailed
		}
		m.current = &twinEntry{id: id}
	}
	m.current.refs.Add(1)
	return &twinLease{m, m.current}, none
}

func (m *twin) tryAcquire() lease {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil {
		return nil
	}
	m.current.refs.Add(1)
	return &twinLease{m, m.current}
}

func (m *twin) visit(fn func(int8)) {
	if l := m.tryAcquire(); l != nil {
		fn(l.session())
		l.release()
	}
}

// acquireLate has the bug: the session may end between the lock and the reference.
func (m *twin) acquireLate() lease {
	m.mu.RLock()
	e := m.current
	m.mu.RUnlock()
	if e == nil {
		return nil
	}
	m.pause()
	e.refs.Add(1)
	return &twinLease{m, e}
}

func (m *twin) cleanup() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil || m.current.refs.Load() != 0 {
		return 0
	}
	m.end()
	return 1
}

func (m *twin) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.isClosed = true
	if m.current != nil {
		m.end()
	}
}

func (m *twin) drain() { m.hangUps.Wait() }

// end takes the current session out of the map. m.mu is held.
func (m *twin) end() {
	e := m.current
	m.current, e.dead = nil, true
	m.hangUpIfUnused(e)
}

// hangUpIfUnused closes a session that nobody can get or holds any more. m.mu is held.
func (m *twin) hangUpIfUnused(e *twinEntry) {
	if e.dead && e.refs.Load() == 0 {
		e.once.Do(func() { m.hangUps.Go(func() { m.run.hangUp(e.id) }) })
	}
}

func (l *twinLease) session() int8 { return l.entry.id }

func (l *twinLease) release() {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.entry.refs.Add(-1)
	l.m.hangUpIfUnused(l.entry)
}

func (l *twinLease) kill() bool {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.m.current != l.entry {
		return false
	}
	l.m.end()
	return true
}
