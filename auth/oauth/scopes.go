package oauth

import (
	"slices"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// What a server names is asked for up to here, so that it cannot make a URL that no browser opens, or a list that no user
// reads. What is configured is asked for whatever its size.
const (
	maxAsked      = 64      // scopes
	maxAskedBytes = 4 << 10 // of all, with the spaces between them
)

// mayAsk reports whether scopes that a challenge names may be asked for. A user sees what they agree to. For a machine
// nobody looks, and a server must not talk it into more power than it was meant to have: Config.Scopes is the ceiling, or
// else ScopeFilter decides, or else what the resource's metadata lists. d is not needed where Config.Scopes is set.
func (c *Client) mayAsk(d *discovery, named []string) bool {
	switch {
	case c.grant.interactive():
		return true
	case len(c.cfg.Scopes) > 0:
		return covers(c.cfg.Scopes, named)
	case c.cfg.ScopeFilter != nil:
		return len(named) == 0 || len(c.filter(named)) > 0
	}
	return covers(d.scopes, named)
}

// scopes returns what is asked for: what is configured, or else named by the challenge, or else by the metadata (MCP
// 2025-11-25, basic/authorization, "Scope Selection Strategy"). It includes what was granted before, as the new token
// takes the old one's place, and what a step-up needs. nil leaves the choice to the authorization server.
func (c *Client) scopes(d *discovery, ref refusal, r *tokenRecord) []string {
	if !c.grant.interactive() && len(c.cfg.Scopes) > 0 {
		return c.cfg.Scopes
	}
	named := ref.scopes
	if len(named) == 0 || !c.mayAsk(d, named) {
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
		return bounded(c.cfg.Scopes, granted, c.filter(named))
	}
	return c.withOffline(d.server, bounded(nil, granted, c.filter(named)))
}

// renewalScopes returns what the successor of r is asked for with, where the user is not asked. The configuration may have
// become narrower since r was obtained.
func (c *Client) renewalScopes(r *tokenRecord) []string {
	if len(c.cfg.Scopes) > 0 {
		return c.cfg.Scopes
	}
	return r.Asked
}

// withOffline adds offline_access where there is a user: without it an OpenID provider issues no refresh token.
func (c *Client) withOffline(server *oauthex.AuthServerMeta, asked []string) []string {
	const offline = "offline_access"
	if !c.grant.interactive() || !slices.Contains(server.ScopesSupported, offline) || slices.Contains(asked, offline) {
		return asked
	}
	return append(asked[:min(len(asked), maxAsked-1)], offline)
}

// bounded returns the scopes of configured, and those of the other lists as long as there is room.
func bounded(configured []string, lists ...[]string) []string {
	all := union(configured)
	size := 0
	for _, s := range all {
		size += len(s) + 1
	}
	for _, s := range union(lists...) {
		if slices.Contains(all, s) {
			continue
		}
		if size += len(s) + 1; len(all) == maxAsked || size > maxAskedBytes {
			break
		}
		all = append(all, s)
	}
	return all
}

func (c *Client) filter(named []string) []string {
	if len(named) == 0 || c.cfg.ScopeFilter == nil {
		return named
	}
	return c.cfg.ScopeFilter(slices.Clone(named))
}
