package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/auth"
)

// How a client authenticates at the token endpoint (the registry of RFC 8414 section 2).
const (
	methodBasic = "client_secret_basic"
	methodPost  = "client_secret_post"
	methodJWT   = "private_key_jwt"
	methodNone  = "none"
)

// A ClientAuth is a client that an authorization server knows, and how it proves to be that client.
type ClientAuth struct {
	// ID is the client identifier. The URL of a client ID metadata document is one too.
	ID string
	// Secret is the client secret. Only one of Secret and Key is set; with neither, the client is public.
	Secret auth.Secret
	// Key signs an assertion in place of a secret, which then never leaves this process (private_key_jwt).
	Key *PrivateKeyJWT
	// Method is "client_secret_basic" or "client_secret_post". The default is the one that the server's metadata lists,
	// post before basic, or basic if there is no metadata. A Key has the only method "private_key_jwt".
	Method string

	key *signer // of Key
}

// prepare returns a copy that is checked and has its key read. The field names a in errors.
func (a ClientAuth) prepare(field string) (ClientAuth, error) {
	switch {
	case a.ID == "":
		return a, fmt.Errorf("%s.ID is empty; set the client identifier", field)
	case a.Key != nil && !a.Secret.IsZero():
		return a, fmt.Errorf("%s has both a Secret and a Key; set one", field)
	}
	switch a.Method {
	case "":
	case methodBasic, methodPost:
		if a.Secret.IsZero() {
			return a, fmt.Errorf("%s.Method %q needs a Secret", field, a.Method)
		}
	case methodJWT:
		if a.Key == nil {
			return a, fmt.Errorf("%s.Method %q needs a Key", field, a.Method)
		}
	case methodNone:
		if a.Key != nil || !a.Secret.IsZero() {
			return a, fmt.Errorf("%s.Method %q goes with neither Secret nor Key", field, a.Method)
		}
	default:
		return a, fmt.Errorf("%s.Method %q is not supported; use client_secret_basic, client_secret_post or private_key_jwt, or leave it empty", field, a.Method)
	}
	if a.Key != nil {
		if a.Method == methodBasic || a.Method == methodPost {
			return a, fmt.Errorf("%s.Method %q goes with a Secret, not with a Key", field, a.Method)
		}
		key, err := a.Key.signer()
		if err != nil {
			return a, fmt.Errorf("%s.Key: %w", field, err)
		}
		a.key = key
	}
	return a, nil
}

func (a *ClientAuth) usesSecret() bool { return !a.Secret.IsZero() }

// bind makes sure that the client shows its secret to one authorization server only. An assertion needs that only if it
// is not made for the server that it is shown to.
func (a *ClientAuth) bind(ctx context.Context, c *Client, tenant string, server *oauthex.AuthServerMeta) error {
	if !a.usesSecret() && (a.key == nil || a.key.audience == "") {
		return nil
	}
	return c.bind(ctx, tenant, a.ID, server.Issuer)
}

// authenticate adds to form what proves who the client is, but for the secret, which x/oauth2 adds in the style that is
// returned.
func (a *ClientAuth) authenticate(server *oauthex.AuthServerMeta, form url.Values) (oauth2.AuthStyle, error) {
	switch {
	case a.key != nil:
		assertion, err := a.key.assertion(a.ID, server)
		if err != nil {
			return 0, err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
		return oauth2.AuthStyleInParams, nil // which adds the client_id (RFC 7521 section 4.2)
	case !a.usesSecret():
		return oauth2.AuthStyleInParams, nil
	case a.Method == methodBasic:
		return oauth2.AuthStyleInHeader, nil
	case a.Method == methodPost:
		return oauth2.AuthStyleInParams, nil
	}
	return authStyle(server), nil
}

// redact removes the secret from what a server says about it.
func (a *ClientAuth) redact(err error) error {
	var refused *oauth2.RetrieveError
	if a.usesSecret() && errors.As(err, &refused) {
		refused.ErrorDescription = strings.ReplaceAll(refused.ErrorDescription, a.Secret.Reveal(), "[removed]")
	}
	return err
}
