package linearizability

import (
	"context"
	"errors"
	"testing"

	"github.com/mcpfleet/mcpfleet/session"
)

// Reliability R2.
func TestSessionMapIsLinearizable(t *testing.T) {
	explore(t, newSessionMap, *histories)
}

var id = session.ID{Key: session.Key{Tenant: "acme", User: "alice"}}

// sessionMap is the map under test.
type sessionMap struct {
	*session.Map[int8]
}

func newSessionMap(r *run) sessions {
	return sessionMap{session.New(session.Config[int8]{
		Dial:        func(context.Context, session.ID) (int8, error) { return r.dial() },
		Close:       func(s int8, _ session.ID, _ session.Reason) { r.hangUp(s) },
		IdleTimeout: -1, // sessions end by what clients do, not by the time of day
		DialBackoff: -1,
	})}
}

func (m sessionMap) acquire() (lease, failure) {
	ref, err := m.Acquire(context.Background(), id)
	switch {
	case err == nil:
		return mapLease{m.Map, ref}, none
	case errors.Is(err, session.ErrClosed):
		return nil, mapClosed
	case errors.Is(err, errDial):
		return nil, dialFailed
	}
	return nil, anotherError
}

func (m sessionMap) tryAcquire() lease {
	if ref, ok := m.TryAcquire(id); ok {
		return mapLease{m.Map, ref}
	}
	return nil
}

func (m sessionMap) visit(fn func(int8)) {
	m.Range(func(_ session.ID, s int8) bool {
		fn(s)
		return true
	})
}

func (m sessionMap) cleanup() int { return m.CleanupSessions(0) }

func (m sessionMap) close() { _ = m.Close() } // it never fails

func (m sessionMap) drain() { _ = m.Drain(context.Background()) } // nor does it fail without a deadline

// mapLease is one reference.
type mapLease struct {
	m   *session.Map[int8]
	ref session.Ref[int8]
}

func (l mapLease) session() int8 { return l.ref.Value() }
func (l mapLease) release()      { l.ref.Release() }
func (l mapLease) kill() bool    { return l.m.Kill(l.ref) }
