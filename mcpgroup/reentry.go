package mcpgroup

import (
	"bytes"
	"context"
	"runtime"
	"strconv"
	"sync/atomic"
)

// holder is who changes the servers of a registry. A change calls the host, who may come back for another one: that would
// wait for itself.
type holder struct {
	calling atomic.Uint64 // the goroutine that is in a callback without a context; 0 is none
}

type holderKey struct{}

// within returns a context that tells a callback's change of the registry from one by somebody else.
func (h *holder) within(ctx context.Context) context.Context {
	return context.WithValue(ctx, holderKey{}, h)
}

// call runs a callback of the host's that gets no context.
func (h *holder) call(fn func()) {
	h.calling.Store(goroutineID())
	defer h.calling.Store(0)
	fn()
}

// calls reports whether ctx, or this goroutine, is that of a callback that h waits for.
func (h *holder) calls(ctx context.Context) bool {
	if h == nil {
		return false
	}
	calling := h.calling.Load()
	return ctx.Value(holderKey{}) == h || calling != 0 && calling == goroutineID()
}

// lock waits until nobody else changes the servers, at most until ctx ends or the registry is closed. op is what for.
func (r *Registry) lock(ctx context.Context, op string) (*holder, error) {
	if err := ctx.Err(); err != nil { // select would choose at random
		return nil, err
	}
	if r.closed.Load() {
		return nil, ErrClosed
	}
	if r.holder.Load().calls(ctx) {
		panic("mcpgroup: " + op + " in a callback of a change of the same registry would wait for itself; do it once that has returned, or on another goroutine that nobody waits for")
	}
	select {
	case r.change <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.life.Done():
		return nil, ErrClosed
	}
	h := &holder{}
	r.holder.Store(h)
	if r.closed.Load() {
		r.unlock()
		return nil, ErrClosed
	}
	return h, nil
}

func (r *Registry) unlock() {
	r.holder.Store(nil)
	<-r.change
}

// goroutineID returns the number of the calling goroutine, or 0 should the runtime no longer tell. Nothing depends on it
// but that a mistake is a panic where it would otherwise wait for ever.
func goroutineID() uint64 {
	var buf [64]byte // "goroutine 18 [running]:"
	text, _ := bytes.CutPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	number, _, _ := bytes.Cut(text, []byte(" "))
	id, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil {
		return 0
	}
	return id
}
