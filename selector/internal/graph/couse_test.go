package graph

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestCoUseIsThePartOfTheSessions(t *testing.T) {
	o := NewObservations(nil)
	see(o, "t", noon, "a b", "a b", "a c", "d e")
	refs := []string{"a", "b", "c", "x", "e"}
	dst := []float64{10, 10, 10, 10, 10}
	o.CoUse(dst, 2, "t", refs, noon)
	// a was used in 3 sessions, b in 2, c in 1, e in 1; one more is assumed of each.
	want := []float64{
		10 + 2*min(1, 2./3+1./2), // with b, and with c
		10 + 2*(2./4),            // with a
		10 + 2*(1./4),
		10,
		10, // d is no candidate
	}
	for i := range want {
		if math.Abs(dst[i]-want[i]) > 1e-12 {
			t.Errorf("CoUse of %s = %g, want %g", refs[i], dst[i], want[i])
		}
	}
}

func TestCoUseLooksAtTheBestFive(t *testing.T) {
	o := NewObservations(nil)
	see(o, "t", noon, "5 y", "6 x")
	refs := []string{"1", "2", "3", "4", "5", "6", "x", "y"}
	dst := make([]float64, len(refs))
	o.CoUse(dst, 1, "t", refs, noon)
	if want := []float64{0, 0, 0, 0, 0, 0, 0, 0.5}; !slices.Equal(dst, want) {
		t.Errorf("CoUse = %v, want %v", dst, want)
	}
}

func TestCoUseFadesWithTime(t *testing.T) {
	o := NewObservations(&Config{HalfLife: time.Hour})
	see(o, "t", noon, "a b")
	last := 1.0
	for hours := range 100 {
		dst := make([]float64, 2)
		o.CoUse(dst, 1, "t", []string{"a", "b"}, noon.Add(time.Duration(hours)*time.Hour))
		w := math.Exp2(float64(-hours))
		if want := w / (w + 1); math.Abs(dst[1]-want) > 1e-12 || dst[1] >= last {
			t.Fatalf("after %d hours %g, want %g", hours, dst[1], want)
		}
		last = dst[1]
	}
}

func TestARefThatRepeatsIsOneTool(t *testing.T) {
	o := NewObservations(nil)
	see(o, "t", noon, "a b")
	dst := make([]float64, 4)
	o.CoUse(dst, 1, "t", []string{"a", "a", "b", "b"}, noon)
	if want := []float64{0.5, 0.5, 0.5, 0.5}; !slices.Equal(dst, want) {
		t.Errorf("CoUse = %v, want %v", dst, want)
	}
}

func TestCoUseOfNothing(t *testing.T) {
	o := NewObservations(nil)
	see(o, "t", noon, "a b")
	o.CoUse(nil, 1, "t", nil, noon)
	dst := []float64{3}
	o.CoUse(dst, 1, "t", []string{"a"}, noon)
	if dst[0] != 3 {
		t.Errorf("CoUse of one candidate = %g", dst[0])
	}
	defer func() {
		if recover() == nil {
			t.Error("CoUse accepted slices of different lengths")
		}
	}()
	o.CoUse(dst, 1, "t", nil, noon)
}

func TestNextIsWhatMostSessionsUsedAfterwards(t *testing.T) {
	o := NewObservations(nil)
	see(o, "t", noon, "a b", "a b", "a f", "a e", "a d", "a c", "z a")
	for limit, want := range map[int][]string{-1: {}, 0: {}, 1: {"b"}, 4: {"b", "c", "d", "e"}, 9: {"b", "c", "d", "e", "f"}} {
		if got := o.Next("t", "a", limit); !slices.Equal(got, want) {
			t.Errorf("Next(%d) = %q, want %q", limit, got, want)
		}
	}
	if got := o.Next("t", "unknown", 3); len(got) != 0 {
		t.Errorf("Next of an unknown tool = %q", got)
	}
}
