package static

import (
	"strings"
	"testing"
	"time"
)

// BenchmarkEmbed prints how many times as long as splitting a text into words it takes to embed it.
func BenchmarkEmbed(b *testing.B) {
	e := Default()
	const request = "could you open a pull request with my fix for the failing login test and ask the payments team about it"
	dst := make([]float32, 0, e.Dim())
	for _, bench := range []struct{ name, text string }{
		{"100 bytes", request[:100]},
		{"1000 bytes", strings.Repeat(request+". ", 10)[:1000]},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var terms []Term
			var split, embed time.Duration
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				terms = Terms(terms[:0], bench.text)
				between := time.Now()
				e.Embed(dst, bench.text)
				split += between.Sub(start)
				embed += time.Since(between)
			}
			b.ReportMetric(float64(embed)/float64(split), "x-splitting")
			b.ReportMetric(float64(embed.Nanoseconds())/float64(b.N), "ns/embed")
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(embedded); err != nil {
			b.Fatal(err)
		}
	}
}
