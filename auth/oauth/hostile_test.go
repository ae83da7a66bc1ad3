package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/internal/httptext"
	"github.com/mcpfleet/mcpfleet/session"
)

// answers makes one endpoint answer with h.
func answers(path string, h http.HandlerFunc) func(*world) {
	return func(w *world) {
		w.intercept = func(what string) http.HandlerFunc {
			if strings.HasSuffix(what, path) {
				return h
			}
			return nil
		}
	}
}

func body(status int, media, text string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", media)
		rw.WriteHeader(status)
		io.WriteString(rw, text)
	}
}

func asm(field string, value any) func(*world) { return func(w *world) { w.asm[field] = value } }
func prm(field string, value any) func(*world) { return func(w *world) { w.prm[field] = value } }

// tokenAnswer changes the answer to a code.
func tokenAnswer(f func(map[string]any)) func(*world) {
	return func(w *world) { w.onToken = func(_ url.Values, answer map[string]any) { f(answer) } }
}

const (
	wellPRM = "mcp.example.com/.well-known/oauth-protected-resource/mcp"
	wellASM = "as.example.com/.well-known/oauth-authorization-server"
)

// S15: each is refused with an error that can be told from the others, whose text and log hold nothing that was secret.
var hostile = []struct {
	name string
	set  func(*world)
	back func(url.Values) // changes the redirect; nil: the refusal comes before it
	want error
}{
	// Where users are sent, and secrets.
	{"javascript authorization URL", asm("authorization_endpoint", "javascript:alert(1)"), nil, ErrInsecureURL},
	{"JaVaScRiPt authorization URL", asm("authorization_endpoint", "JaVaScRiPt://x/%0aalert(1)"), nil, ErrInsecureURL},
	{"data authorization URL", asm("authorization_endpoint", "data:text/html,<script>x</script>"), nil, ErrInsecureURL},
	{"file authorization URL", asm("authorization_endpoint", "file:///etc/passwd"), nil, ErrInsecureURL},
	{"vbscript authorization URL", asm("authorization_endpoint", "vbscript:x"), nil, ErrInsecureURL},
	{"authorization URL of an application", asm("authorization_endpoint", "ms-settings://x/y"), nil, ErrInsecureURL},
	{"relative authorization URL", asm("authorization_endpoint", "/authorize"), nil, ErrInsecureURL},
	{"malformed authorization URL", asm("authorization_endpoint", "https://[::1/authorize"), nil, ErrInsecureURL},
	{"authorization URL with a newline", asm("authorization_endpoint", "https://as.example.com/\n"), nil, ErrInsecureURL},
	{"authorization URL with a user", asm("authorization_endpoint", "https://as.example.com@evil.example/"), nil, ErrInsecureURL},
	{"authorization URL with a fragment", asm("authorization_endpoint", "https://as.example.com/a#x"), nil, ErrInsecureURL},
	{"http authorization URL", asm("authorization_endpoint", "http://as.example.com/authorize"), nil, ErrInsecureURL},
	{"http token endpoint", asm("token_endpoint", "http://as.example.com/token"), nil, ErrInsecureURL},
	{"http registration endpoint", asm("registration_endpoint", "http://as.example.com/register"), nil, ErrInsecureURL},
	{"http revocation endpoint", asm("revocation_endpoint", "http://as.example.com/revoke"), nil, ErrInsecureURL},
	{"a public server names a loopback token endpoint", asm("token_endpoint", "http://127.0.0.1/token"), nil, ErrInsecureURL},
	{"a public server sends the browser to loopback", asm("authorization_endpoint", "http://localhost:8080/admin"), nil, ErrInsecureURL},
	{"no authorization endpoint", asm("authorization_endpoint", nil), nil, ErrMetadata},
	{"no token endpoint", asm("token_endpoint", nil), nil, ErrMetadata},

	// Metadata.
	{"PKCE is not mentioned", asm("code_challenge_methods_supported", nil), nil, ErrNoPKCE},
	{"PKCE is plain only", asm("code_challenge_methods_supported", []string{"plain"}), nil, ErrNoPKCE},
	{"issuer mismatch in metadata", asm("issuer", "https://evil.example"), nil, ErrIssuerMismatch},
	{"no issuer in metadata", asm("issuer", nil), nil, ErrIssuerMismatch},
	{"issuer differs in its path", asm("issuer", asURL+"/tenant"), nil, ErrIssuerMismatch},
	{"issuer differs in case", asm("issuer", "https://AS.example.com"), nil, ErrIssuerMismatch},
	{"foreign resource", prm("resource", "https://evil.example/mcp"), nil, ErrResourceMismatch},
	{"resource of a neighbour", prm("resource", "https://mcp.example.com/other"), nil, ErrResourceMismatch},
	{"resource of the whole host, by one server on it", prm("resource", "https://mcp.example.com"), nil, ErrResourceMismatch},
	{"no resource", prm("resource", nil), nil, ErrResourceMismatch},
	{"no authorization server", prm("authorization_servers", nil), nil, ErrMetadata},
	{"http authorization server", prm("authorization_servers", []string{"http://as.example.com"}), nil, ErrInsecureURL},
	{"javascript authorization server", prm("authorization_servers", []string{"javascript:x"}), nil, ErrInsecureURL},
	{"authorization server with a query", prm("authorization_servers", []string{asURL + "?x=1"}), nil, ErrInsecureURL},
	{"a second authorization server that is insecure", prm("authorization_servers", []string{asURL, "http://x.example"}), nil, ErrInsecureURL},
	{"metadata redirects to another origin", answers(wellASM, redirectTo("https://evil.example/metadata")), nil, ErrRedirect},
	{"metadata redirects to another port", answers(wellASM, redirectTo("https://as.example.com:8443/")), nil, ErrRedirect},
	{"metadata redirects to http", answers(wellASM, redirectTo("http://as.example.com/")), nil, ErrRedirect},
	{"metadata redirects to loopback", answers(wellPRM, redirectTo("http://127.0.0.1:9200/")), nil, ErrRedirect},
	{"metadata redirects to the cloud", answers(wellPRM, redirectTo("http://169.254.169.254/latest/meta-data/")), nil, ErrRedirect},
	{"metadata redirects for ever", answers(wellASM, redirectTo("https://as.example.com/.well-known/oauth-authorization-server")), nil, ErrRedirect},
	{"HTML for the resource", answers(wellPRM, body(200, "text/html", "<html>")), nil, ErrMetadata},
	{"HTML for the authorization server", answers(wellASM, body(200, "text/html", "<html>")), nil, ErrMetadata},
	{"a document that says it is HTML", answers(wellASM, body(200, "text/html", `{"issuer":"`+asURL+`","authorization_endpoint":"`+asURL+`/a","token_endpoint":"`+asURL+`/t","code_challenge_methods_supported":["S256"]}`)), nil, ErrMetadata},
	{"HTML that says it is JSON", answers(wellASM, body(200, "application/json", "<html>")), nil, ErrMetadata},
	{"an array", answers(wellASM, body(200, "application/json", "[]")), nil, ErrMetadata},
	{"no content", answers(wellASM, body(204, "application/json", "")), nil, ErrMetadata},
	{"server error", answers(wellASM, body(500, "application/json", "{}")), nil, ErrMetadata},
	{"too many requests", answers(wellASM, body(429, "application/json", "{}")), nil, ErrMetadata},
	{"promised metadata is not there", answers(wellPRM, body(404, "text/plain", "")), nil, ErrMetadata},
	{"metadata of the authorization server is not there", answers(wellASM, body(404, "text/plain", "")), nil, ErrMetadata},
	{"2 MiB of metadata of the resource", answers(wellPRM, body(200, "application/json", "{"+strings.Repeat(" ", 2<<20)+"}")), nil, ErrTooLarge},
	{"2 MiB of metadata of the server", answers(wellASM, body(200, "application/json", "{"+strings.Repeat(" ", 2<<20)+"}")), nil, ErrTooLarge},
	{"a scope with a quote", prm("scopes_supported", []string{`read" onload="x`}), nil, ErrMetadata},
	{"1,000 scopes", prm("scopes_supported", strings.Fields(strings.Repeat("s ", 1000))), nil, ErrMetadata},

	// Registration.
	{"no way to register", asm("registration_endpoint", nil), nil, ErrNoRegistration},
	{"registration without an id", answers("/register", body(201, "application/json", `{"redirect_uris":["`+callback+`"]}`)), nil, ErrRegistration},
	{"registration of another redirect URI", answers("/register", body(201, "application/json", `{"client_id":"x","redirect_uris":["https://evil.example/cb"]}`)), nil, ErrRegistration},
	{"registration that wants mutual TLS", answers("/register", body(201, "application/json", `{"client_id":"x","client_secret":"y","token_endpoint_auth_method":"tls_client_auth"}`)), nil, ErrRegistration},
	{"registration in HTML", answers("/register", body(201, "text/html", `<html>`)), nil, ErrRegistration},
	{"2 MiB of registration", answers("/register", body(201, "application/json", strings.Repeat(" ", 2<<20))), nil, ErrTooLarge},
	{"registration is refused", answers("/register", body(400, "application/json", `{"error":"invalid_redirect_uri","error_description":"no"}`)), nil, new(ResponseError)},
	{"registration redirects", answers("/register", redirectTo("https://evil.example/")), nil, new(ResponseError)},

	// The redirect.
	{"no state", nil, func(q url.Values) { q.Del("state") }, ErrCallback},
	{"two states", nil, func(q url.Values) { q.Add("state", "x") }, ErrCallback},
	{"two codes", nil, func(q url.Values) { q.Add("code", "x") }, ErrCallback},
	{"no code", nil, func(q url.Values) { q.Del("code") }, ErrCallback},
	{"a huge code", nil, func(q url.Values) { q.Set("code", strings.Repeat("x", 9<<10)) }, ErrCallback},
	{"unknown state", nil, func(q url.Values) { q.Set("state", "AAAAAAAAAAAAAAAAAAAAAAAAAA") }, ErrState},
	{"error", nil, func(q url.Values) { q.Set("error", "access_denied") }, new(ResponseError)},
	{"error that is none", nil, func(q url.Values) { q.Set("error", "<script>") }, new(ResponseError)},
	{"wrong iss", asm("authorization_response_iss_parameter_supported", true), func(q url.Values) { q.Set("iss", "https://evil.example") }, ErrIssuerMismatch},
	{"iss with a slash", asm("authorization_response_iss_parameter_supported", true), func(q url.Values) { q.Set("iss", asURL+"/") }, ErrIssuerMismatch},
	{"missing iss that was promised", asm("authorization_response_iss_parameter_supported", true), func(url.Values) {}, ErrIssuerMissing},
	{"error with a missing iss", asm("authorization_response_iss_parameter_supported", true), func(q url.Values) { q.Set("error", "access_denied") }, ErrIssuerMissing},
	{"wrong iss that was not promised", nil, func(q url.Values) { q.Set("iss", "https://evil.example") }, ErrIssuerMismatch},
	{"right iss that was not promised", nil, func(q url.Values) { q.Set("iss", asURL) }, ErrIssuerMismatch},

	// The token.
	{"wrong code", nil, func(q url.Values) { q.Set("code", "code-guessed") }, new(ResponseError)},
	{"no access token", tokenAnswer(func(a map[string]any) { delete(a, "access_token") }), func(url.Values) {}, ErrTokenResponse},
	{"an error with status 200", tokenAnswer(func(a map[string]any) { a["error"] = "server_error" }), func(url.Values) {}, new(ResponseError)},
	{"a token of type DPoP", tokenAnswer(func(a map[string]any) { a["token_type"] = "DPoP" }), func(url.Values) {}, ErrTokenResponse},
	{"a token of type mac", tokenAnswer(func(a map[string]any) { a["token_type"] = "mac" }), func(url.Values) {}, ErrTokenResponse},
	{"a token with a line break", tokenAnswer(func(a map[string]any) { a["access_token"] = "x\r\nX-Admin: 1" }), func(url.Values) {}, ErrTokenResponse},
	{"a token with a space", tokenAnswer(func(a map[string]any) { a["access_token"] = "a b" }), func(url.Values) {}, ErrTokenResponse},
	{"a token beyond ASCII", tokenAnswer(func(a map[string]any) { a["access_token"] = "tökén" }), func(url.Values) {}, ErrTokenResponse},
	{"a token of 100 KiB", tokenAnswer(func(a map[string]any) { a["access_token"] = strings.Repeat("x", 100<<10) }), func(url.Values) {}, ErrTokenResponse},
	{"an end that is no number", tokenAnswer(func(a map[string]any) { a["expires_in"] = "access-never" }), func(url.Values) {}, ErrTokenResponse},
	{"2 MiB of token", answers("/token", body(200, "application/json", "{"+strings.Repeat(" ", 2<<20)+"}")), func(url.Values) {}, ErrTooLarge},
	{"a token in HTML", answers("/token", body(200, "text/html", `{"access_token":"access-x","token_type":"Bearer"}`)), func(url.Values) {}, ErrTokenResponse},
	{"a token in a form", answers("/token", body(200, "application/x-www-form-urlencoded", `access_token=access-x&token_type=Bearer`)), func(url.Values) {}, ErrTokenResponse},
	{"a token endpoint that redirects", answers("/token", redirectTo("https://evil.example/token")), func(url.Values) {}, ErrRedirect},
	{"a token endpoint that is a proxy's error page", answers("/token", body(502, "text/html", `<html>access-x`)), func(url.Values) {}, new(ResponseError)},
	{"a token endpoint that says what it got", answers("/token", func(rw http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		writeJSON(rw, 400, map[string]any{"error": "invalid_grant", "error_description": fmt.Sprintf("not %s with %s", r.PostForm.Get("code"), r.PostForm.Get("code_verifier"))})
	}), func(url.Values) {}, new(ResponseError)},
}

