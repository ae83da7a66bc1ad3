package graph

import "slices"

// A Kind says what an [Edge] means.
type Kind uint8

const (
	DependsOn     Kind = iota + 1 // From needs To to be called first
	Precedes                      // From is called before To, if both are
	AlternativeOf                 // From and To do the same; either is enough
)

// An Edge is declared between two tools, which need not exist.
type Edge struct {
	From, To string
	Kind     Kind
}

// A Graph is what was declared. It is immutable and safe for concurrent use; nil is the graph without edges.
type Graph struct {
	needs  map[string][]string // DependsOn, in the order they were declared
	next   map[string][]string // Precedes
	before map[string][]string // Precedes, backwards
	same   map[string][]string // AlternativeOf, both ways
}

// New returns the graph of edges. Edges that are there twice count once, and edges from a tool to itself do not count.
// It panics if a kind is unknown.
func New(edges []Edge) *Graph {
	g := &Graph{
		needs:  make(map[string][]string),
		next:   make(map[string][]string),
		before: make(map[string][]string),
		same:   make(map[string][]string),
	}
	seen := make(map[Edge]bool, len(edges))
	for _, e := range edges {
		if e.From == e.To || seen[e] {
			continue
		}
		seen[e] = true
		switch e.Kind {
		case DependsOn:
			g.needs[e.From] = append(g.needs[e.From], e.To)
		case Precedes:
			g.next[e.From] = append(g.next[e.From], e.To)
			g.before[e.To] = append(g.before[e.To], e.From)
		case AlternativeOf:
			if back := (Edge{From: e.To, To: e.From, Kind: AlternativeOf}); !seen[back] {
				g.same[e.From] = append(g.same[e.From], e.To)
				g.same[e.To] = append(g.same[e.To], e.From)
			}
		default:
			panic("selector: graph.New: unknown kind of edge")
		}
	}
	return g
}

// Next returns the tools that ref was declared to precede, in the order they were declared.
func (g *Graph) Next(ref string) []string {
	if g == nil {
		return nil
	}
	return slices.Clone(g.next[ref])
}
