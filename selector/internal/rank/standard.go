package rank

import (
	"math"
	"slices"
)

// standardize turns the values of rows into standard scores: their mean becomes 0 and their standard deviation 1. NaN becomes
// 0, and so does everything if all values are the same.
func standardize(values []float32, rows []int32) {
	var sum, square float64
	n := 0
	for _, row := range rows {
		if v := float64(values[row]); v == v {
			sum += v
			square += v * v
			n++
		}
	}
	mean := sum / float64(max(n, 1))
	variance := square/float64(max(n, 1)) - mean*mean
	factor := 0.0
	// What is left of equal values is the rounding of float32 and of the sums.
	if variance > 1e-12*mean*mean && variance > 1e-24 {
		factor = 1 / math.Sqrt(variance)
	}
	for _, row := range rows {
		if v := float64(values[row]); v == v {
			values[row] = float32((v - mean) * factor)
		} else {
			values[row] = 0
		}
	}
}

// add adds weight times the values of rows to dst.
func add(dst, values []float32, weight float32, rows []int32) {
	for _, row := range rows {
		dst[row] += weight * values[row]
	}
}

// zeros returns n zeros, in the memory of s if it has room.
func zeros[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/8)
	}
	s = s[:n]
	clear(s)
	return s
}

func clone(v []float32) []float32 { return slices.Clone(v) }
