package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/session"
)

const grantTypeJWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// Enterprise lets an enterprise's identity provider decide which of its users may use the MCP server (the MCP extension
// Enterprise-Managed Authorization): what the user logged in with is exchanged at the identity provider for an assertion
// (ID-JAG) that is good for this server, with which the server's authorization server is asked for an access token. The
// user is asked nothing. Expired tokens are replaced in the same way, so that access ends when the identity provider
// says so.
type Enterprise struct {
	// IDPIssuer is the issuer identifier of the identity provider, whose metadata is looked up.
	IDPIssuer string
	// IDPTokenURL is its token endpoint. Set it in place of IDPIssuer for a provider without metadata.
	IDPTokenURL string
	// IDPClient is the host, as the identity provider knows it.
	IDPClient ClientAuth
	// Identity returns what the user logged in with: usually the ID token, [TokenTypeIDToken], or the refresh token that
	// came with it, [TokenTypeRefreshToken].
	Identity TokenFunc
	// Client is the host, as the authorization server of the MCP server knows it.
	Client ClientAuth
}

func (g *Enterprise) prepare(cfg *Config) (Grant, error) {
	if g == nil {
		return nil, errors.New("Config.Grant is a nil *Enterprise")
	}
	out := *g
	var err error
	switch {
	case g.Identity == nil:
		return nil, errors.New("Enterprise.Identity is nil; set the function that returns the user's ID token")
	case (g.IDPIssuer == "") == (g.IDPTokenURL == ""):
		return nil, errors.New("Enterprise.IDPIssuer, Enterprise.IDPTokenURL: set one of the two")
	}
	if g.IDPIssuer != "" {
		if err := (guard{loopback: true}).endpoint("Enterprise.IDPIssuer", g.IDPIssuer); err != nil {
			return nil, err
		}
	}
	if out.IDPClient, err = g.IDPClient.prepare("Enterprise.IDPClient"); err != nil {
		return nil, err
	}
	if out.Client, err = g.Client.prepare("Enterprise.Client"); err != nil {
		return nil, err
	}
	return &out, prepareTokenURL("Enterprise.IDPTokenURL", g.IDPTokenURL)
}

func (*Enterprise) interactive() bool { return false }

func (*Enterprise) perUser() bool { return true }

func (g *Enterprise) fetch(ctx context.Context, c *Client, key session.Key, want request) (*oauth2.Token, error) {
	// First, so that a server which may not have the client's secret does not cost the user an assertion either.
	if err := g.Client.bind(ctx, c, key.Tenant, want.server); err != nil {
		return nil, err
	}
	assertion, err := g.assertion(ctx, c, key, want)
	if err != nil {
		return nil, err
	}
	form := tokenForm(grantTypeJWTBearer, want)
	form.Set("assertion", assertion)
	return c.exchange(ctx, &g.Client, want, form, nil)
}

// assertion obtains the ID-JAG of the user for the authorization server of the MCP server.
func (g *Enterprise) assertion(ctx context.Context, c *Client, key session.Key, want request) (string, error) {
	idp := &oauthex.AuthServerMeta{Issuer: g.IDPTokenURL, TokenEndpoint: g.IDPTokenURL}
	if g.IDPIssuer != "" {
		var err error
		if idp, err = c.issuer(ctx, g.IDPIssuer); err != nil {
			return "", c.fail("discovery", g.IDPIssuer, err)
		}
	}
	form := url.Values{
		"grant_type":           {grantTypeExchange},
		"requested_token_type": {tokenTypeIDJAG},
		"audience":             {want.server.Issuer},
		"resource":             {want.resource},
	}
	if len(want.scopes) > 0 {
		form.Set("scope", strings.Join(want.scopes, " "))
	}
	if err := g.Identity.add(ctx, key, form, "subject"); err != nil {
		return "", c.fail("token", idp.Issuer, err)
	}
	tok, err := c.exchange(ctx, &g.IDPClient, request{server: idp}, form, nil)
	if err != nil {
		return "", err
	}
	// Anything else, such as the user's access token at the identity provider, must not be shown to another server.
	if issued, _ := tok.Extra("issued_token_type").(string); issued != tokenTypeIDJAG {
		return "", c.fail("token", idp.Issuer, fmt.Errorf("it issued no ID-JAG: %w", ErrTokenResponse))
	}
	return tok.AccessToken, nil
}
