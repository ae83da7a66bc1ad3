package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// crowd: users are prompted while their callers wait.
func crowd(t *figures.Table) {
	as := startAuthServer(time.Hour)
	defer as.stop()
	denials(t, as)
	patience(t, as)
	hundred(t, as)
}

// hundred: as many users arrive at once, several callers each, and all must authorize first.
func hundred(t *figures.Table, as *authServer) {
	const users, callers = 100, 4
	before := as.counts()
	p := newPrompting(as, mcpgroup.ServerConfig{}, func(user, url string) {
		if err := (browser{user: user}).authorize(context.Background(), url); err != nil {
			t.Note("crowd: %v", err)
		}
	})
	defer p.stop()
	var failed atomic.Int64
	var last atomic.Pointer[error]
	var wg sync.WaitGroup
	start := time.Now()
	for u := range users {
		name := fmt.Sprint("user-", u)
		for range callers {
			wg.Go(func() {
				if err := whoami(user(name), p.group, name); err != nil {
					failed.Add(1)
					last.Store(&err)
				}
			})
		}
	}
	wg.Wait()
	took := time.Since(start)
	c := as.counts()
	once := 0
	clients := map[string]bool{}
	for u := range users {
		name := fmt.Sprint("user-", u)
		if seen := c.Users[name]; p.prompted(name) == 1 && seen.Authorizations == 1 {
			once++
			clients[seen.Clients[0]] = true
		}
	}
	registrations := c.Registrations - before.Registrations
	t.Row(fmt.Sprintf("%d users x %d callers at once: 1 prompt and 1 registration each", users, callers),
		fmt.Sprintf("%d users once, %d registrations, %d clients", once, registrations, len(clients)),
		once == users && registrations == users && len(clients) == users)
	t.Row("of these: 0 failed calls, 0 tokens of somebody else",
		fmt.Sprintf("%d of %d failed, %d crossed", failed.Load(), users*callers, p.server.crossed.Load()),
		failed.Load() == 0 && p.server.crossed.Load() == 0 && p.server.calls.Load() == users*callers)
	t.Note("crowd: %s from the first call to the last answer, browsers included", seconds(took))
	if err := last.Load(); err != nil {
		t.Note("crowd: the last failure: %v", *err)
	}
}