func redirectTo(address string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, address+"?canary=code-x", 307) }
}

func TestHostileServersAreRefused(t *testing.T) {
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			visited := ""
			if tt.set != nil {
				tt.set(w)
			}
			var log bytes.Buffer
			c := w.client(func(cfg *Config, g *AuthorizationCode) {
				cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				cfg.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
					visited += r.URL.Host + " "
					return w.RoundTrip(r)
				})}
			})
			_, err := w.call(t.Context(), c, alice)
			var required *auth.AuthRequiredError
			secrets := []string{"code-", "access-", "canary"}
			if tt.back == nil {
				if errors.As(err, &required) {
					t.Fatalf("the user is sent to %s", required.URL)
				}
			} else {
				if !errors.As(err, &required) {
					t.Fatalf("before the redirect: %v", err)
				}
				u, _ := url.Parse(required.URL)
				secrets = append(secrets, u.Query().Get("state"), u.Query().Get("code_challenge"))
				back := w.browse(required.URL, "alice")
				tt.back(back)
				_, err = c.Complete(t.Context(), back)
			}
			var typed *Error
			var refused *ResponseError
			switch _, response := tt.want.(*ResponseError); {
			case !errors.As(err, &typed) || typed.Server != "files" || typed.Op == "":
				t.Fatalf("error %v is not an *Error", err)
			case response && !errors.As(err, &refused):
				t.Errorf("error %v, want a *ResponseError", err)
			case !response && !errors.Is(err, tt.want):
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if !strings.HasPrefix(err.Error(), "oauth: ") || strings.ContainsAny(err.Error(), "?\n<\x00") {
				t.Errorf("text of the error: %s", err)
			}
			for _, s := range secrets {
				if strings.Contains(err.Error()+log.String(), s) {
					t.Errorf("the error or the log holds %q:\n%v\n%s", s, err, &log)
				}
			}
			for host := range strings.FieldsSeq(visited) {
				if host != "mcp.example.com" && host != "as.example.com" {
					t.Errorf("%s was visited", host)
				}
			}
			if tok, err := c.Token(t.Context(), alice); !tok.IsZero() || err != nil {
				t.Errorf("there is a token, %v", err)
			}
		})
	}
	if len(hostile) < 20 {
		t.Errorf("%d cases", len(hostile))
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAdvertisedMetadataIsFetchedFromSecurePlacesOnly(t *testing.T) {
	for address, want := range map[string]error{
		"http://mcp.example.com/prm":              ErrInsecureURL,
		"http://169.254.169.254/latest/meta-data": ErrInsecureURL,
		"http://127.0.0.1/prm":                    ErrInsecureURL,
		"javascript:alert(1)":                     ErrInsecureURL,
		"https://user:pw@mcp.example.com/prm":     ErrInsecureURL,
		"/relative":                               ErrInsecureURL,
	} {
		w := newWorld(t)
		_, err := w.client().Refused(t.Context(), alice, auth.Refusal{StatusCode: 401, Challenges: []string{`Bearer resource_metadata="` + address + `"`}})
		if !errors.Is(err, want) {
			t.Errorf("resource_metadata %s: %v, want %v", address, err, want)
		}
		w.wantCounts("asm=0 register=0")
	}
}

func TestAStateIsUsedOnce(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	back := w.browse(w.url(c, alice), "alice")
	if _, err := c.Complete(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Complete(t.Context(), back); !errors.Is(err, ErrState) {
		t.Errorf("a second Complete: %v", err)
	}
	w.works(c, alice)
	w.wantCounts("code=1")

	// Not even a failure leaves it to be tried again.
	w = newWorld(t)
	c = w.client()
	back = w.browse(w.url(c, alice), "alice")
	bad := url.Values{"state": back["state"], "code": {"guessed"}}
	if _, err := c.Complete(t.Context(), bad); err == nil {
		t.Fatal("Complete with a guessed code succeeded")
	}
	if _, err := c.Complete(t.Context(), back); !errors.Is(err, ErrState) {
		t.Errorf("Complete after a failure: %v", err)
	}
	w.login(c, alice)
}

func TestAnAuthorizationExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, sink := range []auth.TokenStore{auth.NewMemoryStore(), immortal{auth.NewMemoryStore()}} {
			w := newWorld(t)
			c := w.client(sharing(sink))
			address := w.url(c, alice)
			back := w.browse(address, "alice")
			time.Sleep(10 * time.Minute)
			if _, err := c.Complete(t.Context(), back); !errors.Is(err, ErrExpired) && !errors.Is(err, ErrState) {
				t.Errorf("Complete after 10 minutes: %v", err)
			}
			if w.url(c, alice) == address {
				t.Error("the expired URL is given out again")
			}
			w.login(c, alice)
			w.wantCounts("code=1")
			c.Close()
		}
	})
}

