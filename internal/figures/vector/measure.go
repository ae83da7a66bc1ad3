package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
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

// A result holds what one search took in each lap that counts, for each engine.
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
			for range laps[i] {
				res[i] = append(res[i], timed(search, searches[i]))
			}
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

// fastest returns what a search took in the fastest lap of an engine. Others on the machine take memory bandwidth and room
// in the shared cache, which only ever adds to a lap, and more to that of an engine which waits for memory: the fastest lap
// is the one that they disturbed least, and the only one that comes out the same from hour to hour.
func (r result) fastest(engine int) time.Duration { return slices.Min(r[engine]) }

// typical returns the median over the laps.
func (r result) typical(engine int) time.Duration { return figures.Median(r[engine]) }

// ratio returns the time of engine a in that of engine b, of their fastest laps.
func (r result) ratio(a, b int) float64 {
	return float64(r.fastest(a)) / float64(r.fastest(b))
}

// typicalRatio returns the time of engine a in that of engine b, of their median laps.
func (r result) typicalRatio(a, b int) float64 {
	return float64(r.typical(a)) / float64(r.typical(b))
}

// got writes the ratio of a to b for the table.
func (r result) got(a, b int) string {
	return fmt.Sprintf("%.2f times (%v to %v), typically %.2f", r.ratio(a, b), short(r.fastest(a)), short(r.fastest(b)), r.typicalRatio(a, b))
}
