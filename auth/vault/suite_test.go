package vault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/storetest"
	"github.com/mcpfleet/mcpfleet/session"
)

// cases run on the double always and on a real server if there is one.
var cases = []struct {
	name string
	run  func(w *world)
}{
	{"secrets are written and read as documented", testPathsAndFields},
	{"secrets that are no credentials are named", testFieldErrors},
	{"deleted and destroyed versions are not found", testDeletedVersions},
	{"a version that will be deleted is found", testFutureDeletion},
	{"nothing is left of a deleted credential", testDeletion},
	{"check-and-set is done where it is required", testCheckAndSet},
	{"a policy keeps tenants apart", testTenants},
	{"a login that is refused is denied", testLoginDenied},
	{"a token that is refused is denied", testTokenDenied},
	{"a revoked token is replaced by one login", testRevoked},
	{"an expired token is replaced by one login", testExpired},
	{"a token with a number of uses is replaced", testUses},
	{"a token that is replaced and revoked is replaced again", testTwice},
	{"a token is renewed ahead of its end", testRenewal},
	{"a token that was given is renewed", testTokenRenewal},
	{"a token that reaches its maximum is replaced ahead of its end", testMaximum},
	{"a token that cannot be renewed is replaced ahead of its end", testNotRenewable},
	{"refusals do not make every read a login", testDeniedReads},
	{"closing revokes the token", testClose},
	{"no call fails while a credential is rotated", testRotation},
}

// Scenario 92.
func TestAgainstTheDouble(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, onDouble(c.run))
	}
	t.Run("conformance", func(t *testing.T) {
		conform(t, storetest.Options{Bubble: true}, func(t *testing.T) *world { return doubleWorld(t) })
	})
}

// Scenario 92.
func TestAgainstARealServer(t *testing.T) {
	realWorld(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(realWorld(t)) })
	}
	t.Run("conformance", func(t *testing.T) {
		conform(t, storetest.Options{}, func(t *testing.T) *world { return realWorld(t) })
	})
}

func conform(t *testing.T, opts storetest.Options, newWorld func(t *testing.T) *world) {
	of := map[auth.SecretStore]*world{}
	opts.ReopenSecrets = func(t *testing.T, s auth.SecretStore) auth.SecretStore { return of[s].openRoot().Store }
	storetest.TestSecretStore(t, func(t *testing.T) auth.SecretStore {
		w := newWorld(t)
		s := w.openRoot().Store
		of[s] = w
		return s
	}, &opts)
}

func testPathsAndFields(w *world) {
	t, s := w.t, w.open(w.role(everything, nil).AppRole)
	for _, c := range []struct {
		path string
		data map[string]any
		key  auth.SecretKey
		want auth.Credential
	}{
		{"acme/shared/github-pat", map[string]any{"token": "ghp_1"}, pat, auth.Bearer("ghp_1")},
		{"acme/shared/basic", map[string]any{"username": "u", "password": "p:w"}, auth.SecretKey{Tenant: "acme", ID: "basic"}, auth.Basic("u", "p:w")},
		{"acme/shared/nopass", map[string]any{"username": "u", "password": ""}, auth.SecretKey{Tenant: "acme", ID: "nopass"}, auth.Basic("u", "")},
		{"acme/github/authorization", map[string]any{"authorization": "Token x", "principal": "bot"},
			auth.SecretKey{Tenant: "acme", Server: "github", ID: "authorization"}, auth.Credential{Authorization: auth.NewSecret("Token x"), Principal: "bot"}},
		{"~/~73hared/alice~40example.com", map[string]any{"header:X-Api-Key": "k", "header:X-Org": "o", "env:API_KEY": "e"},
			auth.SecretKey{Server: "shared", ID: "alice@example.com"}, auth.Credential{
				Headers: map[string]auth.Secret{"X-Api-Key": auth.NewSecret("k"), "X-Org": auth.NewSecret("o")},
				Env:     map[string]auth.Secret{"API_KEY": auth.NewSecret("e")}}},
		{"~2E~2E/shared/a~2F.~2E~2Fb", map[string]any{"token": "x"}, auth.SecretKey{Tenant: "..", ID: "a/../b"}, auth.Bearer("x")},
	} {
		if _, err := s.Secret(t.Context(), c.key); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("Secret(%+v) before it is written: %v, want ErrNotFound", c.key, err)
		}
		w.put(c.path, c.data)
		if got, err := s.Secret(t.Context(), c.key); err != nil || !same(got, c.want) {
			t.Errorf("Secret(%+v) = %v, %v; want %v", c.key, got, err, c.want)
		}
	}
}