// immortal is a store that ignores how long values are to live.
type immortal struct{ auth.TokenStore }

func (s immortal) Save(ctx context.Context, key auth.TokenKey, value []byte, _ time.Duration) error {
	return s.TokenStore.Save(ctx, key, value, 0)
}

func TestNobodyCompletesForAnotherUser(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	// Mallory authorizes with her own account and has Bob follow the redirect, or the other way round.
	back := w.browse(w.url(c, alice), "mallory")
	for _, other := range []session.Key{bob, {Tenant: "other", User: "alice"}, {User: "alice"}} {
		if _, err := c.Complete(session.NewContext(t.Context(), other), back); !errors.Is(err, ErrOtherUser) {
			t.Errorf("Complete as %v: %v", other, err)
		}
	}
	w.wantCounts("code=0")
	key, err := c.Complete(session.NewContext(t.Context(), session.Key{Tenant: "acme", User: "alice", Conversation: "7"}), back)
	if err != nil || key != alice {
		t.Errorf("Complete as the right one = %v, %v", key, err)
	}
}

func TestTheIssuerCanBePinned(t *testing.T) {
	pin := func(issuer string) func(*Config, *AuthorizationCode) {
		return func(cfg *Config, _ *AuthorizationCode) { cfg.Issuer = issuer }
	}
	w := newWorld(t)
	if _, err := w.call(t.Context(), w.client(pin("https://other.example")), alice); !errors.Is(err, ErrIssuerMismatch) {
		t.Errorf("another issuer than the pinned one: %v", err)
	}
	w.wantCounts("asm=0")
	w.prm["authorization_servers"] = []string{"https://first.example", asURL}
	w.login(w.client(pin(asURL+"/")), alice)
}

