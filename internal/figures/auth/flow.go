package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// shortLife is the life of access tokens where a measurement waits for their end. The server counts in whole seconds.
const shortLife = 2 * time.Second

// flow: one user, from the first call to a client that the authorization server has forgotten.
func flow(t *figures.Table) {
	as := startAuthServer(shortLife)
	defer as.stop()
	server := newResource(as.issuer, false, verifier)
	defer server.close()
	home := newSite(tenant)
	defer home.close()
	client := newClient(oauth.Config{Resource: server.url, Grant: &oauth.AuthorizationCode{RedirectURL: home.redirectURL()}})
	defer client.Close()
	home.serve(client.Callback(nil))
	g := newGroup(server.url, auth.ChainConfig{OAuth: client}, mcpgroup.ServerConfig{}, mcpgroup.Options{})
	defer g.Close()
	authorize(t, as, g)
	stranger(t, as, g)
	denied(t, as, g)
	rotate(t, as, server, g)
	forgotten(t, as, g)
}

// authorize: metadata, registration, PKCE, the browser, and the call that needed it all.
func authorize(t *figures.Table, as *authServer, g *mcpgroup.MCPFunctionGroup) {
	ctx := user("alice")
	start := time.Now()
	url, ok := prompted(whoami(ctx, g, "alice"))
	asked := time.Since(start)
	var err error
	if ok {
		err = browser{user: "alice"}.authorize(ctx, url)
	}
	start = time.Now()
	if err == nil {
		err = whoami(ctx, g, "alice")
	}
	c := as.counts()
	t.Row("discovery, registration, PKCE, browser: the call ends as its user",
		fmt.Sprintf("%d registration, %d authorization, error: %v", c.Registrations, c.Authorizations, err),
		ok && err == nil && c.Registrations == 1 && c.Authorizations == 1 && c.Codes == 1 && len(c.Errors) == 0)
	t.Note("flow: oidc-provider 9.13.3 in a process of its own; the URL for the browser came after %d ms, the call took %d ms more",
		asked.Milliseconds(), time.Since(start).Milliseconds())
}

// stranger: a user is lured to the address at which another is to authorize.
func stranger(t *figures.Table, as *authServer, g *mcpgroup.MCPFunctionGroup) {
	ctx := user("mallory")
	url, ok := prompted(whoami(ctx, g, "mallory"))
	before := as.counts()
	status, _, err := browser{user: "bob"}.visit(ctx, url)
	_, still := prompted(whoami(ctx, g, "mallory"))
	c := as.counts()
	t.Row("a callback by another user than the one who began gives no token",
		fmt.Sprintf("status %d, %d codes exchanged", status, c.Codes-before.Codes),
		ok && err == nil && still && status >= 400 && status < 500 && c.Authorizations == before.Authorizations+1 && c.Codes == before.Codes)
}

// denied: the user says no. The page does not repeat what came with the browser.
func denied(t *figures.Table, as *authServer, g *mcpgroup.MCPFunctionGroup) {
	ctx := user("carol")
	url, ok := prompted(whoami(ctx, g, "carol"))
	before := as.counts()
	status, page, err := browser{user: "carol", denies: true}.visit(ctx, url)
	again, asked := prompted(whoami(ctx, g, "carol"))
	c := as.counts()
	t.Row("a user who denies gets a page that says so and may be asked anew",
		fmt.Sprintf("status %d, %d denial, asked anew: %v", status, c.Denials-before.Denials, asked && again != url),
		ok && err == nil && status >= 400 && status < 500 && !strings.Contains(page, "the user refused") && c.Denials == before.Denials+1 && asked && again != url)
}

// rotate: eight callers go on while their token expires several times.
func rotate(t *figures.Table, as *authServer, server *resource, g *mcpgroup.MCPFunctionGroup) {
	const callers, ages = 8, 4
	before, refused := as.counts(), server.refused.Load()
	var done, failed atomic.Int64
	var last atomic.Pointer[error]
	ctx, cancel := context.WithTimeout(user("alice"), ages*shortLife+shortLife/2)
	defer cancel()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := whoami(user("alice"), g, "alice"); err != nil {
					failed.Add(1)
					last.Store(&err)
				}
				done.Add(1)
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	c := as.counts()
	refreshes := c.Refreshes - before.Refreshes
	t.Row(fmt.Sprintf("%d callers across %d expiries: 0 failed calls, 1 authorization", callers, ages),
		fmt.Sprintf("%d of %d failed, %d refreshes, %d reuses", failed.Load(), done.Load(), refreshes, c.Reuses-before.Reuses),
		failed.Load() == 0 && done.Load() > 100 && refreshes >= ages && refreshes <= 3*ages && c.Reuses == before.Reuses &&
			c.Authorizations == before.Authorizations)
	t.Note("expiry: tokens of %s; %d requests met a refusal and were sent again", shortLife, server.refused.Load()-refused)
	if err := last.Load(); err != nil {
		t.Note("expiry: the last failure: %v", *err)
	}
}

// forgotten: the authorization server no longer knows the client that it registered.
func forgotten(t *figures.Table, as *authServer, g *mcpgroup.MCPFunctionGroup) {
	ctx := user("alice")
	before := as.counts()
	for _, client := range before.Users["alice"].Clients {
		as.forget(client)
	}
	time.Sleep(shortLife + time.Second/2) // the token in use is as good as before until it ends
	var prompts int
	var err error
	for range 5 {
		if err = whoami(ctx, g, "alice"); err == nil {
			break
		}
		url, ok := prompted(err)
		if !ok {
			break
		}
		prompts++
		if err = (browser{user: "alice"}).authorize(ctx, url); err != nil {
			break
		}
	}
	c := as.counts()
	t.Row("a client that the server forgot heals with 1 registration and 1 prompt",
		fmt.Sprintf("%d registration, %d prompt, error: %v", c.Registrations-before.Registrations, prompts, err),
		err == nil && prompts == 1 && c.Registrations == before.Registrations+1 && c.Authorizations == before.Authorizations+1)
}
