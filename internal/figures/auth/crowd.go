package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// crowd: a hundred users arrive at once, several callers each, and all must authorize first.
func crowd(t *figures.Table) {
	const users, callers = 100, 4
	as := startAuthServer(time.Hour)
	defer as.stop()
	denials(t, as)
	before := as.counts()
	server := newResource(as.issuer, true, verifier)
	defer server.close()
	home := newSite(tenant)
	defer home.close()
	var mu sync.Mutex
	prompts := map[string]int{}
	var visits sync.WaitGroup
	client := newClient(oauth.Config{Resource: server.url, Grant: &oauth.AuthorizationCode{
		RedirectURL: home.redirectURL(),
		Prompt: func(_ context.Context, e *auth.AuthRequiredError) error {
			mu.Lock()
			prompts[e.User.User]++
			mu.Unlock()
			visits.Go(func() {
				if err := (browser{user: e.User.User}).authorize(context.Background(), e.URL); err != nil {
					t.Note("crowd: %v", err)
				}
			})
			return nil
		},
	}})
	defer client.Close()
	home.serve(client.Callback(nil))
	g := newGroup(server.url, auth.ChainConfig{OAuth: client}, mcpgroup.ServerConfig{CallTimeout: 2 * time.Minute, DialTimeout: time.Minute}, mcpgroup.Options{})
	defer g.Close()
	var failed atomic.Int64
	var last atomic.Pointer[error]
	var wg sync.WaitGroup
	start := time.Now()
	for u := range users {
		name := fmt.Sprint("user-", u)
		for range callers {
			wg.Go(func() {
				if err := whoami(user(name), g, name); err != nil {
					failed.Add(1)
					last.Store(&err)
				}
			})
		}
	}
	wg.Wait()
	visits.Wait()
	took := time.Since(start)
	c := as.counts()
	once := 0
	clients := map[string]bool{}
	for u := range users {
		name := fmt.Sprint("user-", u)
		seen := c.Users[name]
		if prompts[name] == 1 && seen.Authorizations == 1 {
			once++
			clients[seen.Clients[0]] = true
		}
	}
	registrations := c.Registrations - before.Registrations
	t.Row(fmt.Sprintf("%d users x %d callers at once: 1 prompt and 1 registration each", users, callers),
		fmt.Sprintf("%d users once, %d registrations, %d clients", once, registrations, len(clients)),
		once == users && registrations == users && len(clients) == users)
	t.Row("of these: 0 failed calls, 0 tokens of somebody else",
		fmt.Sprintf("%d of %d failed, %d crossed", failed.Load(), users*callers, server.crossed.Load()),
		failed.Load() == 0 && server.crossed.Load() == 0 && server.calls.Load() == users*callers)
	t.Note("crowd: %s from the first call to the last answer, browsers included", seconds(took))
	if err := last.Load(); err != nil {
		t.Note("crowd: the last failure: %v", *err)
	}
}

// replicas: two processes' worth of clients share a store. Whoever began an authorization, the other ends it.
func replicas(t *figures.Table) {
	const users, callers = 20, 4
	as := startAuthServer(shortLife)
	defer as.stop()
	server := newResource(as.issuer, true, verifier)
	defer server.close()
	home := newSite(tenant) // the address that a load balancer has
	defer home.close()
	store := auth.NewMemoryStore()
	replica := func() (*oauth.Client, *mcpgroup.MCPFunctionGroup) {
		c := newClient(oauth.Config{Resource: server.url, Store: store, Grant: &oauth.AuthorizationCode{RedirectURL: home.redirectURL()}})
		return c, newGroup(server.url, auth.ChainConfig{OAuth: c}, mcpgroup.ServerConfig{}, mcpgroup.Options{})
	}
	first, groupOfFirst := replica()
	second, groupOfSecond := replica()
	defer func() {
		groupOfFirst.Close()
		groupOfSecond.Close()
		first.Close()
		second.Close()
	}()
	home.serve(second.Callback(nil))
	same, ended := 0, 0
	for u := range users {
		name := fmt.Sprint("user-", u)
		begun, ok := prompted(whoami(user(name), groupOfFirst, name))
		if other, _ := prompted(whoami(user(name), groupOfSecond, name)); ok && other == begun {
			same++
		}
		if ok && (browser{user: name}).authorize(user(name), begun) == nil && whoami(user(name), groupOfFirst, name) == nil {
			ended++
		}
	}
	t.Row(fmt.Sprintf("%d users: the replica that did not begin ends the authorization", users),
		fmt.Sprintf("%d ended, %d had one URL on both", ended, same), ended == users && same == users)

	var done, failed atomic.Int64
	var last atomic.Pointer[error]
	end := time.Now().Add(4 * shortLife)
	var wg sync.WaitGroup
	for u := range users {
		name := fmt.Sprint("user-", u)
		for c := range callers {
			g := groupOfFirst
			if c%2 == 1 {
				g = groupOfSecond
			}
			wg.Go(func() {
				for time.Now().Before(end) {
					if err := whoami(user(name), g, name); err != nil {
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
