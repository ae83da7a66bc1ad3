package vector

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkSearch prints how many times as long a plain loop over the same rows takes, in x-loop.
func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		const dim = 384
		rows := gaussian(random(1), n, dim)
		x := build(b, accelerated, dim, rows)
		b.Run(fmt.Sprintf("%dx%d", n, dim), func(b *testing.B) {
			hits := make([]Hit, 0, 10)
			var ours, loop time.Duration
			for b.Loop() {
				start := time.Now()
				hits, _ = x.Search(hits, rows[0], 10, nil)
				between := time.Now()
				hits = search(x, hits, x.row(0))
				ours, loop = ours+between.Sub(start), loop+time.Since(between)
			}
			b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/search")
			b.ReportMetric(float64(loop)/float64(ours), "x-loop")
		})
	}
}

// BenchmarkAppend prints how many times as long copying all rows takes as appending one, in x-copy.
func BenchmarkAppend(b *testing.B) {
	const n, dim = 5_000, 384
	rows := gaussian(random(1), n, dim)
	x := build(b, accelerated, dim, rows)
	var ours, copies time.Duration
	y := x
	for b.Loop() {
		if y.Len() == n+1000 {
			y = build(b, accelerated, dim, rows)
		}
		start := time.Now()
		y, _ = y.Append(rows[0])
		between := time.Now()
		x.Keep(nil)
		ours, copies = ours+between.Sub(start), copies+time.Since(between)
	}
	b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/append")
	b.ReportMetric(float64(copies)/float64(ours), "x-copy")
}

// BenchmarkDot prints how many times as long one sum takes as the eight of the kernel in Go, in x-loop.
func BenchmarkDot(b *testing.B) {
	v := gaussian(random(1), 2, 384)
	var ours, loop time.Duration
	for b.Loop() {
		start := time.Now()
		for range 100 {
			sink = dot(v[0], v[1])
		}
		between := time.Now()
		for range 100 {
			sink = plain(v[0], v[1])
		}
		ours, loop = ours+between.Sub(start), loop+time.Since(between)
	}
	b.ReportMetric(float64(loop)/float64(ours), "x-loop")
}

var sink float32

//go:noinline
func plain(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// search is the loop that everyone writes first.
func search(x *Index, dst []Hit, query []float32) []Hit {
	t := newTop(dst, 10)
	for row := range x.n {
		if score := plain(x.row(row), query); score > t.least {
			t.add(Hit{row, score})
		}
	}
	return t.sort()
}