func TestTheFirstAuthorizationServerThatAnswersIsUsedAndKept(t *testing.T) {
	w := newWorld(t)
	w.prm["authorization_servers"] = []string{"https://gone.example", asURL}
	c := w.client()
	w.login(c, alice)

	const other = "https://other.example"
	w.intercept = func(what string) http.HandlerFunc {
		if !strings.HasSuffix(what, "other.example/.well-known/oauth-authorization-server") {
			return nil
		}
		return func(rw http.ResponseWriter, _ *http.Request) {
			writeJSON(rw, 200, map[string]any{
				"issuer": other, "authorization_endpoint": other + "/authorize", "token_endpoint": other + "/token",
				"registration_endpoint": asURL + "/register", "code_challenge_methods_supported": []string{"S256"},
			})
		}
	}
	w.mu.Lock()
	clear(w.access)
	w.prm["authorization_servers"] = []string{other, asURL}
	w.mu.Unlock()
	w.works(c, alice) // refreshed where the token came from
	w.wantCounts("authorize=1 refresh=1")
	if u, _ := url.Parse(w.url(c, bob)); u.Host != "other.example" {
		t.Errorf("a new user is sent to %s, want the first of the list", u.Host)
	}
}

func TestAClientSecretGoesToOneAuthorizationServer(t *testing.T) {
	w := newWorld(t)
	const secret = "configured-secret"
	w.clients["mine"] = map[string]any{"redirect_uris": []any{callback}, "client_secret": secret}
	c := w.client(func(_ *Config, g *AuthorizationCode) { g.ClientID, g.ClientSecret = "mine", auth.NewSecret(secret) })
	w.login(c, alice)
	w.mu.Lock()
	w.issuer = "https://evil.example.com"
	w.mu.Unlock()
	for _, key := range []session.Key{alice, bob} {
		if _, err := w.call(t.Context(), c, key); !errors.Is(err, ErrIssuerChanged) {
			t.Errorf("another authorization server for %v: %v", key, err)
		}
	}
	w.wantCounts("authorize=1 code=1")
}

