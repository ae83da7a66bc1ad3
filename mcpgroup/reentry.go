package mcpgroup

import "context"

// holder is who changes the servers of a registry. A change calls the host, who may come back for another one: that would
// wait for itself. It can be told by the context of a callback that has one.
type holder struct{ _ byte } // not empty, so that each has an address of its own

type holderKey struct{}

// within returns a context that tells a callback's change of the registry from one by somebody else.
func (h *holder) within(ctx context.Context) context.Context {
	return context.WithValue(ctx, holderKey{}, h)
}

// calls reports whether ctx is that of a callback that h waits for.
func (h *holder) calls(ctx context.Context) bool {
	return h != nil && ctx.Value(holderKey{}) == h
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
