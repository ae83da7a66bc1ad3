package oauth

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// Over real connections, with the HTTP client that is used by default. Plain http is accepted, as all is on loopback.
func TestTheFlowWorksOnLoopback(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w)
	defer server.Close()
	w.origin, w.issuer = server.URL, server.URL
	c := w.client(func(cfg *Config, _ *AuthorizationCode) { cfg.HTTPClient = nil })
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

// A server elsewhere cannot have this machine's ports looked at. Only one that is on it, or an operator who has named it,
// opens it.
func TestOnlyThisMachinesServersReachIt(t *testing.T) {
	knocked := make(chan struct{}, 1)
	port := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	port.Config.ConnState = func(net.Conn, http.ConnState) {
		select {
		case knocked <- struct{}{}:
		default:
		}
	}
	port.StartTLS()
	defer port.Close()
	c, err := New(Config{Server: "files", Resource: "https://mcp.example.com/mcp", Grant: &AuthorizationCode{RedirectURL: callback}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, place := range []string{port.URL, strings.Replace(port.URL, "127.0.0.1", "localhost", 1), "https://[::1]:9/x", "https://169.254.169.254/x"} {
		_, err = c.Refused(t.Context(), alice, auth.Refusal{StatusCode: 401, Challenges: []string{`Bearer resource_metadata="` + place + `/x"`}})
		var refused *auth.EgressError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v, want an *auth.EgressError", place, err)
		}
	}
	select {
	case <-knocked:
		t.Error("a connection was made")
	default:
	}
}

func TestTheDefaultGuardFollowsTheConfiguration(t *testing.T) {
	secret := ClientAuth{ID: "agent", Secret: auth.NewSecret("s")}
	token := func(context.Context, session.Key) (auth.Secret, string, error) { return auth.Secret{}, "", nil }
	for name, tt := range map[string]struct {
		resource, issuer string
		grant            Grant
		want             bool
	}{
		"elsewhere":                 {mcpURL, asURL, &AuthorizationCode{RedirectURL: "http://127.0.0.1/cb"}, false},
		"the server is here":        {"http://localhost:8080/mcp", "", &AuthorizationCode{RedirectURL: callback}, true},
		"the issuer is here":        {mcpURL, "https://127.0.0.1:8443", &AuthorizationCode{RedirectURL: callback}, true},
		"a sidecar":                 {mcpURL, "", &ClientCredentials{Client: secret, TokenURL: "http://127.0.0.1:9000/token"}, true},
		"a sidecar that exchanges":  {mcpURL, "", &TokenExchange{Client: secret, Subject: token, TokenURL: "http://[::1]:9000/token"}, true},
		"a token endpoint":          {mcpURL, "", &ClientCredentials{Client: secret, TokenURL: asURL + "/token"}, false},
		"an identity provider here": {mcpURL, "", &Enterprise{IDPClient: secret, Client: secret, Identity: token, IDPTokenURL: "http://127.0.0.1/token"}, true},
		"an identity provider":      {mcpURL, "", &Enterprise{IDPClient: secret, Client: secret, Identity: token, IDPIssuer: worldIDP}, false},
	} {
		cfg, err := Config{Server: "files", Resource: tt.resource, Issuer: tt.issuer, Grant: tt.grant}.complete()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := cfg.egress().AllowLoopback; got != tt.want {
			t.Errorf("%s: AllowLoopback = %t", name, got)
		}
	}
}
