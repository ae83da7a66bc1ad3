package oauth

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// pollEvery is how often those who wait for a user look into the store: another process may finish the authorization.
const pollEvery = 2 * time.Second

// rooms are where callers wait for their user.
type rooms struct {
	mu sync.Mutex // guards m and its values
	m  map[owner]*room
}

// A room is where the callers of one user wait.
type room struct {
	url      string        // what the user was prompted with last
	deadline time.Time     // of url
	news     chan struct{} // closed, and replaced, when something has happened
	err      error         // what has happened to url: nil if it may still succeed
}

// enter returns the room of o and whether the user is to be prompted with url. The room stands for as long as its prompt
// does: who comes next must not prompt again.
func (rs *rooms) enter(o owner, url string, ttl time.Duration) (*room, bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.m == nil {
		rs.m = make(map[owner]*room)
	}
	r := rs.m[o]
	if r == nil {
		rs.sweep()
		r = &room{news: make(chan struct{})}
		rs.m[o] = r
	}
	if r.url == url {
		return r, false
	}
	r.url, r.err, r.deadline = url, nil, time.Now().Add(ttl)
	return r, true
}

// sweep deletes the rooms of users who have not come back. mu must be held.
func (rs *rooms) sweep() {
	now := time.Now()
	for o, r := range rs.m {
		if !now.Before(r.deadline) {
			delete(rs.m, o)
		}
	}
}

// wake tells those who wait for o that there is a token, or that the authorization has failed. A room is used up by that.
func (rs *rooms) wake(o owner, err error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.m[o]; r != nil {
		r.err = err
		close(r.news)
		r.news = make(chan struct{})
		delete(rs.m, o)
	}
}

// fail is wake for the failure of the prompt itself, unless the user was prompted anew since.
func (rs *rooms) fail(o owner, r *room, url string, err error) {
	rs.mu.Lock()
	current := rs.m[o] == r && r.url == url
	rs.mu.Unlock()
	if current {
		rs.wake(o, err)
	}
}

// see returns what to wait for next.
func (rs *rooms) see(r *room) (news <-chan struct{}, err error, deadline time.Time) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return r.news, r.err, r.deadline
}

// invite has the user prompted with e, unless that was done, and says how to wait for them. It reports that the request is
// worth another try if they were faster than the caller.
func (c *Client) invite(ctx context.Context, o owner, g *AuthorizationCode, e auth.AuthRequiredError, sent auth.Secret) (again bool, err error) {
	if c.successor(o, sent) != nil {
		return true, nil
	}
	r, first := c.rooms.enter(o, e.URL, g.PromptTTL)
	if first {
		if err := c.prompt(ctx, o, g, &e, r, sent); err != nil {
			return false, err
		}
	}
	waiting := e
	waiting.Wait = func(ctx context.Context) error { return c.await(ctx, o, r, sent) }
	return false, &waiting
}

// successor returns the token that takes the place of the one that was sent, or nil if there is none yet.
func (c *Client) successor(o owner, sent auth.Secret) *token {
	now := time.Now()
	if t, _ := c.cache.get(o, now); t != nil && !t.access.Equal(sent) && !t.expired(now) {
		return t
	}
	return nil
}

// await waits in r until there is a token in the place of the one that was sent.
func (c *Client) await(ctx context.Context, o owner, r *room, sent auth.Secret) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		news, failed, deadline := c.rooms.see(r)
		if c.successor(o, sent) != nil {
			return nil
		}
		switch {
		case failed != nil:
			return failed
		case !time.Now().Before(deadline):
			return newError("authorization", c.cfg.Server, "", ErrExpired)
		}
		select {
		case <-news:
		case <-poll.C:
			if err := recoveredErr(hostCode("wait"), func() error { return c.look(ctx, o, sent) }); err != nil {
				return newError("store", c.cfg.Server, "", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
			return ErrClosed
		}
	}
}

// prompt calls Prompt in the background: callers may give up while it runs. It does not prompt with a URL that has been
// used since the caller got it.
func (c *Client) prompt(ctx context.Context, o owner, g *AuthorizationCode, e *auth.AuthRequiredError, r *room, sent auth.Secret) error {
	if err := c.begin(); err != nil {
		c.rooms.fail(o, r, e.URL, err)
		return err
	}
	go func() {
		defer c.work.Done()
		ctx, cancel := c.detached(ctx)
		defer cancel()
		ctx, stop := context.WithTimeout(ctx, g.PromptTTL)
		defer stop()
		err := recoveredErr(hostCode("prompt"), func() error { return c.promptNow(ctx, o, g, e, sent) })
		if err != nil {
			c.rooms.fail(o, r, e.URL, newError("authorization", c.cfg.Server, "", err))
		}
	}()
	return nil
}

// promptNow is prompt in the background.
func (c *Client) promptNow(ctx context.Context, o owner, g *AuthorizationCode, e *auth.AuthRequiredError, sent auth.Secret) error {
	p, err := c.pending(ctx, o)
	if err != nil {
		return err
	}
	if p == nil || p.URL != e.URL {
		if err := c.look(ctx, o, sent); err != nil {
			return err
		}
		return ErrExpired // unless look has found a token: then nobody is left to hear this
	}
	if err := recoveredErr("AuthorizationCode.Prompt", func() error { return g.Prompt(ctx, e) }); err != nil {
		return fmt.Errorf("prompting the user: %w", err)
	}
	return nil
}

// look brings a token to memory that another process has stored.
func (c *Client) look(ctx context.Context, o owner, sent auth.Secret) error {
	r, err := c.loadToken(ctx, o)
	if err != nil {
		return newError("store", c.cfg.Server, "", err)
	}
	if r != nil && r.Access != sent.Reveal() && !r.expired() {
		return c.locked(ctx, o, func(ctx context.Context) error {
			r, err := c.loadToken(ctx, o)
			if err == nil && r != nil {
				c.adopt(o, r)
			}
			return err
		})
	}
	return nil
}
