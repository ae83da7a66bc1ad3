package embedding

import (
	"context"
	"sync/atomic"
	"time"
)

// Slots bound how many requests there are at a time. A request that ignores its context keeps its slot until it returns, if it
// ever does.
type slots struct {
	taken chan struct{}
	stuck atomic.Int64 // of those taken, the ones that nobody waits for any more
}

func newSlots(n int) *slots { return &slots{taken: make(chan struct{}, n)} }

func (s *slots) release() { <-s.taken }

// jammed reports whether all slots are taken by requests that nobody waits for.
func (s *slots) jammed() bool { return s.stuck.Load() >= int64(cap(s.taken)) }

// acquire waits for a slot as long as ctx lasts, and while requests come and go. It does not wait for those that are stuck
// for more than twice their timeout.
func (s *slots) acquire(ctx context.Context, timeout time.Duration) error {
	select {
	case s.taken <- struct{}{}:
		return nil
	default:
	}
	ticker := time.NewTicker(timeout)
	defer ticker.Stop()
	for {
		select {
		case s.taken <- struct{}{}:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
			if s.jammed() {
				return &timeoutError{timeout}
			}
		}
	}
}
