package rank

import (
	"math"
	"slices"
)

// standardize turns the values of rows into standard scores: their mean becomes 0 and their standard deviation 1. NaN becomes
// 0, and so does everything if all values are the same. rows are ascending and differ.
func standardize(values []float32, rows []int32) { spread(values, rows, 1) }

// spread is standardize for another standard deviation.
func spread(values []float32, rows []int32, deviation float64) {
	mean, factor := moments(values, rows)
	factor *= deviation
	if len(rows) == len(values) { // all of them: looking up their numbers takes half of the time
		for i, v := range values {
			values[i] = scaled(v, mean, factor)
		}
		return
	}
	for _, row := range rows {
		values[row] = scaled(values[row], mean, factor)
	}
}

func scaled(v float32, mean, factor float64) float32 {
	if v != v {
		return 0
	}
	return float32((float64(v) - mean) * factor)
}

// moments returns the mean of the values of rows and the reciprocal of their standard deviation, or 0 if that is 0.
func moments(values []float32, rows []int32) (mean, factor float64) {
	var sum, square float64
	n := 0
	if len(rows) == len(values) {
		for _, v := range values {
			if v == v {
				sum += float64(v)
				square += float64(v) * float64(v)
				n++
			}
		}
	} else {
		for _, row := range rows {
			if v := values[row]; v == v {
				sum += float64(v)
				square += float64(v) * float64(v)
				n++
			}
		}
	}
	mean = sum / float64(max(n, 1))
	variance := square/float64(max(n, 1)) - mean*mean
	// What is left of equal values is the rounding of float32 and of the sums.
	if variance > 1e-12*mean*mean && variance > 1e-24 {
		factor = 1 / math.Sqrt(variance)
	}
	return mean, factor
}

// add adds weight times the values of rows to dst.
func add(dst, values []float32, weight float32, rows []int32) {
	if len(rows) == len(values) {
		dst = dst[:len(values)]
		for i, v := range values {
			dst[i] += float32(weight * v) // rounded, so that the sum is the same on machines that could fuse the two
		}
		return
	}
	for _, row := range rows {
		dst[row] += float32(weight * values[row])
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