func testFieldErrors(w *world) {
	t, s := w.t, w.openRoot()
	for _, c := range fieldErrors {
		w.put("acme/shared/github-pat", c.data)
		_, err := s.Secret(t.Context(), pat)
		checkFieldError(t, err, c.field, c.data)
	}
}

func testDeletedVersions(w *world) {
	t, s := w.t, w.openRoot()
	path := "secret/%s/" + w.prefix + "/acme/shared/github-pat"
	notFound := func(after string) {
		t.Helper()
		if _, err := s.Secret(t.Context(), pat); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("Secret after %s: %v, want ErrNotFound", after, err)
		}
	}
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	w.put("acme/shared/github-pat", map[string]any{"token": "two"})
	s.has(t, pat, "two")
	w.admin("DELETE", fmt.Sprintf(path, "data"), nil)
	notFound("the latest version was deleted")
	w.put("acme/shared/github-pat", map[string]any{"token": "three"})
	s.has(t, pat, "three")
	w.admin("POST", fmt.Sprintf(path, "destroy"), map[string]any{"versions": []int{3}})
	notFound("the latest version was destroyed")
	if err := s.SetSecret(t.Context(), pat, auth.Bearer("four")); err != nil {
		t.Error(err)
	}
	s.has(t, pat, "four")
}

func testFutureDeletion(w *world) {
	t, s := w.t, w.openRoot()
	w.admin("POST", "secret/metadata/"+w.prefix+"/acme/shared/github-pat", map[string]any{"delete_version_after": "1h"})
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	s.has(t, pat, "one")
}

func testDeletion(w *world) {
	t, s := w.t, w.open(w.role(everything, nil).AppRole)
	for _, token := range []string{"one", "two"} {
		if err := s.SetSecret(t.Context(), pat, auth.Bearer(token)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time there is nothing
		if err := s.SetSecret(t.Context(), pat, auth.Credential{}); err != nil {
			t.Error(err)
		}
		if got := w.admin("GET", "secret/metadata/"+w.prefix+"/acme/shared/github-pat", nil)["status"]; got != 404 {
			t.Errorf("metadata of a deleted credential: status %v, want 404", got)
		}
	}
}

func testCheckAndSet(w *world) {
	t, s := w.t, w.open(w.role(everything, nil).AppRole)
	w.admin("POST", "secret/metadata/"+w.prefix+"/acme/shared/github-pat", map[string]any{"cas_required": true})
	set := func(token string) {
		t.Helper()
		if err := s.SetSecret(t.Context(), pat, auth.Bearer(token)); err != nil {
			t.Error(err)
		}
	}
	set("one")
	s.has(t, pat, "one")
	set("two")
	s.has(t, pat, "two")
	w.admin("DELETE", "secret/data/"+w.prefix+"/acme/shared/github-pat", nil)
	set("three") // after a version that is deleted, but counts
	s.has(t, pat, "three")

	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { set(fmt.Sprintf("concurrent-%d", i)) })
	}
	wg.Wait()
	c, err := s.Secret(t.Context(), pat)
	if err != nil || !strings.HasPrefix(c.Authorization.Reveal(), "Bearer concurrent-") {
		t.Errorf("Secret = %v, %v; want one of those that were written", c, err)
	}
}

