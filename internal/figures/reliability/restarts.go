package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// restarts: a server forgets its sessions, or dies and comes back, under 64 callers of one user.
func restarts(t *figures.Table) {
	restartsUnderLoad(t, "forgets its sessions", 40, func(l *lab) { l.Restart() })
	restartsUnderLoad(t, "is a new process", 20, func(l *lab) {
		l.host.Stop()
		l.Restart()
		time.Sleep(20 * time.Millisecond)
		check(l.host.Start())
	})
	neighbour(t)
}

func restartsUnderLoad(t *figures.Table, what string, times int, restart func(*lab)) {
	const callers, dialTimeout = 64, 2 * time.Second
	l := newLab(mcptest.NewRaw(nil), mcpgroup.ServerConfig{DialTimeout: dialTimeout}, nil)
	defer l.close()
	ctx := user(1)
	check(echo(ctx, l.group))
	before := l.Initializes()
	var ended atomic.Bool
	var mu sync.Mutex
	var longest time.Duration
	all := newOutcomes()
	var wg sync.WaitGroup
	for w := range callers {
		wg.Go(func() {
			mine, slowest := newOutcomes(), time.Duration(0)
			for i := 0; !ended.Load(); i++ {
				k := fmt.Sprint("inc-", w, "-", i)
				start := time.Now()
				_, err := l.group.Call(ctx, "inc", key(k))
				slowest = max(slowest, time.Since(start))
				mine.add(k, err)
				time.Sleep(5 * time.Millisecond) // callers of a whole process are not a busy loop
			}
			mu.Lock()
			defer mu.Unlock()
			all.merge(mine)
			longest = max(longest, slowest)
		})
	}
	for range times {
		// A restart that comes before the one ahead of it was noticed is none of its own.
		connects := l.Initializes()
		restart(l)
		eventually(5*time.Second, func() bool { return l.Initializes() > connects })
		time.Sleep(150 * time.Millisecond)
	}
	ended.Store(true)
	wg.Wait()
	ran := l.Keys()
	reconnects := l.Initializes() - before
	refused := len(all.notSent) + len(all.failed) + len(all.untyped)
	t.Row(fmt.Sprintf("R7: server %s under %d callers: 1 reconnect", what, callers),
		fmt.Sprintf("%d reconnects in %d restarts", reconnects, times), reconnects == times)
	t.Row(fmt.Sprintf("R7: server %s: no wait > DialTimeout (2 s), once each", what),
		fmt.Sprintf("%s at most, %d ran twice, %d refuted", seconds(longest), twice(ran, ""), all.wrong(ran)),
		longest <= dialTimeout && twice(ran, "") == 0 && all.wrong(ran) == 0)
	t.Row(fmt.Sprintf("R7: server %s: no caller is refused meanwhile", what),
		fmt.Sprintf("%d of %d refused", refused, len(all.acked)+len(all.unknown)+refused), refused == 0)
	t.Note("R7, server %s: %d calls acknowledged, %d unknown, %d refused: not sent, and not repeated within the window of 5 s", what, len(all.acked), len(all.unknown), refused)
	for text, n := range all.refusals {
		t.Note("R7, server %s: %d refused with: %.300s", what, n, text)
	}
}

// neighbour: p99 of calls to one server while another restarts twenty times per second, and while it does not. Both
// servers have the same callers all the time.
func neighbour(t *figures.Table) {
	const blocks, perBlock, slice, callers = 16, 5, 200 * time.Millisecond, 4
	bad := newLab(mcptest.NewRaw(&mcptest.RawOptions{NoJournal: true}), mcpgroup.ServerConfig{Name: "bad"}, nil)
	defer bad.close()
	good := newLab(mcptest.NewRaw(&mcptest.RawOptions{NoJournal: true}), mcpgroup.ServerConfig{Name: "good"}, nil)
	defer good.close()
	ctx := user(1)
	check(echo(ctx, bad.group))
	check(echo(ctx, good.group))

	restarting := make(chan bool)
	life, cancel := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		on := false
		for {
			select {
			case <-life.Done():
				return
			case on = <-restarting:
			case <-tick.C:
				if on {
					bad.Restart()
				}
			}
		}
	})
	var badFailed atomic.Int64
	for range callers {
		background.Go(func() {
			for life.Err() == nil {
				if echo(ctx, bad.group) != nil {
					badFailed.Add(1)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	measure := func(into *[]time.Duration) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				var mine []time.Duration
				for end := time.Now().Add(slice); time.Now().Before(end); time.Sleep(500 * time.Microsecond) {
					start := time.Now()
					check(echo(ctx, good.group))
					mine = append(mine, time.Since(start))
				}
				mu.Lock()
				defer mu.Unlock()
				*into = append(*into, mine...)
			})
		}
		wg.Wait()
	}
	const without, with, control = 0, 1, 2
	var p99 [3][]float64
	calls := 0
	for range blocks {
		var took [3][]time.Duration
		for range perBlock {
			for _, kind := range rand.Perm(len(took)) { // no kind is always first
				restarting <- kind == with
				measure(&took[kind])
			}
		}
		for kind := range took {
			slices.Sort(took[kind])
			calls += len(took[kind])
			p99[kind] = append(p99[kind], float64(took[kind][len(took[kind])*99/100]))
		}
	}
	restarts := bad.Initializes() - 1
	cancel()
	background.Wait()
	ratios := func(kind int) []float64 {
		r := make([]float64, blocks)
		for i := range r {
			r[i] = p99[kind][i]/p99[without][i] - 1
		}
		slices.Sort(r)
		return r
	}
	change, noise := ratios(with), ratios(control)
	t.Row("R7: another server's p99 stays within 10 % of that without",
		fmt.Sprintf("%+.1f %% (%s with, %s without)", 100*figures.Median(change), millis(time.Duration(figures.Median(p99[with]))), millis(time.Duration(figures.Median(p99[without])))),
		math.Abs(figures.Median(change)) <= 0.1 && good.Initializes() == 1 && restarts > blocks)
	t.Note("R7: the other server's p99: median of %d blocks of %d slices of %v of each kind, %d calls, %d restarts; quartiles of the blocks %+.0f and %+.0f %%; %d calls to the restarting server failed",
		blocks, perBlock, slice, calls, restarts, 100*change[blocks/4], 100*change[blocks*3/4], badFailed.Load())
	t.Note("R7: the noise of that figure: slices without restarts against others without: %+.1f %%, quartiles %+.0f and %+.0f %%",
		100*figures.Median(noise), 100*noise[blocks/4], 100*noise[blocks*3/4])
}
