package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/auth"
)

// Kinds of clients, in the order in which they are preferred (MCP 2025-11-25, basic/authorization, "Client Registration
// Approaches").
const (
	kindDocument   = "document"   // a client ID metadata document
	kindConfigured = "configured" // AuthorizationCode.ClientID
	kindRegistered = "registered" // dynamically (RFC 7591)
)

// config returns the client as x/oauth2 knows it.
func (r clientRecord) config(server *oauthex.AuthServerMeta) *oauth2.Config {
	return &oauth2.Config{
		ClientID: r.ID, ClientSecret: r.Secret, RedirectURL: r.Redirect,
		Endpoint: oauth2.Endpoint{AuthURL: server.AuthorizationEndpoint, TokenURL: server.TokenEndpoint, AuthStyle: styleOf(r.Method)},
	}
}

// styleOf returns what x/oauth2 calls a token_endpoint_auth_method. A client without a secret names itself in the form.
func styleOf(method string) oauth2.AuthStyle {
	if method == methodBasic {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

// chooseMethod returns how a client with a secret authenticates itself to a server that supports these methods.
func chooseMethod(supported []string) string {
	if slices.Contains(supported, methodPost) {
		return methodPost
	}
	return methodBasic
}

// client returns the client to be at an authorization server, registered if need be. The lock of o must be held.
func (g *AuthorizationCode) client(ctx context.Context, c *Client, o owner, server *oauthex.AuthServerMeta) (clientRecord, error) {
	switch {
	case g.ClientMetadataURL != "" && server.ClientIDMetadataDocumentSupported:
		return clientRecord{Kind: kindDocument, ID: g.ClientMetadataURL, Method: methodNone, Redirect: g.RedirectURL}, nil
	case g.ClientID != "":
		r := clientRecord{Kind: kindConfigured, ID: g.ClientID, Method: methodNone, Redirect: g.RedirectURL}
		if !g.ClientSecret.IsZero() {
			r.Method = chooseMethod(server.TokenEndpointAuthMethodsSupported)
			if err := c.bind(ctx, o.tenant, g.ClientID, server.Issuer); err != nil {
				return clientRecord{}, err
			}
		}
		return r, nil
	case server.RegistrationEndpoint == "":
		return clientRecord{}, ErrNoRegistration
	}
	key := c.clientKey(o, server.Issuer)
	if g.ShareClient { // the lock of o keeps only o's other callers out
		unlock, err := c.lock(ctx, key)
		if err != nil {
			return clientRecord{}, err
		}
		defer unlock()
	}
	stored, err := load[clientRecord](ctx, c, key)
	if err != nil {
		return clientRecord{}, err
	}
	if stored != nil && stored.Redirect == g.RedirectURL && (stored.Expiry.IsZero() || time.Now().Before(stored.Expiry)) {
		return *stored, nil
	}
	r, err := g.register(ctx, c, server)
	if err != nil {
		return clientRecord{}, newError("registration", c.cfg.Server, server.Issuer, err)
	}
	c.log.Info("oauth: a client was registered", "tenant", o.tenant, "user", o.user, "issuer", place(server.Issuer))
	return r, store(ctx, c, key, r, r.Expiry)
}

// register registers a client dynamically.
func (g *AuthorizationCode) register(ctx context.Context, c *Client, server *oauthex.AuthServerMeta) (clientRecord, error) {
	meta := *g.Registration
	if meta.TokenEndpointAuthMethod == "" {
		// Without a list this stays empty, which means basic.
		for _, m := range []string{methodPost, methodBasic, methodNone} {
			if slices.Contains(server.TokenEndpointAuthMethodsSupported, m) {
				meta.TokenEndpointAuthMethod = m
				break
			}
		}
	}
	body, err := json.Marshal(meta)
	if err != nil {
		return clientRecord{}, fmt.Errorf("AuthorizationCode.Registration cannot be encoded: %w", err)
	}
	resp, answer, err := c.web.post(ctx, server.RegistrationEndpoint, body) //nolint:bodyclose // post has read and closed it
	if err != nil {
		return clientRecord{}, err
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		var e oauthex.ClientRegistrationError
		json.Unmarshal(answer, &e) //nolint:errcheck // then the status says it
		return clientRecord{}, newResponseError(resp.StatusCode, e.ErrorCode, e.ErrorDescription)
	}
	var got oauthex.ClientRegistrationResponse
	switch {
	case !isJSON(resp.Header) || json.Unmarshal(answer, &got) != nil:
		return clientRecord{}, fmt.Errorf("it is not JSON: %w", ErrRegistration)
	case got.ClientID == "":
		return clientRecord{}, fmt.Errorf("it holds no client_id: %w", ErrRegistration)
	case len(got.RedirectURIs) > 0 && !slices.Contains(got.RedirectURIs, g.RedirectURL):
		return clientRecord{}, fmt.Errorf("it is for another redirect_uri: %w", ErrRegistration)
	}
	r := clientRecord{
		Version: wireVersion, Kind: kindRegistered, ID: got.ClientID, Secret: got.ClientSecret, Expiry: got.ClientSecretExpiresAt,
		Method: got.TokenEndpointAuthMethod, Redirect: g.RedirectURL,
	}
	if r.Method == "" {
		r.Method = meta.TokenEndpointAuthMethod
	}
	switch {
	case r.Secret == "" || r.Method == methodNone:
		r.Method, r.Secret, r.Expiry = methodNone, "", time.Time{}
	case r.Method == "":
		r.Method = methodBasic // RFC 7591 section 2
	case r.Method != methodBasic && r.Method != methodPost:
		return clientRecord{}, fmt.Errorf("it demands a token_endpoint_auth_method that was not asked for: %w", ErrRegistration)
	}
	return r, nil
}

func (c *Client) clientKey(o owner, issuer string) auth.TokenKey {
	if g, ok := c.grant.(*AuthorizationCode); ok && g.ShareClient {
		o.user = ""
	}
	return auth.TokenKey{Kind: "client", Tenant: o.tenant, User: o.user, Server: c.cfg.Server, Issuer: issuer}
}

// unregister deletes a registration, if it is still the one with that client id.
func (c *Client) unregister(ctx context.Context, o owner, issuer, clientID string) error {
	key := c.clientKey(o, issuer)
	stored, err := load[clientRecord](ctx, c, key)
	if err == nil && stored != nil && stored.ID == clientID {
		err = c.remove(ctx, key)
	}
	if err != nil {
		return newError("store", c.cfg.Server, issuer, err)
	}
	return nil
}

// withSecret returns a client with the secret of the configuration, if it is from there: that may have changed.
func (c *Client) withSecret(r clientRecord) clientRecord {
	if g, ok := c.grant.(*AuthorizationCode); ok && r.Kind == kindConfigured && r.ID == g.ClientID {
		r.Secret = g.ClientSecret.Reveal()
	}
	return r
}

// bind makes sure that a client secret goes to one authorization server only. Where Config.Issuer does not say which, the
// first one is remembered per tenant, and another is refused with [ErrIssuerChanged]: an MCP server could name any.
func (c *Client) bind(ctx context.Context, tenant, clientID, issuer string) error {
	if pin := c.cfg.Issuer; pin != "" {
		if !sameIssuer(pin, issuer) {
			return newError("registration", c.cfg.Server, issuer, ErrIssuerMismatch)
		}
		return nil
	}
	key := auth.TokenKey{Kind: "client", Tenant: tenant, Server: c.cfg.Server, ID: clientID}
	unlock, err := c.lock(ctx, key)
	if err != nil {
		return newError("store", c.cfg.Server, issuer, err)
	}
	defer unlock()
	bound, err := load[bindingRecord](ctx, c, key)
	switch {
	case err != nil:
	case bound == nil:
		err = store(ctx, c, key, bindingRecord{wireVersion, issuer}, time.Time{})
	case !sameIssuer(bound.Issuer, issuer):
		return newError("registration", c.cfg.Server, issuer, ErrIssuerChanged)
	}
	if err != nil {
		return newError("store", c.cfg.Server, issuer, err)
	}
	return nil
}
