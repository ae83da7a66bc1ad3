package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

var user = session.Key{Tenant: "acme", User: "alice"}

func ExampleNewChain() {
	store := auth.NewMemoryStore()
	ctx := context.Background()
	err := store.SetSecret(ctx, auth.SecretKey{Tenant: "acme", ID: "github-bot"}, auth.Bearer("b0t"))
	if err != nil {
		fmt.Println(err)
	}
	chain, err := auth.NewChain(auth.ChainConfig{
		Server:     "github",
		Credential: auth.Reference("github-bot"),
		Secrets:    store,
	})
	if err != nil {
		fmt.Println(err)
	}
	r, err := chain.Resolve(ctx, user)
	fmt.Println(r, err)
	// Output: server secret "github-bot" (1 headers, 0 variables) <nil>
}

func ExampleChain_Resolve() {
	chain, err := auth.NewChain(auth.ChainConfig{Server: "github", Credential: auth.Bearer("s3rver")})
	if err != nil {
		fmt.Println(err)
	}
	ctx := auth.WithCredentials(context.Background(), map[string]auth.Credential{"github": auth.Bearer("al1ce")})
	r, err := chain.Resolve(ctx, user)
	fmt.Println(r.Source, len(r.Header()), err)

	// An empty token does not turn into the server's.
	ctx = auth.WithCredentials(ctx, map[string]auth.Credential{"github": auth.Bearer("")})
	_, err = chain.Resolve(ctx, user)
	fmt.Println(errors.Is(err, auth.ErrInvalidCredential))
	// Output:
	// request authorization 1 <nil>
	// true
}

// A dpop stands for the client of package oauth, at an authorization server that binds tokens to keys.
type dpop struct{ auth.TokenProvider }

func (dpop) TokenFor(_ context.Context, _ session.Key, method string, u *url.URL) (token, proof auth.Secret, err error) {
	return auth.NewSecret("t0ken"), auth.NewSecret("signed." + method + "." + u.Host), nil
}

func ExampleChain_ResolveFor() {
	chain, err := auth.NewChain(auth.ChainConfig{Server: "github", OAuth: dpop{}})
	if err != nil {
		fmt.Println(err)
	}
	req, err := http.NewRequest(http.MethodPost, "https://mcp.example.com/mcp", nil)
	if err != nil {
		fmt.Println(err)
	}
	r, err := chain.ResolveFor(context.Background(), user, req)
	fmt.Println(r, err)
	for name, values := range r.Header() {
		req.Header[name] = values
	}
	fmt.Println(req.Header.Get("DPoP"))
	// Output:
	// OAuth token (2 headers, 0 variables) <nil>
	// signed.POST.mcp.example.com
}

func ExampleWithCredentials() {
	ctx := auth.WithCredentials(context.Background(), map[string]auth.Credential{
		"github": auth.Bearer("al1ce"),
		"jira":   auth.Reference("jira-of-alice"),
	})
	for _, server := range []string{"github", "jira", "slack"} {
		chain, err := auth.NewChain(auth.ChainConfig{Server: server})
		if err != nil {
			fmt.Println(err)
		}
		fmt.Println(server, "-", chain.Explain(ctx, user))
	}
	// Output:
	// github - request authorization
	// jira - request credential id
	// slack - none
}

func ExampleWithAgentCredentials() {
	chain, err := auth.NewChain(auth.ChainConfig{Server: "github", Credential: auth.Bearer("s3rver")})
	if err != nil {
		fmt.Println(err)
	}
	ctx := auth.WithAgentCredentials(context.Background(), map[string]auth.Credential{"github": auth.Bearer("ag3nt")})
	fmt.Println(chain.Explain(ctx, user))
	// Output: agent credential
}

func ExampleDetach() {
	chain, err := auth.NewChain(auth.ChainConfig{Server: "github", Credential: auth.Bearer("s3rver")})
	if err != nil {
		fmt.Println(err)
	}
	ctx := auth.WithCredentials(context.Background(), map[string]auth.Credential{"github": auth.Bearer("al1ce")})
	kept := auth.Detach(ctx, context.Background())
	_, err = chain.Resolve(kept, user)
	fmt.Println(errors.Is(err, auth.ErrRequestEnded))
	// Output: true
}

func ExampleChain_SetServerCredential() {
	store := auth.NewMemoryStore()
	chain, err := auth.NewChain(auth.ChainConfig{Server: "github", Secrets: store})
	if err != nil {
		fmt.Println(err)
	}
	ctx := context.Background()
	fmt.Println(chain.SetServerCredential(ctx, "acme", auth.Bearer("s3rver")))
	fmt.Println(chain.Resolve(ctx, user))
	fmt.Println(chain.ClearServerCredential(ctx, "acme"))
	fmt.Println(chain.Resolve(ctx, user))
	// Output:
	// <nil>
	// server secret (1 headers, 0 variables) <nil>
	// <nil>
	// none <nil>
}

func ExampleSecret() {
	s := auth.NewSecret("t0ken")
	fmt.Printf("%v %q %x %+v\n", s, s, s, struct{ Token auth.Secret }{s})
	fmt.Println(len(s.Reveal()))
	// Output:
	// [redacted] [redacted] [redacted] {Token:[redacted]}
	// 5
}

func ExampleCredential() {
	fmt.Println(auth.Bearer("t0ken"))
	fmt.Println(auth.Header("X-Api-Key", "k3y"))
	fmt.Println(auth.Reference("github-bot"))
	// Output:
	// credential (authorization true, 0 headers, 0 variables)
	// credential (authorization false, 1 headers, 0 variables)
	// credential "github-bot"
}
