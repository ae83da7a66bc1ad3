package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

const (
	callers = 16
	users   = 2
)

// reloads: a fleet is configured anew a thousand times while sixteen callers use it. Each time half of the servers
// change, and some that come and go come or go.
func reloads(t *figures.Table) {
	f := newYard()
	defer f.close()
	before, files := mcptest.Goroutines(), mcptest.OpenFiles()
	reg := newRegistry(f.config(), &mcpgroup.RegistryOptions{Patience: 20 * time.Second})
	for u := range users {
		for _, s := range f.all {
			if !s.guest {
				clientOf(user(u), reg, s.name)
			}
		}
	}

	l := &load{yard: f, reg: reg, calls: make([]atomic.Int64, callers)}
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() { l.run(c) })
	}
	n := scaled(1000)
	start := time.Now()
	wrong, kept, groups := f.reload(n, reg, l)
	took := time.Since(start)
	l.stop.Store(true)
	wg.Wait()

	want := f.processes()
	settled := eventually(20*time.Second, func() bool { return len(mcptest.Children()) <= want })
	live := len(mcptest.Children())
	check(reg.Close())
	var orphans []mcptest.Process
	eventually(time.Second, func() bool { // what has been killed takes a moment to go
		orphans = mcptest.Processes(func(p mcptest.Process) bool {
			dead := p.State == "Z" && p.Parent != os.Getpid() // for the system's first process to bury
			return p.Parent == os.Getpid() || slices.Contains(groups, p.Group) && !dead
		})
		return len(orphans) == 0
	})
	for _, p := range orphans {
		t.Note("R8: left: %+v", p)
	}
	after := mcptest.Goroutines()

	t.Row(fmt.Sprintf("R8: %d reloads under %d callers: each changes what it should", n, callers), fmt.Sprintf("%d did not", wrong), wrong == 0)
	t.Row("R8: 0 failed calls on unchanged servers", l.unchanged.String(), l.unchanged.ok())
	t.Row("R8: 0 failed calls on servers that change under them", l.changing.String(), l.changing.ok())
	t.Row("R8: 0 failed calls by name or of listed tools, 0 lists with a gap", l.listed.String(), l.listed.ok())
	t.Row("R8: calls after a reload get the new server, never the old", fmt.Sprintf("%d of %d did not", l.stale.Load(), l.dated.Load()),
		l.stale.Load() == 0 && l.dated.Load() > 0)
	t.Row("R8: unchanged servers keep their group and their client", fmt.Sprintf("%d of %d did not", kept.lost, kept.looked), kept.lost == 0 && kept.looked > 0)
	t.Row("R8: 0 processes are left, of all that were started", fmt.Sprintf("%d of %d groups, %d while it runs", len(orphans), len(groups), live),
		len(orphans) == 0 && settled && len(groups) > n/10)
	t.Row("R8: goroutines and descriptors as before", fmt.Sprintf("%+d, %+d", after-before, mcptest.OpenFiles()-files),
		after <= before && mcptest.OpenFiles() <= files)
	l.first.Range(func(_, text any) bool {
		t.Note("R8: %v", text)
		return true
	})
	t.Note("R8: %.0f s; %d HTTP, %d stdio and %d in-memory servers and %d that come and go, %d users", took.Seconds(), remotes, children, locals, guests, users)
	t.Note("R8: a server changes under a call if a reload that replaces it begins or ends while the call runs")
}

// held counts what servers that did not change kept.
type held struct{ looked, lost int }

// reload configures the fleet anew n times. It returns how often that did not change what it should, what became of the
// groups and clients of servers that did not change, and the process groups of all children it saw.
func (y *yard) reload(n int, reg *mcpgroup.Registry, l *load) (wrong int, kept held, groups []int) {
	ctx := user(0)
	for range n {
		var want mcpgroup.Diff
		var changed []*vehicle
		group, client := map[string]*mcpgroup.MCPFunctionGroup{}, map[string]*mcp.ClientSession{}
		half := y.half()
		for _, v := range y.all {
			was := v.here
			v.here = !v.guest || rand.IntN(2) == 0
			switch {
			case was && !v.here:
				want.Removed = append(want.Removed, v.name)
			case v.here && !was:
				want.Added = append(want.Added, v.name)
			case v.here && slices.Contains(half, v):
				want.Updated = append(want.Updated, v.name)
				v.cfg = v.make(int(v.begun.Add(1)))
				changed = append(changed, v)
			case v.here:
				want.Unchanged = append(want.Unchanged, v.name)
				client[v.name] = clientOf(ctx, reg, v.name)
				group[v.name], _ = reg.Get(v.name)
			}
		}
		diff, err := reg.Reload(context.Background(), &mcpgroup.Config{Servers: y.config()})
		for _, v := range changed {
			v.ended.Add(1)
		}
		if err != nil || !slices.Equal(diff.Added, want.Added) || !slices.Equal(diff.Removed, want.Removed) ||
			!slices.Equal(diff.Updated, want.Updated) || !slices.Equal(diff.Unchanged, want.Unchanged) {
			wrong++
			l.note("a reload", fmt.Errorf("%+v instead of %+v, error %w", diff, want, err))
		}
		for name, before := range client {
			kept.looked++
			if g, err := reg.Get(name); err != nil || g != group[name] || clientOf(ctx, reg, name) != before {
				kept.lost++
			}
		}
		l.wait()
		if !slices.ContainsFunc(changed, func(v *vehicle) bool { return v.child }) {
			continue
		}
		for _, p := range mcptest.Children() {
			if p.PID == p.Group && !slices.Contains(groups, p.Group) { // one that is being started is in our group still
				groups = append(groups, p.Group)
			}
		}
	}
	return wrong, kept, groups
}
