package session

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

// Close closes the map: Acquire returns [ErrClosed] from now on, also to those who wait in it. Dials in flight are cancelled, idle
// sessions are closed, and leased ones are closed when their last reference is released.
//
// Close returns nil when every Close function that was running, or that it has started, has returned. It waits neither for
// leased sessions, which [Map.Drain] does, nor for dials. It may be called more than once.
func (m *Map[V]) Close() error {
	m.shut().Wait()
	return nil
}

// Drain closes the map like [Map.Close] and waits until the last leased session has been closed and the cancelled dials have
// returned or exceeded DialTimeout. If ctx ends first it returns an error that wraps ctx.Err() and says how many are left;
// they are still closed in time.
func (m *Map[V]) Drain(ctx context.Context) error {
	m.shut()
	select {
	case <-m.empty:
		return nil
	case <-ctx.Done():
	}
	m.mu.RLock()
	leased, closing, dialing := m.stats.draining, m.stats.closing, m.stats.dialing
	m.mu.RUnlock()
	if leased+closing+dialing == 0 {
		return nil
	}
	noun := "sessions"
	if leased+closing+dialing == 1 {
		noun = "session"
	}
	return fmt.Errorf("session: draining: %d %s left (%d in use, %d closing, %d being opened): %w",
		leased+closing+dialing, noun, leased, closing, dialing, ctx.Err())
}

// shut closes the map if it is open and returns the Close functions that Close waits for.
func (m *Map[V]) shut() *sync.WaitGroup {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return m.atClose
	}
	m.closed = true
	for _, d := range m.dials {
		m.discard(d, ErrClosed)
	}
	for _, e := range m.entries {
		m.remove(e, ReasonClosed)
	}
	if m.sweeper.timer != nil {
		m.sweeper.timer.Stop()
	}
	clear(m.failures.byID)
	m.all.oldest = nil
	m.atClose, m.closers = m.closers, new(sync.WaitGroup)
	m.checkEmpty()
	return m.atClose
}

// checkEmpty lets Drain return if nothing is left. The caller holds m.mu and has just lowered one of the counts.
func (m *Map[V]) checkEmpty() {
	if m.closed && m.stats.draining+m.stats.closing+m.stats.dialing == 0 {
		select {
		case <-m.empty:
		default:
			close(m.empty)
		}
	}
}

// close starts the Close function for a value that nobody has or can get a reference to. The caller holds m.mu.
func (m *Map[V]) close(v V, id ID, reason Reason) {
	m.stats.closing++
	m.stats.closedFor[reason]++
	m.closers.Go(func() { m.runClose(v, id, reason) })
}

func (m *Map[V]) runClose(v V, id ID, reason Reason) {
	returned := false
	defer func() { // also after runtime.Goexit
		panicked := m.recovered("Close", returned, recover())
		m.mu.Lock()
		m.stats.closing--
		m.checkEmpty()
		m.mu.Unlock()
		if panicked != nil {
			m.log(slog.LevelError, "session close failed", "session", id, "reason", reason, "err", panicked, "stack", string(panicked.Stack))
		} else {
			m.log(slog.LevelDebug, "session closed", "session", id, "reason", reason)
		}
	}()
	m.cfg.Close(v, id, reason)
	returned = true
}

// recovered turns what recover returned in a deferred function into an error, and counts it. returned says whether the function
// of the caller's has returned; if it has not and value is nil, the goroutine is exiting.
func (m *Map[V]) recovered(name string, returned bool, value any) *PanicError {
	if returned {
		return nil
	}
	m.panics.Add(1)
	err := &PanicError{Func: name, Value: value}
	if value != nil {
		err.Stack = debug.Stack()
	}
	return err
}

// log calls the caller's log handler, which must not be able to end a goroutine of ours. The caller must not hold m.mu.
func (m *Map[V]) log(level slog.Level, msg string, args ...any) {
	defer func() {
		if recover() != nil {
			m.panics.Add(1) // there is no logger to tell
		}
	}()
	m.cfg.Logger.Log(context.Background(), level, msg, args...)
}
