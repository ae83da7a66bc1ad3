package vault

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// listen returns a world whose double has a socket, and the server.
func listen(t *testing.T, start func(http.Handler) *httptest.Server) (*world, *httptest.Server) {
	w := doubleWorld(t)
	server := start(w.double)
	t.Cleanup(server.Close)
	w.address = server.URL
	return w, server
}

func rootOf(w *world) Auth { return Token{auth.NewSecret(w.root)} }

func TestDefaultClientReachesAServer(t *testing.T) {
	closed := make(chan struct{}, 10)
	w, _ := listen(t, func(h http.Handler) *httptest.Server {
		server := httptest.NewUnstartedServer(h)
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				closed <- struct{}{}
			}
		}
		server.Start()
		return server
	})
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	r := w.role(everything, nil)
	s, err := New(t.Context(), Config{Address: w.address + "/", Auth: r.AppRole})
	if err != nil {
		t.Fatal(err)
	}
	(&client{Store: s}).has(t, pat, "one")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-closed: // the store's connection; those of the administrator stay open
	case <-time.After(time.Minute):
		t.Error("Close left the connection open")
	}
}

func TestAddressMayHaveAPath(t *testing.T) {
	w, _ := listen(t, func(h http.Handler) *httptest.Server {
		return httptest.NewServer(http.StripPrefix("/tools/vault", h))
	})
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	s, err := New(t.Context(), Config{Address: w.address + "/tools/vault/", Auth: rootOf(w)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	(&client{Store: s}).has(t, pat, "one")
}

func TestUnreachableServersAreUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody listens there any more
	_, err = New(t.Context(), Config{Address: "http://" + l.Addr().String(), Auth: Token{auth.NewSecret("hvs.t0ps3cret")}, MaxRetries: -1})
	if !errors.Is(err, auth.ErrStoreUnavailable) || strings.Contains(err.Error(), "t0ps3cret") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("New = %v, want ErrStoreUnavailable and the cause", err)
	}
}

// Package http quotes headers that it cannot read.
func TestServersThatEchoAHeaderShowNoToken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.Read(make([]byte, 4096))
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Vault-Token hvs.t0ps3cret\r\n\r\n")
	}()
	_, err = New(t.Context(), Config{Address: "http://" + l.Addr().String(), Auth: Token{auth.NewSecret("hvs.t0ps3cret")}, MaxRetries: -1})
	l.Close()
	<-done
	if !errors.Is(err, auth.ErrStoreUnavailable) || strings.Contains(err.Error(), "t0ps3cret") || !strings.Contains(err.Error(), "not HTTP") {
		t.Errorf("New = %v, want ErrStoreUnavailable without the token", err)
	}
}

// The token goes to the configured host only.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var followed atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		w, server := listen(t, httptest.NewServer)
		s := &client{}
		cfg := Config{Address: w.address, Auth: rootOf(w), MaxRetries: -1, HTTPClient: server.Client()}
		cfg.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
		var err error
		if s.Store, err = New(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		w.double.answers(-1, status, "", "Location", other.URL+"/v1/secret/data/x?t0ps3cret")
		if _, err := s.Secret(t.Context(), pat); !errors.Is(err, auth.ErrStoreUnavailable) || strings.Contains(err.Error(), "t0ps3cret") {
			t.Errorf("Secret with a redirect %d: %v, want ErrStoreUnavailable", status, err)
		}
		s.Close()
	}
	if followed.Load() != 0 {
		t.Errorf("%d redirects were followed", followed.Load())
	}
}

func TestEgressGuardIsObeyed(t *testing.T) {
	w, _ := listen(t, httptest.NewServer)
	start := time.Now()
	_, err := New(t.Context(), Config{Address: w.address, Auth: rootOf(w), HTTPClient: auth.Public().Client(), MaxRetries: 1000})
	var refused *auth.EgressError
	if !errors.As(err, &refused) || errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("New with a guard that refuses the address: %v after %v, want an EgressError and no outage", err, time.Since(start))
	}
	_, err = New(t.Context(), Config{Address: "http://169.254.169.254", Auth: rootOf(w), MaxRetries: 1000})
	if !errors.As(err, &refused) {
		t.Errorf("New with the address of a metadata service: %v, want an EgressError", err)
	}
}

// clearEnv takes what this package reads out of the environment.
func clearEnv(t *testing.T) {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "VAULT_") || strings.HasPrefix(name, "BAO_") {
			t.Setenv(name, "")
		}
	}
}

