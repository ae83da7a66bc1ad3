package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/session"
)

// maxParameter bounds each parameter of a redirect, in bytes.
const maxParameter = 8 << 10

// Complete finishes the authorization that the query of a redirect belongs to, whichever process has started it, and
// returns the user who did. It must be given the query as it came. An authorization can be completed once.
//
// If ctx carries a [session.Key], that must be of the user who has started the authorization. If it carries none, the
// caller vouches for the user: a browser that was given the URL by somebody else would hand its own user's access to
// them. [Client.Callback] sees to that.
//
// The error is an [*Error]. One that wraps [ErrCallback], [ErrState] or [ErrOtherUser] has changed nothing. After any
// other one the user is sent to a new URL by the next call.
func (c *Client) Complete(ctx context.Context, query url.Values) (session.Key, error) {
	want, ok := session.FromContext(ctx)
	return c.complete(ctx, query, func(o owner) bool { return !ok || o == owner{want.Tenant, want.User} })
}

func (c *Client) complete(ctx context.Context, query url.Values, allowed func(owner) bool) (session.Key, error) {
	g, ok := c.grant.(*AuthorizationCode)
	if !ok {
		panic("oauth: Complete: Config.Grant is not an AuthorizationCode, so there is nothing to complete")
	}
	if err := c.begin(); err != nil {
		return session.Key{}, err
	}
	defer c.work.Done()
	a, err := parseRedirect(query)
	if err != nil {
		return session.Key{}, newError("callback", c.cfg.Server, "", err)
	}
	id := stateID(a.state)
	s, err := load[stateRecord](ctx, c, c.stateKey(id))
	switch {
	case err != nil:
		return session.Key{}, newError("store", c.cfg.Server, "", err)
	case s == nil || s.For != c.cfg.Resource:
		return session.Key{}, newError("callback", c.cfg.Server, "", ErrState)
	}
	o := owner{s.Tenant, s.User}
	if !allowed(o) {
		return session.Key{}, newError("callback", c.cfg.Server, s.Server.Issuer, ErrOtherUser)
	}
	// From here on the browser may go away: what the authorization server has begun must come to its end.
	ctx, cancel := c.detached(ctx)
	defer cancel()
	taken := false
	err = recoveredErr(hostCode("complete"), func() error {
		return c.locked(ctx, o, func(ctx context.Context) error {
			if err := c.take(ctx, o, id); err != nil {
				return err
			}
			taken = true
			c.failures.forget(o)
			return c.redeem(ctx, g, o, s, a)
		})
	})
	if err != nil {
		err = newError("callback", c.cfg.Server, s.Server.Issuer, err)
		if taken {
			c.log.Warn("oauth: an authorization has failed", "tenant", o.tenant, "user", o.user, "err", err)
			c.rooms.wake(o, err)
		}
		return session.Key{}, err
	}
	c.log.Info("oauth: the user has authorized", "tenant", o.tenant, "user", o.user, "issuer", place(s.Server.Issuer))
	return o.key(), nil
}

// take ends the authorization under way with that ID, if nobody else has: a state can be used once. The lock of o must be
// held.
func (c *Client) take(ctx context.Context, o owner, id string) error {
	s, err := load[stateRecord](ctx, c, c.stateKey(id))
	if err == nil && s == nil {
		return ErrState
	}
	var p *pendingRecord
	if err == nil {
		p, err = load[pendingRecord](ctx, c, c.pendingKey(o))
	}
	if err == nil && p != nil && p.State == id {
		err = c.remove(ctx, c.pendingKey(o))
	}
	if err == nil {
		err = c.remove(ctx, c.stateKey(id))
	}
	return newError("store", c.cfg.Server, "", err)
}

// redeem checks the response and exchanges its code for a token. The lock of o must be held.
func (c *Client) redeem(ctx context.Context, g *AuthorizationCode, o owner, s *stateRecord, a redirect) error {
	if !time.Now().Before(s.Expiry) {
		return ErrExpired
	}
	if pin := c.cfg.Issuer; pin != "" && !sameIssuer(pin, s.Server.Issuer) {
		return ErrIssuerMismatch
	}
	if err := checkIss(a.iss, s.Server.Issuer, s.Iss, g.AllowUnadvertisedIss); err != nil {
		return err
	}
	if a.failed {
		return c.disown(ctx, o, s, newResponseError(0, a.code, a.description))
	}
	client := c.withSecret(s.Client)
	server := s.Server.meta()
	t, err := c.ask(ctx, s.Key, nil, func(ctx context.Context) (*oauth2.Token, error) {
		return client.config(server).Exchange(ctx, a.code, oauth2.VerifierOption(s.Verifier), oauth2.SetAuthURLParam("resource", s.Resource))
	})
	if err != nil {
		return c.disown(ctx, o, s, newError("token", c.cfg.Server, s.Server.Issuer, err))
	}
	r, err := c.newToken(t, request{server, s.Resource, s.Scopes, s.Key}, s.Client)
	if err != nil {
		return newError("token", c.cfg.Server, s.Server.Issuer, err)
	}
	_, err = c.save(ctx, o, r)
	return err
}

