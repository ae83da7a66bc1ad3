package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	sdkauth "github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// bench is one MCP server behind an authorization server of this process, and a group whose user alice is authorized.
type bench struct {
	as     *localAS
	server *resource
	client *oauth.Client
	group  *mcpgroup.MCPFunctionGroup
	stop   func()

	// barrier, if set, holds refusals back until that many requests were refused.
	barrier atomic.Pointer[barrier]
}

type barrier struct {
	wait sync.WaitGroup
	left atomic.Int64
}

func newBench(life time.Duration) *bench {
	b := &bench{as: newLocalAS(life)}
	b.server = newResource(b.as.issuer(), true, b.verifier)
	home := newSite(tenant)
	b.client = newClient(oauth.Config{Resource: b.server.url, Grant: &oauth.AuthorizationCode{RedirectURL: home.redirectURL()}})
	home.serve(b.client.Callback(nil))
	b.group = newGroup(b.server.url, auth.ChainConfig{OAuth: b.client}, mcpgroup.ServerConfig{}, mcpgroup.Options{})
	b.stop = func() {
		b.group.Close()
		b.client.Close()
		home.close()
		b.server.close()
		b.as.close()
	}
	b.login("alice")
	return b
}

// login makes the user authorize.
func (b *bench) login(name string) {
	url, ok := prompted(whoami(user(name), b.group, name))
	if !ok {
		check(errors.New("the first call did not ask for an authorization"))
	}
	check(browser{user: name}.authorize(context.Background(), url))
	check(whoami(user(name), b.group, name))
}

func (b *bench) verifier(issuer, resource string) sdkauth.TokenVerifier {
	verify := b.as.verifier(issuer, resource)
	return func(ctx context.Context, token string, r *http.Request) (*sdkauth.TokenInfo, error) {
		info, err := verify(ctx, token, r)
		if held := b.barrier.Load(); held != nil && err != nil && held.left.Add(-1) >= 0 {
			held.wait.Done()
			held.wait.Wait()
		}
		return info, err
	}
}

// parallel: what callers of one user have to do with each other.
func parallel(t *figures.Table) {
	naps(t)
	storm(t)
	revoked(t)
	slowRefresh(t)
}

func naps(t *figures.Table) {
	const callers = 8
	b := newBench(time.Hour)
	defer b.stop()
	_, err := b.group.Tools(user("alice"))
	check(err)
	var failed atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range callers {
		wg.Go(func() {
			if _, err := b.group.Call(user("alice"), "nap", nil); err != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	t.Row(fmt.Sprintf("%d authorized calls of 0.5 s at once take < 0.6 s", callers), fmt.Sprintf("%s, %d failed", seconds(took), failed.Load()),
		failed.Load() == 0 && took < 600*time.Millisecond && took >= napTime)
}

// storm: the token of a hundred calls under way is refused; none is told before all have been refused.
func storm(t *figures.Table) {
	const callers = 100
	b := newBench(time.Hour)
	defer b.stop()
	before, refused := b.as.counts(), b.server.refused.Load()
	b.as.expire()
	held := &barrier{}
	held.wait.Add(callers)
	held.left.Store(callers)
	b.barrier.Store(held)
	var failed atomic.Int64
	var last atomic.Pointer[error]
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(user("alice"), 20*time.Second)
			defer cancel()
			if err := whoami(ctx, b.group, "alice"); err != nil {
				failed.Add(1)
				last.Store(&err)
			}
		})
	}
	wg.Wait()
	c := b.as.counts()
	refreshes := c.Refreshes - before.Refreshes
	t.Row(fmt.Sprintf("%d calls refused at once: 1 refresh, 0 failed", callers),
		fmt.Sprintf("%d refused, %d refresh, %d failed", b.server.refused.Load()-refused, refreshes, failed.Load()),
		b.server.refused.Load()-refused == callers && refreshes == 1 && failed.Load() == 0 && c.Reuses == 0 && c.Authorizations == before.Authorizations)
	if err := last.Load(); err != nil {
		t.Note("refused at once: the last failure: %v", *err)
	}
}

// revoked: the server takes back one access token after the other, long before their end, and each works until then.
func revoked(t *figures.Table) {
	const times = 4
	b := newBench(time.Hour)
	defer b.stop()
	before := b.as.counts()
	failed := 0
	for range times {
		b.as.expire()
		for range 3 {
			if whoami(user("alice"), b.group, "alice") != nil {
				failed++
			}
		}
	}
	c := b.as.counts()
	t.Row(fmt.Sprintf("%d tokens in a row end early: as many refreshes, 0 failed calls", times),
		fmt.Sprintf("%d refreshes, %d of %d failed", c.Refreshes-before.Refreshes, failed, 3*times),
		c.Refreshes == before.Refreshes+times && failed == 0 && c.Authorizations == before.Authorizations)
}

// slowRefresh: the token endpoint takes its time while the token in use is still good.
func slowRefresh(t *figures.Table) {
	const life, slow = 5 * time.Second, 700 * time.Millisecond
	b := newBench(life)
	defer b.stop()
	before := b.as.counts()
	began := make(chan struct{}, 100)
	b.as.hook(hooks{answer: func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			began <- struct{}{}
			time.Sleep(slow)
		}
		return false
	}})
	var slowest time.Duration
	var failed, n int
	for end := time.Now().Add(life + 500*time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		start := time.Now()
		if whoami(user("alice"), b.group, "alice") != nil {
			failed++
		}
		slowest = max(slowest, time.Since(start))
		n++
	}
	c := b.as.counts()
	t.Row("a refresh of 0.7 s that is not due yet delays no call by 0.2 s",
		fmt.Sprintf("slowest of %d: %s, %d refresh, %d failed", n, seconds(slowest), c.Refreshes-before.Refreshes, failed),
		slowest < 200*time.Millisecond && failed == 0 && c.Refreshes == before.Refreshes+1 && len(began) == 1)
}
