package lexical

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestKeepIsAsIfOnlyItsRowsHadBeenAppended(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		docs := corpus(rnd, 1+rnd.IntN(120))
		x := New(nil).Append(docs...)
		newer := x.Append(corpus(rnd, 20)...) // which Keep of x must not see
		set := subset(rnd, len(docs))
		if seed%8 == 0 {
			set = nil
		}
		var left []Document
		for row, doc := range docs {
			if set == nil || row>>6 < len(set) && set[row>>6]>>(row&63)&1 != 0 {
				left = append(left, doc)
			}
		}
		kept, want := x.Keep(set), New(nil).Append(left...)
		more := corpus(rnd, 30)
		for range 2 {
			if kept.Len() != want.Len() || !slices.Equal(kept.lengths, want.lengths) || !slices.Equal(kept.norms, want.norms) {
				t.Fatalf("seed %d: %d rows, want %d, or other lengths", seed, kept.Len(), want.Len())
			}
			for range 5 {
				terms := request(rnd)
				allowed := subset(rnd, kept.Len())
				if got, want := kept.bm25f(terms, allowed), want.bm25f(terms, allowed); !slices.Equal(got, want) {
					t.Fatalf("seed %d: BM25F = %v, want %v", seed, got, want)
				}
				if got, want := kept.alike(terms, nil), want.alike(terms, nil); !slices.Equal(got, want) {
					t.Fatalf("seed %d: Grams = %v, want %v", seed, got, want)
				}
			}
			kept, want = kept.Append(more...), want.Append(more...)
		}
		if newer.Len() != len(docs)+20 {
			t.Fatalf("seed %d: the newer version has %d rows", seed, newer.Len())
		}
	}
}

// BenchmarkKeep prints how many times as long reading all texts again takes, in x-append.
func BenchmarkKeep(b *testing.B) {
	docs := corpus(rand.New(rand.NewPCG(1, 1)), 2000)
	x := New(nil).Append(docs...)
	var keep, read time.Duration
	for b.Loop() {
		start := time.Now()
		x.Keep(nil)
		middle := time.Now()
		New(nil).Append(docs...)
		keep, read = keep+middle.Sub(start), read+time.Since(middle)
	}
	b.ReportMetric(float64(read)/float64(keep), "x-append")
}
