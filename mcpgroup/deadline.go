package mcpgroup

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/stdio"
)

const (
	// deadlineTick is how late an attempt may be ended that has a distant deadline.
	deadlineTick = 50 * time.Millisecond
	// distant is how far away a deadline must be to be watched by tick instead of by a timer of its own.
	distant = 2 * time.Second
	// writeGrace is how long a write may still take that has outlived its attempt.
	writeGrace = 50 * time.Millisecond
)

// deadlines ends the attempts of a group that are past their deadline, and the stdio servers that block one past its
// end: a write to a child that stopped reading ignores every context.
//
// A timer for each call costs more than all else a call adds: it is the next one due, so starting it wakes the thread
// that waits for the network, which then goes back to sleep. One timer for all, which runs while there are calls, costs
// a call two list operations (make figures-call).
type deadlines struct {
	mu    sync.Mutex // guards all below and the due links of the attempts; nothing that can block runs under it
	first *attempt
	timer *time.Timer
	armed bool // the timer will fire
	used  bool // an attempt came since it last fired
}

// bound gives a its context: one that ends with ctx and at the deadline, which may be zero for none.
func (d *deadlines) bound(a *attempt, ctx context.Context, deadline time.Time) {
	if !deadline.IsZero() && time.Until(deadline) < distant {
		timed, stop := context.WithDeadline(ctx, deadline)
		a.Context, a.cancel = timed, func(error) { stop() }
	} else {
		a.Context, a.cancel = context.WithCancelCause(ctx)
		a.deadline = deadline
	}
	if a.deadline.IsZero() && a.proc == nil {
		return
	}
	a.watched = true
	d.mu.Lock()
	defer d.mu.Unlock()
	a.due.next = d.first
	if d.first != nil {
		d.first.due.prev = a
	}
	d.first = a
	d.used = true
	if !d.armed {
		d.armed = true
		if d.timer == nil {
			d.timer = time.AfterFunc(deadlineTick, d.tick)
		} else {
			d.timer.Reset(deadlineTick)
		}
	}
}

// release is the counterpart of bound.
func (d *deadlines) release(a *attempt) {
	if a.watched {
		d.mu.Lock()
		if a.due.prev != nil {
			a.due.prev.due.next = a.due.next
		} else {
			d.first = a.due.next
		}
		if a.due.next != nil {
			a.due.next.due.prev = a.due.prev
		}
		d.mu.Unlock()
	}
	a.cancel(context.Canceled)
}

// tick ends what is overdue. The timer goes on for as long as there are calls.
func (d *deadlines) tick() {
	now := time.Now()
	var overdue []*attempt
	var stuck []*stdio.Process
	d.mu.Lock()
	for a := d.first; a != nil; a = a.due.next {
		if !a.deadline.IsZero() && !now.Before(a.deadline) {
			overdue = append(overdue, a)
		}
		if a.proc != nil && a.Err() != nil && !slices.Contains(stuck, a.proc) {
			stuck = append(stuck, a.proc)
		}
	}
	d.armed = d.used || d.first != nil
	d.used = false
	if d.armed {
		d.timer.Reset(deadlineTick)
	}
	d.mu.Unlock()
	for _, a := range overdue {
		a.cancel(context.DeadlineExceeded)
	}
	for _, p := range stuck {
		go p.InterruptWrite(writeGrace) // does nothing unless a write is blocked
	}
}
