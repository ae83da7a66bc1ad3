package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// retryAhead is how long after a refresh ahead of time the next one may start, if it failed.
const retryAhead = 10 * time.Second

// A Client is the OAuth side of one MCP server. It is an [auth.TokenProvider], safe for concurrent use, and must be
// closed.
//
// Locks: a user's token is changed only under the lock of that user ([Client.locked]), which is held over requests. mu
// and the mutexes of cache, rooms and failures are held over nothing that can block, and over none of each other.
type Client struct {
	cfg      Config
	resource *url.URL
	web      *web
	log      *slog.Logger
	grant    Grant

	cache   cache
	locks   locks
	flights singleflight.Group
	rooms   rooms

	failures failures

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool // nothing is added to work any more
	work    sync.WaitGroup
	unsaved map[owner]*tokenRecord // guarded by mu: see Client.save
}

var (
	_ auth.ProofProvider = (*Client)(nil)
	_ auth.TokenCache    = (*Client)(nil)
)

// An owner is whom a token belongs to. The zero user stands for all users of the tenant.
type owner struct{ tenant, user string }

func (o owner) key() session.Key { return session.Key{Tenant: o.tenant, User: o.user} }

// New returns a client, without any request. The error names the field of cfg that is wrong, and never its value if that
// may be secret.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	u, _ := url.Parse(cfg.Resource) // complete has done so too
	base := cfg.HTTPClient.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	c := &Client{
		cfg: cfg, resource: u, grant: cfg.Grant,
		log:     cfg.Logger.With("server", cfg.Server),
		web:     &web{guard: guard{loopback: isLoopback(u.Hostname())}, base: base, redirect: cfg.HTTPClient.CheckRedirect},
		unsaved: make(map[owner]*tokenRecord),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Token returns the access token of the user. A token that is valid and in memory costs no I/O. One that is about to
// expire is returned too, while one refresh runs in the background; one that has expired is refreshed first. The zero
// Secret says that there is none: the server's refusal tells what is needed.
//
// The error is an [*session.IdentityError] if tokens are per user and key names none, and an [*Error] if the store or
// the authorization server fails, or the token is bound to a key ([ErrBound]): see [Client.TokenFor]. After a failure of
// the authorization server the next seconds' calls get the same error without a request, unless another process has put a
// token into the store since.
func (c *Client) Token(ctx context.Context, key session.Key) (auth.Secret, error) {
	t, err := c.current(ctx, key)
	switch {
	case err != nil || t == nil:
		return auth.Secret{}, err
	case t.key != nil:
		return auth.Secret{}, newError("token", c.cfg.Server, "", ErrBound)
	}
	return t.access, nil
}

// current returns the token of Token, or nil.
func (c *Client) current(ctx context.Context, key session.Key) (*token, error) {
	o := c.owner(key)
	now := time.Now()
	t, known := c.cache.get(o, now)
	switch {
	case known && t == nil:
		return nil, nil
	case known && (t.fresh(now) || !t.renewable):
		// One that has expired for good is sent all the same: the refusal asks the user, silence would make them a
		// stranger.
		return t, nil
	case known && !t.expired(now):
		c.renewAhead(ctx, o, t, now)
		return t, nil
	}
	return c.slowToken(ctx, o, t, now)
}

// Cached returns the access token of the user if it is in memory, not about to expire and not bound to a key. See
// [auth.TokenCache].
func (c *Client) Cached(key session.Key) (auth.Secret, bool) {
	now := time.Now()
	t, _ := c.cache.get(c.owner(key), now)
	if t == nil || t.key != nil || !t.fresh(now) {
		return auth.Secret{}, false
	}
	return t.access, true
}

// slowToken is current for what is not in memory (old is nil) or has expired.
func (c *Client) slowToken(ctx context.Context, o owner, old *token, now time.Time) (*token, error) {
	if old == nil {
		if err := c.check(o); err != nil {
			return nil, err
		}
		var err error
		old, err = c.fly(ctx, "load", o, "", func(ctx context.Context) (*token, error) { return c.recall(ctx, o) })
		switch {
		case err != nil:
			return nil, newError("store", c.cfg.Server, "", err)
		case old == nil:
			return nil, nil
		case !old.expired(now) || !old.renewable:
			return old, nil // the next call may refresh it ahead of time
		}
	}
	t, err := c.fly(ctx, "renew", o, "", func(ctx context.Context) (*token, error) { return c.renew(ctx, o, old) })
	if err != nil || t == nil {
		return nil, newError("refresh", c.cfg.Server, "", err)
	}
	return t, nil
}

// renewAhead starts a refresh in the background, unless one runs or has failed just now.
func (c *Client) renewAhead(ctx context.Context, o owner, t *token, now time.Time) {
	if next := t.next.Load(); now.UnixNano() >= next && t.next.CompareAndSwap(next, now.Add(retryAhead).UnixNano()) {
		c.flights.DoChan(flightName("renew", o, ""), c.flight(ctx, "renew", func(ctx context.Context) (*token, error) { return c.renew(ctx, o, t) }))
	}
}

// Forget logs the user out: it deletes the token, the registration that was made for the user and the authorization under
// way, and then revokes the token at the authorization server if that has a revocation endpoint (RFC 7009). Failure to
// revoke is logged and no error. Other processes may go on using the token until it expires or is refused.
func (c *Client) Forget(ctx context.Context, key session.Key) error {
	o := c.owner(key)
	if err := c.check(o); err != nil {
		return err
	}
	if err := c.begin(); err != nil {
		return err
	}
	defer c.work.Done()
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	err := recoveredErr(hostCode("forget"), func() error {
		return c.locked(ctx, o, func(ctx context.Context) error { return c.forget(ctx, o) })
	})
	return newError("store", c.cfg.Server, "", err)
}

// Close ends what runs in the background and waits for it, prompts included. It is idempotent. After it only tokens that
// are in memory and valid are given out.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()
	return nil
}

