package figures

import (
	"cmp"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// A Side is one way to make the call that [Turns] measures.
type Side struct {
	Name string
	Call func() error
}

// A Timing is what the calls of one [Side] took.
type Timing struct {
	Times       []time.Duration // of every call
	Allocations []float64       // per call, in each round, in the whole process
}

// Typical returns the median time of a call.
func (t Timing) Typical() time.Duration { return Median(t.Times) }

// Turns compares ways to make a call. They take turns call by call, in an order that is drawn anew each time, so that a
// disturbance of a few milliseconds falls on all of them, and none profits from what another has just warmed. Each makes
// batch calls in each of the rounds, after batch calls that do not count. The first error ends it.
//
// The garbage collector rests within a round: what it costs depends on what else the process holds.
func Turns(sides []Side, rounds, batch int) ([]Timing, error) {
	timings := make([]Timing, len(sides))
	turn := func(each func(side int) error) error {
		for range batch {
			for _, i := range rand.Perm(len(sides)) {
				if err := each(i); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := turn(func(i int) error { return sides[i].Call() }); err != nil {
		return nil, err
	}
	for range rounds {
		err := collectorOff(func() error {
			return turn(func(i int) error {
				start := time.Now()
				err := sides[i].Call()
				timings[i].Times = append(timings[i].Times, time.Since(start))
				return err
			})
		})
		if err != nil {
			return nil, err
		}
		for i, s := range sides {
			n, err := allocations(s.Call, max(batch/4, 1))
			if err != nil {
				return nil, err
			}
			timings[i].Allocations = append(timings[i].Allocations, n)
		}
	}
	return timings, nil
}

// allocations returns how many allocations the process makes for one of n calls.
func allocations(call func() error, n int) (each float64, err error) {
	err = collectorOff(func() error {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range n {
			if err := call(); err != nil {
				return err
			}
		}
		runtime.ReadMemStats(&after)
		each = float64(after.Mallocs-before.Mallocs) / float64(n)
		return nil
	})
	return each, err
}

func collectorOff(fn func() error) error {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return fn()
}

// Median returns the element in the middle of v, which must not be empty, or of an even number the upper one. v is not
// changed.
func Median[T cmp.Ordered](v []T) T {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// Micros returns d in microseconds.
func Micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
