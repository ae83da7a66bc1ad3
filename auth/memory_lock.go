package auth

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// keyLocks are locks by key within this process. The zero value is ready for use.
type keyLocks struct {
	mu   sync.Mutex // guards used and every keyLock.users
	used map[TokenKey]*keyLock
}

// A keyLock exists while somebody holds it or waits for it.
type keyLock struct {
	held  chan struct{} // of capacity 1: whoever has put something in holds the lock; the runtime queues the others
	users int
}

func (l *keyLocks) lock(ctx context.Context, key TokenKey) (unlock func(), err error) {
	k := l.use(key)
	err = ctx.Err()
	if err == nil {
		select {
		case k.held <- struct{}{}:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		l.leave(key, k)
		return nil, fmt.Errorf("auth: waiting for the lock of %s: %w", key, err)
	}
	var unlocked atomic.Bool
	return func() {
		if unlocked.Swap(true) {
			panic("auth: unlock of " + key.String() + " called twice")
		}
		<-k.held
		l.leave(key, k)
	}, nil
}

func (l *keyLocks) use(key TokenKey) *keyLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.used[key]
	if k == nil {
		k = &keyLock{held: make(chan struct{}, 1)}
		if l.used == nil {
			l.used = map[TokenKey]*keyLock{}
		}
		l.used[key] = k
	}
	k.users++
	return k
}

func (l *keyLocks) leave(key TokenKey, k *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(l.used, key)
	}
}
