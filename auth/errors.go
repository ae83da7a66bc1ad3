package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/mcpfleet/mcpfleet/session"
)

var (
	// ErrInvalidCredential is wrapped by the error for a credential that may not be sent: an empty or malformed token, or
	// a header value with a byte that is not printable.
	ErrInvalidCredential = errors.New("auth: invalid credential")
	// ErrRequestEnded is wrapped by the error for a request that a connection makes on its own account after the request
	// has ended whose authorization it was opened with. That authorization is not kept, and none takes its place.
	ErrRequestEnded = errors.New("auth: the request that brought the authorization has ended")
)

// A SourceError reports a credential that is present and cannot be used. Nothing was sent, and no other source was
// tried. Its text holds no secret.
type SourceError struct {
	Server string
	Source Source
	ID     string // the credential id, if the source gave one
	Err    error
}

// Error names the server, the source and the cause.
func (e *SourceError) Error() string {
	s := fmt.Sprintf("auth: the %s for server %q", e.Source, e.Server)
	if e.ID != "" {
		s += fmt.Sprintf(" (id %q)", e.ID)
	}
	return s + " cannot be used: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// An AuthRequiredError reports that the user must authorize the use of a server first. A host shows URL to that user, or
// redirects their browser there; when the authorization server has sent the browser back to the callback, the same call
// succeeds. All callers of one user and server get the same URL until it is used or expires.
type AuthRequiredError struct {
	Server string
	User   session.Key
	URL    string // where the user authorizes; it is bound to User and must not be shown to anyone else
	// Wait is set if somebody is showing URL to the user already. It returns nil once they have authorized, and an error if
	// they have refused, the URL has expired or ctx has ended.
	Wait func(ctx context.Context) error
}

// Error names the server and the user. It leaves the URL out: whoever authorizes there gives their access to User.
func (e *AuthRequiredError) Error() string {
	return fmt.Sprintf("auth: user %q must authorize the use of server %q: send them to AuthRequiredError.URL", e.User, e.Server)
}