// disown deletes the registration that err says the authorization server does not know, so that the next authorization
// registers anew. It returns err.
func (c *Client) disown(ctx context.Context, o owner, s *stateRecord, err error) error {
	if s.Client.Kind == kindRegistered && clientUnknown(err) {
		if uerr := c.unregister(ctx, o, s.Server.Issuer, s.Client.ID); uerr != nil {
			return uerr
		}
	}
	return err
}

// checkIss compares the issuer that a response names with the one that was asked (RFC 9207 section 2.4). The comparison
// is exact.
func checkIss(iss, issuer string, promised, allowUnpromised bool) error {
	switch {
	case iss == "" && promised:
		return ErrIssuerMissing
	case iss != "" && iss != issuer:
		return ErrIssuerMismatch
	case iss != "" && !promised && !allowUnpromised:
		return fmt.Errorf("the response names its issuer, which the metadata did not promise (see AllowUnadvertisedIss): %w", ErrIssuerMismatch)
	}
	return nil
}

// A redirect is the response of an authorization endpoint (RFC 6749 sections 4.1.2 and 4.1.2.1).
type redirect struct {
	state, iss  string
	failed      bool
	code        string // the authorization code, or the error code
	description string
}

func parseRedirect(query url.Values) (redirect, error) {
	for _, name := range []string{"state", "iss", "code", "error", "error_description"} {
		values := query[name]
		switch {
		case len(values) > 1:
			return redirect{}, fmt.Errorf("it holds %s twice: %w", name, ErrCallback)
		case len(values) == 1 && len(values[0]) > maxParameter:
			return redirect{}, fmt.Errorf("its %s is too long: %w", name, ErrCallback)
		}
	}
	r := redirect{state: query.Get("state"), iss: query.Get("iss"), code: query.Get("code")}
	switch {
	case r.state == "":
		return redirect{}, fmt.Errorf("it holds no state: %w", ErrCallback)
	case query.Has("error"):
		hidden := strings.NewReplacer(r.state, "[removed]") // nobody needs to see what can be used
		return redirect{r.state, r.iss, true, query.Get("error"), hidden.Replace(query.Get("error_description"))}, nil
	case r.code == "":
		return redirect{}, fmt.Errorf("it holds no code: %w", ErrCallback)
	}
	return r, nil
}

// CallbackOptions are the options of [Client.Callback].
type CallbackOptions struct {
	// AnyUser finishes authorizations whoever's browser comes back. It is for hosts with one user, whose callback
	// listens on a loopback address; elsewhere it lets one user hand their access to another.
	AnyUser bool
	// Done answers the request. key is the user who has authorized, unless err says why that failed. It must not show
	// the query. The default is a line of plain text, with status 200, 400 or 502.
	Done func(w http.ResponseWriter, r *http.Request, key session.Key, err error)
}

// Callback returns the handler of [AuthorizationCode.RedirectURL]. The context of each request must carry the
// authenticated user (see [session.Middleware]), who must be the one who has started the authorization; without one the
// answer is 401. A nil opts selects the defaults.
func (c *Client) Callback(opts *CallbackOptions) http.Handler {
	var o CallbackOptions
	if opts != nil {
		o = *opts
	}
	if o.Done == nil {
		o.Done = answerPlainly
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer") // the URL holds a code
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet {
			h.Set("Allow", http.MethodGet)
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		user, ok := session.FromContext(r.Context())
		if !ok && !o.AnyUser {
			h.Set("WWW-Authenticate", "Bearer")
			http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
			return
		}
		query, err := url.ParseQuery(r.URL.RawQuery)
		var key session.Key
		if err != nil {
			err = newError("callback", c.cfg.Server, "", ErrCallback)
		} else {
			key, err = c.complete(r.Context(), query, func(s owner) bool { return o.AnyUser || s == owner{user.Tenant, user.User} })
		}
		o.Done(w, r, key, err)
	})
}

// answerPlainly shows nothing that came with the request.
func answerPlainly(w http.ResponseWriter, _ *http.Request, _ session.Key, err error) {
	var refused *ResponseError
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "Authorized. You can close this page.")
	case hasCode(err, "access_denied"):
		http.Error(w, "The authorization was declined.", http.StatusBadRequest)
	case errors.Is(err, ErrExpired) || errors.Is(err, ErrState):
		http.Error(w, "This authorization has expired or was used. Start it again.", http.StatusBadRequest)
	case errors.Is(err, ErrOtherUser):
		http.Error(w, "This authorization was started by another user.", http.StatusForbidden)
	case errors.As(err, &refused):
		http.Error(w, "The authorization server has refused. Start again.", http.StatusBadGateway)
	default:
		http.Error(w, "The authorization has failed. Start it again.", http.StatusBadRequest)
	}
}
