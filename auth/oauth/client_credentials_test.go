package oauth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

const clientSecret = "hunter2:/+&" // with what an encoding could lose

func serviceAccount() *ClientCredentials {
	return &ClientCredentials{Client: ClientAuth{ID: "agent", Secret: auth.NewSecret(clientSecret)}}
}

func TestServiceAccountsAuthenticateAsTheServerWants(t *testing.T) {
	for _, test := range []struct {
		name, method string
		listed       []string
		basic        bool
	}{
		{"post is preferred", "", []string{"client_secret_basic", "client_secret_post"}, false},
		{"only basic", "", []string{"client_secret_basic"}, true},
		{"no list means basic", "", nil, true},
		{"configured post", "client_secret_post", []string{"client_secret_basic"}, false},
		{"configured basic", "client_secret_basic", []string{"client_secret_post"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newGrantWorld(t)
			if test.listed != nil {
				w.metadata["token_endpoint_auth_methods_supported"] = test.listed
			}
			g := serviceAccount()
			g.Client.Method = test.method
			mustObtain(t, w.client(g), worldUser)

			got := w.only()
			for name, want := range map[string]string{"grant_type": "client_credentials", "resource": worldResource, "scope": "read write"} {
				if got.form.Get(name) != want {
					t.Errorf("%s = %q, want %q", name, got.form.Get(name), want)
				}
			}
			if test.basic {
				if got.user != "agent" || got.passwd != clientSecret || got.form.Has("client_secret") {
					t.Errorf("HTTP Basic %q and %q, client_secret in the form: %t", got.user, got.passwd, got.form.Has("client_secret"))
				}
			} else if got.user != "" || got.form.Get("client_id") != "agent" || got.form.Get("client_secret") != clientSecret {
				t.Errorf("HTTP Basic %q, form %v", got.user, got.form)
			}
		})
	}
}

func TestServiceAccountsAskForTheConfiguredScopes(t *testing.T) {
	w := newGrantWorld(t)
	mustObtain(t, w.client(serviceAccount(), func(c *Config) { c.Scopes = []string{"tools"} }), worldUser)
	if got := w.only().form.Get("scope"); got != "tools" {
		t.Errorf("scope = %q, want tools", got)
	}
}

func TestAllUsersOfATenantShareOneToken(t *testing.T) {
	w := newGrantWorld(t)
	c := w.client(serviceAccount())
	tokens := make([]string, 1000)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() {
			tokens[i], _ = obtain(t.Context(), c, session.Key{Tenant: "acme", User: fmt.Sprintf("user-%d", i%50)})
		})
	}
	wg.Wait()
	for i, token := range tokens {
		if token != "token-1" {
			t.Fatalf("caller %d got %q", i, token)
		}
	}
	w.only()
	if got := mustObtain(t, c, session.Key{Tenant: "globex", User: "user-1"}); got == "token-1" {
		t.Error("another tenant got the same token")
	}
	if n := len(w.requests()); n != 2 {
		t.Errorf("%d token requests for two tenants, want 2", n)
	}
}

// A token outlives the request for which it was obtained: it is renewed for others after that one has ended.
func TestRenewalIsNotBoundToTheFirstRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGrantWorld(t)
		c := w.client(serviceAccount())
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := obtain(ctx, c, worldUser); err != nil {
			t.Fatal(err)
		}
		cancel()

		time.Sleep(50 * time.Minute)
		if got := mustObtain(t, c, worldUser); got != "token-1" {
			t.Errorf("after 50 minutes the token is %q; without expires_in it is good for an hour", got)
		}
		time.Sleep(11 * time.Minute)
		if got := mustObtain(t, c, worldUser); got != "token-2" {
			t.Errorf("after an hour the token is %q, want token-2", got)
		}
		if n := len(w.requests()); n != 2 {
			t.Errorf("%d token requests, want 2", n)
		}
		c.Close()
	})
}

