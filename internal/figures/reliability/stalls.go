package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

const (
	stallDeadline = 500 * time.Millisecond
	stallGrace    = 100 * time.Millisecond
)

// stallAttacks are the faults that try to keep a call from returning.
var stallAttacks = []string{"endless pings after the answer", "retry in an hour", "one byte per second", "headers never flushed"}

// stalls: servers that answer late, slowly or never, and that never stop.
func stalls(t *figures.Table) {
	for _, name := range stallAttacks {
		l := newLab(mcptest.NewHostile(nil, nil), mcpgroup.ServerConfig{}, nil)
		l.SetIntercept(nil)
		check(echo(user(1), l.group))
		l.Inject(faultNamed(name))
		stall(t, name, func(ctx context.Context, i int) error {
			_, err := l.group.Call(ctx, mcptest.AttackTool, key(fmt.Sprint(i)))
			return err
		})
		l.SetIntercept(nil)
		l.close()
	}
	l := newLab(mcptest.NewRaw(nil), mcpgroup.ServerConfig{}, nil)
	l.SetHangInitialize(true)
	stall(t, "a connect that hangs", func(ctx context.Context, _ int) error { return echo(ctx, l.group) })
	l.close()
	for _, mode := range []string{"hang", "deaf"} {
		g := newGroup(child(mode, map[string]string{mcptest.EnvLifetime: "30s"}), nil)
		stall(t, "stdio server "+mode, func(ctx context.Context, _ int) error { return echo(ctx, g) })
		check(g.Close())
	}
	pings(t)
}

// stall makes eight calls with a deadline.
func stall(t *figures.Table, name string, call func(ctx context.Context, i int) error) {
	var mu sync.Mutex
	var slowest time.Duration
	failed := 0
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(user(1), stallDeadline)
			defer cancel()
			start := time.Now()
			err := call(ctx, i)
			took := time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, took)
			if err != nil {
				failed++
			}
		})
	}
	wg.Wait()
	t.Row("S12: "+name+": back by its deadline (0.5 s) + 100 ms",
		fmt.Sprintf("%s, %d of 8 failed", millis(slowest), failed), slowest <= stallDeadline+stallGrace)
}

// pings: a thousand calls whose answers are followed by comments without end.
func pings(t *figures.Table) {
	const calls = 1000
	l := newLab(mcptest.NewRaw(nil), mcpgroup.ServerConfig{}, nil)
	defer l.close()
	ctx := user(1)
	l.Inject(mcptest.OnTool("echo", mcptest.EndlessPings(time.Millisecond)))
	check(echo(ctx, l.group))
	before := mcptest.Goroutines()
	failed := 0
	for range calls {
		if echo(ctx, l.group) != nil {
			failed++
		}
	}
	more := mcptest.Goroutines() - before
	t.Row("S12: 1,000 calls answered with endless pings: <= 10 goroutines more",
		fmt.Sprintf("%+d, %d calls failed", more, failed), more <= 10 && failed == 0)
}
