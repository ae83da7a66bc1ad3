package oauth

import (
	"context"
	"crypto/ecdsa"
	"net/url"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/session"
)

// A Grant is the way in which a [Client] obtains tokens: [*AuthorizationCode], [*ClientCredentials], [*WorkloadIdentity],
// [*TokenExchange] or [*Enterprise]. No other types implement it.
type Grant interface {
	// prepare returns a copy of the grant with its defaults filled in, or what is wrong with it. It is called once, by
	// New, with a Config whose other fields are complete. Its error begins with the name of the field.
	prepare(cfg *Config) (Grant, error)

	// interactive reports whether fetch needs the user: such a grant is asked only after the server refused a request.
	// The others are also asked for the successor of a token that expires without a refresh token.
	interactive() bool

	// perUser reports whether the tokens speak for the user. The tokens of the others are shared by the users of a
	// tenant, and the key they get has no User.
	perUser() bool

	// fetch obtains a token. It is called by one goroutine per user at a time, which holds the lock of that user's
	// token. ctx has the values of the caller who came first, but not its cancellation; it ends after Config.Timeout.
	// The Client checks, stores and refreshes what fetch returns. want.scopes need not be what was granted: the
	// token's Extra("scope") says so if it is there.
	//
	// All requests go through [Client.ask] or [Client.issuer]; errors are wrapped by [Client.fail].
	fetch(ctx context.Context, c *Client, key session.Key, want request) (*oauth2.Token, error)
}

// A request says which token a grant is to obtain.
type request struct {
	server   *oauthex.AuthServerMeta // the authorization server, checked; do not change it
	resource string                  // the resource indicator (RFC 8707), as the server spells it
	scopes   []string                // nil: leave the parameter out
	key      []byte                  // what the token is to be bound to, as records have it; nil: a bearer token
}

// tokenContext returns the context with which x/oauth2 makes token requests for the client: through the guarded HTTP
// client, without redirects, at most 1 MiB of answer, with the parameters of add set in each form, and with a proof if key
// is not nil. An empty value removes a parameter. x/oauth2 must be given an explicit AuthStyle (see authStyle): its search
// for one sends every request twice, and codes and refresh tokens may be used once.
func (c *Client) tokenContext(ctx context.Context, key []byte, add url.Values) (context.Context, error) {
	var signer *ecdsa.PrivateKey
	if len(key) > 0 {
		var err error
		if signer, err = parseProofKey(key); err != nil {
			return nil, err
		}
	}
	return context.WithValue(ctx, oauth2.HTTPClient, c.web.tokenClient(signer, add)), nil
}

// authStyle returns how a client with a secret presents it at the token endpoint. Post is preferred, as by OAuth 2.1;
// a server that lists nothing supports basic (RFC 8414 section 2).
func authStyle(server *oauthex.AuthServerMeta) oauth2.AuthStyle {
	return styleOf(chooseMethod(server.TokenEndpointAuthMethodsSupported))
}

// issuer returns the checked metadata of the authorization server with that issuer identifier (RFC 8414, or OpenID
// Connect Discovery), which need not be the one that the MCP server names: an enterprise's identity provider.
func (c *Client) issuer(ctx context.Context, issuer string) (*oauthex.AuthServerMeta, error) {
	server, err := c.web.issuer(ctx, issuer)
	if err != nil {
		return nil, err
	}
	return &server.AuthServerMeta, nil
}

// fail returns err as an *Error of the operation op at the authorization server issuer, reduced to what may be logged:
// of an *oauth2.RetrieveError the error code and a cleaned description, of a *url.Error the cause. It returns nil for nil.
func (c *Client) fail(op, issuer string, err error) error {
	return newError(op, c.cfg.Server, issuer, err)
}