func TestServersThatRefuseServiceAccountsAreReported(t *testing.T) {
	answer := func(status int, contentType, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", contentType)
			rw.WriteHeader(status)
			io.WriteString(rw, body)
		}
	}
	const js = "application/json"
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		status int // of a *ResponseError, or 0
		code   string
		is     error
	}{
		{"wrong secret", answer(401, js, `{"error":"invalid_client","error_description":"no such client"}`), 401, "invalid_client", nil},
		{"wrong secret, quoted", answer(401, js, `{"error":"invalid_client","error_description":"secret hunter2:/+& is wrong"}`), 401, "invalid_client", nil},
		{"too many", answer(429, "text/plain", "slow down"), 429, "", nil},
		{"not JSON", answer(200, "text/html", "<h1>hunter2:/+&</h1>"), 0, "", ErrTokenResponse},
		{"broken JSON", answer(200, js, `{"access_token":"hunter2:/+&`), 0, "", ErrTokenResponse},
		{"no token", answer(200, js, `{"token_type":"Bearer"}`), 0, "", ErrTokenResponse},
		{"unusable token", answer(200, js, `{"access_token":"a b","token_type":"Bearer"}`), 0, "", ErrTokenResponse},
		{"other type of token", answer(200, js, `{"access_token":"a","token_type":"N_A"}`), 0, "", ErrTokenResponse},
		{"server error", answer(500, "text/html", "hunter2:/+&"), 500, "", nil},
		{"too large", answer(200, js, `{"access_token":"`+strings.Repeat("a", 1<<20)+`"}`), 0, "", ErrTooLarge},
		{"redirect", func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "https://evil.example/token", http.StatusTemporaryRedirect)
		}, 0, "", ErrRedirect},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newGrantWorld(t)
			w.answers["as.example"] = test.answer
			_, err := obtain(t.Context(), w.client(serviceAccount()), worldUser)
			var typed *Error
			if !errors.As(err, &typed) || typed.Op != "token" || typed.Issuer != worldIssuer || typed.Server != "files" {
				t.Fatalf("error %v, want an *Error of the token request", err)
			}
			var refused *ResponseError
			if errors.As(err, &refused) != (test.status != 0) || refused != nil && (refused.Status != test.status || refused.Code != test.code) {
				t.Errorf("error %v, want status %d and code %q", err, test.status, test.code)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error %v, want %v", err, test.is)
			}
			leaks(t, err, clientSecret, "hunter2")
			for _, p := range w.paths {
				if strings.HasPrefix(p, "evil.example") {
					t.Error("the redirect was followed")
				}
			}
		})
	}
}

func TestASilentAuthorizationServerTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGrantWorld(t)
		w.answers["as.example"] = func(rw http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		c := w.client(serviceAccount())
		start := time.Now()
		_, err := obtain(t.Context(), c, worldUser)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want a deadline", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %v, want Config.Timeout", took)
		}
		leaks(t, err, clientSecret)
		c.Close()
	})
}

// An MCP server that is taken over must not be able to send the secret to a server of its own, nor an assertion that is
// made for another.
func TestTheSecretGoesToOneAuthorizationServerOnly(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	for name, client := range map[string]ClientAuth{
		"secret":    {ID: "agent", Secret: auth.NewSecret(clientSecret)},
		"assertion": {ID: "agent", Key: &PrivateKeyJWT{Signer: key, Audience: worldIssuer}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newGrantWorld(t)
			c := w.client(&ClientCredentials{Client: client})
			token := mustObtain(t, c, worldUser)
			time.Sleep(settling)
			w.mu.Lock()
			w.named = "https://evil.example"
			w.mu.Unlock()
			refusal := auth.Refusal{StatusCode: 401, Sent: http.Header{"Authorization": {"Bearer " + token}}}
			if _, err := c.Refused(t.Context(), worldUser, refusal); !errors.Is(err, ErrIssuerChanged) {
				t.Errorf("%s: error %v, want ErrIssuerChanged", name, err)
			}
			if got := w.only(); got.host != "as.example" {
				t.Errorf("%s: %s was asked", name, got.host)
			}
			c.Close()
		})
	}
}

