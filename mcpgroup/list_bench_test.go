package mcpgroup

import (
	"fmt"
	"testing"
	"time"
)

// A listing of thousands of tools against a look at the same ones under a filter that lets all but one server's through. Both in
// one run, since only their ratio means something on another machine.
func BenchmarkListOfThousands(b *testing.B) {
	var servers []ServerConfig
	for s := range 100 {
		var tools [][2]string
		for i := range 100 {
			tools = append(tools, [2]string{fmt.Sprintf("tool_%d_of_server_%d", i, s), fmt.Sprintf("Does what number %d does.", i)})
		}
		cfg := described(fmt.Sprintf("server%d", s), tools...)
		if s > 0 {
			cfg.Category = "most"
		}
		servers = append(servers, cfg)
	}
	r := newRegistry(b, nil, servers...)
	ctx := userContext("alice")
	if err := r.WaitReady(ctx, nil, nil); err != nil {
		b.Fatal(err)
	}
	var whole, part time.Duration
	for b.Loop() {
		start := time.Now()
		if l, err := r.List(ctx, Filter{}); err != nil || l.Total != 10_000 {
			b.Fatal(l.Total, err)
		}
		middle := time.Now()
		if l, err := r.List(ctx, Filter{Category: "most"}); err != nil || l.Total != 9_900 {
			b.Fatal(l.Total, err)
		}
		whole += middle.Sub(start)
		part += time.Since(middle)
	}
	b.ReportMetric(float64(whole.Microseconds())/float64(b.N), "µs/whole")
	b.ReportMetric(float64(part.Microseconds())/float64(b.N), "µs/part")
	b.ReportMetric(float64(part)/float64(whole), "wholes/part")
}
