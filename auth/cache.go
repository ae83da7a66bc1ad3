package auth

import (
	"container/list"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxCached = 10_000 // credentials that a chain keeps
	// storePatience is how long callers wait for a slow store before they go on with a value whose time is up but which
	// may still be used.
	storePatience = time.Second
	// refusedPause is how long the store's word is believed that a refused value is the right one, so that a revoked
	// token does not make every call ask.
	refusedPause = time.Second
)

// A secretCache keeps what a [SecretStore] has said. Finding what it knows takes no lock. It keeps credentials only, never
// that there is none, so that ids which do not exist push nothing out.
type secretCache struct {
	store      SecretStore
	ttl, stale time.Duration // how long a value is used without asking, and after that while the store is unavailable
	limit      int
	log        *slog.Logger

	entries sync.Map // SecretKey -> *cached; written with mu held

	// mu guards all below. It is taken where the store must be asked, and nothing that can block runs under it.
	mu      sync.Mutex
	order   list.List // of *cached: those in front are the next to go
	flights map[SecretKey]*flight
}

// A cached is a place in the cache.
type cached struct {
	key   SecretKey
	value atomic.Pointer[fetched]
	used  atomic.Bool   // looked up since it was last passed over
	elem  *list.Element // guarded by secretCache.mu
}

// A fetched is a value and how long it serves. It does not change.
type fetched struct {
	*presented
	fresh     time.Time // until then it is used without asking
	usable    time.Time // until then it is used while the store is unavailable
	confirmed time.Time // until then no refusal is a reason to ask
}

func newSecretCache(store SecretStore, ttl, stale time.Duration, log *slog.Logger) *secretCache {
	return &secretCache{store: store, ttl: ttl, stale: stale, limit: maxCached, log: log, flights: map[SecretKey]*flight{}}
}

// get returns the credential of key, which may be used.
func (s *secretCache) get(ctx context.Context, key SecretKey) (*presented, error) {
	if v := s.lookup(key); v != nil && time.Now().Before(v.fresh) {
		return v.presented, nil
	}
	for {
		s.mu.Lock()
		now := time.Now()
		v := s.lookup(key)
		if v != nil && now.Before(v.fresh) {
			s.mu.Unlock()
			return v.presented, nil
		}
		f := s.fly(ctx, key, now)
		s.mu.Unlock()

		var fallback *fetched
		if v != nil && now.Before(v.usable) {
			fallback = v
		}
		switch v, err := f.wait(ctx, fallback, storePatience-now.Sub(f.started)); {
		case err == errSuperseded: //nolint:errorlint // it is never wrapped
			continue
		case err != nil:
			return nil, err
		default:
			return v.presented, nil
		}
	}
}

// refused asks the store again for the credential of key, with which a request with the header sent was refused, and
// reports whether it has another one by now. However many callers ask at once, the store is asked once.
func (s *secretCache) refused(ctx context.Context, key SecretKey, sent http.Header) (again bool, err error) {
	for {
		s.mu.Lock()
		now := time.Now()
		if v := s.lookup(key); v != nil {
			switch {
			case !v.sentIn(sent):
				s.mu.Unlock()
				return true, nil
			case now.Before(v.confirmed):
				s.mu.Unlock()
				return false, nil
			}
		}
		f := s.fly(ctx, key, now)
		f.refused = true
		s.mu.Unlock()

		switch v, err := f.wait(ctx, nil, 0); {
		case err == errSuperseded: //nolint:errorlint // it is never wrapped
			continue
		case err != nil:
			return false, err
		default:
			return !v.sentIn(sent), nil
		}
	}
}

// lookup returns the value of key, or nil.
func (s *secretCache) lookup(key SecretKey) *fetched {
	e, ok := s.entries.Load(key)
	if !ok {
		return nil
	}
	c := e.(*cached)
	if !c.used.Load() { // a store by every caller would make their processors wait for each other
		c.used.Store(true)
	}
	return c.value.Load()
}

// put makes p the value of key, whatever a flight under way may find.
func (s *secretCache) put(key SecretKey, p *presented) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.supersede(key)
	s.keep(key, s.fetchedNow(p))
}

// drop forgets the value of key, and what a flight under way may find.
func (s *secretCache) drop(key SecretKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.supersede(key)
	s.forget(key)
}

func (s *secretCache) fetchedNow(p *presented) *fetched {
	now := time.Now()
	return &fetched{presented: p, fresh: now.Add(s.ttl), usable: now.Add(s.ttl + s.stale)}
}

// keep sets the value of key and makes room for it. The caller holds s.mu.
func (s *secretCache) keep(key SecretKey, v *fetched) {
	if e, ok := s.entries.Load(key); ok {
		e.(*cached).value.Store(v)
		return
	}
	s.makeRoom()
	c := &cached{key: key}
	c.value.Store(v)
	c.elem = s.order.PushBack(c)
	s.entries.Store(key, c)
}

// makeRoom lets values go until there is room for one more: those whose time is up, and then those that were not used
// since they were last passed over. The caller holds s.mu.
func (s *secretCache) makeRoom() {
	now := time.Now()
	for e := s.order.Front(); e != nil; e = s.order.Front() {
		c := e.Value.(*cached)
		switch over := !now.Before(c.value.Load().usable); {
		case !over && s.order.Len() < s.limit:
			return
		case !over && c.used.Swap(false):
			s.order.MoveToBack(e)
		default:
			s.forget(c.key)
		}
	}
}

// forget removes key. The caller holds s.mu.
func (s *secretCache) forget(key SecretKey) {
	if e, ok := s.entries.LoadAndDelete(key); ok {
		s.order.Remove(e.(*cached).elem)
	}
}
