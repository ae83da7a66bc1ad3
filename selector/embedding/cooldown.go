package embedding

import (
	"sync"
	"time"
)

// A circuit remembers that the embedder failed, so that it is left alone for a while, and then tried by one request alone.
type circuit struct {
	rest time.Duration // 0 = asks always

	mu     sync.Mutex
	err    error     // the last failure; nil = it works
	until  time.Time // no request before
	trying bool      // a request finds out whether it works again
}

// enter says whether the embedder may be asked, with a nil error. Every successful enter is followed by one leave with trial.
func (c *circuit) enter() (trial bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err == nil || c.rest == 0:
		return false, nil
	case c.trying:
		return false, &CooldownError{Err: c.err}
	case time.Now().Before(c.until):
		return false, &CooldownError{Until: c.until, Err: c.err}
	}
	c.trying = true
	return true, nil
}

// leave takes what the embedder did: with answered it is alive, even if it refused; else err says how it failed, and a nil
// err says that nobody waited for its answer. It reports whether the embedder is left alone from now on.
func (c *circuit) leave(trial, answered bool, err error) (opened bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if trial {
		c.trying = false
	}
	switch {
	case answered:
		c.err = nil
	case err != nil:
		opened = c.rest > 0
		c.err, c.until = err, time.Now().Add(c.rest)
	}
	return opened
}
