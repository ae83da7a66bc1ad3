package lexical

import (
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkTwin measures the index and the plain twin on the same requests, and prints how many times faster the index is:
// the twin reads all documents for each request, as a search without an index does.
func BenchmarkTwin(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 1))
	docs := corpus(rnd, 1000)
	x, plain := New(nil).Append(docs...), newTwin(docs)
	st, dst := x.Stats(nil), make([]float32, len(docs))
	terms := request(rnd)
	for _, bench := range []struct {
		name       string
		fast, slow func()
	}{
		{"BM25F", func() { x.BM25F(dst, terms, nil, st) }, func() { plain.bm25f(terms, nil) }},
		{"Grams", func() { x.Grams(dst, terms, nil, st) }, func() { plain.grams(terms, nil) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			start := time.Now()
			bench.slow()
			slow := time.Since(start)
			for b.Loop() {
				bench.fast()
			}
			b.ReportMetric(float64(slow)*float64(b.N)/float64(b.Elapsed()), "times-faster")
		})
	}
}

// BenchmarkAppend measures one document more to an index of 5,000, and prints how many times faster that is than all anew.
func BenchmarkAppend(b *testing.B) {
	rnd := rand.New(rand.NewPCG(2, 2))
	docs, more := corpus(rnd, 5000), corpus(rnd, 100)
	start := time.Now()
	x := New(nil).Append(docs...)
	anew := time.Since(start)
	i := 0
	for b.Loop() {
		x = x.Append(more[i%len(more)])
		i++
	}
	b.ReportMetric(float64(anew)*float64(b.N)/float64(b.Elapsed()), "times-faster-than-anew")
}
