package rank

import (
	"slices"
	"testing"
)

func TestCalibrationKeepsTheOrder(t *testing.T) {
	last := 0.0
	for score := float32(-60); score < 10; score += 0.25 {
		p := Calibrate(score)
		if p <= last || p >= 1 {
			t.Fatalf("Calibrate(%v) = %v, after %v; want more, and less than 1", score, p, last)
		}
		last = p
	}
}

func TestRequestsThatMatchNothingHaveLowEstimates(t *testing.T) {
	x := newIndex(someTools)
	dst := make([]float32, len(someTools))
	estimate := func(request string) float64 {
		x.Score(dst, x.Scope(nil), request, nil, nil)
		return Calibrate(slices.Max(dst))
	}
	if some, none := estimate("merge a pull request"), estimate("qqq zzz"); none > .1 || some < .3 {
		t.Errorf("estimates of the best tool: %v for a request that matches, %v for one that does not; want at least 0.3 and at most 0.1", some, none)
	}
}
