package oauth

import (
	"context"
	"errors"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// WorkloadIdentity is the grant of a host that its platform vouches for, such as a Kubernetes pod with a service account
// token or a SPIFFE workload: the platform's token is shown to the authorization server, which trusts the platform (RFC
// 7523 section 2.1, and the draft MCP extension Workload Identity Federation). There is no secret to configure. All users
// of a tenant share one token, as with [ClientCredentials].
type WorkloadIdentity struct {
	// Assertion returns the platform's JWT, which must be for the authorization server: for its issuer identifier or its
	// token endpoint, whichever the server wants. It is called again for each access token, since such JWTs are
	// short-lived. ctx ends after Config.Timeout.
	Assertion func(ctx context.Context, issuer, tokenURL string) (auth.Secret, error)
	// ClientID is sent along for servers that want one. The default is none.
	ClientID string
	// TokenURL is the token endpoint, in place of the one that discovery finds.
	TokenURL string
	// Params are added to the form of each token request. An empty value leaves a parameter out, such as resource.
	Params map[string]string
}

func (g *WorkloadIdentity) prepare(*Config) (Grant, error) {
	switch {
	case g == nil:
		return nil, errors.New("Config.Grant is a nil *WorkloadIdentity")
	case g.Assertion == nil:
		return nil, errors.New("WorkloadIdentity.Assertion is nil; set the function that returns the platform's JWT")
	}
	out := *g
	var err error
	if out.Params, err = prepareParams("WorkloadIdentity.Params", g.Params); err != nil {
		return nil, err
	}
	return &out, prepareTokenURL("WorkloadIdentity.TokenURL", g.TokenURL)
}

func (*WorkloadIdentity) interactive() bool { return false }

func (*WorkloadIdentity) perUser() bool { return false }

func (g *WorkloadIdentity) fixed(cfg *Config) *oauthex.AuthServerMeta {
	return fixedServer(cfg, g.TokenURL)
}

func (g *WorkloadIdentity) fetch(ctx context.Context, c *Client, key session.Key, want request) (*oauth2.Token, error) {
	if server := g.fixed(&c.cfg); server != nil {
		want.server = server
	} else if err := c.bind(ctx, key.Tenant, "workload", want.server.Issuer); err != nil {
		return nil, err // the JWT may be good at more than one server
	}
	assertion := TokenFunc(func(ctx context.Context, _ session.Key) (auth.Secret, string, error) {
		token, err := g.Assertion(ctx, want.server.Issuer, want.server.TokenEndpoint)
		return token, TokenTypeJWT, err
	})
	token, _, err := assertion.call(ctx, key, "workload")
	if err != nil {
		return nil, c.fail("token", want.server.Issuer, err)
	}
	form := tokenForm(grantTypeJWTBearer, want)
	form.Set("assertion", token.Reveal())
	return c.exchange(ctx, &ClientAuth{ID: g.ClientID}, want, form, g.Params)
}
