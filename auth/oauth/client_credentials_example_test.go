package oauth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/session"
)

// exampleNet stands for the authorization servers of all examples. It prints what token endpoints are asked for.
type exampleNet struct{}

func (exampleNet) RoundTrip(r *http.Request) (*http.Response, error) {
	var body string
	switch r.URL.Path {
	case "/.well-known/oauth-protected-resource/mcp":
		body = `{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"]}`
	case "/.well-known/oauth-authorization-server":
		body = fmt.Sprintf(`{"issuer":"https://%[1]s","token_endpoint":"https://%[1]s/token"}`, r.URL.Host)
	case "/token":
		r.ParseForm()
		id, _, _ := r.BasicAuth()
		fmt.Printf("%s: %s by %q\n", r.URL.Host, r.PostForm.Get("grant_type"), id)
		body = fmt.Sprintf(`{"access_token":"token-1","token_type":"Bearer","issued_token_type":%q}`, r.PostForm.Get("requested_token_type"))
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// use does what a chain does: it sends a request without a token, and once more when the server has refused it.
func use(client *oauth.Client, user string) {
	key := session.Key{Tenant: "acme", User: user}
	token, err := client.Token(context.Background(), key)
	if err == nil && token.IsZero() {
		if _, err = client.Refused(context.Background(), key, auth.Refusal{StatusCode: http.StatusUnauthorized}); err == nil {
			token, err = client.Token(context.Background(), key)
		}
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s has a token: %t\n", user, token.Reveal() == "token-1")
}

func ExampleClientCredentials() {
	client, err := oauth.New(oauth.Config{
		Server: "files", Resource: "https://mcp.example/mcp",
		Grant: &oauth.ClientCredentials{
			Client:   oauth.ClientAuth{ID: "agent", Secret: auth.NewSecret("s3cret")},
			TokenURL: "https://as.example/token", // without it, the MCP server says where
		},
		HTTPClient: &http.Client{Transport: exampleNet{}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	use(client, "alice")
	use(client, "bob")
	// Output:
	// as.example: client_credentials by "agent"
	// alice has a token: true
	// bob has a token: true
}

func ExampleTokenExchange() {
	logins := map[string]string{"alice": "id-token-of-alice", "bob": "id-token-of-bob"} // what they logged in to the host with
	client, err := oauth.New(oauth.Config{
		Server: "files", Resource: "https://mcp.example/mcp",
		Grant: &oauth.TokenExchange{
			Client:   oauth.ClientAuth{ID: "agent", Secret: auth.NewSecret("s3cret")},
			TokenURL: "https://as.example/token",
			Subject: func(_ context.Context, key session.Key) (auth.Secret, string, error) {
				return auth.NewSecret(logins[key.User]), oauth.TokenTypeIDToken, nil
			},
		},
		HTTPClient: &http.Client{Transport: exampleNet{}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	use(client, "alice")
	use(client, "bob")
	// Output:
	// as.example: urn:ietf:params:oauth:grant-type:token-exchange by "agent"
	// alice has a token: true
	// as.example: urn:ietf:params:oauth:grant-type:token-exchange by "agent"
	// bob has a token: true
}

func ExampleEnterprise() {
	client, err := oauth.New(oauth.Config{
		Server: "files", Resource: "https://mcp.example/mcp",
		Issuer: "https://as.example", // Client.Secret is for this one
		Grant: &oauth.Enterprise{
			IDPIssuer: "https://idp.example",
			IDPClient: oauth.ClientAuth{ID: "host-at-idp", Secret: auth.NewSecret("s3cret")},
			Identity: func(_ context.Context, key session.Key) (auth.Secret, string, error) {
				return auth.NewSecret("id-token-of-" + key.User), oauth.TokenTypeIDToken, nil
			},
			Client: oauth.ClientAuth{ID: "host-at-as", Secret: auth.NewSecret("other")},
		},
		HTTPClient: &http.Client{Transport: exampleNet{}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	use(client, "alice")
	// Output:
	// idp.example: urn:ietf:params:oauth:grant-type:token-exchange by "host-at-idp"
	// as.example: urn:ietf:params:oauth:grant-type:jwt-bearer by "host-at-as"
	// alice has a token: true
}

func ExamplePrivateKeyJWT() {
	_, key, err := ed25519.GenerateKey(rand.Reader) // or PEM: auth.NewSecret(text)
	if err != nil {
		log.Fatal(err)
	}
	client, err := oauth.New(oauth.Config{
		Server: "files", Resource: "https://mcp.example/mcp",
		Grant:      &oauth.ClientCredentials{Client: oauth.ClientAuth{ID: "agent", Key: &oauth.PrivateKeyJWT{Signer: key, KeyID: "2026-07"}}},
		HTTPClient: &http.Client{Transport: exampleNet{}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	use(client, "alice")
	// Output:
	// as.example: client_credentials by ""
	// alice has a token: true
}

func ExampleWorkloadIdentity() {
	client, err := oauth.New(oauth.Config{
		Server: "files", Resource: "https://mcp.example/mcp",
		Grant: &oauth.WorkloadIdentity{
			TokenURL: "https://as.example/token",
			Assertion: func(context.Context, string, string) (auth.Secret, error) {
				return auth.NewSecret("the text of /var/run/secrets/tokens/files"), nil // which Kubernetes renews
			},
		},
		HTTPClient: &http.Client{Transport: exampleNet{}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	use(client, "alice")
	// Output:
	// as.example: urn:ietf:params:oauth:grant-type:jwt-bearer by ""
	// alice has a token: true
}
