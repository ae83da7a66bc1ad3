package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// replicas: two clients, as of two processes, share a store. Whoever began an authorization, the other ends it.
func replicas(t *figures.Table) {
	const users = 20
	as := startAuthServer(shortLife)
	defer as.stop()
	server := newResource(as.issuer, true, verifier)
	defer server.close()
	home := newSite(tenant) // the address that a load balancer has
	defer home.close()
	store := auth.NewMemoryStore()
	var clients [2]*oauth.Client
	var groups [2]*mcpgroup.MCPFunctionGroup
	for i := range clients {
		clients[i] = newClient(oauth.Config{Resource: server.url, Store: store, Grant: &oauth.AuthorizationCode{RedirectURL: home.redirectURL()}})
		defer clients[i].Close()
		groups[i] = newGroup(server.url, auth.ChainConfig{OAuth: clients[i]}, mcpgroup.ServerConfig{}, mcpgroup.Options{})
		defer groups[i].Close()
	}
	home.serve(clients[1].Callback(nil))
	same, ended := 0, 0
	for u := range users {
		name := fmt.Sprint("user-", u)
		begun, ok := prompted(whoami(user(name), groups[0], name))
		if other, _ := prompted(whoami(user(name), groups[1], name)); ok && other == begun {
			same++
		}
		if ok && (browser{user: name}).authorize(user(name), begun) == nil && whoami(user(name), groups[0], name) == nil {
			ended++
		}
	}
	t.Row(fmt.Sprintf("%d users: the replica that did not begin ends the authorization", users),
		fmt.Sprintf("%d ended, %d had one URL on both", ended, same), ended == users && same == users)
	shared(t, as, server, groups, users)
}

// shared: both replicas use and refresh the tokens of the same users across several expiries.
func shared(t *figures.Table, as *authServer, server *resource, groups [2]*mcpgroup.MCPFunctionGroup, users int) {
	const callers = 4
	var done, failed atomic.Int64
	var last atomic.Pointer[error]
	end := time.Now().Add(4 * shortLife)
	var wg sync.WaitGroup
	for u := range users {
		name := fmt.Sprint("user-", u)
		for c := range callers {
			wg.Go(func() {
				for time.Now().Before(end) {
					if err := whoami(user(name), groups[c%2], name); err != nil {
						failed.Add(1)
						last.Store(&err)
					}
					done.Add(1)
					time.Sleep(50 * time.Millisecond)
				}
			})
		}
	}
	wg.Wait()
	c := as.counts()
	t.Row("both refresh the same users' tokens: 0 reuses, 0 failed calls",
		fmt.Sprintf("%d reuses, %d of %d failed, %d refreshes", c.Reuses, failed.Load(), done.Load(), c.Refreshes),
		c.Reuses == 0 && failed.Load() == 0 && c.Refreshes >= 2*users && c.Authorizations == users && server.crossed.Load() == 0)
	t.Note("replicas: two oauth.Clients and groups of one process that share nothing but a store; tokens of %s; errors at the server: %v", shortLife, c.Errors)
	if err := last.Load(); err != nil {
		t.Note("replicas: the last failure: %v", *err)
	}
}
