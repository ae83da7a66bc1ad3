package oauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/mcpfleet/mcpfleet/session"
)

// ClientCredentials is the grant of a service account (RFC 6749 section 4.4, and the MCP extension OAuth Client
// Credentials): the host itself is authorized, and no user is asked or known to the server. All users of a tenant share
// one token; a host that must tell its users apart needs another grant.
type ClientCredentials struct {
	// Client is the service account. It needs a Secret or a Key.
	Client ClientAuth
	// TokenURL is the token endpoint, in place of the one that discovery finds. Set it for an authorization server
	// without metadata, or whose MCP server has none; it then gets the secret whatever the MCP server says.
	TokenURL string
	// Params are added to the form of each token request, such as the audience that some servers want. An empty value
	// leaves out a parameter that others refuse, such as resource.
	Params map[string]string
}

// defaultLife is how long a token is used whose end the server does not name. A wrong guess is mended when the MCP
// server refuses the token.
const defaultLife = time.Hour

func (g *ClientCredentials) prepare(cfg *Config) (Grant, error) {
	if g == nil {
		return nil, errors.New("Config.Grant is a nil *ClientCredentials")
	}
	out := *g
	client, err := g.Client.prepare("ClientCredentials.Client")
	if err != nil {
		return nil, err
	}
	if out.Client = client; client.Secret.IsZero() && client.key == nil {
		return nil, errors.New("ClientCredentials.Client has neither Secret nor Key; this grant is for clients that can authenticate")
	}
	if out.Params, err = prepareParams("ClientCredentials.Params", g.Params); err != nil {
		return nil, err
	}
	return &out, prepareTokenURL("ClientCredentials.TokenURL", g.TokenURL)
}

func (*ClientCredentials) interactive() bool { return false }

func (*ClientCredentials) perUser() bool { return false }

func (g *ClientCredentials) fixed(cfg *Config) *oauthex.AuthServerMeta {
	return fixedServer(cfg, g.TokenURL)
}

func (g *ClientCredentials) fetch(ctx context.Context, c *Client, key session.Key, want request) (*oauth2.Token, error) {
	if server := g.fixed(&c.cfg); server != nil {
		want.server = server // not that of a stored token, which may be from before the last change of TokenURL
	} else if err := g.Client.bind(ctx, c, key.Tenant, want.server); err != nil {
		return nil, err
	}
	form := tokenForm("client_credentials", want)
	return c.exchange(ctx, &g.Client, want, form, g.Params)
}

// fixed is implemented by grants that can be told their token endpoint, so that nothing has to be discovered. It returns
// nil if this one was not.
type fixed interface {
	fixed(cfg *Config) *oauthex.AuthServerMeta
}

// fixedServer returns the authorization server of which only the token endpoint is known. Config.Issuer names it, or
// else the endpoint does, which is then also the audience of assertions (RFC 7523 section 3).
func fixedServer(cfg *Config, tokenURL string) *oauthex.AuthServerMeta {
	if tokenURL == "" {
		return nil
	}
	issuer := cfg.Issuer
	if issuer == "" {
		issuer, _, _ = strings.Cut(tokenURL, "?")
	}
	return &oauthex.AuthServerMeta{Issuer: issuer, TokenEndpoint: tokenURL}
}

// prepareTokenURL checks a configured token endpoint, which may be empty. On a loopback address it needs no TLS: who
// configures one has a sidecar there.
func prepareTokenURL(field, raw string) error {
	if raw == "" {
		return nil
	}
	return guard{loopback: true}.endpoint(field, raw)
}

// prepareParams copies parameters of the host's own and refuses those that would turn the request into another.
func prepareParams(field string, params map[string]string) (map[string]string, error) {
	reserved := []string{
		"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type",
		"assertion", "subject_token", "subject_token_type", "actor_token", "actor_token_type",
	}
	for name := range params {
		if name == "" || slices.Contains(reserved, name) {
			return nil, fmt.Errorf("%s sets %q, which the grant itself sets", field, name)
		}
	}
	return maps.Clone(params), nil
}

// tokenForm returns the parameters that every token request has: the grant, and what the token is for.
func tokenForm(grantType string, want request) url.Values {
	form := url.Values{"grant_type": {grantType}}
	if want.resource != "" {
		form.Set("resource", want.resource)
	}
	if len(want.scopes) > 0 {
		form.Set("scope", strings.Join(want.scopes, " "))
	}
	return form
}

// exchange asks the authorization server of want for a token, as the client a.
func (c *Client) exchange(ctx context.Context, a *ClientAuth, want request, form url.Values, params map[string]string) (*oauth2.Token, error) {
	server, add := want.server, make(url.Values, len(params))
	for name, value := range params {
		add.Set(name, value)
	}
	tok, err := c.ask(ctx, want.key, add, func(ctx context.Context) (*oauth2.Token, error) {
		style, err := a.authenticate(server, form)
		if err != nil {
			return nil, err
		}
		cfg := clientcredentials.Config{
			ClientID: a.ID, TokenURL: server.TokenEndpoint, EndpointParams: form, AuthStyle: style,
		}
		if a.usesSecret() {
			cfg.ClientSecret = a.Secret.Reveal()
		}
		return cfg.Token(ctx)
	})
	if err != nil {
		return nil, c.fail("token", server.Issuer, a.redact(err))
	}
	if tok.Expiry.IsZero() {
		tok.Expiry = time.Now().Add(defaultLife)
	}
	return tok, nil
}
