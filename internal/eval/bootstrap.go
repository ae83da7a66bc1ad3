package main

import (
	"math/rand/v2"
	"slices"
)

// resamples of a bootstrap. The seed is fixed, so that the same rankings have the same intervals.
const resamples = 2000

// An Interval is a mean and the 95 % confidence interval of it.
type Interval struct{ Mean, Low, High float64 }

// Bootstrap returns the mean of values and its percentile interval over resampled requests.
func Bootstrap(values []float64) Interval {
	if len(values) == 0 {
		return Interval{}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	means := make([]float64, resamples)
	for i := range means {
		for range values {
			means[i] += values[rng.IntN(len(values))]
		}
		means[i] /= float64(len(values))
	}
	slices.Sort(means)
	return Interval{mean(values), means[resamples*25/1000], means[resamples*975/1000]}
}

// Paired returns the interval of the differences a[i]-b[i]. Requests differ in difficulty far more than systems do:
// comparing request by request is what makes differences of a point visible.
func Paired(a, b []float64) Interval {
	differences := make([]float64, min(len(a), len(b)))
	for i := range differences {
		differences[i] = a[i] - b[i]
	}
	return Bootstrap(differences)
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}
