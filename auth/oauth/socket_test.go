package oauth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mcpfleet/mcpfleet/auth"
)

// Over real connections, with the HTTP client that is used by default. Plain http is accepted, as all is on loopback.
func TestTheFlowWorksOnLoopback(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w)
	defer server.Close()
	w.origin, w.issuer = server.URL, server.URL
	c := w.client(func(cfg *Config, _ *AuthorizationCode) { cfg.HTTPClient = auth.Operator().Client() })
	defer c.cfg.HTTPClient.CloseIdleConnections()
	w.login(c, alice)
	w.mu.Lock()
	clear(w.access)
	w.mu.Unlock()
	w.works(c, alice)
	if err := c.Forget(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	w.wantCounts("register=1 code=1 refresh=1 revoke=1")
}

// What users add at run time must not reach loopback, whatever it is called.
func TestTheGuardOfTheHTTPClientIsAsked(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w)
	defer server.Close()
	w.origin, w.issuer = server.URL, server.URL
	c := w.client(func(cfg *Config, _ *AuthorizationCode) { cfg.HTTPClient = auth.Public().Client() })
	_, err := w.call(t.Context(), c, alice)
	var refused *auth.EgressError
	if !errors.As(err, &refused) {
		t.Errorf("call = %v", err)
	}
	w.wantCounts("prm=0")
}

// Redirects within the origin are followed for metadata.
func TestMetadataMayMoveWithinItsOrigin(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w)
	defer server.Close()
	w.origin, w.issuer = server.URL, server.URL
	moved := false
	w.intercept = func(what string) http.HandlerFunc {
		if what[len(what)-4:] == "/mcp" && !moved && what[:3] == "GET" {
			return func(rw http.ResponseWriter, r *http.Request) {
				moved = true
				http.Redirect(rw, r, r.URL.Path, http.StatusFound)
			}
		}
		return nil
	}
	c := w.client(func(cfg *Config, _ *AuthorizationCode) { cfg.HTTPClient = auth.Operator().Client() })
	defer c.cfg.HTTPClient.CloseIdleConnections()
	w.login(c, alice)
	if !moved {
		t.Error("nothing was redirected")
	}
}