func TestATokenURLNeedsNoDiscovery(t *testing.T) {
	w := newGrantWorld(t)
	g := serviceAccount()
	g.TokenURL = "https://sts.example/token"
	g.Params = map[string]string{"audience": "urn:files", "resource": ""}
	c := w.client(g)
	mustObtain(t, c, worldUser)
	got := w.only()
	if len(w.paths) != 1 || got.host != "sts.example" {
		t.Errorf("requests to %v, want the token endpoint only", w.paths)
	}
	if got.form.Get("audience") != "urn:files" || got.form.Has("resource") {
		t.Errorf("form %v, want an audience and no resource", got.form)
	}
	if got.user != "agent" {
		t.Error("without metadata the secret goes by HTTP Basic (RFC 8414 section 2)")
	}
}

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	secret := auth.NewSecret(clientSecret)
	token := func(context.Context, session.Key) (auth.Secret, string, error) { return secret, TokenTypeIDToken, nil }
	client := ClientAuth{ID: "agent", Secret: secret}
	for _, test := range []struct {
		grant Grant
		want  string // the field
	}{
		{&ClientCredentials{}, "ClientCredentials.Client.ID"},
		{(*ClientCredentials)(nil), "nil"},
		{&ClientCredentials{Client: ClientAuth{ID: "agent"}}, "ClientCredentials.Client has neither"},
		{&ClientCredentials{Client: ClientAuth{ID: "a", Secret: secret, Key: &PrivateKeyJWT{}}}, "ClientCredentials.Client has both"},
		{&ClientCredentials{Client: ClientAuth{ID: "a", Secret: secret, Method: "private_key_jwt"}}, "needs a Key"},
		{&ClientCredentials{Client: ClientAuth{ID: "a", Secret: secret, Method: "none"}}, "neither"},
		{&ClientCredentials{Client: ClientAuth{ID: "a", Secret: secret, Method: "client_secret_jwt"}}, "not supported"},
		{&ClientCredentials{Client: ClientAuth{ID: "a", Key: &PrivateKeyJWT{}}}, "ClientCredentials.Client.Key"},
		{&ClientCredentials{Client: ClientAuth{ID: "a", Key: &PrivateKeyJWT{PEM: secret}}}, "ClientCredentials.Client.Key"},
		{&ClientCredentials{Client: client, TokenURL: "http://sts.example/token"}, "ClientCredentials.TokenURL"},
		{&ClientCredentials{Client: client, Params: map[string]string{"grant_type": "password"}}, "ClientCredentials.Params"},
		{&WorkloadIdentity{}, "WorkloadIdentity.Assertion"},
		{(*WorkloadIdentity)(nil), "nil"},
		{&ClientCredentials{Client: ClientAuth{ID: "a", Method: "client_secret_basic"}}, "needs a Secret"},
		{&TokenExchange{Client: client, TokenURL: "https://sts.example/token"}, "TokenExchange.Subject"},
		{&TokenExchange{Client: client, Subject: token}, "TokenExchange.TokenURL"},
		{&TokenExchange{Subject: token, TokenURL: "https://sts.example/token"}, "TokenExchange.Client.ID"},
		{&TokenExchange{Client: client, Subject: token, TokenURL: "https://sts.example/token", Params: map[string]string{"subject_token": "x"}}, "TokenExchange.Params"},
		{&Enterprise{}, "Enterprise.Identity"},
		{&Enterprise{Identity: token}, "Enterprise.IDPIssuer"},
		{&Enterprise{Identity: token, IDPIssuer: worldIDP, IDPTokenURL: worldIDP + "/token"}, "Enterprise.IDPIssuer"},
		{&Enterprise{Identity: token, IDPIssuer: "http://idp.example"}, "Enterprise.IDPIssuer"},
		{&Enterprise{Identity: token, IDPIssuer: worldIDP}, "Enterprise.IDPClient.ID"},
		{&Enterprise{Identity: token, IDPIssuer: worldIDP, IDPClient: client}, "Enterprise.Client.ID"},
	} {
		c, err := New(Config{Server: "files", Resource: worldResource, Grant: test.grant})
		if err == nil {
			c.Close()
			t.Errorf("%+v is accepted", test.grant)
			continue
		}
		if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "oauth: ") {
			t.Errorf("error %q, want it to name %s", err, test.want)
		}
		leaks(t, err, clientSecret)
	}
}
