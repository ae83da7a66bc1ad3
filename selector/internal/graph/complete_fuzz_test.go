package graph

import (
	"slices"
	"strings"
	"testing"
)

// FuzzComplete reads each line of text as an edge, such as "a>b" (needs), "a<b" (precedes) or "a=b" (alternatives), or as a tool.
func FuzzComplete(f *testing.F) {
	f.Add("a>b\nb>c\na\nd", 0, 0, 0, 0)
	f.Add("a>b\nb=c\nc<a\nc\na", 1, 1, 1, 1)
	f.Add("a>a\nb>a\na>b\nb\na\nb", -1, 9, 2, 3)
	f.Fuzz(func(t *testing.T, text string, heads, depth, added, pinned int) {
		if len(text) > 2000 {
			return
		}
		var edges []Edge
		var ranked []string
		kinds := map[byte]Kind{'>': DependsOn, '<': Precedes, '=': AlternativeOf}
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if i := strings.IndexAny(line, "<=>"); i >= 0 {
				edges = append(edges, Edge{line[:i], line[i+1:], kinds[line[i]]})
			} else {
				ranked = append(ranked, line)
			}
		}
		g := New(edges)
		limits := Limits{Heads: heads, Depth: depth, Added: added, Pinned: pinned}
		has := func(ref string) bool { return !strings.HasPrefix(ref, "-") }
		placed := g.Complete(ranked, has, limits)
		there := make(map[string]bool)
		extra := 0
		for _, p := range placed {
			if there[p.Ref] {
				t.Fatalf("%q is there twice in %s", p.Ref, show(placed))
			}
			if p.For != "" && !there[p.For] {
				t.Fatalf("%q is placed for %q, which is not before it in %s", p.Ref, p.For, show(placed))
			}
			if p.For != "" && !has(p.Ref) {
				t.Fatalf("%q is placed and does not exist", p.Ref)
			}
			if !slices.Contains(ranked, p.Ref) {
				extra++
			}
			there[p.Ref] = true
		}
		if extra > limits.withDefaults().Added {
			t.Fatalf("%d tools were added, more than %d", extra, limits.withDefaults().Added)
		}
		for i, ref := range ranked {
			if !there[ref] && (i < pinned || len(g.same[ref]) == 0) {
				t.Fatalf("%q is lost in %s", ref, show(placed))
			}
		}
		for _, p := range placed {
			for _, need := range p.Needs {
				if !there[need] {
					t.Fatalf("%q needs %q, which is not in %s", p.Ref, need, show(placed))
				}
			}
		}
		order := g.Order(ranked)
		if len(order) != len(slices.Compact(slices.Sorted(slices.Values(ranked)))) {
			t.Fatalf("Order(%q) = %q", ranked, order)
		}
	})
}
