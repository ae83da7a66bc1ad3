package session

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// A LimitPolicy says what [Map.Acquire] does when a new session would exceed a limit and no idle session can make room.
type LimitPolicy uint8

const (
	LimitFail LimitPolicy = iota // return a *LimitError at once
	LimitWait                    // wait, first come first served, until the caller's context ends
)

// Config configures a [Map]. Dial and Close are required; every other zero value selects the default its field names.
type Config[V any] struct {
	// Dial opens the session for an ID. It runs on a goroutine of its own, at most once at a time per ID.
	//
	// ctx carries the values of the Acquire that started the dial but not its cancellation: a caller who gives up must not fail
	// the callers who still wait. It ends after DialTimeout, when every waiter has left, when the ID is retired, when the map
	// is closed, and when Dial returns, so the session must not live on it. A Dial that ignores ctx delays nobody beyond
	// DialTimeout, but its goroutine lives until it returns; a value that comes too late is closed.
	Dial func(ctx context.Context, id ID) (V, error)

	// Close closes a session. It is called exactly once for every value that Dial returned without an error, never while
	// a reference is held, and on a goroutine of its own: it may block and may call methods of the map other than
	// Close and Drain, which wait for it.
	Close func(v V, id ID, reason Reason)

	// MaxSessions limits how many sessions are open or being opened. The default is 1,000; a negative value means no limit.
	// Sessions that were killed or retired but are still leased do not count, so that a caller who holds a dead session
	// can always replace it.
	MaxSessions int

	// MaxPerUser limits the same per tenant and user. The default is no limit.
	MaxPerUser int

	// OnLimit says what to do at a limit once the least recently used idle session cannot be evicted because there is
	// none. The default is LimitFail.
	OnLimit LimitPolicy

	// IdleTimeout is how long a session without references stays open. The default is 30 minutes; a negative value means for
	// ever. A session is closed between IdleTimeout and IdleTimeout plus one sweep period after its last use. The period is
	// an eighth of IdleTimeout, but at least 8 milliseconds and at most 1 minute.
	IdleTimeout time.Duration

	// MaxLifetime is the age at which a session is replaced, give or take a tenth at random so that sessions opened together do
	// not end together. An idle session is closed, a leased one gets no new references and is closed with its last. It
	// may be exceeded by one sweep period (see IdleTimeout; without one, of MaxLifetime). The default is no limit.
	MaxLifetime time.Duration

	// DialTimeout limits one dial. The default is 30 seconds.
	DialTimeout time.Duration

	// DialBackoff is how long after a failed dial the same ID is not dialled again. It doubles with each failure up to
	// MaxDialBackoff, varies by a quarter at random, and starts over after a success or when MaxDialBackoff has passed without
	// an attempt. The default is 500 milliseconds; a negative value turns backoff off. See also [NoBackoff].
	DialBackoff time.Duration

	// MaxDialBackoff is the largest DialBackoff before it is varied. The default is 30 seconds.
	MaxDialBackoff time.Duration

	// Logger gets failed dials as warnings, panics as errors, and sessions that open and close as debug messages.
	// The default is silence.
	Logger *slog.Logger
}

// withDefaults returns c with its zero values replaced. It panics on values that make no sense.
func (c Config[V]) withDefaults() Config[V] {
	if c.Dial == nil || c.Close == nil {
		panic("session: New: Config.Dial or Config.Close is nil; both are required")
	}
	if c.OnLimit > LimitWait {
		panic(fmt.Sprintf("session: New: Config.OnLimit is %d; use LimitFail or LimitWait", c.OnLimit))
	}
	if c.DialTimeout < 0 || c.MaxLifetime < 0 || c.MaxDialBackoff < 0 {
		panic("session: New: Config.DialTimeout, MaxLifetime or MaxDialBackoff is negative; leave it zero for the default")
	}
	setDefault(&c.MaxSessions, 1000)
	setDefault(&c.IdleTimeout, 30*time.Minute)
	setDefault(&c.DialTimeout, 30*time.Second)
	setDefault(&c.DialBackoff, 500*time.Millisecond)
	setDefault(&c.MaxDialBackoff, 30*time.Second)
	c.MaxDialBackoff = max(c.MaxDialBackoff, c.DialBackoff)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
