package vault

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// ErrClosed is wrapped by the errors of a [Store] that has been closed.
var ErrClosed = errors.New("auth/vault: the store is closed")

// An Error reports a request that the server did not do. It wraps [auth.ErrNotFound], [auth.ErrDenied],
// [auth.ErrStoreUnavailable] or the error of the context, or else the server answered something that should not happen, such
// as status 400. Its text holds no token and no value.
type Error struct {
	Op         string // such as "reading"
	Path       string // of the API, without /v1/
	StatusCode int    // 0 if there was no answer
	// Reason is what the server said, if it is something that servers are known to say. The rest of an answer is dropped:
	// it may come from a proxy that repeats the request, with its token.
	Reason     string
	RetryAfter time.Duration // how long the server asks to be left alone
	Err        error         // nil if the answer is one that should not happen
}

// Error names the request, the status and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "auth/vault: %s %s", e.Op, e.Path)
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, ": status %d", e.StatusCode)
	}
	if e.Reason != "" {
		fmt.Fprintf(&b, " (%s)", e.Reason)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

const (
	reasonCASRequired = "check-and-set parameter required"
	reasonCASMismatch = "check-and-set parameter did not match"
	reasonUpgrading   = "upgrading from non-versioned to versioned data" // a mount of KV version 2 that is a moment old
)

// reasons are what Vault and OpenBao say in the errors that a user of this package can do something about.
var reasons = []string{
	reasonCASRequired, reasonCASMismatch,
	"invalid role or secret ID", "invalid role ID", "invalid secret id", "missing client token", "bad token", "invalid token", "token expired",
	"no handler for route", "route entry not found", "unsupported path",
	"Vault is sealed", "OpenBao is sealed", "Vault is not initialized", "Vault is in standby mode",
	"active cluster node not found", "path disabled in replication DR secondary mode",
	reasonUpgrading, "request path has been rate limited", "rate limit quota exceeded",
	"lease count quota exceeded", "namespace not authorized", "path cannot contain non-printable characters",
	"permission denied",
}

// reasonFor returns the first known reason that one of the server's errors mentions.
func reasonFor(said []string) string {
	for _, known := range reasons {
		for _, text := range said {
			if strings.Contains(strings.ToLower(text), strings.ToLower(known)) {
				return known
			}
		}
	}
	return ""
}

// statusError says what an answer of the KV API means that is not a success.
func statusError(op, path string, status int, said []string) *Error {
	e := &Error{Op: op, Path: path, StatusCode: status, Reason: reasonFor(said)}
	switch {
	case status == 404:
		e.Err = auth.ErrNotFound
	case status == 403:
		e.Err = auth.ErrDenied
	// Of the codes below 500: 412 is an Enterprise node that lags behind, 472 and 473 are standby nodes of Enterprise, and
	// a redirect comes from a standby node that does not forward requests. It is not followed: the token would go to a
	// host that nobody configured.
	case status == 429 || status == 412 || status == 472 || status == 473 || status >= 500 || status/100 == 3,
		status == 400 && e.Reason == reasonUpgrading:
		e.Err = auth.ErrStoreUnavailable
		if status/100 == 3 && e.Reason == "" {
			e.Reason = "a standby node that redirects; set Config.Address to the active one or to a load balancer"
		}
	}
	return e
}

// hasReason reports whether err is an answer with the status 400 and the reason.
func hasReason(err error, reason string) bool {
	var e *Error
	return errors.As(err, &e) && e.StatusCode == http.StatusBadRequest && e.Reason == reason
}

// refused reports whether err is the answer 403.
func refused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.StatusCode == http.StatusForbidden
}
