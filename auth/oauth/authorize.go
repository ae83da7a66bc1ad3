package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// AuthorizationCode is the grant in which the user authorizes in a browser: the authorization code grant of OAuth 2.1,
// with PKCE (RFC 7636, S256). Tokens are refreshed without the user, as long as the authorization server allows.
//
// The client is, in this order, the one that ClientMetadataURL describes, if the authorization server can read it; the
// one with ClientID; or one that is registered dynamically (RFC 7591).
type AuthorizationCode struct {
	// RedirectURL is where the authorization server sends the browser back to: https, http on a loopback address, or a
	// private-use scheme such as com.example.app:/callback. Required. [Client.Callback] can serve it.
	RedirectURL string
	// ClientID is that of a client which was registered beforehand, and ClientSecret its secret, if it has one. Set
	// Config.Issuer to where that was.
	ClientID     string
	ClientSecret auth.Secret
	// ClientMetadataURL is the https URL of a client ID metadata document.
	ClientMetadataURL string
	// Registration is what a client is registered with dynamically. Empty fields get the values they have by default:
	// the name "mcpfleet", the RedirectURL, the grants authorization_code and refresh_token, the response type code and
	// the application type that follows from RedirectURL.
	Registration *oauthex.ClientRegistrationMetadata
	// ShareClient makes the users of a tenant share one dynamic registration. The default is one per user.
	ShareClient bool
	// Prompt brings e.URL to the user: opens a browser, sends a message. It is called once per user however many
	// callers wait, and they wait until [Client.Complete] has finished the authorization, in this process or another
	// with the same store, each until its own context ends. It may return before that, or see to that itself. Its
	// error is what they all get. Its context has the values of the first caller and ends with PromptTTL or Close.
	//
	// If it is nil, callers get the [*auth.AuthRequiredError].
	Prompt func(ctx context.Context, e *auth.AuthRequiredError) error
	// PromptTTL is how long an authorization may take. The default is 10 minutes.
	PromptTTL time.Duration
	// AllowUnadvertisedIss accepts responses that name the right issuer although the server's metadata does not promise
	// that it will. The default is to refuse them, as metadata and server then do not belong together.
	AllowUnadvertisedIss bool
}

func (g *AuthorizationCode) prepare(*Config) (Grant, error) {
	if g == nil {
		return nil, errors.New("Config.Grant is a nil *AuthorizationCode; set at least its RedirectURL")
	}
	p := *g
	if err := redirectURI(p.RedirectURL); err != nil {
		return nil, fmt.Errorf("AuthorizationCode.%w; set it to an https URL, or http on a loopback address", err)
	}
	if p.ClientID == "" && !p.ClientSecret.IsZero() {
		return nil, errors.New("AuthorizationCode.ClientSecret is set without a ClientID; set both")
	}
	if p.ClientMetadataURL != "" {
		u, err := url.Parse(p.ClientMetadataURL)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || u.Path == "" || u.Path == "/" {
			return nil, errors.New("AuthorizationCode.ClientMetadataURL must be an https URL with a path")
		}
	}
	if p.PromptTTL < 0 {
		return nil, errors.New("AuthorizationCode.PromptTTL must not be negative")
	}
	if p.PromptTTL == 0 {
		p.PromptTTL = defaultPromptTTL
	}
	var reg oauthex.ClientRegistrationMetadata
	if p.Registration != nil {
		reg = *p.Registration
	}
	reg.RedirectURIs, reg.GrantTypes, reg.ResponseTypes = slices.Clone(reg.RedirectURIs), slices.Clone(reg.GrantTypes), slices.Clone(reg.ResponseTypes)
	reg.Contacts = slices.Clone(reg.Contacts)
	if len(reg.RedirectURIs) == 0 {
		reg.RedirectURIs = []string{p.RedirectURL}
	}
	if !slices.Contains(reg.RedirectURIs, p.RedirectURL) {
		return nil, errors.New("AuthorizationCode.Registration.RedirectURIs does not hold the RedirectURL; add it")
	}
	if reg.ClientName == "" {
		reg.ClientName = "mcpfleet"
	}
	if len(reg.GrantTypes) == 0 {
		reg.GrantTypes = []string{"authorization_code", "refresh_token"}
	}
	if len(reg.ResponseTypes) == 0 {
		reg.ResponseTypes = []string{"code"}
	}
	if reg.ApplicationType == "" {
		reg.ApplicationType = applicationType(p.RedirectURL)
	}
	p.Registration = &reg
	return &p, nil
}

// applicationType is that of OpenID Connect Registration section 2, where the default is web: such a server refuses
// loopback redirect URIs.
func applicationType(redirect string) string {
	u, err := url.Parse(redirect)
	if err == nil && u.Scheme == "https" && !isLoopback(u.Hostname()) {
		return "web"
	}
	return "native"
}

