package auth_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mcpfleet/mcpfleet/auth"
)

func ExampleNewMemoryStore() {
	ctx := context.Background()
	store := auth.NewMemoryStore()
	id := auth.SecretKey{Tenant: "acme", ID: "ci-bot"}
	if err := store.SetSecret(ctx, id, auth.Bearer("t0ken")); err != nil {
		fmt.Println(err)
	}
	c, err := store.Secret(ctx, id)
	fmt.Println(c, err)
	_, err = store.Secret(ctx, auth.SecretKey{Tenant: "other", ID: "ci-bot"})
	fmt.Println(err)
	// Output:
	// credential (authorization true, 0 headers, 0 variables) <nil>
	// auth: not found: credential other//ci-bot
}

func ExampleMemoryStore_Lock() {
	ctx := context.Background()
	store := auth.NewMemoryStore()
	key := auth.TokenKey{Kind: "token", Tenant: "acme", User: "alice", Server: "github"}

	unlock, err := store.Lock(ctx, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unlock()
	_, err = store.Load(ctx, key)
	fmt.Println(errors.Is(err, auth.ErrNotFound))
	fmt.Println(store.Save(ctx, key, []byte("refreshed"), 0))
	// Output:
	// true
	// <nil>
}

func ExampleNewFileStore() {
	parent, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, "tokens")
	oldKey, newKey := make([]byte, 32), make([]byte, 32) // keep them apart from the directory
	rand.Read(oldKey)
	rand.Read(newKey)

	ctx := context.Background()
	key := auth.TokenKey{Kind: "token", Tenant: "acme", User: "alice", Server: "github"}
	store, err := auth.NewFileStore(dir, oldKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Save(ctx, key, []byte("refresh token"), 0))

	// After a restart with a new key, the old one is still needed for what it has sealed.
	store, err = auth.NewFileStore(dir, newKey, oldKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	value, err := store.Load(ctx, key)
	fmt.Printf("%s %v\n", value, err)
	// Output:
	// <nil>
	// refresh token <nil>
}

func ExampleEncrypt() {
	ctx := context.Background()
	shared := auth.NewMemoryStore() // or a store that others can read
	sealed, err := auth.Encrypt(shared, make([]byte, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	key := auth.TokenKey{Kind: "token", Tenant: "acme", User: "alice", Server: "github"}
	if err := sealed.Save(ctx, key, []byte("refresh token"), 0); err != nil {
		fmt.Println(err)
	}
	value, _ := sealed.Load(ctx, key)
	fmt.Printf("%s\n", value)
	raw, _ := shared.Load(ctx, key)
	fmt.Println(len(raw) > len(value))
	_, ok := sealed.(auth.Locker)
	fmt.Println(ok)
	// Output:
	// refresh token
	// true
	// true
}

func ExampleTokenKey_Encode() {
	fmt.Println(auth.TokenKey{Kind: "token", Tenant: "a/b", User: "c"}.Encode())
	fmt.Println(auth.TokenKey{Kind: "token", Tenant: "a", User: "b/c"}.Encode())
	// Output:
	// token/a%2Fb/c///
	// token/a/b%2Fc///
}

func ExampleSecretKey_Encode() {
	fmt.Println(auth.SecretKey{Tenant: "acme", Server: "github", ID: "authorization"}.Encode())
	// Output:
	// acme/github/authorization
}