func testTenants(w *world) {
	t := w.t
	r := w.role(`
path "secret/data/%s/acme/*"     { capabilities = ["create", "update", "read"] }
path "secret/metadata/%s/acme/*" { capabilities = ["delete"] }`, nil)
	s, root := w.open(r.AppRole), w.openRoot()
	for _, tenant := range []string{"beta", "acme2", "", "acme/..", "..", "ACME", "acme/../beta", "%2e%2e", "beta/", "acme\x00", "*", "+", "äcme", "acm"} {
		key := auth.SecretKey{Tenant: tenant, ID: "x"}
		if err := root.SetSecret(t.Context(), key, auth.Bearer("other")); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Secret(t.Context(), key); !errors.Is(err, auth.ErrDenied) {
			t.Errorf("Secret of tenant %q = %v, %v; want ErrDenied", tenant, c, err)
		}
		for _, c := range []auth.Credential{auth.Bearer("mine"), {}} {
			if err := s.SetSecret(t.Context(), key, c); !errors.Is(err, auth.ErrDenied) {
				t.Errorf("SetSecret of tenant %q: %v; want ErrDenied", tenant, err)
			}
		}
		root.has(t, key, "other")
	}
	for _, id := range []string{"x", "../../beta/shared/x", "..", "/", "a/b", "%2f", "ä", "", "+", "*"} {
		key := auth.SecretKey{Tenant: "acme", ID: id}
		if _, err := s.Secret(t.Context(), key); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("Secret of id %q: %v; want ErrNotFound", id, err)
		}
		if err := s.SetSecret(t.Context(), key, auth.Bearer("mine"+id)); err != nil {
			t.Errorf("SetSecret of id %q: %v", id, err)
		}
		s.has(t, key, "mine"+id)
		if err := s.SetSecret(t.Context(), key, auth.Credential{}); err != nil {
			t.Errorf("SetSecret of id %q: %v", id, err)
		}
	}
	root.has(t, auth.SecretKey{Tenant: "beta", ID: "x"}, "other")
}

func testLoginDenied(w *world) {
	t, r := w.t, w.role(everything, nil)
	for name, change := range map[string]func(a *AppRole){
		"role id":   func(a *AppRole) { a.RoleID = auth.NewSecret("t0psecret") },
		"secret id": func(a *AppRole) { a.SecretID = auth.NewSecret("t0psecret") },
	} {
		a := r.AppRole
		change(&a)
		_, err := New(t.Context(), Config{Address: w.address, Auth: a, HTTPClient: w.httpClient()})
		if !errors.Is(err, auth.ErrDenied) || strings.Contains(err.Error(), "t0psecret") {
			t.Errorf("New with a wrong %s: %v; want ErrDenied and no secret", name, err)
		}
	}
	a := r.AppRole
	a.Mount = "nowhere"
	_, err := New(t.Context(), Config{Address: w.address, Auth: a, HTTPClient: w.httpClient()})
	if err == nil || errors.Is(err, auth.ErrNotFound) || errors.Is(err, auth.ErrStoreUnavailable) || !strings.Contains(err.Error(), "auth/nowhere/login") {
		t.Errorf("New with a mount that is none: %v; want an error that names it", err)
	}
}

func testTokenDenied(w *world) {
	t := w.t
	_, err := New(t.Context(), Config{Address: w.address, Auth: Token{auth.NewSecret("t0psecret")}, HTTPClient: w.httpClient()})
	if !errors.Is(err, auth.ErrDenied) || strings.Contains(err.Error(), "t0psecret") {
		t.Errorf("New with an invalid token: %v; want ErrDenied and no secret", err)
	}
	token := w.token(map[string]any{"policies": []string{"root"}, "ttl": "1h"})
	s := w.open(Token{auth.NewSecret(token)})
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	s.has(t, pat, "one")
	w.revoke(s)
	if _, err := s.Secret(t.Context(), pat); !errors.Is(err, auth.ErrDenied) || strings.Contains(err.Error(), token) {
		t.Errorf("Secret with a revoked token: %v; want ErrDenied and no secret", err)
	}
	if got := s.calls.of("GET"); got != 2 {
		t.Errorf("%d requests, want 2: there is no other token to try", got)
	}
}

// hundred reads by as many callers at once.
func hundred(w *world, s *client) {
	w.t.Helper()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { s.has(w.t, pat, "one") })
	}
	wg.Wait()
}

func testRevoked(w *world) {
	t, s := w.t, w.open(w.role(everything, nil).AppRole)
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	s.has(t, pat, "one")
	w.revoke(s)
	hundred(w, s)
	if logins, lookups := s.calls.of("login"), s.calls.of("lookup-self"); logins != 2 || lookups != 1 {
		t.Errorf("%d logins and %d look-ups, want 2 and 1: the first login, and one of each for all", logins, lookups)
	}
}

