package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Sentinels for errors.Is. Every error of this package is an [*Error] that wraps the cause and, where one applies, one
// of these.
var (
	// ErrClosed is returned by every operation on a group that was closed.
	ErrClosed = errors.New("mcpgroup: group is closed")
	// ErrToolNotFound is returned for a name that no visible tool has. Tools that a filter hides answer the same.
	ErrToolNotFound = errors.New("mcpgroup: tool not found")
	// ErrServerNotFound is returned for a name that no server of a registry has, or none that the caller may know of.
	ErrServerNotFound = errors.New("mcpgroup: server not found")
	// ErrInvalidArguments is returned when arguments do not fit a tool's input schema; nothing was sent.
	// errors.As finds an [*ArgumentsError] that names the fields.
	ErrInvalidArguments = errors.New("mcpgroup: invalid arguments")
	// ErrOutcomeUnknown is returned when a request left this process and no answer came back: the tool may have run.
	ErrOutcomeUnknown = errors.New("mcpgroup: outcome unknown")
	// ErrUnavailable is returned when the server could not be reached; the request did not get to it.
	ErrUnavailable = errors.New("mcpgroup: server unavailable")
	// ErrUnauthorized is returned when the server refused the credential (HTTP 401 or 403).
	ErrUnauthorized = errors.New("mcpgroup: not authorized")
	// ErrRateLimited is returned when the server asked for fewer requests (HTTP 429) until the deadline was reached.
	ErrRateLimited = errors.New("mcpgroup: rate limited")
	// ErrResultTooLarge is returned when an answer is larger than [ServerConfig.MaxResponseBytes].
	ErrResultTooLarge = errors.New("mcpgroup: result too large")
	// ErrToolFailed is wrapped by [Result.Err] for a result with isError set.
	ErrToolFailed = errors.New("mcpgroup: tool failed")
	// ErrInputRequired is wrapped by [Result.Err] for a result that asks for more input (MCP 2026-07-28, input_required).
	ErrInputRequired = errors.New("mcpgroup: input required")
)

// Outcome is what is known about a failed request.
type Outcome int

const (
	// NotSent: the server cannot have acted on the request. It is safe to repeat.
	NotSent Outcome = iota + 1
	// Failed: the server answered that the request failed.
	Failed
	// Unknown: the request, or a part of it, left this process and no answer is known. The server may have acted on it.
	Unknown
)

// String returns "not sent", "failed" or "unknown".
func (o Outcome) String() string {
	switch o {
	case NotSent:
		return "not sent"
	case Failed:
		return "failed"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("Outcome(%d)", int(o))
}

// Error is the error of one operation on one server. Its text names the operation, the server, the tool if there is
// one and the cause; it never holds a secret, a protocol session id or the query of a URL.
type Error struct {
	Op      string  // "call", "list tools", "connect", "read resource", ...
	Server  string  // [ServerConfig.Name]
	Tool    string  // exposed tool name, or empty
	Outcome Outcome // what is known about the request
	Err     error   // the cause
}

// Error describes the failure.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("mcpgroup: ")
	b.WriteString(e.Op)
	if e.Tool != "" {
		fmt.Fprintf(&b, " %q", e.Tool)
	}
	fmt.Fprintf(&b, " on server %q", e.Server)
	if e.Outcome == Unknown {
		b.WriteString(" (it may have run)")
	}
	b.WriteString(": ")
	b.WriteString(strings.TrimPrefix(redact(e.Err), "mcpgroup: "))
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the sentinel of e's outcome.
func (e *Error) Is(target error) bool {
	return target == ErrOutcomeUnknown && e.Outcome == Unknown
}

// Violation is one mismatch between arguments and a schema.
type Violation struct {
	Path    string // JSON pointer into the arguments; empty means the arguments as a whole
	Message string // what the schema asks for; never the value that was given
}

// ArgumentsError reports arguments that a tool's input schema refuses. Nothing was sent to the server.
type ArgumentsError struct {
	Tool       string // exposed tool name
	Violations []Violation
}

// Error lists the violations, field first, so that a model can mend its arguments.
func (e *ArgumentsError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mcpgroup: invalid arguments for tool %q: ", e.Tool)
	for i, v := range e.Violations {
		if i > 0 {
			b.WriteString("; ")
		}
		if v.Path != "" {
			b.WriteString(v.Path)
			b.WriteString(": ")
		}
		b.WriteString(v.Message)
	}
	return b.String()
}

// Is makes errors.Is(err, ErrInvalidArguments) true.
func (e *ArgumentsError) Is(target error) bool { return target == ErrInvalidArguments }

// ConfigError reports a field of a [ServerConfig] or [Options] that cannot work.
type ConfigError struct {
	Server string
	Field  string
	Reason string // what is wrong and how to mend it
}

// Error names the server, the field and the reason.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("mcpgroup: server %q: %s: %s", e.Server, e.Field, e.Reason)
}

// RPCError is an error that the server itself answered with (JSON-RPC 2.0 section 5.1): the request arrived and was
// refused or failed there.
type RPCError struct {
	Code    int64
	Message string // as the server sent it, bounded and freed of control characters
}

// Error gives the server's message and code.
func (e *RPCError) Error() string {
	return fmt.Sprintf("server answered %q (code %d)", e.Message, e.Code)
}

// CredentialError reports that [Options.Headers], [Options.Env] or [Options.Fingerprint] gave no credential for a request.
// Nothing was sent, and nothing is repeated.
type CredentialError struct {
	Err error // what the callback returned
}

// Error gives the callback's error.
func (e *CredentialError) Error() string {
	if errors.Is(e.Err, context.DeadlineExceeded) {
		return "authentication timed out: " + redact(e.Err)
	}
	return "no credential for the request: " + redact(e.Err)
}

// Unwrap returns what the callback returned.
func (e *CredentialError) Unwrap() error { return e.Err }

// UnavailableError reports a server that could not be reached. It wraps [ErrUnavailable].
type UnavailableError struct {
	RetryAt time.Time // when the next connect will be tried; zero if at once
	Stderr  string    // what a stdio server last wrote to its standard error, bounded and freed of control characters
	Err     error
}

// Error gives the cause and, for a stdio server, the end of its standard error.
func (e *UnavailableError) Error() string {
	s := "server unavailable: " + redact(e.Err)
	if e.Stderr != "" && !strings.Contains(s, e.Stderr) {
		s += "; its stderr ends with: " + e.Stderr
	}
	return s
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrUnavailable) true.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// tagged gives err one of this package's sentinels without changing its text.
type tagged struct {
	error
	tag error
}

func (e *tagged) Unwrap() error        { return e.error }
func (e *tagged) Is(target error) bool { return target == e.tag }

func tag(err, sentinel error) error { return &tagged{err, sentinel} }
