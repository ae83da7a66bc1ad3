package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/session"
)

// A twin is the least that a keyed pool of counted values can do: it neither opens nor closes anything.
type twin struct {
	mu      sync.RWMutex
	entries map[session.ID]*twinEntry
}

type twinEntry struct {
	refs  atomic.Int64
	value *client
}

func (t *twin) acquire(id session.ID) *twinEntry {
	t.mu.RLock()
	e := t.entries[id]
	if e != nil {
		e.refs.Add(1)
	}
	t.mu.RUnlock()
	return e
}

func (e *twinEntry) release() { e.refs.Add(-1) }

const (
	rounds  = 301
	perSide = 20_000 // acquires per side and round
)

func allocations(t *figures.Table) {
	m := newMap(new(counts), nil)
	defer m.Close()
	ctx, id := context.Background(), idOf("alice")
	n := testing.AllocsPerRun(10_000, func() { use(ctx, m, id) })
	t.Row("taking and returning a warm session allocates nothing", fmt.Sprintf("%v allocations", n), n == 0)
}

func use(ctx context.Context, m *session.Map[*client], id session.ID) {
	r, err := m.Acquire(ctx, id)
	check(err)
	r.Release()
}

func ratios(t *figures.Table) {
	for _, sessions := range []int{10, 10_000} {
		for _, goroutines := range []int{1, 8, 64} {
			ratio, mine, twins := compare(sessions, goroutines)
			t.Row(fmt.Sprintf("at most 1.5 times a plain map: %d sessions, %d goroutines", sessions, goroutines),
				fmt.Sprintf("%.2f (%.0f ns to %.0f ns)", ratio, mine, twins), ratio <= 1.5)
		}
	}
	t.Note("the plain map is a sync.RWMutex, a map[session.ID] and an atomic counter; each ratio is the median of the ratios of %d rounds, in which both sides take and return %d sessions by turns", rounds, perSide)
}

// compare returns the median ratio and the median nanoseconds of both sides.
func compare(sessions, goroutines int) (ratio, mine, twins float64) {
	m := newMap(new(counts), nil)
	defer m.Close()
	tw := &twin{entries: make(map[session.ID]*twinEntry)}
	ctx := context.Background()
	ids := make([]session.ID, sessions)
	for i := range ids {
		ids[i] = idOf(fmt.Sprint("user-", i))
		use(ctx, m, ids[i])
		tw.entries[ids[i]] = &twinEntry{value: new(client)}
	}
	sides := [2]func(from, n int){
		func(from, n int) {
			for i := range n {
				r, err := m.Acquire(ctx, ids[(from+i)%len(ids)])
				check(err)
				r.Release()
			}
		},
		func(from, n int) {
			for i := range n {
				tw.acquire(ids[(from+i)%len(ids)]).release()
			}
		},
	}
	var times [2][]float64
	var all []float64
	for round := range rounds {
		var took [2]float64
		for i := range sides {
			side := (i + round) % 2 // neither always comes first
			took[side] = spread(goroutines, sides[side])
			times[side] = append(times[side], took[side])
		}
		all = append(all, took[0]/took[1])
	}
	return figures.Median(all), figures.Median(times[0]), figures.Median(times[1])
}

// spread runs one side on some goroutines and returns the nanoseconds per acquire.
func spread(goroutines int, side func(from, n int)) float64 {
	var wg sync.WaitGroup
	start := time.Now()
	for g := range goroutines {
		wg.Go(func() { side(g*7919, perSide/goroutines) })
	}
	wg.Wait()
	return float64(time.Since(start).Nanoseconds()) / float64(perSide/goroutines*goroutines)
}
