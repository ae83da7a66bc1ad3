package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// isolation: every user calls every server, in no order, while tokens expire.
func isolation(t *figures.Table) {
	as := newLocalAS(time.Hour)
	defer as.close()
	w := newWorld(as)
	defer w.close()
	contexts := make([]context.Context, worldUsers)
	for u := range contexts {
		contexts[u] = w.context(u)
	}
	var next, failed, lists, badLists atomic.Int64
	var last atomic.Pointer[error]
	fail := func(err error) {
		failed.Add(1)
		last.Store(&err)
	}
	total := int64(*calls)
	start := time.Now()
	var wg sync.WaitGroup
	for worker := range worldWorkers {
		rnd := rand.New(rand.NewPCG(4, uint64(worker)))
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > total {
					return
				}
				if n == total/2 {
					as.expire()
				}
				// Every user meets every server once before chance decides.
				u, i := int(n)%worldUsers, int(n)/worldUsers%worldServers
				if n > worldUsers*worldServers {
					u, i = rnd.IntN(worldUsers), rnd.IntN(worldServers)
				}
				ctx, g := contexts[u], w.groups[i]
				if err := whoami(ctx, g, worldUser(u)); err != nil {
					fail(fmt.Errorf("%s at %s: %w", worldUser(u), serverName(i), err))
				}
				if n%10 == 0 {
					lists.Add(1)
					if names, err := toolNames(ctx, g, n%20 == 0); err != nil {
						fail(err)
					} else if !slices.Equal(names, []string{"only_" + worldUser(u), "whoami"}) {
						badLists.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	crossed := w.crossed.Load()
	t.Row(fmt.Sprintf("S4: %d users x %d servers: 0 foreign tokens", worldUsers, worldServers),
		fmt.Sprintf("%d of %d calls crossed, %d for another server", crossed, w.ran.Load(), w.foreign.Load()),
		crossed == 0 && w.foreign.Load() == 0 && w.ran.Load() >= total)
	t.Row("S4: 0 failed calls, all tokens expiring once on the way", fmt.Sprintf("%d of %d failed, %d refreshes", failed.Load(), total, as.counts().Refreshes),
		failed.Load() == 0 && as.counts().Refreshes > 0 && as.counts().Reuses == 0)
	t.Row("S4: private lists are their user's own", fmt.Sprintf("%d of %d lists wrong", badLists.Load(), lists.Load()), badLists.Load() == 0 && lists.Load() > 0)
	noJar := auth.Operator().Client().Jar == nil && auth.Public().Client().Jar == nil
	t.Row("S4: no cookie is kept", fmt.Sprintf("%d requests brought one, jar nil: %v", w.cookies.Load(), noJar), w.cookies.Load() == 0 && noJar)
	t.Note("S4: -calls %d; %d callers at once, %s; a quarter of the servers each with request values, ids of a store, agent mappings and OAuth; half of them without sessions (MCP 2026-07-28), half of these shared by all users",
		total, worldWorkers, seconds(took))
	if err := last.Load(); err != nil {
		t.Note("S4: the last failure: %v", *err)
	}
}

// toolNames returns what a context sees of a group, sorted.
func toolNames(ctx context.Context, g *mcpgroup.MCPFunctionGroup, refresh bool) ([]string, error) {
	var opts []mcpgroup.ListOption
	if refresh {
		opts = append(opts, mcpgroup.WithRefresh())
	}
	tools, err := g.Tools(ctx, opts...)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, tool := range tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return names, nil
}
