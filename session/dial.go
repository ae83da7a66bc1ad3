package session

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// A dial is what the callers of one ID wait for while it has no session. It is in Map.dials from the first caller's arrival
// until it has an outcome. Its fields are guarded by Map.mu until then; entry and err do not change after done is closed.
type dial[V any] struct {
	id      ID
	own     *quota[V]
	waiters int
	ctx     context.Context // has the values for Dial and is never cancelled
	since   int64           // tick of the clock at which the first of the present waiters came
	queued  *list.Element   // its place in Map.queue while it waits for a slot
	attempt *attempt[V]     // the running call of Dial; nil while queued

	done  chan struct{} // closed when there is an outcome, which is one of
	entry *entry[V]     // a session, with a reference for each waiter
	err   error
}

// An attempt is one call of Dial. It is over when Dial returns or exceeds DialTimeout, whichever comes first.
type attempt[V any] struct {
	d      *dial[V]
	ctx    context.Context
	cancel context.CancelFunc
	timer  *time.Timer
	// abandoned says that ctx was cancelled since the last waiter left. Others may have come since, and get the session if
	// there is one; an error after that tells nothing about the server. Guarded by Map.mu, as is over.
	abandoned bool
	over      bool
}

// open is Acquire when the session is not open.
func (m *Map[V]) open(ctx context.Context, id ID) (Ref[V], error) {
	if err := ctx.Err(); err != nil {
		return Ref[V]{}, contextError(id, err)
	}
	e, d, err := m.joinDial(ctx, id)
	if err != nil {
		return Ref[V]{}, err
	}
	if e != nil {
		return Ref[V]{e}, nil
	}
	select {
	case <-d.done:
	case <-ctx.Done():
		if m.leaveDial(d) {
			return Ref[V]{}, contextError(id, ctx.Err())
		}
		// The outcome came at the same moment, and with it perhaps a reference that is ours to release.
	}
	if d.err != nil {
		return Ref[V]{}, d.err
	}
	return Ref[V]{d.entry}, nil
}

// joinDial returns the session of id if it has been opened meanwhile, else the dial to wait for, which it starts or queues if
// there is none.
func (m *Map[V]) joinDial(ctx context.Context, id ID) (*entry[V], *dial[V], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, nil, ErrClosed
	}
	if e := m.entries[id]; e != nil {
		e.refs.Add(1)
		return e, nil, nil
	}
	now := m.clock.now()
	if d := m.dials[id]; d != nil {
		if d.waiters == 0 {
			d.ctx, d.since = context.WithoutCancel(ctx), now
		}
		d.waiters++
		return nil, d, nil
	}
	if err := m.failures.window(id, now); err != nil {
		return nil, nil, err
	}
	own := m.join(id)
	full := m.takeSlot(own)
	if full != nil && m.cfg.OnLimit == LimitFail {
		m.leave(id, own)
		m.stats.limitErrors++
		return nil, nil, &LimitError{Max: full.max, PerUser: full != &m.all}
	}
	d := &dial[V]{id: id, own: own, waiters: 1, ctx: context.WithoutCancel(ctx), since: now, done: make(chan struct{})}
	m.dials[id] = d
	if full != nil {
		d.queued = m.queue.PushBack(d)
	} else {
		m.start(d, m.cfg.DialTimeout)
	}
	return nil, d, nil
}

// leaveDial takes one waiter off d. It reports false if d has an outcome already.
func (m *Map[V]) leaveDial(d *dial[V]) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dials[d.id] != d {
		return false
	}
	d.waiters--
	if d.waiters > 0 {
		return true
	}
	if d.queued != nil {
		m.discard(d, nil)
		return true
	}
	d.attempt.abandoned = true
	d.attempt.cancel()
	return true
}

// start calls Dial for d, which has a slot. The caller holds m.mu.
func (m *Map[V]) start(d *dial[V], timeout time.Duration) {
	a := &attempt[V]{d: d}
	a.ctx, a.cancel = context.WithTimeout(d.ctx, timeout)
	a.timer = time.AfterFunc(timeout, func() { m.timedOut(a) })
	d.attempt = a
	m.stats.dials++
	m.stats.dialing++
	go m.run(a)
}

