package oauth

import (
	"crypto/ecdsa"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// maxCached bounds the tokens in memory. The store has them all.
const maxCached = 10_000

// A token is a tokenRecord as the hot path needs it.
type token struct {
	access    auth.Secret
	due       time.Time         // from here on it is refreshed; zero: never
	end       time.Time         // of its life; zero: unknown
	renewable bool              // without the user
	key       *ecdsa.PrivateKey // what it is bound to; nil: it is a bearer token
	next      atomic.Int64
}

func (t *token) fresh(now time.Time) bool   { return t.end.IsZero() || now.Before(t.due) }
func (t *token) expired(now time.Time) bool { return !t.end.IsZero() && !now.Before(t.end) }

// A cache keeps the tokens of the owners that were seen lately, and who has none. The zero cache is empty.
type cache struct {
	mu sync.RWMutex
	m  map[owner]*cached
}

type cached struct {
	token atomic.Pointer[token] // nil: there is none in the store either
	used  atomic.Int64          // Unix seconds

	stepUp atomic.Pointer[recentDiscovery]
}

func (c *cache) entry(o owner) *cached {
	c.mu.RLock()
	e := c.m[o]
	c.mu.RUnlock()
	return e
}

// get returns the token of o, which may be nil, and whether that is known.
func (c *cache) get(o owner, now time.Time) (*token, bool) {
	e := c.entry(o)
	if e == nil {
		return nil, false
	}
	if s := now.Unix(); e.used.Load() != s { // a write would take the line from the other cores
		e.used.Store(s)
	}
	return e.token.Load(), true
}

// put sets the token of o; nil says that there is none.
func (c *cache) put(o owner, t *token) { c.set(o, t, true) }

// learn sets the token of o unless something is known that is newer than what was read without the lock of o. It returns
// what is known.
func (c *cache) learn(o owner, t *token) *token { return c.set(o, t, false) }

func (c *cache) set(o owner, t *token, overwrite bool) *token {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.m[o]
	switch {
	case e != nil && !overwrite:
		return e.token.Load()
	case e == nil:
		if c.m == nil {
			c.m = make(map[owner]*cached)
		}
		if len(c.m) >= maxCached {
			c.evict()
		}
		e = new(cached)
		e.used.Store(time.Now().Unix())
		c.m[o] = e
	}
	e.token.Store(t)
	return t
}

// evict removes the one of a few entries that was not used for the longest time. Iteration over a map begins anywhere.
func (c *cache) evict() {
	var victim owner
	oldest, seen := int64(0), 0
	for o, e := range c.m {
		if used := e.used.Load(); seen == 0 || used < oldest {
			victim, oldest = o, used
		}
		if seen++; seen == 16 {
			break
		}
	}
	delete(c.m, victim)
}
