package auth

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

func TestPrincipalsStayTheSameWhileTheCredentialChanges(t *testing.T) {
	store := newFakeStore()
	store.has(t, "acme", "id", Bearer("first"))
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store, SecretTTL: -1})

	byID := request(t.Context(), Reference("id"))
	before := principal(t, byID, c, alice)
	sends(t, byID, c, alice, "first")
	store.has(t, "acme", "id", Bearer("second"))
	sends(t, byID, c, alice, "second")
	same := map[string]context.Context{
		"the request after a rotation": byID,
		"an agent with the id":         agent(t.Context(), Reference("id")),
		"a value that names the id":    request(t.Context(), Credential{Authorization: NewSecret("Bearer x"), ID: "id"}),
	}
	for what, ctx := range same {
		if got := principal(t, ctx, c, alice); got != before {
			t.Errorf("%s has the principal %q, want %q", what, got, before)
		}
	}

	named := func(token string) string {
		return principal(t, request(t.Context(), Credential{Authorization: NewSecret("Bearer " + token), Principal: "bob"}), c, alice)
	}
	if named("one") != named("two") {
		t.Error("two tokens of one principal do not share a session")
	}
	value := func(token string) string { return principal(t, request(t.Context(), Bearer(token)), c, alice) }
	one := value("one")
	if one == value("two") || one != value("one") || one != principal(t, agent(t.Context(), Bearer("one")), c, alice) {
		t.Error("values are not told apart by what they are")
	}
	if strings.Contains(value(canary), canary) {
		t.Errorf("the principal %q shows the value", value(canary))
	}
}

func TestValuesThatDifferAnywhereAreTwoPrincipals(t *testing.T) {
	s := NewSecret
	all := []Credential{
		{Authorization: s("a")},
		{Authorization: s("b")},
		{Headers: map[string]Secret{"A": s("a")}},
		{Headers: map[string]Secret{"A": s("b")}},
		{Headers: map[string]Secret{"B": s("a")}},
		{Env: map[string]Secret{"A": s("a")}},
		{Headers: map[string]Secret{"A": s("a"), "B": s("b")}},
		{Headers: map[string]Secret{"A": s("b"), "B": s("a")}},
		{Headers: map[string]Secret{"A": s("a")}, Env: map[string]Secret{"B": s("b")}},
		{Authorization: s("a"), Headers: map[string]Secret{"B": s("b")}},
		{Authorization: s("b"), Headers: map[string]Secret{"A": s("a")}},
	}
	c := mustChain(t, ChainConfig{Server: "s"})
	seen := map[string]int{}
	for i, cred := range all {
		p := principal(t, request(t.Context(), cred), c, alice)
		if j, twice := seen[p]; twice {
			t.Errorf("credentials %d and %d are one principal", j, i)
		}
		seen[p] = i
		if again := principal(t, request(t.Context(), Credential{cred.Authorization, maps.Clone(cred.Headers), cred.Env, "", ""}), c, alice); again != p {
			t.Errorf("credential %d is another principal the second time", i)
		}
	}
}

func TestTheServersOwnCredentialIsOnePrincipalPerKind(t *testing.T) {
	store := newFakeStore()
	for want, cred := range map[string]Credential{
		"server": Bearer("x"), "server-id:x": Reference("x"), "server-principal:x": {Authorization: NewSecret("Bearer x"), Principal: "x"},
	} {
		c := mustChain(t, ChainConfig{Server: "s", Secrets: store, Credential: cred})
		if got := principal(t, t.Context(), c, alice); got != want {
			t.Errorf("Principal of %v = %q, want %q", cred, got, want)
		}
		c = mustChain(t, ChainConfig{Server: "s", Secrets: store})
		if err := c.SetServerCredential(t.Context(), "acme", cred); err != nil {
			t.Fatal(err)
		}
		if got := principal(t, t.Context(), c, alice); got != want {
			t.Errorf("Principal of %v set later = %q, want %q", cred, got, want)
		}
	}
	if got := principal(t, t.Context(), mustChain(t, ChainConfig{Server: "s", OAuth: tokenIs("x")}), alice); got != "oauth" {
		t.Errorf("Principal of OAuth = %q", got)
	}
}

// kindsOf returns the principals that the texts make as all kinds of names.
func kindsOf(t testing.TB, text string) map[string]string {
	secret := NewSecret("v" + fmt.Sprintf("%x", text)) // may be sent, whatever text is
	store := newFakeStore()
	none := mustChain(t, ChainConfig{Server: "s", Secrets: store})
	server := func(c Credential) *Chain {
		return mustChain(t, ChainConfig{Server: "s", Secrets: store, Credential: c})
	}
	valid := text != "" && len(text) <= maxIDBytes
	ps := map[string]string{
		"value":  principal(t, request(t.Context(), Credential{Authorization: secret}), none, alice),
		"values": principal(t, request(t.Context(), Header("X-Key", secret.Reveal())), none, alice),
		"server": principal(t, t.Context(), server(Bearer("x")), alice),
		"oauth":  principal(t, t.Context(), mustChain(t, ChainConfig{Server: "s", OAuth: tokenIs("x")}), alice),
		"none":   principal(t, t.Context(), none, alice),
	}
	if valid {
		ps["id"] = principal(t, request(t.Context(), Reference(text)), none, alice)
		ps["principal"] = principal(t, request(t.Context(), Credential{Authorization: secret, Principal: text}), none, alice)
		ps["server id"] = principal(t, t.Context(), server(Reference(text)), alice)
		ps["server principal"] = principal(t, t.Context(), server(Credential{Authorization: secret, Principal: text}), alice)
	}
	return ps
}

// No text of one kind can be made to equal one of another kind, nor two texts of one kind to be one.
func FuzzPrincipal(f *testing.F) {
	fingerprint := NewSecret("v78").Fingerprint()
	for _, seed := range []string{"", "server", "oauth", ":", "id:x", "principal:x", "value:" + fingerprint, fingerprint, "server-id:x", "-id:x", "\x00"} {
		f.Add(seed, "x")
		f.Add(seed, "server")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		constant := map[string]bool{"server": true, "oauth": true, "none": true}
		of := map[string]string{}
		for _, text := range []string{a, b} {
			for kind, p := range kindsOf(t, text) {
				whose := kind + " " + text
				if constant[kind] {
					whose = kind
				}
				if other, taken := of[p]; taken && other != whose {
					t.Errorf("%q is the principal of %q and of %q", p, other, whose)
				}
				of[p] = whose
			}
		}
	})
}

func TestPrincipalAsksNobody(t *testing.T) {
	store := newFakeStore()
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store, OAuth: fakeProvider{}, SecretTTL: time.Nanosecond})
	if err := c.SetServerCredential(t.Context(), "umbrella", Bearer("x")); err != nil {
		t.Fatal(err)
	}
	reads := store.reads.Load()
	principal(t, request(t.Context(), Reference("id")), c, alice)
	principal(t, t.Context(), c, alice)
	principal(t, t.Context(), c, mario)
	c.Explain(t.Context(), mario)
	if got := store.reads.Load() - reads; got != 0 {
		t.Errorf("Principal and Explain read the store %d times", got)
	}
}
