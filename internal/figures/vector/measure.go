package main

import (
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
)

const (
	// turn is how long an engine runs before the next one does. Its first quarter is not counted: the caches are full of
	// what the others read.
	turn = 6 * time.Millisecond
	// lap is the least time that is measured at once, many times what asking the clock takes.
	lap = 300 * time.Microsecond
)

// A race lets engines take turns.
type race struct {
	rounds  int
	engines []func()
}

// A result holds the time that one search took in each round, for each engine: the median of the laps of its turn, since
// laps in which another process had the core, and then the cache, tell nothing about the engine.
type result [][]time.Duration

func (r race) run() result {
	searches := make([]int, len(r.engines)) // of a lap
	laps := make([]int, len(r.engines))     // of a turn
	for i, search := range r.engines {
		search()
		once := timed(search, 1)
		searches[i] = max(1, int(lap/once))
		laps[i] = max(1, int(turn/(once*time.Duration(searches[i]))))
	}
	res := make(result, len(r.engines))
	runtime.GC()
	for range r.rounds {
		for _, i := range rand.Perm(len(r.engines)) { // none always comes after the one that leaves least in the caches
			search := r.engines[i]
			for range (laps[i] + 3) / 4 {
				timed(search, searches[i])
			}
			times := make([]time.Duration, laps[i])
			for l := range times {
				times[l] = timed(search, searches[i])
			}
			res[i] = append(res[i], figures.Median(times))
		}
	}
	return res
}

// timed returns what one of n searches takes.
func timed(search func(), n int) time.Duration {
	start := now()
	for range n {
		search()
	}
	return max(1, (now()-start)/time.Duration(n))
}

// ratio returns the median over the rounds of the time of engine a in that of engine b.
func (r result) ratio(a, b int) float64 {
	ratios := make([]float64, len(r[a]))
	for i := range ratios {
		ratios[i] = float64(r[a][i]) / float64(r[b][i])
	}
	return figures.Median(ratios)
}

// median returns the median time of an engine.
func (r result) median(engine int) time.Duration {
	return figures.Median(r[engine])
}
