package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

const (
	healthy  = 18
	patience = 500 * time.Millisecond
	// The server that hangs is given up, and tried again, several times while this measures.
	giveUp = 2 * time.Second
)

// neighbours: one of twenty servers accepts connections and never answers, one refuses them. The other eighteen are listed
// and called next to the same eighteen in a registry whose other two are well, and have no tools.
func neighbours(t *figures.Table) {
	var servers []mcpgroup.ServerConfig
	for i := range healthy {
		raw := mcptest.NewRaw(&mcptest.RawOptions{Tools: append(mcptest.BasicTools(), mcptest.ManyTools(8, 4)...), NoJournal: true})
		host := mcptest.Listen(raw)
		defer host.Close()
		servers = append(servers, mcpgroup.ServerConfig{Name: fmt.Sprint("good-", i), URL: host.URL() + "/mcp"})
	}
	hanging := mcptest.NewRaw(nil)
	hanging.Inject(mcptest.NeverAnswer())
	hang, dead := mcptest.Listen(hanging), mcptest.Listen(hanging)
	defer hang.Close()
	defer dead.Close()
	dead.Stop()
	bad := []mcpgroup.ServerConfig{
		{Name: "hanging", URL: hang.URL() + "/mcp", DialTimeout: giveUp / 2, CallTimeout: giveUp},
		{Name: "dead", URL: dead.URL() + "/mcp", DialTimeout: giveUp / 2, CallTimeout: giveUp},
	}
	well := slices.Clone(bad)
	for i := range well {
		host := mcptest.Listen(mcptest.NewRaw(&mcptest.RawOptions{Tools: []mcptest.RawTool{}}))
		defer host.Close()
		well[i].URL = host.URL() + "/mcp"
	}
	opts := &mcpgroup.RegistryOptions{Patience: patience}
	without := newRegistry(append(well, servers...), opts)
	with := newRegistry(append(bad, servers...), opts)
	ctx := user(1)

	start := time.Now()
	first, err := with.List(ctx, mcpgroup.Filter{})
	check(err)
	took := time.Since(start)
	want, err := without.List(ctx, mcpgroup.Filter{})
	check(err)
	t.Row("neighbours: the first listing waits at most Patience, 500 ms",
		fmt.Sprintf("%d ms, %d of %d tools", took.Milliseconds(), first.Total, want.Total),
		took < patience+patience/10 && first.Total == want.Total && want.Total > 0 && len(first.Unavailable) == len(bad))

	list := func(r *mcpgroup.Registry) func(context.Context, int) {
		return func(ctx context.Context, _ int) {
			l, err := r.List(ctx, mcpgroup.Filter{})
			check(err)
			if l.Total != want.Total {
				check(fmt.Errorf("figures-registry: %d tools listed, want %d: %v", l.Total, want.Total, l.Unavailable))
			}
		}
	}
	call := func(r *mcpgroup.Registry) func(context.Context, int) {
		return func(ctx context.Context, i int) {
			_, err := r.Call(ctx, fmt.Sprintf("good-%d.echo", i%healthy), map[string]any{"text": "x"})
			check(err)
		}
	}
	rounds := scaled(4000)
	lists := alternate(ctx, rounds, list(with), list(without))
	slow := lists.over(patience / 2)
	calls := alternate(ctx, rounds, call(with), call(without))
	slow += calls.over(patience / 2)
	t.Row("neighbours: listing the other 18 takes < 5 % longer", lists.String(), lists.added() < 0.05)
	t.Row("neighbours: calling the other 18 takes < 5 % longer", calls.String(), calls.added() < 0.05)
	t.Row("neighbours: nobody waits for the server that hangs again",
		fmt.Sprintf("%d of %d waited, %d connects given up", slow, 2*rounds, hanging.Requests("initialize")+hanging.Requests("server/discover")-1), slow == 0)
	t.Note("neighbours: medians of %d rounds, two registries of 20 servers in turn, %d tools of 18 of them; the server that hangs is given up after %v each time", rounds, want.Total, giveUp)
	check(with.Close())
	check(without.Close())
}

// pair are the durations of the same thing done in two ways.
type pair struct{ a, b []time.Duration }

// alternate does a and b in turn, and pauses in between for other things to happen.
func alternate(ctx context.Context, rounds int, a, b func(context.Context, int)) pair {
	var p pair
	timed := func(to *[]time.Duration, f func(context.Context, int), i int) {
		start := time.Now()
		f(ctx, i)
		*to = append(*to, time.Since(start))
	}
	for i := range rounds {
		if i%2 == 0 {
			timed(&p.a, a, i)
			timed(&p.b, b, i)
		} else {
			timed(&p.b, b, i)
			timed(&p.a, a, i)
		}
		time.Sleep(time.Millisecond)
	}
	return p
}

// added is how much longer a takes than b, as a fraction.
func (p pair) added() float64 { return float64(figures.Median(p.a))/float64(figures.Median(p.b)) - 1 }

// over counts how often a took longer than d.
func (p pair) over(d time.Duration) int {
	n := 0
	for _, took := range p.a {
		if took > d {
			n++
		}
	}
	return n
}

func (p pair) String() string {
	return fmt.Sprintf("%+.1f %%, %d us next to %d us", 100*p.added(), figures.Median(p.a).Microseconds(), figures.Median(p.b).Microseconds())
}
