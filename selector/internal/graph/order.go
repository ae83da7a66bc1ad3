package graph

import (
	"cmp"
	"slices"
)

// Order returns refs with every tool behind those that were declared to precede it; otherwise it keeps the order. A tool that
// comes too late moves up to directly before the first one that follows it. Of a cycle, the edge that would close it
// does not count. A tool that is there twice is returned once.
func (g *Graph) Order(refs []string) []string {
	out := make([]string, 0, len(refs))
	if g == nil {
		return append(out, refs...)
	}
	rank := make(map[string]int, len(refs))
	for i, ref := range slices.Backward(refs) {
		rank[ref] = i
	}
	visited := make(map[string]bool, len(refs))
	var place func(ref string)
	place = func(ref string) {
		if visited[ref] {
			return
		}
		visited[ref] = true
		for _, earlier := range byRank(g.before[ref], rank) {
			place(earlier)
		}
		out = append(out, ref)
	}
	for _, ref := range refs {
		place(ref)
	}
	return out
}

// byRank returns those of refs that have a rank, by it.
func byRank(refs []string, rank map[string]int) []string {
	var ranked []string
	for _, ref := range refs {
		if _, ok := rank[ref]; ok {
			ranked = append(ranked, ref)
		}
	}
	slices.SortFunc(ranked, func(a, b string) int { return cmp.Compare(rank[a], rank[b]) })
	return ranked
}