func TestConfigurationsAreChecked(t *testing.T) {
	good := func() (Config, *AuthorizationCode) {
		return Config{Server: "files", Resource: mcpURL}, &AuthorizationCode{RedirectURL: callback}
	}
	for field, set := range map[string]func(*Config, *AuthorizationCode){
		"Config.Server":                       func(c *Config, _ *AuthorizationCode) { c.Server = "" },
		"is not a URL":                        func(c *Config, _ *AuthorizationCode) { c.Resource = "https://[" },
		"must be an absolute":                 func(c *Config, _ *AuthorizationCode) { c.Resource = "ftp://x/" },
		"user or password":                    func(c *Config, _ *AuthorizationCode) { c.Resource = "https://u:s3cret@x/" },
		"fragment":                            func(c *Config, _ *AuthorizationCode) { c.Resource = "https://x/#s3cret" },
		"Config.Issuer":                       func(c *Config, _ *AuthorizationCode) { c.Issuer = "http://as.example.com" },
		"Config.RefreshAhead":                 func(c *Config, _ *AuthorizationCode) { c.RefreshAhead = -1 },
		"Config.Timeout":                      func(c *Config, _ *AuthorizationCode) { c.Timeout = -1 },
		"Config.Scopes":                       func(c *Config, _ *AuthorizationCode) { c.Scopes = []string{"a b"} },
		"is nil; set one":                     func(c *Config, _ *AuthorizationCode) { c.Grant = nil },
		"nil *AuthorizationCode":              func(c *Config, _ *AuthorizationCode) { c.Grant = (*AuthorizationCode)(nil) },
		"RedirectURL is empty":                func(_ *Config, g *AuthorizationCode) { g.RedirectURL = "" },
		"RedirectURL is not https":            func(_ *Config, g *AuthorizationCode) { g.RedirectURL = "http://app.example.com/" },
		"RedirectURL names no host":           func(_ *Config, g *AuthorizationCode) { g.RedirectURL = "javascript:alert(1)" },
		"AuthorizationCode.ClientSecret":      func(_ *Config, g *AuthorizationCode) { g.ClientSecret = auth.NewSecret("s3cret") },
		"AuthorizationCode.ClientMetadataURL": func(_ *Config, g *AuthorizationCode) { g.ClientMetadataURL = "https://app.example.com/" },
		"AuthorizationCode.PromptTTL":         func(_ *Config, g *AuthorizationCode) { g.PromptTTL = -1 },
		"AuthorizationCode.Registration": func(_ *Config, g *AuthorizationCode) {
			g.Registration = &oauthex.ClientRegistrationMetadata{RedirectURIs: []string{"https://other.example/"}}
		},
	} {
		cfg, g := good()
		cfg.Grant = g
		set(&cfg, g)
		_, err := New(cfg)
		if err == nil || !strings.HasPrefix(err.Error(), "oauth: ") || !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", field, err)
		}
	}
	cfg, g := good()
	cfg.Grant = g
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestTheCallbackAnswersItsOwnUserOnly(t *testing.T) {
	for name, tt := range map[string]struct {
		method string
		user   session.Key
		opts   *CallbackOptions
		query  func(url.Values)
		status int
	}{
		"its user":          {"GET", alice, nil, nil, 200},
		"another user":      {"GET", bob, nil, nil, 403},
		"nobody":            {"GET", session.Key{}, nil, nil, 401},
		"nobody, allowed":   {"GET", session.Key{}, &CallbackOptions{AnyUser: true}, nil, 200},
		"POST":              {"POST", alice, nil, nil, 405},
		"HEAD":              {"HEAD", alice, nil, nil, 405},
		"declined":          {"GET", alice, nil, func(q url.Values) { q.Set("error", "access_denied") }, 400},
		"refused":           {"GET", alice, nil, func(q url.Values) { q.Set("error", "server_error") }, 502},
		"wrong code":        {"GET", alice, nil, func(q url.Values) { q.Set("code", "<b>x") }, 502},
		"unknown state":     {"GET", alice, nil, func(q url.Values) { q.Set("state", "<b>x") }, 400},
		"without parameter": {"GET", alice, nil, func(q url.Values) { clear(q) }, 400},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := w.client()
			back := w.browse(w.url(c, alice), "alice")
			state := back.Get("state")
			if tt.query != nil {
				tt.query(back)
			}
			r := httptest.NewRequest(tt.method, "/callback?"+back.Encode(), nil)
			if tt.user.User != "" {
				r = r.WithContext(session.NewContext(r.Context(), tt.user))
			}
			rec := httptest.NewRecorder()
			c.Callback(tt.opts).ServeHTTP(rec, r)
			if rec.Code != tt.status {
				t.Errorf("status %d, want %d: %s", rec.Code, tt.status, rec.Body)
			}
			text := rec.Body.String()
			if strings.Contains(text, state) || strings.Contains(text, "<") || strings.Contains(text, "code-") {
				t.Errorf("the answer shows the query: %s", text)
			}
			if got := rec.Header().Get("Referrer-Policy"); got != "no-referrer" {
				t.Errorf("Referrer-Policy: %q", got)
			}
			if tok, _ := c.Token(t.Context(), alice); tok.IsZero() != (tt.status != 200) {
				t.Errorf("there is a token: %t", !tok.IsZero())
			}
		})
	}
	r := httptest.NewRequest("GET", "/callback?state=a;b=%zz", nil)
	rec := httptest.NewRecorder()
	newWorld(t).client().Callback(&CallbackOptions{AnyUser: true}).ServeHTTP(rec, r)
	if rec.Code != 400 {
		t.Errorf("a query that is none: status %d", rec.Code)
	}
}

