package mcpgroup

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/internal/mcphttp"
	"github.com/mcpfleet/mcpfleet/session"
)

// operation is one request to the server, made on whatever session is live.
type operation struct {
	name string // for errors: "call", "list tools"
	tool string // exposed name, or empty
	// repeatable says that the request may be made again although the server may have acted on it.
	repeatable bool
	runner
}

// runner makes the request once. ctx ends with the attempt.
type runner interface {
	run(ctx context.Context, c *conn) error
}

type runFunc func(ctx context.Context, c *conn) error

func (f runFunc) run(ctx context.Context, c *conn) error { return f(ctx, c) }

const (
	backoffBase = 50 * time.Millisecond
	backoffCap  = 2 * time.Second
	// maxRepeats bounds how often a request with unknown outcome is repeated.
	maxRepeats = 2
)

// maxLogins is how often one request waits for its user: a server that is never content must not keep it for ever.
const maxLogins = 3

// do is [MCPFunctionGroup.repeat], and waits for users who have been prompted to authorize. A user may take longer than any
// server, so that time does not count towards the deadline: only ctx bounds it.
func (g *MCPFunctionGroup) do(ctx context.Context, id session.ID, deadline time.Time, op operation) (attempts int, err error) {
	for logins := 0; ; logins++ {
		n, err := g.repeat(ctx, id, deadline, op)
		attempts += n
		if err == nil || logins == maxLogins {
			return attempts, err
		}
		start := time.Now()
		again, err := g.login(ctx, err)
		if !again {
			return attempts, err
		}
		if !deadline.IsZero() {
			deadline = deadline.Add(time.Since(start))
		}
	}
}

// login waits for the user if that is what err is about. It reports whether it is worth trying again, or else the error to
// return.
func (g *MCPFunctionGroup) login(ctx context.Context, err error) (again bool, _ error) {
	var required *auth.AuthRequiredError
	if !errors.As(err, &required) || required.Wait == nil || errors.Is(err, ErrOutcomeUnknown) {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-g.done:
			cancel(ErrClosed)
		case <-ctx.Done():
		}
	}()
	waitErr := required.Wait(ctx)
	if waitErr == nil {
		return true, nil
	}
	var fail *Error
	if !errors.As(err, &fail) {
		return false, err
	}
	if cause := context.Cause(ctx); cause != nil {
		waitErr = cause
	} else {
		waitErr = &CredentialError{Err: waitErr}
	}
	return false, &Error{Op: fail.Op, Server: fail.Server, Tool: fail.Tool, Outcome: fail.Outcome, Err: waitErr}
}

// repeat leases the session of id, runs op on it and repeats both as far as the outcome allows. It returns the number of
// attempts that got as far as a session.
//
// Requests that were not sent are repeated until the reconnect window closes; requests with unknown outcome at most
// maxRepeats times, and only if they are repeatable. deadline bounds everything; zero means that ctx does.
func (g *MCPFunctionGroup) repeat(ctx context.Context, id session.ID, deadline time.Time, op operation) (attempts int, err error) {
	var window time.Time // how long to keep trying; set by the first failure
	unknown, cured := false, false
	for repeats, n := 0, 0; ; n++ {
		var v verdict
		ref, acquireErr := g.acquire(ctx, id, deadline)
		if acquireErr != nil {
			v = g.classifyAcquire(acquireErr)
		} else {
			attempts++
			var ok bool
			if v, ok = g.attempt(ctx, ref, deadline, op); ok {
				return attempts, nil
			}
		}
		fail := &Error{Op: op.name, Server: g.cfg.Name, Tool: op.tool, Outcome: v.outcome, Err: v.err}
		if v.outcome == Unknown {
			unknown = true
			repeats++
			v.again = v.again && op.repeatable && repeats <= maxRepeats
		}
		if unknown {
			fail.Outcome = Unknown // whatever became of this attempt, an earlier one may have run
		}
		if v.once {
			v.again, cured = v.again && !cured, true
		}
		if !v.again || g.closed.Load() {
			return attempts, fail
		}

		if window.IsZero() {
			window = time.Now().Add(max(g.cfg.ReconnectWindow, 0))
		}
		limit, wait := window, max(v.wait, backoff(n))
		if v.told { // the server's own word counts for more than our impatience
			limit = deadline
		}
		if v.lost && n == 0 {
			wait = 0 // a new session is the cure, not a later one
		}
		if wait > 0 && !limit.IsZero() && time.Now().Add(wait).After(limit) {
			return attempts, fail
		}
		if err := g.sleep(ctx, wait); err != nil {
			if errors.Is(err, ErrClosed) {
				fail.Err = err
			}
			return attempts, fail
		}
	}
}

