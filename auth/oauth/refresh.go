package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"
)

// renew returns the successor of a token that expires, or nil if only the user can give one.
func (c *Client) renew(ctx context.Context, o owner, old *token) (*token, error) {
	return c.try(ctx, o, "renew", old.access, func(ctx context.Context) (*token, error) { return c.renewNow(ctx, o, old) })
}

func (c *Client) renewNow(ctx context.Context, o owner, old *token) (t *token, err error) {
	err = c.locked(ctx, o, func(ctx context.Context) error {
		r, err := c.loadToken(ctx, o)
		switch {
		case err != nil:
			return newError("store", c.cfg.Server, "", err)
		case r == nil || r.Access != old.access.Reveal() && !r.expired():
			t = c.adopt(o, r) // another process was faster
			return nil
		case c.grant.interactive() && r.Refresh == "":
			t = c.adopt(o, r)
			return nil
		case c.grant.interactive():
			r, err = c.refresh(ctx, o, r, false)
		default:
			r, err = c.obtain(ctx, o, request{r.Server.meta(), r.Resource, c.renewalScopes(r), r.Key})
		}
		if r != nil {
			t = c.token(r)
		}
		return err
	})
	if err != nil {
		c.log.Warn("oauth: a token could not be refreshed", "tenant", o.tenant, "user", o.user, "err", err)
	}
	return t, err
}

// refresh uses the refresh token of r (RFC 6749 section 6) and saves what it gets. It returns nil if the authorization
// server does not accept it any more: then the token is deleted, and the user has to authorize anew. Other failures leave
// the token as it is. healed says that the MCP server refused r. The lock of o must be held.
func (c *Client) refresh(ctx context.Context, o owner, r *tokenRecord, healed bool) (*tokenRecord, error) {
	want := request{r.Server.meta(), r.Resource, r.Asked, r.Key}
	client := c.withSecret(r.Client)
	t, err := c.ask(ctx, r.Key, url.Values{"resource": {r.Resource}}, func(ctx context.Context) (*oauth2.Token, error) {
		return client.config(want.server).TokenSource(ctx, &oauth2.Token{RefreshToken: r.Refresh}).Token()
	})
	if err == nil {
		var next *tokenRecord
		if next, err = c.newToken(t, want, r.Client); err == nil {
			if t.Extra("scope") == nil {
				next.Scopes = r.Scopes // RFC 6749 section 6: an omitted scope means the same
			}
			if healed && !r.expired() {
				next.Healed = r.Healed + 1
			}
			if _, err := c.save(ctx, o, next); err != nil {
				return nil, err
			}
			c.log.Debug("oauth: a token was refreshed", "tenant", o.tenant, "user", o.user)
			return next, nil
		}
	}
	err = newError("refresh", c.cfg.Server, r.Server.Issuer, err)
	unknown := clientUnknown(err)
	if !hasCode(err, "invalid_grant") && !(unknown && r.Client.Kind == "registered") {
		return nil, err
	}
	// Where processes share a store that is no Locker, another one may have used the refresh token first.
	if now, lerr := c.loadToken(ctx, o); lerr == nil && now != nil && now.Refresh != r.Refresh && !now.expired() {
		c.adopt(o, now)
		return now, nil
	}
	if unknown {
		if err := c.unregister(ctx, o, r.Server.Issuer, r.Client.ID); err != nil {
			return nil, err
		}
	}
	c.log.Info("oauth: a refresh token is not accepted any more", "tenant", o.tenant, "user", o.user, "err", err)
	return nil, c.drop(ctx, o)
}

// obtain asks the grant for a token and saves it. The lock of o must be held.
func (c *Client) obtain(ctx context.Context, o owner, want request) (*tokenRecord, error) {
	issuer := want.server.Issuer
	t, err := c.grant.fetch(ctx, c, o.key(), want)
	if err != nil {
		return nil, newError("token", c.cfg.Server, issuer, err)
	}
	r, err := c.newToken(t, want, clientRecord{})
	if err != nil {
		return nil, newError("token", c.cfg.Server, issuer, err)
	}
	if _, err := c.save(ctx, o, r); err != nil {
		return nil, err
	}
	c.log.Debug("oauth: a token was obtained", "tenant", o.tenant, "user", o.user, "issuer", place(issuer))
	return r, nil
}

// forget is Forget under the lock of o.
func (c *Client) forget(ctx context.Context, o owner) error {
	c.failures.forget(o)
	r, err := load[tokenRecord](ctx, c, c.tokenKey(o)) // whatever it is for
	if err != nil {
		return err
	}
	if err := c.drop(ctx, o); err != nil {
		return err
	}
	if err := c.dropPending(ctx, o); err != nil {
		return err
	}
	if r == nil {
		return nil
	}
	if g, ok := c.grant.(*AuthorizationCode); ok && !g.ShareClient {
		if err := c.unregister(ctx, o, r.Server.Issuer, r.Client.ID); err != nil {
			return err
		}
	}
	if err := c.revoke(ctx, r); err != nil {
		c.log.Warn("oauth: a token was forgotten but not revoked", "tenant", o.tenant, "user", o.user, "err", err)
	}
	return nil
}

// revoke revokes the refresh token, and with it what was derived from it (RFC 7009 section 2.1), or else the access token.
func (c *Client) revoke(ctx context.Context, r *tokenRecord) error {
	if r.Server.Revocation == "" || r.Client.ID == "" {
		return nil
	}
	form := url.Values{"token": {r.Refresh}, "token_type_hint": {"refresh_token"}}
	if r.Refresh == "" {
		form = url.Values{"token": {r.Access}, "token_type_hint": {"access_token"}}
	}
	client := c.withSecret(r.Client)
	return newError("revocation", c.cfg.Server, r.Server.Issuer, c.web.revoke(ctx, r.Server.Revocation, form, client))
}

// revoke asks a revocation endpoint to revoke a token (RFC 7009 section 2).
func (w *web) revoke(ctx context.Context, address string, form url.Values, client clientRecord) error {
	if styleOf(client.Method) == oauth2.AuthStyleInParams {
		form.Set("client_id", client.ID)
		if client.Secret != "" {
			form.Set("client_secret", client.Secret)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		return errors.New("the revocation endpoint is malformed")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if styleOf(client.Method) == oauth2.AuthStyleInHeader {
		req.SetBasicAuth(url.QueryEscape(client.ID), url.QueryEscape(client.Secret)) // RFC 6749 section 2.3.1
	}
	resp, err := (&http.Client{Transport: formTripper{base: w.base, add: form, anyType: true}, CheckRedirect: stay}).Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return newResponseError(resp.StatusCode, "", "")
	}
	return nil
}
