package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

// trial is one authorization, from the refusal of a request to the token, in which one thing is wrong.
type trial struct {
	as       *localAS
	resource *mcptest.Host // has the metadata of the MCP server
	thief    *mcptest.Host // must get no secret
	home     *site
	browser  browser
	visits   int          // how often the browser opens the address
	stolen   atomic.Int64 // requests to the thief that held a code, verifier or token
}

// A refusal is one thing that is wrong. It may set the hooks of the trial.
type refusal struct {
	name  string
	wrong func(*trial)
}

// field changes one field of a document.
func field(document, name string, value func(*trial) any) func(*trial) {
	return func(tr *trial) {
		tr.as.hook(hooks{twist: func(d string, fields map[string]any) {
			if d == document {
				if v := value(tr); v != nil {
					fields[name] = v
				} else {
					delete(fields, name)
				}
			}
		}})
	}
}

func constant(v any) func(*trial) any { return func(*trial) any { return v } }

// redirected answers the requests for a path with a redirect to the same path of the thief.
func redirected(path string, status int) func(*trial) {
	return func(tr *trial) {
		tr.as.hook(hooks{answer: func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, path) {
				http.Redirect(w, r, tr.thief.URL()+r.URL.Path, status)
				return true
			}
			return false
		}})
	}
}

// answered answers the requests for a path with a text.
func answered(path, text string) func(*trial) {
	return func(tr *trial) {
		tr.as.hook(hooks{answer: func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, path) {
				w.Write([]byte(text))
				return true
			}
			return false
		}})
	}
}

var refusalCases = []refusal{
	{"authorization endpoint javascript:", field("metadata", "authorization_endpoint", constant("javascript:alert(1)//"))},
	{"authorization endpoint http, not loopback", field("metadata", "authorization_endpoint", constant("http://as.example/authorize"))},
	{"authorization endpoint with a user", field("metadata", "authorization_endpoint", func(tr *trial) any {
		return strings.Replace(tr.as.issuer(), "http://", "http://bank.example@", 1) + "/authorize"
	})},
	{"token endpoint http, not loopback", field("metadata", "token_endpoint", constant("http://as.example/token"))},
	{"token endpoint file:", field("metadata", "token_endpoint", constant("file:///etc/passwd"))},
	{"token endpoint link-local", field("metadata", "token_endpoint", constant("https://169.254.169.254/token"))},
	{"registration endpoint ftp:", field("metadata", "registration_endpoint", constant("ftp://127.0.0.1/register"))},
	{"no PKCE methods", field("metadata", "code_challenge_methods_supported", constant(nil))},
	{"PKCE plain only", field("metadata", "code_challenge_methods_supported", constant([]string{"plain"}))},
	{"metadata of another issuer", field("metadata", "issuer", constant("https://as.example"))},
	{"metadata of the issuer with a path", field("metadata", "issuer", func(tr *trial) any { return tr.as.issuer() + "/other" })},
	{"metadata is no JSON", answered("/.well-known/", "<html>welcome</html>")},
	{"metadata of 8 MiB", answered("/.well-known/", `{"issuer":"`+strings.Repeat("x", 8<<20)+`"}`)},
	{"metadata redirects to another origin", redirected("/.well-known/", http.StatusFound)},
	{"registration redirects to another origin", redirected("/register", http.StatusTemporaryRedirect)},
	{"token endpoint redirects to another origin", redirected("/token", http.StatusTemporaryRedirect)},
	{"resource of another origin", field("resource", "resource", constant("https://bank.example/mcp"))},
	{"resource of another path", field("resource", "resource", func(tr *trial) any { return tr.resource.URL() + "/other" })},
	{"resource names no authorization server", field("resource", "authorization_servers", constant(nil))},
	{"resource names a server that is no URL of the web", field("resource", "authorization_servers", constant([]string{"javascript:alert(1)"}))},
	{"iss of another server", field("redirect", "iss", constant("https://as.example"))},
	{"iss left out although promised", field("redirect", "iss", constant(nil))},
	{"iss although not promised", field("metadata", "authorization_response_iss_parameter_supported", constant(nil))},
	{"iss twice", field("redirect", "iss", func(tr *trial) any { return []string{tr.as.issuer(), "https://as.example"} })},
	{"code twice", field("redirect", "code", constant([]string{"a", "b"}))},
	{"state unknown", field("redirect", "state", constant(strings.Repeat("A", 26)))},
	{"state left out", field("redirect", "state", constant(nil))},
	{"another user's browser", func(tr *trial) { tr.browser.user = "mallory" }},
	{"token of another type", field("token", "token_type", constant("mac"))},
	{"token with a line break", field("token", "access_token", constant("a\r\nX-Admin: yes"))},
	{"no token in the answer", field("token", "access_token", constant(nil))},
	{"code twice used", func(tr *trial) {
		tr.as.hook(hooks{twist: func(document string, fields map[string]any) {
			if document == "token" { // the answer is lost, the browser is sent again
				delete(fields, "access_token")
			}
		}})
		tr.visits = 2
	}},
}