// attempt runs op once on ref and releases it. It returns the verdict on a failure.
func (g *MCPFunctionGroup) attempt(ctx context.Context, ref session.Ref[*conn], deadline time.Time, op operation) (v verdict, ok bool) {
	defer ref.Release()
	c := ref.Value()
	a := &attempt{proc: c.proc}
	g.deadlines.bound(a, ctx, deadline)
	defer g.deadlines.release(a) // which also stops whatever the server still streams after its answer
	if !c.begin(a) {
		return verdict{outcome: NotSent, err: ErrClosed}, false
	}
	defer c.finish(a)
	err := op.run(a, c)
	if err == nil {
		return verdict{}, true
	}
	v = classify(c, a, err)
	if v.lost {
		g.sessions.Kill(ref)
	}
	if ended(v.err) && ctx.Err() == nil && g.closed.Load() {
		v.err = ErrClosed
	}
	return v, false
}

// acquire leases the session of id. A leased process that is known to have died is replaced at once.
func (g *MCPFunctionGroup) acquire(ctx context.Context, id session.ID, deadline time.Time) (session.Ref[*conn], error) {
	if ref, ok := g.sessions.TryAcquire(id); ok { // warm: no context of its own needed
		if ref.Value().alive() {
			return ref, nil
		}
		g.sessions.Kill(ref)
		ref.Release()
	}
	if !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	return g.sessions.Acquire(ctx, id)
}

// classifyAcquire judges the error of a lease: nothing was sent. A server that was never reached is not waited for.
func (g *MCPFunctionGroup) classifyAcquire(err error) verdict {
	v := verdict{outcome: NotSent, err: err}
	var dial *session.DialError
	switch {
	case errors.Is(err, session.ErrClosed):
		v.err = ErrClosed
	case errors.As(err, &dial):
		var config *ConfigError
		var identity *session.IdentityError
		var credential *CredentialError
		var status *mcphttp.HTTPError
		switch {
		case errors.As(err, &credential):
			v.err = credential
		case errors.As(err, &config):
			v.err = config
		case errors.As(err, &identity):
			v.err = identity
		case errors.As(err, &status) && classifyStatus(status).outcome == Failed:
			v.err = classifyStatus(status).err
		case errors.As(err, &status) && classifyStatus(status).told:
			v = classifyStatus(status)
			v.wait = max(v.wait, time.Until(dial.RetryAt))
		default:
			unavailable := &UnavailableError{RetryAt: dial.RetryAt, Err: dial.Err}
			var inner *UnavailableError
			if errors.As(dial.Err, &inner) {
				unavailable.Stderr, unavailable.Err = inner.Stderr, inner.Err
			}
			v.err = unavailable
			if g.reached.Load() {
				v.again, v.wait = true, time.Until(dial.RetryAt)
			}
		}
	}
	return v
}

// backoff is the wait before repetition n+1: full jitter, so that clients of one server do not come back together.
func backoff(n int) time.Duration { return rand.N(backoffCeiling(n)) + time.Millisecond }

func backoffCeiling(n int) time.Duration { return min(backoffBase<<min(n, 10), backoffCap) }

// sleep waits for d, at most until ctx ends or the group is closed.
func (g *MCPFunctionGroup) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-g.done:
		return ErrClosed
	case <-t.C:
		return nil
	}
}

// WithSession runs fn with the raw client session of the user of ctx, for what this package does not offer. The session
// stays open while fn runs and must not be used afterwards, nor closed. Nothing is repeated: an error of fn is returned as
// it is, any other is an [*Error]. On a shared server the session is that of all users.
func (g *MCPFunctionGroup) WithSession(ctx context.Context, fn func(*mcp.ClientSession) error) error {
	id, err := g.identify(ctx)
	if err != nil {
		return &Error{Op: "connect", Server: g.cfg.Name, Outcome: NotSent, Err: err}
	}
	var ref session.Ref[*conn]
	for logins := 0; ; logins++ {
		if ref, err = g.acquire(ctx, id, time.Time{}); err == nil {
			break
		}
		v := g.classifyAcquire(err)
		again, err := g.login(ctx, &Error{Op: "connect", Server: g.cfg.Name, Outcome: v.outcome, Err: v.err})
		if !again || logins == maxLogins {
			return err
		}
	}
	defer ref.Release()
	err = fn(ref.Value().cs)
	if errors.Is(err, mcp.ErrConnectionClosed) || errors.Is(err, mcp.ErrSessionMissing) {
		g.sessions.Kill(ref)
	}
	return err
}
