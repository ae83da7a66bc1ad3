package graph

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func everything(string) bool { return true }

// needs makes DependsOn edges of "a:b,c d:e": a needs b and c, d needs e.
func needs(s string) (edges []Edge) {
	for _, part := range strings.Fields(s) {
		from, to, _ := strings.Cut(part, ":")
		for _, need := range strings.Split(to, ",") {
			edges = append(edges, Edge{from, need, DependsOn})
		}
	}
	return edges
}

// show writes tools as "a b<a": b was placed for a.
func show(placed []Placed) string {
	var s []string
	for _, p := range placed {
		if p.For != "" {
			p.Ref += "<" + p.For
		}
		s = append(s, p.Ref)
	}
	return strings.Join(s, " ")
}

func TestWhatIsNeededComesBehindTheToolThatNeedsIt(t *testing.T) {
	same := func(a, b string) Edge { return Edge{a, b, AlternativeOf} }
	for name, test := range map[string]struct {
		edges  []Edge
		ranked string
		absent string
		limits Limits
		want   string
	}{
		"no edges": {
			ranked: "a b c", want: "a b c",
		},
		"a chain stays together": {
			edges: needs("a:b,c b:d"), ranked: "a x",
			want: "a b<a d<b c<a x",
		},
		"the best three are completed": {
			edges: needs("a:n1 b:n2 c:n3 d:n4"), ranked: "a b c d",
			want: "a n1<a b n2<b c n3<c d",
		},
		"as many as asked are completed": {
			edges: needs("a:n1 b:n2"), ranked: "a b", limits: Limits{Heads: 1},
			want: "a n1<a b",
		},
		"none if so asked": {
			edges: needs("a:n1"), ranked: "a b", limits: Limits{Heads: -1},
			want: "a b",
		},
		"a needed tool moves up from its own rank": {
			edges: needs("a:c"), ranked: "a b c",
			want: "a c<a b",
		},
		"a tool above the one that needs it stays where it is": {
			edges: needs("b:a"), ranked: "a b",
			want: "a b",
		},
		"what two need comes once": {
			edges: needs("a:n b:n"), ranked: "a b",
			want: "a n<a b",
		},
		"a cycle ends": {
			edges: needs("a:b b:c c:a,b"), ranked: "a",
			want: "a b<a c<b",
		},
		"depth is bounded": {
			edges: needs("a:b b:c c:d d:e e:f f:g"), ranked: "a",
			want: "a b<a c<b d<c e<d",
		},
		"depth counts the shortest way": {
			edges: needs("a:b,e b:c c:d d:e e:f f:g"), ranked: "a",
			want: "a b<a c<b d<c e<d f<e g<f",
		},
		"depth 0 is the default and less is none": {
			edges: needs("a:b"), ranked: "a", limits: Limits{Depth: -1},
			want: "a",
		},
		"what is added is bounded": {
			edges: needs("a:b,c,d b:e"), ranked: "a x", limits: Limits{Added: 2},
			want: "a b<a e<b x",
		},
		"a missing tool is left out with what only it needs": {
			edges: needs("a:b,c b:d"), ranked: "a", absent: "b",
			want: "a c<a",
		},
		"a missing tool is replaced by an alternative": {
			edges: append(needs("a:b b:x b2:d"), same("b1", "b"), same("b", "b2")), ranked: "a", absent: "b b1",
			want: "a b2<a d<b2",
		},
		"a need is met by an alternative above": {
			edges: append(needs("a:b"), same("b", "b2")), ranked: "b2 a",
			want: "b2 a",
		},
		"a need is met by a pinned alternative below": {
			edges: append(needs("a:b"), same("b", "b2")), ranked: "a b2", limits: Limits{Pinned: 2},
			want: "a b2",
		},
		"the best of alternatives stays": {
			edges: []Edge{same("a", "b"), same("b", "c")}, ranked: "b a c x",
			want: "b x",
		},
		"alternatives of alternatives are none": {
			edges: []Edge{same("a", "b"), same("b", "c")}, ranked: "a b c x",
			want: "a c x",
		},
		"an alternative of a needed tool goes": {
			edges: append(needs("a:b"), same("b", "b2")), ranked: "a x b2",
			want: "a b<a x",
		},
		"a replacement is not an alternative of what is there": {
			edges: append(needs("a:b"), same("b", "b1"), same("b", "b2"), same("b1", "z")), ranked: "z a", absent: "b",
			want: "z a b2<a",
		},
		"alternatives stay if asked for": {
			edges: append(needs("a:b"), same("b", "b2"), same("a", "a2")), ranked: "a a2 b2", limits: Limits{Alternatives: true},
			want: "a b<a a2 b2",
		},
		"pinned alternatives stay, others go": {
			edges: []Edge{same("a", "b"), same("b", "c")}, ranked: "a b c x", limits: Limits{Pinned: 2},
			want: "a b x",
		},
		"pinned tools are completed besides the heads": {
			edges: needs("a:n1 b:n2 c:n3 d:n4"), ranked: "a b c d", limits: Limits{Pinned: 2, Heads: 1},
			want: "a n1<a b n2<b c n3<c d",
		},
		"pinned tools keep their places": {
			edges: needs("a:c b:n"), ranked: "a b c", limits: Limits{Pinned: 3},
			want: "a b n<b c",
		},
		"more pinned than there are": {
			edges: needs("a:b"), ranked: "a", limits: Limits{Pinned: 9},
			want: "a b<a",
		},
		"a dropped alternative is no head": {
			edges: append(needs("c:n"), same("a", "b")), ranked: "a b c", limits: Limits{Heads: 2},
			want: "a c n<c",
		},
		"a tool that is there twice counts once": {
			edges: needs("a:b"), ranked: "x a x a",
			want: "x a b<a",
		},
		"nothing": {
			edges: needs("a:b"), want: "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			absent := strings.Fields(test.absent)
			has := func(ref string) bool { return !slices.Contains(absent, ref) }
			if got := show(New(test.edges).Complete(strings.Fields(test.ranked), has, test.limits)); got != test.want {
				t.Errorf("Complete = %q, want %q", got, test.want)
			}
		})
	}
}