// refusals: what a client must not accept, one thing at a time.
func refusals(t *figures.Table) {
	honest, _, _ := try(refusal{"", func(*trial) {}})
	refused := 0
	var stolen int64
	for _, c := range refusalCases {
		got, secrets, err := try(c)
		stolen += secrets
		switch {
		case got:
			t.Note("S15: %s: accepted", c.name)
		case err == nil:
			t.Note("S15: %s: no token, and no error", c.name)
		default:
			refused++
		}
	}
	t.Row(fmt.Sprintf("S15: %d ways in which an authorization is wrong are refused", len(refusalCases)),
		fmt.Sprintf("%d of %d refused, honest accepted: %v", refused, len(refusalCases), honest), honest && refused == len(refusalCases))
	t.Row("S15: another origin gets no code, verifier or token", fmt.Sprintf("%d requests with one", stolen), stolen == 0)
}

// try makes one authorization and reports whether it gave a token, and what failed first.
func try(c refusal) (got bool, stolen int64, err error) {
	tr := &trial{as: newLocalAS(time.Hour), home: newSite(tenant), browser: browser{user: "alice"}, visits: 1}
	defer tr.as.close()
	defer tr.home.close()
	tr.thief = mcptest.Listen(http.HandlerFunc(tr.steal))
	defer tr.thief.Close()
	tr.resource = mcptest.Listen(http.HandlerFunc(tr.describe))
	defer tr.resource.Close()
	c.wrong(tr)
	client := newClient(oauth.Config{
		Resource: tr.resource.URL() + "/mcp", Grant: &oauth.AuthorizationCode{RedirectURL: tr.home.redirectURL()}, Timeout: 5 * time.Second,
	})
	defer client.Close()
	tr.home.serve(client.Callback(nil))
	ctx, cancel := context.WithTimeout(user("alice"), 20*time.Second)
	defer cancel()
	key := session.Key{Tenant: tenant, User: "alice"}
	_, err = client.Refused(ctx, key, auth.Refusal{StatusCode: http.StatusUnauthorized, Challenges: []string{
		fmt.Sprintf(`Bearer resource_metadata="%s/.well-known/oauth-protected-resource/mcp"`, tr.resource.URL()),
	}})
	if url, ok := prompted(err); ok {
		err = nil
		for range tr.visits {
			err = errors.Join(err, tr.browser.authorize(ctx, url))
		}
	}
	for _, name := range []string{"alice", tr.browser.user} {
		token, failed := client.Token(ctx, session.Key{Tenant: tenant, User: name})
		got, err = got || !token.IsZero(), errors.Join(err, failed)
	}
	return got, tr.stolen.Load(), err
}

// describe has the metadata of the MCP server (RFC 9728).
func (tr *trial) describe(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/.well-known/oauth-protected-resource") {
		http.NotFound(w, r)
		return
	}
	fields := map[string]any{"resource": tr.resource.URL() + "/mcp", "authorization_servers": []string{tr.as.issuer()}}
	tr.as.hooked().twist("resource", fields)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(fields)
}

// steal answers as the real server would and looks at what it was given.
func (tr *trial) steal(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	for _, name := range []string{"code", "code_verifier", "refresh_token", "client_secret"} {
		if r.Form.Get(name) != "" {
			tr.stolen.Add(1)
			break
		}
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%[2]q,"token_endpoint":%[3]q,"response_types_supported":["code"],`+
		`"code_challenge_methods_supported":["S256"],"client_id":"stolen","access_token":"stolen","token_type":"Bearer"}`,
		tr.as.issuer(), tr.as.issuer()+"/authorize", tr.thief.URL()+"/token")
}
