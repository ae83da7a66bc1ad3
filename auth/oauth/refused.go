package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// Refused finds out what the server wants that answered 401, or 403 with the error "insufficient_scope" (RFC 6750 section
// 3.1), and obtains it if it can: the token that another caller has got meanwhile, a refreshed one, one of more scopes, or
// the first one. Other refusals stand. One for want of the server's nonce (RFC 9449 section 9) only needs to be sent again.
//
// If the user has to authorize, the error is an [*auth.AuthRequiredError], the same for all callers of all processes that
// share the store; with [AuthorizationCode.Prompt] the user is prompted once, and the error's Wait waits for them. What
// servers do wrong is an [*Error], which the refusals of the next seconds get without another request.
func (c *Client) Refused(ctx context.Context, key session.Key, r auth.Refusal) (again bool, err error) {
	cs := parseChallenges(r.Challenges)
	stepUp := r.StatusCode == http.StatusForbidden
	if r.StatusCode != http.StatusUnauthorized && !(stepUp && cs.insufficientScope()) {
		return false, nil
	}
	o := c.owner(key)
	if err := c.check(o); err != nil {
		return false, err
	}
	sent, bound := sentToken(r.Sent)
	learned := r.StatusCode == http.StatusUnauthorized && c.web.nonces.learn(nonceOfResource, r.DPoPNonce)
	if bound && !stepUp {
		switch cs.param("error") { // it is not the token that was refused
		case "use_dpop_nonce":
			return learned, nil
		case "invalid_dpop_proof":
			return false, nil
		}
	}
	now := time.Now()
	if t, _ := c.cache.get(o, now); t != nil && !t.access.Equal(sent) && !t.expired(now) {
		return true, nil
	}
	scopes, err := cs.scopes()
	if err != nil {
		return false, newError("discovery", c.cfg.Server, "", err)
	}
	ref := refusal{stepUp: stepUp, sent: sent, challenges: cs, scopes: scopes}
	t, err := c.fly(ctx, "refused", o, ref.name(), func(ctx context.Context) (*token, error) {
		return c.try(ctx, o, ref.kind(), sent, func(ctx context.Context) (*token, error) { return c.answer(ctx, o, ref) })
	})
	var required *auth.AuthRequiredError
	if g, ok := c.grant.(*AuthorizationCode); ok && g.Prompt != nil && errors.As(err, &required) {
		return c.invite(ctx, o, g, *required, sent)
	}
	return t != nil && err == nil, newError("token", c.cfg.Server, "", err)
}

// maxHeals is how often in a row a token is refreshed that the server refuses before its time. A server that restarts
// may forget tokens; one that refuses every token wants something that another refresh does not give.
const maxHeals = 5

// settling is for how long a refusal stands of a token that a machine has just got: a server that refuses all of them
// would otherwise have each call fetch one.
const settling = 5 * time.Second

// A refusal is an auth.Refusal that can be mended.
type refusal struct {
	stepUp     bool
	sent       auth.Secret // the zero Secret if the request had no token
	challenges challenges
	scopes     []string // of the challenge
}

// name tells refusals apart that have different answers.
func (r refusal) name() string {
	return strings.Join([]string{r.kind(), r.sent.Fingerprint(), r.challenges.metadata(), strings.Join(r.scopes, " ")}, "\x00")
}

func (r refusal) kind() string {
	if r.stepUp {
		return "403"
	}
	return "401"
}

// sentToken returns the token of a request, and whether it was sent as one that is bound to a key.
func sentToken(h http.Header) (token auth.Secret, bound bool) {
	scheme, text, _ := strings.Cut(h.Get("Authorization"), " ")
	bound = strings.EqualFold(scheme, "DPoP")
	if !bound && !strings.EqualFold(scheme, "Bearer") {
		return auth.Secret{}, false
	}
	return auth.NewSecret(text), bound
}

// answer returns the token with which the request is worth another try, or nil if none is.
func (c *Client) answer(ctx context.Context, o owner, ref refusal) (t *token, err error) {
	err = c.locked(ctx, o, func(ctx context.Context) error {
		r, err := c.mend(ctx, o, ref)
		if r != nil {
			t = c.token(r)
		}
		return err
	})
	return t, err
}

// mend is answer under the lock of o.
func (c *Client) mend(ctx context.Context, o owner, ref refusal) (*tokenRecord, error) {
	r, err := c.loadToken(ctx, o)
	if err != nil {
		return nil, newError("store", c.cfg.Server, "", err)
	}
	if r != nil && r.Access != ref.sent.Reveal() && !r.expired() {
		c.adopt(o, r) // another process was faster
		return r, nil
	}
	if ref.stepUp && r != nil && len(ref.scopes) > 0 && covers(union(r.Scopes, r.Asked), ref.scopes) {
		return nil, nil // it has these, or was refused them: asking again would not end
	}
	if !ref.stepUp && r != nil && !c.grant.interactive() && !r.expired() && time.Since(r.Obtained) < settling {
		return nil, nil // the next one would be refused too
	}
	refreshable := !ref.stepUp && r != nil && r.Refresh != "" && (r.Healed < maxHeals || r.expired())
	if c.grant.interactive() && !refreshable && (r == nil || !ref.stepUp) { // only the user can help: see whether they are asked
		p, err := c.pending(ctx, o)
		if err != nil {
			return nil, newError("store", c.cfg.Server, "", err)
		}
		if p != nil && (len(c.cfg.Scopes) > 0 && !ref.stepUp || covers(p.Scopes, c.filter(ref.scopes))) {
			return nil, c.required(o, p)
		}
	}
	if ref.stepUp && len(c.cfg.Scopes) > 0 && !c.mayAsk(nil, ref.scopes) {
		return nil, nil // which needs no discovery to know
	}
	known := ""
	if r != nil {
		known = r.Server.Issuer
	}
	d, err := c.discoverFor(ctx, o, ref, known)
	if err != nil {
		return nil, err
	}
	if r != nil && !sameIssuer(known, d.server.Issuer) {
		// What one authorization server issued is nothing to another: MCP 2026-07-28, basic/authorization.
		c.log.Warn("oauth: the server has changed its authorization server; the token is dropped", "tenant", o.tenant, "user", o.user, "issuer", place(d.server.Issuer))
		if err := c.unregister(ctx, o, known, r.Client.ID); err != nil {
			return nil, err
		}
		if err := c.drop(ctx, o); err != nil {
			return nil, err
		}
		r = nil
	}
	key, err := c.keyFor(d, ref, r)
	if err != nil {
		return nil, err
	}
	if r != nil && key != nil {
		r.Key = key // a refresh token that is bound to none yet gets bound to it
	}
	if refreshable && r != nil {
		next, err := c.refresh(ctx, o, r, true)
		if next != nil || err != nil {
			return next, err
		}
	}
	if ref.stepUp && !c.mayAsk(d, ref.scopes) {
		c.log.Warn("oauth: the server wants scopes that nobody has agreed to; see Config.Scopes", "tenant", o.tenant, "user", o.user, "scopes", ref.scopes)
		return nil, nil
	}
	want := request{server: d.server, resource: d.resource, scopes: c.scopes(d, ref, r), key: key}
	if ref.stepUp && r != nil && covers(union(r.Scopes, r.Asked), want.scopes) {
		return nil, nil
	}
	return c.obtain(ctx, o, want)
}
