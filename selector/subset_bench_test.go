package selector

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkSubsets selects within as many subsets as there are kinds of users, who take turns, and prints how many times as
// long that takes as selecting within one of them again and again, in x-one. Each subset is kept, so their number must not
// matter but to the processor's caches. "made anew" makes the subset for each selection, as one does who keeps none.
func BenchmarkSubsets(b *testing.B) {
	docs := catalogue(5000)
	s := newSelector(b, &Options{LexicalOnly: true}, docs...)
	ids := func(user int) []string {
		ids := make([]string, 0, len(docs))
		for i, d := range docs {
			if (i+user)%10 != 0 {
				ids = append(ids, d.ID)
			}
		}
		return ids
	}
	q := Query{Text: "share the folder with a customer"}
	one := NewSubset(ids(0))
	within := func(subset *Subset) time.Duration {
		q.Within = subset
		start := time.Now()
		mustSelect(b, s, q)
		return time.Since(start)
	}
	run := func(name string, next func(i int) *Subset) {
		b.Run(name, func(b *testing.B) {
			var again, turns time.Duration
			for i := 0; b.Loop(); i++ {
				within(one)
				again += within(one)
				subset := next(i)
				turns += within(subset)
			}
			b.ReportMetric(float64(turns)/float64(again), "x-one")
		})
	}
	subsets := make([]*Subset, 500)
	for user := range subsets {
		subsets[user] = NewSubset(ids(user))
		within(subsets[user])
	}
	for _, n := range []int{16, 32, 64, 500} {
		run(fmt.Sprint(n), func(i int) *Subset { return subsets[i%n] })
	}
	fresh := ids(0)
	run("made anew", func(int) *Subset { return NewSubset(fresh) })
}
