package graph

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// busy returns observations of tenants with as much as there is room for, and the Refs of n candidates.
func busy(tenants, n int) (o *Observations, refs, servers []string, scores []float64) {
	o = NewObservations(nil)
	for tenant := range tenants {
		rng := rand.New(rand.NewPCG(22, uint64(tenant)))
		for i := range 4000 {
			o.Observe(fmt.Sprint(tenant), fmt.Sprint(i/6), fmt.Sprintf("server%d.some_tool_%d", rng.IntN(20), rng.IntN(20)), noon)
		}
	}
	scores = make([]float64, n)
	for i := range n {
		refs = append(refs, fmt.Sprintf("server%d.some_tool_%d", i%20, i/20))
		servers = append(servers, fmt.Sprint(i%20))
		scores[i] = float64(n-i) / float64(n)
	}
	return o, refs, servers, scores
}

// BenchmarkRerank compares what 100 candidates cost by use and by a walk.
func BenchmarkRerank(b *testing.B) {
	o, refs, servers, scores := busy(1, 100)
	dst := make([]float64, len(refs))
	w := &Walk{Observations: o, Tenant: "0", Now: noon}
	var use, walk time.Duration
	for b.Loop() {
		t0 := time.Now()
		o.CoUse(dst, 1, "0", refs, noon)
		t1 := time.Now()
		w.PageRank(dst, 1, refs, servers, scores)
		use += t1.Sub(t0)
		walk += time.Since(t1)
	}
	b.ReportMetric(use.Seconds()*1e6/float64(b.N), "µs/couse")
	b.ReportMetric(walk.Seconds()*1e6/float64(b.N), "µs/walk")
	b.ReportMetric(float64(walk)/float64(use), "walk/couse")
}

// BenchmarkObserve compares tools that are known with ones that are not, which make older ones go.
func BenchmarkObserve(b *testing.B) {
	known, _, _, _ := busy(1, 1)
	random := NewObservations(nil)
	rng := rand.New(rand.NewPCG(23, 24))
	var knownTime, randomTime time.Duration
	i := 0
	for b.Loop() {
		session := fmt.Sprint(i / 6)
		knownRef := fmt.Sprintf("server%d.some_tool_%d", rng.IntN(20), rng.IntN(20))
		randomRef := fmt.Sprint(rng.Uint64())
		t0 := time.Now()
		known.Observe("0", session, knownRef, noon)
		t1 := time.Now()
		random.Observe("0", session, randomRef, noon)
		knownTime += t1.Sub(t0)
		randomTime += time.Since(t1)
		i++
	}
	b.ReportMetric(knownTime.Seconds()*1e6/float64(b.N), "µs/known")
	b.ReportMetric(randomTime.Seconds()*1e6/float64(b.N), "µs/random")
	b.ReportMetric(float64(randomTime)/float64(knownTime), "random/known")
}

// BenchmarkMemory compares what a full tenant takes in memory and as a snapshot.
func BenchmarkMemory(b *testing.B) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const tenants = 4
	for b.Loop() {
		before := heap()
		o, _, _, _ := busy(tenants, 1)
		memory := float64(heap()-before) / tenants
		data, err := o.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		saved := float64(len(data)) / tenants
		b.ReportMetric(memory/1024, "KiB/tenant")
		b.ReportMetric(saved/1024, "KiB/snapshot")
		b.ReportMetric(memory/saved, "memory/snapshot")
	}
}
