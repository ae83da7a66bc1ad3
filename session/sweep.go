package session

import (
	"math/rand/v2"
	"time"
)

const (
	maxTick  = time.Second      // how far the clock may lag behind the time
	minTick  = time.Millisecond // a shorter one would keep the machine busy
	maxSweep = time.Minute
)

// A sweeper closes sessions that have expired. Its timer runs only while there are sessions. Each tick advances the clock, and
// sweeps if a session may have expired by then. It is guarded by Map.mu.
type sweeper struct {
	idle     int64         // forever if sessions do not expire by idleness
	lifetime time.Duration // 0 if they do not expire by age

	tick  time.Duration // how often the clock is advanced
	pause time.Duration // the least time between two sweeps

	timer   *time.Timer
	running bool
	next    int64 // no session expires before this tick of the clock
}

func (s *sweeper) init(idle, lifetime time.Duration) {
	s.idle, s.lifetime = int64(idle), lifetime
	base := idle
	if idle < 0 {
		s.idle = forever
		base = lifetime // 0 if nothing expires; then the clock still serves CleanupSessions and the least recent use
	}
	if lifetime > 0 {
		base = min(base, lifetime)
	}
	if base == 0 {
		s.tick = maxTick
		return
	}
	// A session is closed at most one pause, one tick and one tick of uncertainty late, which together are less than the sweep
	// period that Config promises, an eighth of base.
	s.tick = min(max(base/64, minTick), maxTick)
	s.pause = min(base/16, maxSweep/2)
}

// expiry returns when a session opened now is too old.
func (s *sweeper) expiry(now int64) int64 {
	if s.lifetime == 0 {
		return forever
	}
	return now + int64(s.lifetime*9/10+rand.N(s.lifetime/5+1))
}

// idleExpiry returns when a session last used at the given tick of the clock has been idle for long enough. It may have been
// released up to one tick of the timer later than the clock said, and must not be closed early for that.
func (s *sweeper) idleExpiry(lastUsed int64) int64 {
	if s.idle == forever {
		return forever
	}
	return lastUsed + s.idle + int64(s.tick)
}

// armSweeper makes sure that e is swept when its time has come. The caller holds m.mu.
func (m *Map[V]) armSweeper(e *entry[V], now int64) {
	s := &m.sweeper
	if !s.running {
		s.running = true
		s.next = forever
		if s.timer == nil {
			s.timer = time.AfterFunc(s.tick, m.onTick)
		} else {
			s.timer.Reset(s.tick)
		}
	}
	s.next = min(s.next, e.expires, s.idleExpiry(now))
}

func (m *Map[V]) onTick() {
	now := m.clock.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if now >= m.sweeper.next {
		m.sweep(now)
	}
	if len(m.entries) == 0 {
		m.sweeper.running = false
		return
	}
	m.sweeper.timer.Reset(m.sweeper.tick)
}

// sweep closes the sessions that have expired. The caller holds m.mu.
func (m *Map[V]) sweep(now int64) {
	s := &m.sweeper
	next := int64(forever)
	for _, e := range m.entries {
		expires := s.idleExpiry(now) // the earliest that it can be if e is in use
		if tick, idle := e.idleSince(); idle {
			expires = s.idleExpiry(tick)
		}
		switch {
		case now >= e.expires:
			m.remove(e, ReasonLifetime)
		case now >= expires && m.removeIdle(e, ReasonIdle):
		default:
			next = min(next, expires, e.expires)
		}
	}
	s.next = max(next, now+int64(s.pause))
	m.all.oldest = nil // it keeps closed sessions from being collected
	m.failures.prune(now)
	m.serveQueue()
}