func TestFromEnvReadsTheEnvironment(t *testing.T) {
	clearEnv(t)
	if cfg, err := FromEnv(); err != nil || cfg != (Config{}) {
		t.Errorf("FromEnv of nothing = %+v, %v", cfg, err)
	}
	w, server := listen(t, func(h http.Handler) *httptest.Server {
		server := httptest.NewUnstartedServer(h)
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // a client is going to refuse its certificate
		server.StartTLS()
		return server
	})
	cert := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	w.transport = server.Client().Transport
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	for name, value := range map[string]string{
		"VAULT_ADDR": "http://overridden.invalid", "BAO_ADDR": w.address, "VAULT_TOKEN": w.root, "VAULT_CACERT": cert,
		"VAULT_CLIENT_TIMEOUT": "7", "VAULT_MAX_RETRIES": "0", "VAULT_SKIP_VERIFY": "false",
	} {
		t.Setenv(name, value)
	}
	cfg, err := FromEnv()
	if err != nil || cfg.Timeout != 7*time.Second || cfg.MaxRetries != -1 || cfg.Address != w.address {
		t.Fatalf("FromEnv = %+v, %v", cfg, err)
	}
	if got := cfg.HTTPClient.Transport.(*http.Transport).TLSClientConfig; got.InsecureSkipVerify || got.MinVersion < tls.VersionTLS12 {
		t.Errorf("TLS configuration that trusts too much")
	}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	(&client{Store: s}).has(t, pat, "one")
	s.Close()
	cfg.HTTPClient.CloseIdleConnections()

	t.Setenv("VAULT_CACERT", "")
	t.Setenv("VAULT_TLS_SERVER_NAME", "example.com")
	t.Setenv("VAULT_CLIENT_TIMEOUT", "1m30s")
	t.Setenv("VAULT_MAX_RETRIES", "4")
	t.Setenv("VAULT_NAMESPACE", "admin")
	cfg, err = FromEnv()
	if err != nil || cfg.Timeout != 90*time.Second || cfg.MaxRetries != 4 || cfg.Namespace != "admin" {
		t.Errorf("FromEnv = %+v, %v", cfg, err)
	}
	cfg.Namespace, cfg.MaxRetries = "", -1
	if _, err := New(t.Context(), cfg); !errors.Is(err, auth.ErrStoreUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("New with a certificate that nobody vouches for: %v, want ErrStoreUnavailable and the cause", err)
	}
}

func TestFromEnvRefusesWhatItCannotDo(t *testing.T) {
	for name, value := range map[string]string{
		"VAULT_SKIP_VERIFY": "true", "BAO_SKIP_VERIFY": "maybe", "VAULT_CLIENT_TIMEOUT": "soon", "VAULT_MAX_RETRIES": "-1",
		"VAULT_CACERT": "/nowhere/ca.pem", "VAULT_CLIENT_CERT": "/nowhere/cert.pem",
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			t.Setenv(name, value)
			if cfg, err := FromEnv(); err == nil || !strings.HasPrefix(err.Error(), "auth/vault: ") {
				t.Errorf("FromEnv = %+v, %v; want an error", cfg, err)
			}
		})
	}
}

// What FromEnv reads, New does not.
func TestNothingElseReadsTheEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"VAULT_ADDR": "http://elsewhere.invalid", "VAULT_TOKEN": "other", "VAULT_NAMESPACE": "other", "VAULT_CACERT": "/nowhere/ca.pem",
		"VAULT_SKIP_VERIFY": "maybe", "VAULT_HEADERS": "x", "VAULT_RATE_LIMIT": "x", "VAULT_MAX_RETRIES": "x", "VAULT_CLIENT_TIMEOUT": "x",
		"VAULT_WRAP_TTL": "1h", "VAULT_AGENT_ADDR": "http://elsewhere.invalid", "VAULT_PROXY_ADDR": "http://elsewhere.invalid",
		"HTTP_PROXY": "http://elsewhere.invalid", "BAO_TOKEN": "other", "BAO_ADDR": "http://elsewhere.invalid",
	} {
		t.Setenv(name, value)
	}
	w, _ := listen(t, httptest.NewServer)
	w.double.before(func(_ http.ResponseWriter, r *http.Request) bool {
		for name := range r.Header {
			switch name {
			case "X-Vault-Token", "X-Vault-Request", "Content-Type", "Content-Length", "User-Agent", "Accept-Encoding":
			default:
				t.Errorf("the request has the header %s", name)
			}
		}
		return false
	})
	w.put("acme/shared/github-pat", map[string]any{"token": "one"})
	s, err := New(t.Context(), Config{Address: w.address, Auth: rootOf(w)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	(&client{Store: s}).has(t, pat, "one")
}
