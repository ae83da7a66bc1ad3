package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// A world is a server with an administrator: a double in a bubble of testing/synctest, where time.Sleep takes no time, or a
// real server. A case that takes one may run on both.
type world struct {
	t         testing.TB
	address   string
	root      string
	transport http.RoundTripper
	double    *double // nil: the server is real
	prefix    string  // that no other case uses
}

var worlds atomic.Int64

func doubleWorld(t testing.TB) *world {
	d := newDouble()
	return &world{t: t, address: "http://vault.invalid:8200", root: rootToken, transport: d, double: d, prefix: "mcpfleet"}
}

// onDouble runs a case on a double in a bubble.
func onDouble(f func(w *world)) func(t *testing.T) {
	return func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(doubleWorld(t)) }) }
}

// realWorld returns the server that VAULT_ADDR and VAULT_TOKEN name: a dev server, or another one with KV version 2 at secret/
// and a token that may do anything.
func realWorld(t testing.TB) *world {
	address, token := os.Getenv("VAULT_ADDR"), os.Getenv("VAULT_TOKEN")
	if address == "" || token == "" {
		t.Skip("VAULT_ADDR and VAULT_TOKEN are not set")
	}
	transport := auth.Operator().Transport()
	w := &world{t: t, address: address, root: token, transport: transport, prefix: unique("test")}
	t.Cleanup(func() {
		w.purge("secret/metadata/" + w.prefix)
		transport.CloseIdleConnections()
	})
	return w
}

// unique returns a name that no other run of the tests uses on the same server.
func unique(kind string) string {
	return fmt.Sprintf("mcpfleet-%s-%d-%d", kind, os.Getpid(), worlds.Add(1)+time.Now().UnixNano()%1e6*1000)
}

// admin sends a request with the root token. A status other than 200, 204 and 404 ends the test.
func (w *world) admin(method, path string, body any) map[string]any {
	w.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, w.address+"/v1/"+path, bytes.NewReader(encoded))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Vault-Token", w.root)
	if w.double != nil && w.double.namespace != "" {
		r.Header.Set("X-Vault-Namespace", w.double.namespace)
	}
	resp, err := w.transport.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	switch resp.StatusCode {
	case 200, 404:
	case 204:
		return nil
	default:
		w.t.Fatalf("%s %s: %s %s", method, path, resp.Status, text)
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		w.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	answer["status"] = resp.StatusCode
	return answer
}

// purge deletes all secrets below a path of metadata.
func (w *world) purge(path string) {
	data, _ := w.admin("LIST", path+"/", nil)["data"].(map[string]any)
	keys, _ := data["keys"].([]any)
	for _, key := range keys {
		if name, folder := strings.CutSuffix(key.(string), "/"); folder {
			w.purge(path + "/" + name)
		} else {
			w.admin("DELETE", path+"/"+name, nil)
		}
	}
}

// put writes a secret as an operator does, with the literal path.
func (w *world) put(path string, data map[string]any) {
	w.t.Helper()
	w.admin("POST", "secret/data/"+w.prefix+"/"+path, map[string]any{"data": data})
}

// A client is a store, and what it sends.
type client struct {
	*Store
	calls *calls
}

// open returns a store of the world that is closed when the test ends.
func (w *world) open(a Auth, change ...func(*Config)) *client {
	w.t.Helper()
	c := &calls{base: w.transport}
	cfg := Config{Address: w.address, Prefix: w.prefix, Auth: a, HTTPClient: &http.Client{Transport: c}}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close() })
	return &client{s, c}
}

func (w *world) openRoot(change ...func(*Config)) *client {
	w.t.Helper()
	return w.open(Token{auth.NewSecret(w.root)}, change...)
}

// httpClient is for stores that cannot be opened.
func (w *world) httpClient() *http.Client { return &http.Client{Transport: w.transport} }

// token returns a new token.
func (w *world) token(settings map[string]any) string {
	w.t.Helper()
	return w.admin("POST", "auth/token/create", settings)["auth"].(map[string]any)["client_token"].(string)
}

// stopRenewal makes the token of a store end like one that nobody renews.
func (c *client) stopRenewal() {
	l := *c.lease.Load()
	l.renewAt = time.Time{}
	c.lease.Store(&l)
	c.replaced <- struct{}{}
}

// A role is an AppRole with a mount and a policy of its own.
type role struct {
	w      *world
	mount  string
	policy string
	AppRole
}

// role makes one that may do what the policy says, in which %s stands for the prefix.
func (w *world) role(policy string, settings map[string]any) *role {
	w.t.Helper()
	r := &role{w: w, mount: unique("approle"), policy: unique("policy")}
	w.admin("PUT", "sys/policies/acl/"+r.policy, map[string]any{"policy": strings.ReplaceAll(policy, "%s", w.prefix)})
	w.admin("POST", "sys/auth/"+r.mount, map[string]any{"type": "approle"})
	w.t.Cleanup(func() {
		w.admin("DELETE", "sys/auth/"+r.mount, nil)
		w.admin("DELETE", "sys/policies/acl/"+r.policy, nil)
	})
	all := map[string]any{"token_policies": []string{r.policy}}
	for name, value := range settings {
		all[name] = value
	}
	w.admin("POST", r.path(""), all)
	id := w.admin("GET", r.path("/role-id"), nil)["data"].(map[string]any)["role_id"].(string)
	r.AppRole = AppRole{RoleID: auth.NewSecret(id), SecretID: auth.NewSecret(r.secretID()), Mount: r.mount}
	return r
}

func (r *role) path(what string) string { return "auth/" + r.mount + "/role/agents" + what }

func (r *role) secretID() string {
	return r.w.admin("POST", r.path("/secret-id"), struct{}{})["data"].(map[string]any)["secret_id"].(string)
}

// everything is the policy of a process that serves all tenants.
const everything = `
path "secret/data/%s/*"     { capabilities = ["create", "update", "read"] }
path "secret/metadata/%s/*" { capabilities = ["delete"] }`

// revoke ends the token that a store uses.
func (w *world) revoke(c *client) {
	w.t.Helper()
	w.admin("POST", "auth/token/revoke", map[string]any{"token": c.lease.Load().token.Reveal()})
}

// calls counts what a store sends.
type calls struct {
	base http.RoundTripper
	mu   sync.Mutex
	n    map[string]int
}

func (c *calls) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if strings.HasPrefix(r.URL.Path, "/v1/secret/") {
		name = r.Method
	}
	c.mu.Lock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[name]++
	c.mu.Unlock()
	return c.base.RoundTrip(r)
}

// of returns how many requests there were: "login", "lookup-self", "renew-self", "revoke-self", or the method of those that
// are about secrets.
func (c *calls) of(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[name]
}

// A logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) into(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(l, nil)) }

// pat is a credential that others put there.
var pat = auth.SecretKey{Tenant: "acme", ID: "github-pat"}

// has checks the token that a key has.
func (c *client) has(t testing.TB, key auth.SecretKey, token string) {
	t.Helper()
	if got, err := c.Secret(t.Context(), key); err != nil || !got.Authorization.Equal(auth.NewSecret("Bearer "+token)) {
		t.Errorf("Secret(%+v) = %v, %v; want the token", key, got, err)
	}
}
