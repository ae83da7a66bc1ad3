package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// Refused finds out what the server wants that answered 401, or 403 with the error "insufficient_scope" (RFC 6750 section
// 3.1), and obtains it if it can: the token that another caller has got meanwhile, a refreshed one, one of more scopes, or
// the first one. Other refusals stand.
//
// If the user has to authorize, the error is an [*auth.AuthRequiredError], the same for all callers of all processes that
// share the store; with [AuthorizationCode.Prompt] the user is prompted once, and the error's Wait waits for them. What
// servers do wrong is an [*Error].
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
	sent := sentToken(r.Sent)
	now := time.Now()
	if t, _ := c.cache.get(o, now); t != nil && !t.access.Equal(sent) && !t.expired(now) {
		return true, nil
	}
	scopes, err := cs.scopes()
	if err != nil {
		return false, newError("discovery", c.cfg.Server, "", err)
	}
	ref := refusal{stepUp: stepUp, sent: sent, challenges: cs, scopes: scopes}
	t, err := c.fly(ctx, "refused", o, ref.name(), func(ctx context.Context) (*token, error) { return c.answer(ctx, o, ref) })
	var required *auth.AuthRequiredError
	if g, ok := c.grant.(*AuthorizationCode); ok && g.Prompt != nil && errors.As(err, &required) {
		return c.invite(ctx, o, g, *required, sent)
	}
	return t != nil && err == nil, newError("token", c.cfg.Server, "", err)
}

// maxHeals is how often in a row a token is refreshed that the server refuses before its time. A server that restarts
// may forget tokens; one that refuses every token wants something that another refresh does not give.
const maxHeals = 5

// A refusal is an auth.Refusal that can be mended.
type refusal struct {
	stepUp     bool
	sent       auth.Secret // the zero Secret if the request had no token
	challenges challenges
	scopes     []string // of the challenge
}

// name tells refusals apart that have different answers.
func (r refusal) name() string {
	kind := "401"
	if r.stepUp {
		kind = "403"
	}
	return strings.Join([]string{kind, r.sent.Fingerprint(), r.challenges.metadata(), strings.Join(r.scopes, " ")}, "\x00")
}

// sentToken returns the bearer token of a request.
func sentToken(h http.Header) auth.Secret {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return auth.Secret{}
	}
	return auth.NewSecret(token)
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
	if r == nil && c.grant.interactive() {
		p, err := c.pending(ctx, o)
		if err != nil {
			return nil, newError("store", c.cfg.Server, "", err)
		}
		if p != nil && (len(c.cfg.Scopes) > 0 && !ref.stepUp || covers(p.Scopes, c.filter(ref.scopes))) {
			return nil, c.required(o, p)
		}
	}
	known := ""
	if r != nil {
		known = r.Server.Issuer
	}
	d, err := c.discover(ctx, ref.challenges, known)
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
	if !ref.stepUp && r != nil && r.Refresh != "" && (r.Healed < maxHeals || r.expired()) {
		next, err := c.refresh(ctx, o, r, true)
		if next != nil || err != nil {
			return next, err
		}
	}
	want := request{server: d.server, resource: d.resource, scopes: c.scopes(d, ref, r)}
	if ref.stepUp && r != nil && covers(union(r.Scopes, r.Asked), want.scopes) {
		return nil, nil
	}
	return c.obtain(ctx, o, want)
}

// scopes returns what is asked for: what is configured, or else named by the challenge, or else by the metadata (MCP
// 2025-11-25, basic/authorization, "Scope Selection Strategy"). It includes what was granted before, as the new token
// takes the old one's place, and what a step-up needs. nil leaves the choice to the authorization server.
func (c *Client) scopes(d *discovery, ref refusal, r *tokenRecord) []string {
	named := ref.scopes
	if len(named) == 0 {
		named = d.scopes
	}
	var granted []string
	if r != nil {
		granted = r.Scopes
	}
	if len(c.cfg.Scopes) > 0 {
		if !ref.stepUp {
			named = nil
		}
		return union(c.cfg.Scopes, granted, c.filter(named))
	}
	named = slices.Clone(c.filter(named))
	if c.grant.interactive() && slices.Contains(d.server.ScopesSupported, "offline_access") {
		named = append(named, "offline_access") // else an OpenID provider issues no refresh token
	}
	return union(granted, named)
}

func (c *Client) filter(named []string) []string {
	if len(named) == 0 || c.cfg.ScopeFilter == nil {
		return named
	}
	return c.cfg.ScopeFilter(slices.Clone(named))
}
