package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	d := newDouble()
	good := Config{Address: "http://vault.invalid", Auth: Token{auth.NewSecret(rootToken)}, HTTPClient: &http.Client{Transport: d}}
	role := AppRole{RoleID: auth.NewSecret("r"), SecretID: auth.NewSecret("t0ps3cret")}
	for want, change := range map[string]func(c *Config){
		"Address is empty":         func(c *Config) { c.Address = "" },
		"not a URL":                func(c *Config) { c.Address = "https://t0ps3cret@%zz" },
		"https:// or http://":      func(c *Config) { c.Address = "vault.example.com:8200" },
		"http:// ":                 func(c *Config) { c.Address = "unix:///run/vault.sock" },
		"no user":                  func(c *Config) { c.Address = "https://user:t0ps3cret@vault.example.com" },
		"query":                    func(c *Config) { c.Address = "https://vault.example.com?t0ps3cret" },
		"must have a host":         func(c *Config) { c.Address = "https:///x" },
		"Auth is not set":          func(c *Config) { c.Auth = nil },
		"Token that is empty":      func(c *Config) { c.Auth = Token{} },
		"a byte that no token has": func(c *Config) { c.Auth = Token{auth.NewSecret("t0ps3cret\n")} },
		"without RoleID":           func(c *Config) { c.Auth = AppRole{SecretID: auth.NewSecret("t0ps3cret")} },
		"AppRole.Mount":            func(c *Config) { role.Mount = "a/../b"; c.Auth = role },
		"Config.Mount":             func(c *Config) { c.Mount = "secret/../sys" },
		"Config.Mount \"a//b\"":    func(c *Config) { c.Mount = "a//b" },
		"Config.Prefix":            func(c *Config) { c.Prefix = "a%2fb" },
		"Config.Prefix \"+\"":      func(c *Config) { c.Prefix = "+" },
		"Config.Namespace":         func(c *Config) { c.Namespace = "a b" },
		"Config.Timeout":           func(c *Config) { c.Timeout = -1 },
	} {
		cfg := good
		change(&cfg)
		s, err := New(t.Context(), cfg)
		want = strings.TrimSpace(want)
		if s != nil || err == nil || !strings.HasPrefix(err.Error(), "auth/vault: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "t0ps3cret") {
			t.Errorf("New = %v, %v; want an error with %q and no secret", s, err, want)
		}
	}
	if s, err := New(t.Context(), good); err != nil {
		t.Errorf("New with what the others change = %v", err)
	} else {
		s.Close()
	}
}

func TestMountsAndPrefixesMayBePaths(t *testing.T) {
	onDouble(func(w *world) {
		var asked string
		s := w.openRoot(func(cfg *Config) { cfg.Mount, cfg.Prefix = "/kv/team/", "apps/agents/" })
		w.double.before(func(_ http.ResponseWriter, r *http.Request) bool {
			asked = r.URL.Path
			return false
		})
		_, err := s.Secret(w.t.Context(), pat)
		if want := "/v1/kv/team/data/apps/agents/acme/shared/github-pat"; asked != want || !errors.Is(err, auth.ErrNotFound) || !strings.Contains(err.Error(), "no handler for route") {
			w.t.Errorf("Secret asked for %q: %v; want %q, and that nothing is mounted there", asked, err, want)
		}
	})(t)
}

func TestNewEndsWithItsContext(t *testing.T) {
	onDouble(func(w *world) {
		ctx, cancel := context.WithCancel(w.t.Context())
		cancel()
		if _, err := New(ctx, Config{Address: w.address, Auth: rootOf(w), HTTPClient: w.httpClient()}); !errors.Is(err, context.Canceled) {
			w.t.Errorf("New = %v, want context.Canceled", err)
		}
		// And the store that it returns does not.
		ctx, cancel = context.WithCancel(w.t.Context())
		s, err := New(ctx, Config{Address: w.address, Auth: w.role(everything, map[string]any{"token_ttl": "1h"}).AppRole, HTTPClient: w.httpClient(), Prefix: w.prefix})
		if err != nil {
			w.t.Fatal(err)
		}
		defer s.Close()
		cancel()
		w.put("acme/shared/github-pat", map[string]any{"token": "one"})
		time.Sleep(100 * time.Hour)
		w.admin("POST", "auth/token/revoke", map[string]any{"token": s.lease.Load().token.Reveal()})
		(&client{Store: s}).has(w.t, pat, "one")
	})(t)
}

func TestSecretsDoNotShow(t *testing.T) {
	onDouble(func(w *world) {
		r := w.role(everything, nil)
		s := w.open(r.AppRole)
		cfg := Config{Address: w.address, Auth: r.AppRole}
		type holder struct {
			cfg   Config
			store *Store
			token Token
		}
		token := s.lease.Load().token.Reveal()
		s.Close() // fmt takes no lock
		for _, v := range []any{cfg, r.AppRole, Token{auth.NewSecret(token)}, s.Store, *s.lease.Load(), holder{cfg, s.Store, Token{auth.NewSecret(token)}}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
				text := fmt.Sprintf(verb, v)
				for _, secret := range []string{token, r.SecretID.Reveal(), r.RoleID.Reveal()} {
					if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
						w.t.Errorf("%T printed with %s has a secret", v, verb)
					}
				}
			}
		}
	})(t)
}