// Format names the server, for every verb.
func (c *Client) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "OAuth client of server %q", c.cfg.Server)
}

// owner returns whose token a caller uses.
func (c *Client) owner(key session.Key) owner {
	if c.grant.perUser() {
		return owner{key.Tenant, key.User}
	}
	return owner{tenant: key.Tenant}
}

// check refuses owners that are nobody. Those in the cache have been checked.
func (c *Client) check(o owner) error {
	key := o.key()
	if !c.grant.perUser() {
		key.User = "service" // the tenant is still worth a look
	}
	if err := key.Validate(); err != nil {
		return newError("token", c.cfg.Server, "", err)
	}
	return nil
}

// begin registers work that Close waits for; the caller must call work.Done.
func (c *Client) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.work.Add(1)
	return nil
}

// bounded returns ctx with an end at Close.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// detached returns a context with the values of ctx, which ends only at Close.
func (c *Client) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return c.bounded(context.WithoutCancel(ctx))
}

// fly runs f, or waits for the run that another caller with the same op, owner and detail has started, until ctx ends. f
// goes on if all callers give up: what an authorization server has begun must come to its end.
func (c *Client) fly(ctx context.Context, op string, o owner, detail string, f func(context.Context) (*token, error)) (*token, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case r := <-c.flights.DoChan(flightName(op, o, detail), c.flight(ctx, op, f)):
		t, _ := r.Val.(*token)
		return t, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// flight is f as package singleflight runs it: on a goroutine where a panic of the host's code would end the process.
func (c *Client) flight(ctx context.Context, op string, f func(context.Context) (*token, error)) func() (any, error) {
	return func() (any, error) {
		if err := c.begin(); err != nil {
			return nil, err
		}
		defer c.work.Done()
		ctx, cancel := c.detached(ctx)
		defer cancel()
		t, err := recovered(hostCode(op), func() (*token, error) { return f(ctx) })
		var panicked *session.PanicError
		if errors.As(err, &panicked) { // there may be no caller left to tell
			_ = recoveredErr("Config.Logger", func() error {
				c.log.Error("oauth: the host's code has failed to return", "err", err, "stack", string(panicked.Stack))
				return nil
			})
		}
		return t, err
	}
}

// hostCode names what may have panicked; the stack says which it was.
func hostCode(op string) string { return fmt.Sprintf("code behind oauth.Config (during %q)", op) }

// flightName is unambiguous: identities hold no control characters.
func flightName(op string, o owner, detail string) string {
	return strings.Join([]string{op, o.tenant, o.user, detail}, "\x00")
}

// locked runs f with the lock of o's token, within this process and, if the store is an [auth.Locker], beyond it. Waiting
// for the lock and f have Config.Timeout each. What f loads includes what could not be saved before.
func (c *Client) locked(ctx context.Context, o owner, f func(context.Context) error) error {
	unlock, err := c.lock(ctx, c.tokenKey(o))
	if err != nil {
		return err
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if err := c.settle(ctx, o); err != nil {
		return err
	}
	return f(ctx)
}

func (c *Client) lock(ctx context.Context, key auth.TokenKey) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	local, err := c.locks.lock(ctx, key)
	if err != nil {
		return nil, err
	}
	locker, ok := c.cfg.Store.(auth.Locker)
	if !ok {
		return local, nil
	}
	locked := false
	defer func() {
		if !locked {
			local()
		}
	}()
	remote, err := locker.Lock(ctx, key)
	if err != nil {
		return nil, err
	}
	locked = true
	return func() { defer local(); remote() }, nil
}
