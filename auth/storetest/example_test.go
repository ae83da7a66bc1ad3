package storetest_test

import (
	"testing"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/storetest"
)

func ExampleTestTokenStore() {
	// In a _test.go file:
	_ = func(t *testing.T) { // func TestStore(t *testing.T) {
		open := func(*testing.T) auth.TokenStore { return auth.NewMemoryStore() }
		storetest.TestTokenStore(t, open, &storetest.Options{Bubble: true})
	}
	// Output:
}

func ExampleTestSecretStore() {
	// In a _test.go file:
	_ = func(t *testing.T) { // func TestStore(t *testing.T) {
		open := func(*testing.T) auth.SecretStore { return auth.NewMemoryStore() }
		storetest.TestSecretStore(t, open, nil)
	}
	// Output:
}