func testExpired(w *world) {
	t := w.t
	s := w.open(w.role(everything, map[string]any{"token_ttl": "4s", "token_max_ttl": "4s", "token_type": "batch"}).AppRole)
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	s.stopRenewal()
	time.Sleep(5 * time.Second)
	hundred(w, s)
	if got := s.calls.of("login"); got != 2 {
		t.Errorf("%d logins, want 2: the first and one for all", got)
	}
	if got := s.calls.of("GET"); got != 100 {
		t.Errorf("%d reads, want 100: none with a token that has ended by our own clock", got)
	}
}

func testUses(w *world) {
	t, s := w.t, w.open(w.role(everything, map[string]any{"token_num_uses": 3}).AppRole)
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	for range 10 {
		s.has(t, pat, "one")
	}
	if got := s.calls.of("login"); got != 4 {
		t.Errorf("%d logins for 10 reads with tokens of 3 uses, want 4", got)
	}
	hundred(w, s)
	if got := s.calls.of("login"); got != 37 {
		t.Errorf("%d logins for 110 reads with tokens of 3 uses, want 37", got)
	}

	s = w.open(w.role(everything, map[string]any{"token_num_uses": 3, "token_ttl": "3s"}).AppRole)
	time.Sleep(5 * time.Second)
	for range 3 {
		s.has(t, pat, "one")
	}
	s.Close()
	if logins, others := s.calls.of("login"), s.calls.of("renew-self")+s.calls.of("revoke-self"); logins != 2 || others != 0 {
		t.Errorf("%d logins and %d renewals and revocations, want 2 and 0: the uses are for reads", logins, others)
	}
}

func testTwice(w *world) {
	t, s := w.t, w.open(w.role(everything, nil).AppRole)
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	for n := 1; n <= 3; n++ {
		s.has(t, pat, "one")
		if got := s.calls.of("login"); got != n {
			t.Errorf("%d logins, want %d", got, n)
		}
		w.revoke(s)
	}
}

func testRenewal(w *world) {
	t, s := w.t, w.open(w.role(everything, map[string]any{"token_ttl": "3s", "token_max_ttl": "1h"}).AppRole)
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	for range 8 {
		time.Sleep(time.Second)
		s.has(t, pat, "one")
	}
	if logins, renewals := s.calls.of("login"), s.calls.of("renew-self"); logins != 1 || renewals < 2 {
		t.Errorf("%d logins and %d renewals in 8 s with tokens of 3 s, want 1 and at least 2", logins, renewals)
	}
}

func testTokenRenewal(w *world) {
	t := w.t
	s := w.open(Token{auth.NewSecret(w.token(map[string]any{"policies": []string{"root"}, "ttl": "3s", "explicit_max_ttl": "1h"}))})
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	for range 8 {
		time.Sleep(time.Second)
		s.has(t, pat, "one")
	}
	if got := s.calls.of("renew-self"); got < 1 {
		t.Errorf("%d renewals in 8 s of a token of 3 s, want at least 1", got)
	}
}

func testMaximum(w *world) {
	t, s := w.t, w.open(w.role(everything, map[string]any{"token_ttl": "3s", "token_max_ttl": "5s"}).AppRole)
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	for range 12 {
		time.Sleep(time.Second)
		s.has(t, pat, "one")
	}
	if logins, reads := s.calls.of("login"), s.calls.of("GET"); logins < 3 || logins > 7 || reads != 12 {
		t.Errorf("%d logins and %d reads for 12 credentials in 12 s with tokens of at most 5 s, want 3 to 7 and 12", logins, reads)
	}
}

func testNotRenewable(w *world) {
	t, s := w.t, w.open(w.role(everything, map[string]any{"token_ttl": "3s", "token_type": "batch"}).AppRole)
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	for range 8 {
		time.Sleep(time.Second)
		s.has(t, pat, "one")
	}
	if logins, renewals, reads := s.calls.of("login"), s.calls.of("renew-self"), s.calls.of("GET"); logins < 3 || renewals != 0 || reads != 8 {
		t.Errorf("%d logins, %d renewals, %d reads for 8 credentials in 8 s with tokens of 3 s; want at least 3, 0 and 8", logins, renewals, reads)
	}
	s.Close()
	if s.calls.of("revoke-self") != 0 {
		t.Error("closing tried to revoke a batch token, which cannot be")
	}
}

