package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// oauth goes through the life of an authorization whose every secret is a canary.
func (b *book) oauth(dir string) {
	as := newLocalAS(time.Hour)
	defer as.close()
	healthy := hooks{
		text: func(kind string) string {
			if kind == "client" { // a client id is no secret
				return "client-" + rand.Text()
			}
			return b.plant("OAuth " + kind)
		},
	}
	breaks := func(way string) {
		h := healthy
		h.answer = func(w http.ResponseWriter, r *http.Request) bool {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			form, _ := url.ParseQuery(string(body))
			b.arrive(fmt.Sprint(form))
			return b.reflectToken(w, r, way, b.echo(fmt.Sprint(form)))
		}
		as.hook(h)
	}
	breaks("")
	server := newResource(as.issuer(), true, as.verifier)
	defer server.close()
	home := newSite(tenant)
	defer home.close()
	store, err := auth.NewFileStore(filepath.Join(dir, "tokens"), []byte(strings.Repeat("k", 32)))
	check(err)
	cfg := oauth.Config{Resource: server.url, Store: store, Logger: b.logger(), Grant: &oauth.AuthorizationCode{
		RedirectURL:  home.redirectURL(),
		Registration: &oauthex.ClientRegistrationMetadata{TokenEndpointAuthMethod: "client_secret_post"},
	}}
	client := newClient(cfg)
	b.print("oauth.Config", cfg)
	home.serve(client.Callback(nil))
	g := newGroup(server.url, auth.ChainConfig{OAuth: client, Logger: b.logger()}, mcpgroup.ServerConfig{ReconnectWindow: -1}, mcpgroup.Options{Logger: b.logger()})
	key := session.Key{Tenant: tenant, User: "alice"}
	login := func() {
		err := whoami(user("alice"), g, "alice")
		where, ok := prompted(err)
		if !ok {
			check(fmt.Errorf("S3: no authorization is asked for: %w", err))
		}
		b.look("login", "AuthRequiredError", err.Error())
		check(browser{user: "alice"}.authorize(context.Background(), where))
		check(whoami(user("alice"), g, "alice"))
		token, err := client.Token(user("alice"), key)
		check(err)
		b.arrive(token.Reveal())
		b.print("token", token)
	}
	login()
	as.expire()
	check(whoami(user("alice"), g, "alice")) // refreshed
	for _, way := range tokenFailures {
		breaks(way)
		as.expire()
		b.error("refresh, "+way, whoami(user("alice"), g, "alice"))
		_, err := client.Token(user("alice"), key)
		b.error("Token, "+way, err)
		b.print("Status, "+way, g.Status())
		breaks("")
		if err := whoami(user("alice"), g, "alice"); err != nil {
			check(client.Forget(user("alice"), key))
			login()
		}
	}
	// The exchange of the code fails.
	for _, way := range tokenFailures {
		check(client.Forget(user("alice"), key))
		where, ok := prompted(whoami(user("alice"), g, "alice"))
		if !ok {
			check(fmt.Errorf("S3: no authorization is asked for after Forget"))
		}
		breaks(way)
		_, page, err := browser{user: "alice"}.visit(context.Background(), where)
		check(err)
		breaks("")
		b.look(way, "callback page", page)
	}
	b.callbacks(client)
	check(client.Close())
	as.expire()
	b.error("closed client", whoami(user("alice"), g, "alice"))
	b.print("oauth.Client", struct{ C any }{cfg})
	check(g.Close())
	b.error("closed group", whoami(user("alice"), g, "alice"))
}

var tokenFailures = []string{"invalid_grant", "invalid_client", "500", "not JSON", "odd token", "cut"}

// reflectToken fails at the token endpoint with a text.
func (b *book) reflectToken(w http.ResponseWriter, r *http.Request, way, sent string) bool {
	if r.URL.Path != "/token" || way == "" {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	switch way {
	case "invalid_grant", "invalid_client":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":%q,"error_description":%q,"error_uri":%q}`, way, "bad "+sent, "https://as.example/?"+sent)
	case "500":
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, sent)
	case "not JSON":
		io.WriteString(w, `{"access_token":"`+b.plant("bad token")+`", `+sent)
	case "odd token":
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":"%s"}`, b.plant("bad token")+"\n", sent)
	case "cut":
		fmt.Fprintf(w, `{"access_token":"%s`, b.plant("bad token"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return true
}

// callbacks sends browsers to the callback with what a stranger made up.
func (b *book) callbacks(client *oauth.Client) {
	for i, query := range []url.Values{
		{"code": {b.plant("bad code")}},
		{"code": {b.plant("bad code")}, "state": {b.plant("bad state")}},
		{"code": {b.plant("bad code"), b.plant("bad code")}, "state": {b.plant("bad state")}},
		{"error": {b.plant("bad error")}, "error_description": {b.plant("bad description")}, "state": {b.plant("bad state")}},
		{"error": {"access_denied"}, "error_description": {b.plant("bad description")}, "state": {b.plant("bad state")}, "iss": {b.plant("bad issuer")}},
	} {
		_, err := client.Complete(user("alice"), query)
		b.error(fmt.Sprint("Complete ", i), err)
	}
}