func TestTheNilGraphChangesNothing(t *testing.T) {
	var g *Graph
	if got := show(g.Complete([]string{"b", "a"}, nil, Limits{})); got != "b a" {
		t.Errorf("Complete = %q", got)
	}
	if got := g.Needs("a", nil, Limits{}); len(got) != 0 {
		t.Errorf("Needs = %q", got)
	}
}

func TestNeedsAreThoseOfOneTool(t *testing.T) {
	g := New(needs("a:b,c b:d x:y"))
	if got, want := g.Needs("a", everything, Limits{Heads: -1, Pinned: 7}), []string{"b", "d", "c"}; !slices.Equal(got, want) {
		t.Errorf("Needs = %q, want %q", got, want)
	}
}

func TestPlacedSaysWhatMeetsTheNeeds(t *testing.T) {
	edges := append(needs("a:n,m,m2,a2 b:n,a,gone,old c:d d:e x:n"),
		Edge{"old", "new", AlternativeOf}, Edge{"m", "m2", AlternativeOf}, Edge{"a", "a2", AlternativeOf})
	has := func(ref string) bool { return ref != "gone" && ref != "old" }
	want := map[string]string{
		"a": "n m",     // m is in place of m2, and a in place of a2
		"b": "n a new", // n is there for a, a at its own rank, and new in place of old
		"c": "d",
		"d": "", // too deep
		"x": "", // not one of the best
	}
	placed := New(edges).Complete([]string{"a", "b", "c", "x"}, has, Limits{Depth: 1})
	if got, want := show(placed), "a n<a m<a b new<b c d<c x"; got != want {
		t.Fatalf("Complete = %q, want %q", got, want)
	}
	for _, p := range placed {
		if got := strings.Join(p.Needs, " "); got != want[p.Ref] {
			t.Errorf("%s needs %q, want %q", p.Ref, got, want[p.Ref])
		}
	}
}

// randomGraph has n tools named by numbers, and edges of one kind.
func randomGraph(rng *rand.Rand, n, edges int, kind Kind) []Edge {
	all := make([]Edge, edges)
	for i := range all {
		all[i] = Edge{fmt.Sprint(rng.IntN(n)), fmt.Sprint(rng.IntN(n)), kind}
	}
	return all
}

// closure is the obvious way to find what is within depth of a tool.
func closure(edges []Edge, ref string, depth int, has func(string) bool) map[string]bool {
	found := map[string]bool{ref: true}
	for range depth {
		for from := range maps.Clone(found) {
			for _, e := range edges {
				if e.From == from && has(e.To) {
					found[e.To] = true
				}
			}
		}
	}
	return found
}

