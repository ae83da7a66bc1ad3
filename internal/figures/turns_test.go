package figures

import (
	"errors"
	"slices"
	"testing"
)

func TestTurnsGiveEachSideItsCalls(t *testing.T) {
	var order []int
	var sink []byte
	sides := []Side{
		{"quiet", func() error { order = append(order, 0); return nil }},
		{"allocating", func() error {
			order = append(order, 1)
			for range 50 {
				sink = make([]byte, 100)
			}
			return nil
		}},
	}
	order = make([]int, 0, 1000)
	timings, err := Turns(sides, 3, 8)
	if err != nil {
		t.Fatal(err)
	}
	_ = sink
	for i, timing := range timings {
		if len(timing.Times) != 3*8 || len(timing.Allocations) != 3 {
			t.Errorf("side %d: %d times and %d rounds, want 24 and 3", i, len(timing.Times), len(timing.Allocations))
		}
	}
	if added := Median(timings[1].Allocations) - Median(timings[0].Allocations); added < 49 || added > 60 {
		t.Errorf("the second side makes %.1f allocations more, want 50", added)
	}
	if both := order[:2]; both[0] == both[1] {
		t.Errorf("the first two calls are both of side %d; every side is to have its turn", both[0])
	}
	if alone := slices.Index(order, 0); alone > 1 {
		t.Errorf("the first call of side 0 is number %d", alone)
	}
}

func TestTurnsEndWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	calls := 0
	_, err := Turns([]Side{{"broken", func() error {
		if calls++; calls > 10 {
			return broken
		}
		return nil
	}}}, 5, 4)
	if !errors.Is(err, broken) || calls != 11 {
		t.Errorf("%d calls and the error %v, want 11 and %v", calls, err, broken)
	}
}

func TestMedianLeavesItsArgumentAlone(t *testing.T) {
	v := []int{9, 1, 5, 7}
	if got := Median(v); got != 7 || !slices.Equal(v, []int{9, 1, 5, 7}) {
		t.Errorf("the median is %d and the slice is now %v", got, v)
	}
}
