package oauth

import (
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// challenges are what a server answered a request with, 401 or 403 (RFC 9110 section 11.6.1).
type challenges []oauthex.Challenge

// parseChallenges returns those fields that can be understood: discovery does without the others.
func parseChallenges(fields []string) challenges {
	var all challenges
	for _, f := range fields {
		if cs, err := oauthex.ParseWWWAuthenticate([]string{f}); err == nil {
			all = append(all, cs...)
		}
	}
	return all
}

// metadata returns the URL of the resource's metadata (RFC 9728 section 5.1), if there is one.
func (cs challenges) metadata() string {
	for _, c := range cs {
		if u := c.Params["resource_metadata"]; u != "" {
			return u
		}
	}
	return ""
}

// scopes returns the scopes that the request would have needed (RFC 6750 section 3, RFC 9449 section 7.1).
func (cs challenges) scopes() ([]string, error) {
	return checkScopes(strings.Fields(cs.param("scope")))
}

// insufficientScope reports whether the token is good but does not suffice (RFC 6750 section 3.1).
func (cs challenges) insufficientScope() bool { return cs.param("error") == "insufficient_scope" }

// has reports whether there is a challenge of that scheme, in lower case.
func (cs challenges) has(scheme string) bool {
	return slices.ContainsFunc(cs, func(c oauthex.Challenge) bool { return c.Scheme == scheme })
}

// param returns a parameter of the first challenge for a token that has it.
func (cs challenges) param(name string) string {
	for _, c := range cs {
		if (c.Scheme == "bearer" || c.Scheme == "dpop") && c.Params[name] != "" {
			return c.Params[name]
		}
	}
	return ""
}
