package graph_test

import (
	"fmt"
	"time"

	"github.com/mcpfleet/mcpfleet/selector/internal/graph"
)

func ExampleGraph_Complete() {
	g := graph.New([]graph.Edge{
		{From: "mail.send", To: "mail.validate", Kind: graph.DependsOn},
		{From: "mail.send", To: "contacts.find", Kind: graph.DependsOn},
		{From: "contacts.find", To: "contacts.login", Kind: graph.DependsOn},
		{From: "mail.send", To: "mail.post", Kind: graph.AlternativeOf},
	})
	ranked := []string{"mail.send", "mail.post", "mail.search"}
	has := func(string) bool { return true }
	for _, p := range g.Complete(ranked, has, graph.Limits{}) {
		if p.For == "" {
			fmt.Println(p.Ref)
		} else {
			fmt.Println(p.Ref, "for", p.For)
		}
	}
	// Output:
	// mail.send
	// mail.validate for mail.send
	// contacts.find for mail.send
	// contacts.login for contacts.find
	// mail.search
}

func ExampleGraph_Order() {
	g := graph.New([]graph.Edge{{From: "cart.add", To: "cart.pay", Kind: graph.Precedes}})
	fmt.Println(g.Order([]string{"shop.search", "cart.pay", "cart.add"}))
	// Output: [shop.search cart.add cart.pay]
}

func ExampleObservations_CoUse() {
	o := graph.NewObservations(nil)
	now := time.Now()
	for _, session := range []string{"monday", "tuesday"} {
		o.Observe("acme", session, "repo.diff", now)
		o.Observe("acme", session, "chat.post", now)
	}
	candidates := []string{"repo.diff", "mail.send", "chat.post"}
	scores := []float64{2, 1.2, 0.7}
	o.CoUse(scores, 2, "acme", candidates, now)
	for i, ref := range candidates {
		fmt.Printf("%s %.2f\n", ref, scores[i])
	}
	fmt.Println("next:", o.Next("acme", "repo.diff", 1))
	// Output:
	// repo.diff 3.33
	// mail.send 1.20
	// chat.post 2.03
	// next: [chat.post]
}

func ExampleObservations_Restore() {
	before := graph.NewObservations(nil)
	before.Observe("acme", "monday", "repo.diff", time.Now())
	before.Observe("acme", "monday", "chat.post", time.Now())
	saved, err := before.Snapshot()
	if err != nil {
		fmt.Println(err)
		return
	}
	after := graph.NewObservations(nil) // in the next process
	fmt.Println(after.Restore(saved), after.Next("acme", "repo.diff", 1))
	fmt.Println(after.Restore([]byte(`{"version":7}`)))
	// Output:
	// <nil> [chat.post]
	// selector: restoring observations: version 7; this program reads version 1
}

func ExampleWalk_PageRank() {
	refs := []string{"crm.find", "mail.send", "crm.update", "map.show"}
	servers := []string{"crm", "mail", "crm", "map"}
	rates := make([]float64, len(refs))
	new(graph.Walk).PageRank(rates, 1, refs, servers, []float64{3, 1, 0, 0})
	fmt.Printf("%.2f\n", rates)
	// Output: [1.00 0.25 0.50 0.00]
}