func TestCompletePanicsForGrantsWithoutRedirect(t *testing.T) {
	c, err := New(Config{Server: "files", Resource: mcpURL, Grant: &ClientCredentials{Client: ClientAuth{ID: "x", Secret: auth.NewSecret("y")}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer func() {
		if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "oauth: Complete") {
			t.Errorf("Complete panics with %v", r)
		}
	}()
	c.Complete(t.Context(), url.Values{})
}

// Unicode knows more letters that differ in case only than the names of hosts do.
func TestOriginsAreComparedInASCII(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"https://Mcp.Example.COM/a", "https://mcp.example.com:443/b", true},
		{"http://mcp.example.com", "http://mcp.example.com:80", true},
		{"https://mcp.example.com", "http://mcp.example.com", false},
		{"https://mcp.example.com", "https://mcp.example.com:8443", false},
		{"https://\u212Aeys.example", "https://keys.example", false}, // the Kelvin sign
		{"https://\u03c3.example", "https://\u03c2.example", false},
		{"https://\u017ferver.example", "https://server.example", false},
		{"https://\u00c4.example", "https://\u00e4.example", false},
	} {
		a, _ := url.Parse(tt.a)
		b, _ := url.Parse(tt.b)
		if got := httptext.SameOrigin(a, b); got != tt.same {
			t.Errorf("sameOrigin(%q, %q) = %t", tt.a, tt.b, got)
		}
	}
	for host, want := range map[string]bool{"LocalHost": true, "localho\u017ft": false, "127.0.0.9": true, "::1": true, "localhost.example": false} {
		if got := isLoopback(host); got != want {
			t.Errorf("isLoopback(%q) = %t", host, got)
		}
	}
}
