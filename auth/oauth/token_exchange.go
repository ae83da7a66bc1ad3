package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// The types of tokens that can be exchanged (RFC 8693 section 3, and the ID-JAG of the identity assertion authorization
// grant).
const (
	TokenTypeAccessToken  = "urn:ietf:params:oauth:token-type:access_token"
	TokenTypeRefreshToken = "urn:ietf:params:oauth:token-type:refresh_token"
	TokenTypeIDToken      = "urn:ietf:params:oauth:token-type:id_token"
	TokenTypeJWT          = "urn:ietf:params:oauth:token-type:jwt"
	TokenTypeSAML2        = "urn:ietf:params:oauth:token-type:saml2"

	tokenTypeIDJAG = "urn:ietf:params:oauth:token-type:id-jag"
)

const grantTypeExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

// A TokenFunc returns a token of the user and its type: one of the TokenType constants or a URI of the server's own. It
// is called again whenever a new access token is needed, and by several goroutines at once for several users. ctx ends
// after Config.Timeout. An [*auth.AuthRequiredError], for a user who must log in again, reaches the caller as it is.
type TokenFunc func(ctx context.Context, key session.Key) (token auth.Secret, tokenType string, err error)

// TokenExchange exchanges a token that the host has of its user, such as the one that they logged in with, for an access
// token of the MCP server (RFC 8693). The server then knows the user, who is asked nothing.
//
// Either TokenURL or [Config.Issuer] must be set: otherwise the first authorization server that the MCP server names
// would get the users' tokens.
type TokenExchange struct {
	// Client is the host, as the authorization server knows it.
	Client ClientAuth
	// Subject returns the token of the user on whose behalf requests are made.
	Subject TokenFunc
	// Actor returns the token of whoever acts for the user, such as the agent. The default is none.
	Actor TokenFunc
	// Audience is the logical name of the MCP server at the authorization server. The default is none; the resource
	// indicator says which server is meant.
	Audience string
	// RequestedTokenType is asked for. The default is none, for which servers issue access tokens.
	RequestedTokenType string
	// TokenURL is the token endpoint, in place of the one that discovery finds.
	TokenURL string
	// Params are added to the form of each token request. An empty value leaves a parameter out, such as resource.
	Params map[string]string
}

func (g *TokenExchange) prepare(cfg *Config) (Grant, error) {
	if g == nil {
		return nil, errors.New("Config.Grant is a nil *TokenExchange")
	}
	out := *g
	var err error
	switch {
	case g.Subject == nil:
		return nil, errors.New("TokenExchange.Subject is nil; set the function that returns the user's token")
	case g.TokenURL == "" && cfg.Issuer == "":
		return nil, errors.New("TokenExchange.TokenURL and Config.Issuer are empty; set one, or any server that is named would get the users' tokens")
	}
	if out.Client, err = g.Client.prepare("TokenExchange.Client"); err != nil {
		return nil, err
	}
	if out.Params, err = prepareParams("TokenExchange.Params", g.Params); err != nil {
		return nil, err
	}
	return &out, prepareTokenURL("TokenExchange.TokenURL", g.TokenURL)
}

func (*TokenExchange) interactive() bool { return false }

func (*TokenExchange) perUser() bool { return true }

func (g *TokenExchange) fixed(cfg *Config) *oauthex.AuthServerMeta {
	return fixedServer(cfg, g.TokenURL)
}

func (g *TokenExchange) fetch(ctx context.Context, c *Client, key session.Key, want request) (*oauth2.Token, error) {
	if server := g.fixed(&c.cfg); server != nil {
		want.server = server
	}
	form := tokenForm(grantTypeExchange, want)
	if err := g.Subject.add(ctx, key, form, "subject"); err != nil {
		return nil, c.fail("token", want.server.Issuer, err)
	}
	if g.Actor != nil {
		if err := g.Actor.add(ctx, key, form, "actor"); err != nil {
			return nil, c.fail("token", want.server.Issuer, err)
		}
	}
	if g.Audience != "" {
		form.Set("audience", g.Audience)
	}
	if g.RequestedTokenType != "" {
		form.Set("requested_token_type", g.RequestedTokenType)
	}
	tok, err := c.exchange(ctx, &g.Client, want, form, g.Params)
	if err != nil {
		return nil, err
	}
	switch issued, _ := tok.Extra("issued_token_type").(string); issued {
	case "", TokenTypeAccessToken, TokenTypeJWT, g.RequestedTokenType:
		return tok, nil
	}
	return nil, c.fail("token", want.server.Issuer, fmt.Errorf("it issued another type of token: %w", ErrTokenResponse))
}

// add puts the token that fn returns into form, as the subject or the actor (RFC 8693 section 2.1).
func (fn TokenFunc) add(ctx context.Context, key session.Key, form url.Values, role string) error {
	token, tokenType, err := fn.call(ctx, key, role)
	if err != nil {
		return err
	}
	form.Set(role+"_token", token.Reveal())
	form.Set(role+"_token_type", tokenType)
	return nil
}

// call returns what fn returns, if that can be used. This runs on a goroutine of the client's own, where a panic would
// end the process.
func (fn TokenFunc) call(ctx context.Context, key session.Key, role string) (token auth.Secret, tokenType string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &session.PanicError{Func: "the function for the " + role + " token", Value: v, Stack: debug.Stack()}
		}
	}()
	token, tokenType, err = fn(ctx, key)
	switch {
	case err != nil:
		return auth.Secret{}, "", fmt.Errorf("no %s token: %w", role, err)
	case token.IsZero():
		return auth.Secret{}, "", fmt.Errorf("no %s token: the function returned an empty one", role)
	case tokenType == "":
		return auth.Secret{}, "", fmt.Errorf("no %s token: the function returned it without a type", role)
	}
	return token, tokenType, nil
}
