package oauth

import (
	"context"
	"sync"

	"github.com/mcpfleet/mcpfleet/auth"
)

// locks has a mutex per key, whose holders can be waited for with a context. The zero value is ready.
type locks struct {
	mu sync.Mutex // guards m and users of its values
	m  map[auth.TokenKey]*keyLock
}

type keyLock struct {
	held  chan struct{} // holds an element while somebody has the lock
	users int           // who has it or waits for it
}

// lock returns when nobody else has the lock of key.
func (l *locks) lock(ctx context.Context, key auth.TokenKey) (unlock func(), err error) {
	l.mu.Lock()
	if l.m == nil {
		l.m = make(map[auth.TokenKey]*keyLock)
	}
	k := l.m[key]
	if k == nil {
		k = &keyLock{held: make(chan struct{}, 1)}
		l.m[key] = k
	}
	k.users++
	l.mu.Unlock()

	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.m, key)
		}
	}
	select {
	case k.held <- struct{}{}:
		return func() { <-k.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