func testDeniedReads(w *world) {
	t, s := w.t, w.open(w.role(`path "secret/data/%s/acme/*" { capabilities = ["read"] }`, nil).AppRole)
	for range 20 {
		if _, err := s.Secret(t.Context(), auth.SecretKey{Tenant: "beta", ID: "x"}); !errors.Is(err, auth.ErrDenied) {
			t.Errorf("Secret of another tenant: %v, want ErrDenied", err)
		}
	}
	if logins, lookups := s.calls.of("login"), s.calls.of("lookup-self"); logins != 1 || lookups != 20 {
		t.Errorf("%d logins and %d look-ups for 20 refusals of a fresh token, want 1 and 20", logins, lookups)
	}
}

func testClose(w *world) {
	t, s := w.t, w.open(w.role(everything, nil).AppRole)
	token := s.lease.Load().token
	given := w.openRoot()
	for range 2 {
		if err := errors.Join(s.Close(), given.Close()); err != nil {
			t.Error(err)
		}
	}
	if s.calls.of("revoke-self") != 1 || given.calls.of("revoke-self") != 0 {
		t.Errorf("%d and %d revocations, want 1 for the login and 0 for the token that was given", s.calls.of("revoke-self"), given.calls.of("revoke-self"))
	}
	if _, err := New(t.Context(), Config{Address: w.address, Auth: Token{token}, HTTPClient: w.httpClient()}); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("New with the token of a store that was closed: %v, want ErrDenied", err)
	}
	for _, s := range []*client{s, given} {
		if _, err := s.Secret(t.Context(), pat); !errors.Is(err, ErrClosed) {
			t.Errorf("Secret of a closed store: %v, want ErrClosed", err)
		}
	}
	// A request under way when the store was closed may be refused now.
	if _, err := s.replace(t.Context(), s.lease.Load(), true); !errors.Is(err, ErrClosed) || s.calls.of("login") != 1 || s.calls.of("lookup-self") != 0 {
		t.Errorf("a login of a closed store: %v, want ErrClosed and no request", err)
	}
	if err := s.SetSecret(t.Context(), pat, auth.Bearer("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("SetSecret of a closed store: %v, want ErrClosed", err)
	}
}

// R3.
func testRotation(w *world) {
	t, s := w.t, w.open(w.role(everything, nil).AppRole)
	admin := w.openRoot()
	var written sync.Map // value -> true, before it is written
	rotate := func(n int) {
		t.Helper()
		value := fmt.Sprintf("Bearer rotated-%d", n)
		written.Store(value, true)
		if err := admin.SetSecret(t.Context(), pat, auth.Credential{Authorization: auth.NewSecret(value)}); err != nil {
			t.Error(err)
		}
	}
	rotate(0)
	chain, err := auth.NewChain(auth.ChainConfig{Server: "github", Secrets: s.Store, SecretTTL: time.Millisecond, StaleFor: -1})
	if err != nil {
		t.Fatal(err)
	}
	key := session.Key{Tenant: "acme", User: "alice"}
	ctx := auth.WithCredentials(t.Context(), map[string]auth.Credential{"github": auth.Reference(pat.ID)})
	var stop atomic.Bool
	var reads atomic.Int64
	seen := make([]map[string]bool, 64)
	var readers sync.WaitGroup
	for i := range seen {
		seen[i] = map[string]bool{}
		readers.Go(func() {
			for !stop.Load() {
				r, err := chain.Resolve(ctx, key)
				if err != nil {
					t.Errorf("Resolve: %v", err)
					return
				}
				value := r.Header().Get("Authorization")
				if _, ok := written.Load(value); !ok {
					t.Error("Resolve gave a value that was never written")
				}
				seen[i][value] = true
				reads.Add(1)
				time.Sleep(rand.N(2 * time.Millisecond))
			}
		})
	}
	const rotations = 200
	for n := 1; n <= rotations; n++ {
		if n == rotations/2 {
			w.revoke(s) // that the token ends meanwhile is nobody's business
		}
		rotate(n)
		time.Sleep(3 * time.Millisecond)
	}
	stop.Store(true)
	readers.Wait()
	distinct := map[string]bool{}
	for _, values := range seen {
		for value := range values {
			distinct[value] = true
		}
	}
	t.Logf("%d rotations, %d calls, %d different values", rotations, reads.Load(), len(distinct))
	if len(distinct) < rotations/4 {
		t.Errorf("the calls used %d of %d values: rotation did not take place under them", len(distinct), rotations)
	}
}
