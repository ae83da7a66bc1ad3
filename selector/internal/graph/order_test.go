package graph

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestTheEarlierToolComesFirst(t *testing.T) {
	before := func(pairs ...string) (edges []Edge) {
		for _, p := range pairs {
			edges = append(edges, Edge{p[:1], p[1:], Precedes})
		}
		return edges
	}
	for name, test := range map[string]struct {
		edges      []Edge
		refs, want string
	}{
		"nothing to do":                     {before("ab"), "a x b", "a x b"},
		"it moves up to the later one":      {before("ba"), "x a y b z", "x b a y z"},
		"two move up in their order":        {before("ca", "ba"), "a b c", "b c a"},
		"a chain moves up":                  {before("cb", "ba"), "a b c", "c b a"},
		"those not there do not count":      {before("qb", "bq", "ba"), "a b", "b a"},
		"a cycle is cut where it closes":    {before("ab", "bc", "ca"), "a b c", "b c a"},
		"the other kinds of edge do not":    {[]Edge{{"b", "a", DependsOn}, {"b", "a", AlternativeOf}}, "a b", "a b"},
		"what is there twice comes once":    {before("ba"), "a b a", "b a"},
		"and ranks where it comes first":    {before("az", "bz"), "z a b a", "a b z"},
		"moving up does not cross a middle": {before("ca"), "a b c", "c a b"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(New(test.edges).Order(strings.Fields(test.refs)), " "); got != test.want {
				t.Errorf("Order(%s) = %q, want %q", test.refs, got, test.want)
			}
		})
	}
}

func TestOrderHoldsForAllEdgesWithoutCycles(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for round := range 300 {
		n := 1 + rng.IntN(20)
		names := rng.Perm(n) // tool names[i] may only precede names[j] with j > i
		var edges []Edge
		for range rng.IntN(3 * n) {
			if i, j := rng.IntN(n), rng.IntN(n); i < j {
				edges = append(edges, Edge{fmt.Sprint(names[i]), fmt.Sprint(names[j]), Precedes})
			}
		}
		var refs []string
		for _, i := range rng.Perm(n)[:rng.IntN(n+1)] {
			refs = append(refs, fmt.Sprint(i))
		}
		g := New(edges)
		got := g.Order(refs)
		if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(refs))) {
			t.Fatalf("round %d: Order(%q) = %q", round, refs, got)
		}
		for _, e := range edges {
			from, to := slices.Index(got, e.From), slices.Index(got, e.To)
			if from >= 0 && to >= 0 && from > to {
				t.Fatalf("round %d: Order(%q) = %q, but %s precedes %s", round, refs, got, e.From, e.To)
			}
		}
		if again := g.Order(got); !slices.Equal(again, got) {
			t.Fatalf("round %d: Order of %q is %q: not stable", round, got, again)
		}
	}
}
