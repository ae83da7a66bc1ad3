package storetest

import (
	"errors"
	"strings"

	"github.com/mcpfleet/mcpfleet/auth"
)

var alice = auth.TokenKey{Kind: "token", Tenant: "acme", User: "alice", Server: "github", Issuer: "https://as.example.com/", ID: "1"}

// names are what a field may hold that has nothing to do with its neighbours, and what may be hard for a store to hold.
var names = []string{
	"", "a", "A", "b", "a ", " a", "a/b", "a%2Fb", "a%2fb", "a:b", "a|b", "a.b", "a\x00b", "a\nb", "a\\b", "..", "../a", "*", "?", "[a]", "{a}",
	"a+b", "a&b", "a=b", "\"a\"", "'a'", "\xff", "\xfe", "\u00e9", "e\u0301", "日本", strings.Repeat("n", 4096), strings.Repeat("n", 4095) + "m",
}

// tokenKeys returns keys no two of which are equal: every field with every name, and neighbours between which the same
// text is divided in different places.
func tokenKeys() []auth.TokenKey {
	var keys []auth.TokenKey
	for _, field := range []func(k *auth.TokenKey) *string{
		func(k *auth.TokenKey) *string { return &k.Kind },
		func(k *auth.TokenKey) *string { return &k.Tenant },
		func(k *auth.TokenKey) *string { return &k.User },
		func(k *auth.TokenKey) *string { return &k.Server },
		func(k *auth.TokenKey) *string { return &k.Issuer },
		func(k *auth.TokenKey) *string { return &k.ID },
	} {
		for _, name := range names {
			k := alice
			*field(&k) = name
			keys = append(keys, k)
		}
	}
	for _, sep := range []string{"", "/", ":", "|", ".", "-", "_", "#", ",", " ", "\x00", "%2F", "%3A"} {
		keys = append(keys,
			auth.TokenKey{Kind: "token", Tenant: "a" + sep + "b", User: "c", Server: "x"},
			auth.TokenKey{Kind: "token", Tenant: "a", User: "b" + sep + "c", Server: "x"},
			auth.TokenKey{Kind: "token", Tenant: "a", User: "b", Server: "c" + sep + "x"},
			auth.TokenKey{Kind: "token", Tenant: "a" + sep + "b" + sep + "c" + sep + "x"},
		)
	}
	return distinct(append(keys, auth.TokenKey{}))
}

// secretKeys are the same for credentials.
func secretKeys() []auth.SecretKey {
	var keys []auth.SecretKey
	for _, name := range names {
		keys = append(keys, auth.SecretKey{Tenant: name, Server: "github", ID: "1"}, auth.SecretKey{Tenant: "acme", Server: name, ID: "1"})
		if name != "" {
			keys = append(keys, auth.SecretKey{Tenant: "acme", Server: "github", ID: name})
		}
	}
	for _, sep := range []string{"/", ":", "|", ".", "-", "_", "#", ",", " ", "\x00", "%2F", "%3A"} {
		keys = append(keys,
			auth.SecretKey{Tenant: "a" + sep + "b", Server: "c", ID: "d"},
			auth.SecretKey{Tenant: "a", Server: "b" + sep + "c", ID: "d"},
			auth.SecretKey{Tenant: "a", Server: "b", ID: "c" + sep + "d"},
			auth.SecretKey{Tenant: "a", ID: "b" + sep + "c" + sep + "d"},
		)
	}
	return distinct(keys)
}

func distinct[K comparable](keys []K) []K {
	seen := make(map[K]bool, len(keys))
	out := keys[:0]
	for _, k := range keys {
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	return out
}

func isNotFound(err error) bool { return errors.Is(err, auth.ErrNotFound) }
