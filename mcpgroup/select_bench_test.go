package mcpgroup

import (
	"fmt"
	"testing"
	"time"
)

// A selection of thousands of tools against a listing of them, which looks at each tool once too: both in one run, since only
// their ratio means something on another machine.
func BenchmarkSelectAgainstList(b *testing.B) {
	verbs := []string{"list", "create", "delete", "update", "search", "export", "share", "archive"}
	things := []string{"invoice", "customer", "ticket", "branch", "message", "calendar", "forecast", "parcel", "recipe", "contract"}
	var servers []ServerConfig
	for s := range 50 {
		var tools [][2]string
		for i := range 100 {
			verb, thing := verbs[i%len(verbs)], things[(i+s)%len(things)]
			tools = append(tools, [2]string{fmt.Sprintf("%s_%s_%d", verb, thing, i), fmt.Sprintf("Can %s every %s of region %d.", verb, thing, i)})
		}
		servers = append(servers, described(fmt.Sprintf("server%d", s), tools...))
	}
	r := newRegistry(b, nil, servers...)
	ctx := userContext("alice")
	if err := r.WaitReady(ctx, nil, nil); err != nil {
		b.Fatal(err)
	}
	selected(b, r, ctx, "warm up", nil)
	var list, choose time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := r.List(ctx, Filter{}); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if _, err := r.Select(ctx, "archive the contract with a customer and share the invoice", &SelectOptions{TokenBudget: 2000}); err != nil {
			b.Fatal(err)
		}
		list += middle.Sub(start)
		choose += time.Since(middle)
	}
	b.ReportMetric(float64(choose)/float64(list), "selects/list")
	b.ReportMetric(float64(choose.Microseconds())/float64(b.N), "µs/select")
}
