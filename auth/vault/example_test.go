package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/vault"
	"github.com/mcpfleet/mcpfleet/session"
)

// put does what this command does:
//
//	vault kv put -mount=secret mcpfleet/acme/shared/github-pat token=ghp_example principal=build-bot
func put(address, token string) error {
	body := bytes.NewReader([]byte(`{"data":{"token":"ghp_example","principal":"build-bot"}}`))
	r, err := http.NewRequest(http.MethodPost, address+"/v1/secret/data/mcpfleet/acme/shared/github-pat", body)
	if err != nil {
		return err
	}
	r.Header.Set("X-Vault-Token", token)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return err
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	return resp.Body.Close()
}

func ExampleNew() {
	address, root, roleID, secretID, stop := vault.StartDouble() // stands for your server
	defer stop()
	if err := put(address, root); err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	store, err := vault.New(ctx, vault.Config{
		Address: address,
		Auth:    vault.AppRole{RoleID: auth.NewSecret(roleID), SecretID: auth.NewSecret(secretID)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	chain, err := auth.NewChain(auth.ChainConfig{Server: "github", Secrets: store})
	if err != nil {
		fmt.Println(err)
		return
	}

	// A request names the credential; the value never passes through the agent.
	ctx = auth.WithCredentials(ctx, map[string]auth.Credential{"github": auth.Reference("github-pat")})
	r, err := chain.Resolve(ctx, session.Key{Tenant: "acme", User: "alice"})
	fmt.Println(r, err)
	fmt.Println(r.Header().Get("Authorization"))

	// Another tenant has another credential of that name, or none.
	_, err = chain.Resolve(ctx, session.Key{Tenant: "globex", User: "bob"})
	fmt.Println(errors.Is(err, auth.ErrNotFound))
	// Output:
	// request credential id "github-pat" (1 headers, 0 variables) <nil>
	// Bearer ghp_example
	// true
}

func ExampleStore_SetSecret() {
	address, root, _, _, stop := vault.StartDouble() // stands for your server
	defer stop()
	ctx := context.Background()
	store, err := vault.New(ctx, vault.Config{Address: address, Auth: vault.Token{Secret: auth.NewSecret(root)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	key := auth.SecretKey{Tenant: "acme", Server: "weather", ID: "authorization"}
	fmt.Println(store.SetSecret(ctx, key, auth.Header("X-Api-Key", "k3y")))
	c, err := store.Secret(ctx, key)
	fmt.Println(c, err)
	fmt.Println(store.SetSecret(ctx, key, auth.Credential{})) // deletes all versions
	_, err = store.Secret(ctx, key)
	fmt.Println(err)
	// Output:
	// <nil>
	// credential (authorization false, 1 headers, 0 variables) <nil>
	// <nil>
	// auth/vault: reading secret/data/mcpfleet/acme/weather/authorization: status 404: auth: not found
}

func ExamplePath() {
	fmt.Println(vault.Path("", auth.SecretKey{Tenant: "acme", ID: "github-pat"}))
	fmt.Println(vault.Path("", auth.SecretKey{Tenant: "acme", Server: "weather", ID: "authorization"}))
	fmt.Println(vault.Path("", auth.SecretKey{Tenant: "acme", ID: "../globex/github-pat"}))
	// Output:
	// mcpfleet/acme/shared/github-pat
	// mcpfleet/acme/weather/authorization
	// mcpfleet/acme/shared/~2E~2E~2Fglobex~2Fgithub-pat
}

func ExampleFromEnv() {
	cfg, err := vault.FromEnv()
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg.Mount = "kv"
	if cfg.Auth == nil {
		cfg.Auth = vault.AppRole{RoleID: auth.NewSecret("role"), SecretID: auth.NewSecret("secret")}
	}
	// vault.New(ctx, cfg)
	fmt.Println(cfg.Mount)
	// Output:
	// kv
}
