package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

const (
	redirectURL       = "http://localhost:3000/callback"
	clientMetadataURL = "https://conformance-test.local/client-metadata.json" // the suite expects this one
)

func init() {
	for _, name := range []string{
		"2025-03-26-oauth-endpoint-fallback", "2025-03-26-oauth-metadata-backcompat", "authorization-server-migration", "basic-cimd",
		"dpop", "dpop-nonce",
		"iss-normalized", "iss-not-advertised", "iss-supported", "iss-supported-missing", "iss-unexpected", "iss-wrong-issuer",
		"metadata-default", "metadata-issuer-mismatch", "metadata-var1", "metadata-var2", "metadata-var3",
		"offline-access-not-supported", "offline-access-scope", "pre-registration", "resource-mismatch",
		"scope-from-scopes-supported", "scope-from-www-authenticate", "scope-omitted-when-undefined", "scope-retry-limit", "scope-step-up",
		"token-endpoint-auth-basic", "token-endpoint-auth-none", "token-endpoint-auth-post",
	} {
		scenarios["auth/"+name] = authorizeInBrowser
	}
	scenarios["auth/client-credentials-basic"] = authorizeService
	scenarios["auth/client-credentials-jwt"] = authorizeService
	scenarios["auth/enterprise-managed-authorization"] = authorizeEmployee
	scenarios["auth/wif-jwt-bearer"] = authorizeWorkload
}

// authorizeInBrowser uses a server with the authorization of a user, who consents at once to whatever is asked.
func authorizeInBrowser(ctx context.Context, s *setting) error {
	return s.useTool(ctx, &oauth.AuthorizationCode{
		RedirectURL: redirectURL, ClientMetadataURL: clientMetadataURL,
		ClientID: s.ClientID, ClientSecret: auth.NewSecret(s.ClientSecret),
	})
}

// authorizeService uses a server as a service account, with a secret or a key.
func authorizeService(ctx context.Context, s *setting) error {
	grant := &oauth.ClientCredentials{Client: oauth.ClientAuth{ID: s.ClientID, Secret: auth.NewSecret(s.ClientSecret)}}
	if s.PrivateKeyPEM != "" {
		grant.Client.Key = &oauth.PrivateKeyJWT{PEM: auth.NewSecret(s.PrivateKeyPEM), Algorithm: s.SigningAlgorithm}
	}
	return s.useTool(ctx, grant)
}

// authorizeEmployee uses a server with the authorization of an enterprise, at which the user has logged in.
func authorizeEmployee(ctx context.Context, s *setting) error {
	return s.useTool(ctx, &oauth.Enterprise{
		IDPIssuer: s.IDPIssuer, IDPClient: oauth.ClientAuth{ID: s.IDPClientID},
		Identity: func(context.Context, session.Key) (auth.Secret, string, error) {
			return auth.NewSecret(s.IDPIDToken), oauth.TokenTypeIDToken, nil
		},
		Client: oauth.ClientAuth{ID: s.ClientID, Secret: auth.NewSecret(s.ClientSecret)},
	})
}

// authorizeWorkload uses a server as a workload that its platform vouches for.
func authorizeWorkload(ctx context.Context, s *setting) error {
	return s.useTool(ctx, &oauth.WorkloadIdentity{
		Assertion: func(context.Context, string, string) (auth.Secret, error) { return auth.NewSecret(s.WorkloadJWT), nil },
	})
}

// useTool lists the tools of the server and calls the one that all scenarios of authorization have.
func (s *setting) useTool(ctx context.Context, grant oauth.Grant) error {
	var client *oauth.Client
	if g, ok := grant.(*oauth.AuthorizationCode); ok {
		g.Prompt = func(ctx context.Context, e *auth.AuthRequiredError) error {
			query, err := visit(ctx, e.URL)
			if err != nil {
				return err
			}
			_, err = client.Complete(ctx, query)
			return err
		}
	}
	client, err := oauth.New(oauth.Config{Server: serverName, Resource: s.server, Grant: grant, Issuer: s.Issuer})
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // the program ends
	chain, err := auth.NewChain(auth.ChainConfig{Server: serverName, OAuth: client})
	if err != nil {
		return err
	}
	group, err := s.client(&mcpgroup.Options{Auth: chain})
	if err != nil {
		return err
	}
	defer group.Close()
	if _, err := group.Tools(ctx); err != nil {
		return err
	}
	return call(ctx, group, "test-tool", nil)
}

// visit does what a browser does at the authorization server, up to the redirect back to the client, and returns the
// query of that. The suite's servers ask nothing of the user.
func visit(ctx context.Context, address string) (url.Values, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("conformance: the authorization URL is malformed")
	}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		return nil, fmt.Errorf("conformance: the authorization server answered with status %d and leads nowhere", resp.StatusCode)
	}
	return back.Query(), nil
}
