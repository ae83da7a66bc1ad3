package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// prompting is a group whose users are prompted while their callers wait.
type prompting struct {
	server  *resource
	group   *mcpgroup.MCPFunctionGroup
	visits  sync.WaitGroup
	stop    func()
	prompts sync.Map // *atomic.Int64 by user
}

// newPrompting makes the group; react is what a user's browser does when prompted.
func newPrompting(as *authServer, cfg mcpgroup.ServerConfig, react func(user, url string)) *prompting {
	p := &prompting{server: newResource(as.issuer, true, verifier)}
	home := newSite(tenant)
	client := newClient(oauth.Config{Resource: p.server.url, Grant: &oauth.AuthorizationCode{
		RedirectURL: home.redirectURL(),
		Prompt: func(_ context.Context, e *auth.AuthRequiredError) error {
			n, _ := p.prompts.LoadOrStore(e.User.User, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
			p.visits.Go(func() { react(e.User.User, e.URL) })
			return nil
		},
	}})
	home.serve(client.Callback(nil))
	p.group = newGroup(p.server.url, auth.ChainConfig{OAuth: client}, cfg, mcpgroup.Options{})
	p.stop = func() {
		p.group.Close()
		client.Close()
		p.visits.Wait()
		home.close()
		p.server.close()
	}
	return p
}

// prompted returns how often a user was prompted.
func (p *prompting) prompted(user string) int64 {
	n, ok := p.prompts.Load(user)
	if !ok {
		return 0
	}
	return n.(*atomic.Int64).Load()
}

// denials: the callers wait for the user, who says no.
func denials(t *figures.Table, as *authServer) {
	p := newPrompting(as, mcpgroup.ServerConfig{}, func(user, url string) {
		browser{user: user, denies: true}.visit(context.Background(), url)
	})
	defer p.stop()
	const callers = 5
	var typed atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range callers {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(user("dave"), 10*time.Second)
			defer cancel()
			var refusal *oauth.ResponseError
			if errors.As(whoami(ctx, p.group, "dave"), &refusal) && refusal.Code == "access_denied" {
				typed.Add(1)
			}
		})
	}
	wg.Wait()
	t.Row(fmt.Sprintf("a denial ends the wait of all %d callers, typed; the user is asked once", callers),
		fmt.Sprintf("%d told, %d prompts, %s", typed.Load(), p.prompted("dave"), seconds(time.Since(start))),
		typed.Load() == callers && p.prompted("dave") == 1)
}

// patience: the user takes longer than a connect may.
func patience(t *figures.Table, as *authServer) {
	const connect, thinks = time.Second, 3 * time.Second
	p := newPrompting(as, mcpgroup.ServerConfig{DialTimeout: connect}, func(user, url string) {
		time.Sleep(thinks)
		browser{user: user}.authorize(context.Background(), url)
	})
	defer p.stop()
	var failed, done int
	for end := time.Now().Add(thinks + connect); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(user("erin"), 10*time.Second)
		if whoami(ctx, p.group, "erin") != nil {
			failed++
		} else {
			done++
		}
		cancel()
		time.Sleep(50 * time.Millisecond)
	}
	err := whoami(user("erin"), p.group, "erin")
	t.Row("a user who takes 3 s, connects of 1 s: asked once, callers wait",
		fmt.Sprintf("%d prompts, %d calls failed before %d worked", p.prompted("erin"), failed, done), p.prompted("erin") == 1 && err == nil && failed == 0)
}
