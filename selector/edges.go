package selector

import (
	"fmt"

	"github.com/mcpfleet/mcpfleet/selector/internal/graph"
)

// An Edge says how two tools belong together. From and To are Refs of documents, written out in full: there are no patterns.
// They need not be there yet, and an edge whose ends are not there has no effect.
type Edge struct {
	From, To string
	Kind     EdgeKind
}

// An EdgeKind is a kind of [Edge].
type EdgeKind string

const (
	// DependsOn says that From is of no use unless To is called first, such as a tool that takes an id and the one that
	// finds it. If From is chosen as one of the best, then so is To, and what To depends on. A circle of tools that
	// depend on one another comes as a whole.
	DependsOn EdgeKind = "depends_on"
	// Precedes says that From is called before To if both are. To does not need From.
	Precedes EdgeKind = "precedes"
	// AlternativeOf says that From and To do the same, so that only the better one is chosen, unless the other one is pinned.
	// It holds in both directions, and between these two only: the alternatives of an alternative are others.
	AlternativeOf EdgeKind = "alternative_of"
)

// declare checks edges and returns their graph. The error is an [*InvalidError].
func declare(edges []Edge) (*graph.Graph, error) {
	declared := make([]graph.Edge, len(edges))
	for i, e := range edges {
		field := func(name string) string { return fmt.Sprintf("Options.Edges[%d].%s", i, name) }
		for _, end := range []struct{ name, ref string }{{"From", e.From}, {"To", e.To}} {
			if end.ref == "" {
				return nil, invalid(field(end.name), "is empty; it is the Ref of a document")
			}
			if len(end.ref) > maxID {
				return nil, invalid(field(end.name), "has %d bytes; the most is %d", len(end.ref), maxID)
			}
		}
		if e.From == e.To {
			return nil, invalid(field("To"), "is %q, as From is; an edge joins two tools", e.To)
		}
		kind, ok := edgeKinds[e.Kind]
		if !ok {
			return nil, invalid(field("Kind"), "is %.40q; it is %q, %q or %q", e.Kind, DependsOn, Precedes, AlternativeOf)
		}
		declared[i] = graph.Edge{From: e.From, To: e.To, Kind: kind}
	}
	return graph.New(declared), nil
}

var edgeKinds = map[EdgeKind]graph.Kind{
	DependsOn:     graph.DependsOn,
	Precedes:      graph.Precedes,
	AlternativeOf: graph.AlternativeOf,
}
