package rank

import (
	"math"
	"slices"
	"testing"
)

func TestStandardScoresOfAHandComputedCase(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		values []float32
		rows   []int32
		want   []float32
	}{
		"all rows":        {[]float32{1, 3}, []int32{0, 1}, []float32{-1, 1}},
		"some rows":       {[]float32{1, 99, 3}, []int32{0, 2}, []float32{-1, 99, 1}},
		"a missing value": {[]float32{1, nan, 3}, []int32{0, 1, 2}, []float32{-1, 0, 1}},
		"equal values":    {[]float32{.1, .1, .1}, []int32{0, 1, 2}, []float32{0, 0, 0}},
		"one row":         {[]float32{7, 8}, []int32{1}, []float32{7, 0}},
		"no rows":         {[]float32{7}, nil, []float32{7}},
		"nothing":         {nil, nil, nil},
	} {
		standardize(c.values, c.rows)
		if !slices.Equal(c.values, c.want) {
			t.Errorf("%s: %v, want %v", name, c.values, c.want)
		}
	}
}

func TestAddChangesTheRowsOnly(t *testing.T) {
	dst := []float32{1, 1, 1}
	add(dst, []float32{1, 2, 3}, 2, []int32{0, 2})
	add(dst, []float32{10, 10, 10}, 1, []int32{0, 1, 2})
	if want := []float32{13, 11, 17}; !slices.Equal(dst, want) {
		t.Errorf("add gives %v, want %v", dst, want)
	}
}
