package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestAClockThatWasAheadDoesNotStopDecay(t *testing.T) {
	for _, ahead := range []time.Duration{90 * time.Minute, 30 * 24 * time.Hour, math.MaxInt64} {
		o := NewObservations(&Config{HalfLife: time.Hour, Idle: time.Minute})
		see(o, "t", noon.Add(ahead), "a b")
		see(o, "t", noon, "c d")
		for restored := range 2 {
			if restored == 1 {
				data, err := o.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				o = NewObservations(&Config{HalfLife: time.Hour, Idle: time.Minute})
				if err := o.Restore(data); err != nil {
					t.Fatal(err)
				}
				see(o, "t", noon, "x") // tells the time
			}
			for hours, want := range []float64{1, 0.5, 0.25} {
				now := noon.Add(time.Duration(hours) * time.Hour)
				if got, _ := o.together("t", "c", "d", now); math.Abs(got-want) > 1e-9 && now.Before(noon.Add(ahead)) {
					t.Errorf("%s ahead, restored %d: weighs %g after %d hours, want %g", ahead, restored, got, hours, want)
				}
			}
		}
		o.check(t)
	}
}

func TestSessionsEndAfterAClockThatWasAhead(t *testing.T) {
	o := NewObservations(&Config{Idle: time.Hour})
	o.Observe("t", "s", "a", noon.AddDate(1, 0, 0))
	o.Observe("t", "s", "b", noon)
	o.Observe("t", "s", "c", noon.Add(2*time.Hour))
	if together, _ := o.together("t", "a", "b", noon); together == 0 {
		t.Error("setting the clock right ended a session")
	}
	if together, _ := o.together("t", "b", "c", noon); together != 0 {
		t.Error("a session did not end by itself")
	}
}

// Goroutines tell the time that they read, and not always in this order.
func TestTimesOutOfOrderLoseNoTime(t *testing.T) {
	o := NewObservations(&Config{HalfLife: time.Hour})
	see(o, "t", noon, "a b")
	for i := range 10 {
		now := noon.Add(time.Duration(i) * time.Hour)
		o.Observe("t", fmt.Sprint("s", i), "x", now)
		o.Observe("t", fmt.Sprint("s", i), "x", now.Add(-time.Millisecond))
	}
	if got, _ := o.together("t", "a", "b", noon.Add(9*time.Hour)); got != 1.0/512 {
		t.Errorf("weighs %g after 9 hours, want 1/512", got)
	}
}

func TestAClockThatWasBehindLosesNothing(t *testing.T) {
	o := NewObservations(&Config{HalfLife: time.Hour})
	see(o, "t", noon, "a b")
	o.Observe("t", "s", "x", time.Unix(0, 0))
	o.Observe("t", "s", "x", time.Unix(3600, 0))
	see(o, "t", noon.Add(time.Hour), "c d")
	for pair, want := range map[string]float64{"ab": 0.5, "cd": 1} {
		if got, _ := o.together("t", pair[:1], pair[1:], noon.Add(time.Hour)); got != want {
			t.Errorf("%s weighs %g, want %g", pair, got, want)
		}
	}
}

// What time a clock shows never goes back, whatever the wall clock does, and is what it shows as long as it goes forward.
func TestAClockNeverGoesBack(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		var c clock
		wall, steady := noon, seed%4 == 0
		for range 100 {
			step := time.Duration(r.Int64N(int64(time.Hour)))
			if !steady && r.IntN(4) == 0 {
				step = time.Duration(r.Int64()) - math.MaxInt64/2
			}
			wall = wall.Add(step)
			was, told := c.time, c.at(wall)
			slack := time.Duration(r.Int64N(int64(time.Hour)))
			c.set(wall, slack)
			if c.time.Before(was) || c.newest.Before(c.wall) {
				t.Fatalf("seed %d: %v after %v; %+v", seed, c.time, was, c)
			}
			if !was.IsZero() && !c.time.Equal(told) {
				t.Fatalf("seed %d: at says %v, and set makes it %v", seed, told, c.time)
			}
			if steady && !c.time.Equal(wall) {
				t.Fatalf("seed %d: %v, want the %v of a wall clock that went forward", seed, c.time, wall)
			}
		}
	}
}