func TestCompleteAgreesWithTheClosure(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 500 {
		n := 1 + rng.IntN(30)
		edges := randomGraph(rng, n, rng.IntN(2*n), DependsOn)
		missing := fmt.Sprint(rng.IntN(n))
		has := func(ref string) bool { return ref != missing }
		var ranked []string
		for _, i := range rng.Perm(n)[:rng.IntN(n+1)] {
			if ref := fmt.Sprint(i); ref != missing {
				ranked = append(ranked, ref)
			}
		}
		limits := Limits{Heads: 1 + rng.IntN(4), Depth: 1 + rng.IntN(6), Added: n + 1}
		placed := New(edges).Complete(ranked, has, limits)

		want := make(map[string]bool)
		for i, ref := range ranked {
			want[ref] = true
			if i < limits.Heads {
				for need := range closure(edges, ref, limits.Depth, has) {
					want[need] = true
				}
			}
		}
		at := make(map[string]int)
		for i, p := range placed {
			if _, twice := at[p.Ref]; twice {
				t.Fatalf("round %d: %s is there twice in %s", round, p.Ref, show(placed))
			}
			at[p.Ref] = i
			if !want[p.Ref] {
				t.Fatalf("round %d: %s is in %s and nobody needs it", round, p.Ref, show(placed))
			}
			for _, need := range p.Needs {
				if !slices.Contains(edges, Edge{p.Ref, need, DependsOn}) {
					t.Fatalf("round %d: %s does not need %s", round, p.Ref, need)
				}
			}
			if p.For == "" {
				continue
			}
			if before, ok := at[p.For]; !ok || before >= i {
				t.Fatalf("round %d: %s is not behind %s in %s", round, p.Ref, p.For, show(placed))
			}
			if !slices.Contains(edges, Edge{p.For, p.Ref, DependsOn}) {
				t.Fatalf("round %d: %s does not need %s", round, p.For, p.Ref)
			}
		}
		for _, ref := range ranked[:min(limits.Heads, len(ranked))] {
			var direct []string
			for _, e := range edges {
				if e.From == ref && e.To != ref && has(e.To) && !slices.Contains(direct, e.To) {
					direct = append(direct, e.To)
				}
			}
			if got := placed[at[ref]].Needs; !slices.Equal(got, direct) {
				t.Fatalf("round %d: %s needs %q in %s, want %q", round, ref, got, show(placed), direct)
			}
		}
		if len(at) != len(want) {
			t.Fatalf("round %d: %d tools in %s, want %d", round, len(at), show(placed), len(want))
		}
		// Those that stand at their own rank keep their order.
		var own []string
		for _, p := range placed {
			if p.For == "" {
				own = append(own, p.Ref)
			}
		}
		if !slices.Equal(own, slices.DeleteFunc(slices.Clone(ranked), func(ref string) bool { return placed[at[ref]].For != "" })) {
			t.Fatalf("round %d: %s does not keep the order of %q", round, show(placed), ranked)
		}
	}
}

func TestOfAlternativesOneIsLeft(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 500 {
		n := 2 + rng.IntN(12)
		same := randomGraph(rng, n, rng.IntN(n), AlternativeOf)
		g := New(append(same, randomGraph(rng, n, rng.IntN(n), DependsOn)...))
		var ranked []string
		for _, i := range rng.Perm(n) {
			ranked = append(ranked, fmt.Sprint(i))
		}
		placed := g.Complete(ranked, func(ref string) bool { return ref != "0" }, Limits{})
		there := make(map[string]bool)
		for _, p := range placed {
			there[p.Ref] = true
		}
		alternatives := func(a, b string) bool { return slices.Contains(g.same[a], b) }
		for _, a := range ranked {
			met := there[a]
			for _, b := range ranked {
				if there[a] && there[b] && alternatives(a, b) {
					t.Fatalf("round %d: %s has both %s and its alternative %s", round, show(placed), a, b)
				}
				met = met || there[b] && alternatives(a, b)
			}
			if !met {
				t.Fatalf("round %d: %s has neither %s nor an alternative", round, show(placed), a)
			}
		}
	}
}

// Every tool needs every other one: without bounds, the ways through them are countless.
func TestAHostileGraphIsWalkedInBoundedTime(t *testing.T) {
	var edges []Edge
	for i := range 60 {
		for j := range 60 {
			edges = append(edges, Edge{fmt.Sprint(i), fmt.Sprint(j), DependsOn})
		}
	}
	g := New(edges)
	asked := 0
	has := func(string) bool { asked++; return true }
	if got := len(g.Complete([]string{"0"}, has, Limits{Depth: 50, Added: 1000})); got != 60 {
		t.Errorf("%d tools, want 60", got)
	}
	if got := len(g.Complete([]string{"0"}, has, Limits{})); got != 33 {
		t.Errorf("%d tools, want the first and 32 more", got)
	}
	if asked > 100_000 {
		t.Errorf("%d tools were looked at", asked)
	}
}