func (m *Map[V]) run(a *attempt[V]) {
	var (
		v        V
		err      error
		returned bool
	)
	defer func() { // also after runtime.Goexit
		panicked := m.recovered("Dial", returned, recover())
		if panicked != nil {
			err = panicked
		}
		a.timer.Stop()
		a.cancel()
		failed := m.returned(a, v, err)
		switch {
		case panicked != nil:
			m.log(slog.LevelError, "session dial failed", "session", a.d.id, "err", err, "stack", string(panicked.Stack))
		case failed:
			m.log(slog.LevelWarn, "session dial failed", "session", a.d.id, "err", err)
		case err != nil:
			m.log(slog.LevelDebug, "session dial cancelled", "session", a.d.id, "err", err)
		default:
			m.log(slog.LevelDebug, "session opened", "session", a.d.id)
		}
	}()
	v, err = m.cfg.Dial(a.ctx, a.d.id)
	returned = true
}

// returned settles a after Dial has returned v and err. It reports whether err is a failure that is not known yet.
func (m *Map[V]) returned(a *attempt[V], v V, err error) (failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := a.d
	current := m.dials[d.id] == d && d.attempt == a // not if it has timed out or was discarded
	if err == nil {
		m.stats.opened++
		if current && d.waiters > 0 {
			m.failures.forget(d.id)
			d.entry = m.insert(d, v)
			m.settle(d)
		} else {
			m.stats.discarded++
			m.close(v, d.id, ReasonAbandoned)
			if current {
				m.giveUp(d, nil)
			}
		}
	} else {
		failed = !a.abandoned && !a.over
		switch {
		case failed:
			m.fail(d, err)
		case current && d.waiters > 0:
			// The error may come from our cancellation. Those who came after it get a dial of their own, in what is
			// left of the time that they were promised.
			m.start(d, m.cfg.DialTimeout-time.Duration(m.clock.now()-d.since))
		case current:
			m.giveUp(d, nil)
		}
	}
	m.end(a)
	m.serveQueue()
	return failed
}

// timedOut settles a if Dial has not returned in time, which it does if it ignores its context.
func (m *Map[V]) timedOut(a *attempt[V]) {
	if m.settleTimeout(a) {
		m.log(slog.LevelWarn, "session dial failed", "session", a.d.id, "err", context.DeadlineExceeded)
	}
}

func (m *Map[V]) settleTimeout(a *attempt[V]) (failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.over {
		return false
	}
	d := a.d
	if m.dials[d.id] == d && d.attempt == a {
		if failed = d.waiters > 0; failed {
			m.fail(d, fmt.Errorf("no answer within %v: %w", m.cfg.DialTimeout, context.DeadlineExceeded))
		} else {
			m.giveUp(d, nil)
		}
	}
	m.end(a)
	m.serveQueue()
	return failed
}

// end takes a off the count of running dials. It comes after whatever a has led to, for Drain must not see a gap.
func (m *Map[V]) end(a *attempt[V]) {
	if !a.over {
		a.over = true
		m.stats.dialing--
	}
	m.checkEmpty()
}

// fail gives up d and does not dial its ID again for a while, unless err says otherwise. The caller holds m.mu.
func (m *Map[V]) fail(d *dial[V], err error) {
	m.stats.dialErrors++
	failure := &DialError{ID: d.id, Err: err}
	if now, ok := errors.AsType[*noBackoff](err); ok {
		failure.Err = now.error
		m.failures.forget(d.id)
	} else {
		m.failures.remember(d.id, failure, &m.clock)
	}
	m.giveUp(d, failure)
}

// discard cancels d, which may be queued, and gives it up. The caller holds m.mu.
func (m *Map[V]) discard(d *dial[V], err error) {
	if d.attempt != nil {
		d.attempt.abandoned = true
		d.attempt.cancel()
	}
	m.giveUp(d, err)
}

// giveUp settles d without a session and frees what it holds. The caller holds m.mu and calls serveQueue.
func (m *Map[V]) giveUp(d *dial[V], err error) {
	if d.queued != nil {
		m.dequeue(d)
	} else {
		m.freeSlot(d.own)
	}
	m.leave(d.id, d.own)
	d.err = err
	m.settle(d)
}

// settle lets the waiters of d have its outcome. The caller holds m.mu.
func (m *Map[V]) settle(d *dial[V]) {
	delete(m.dials, d.id)
	close(d.done)
}