func (*AuthorizationCode) interactive() bool { return true }
func (*AuthorizationCode) perUser() bool     { return true }

// fetch starts an authorization, or joins the one under way, and always fails: with an *auth.AuthRequiredError.
func (g *AuthorizationCode) fetch(ctx context.Context, c *Client, key session.Key, want request) (*oauth2.Token, error) {
	o := owner{key.Tenant, key.User}
	fail := func(err error) (*oauth2.Token, error) { return nil, c.fail("authorization", want.server.Issuer, err) }
	switch {
	case want.server.AuthorizationEndpoint == "":
		return fail(fmt.Errorf("there is no authorization_endpoint: %w", ErrMetadata))
	case !slices.Contains(want.server.CodeChallengeMethodsSupported, "S256"):
		return fail(ErrNoPKCE)
	}
	client, err := g.client(ctx, c, o, want.server)
	if err != nil {
		return fail(err)
	}
	pending, err := c.pending(ctx, o)
	if err != nil {
		return fail(err)
	}
	if pending != nil && pending.Issuer == want.server.Issuer && pending.Client == client.ID && pending.Redirect == client.Redirect &&
		pending.Resource == want.resource && covers(pending.Scopes, want.scopes) {
		return nil, c.required(o, pending)
	}
	if err := c.dropPending(ctx, o); err != nil { // its URL is of no use any more
		return fail(err)
	}
	if pending, err = g.start(ctx, c, o, client, want); err != nil {
		return fail(err)
	}
	c.log.Info("oauth: the user must authorize", "tenant", o.tenant, "user", o.user, "issuer", place(want.server.Issuer))
	return nil, c.required(o, pending)
}

// start makes an authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3, RFC 8707 section 2.1) and keeps
// what is needed to finish it. The state is single use.
func (g *AuthorizationCode) start(ctx context.Context, c *Client, o owner, client clientRecord, want request) (*pendingRecord, error) {
	state, verifier := newState(), oauth2.GenerateVerifier()
	expiry := time.Now().Add(g.PromptTTL)
	cfg := client.config(want.server)
	cfg.Scopes = want.scopes
	params := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("resource", want.resource)}
	if slices.Contains(want.scopes, "offline_access") {
		// OpenID Connect Core section 11: the scope is ignored without.
		params = append(params, oauth2.SetAuthURLParam("prompt", "consent"))
	}
	address := cfg.AuthCodeURL(state, params...)
	s := stateRecord{
		Version: wireVersion, For: c.cfg.Resource, Tenant: o.tenant, User: o.user, Verifier: verifier,
		Server: newServerRecord(want.server), Iss: want.server.AuthorizationResponseIssParameterSupported,
		Client: client, Resource: want.resource, Scopes: want.scopes, Key: want.key, Expiry: expiry,
	}
	if err := store(ctx, c, c.stateKey(stateID(state)), s, expiry); err != nil {
		return nil, err
	}
	p := &pendingRecord{
		Version: wireVersion, For: c.cfg.Resource, URL: address, State: stateID(state), Issuer: want.server.Issuer,
		Client: client.ID, Redirect: client.Redirect, Resource: want.resource, Scopes: want.scopes, Expiry: expiry,
	}
	return p, store(ctx, c, c.pendingKey(o), p, expiry)
}

// newState returns 26 characters with 130 bits of randomness.
func newState() string { return rand.Text() }

// pending returns the authorization that o is asked for, if it still fits the configuration, or nil.
func (c *Client) pending(ctx context.Context, o owner) (*pendingRecord, error) {
	p, err := load[pendingRecord](ctx, c, c.pendingKey(o))
	if err != nil || p == nil || p.For != c.cfg.Resource || !time.Now().Before(p.Expiry) {
		return nil, err
	}
	g, ok := c.grant.(*AuthorizationCode)
	if !ok || p.Redirect != g.RedirectURL || c.cfg.Issuer != "" && !sameIssuer(p.Issuer, c.cfg.Issuer) {
		return nil, nil
	}
	return p, nil
}

// dropPending ends the authorization that o is asked for: its state cannot be used any more.
func (c *Client) dropPending(ctx context.Context, o owner) error {
	p, err := load[pendingRecord](ctx, c, c.pendingKey(o))
	if err != nil || p == nil {
		return err
	}
	if err := c.remove(ctx, c.stateKey(p.State)); err != nil {
		return err
	}
	return c.remove(ctx, c.pendingKey(o))
}

func (c *Client) required(o owner, p *pendingRecord) *auth.AuthRequiredError {
	return &auth.AuthRequiredError{Server: c.cfg.Server, User: o.key(), URL: p.URL}
}

// covers reports whether all scopes of want are among have.
func covers(have, want []string) bool {
	for _, s := range want {
		if !slices.Contains(have, s) {
			return false
		}
	}
	return true
}

// union returns the scopes of all lists, each once, in their order.
func union(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		for _, s := range l {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}
