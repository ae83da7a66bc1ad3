package oauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// After a failure at an authorization server, and while discovering it, callers get that failure for a while in place of
// another try: first for minPause, then twice as long each time, at most maxPause.
const (
	minPause = time.Second
	maxPause = 5 * time.Second
)

// failures has what failed lately, by owner and kind of work: that a step-up fails must not keep a token from being
// renewed. The zero value is ready. It is bounded as the cache is; what is dropped is tried again too early.
type failures struct {
	mu sync.Mutex // guards m
	m  map[work]failure
}

type work struct {
	owner owner
	kind  string // "renew", "401" or "403"
}

type failure struct {
	err   error
	pause time.Duration
	until time.Time
}

// recent returns the error to give in place of another try, or nil.
func (fs *failures) recent(w work) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := fs.m[w]; ok && time.Now().Before(f.until) {
		return f.err
	}
	return nil
}

// add remembers err. Failures that lie further apart than maxPause are not of one row.
func (fs *failures) add(w work, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	now := time.Now()
	f, ok := fs.m[w]
	switch {
	case fs.m == nil:
		fs.m = make(map[work]failure)
	case !ok && len(fs.m) >= maxCached:
		fs.evict(now)
	}
	if ok && now.Before(f.until.Add(maxPause)) {
		f.pause = min(2*f.pause, maxPause)
	} else {
		f.pause = minPause
	}
	f.err, f.until = err, now.Add(f.pause)
	fs.m[w] = f
}

// evict removes what is over among a few entries, or else one of them. mu must be held.
func (fs *failures) evict(now time.Time) {
	const look = 16
	seen := 0
	for w, f := range fs.m {
		if seen++; seen == look {
			if len(fs.m) >= maxCached {
				delete(fs.m, w)
			}
			return
		}
		if !now.Before(f.until.Add(maxPause)) {
			delete(fs.m, w)
		}
	}
}

// forget forgets the failures of o.
func (fs *failures) forget(o owner) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, kind := range []string{"renew", "401", "403"} {
		delete(fs.m, work{o, kind})
	}
}

// try runs f, unless the same kind of work has failed for o just now. Then it looks whether another process was luckier, and
// has put a token into the store in the place of the one that has expired or was sent.
func (c *Client) try(ctx context.Context, o owner, kind string, old auth.Secret, f func(context.Context) (*token, error)) (*token, error) {
	w := work{o, kind}
	if err := c.failures.recent(w); err != nil {
		ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		defer cancel()
		if c.look(ctx, o, old) == nil {
			if t := c.successor(o, old); t != nil {
				return t, nil
			}
		}
		return nil, err
	}
	t, err := f(ctx)
	var failed *Error // not an AuthRequiredError, which costs no request to find again, nor what is wrong with the host
	if errors.As(err, &failed) && failed.Op != "store" && c.ctx.Err() == nil {
		c.failures.add(w, err)
	}
	return t, err
}
