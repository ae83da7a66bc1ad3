package session

import (
	"errors"
	"fmt"
	"time"
)

// ErrClosed is returned by [Map.Acquire] after [Map.Close].
var ErrClosed = errors.New("session: the map is closed")

// ErrRetired is returned by an [Map.Acquire] whose dial was discarded by [Map.Retire].
var ErrRetired = errors.New("session: retired while it was being opened")

// A LimitError reports that a new session would exceed a limit and that no idle session could make room for it.
type LimitError struct {
	Max     int  // the limit that was reached
	PerUser bool // whether it is [Config.MaxPerUser] rather than [Config.MaxSessions]
}

func (e *LimitError) Error() string {
	field, owner := "MaxSessions", ""
	if e.PerUser {
		field, owner = "MaxPerUser", " for this user"
	}
	return fmt.Sprintf("session: maximum concurrent sessions (%d) exceeded%s: all are in use; release some, raise %s or set OnLimit to LimitWait",
		e.Max, owner, field)
}

// A DialError reports that a session could not be opened.
//
// Until RetryAt, if there is one, every [Map.Acquire] of the same ID returns the same *DialError without dialling.
type DialError struct {
	ID      ID
	Err     error     // what Dial returned, a *[PanicError], or context.DeadlineExceeded if Dial took longer than DialTimeout
	RetryAt time.Time // when the next Acquire dials again; zero if backoff is turned off or Dial returned [NoBackoff]
}

// Error names the key, and never the fingerprint; the text of Err is the caller's own.
func (e *DialError) Error() string {
	return fmt.Sprintf("session: opening a session for %q: %v", e.ID.Key, e.Err)
}

// Unwrap returns e.Err.
func (e *DialError) Unwrap() error { return e.Err }

// A PanicError is a panic, or a call of runtime.Goexit, in one of the functions of a [Config].
type PanicError struct {
	Func  string // "Dial" or "Close"
	Value any    // what was passed to panic; nil for runtime.Goexit
	Stack []byte // the stack of the panicking goroutine; nil for runtime.Goexit
}

// Error leaves the stack out.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return fmt.Sprintf("session: %s called runtime.Goexit; it must return", e.Func)
	}
	return fmt.Sprintf("session: %s panicked: %v", e.Func, e.Value)
}

// Unwrap returns the panic value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// An IdentityError reports a [Key] that cannot be an authenticated user. Its text holds no more of the key than the name of a
// well-known placeholder.
type IdentityError struct {
	Field  string // the field of Key at fault
	Reason string // what is wrong with it, to follow the name of the field
}

func (e *IdentityError) Error() string {
	return fmt.Sprintf("session: identity refused: %s %s; pass the key of an authenticated user", e.Field, e.Reason)
}
