package vault

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// A lease is a token and what the server said about its life. It does not change, but for the uses that are left.
type lease struct {
	token     auth.Secret
	login     uint64        // tells the tokens of a store apart; a renewed token keeps it
	issued    time.Time     // when this token was obtained by a login; zero if it was configured
	revocable bool          // it is ours to revoke, and can be
	full      time.Duration // the life that it had in the beginning
	expires   time.Time     // zero: never
	renewAt   time.Time     // zero: never
	renewable bool
	uses      *atomic.Int64 // nil: any number
}

// newLease reads what a login, a look-up or a renewal answered. The life of the token counts from the time before it was
// asked for.
func newLease(token auth.Secret, a *answer, asked time.Time) *lease {
	l := &lease{token: token}
	// An answer that has a number in another form says nothing: then the server's refusals will.
	l.renewable, _ = a.TokenIsRenewable()
	l.full, _ = a.TokenTTL()
	if l.full > 0 {
		l.expires = asked.Add(l.full)
		l.renewAt = asked.Add(l.full*2/3 - rand.N(l.full/10+1))
	}
	return l
}

// ended reports whether the token is of no use any more, as far as is known here.
func (l *lease) ended() bool {
	return !l.expires.IsZero() && !time.Now().Before(l.expires) || l.uses != nil && l.uses.Load() <= 0
}

// take takes one of the uses that the token has and reports whether there was one.
func (l *lease) take() bool { return !l.ended() && (l.uses == nil || l.uses.Add(-1) >= 0) }

// logIn obtains a token from the auth method. A role that is refused is an error that wraps [auth.ErrDenied].
func (w *wire) logIn(ctx context.Context, role AppRole) (*lease, error) {
	body := map[string]string{"role_id": role.RoleID.Reveal()}
	if !role.SecretID.IsZero() {
		body["secret_id"] = role.SecretID.Reveal()
	}
	r := request{"logging in at", http.MethodPost, "auth/" + role.Mount + "/login", body}
	var asked time.Time
	a, err := w.retry(ctx, func() (*answer, error) {
		asked = time.Now()
		return w.once(ctx, r, auth.Secret{})
	})
	if err != nil {
		return nil, loginError(err)
	}
	if a.Auth == nil || !sendable(a.Auth.ClientToken) {
		return nil, &Error{Op: r.op, Path: r.path, Reason: "the answer has no token"}
	}
	l := newLease(auth.NewSecret(a.Auth.ClientToken), a, asked)
	l.issued, l.revocable = time.Now(), !a.batch
	if a.uses > 0 {
		l.uses = new(atomic.Int64)
		l.uses.Store(a.uses)
		l.renewAt = time.Time{} // a renewal is a use; when they are used up there is another login anyway
	}
	return l, nil
}

// loginError changes what the statuses mean that are about a login and not about a secret.
func loginError(err error) error {
	e, ok := err.(*Error) //nolint:errorlint // it comes from once
	if !ok {
		return err
	}
	switch e.StatusCode {
	case http.StatusBadRequest: // "invalid role or secret ID"
		if e.Err == nil {
			e.Err = auth.ErrDenied
		}
	case http.StatusNotFound: // no secret is missing
		e.Err = nil
		e.Reason = "there is no such auth method; see AppRole.Mount and Config.Namespace"
	}
	return e
}

// lookUp asks what the server knows of a token.
func (w *wire) lookUp(ctx context.Context, token auth.Secret) (*lease, error) {
	r := request{"looking the token up at", http.MethodGet, "auth/token/lookup-self", nil}
	var asked time.Time
	a, err := w.retry(ctx, func() (*answer, error) {
		asked = time.Now()
		return w.once(ctx, r, token)
	})
	if err != nil {
		return nil, err
	}
	return newLease(token, a, asked), nil
}

// renew prolongs the life of l's token.
func (w *wire) renew(ctx context.Context, l *lease) (*lease, error) {
	r := request{"renewing the token at", http.MethodPost, "auth/token/renew-self", struct{}{}}
	asked := time.Now()
	a, err := w.once(ctx, r, l.token)
	if err != nil {
		return nil, err
	}
	renewed := newLease(l.token, a, asked)
	renewed.login, renewed.issued, renewed.revocable = l.login, l.issued, l.revocable
	renewed.full, renewed.uses = l.full, l.uses
	return renewed, nil
}

// revoke ends l's token.
func (w *wire) revoke(ctx context.Context, l *lease) error {
	_, err := w.once(ctx, request{"revoking the token at", http.MethodPost, "auth/token/revoke-self", nil}, l.token)
	return err
}
