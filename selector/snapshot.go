package selector

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mcpfleet/mcpfleet/selector/internal/graph"
	"github.com/mcpfleet/mcpfleet/selector/internal/lexical"
	"github.com/mcpfleet/mcpfleet/selector/internal/rank"
	"github.com/mcpfleet/mcpfleet/selector/vector"
)

// A snapshot is one version of the catalogue. Documents are numbered by rows, in the order they came; the rows of those
// that are gone stay. It is immutable once it is published; versions share what is the same in them.
type snapshot struct {
	version     uint64 // unlike that of any other, of other selectors too
	entries     []*entry
	servers     []int32 // the number of each row's server
	intents     []rank.Intent
	serverNames []string
	vrows       []int32 // the row in vectors of each row, or noVector
	live        []uint64

	lexical  *lexical.Index
	index    *rank.Index
	vectors  *vector.Index // nil without vectors in memory, or as long as there are none
	declared *graph.Graph
	weights  *rank.Weights

	bare []uint64 // rows whose vectors could not be made

	all   *scope         // what there is without a subset
	named func() *naming // made once, when it is first asked for: most selections name no tool
}

func newSnapshot(declared *graph.Graph, weights *rank.Weights) *snapshot {
	return &snapshot{lexical: lexical.New(nil), declared: declared, weights: weights}
}

// next returns a copy to write into. It shares the storage of all but live, so what is there must not be changed.
func (sn *snapshot) next() *snapshot {
	n := *sn
	n.live = slices.Clone(sn.live)
	n.all = nil
	return &n
}

var versions atomic.Uint64

// finish makes a version ready to be published.
func (sn *snapshot) finish() {
	sn.version = versions.Add(1)
	sn.index = &rank.Index{Lexical: sn.lexical, Servers: sn.servers, Names: sn.serverNames, Intents: sn.intents, Weights: sn.weights}
	sn.all = newScope(sn, sn.live)
	sn.named = sync.OnceValue(sn.naming)
}

// Sets of rows are bits: row r is in the set if bit r%64 of word r/64 is set. Missing words are empty.

func has(set []uint64, row int) bool {
	return row>>6 < len(set) && set[row>>6]>>(row&63)&1 != 0
}

func add(set []uint64, row int) []uint64 {
	for row>>6 >= len(set) {
		set = append(set, 0)
	}
	set[row>>6] |= 1 << (row & 63)
	return set
}

func drop(set []uint64, row int) { set[row>>6] &^= 1 << (row & 63) }

// each calls f for the rows of a set, in order.
func each(set []uint64, f func(row int)) {
	for w, word := range set {
		for ; word != 0; word &= word - 1 {
			f(w*64 + bits.TrailingZeros64(word))
		}
	}
}

// ranks returns a function that tells how many members of a set come before one.
func ranks(set []uint64) func(member int) int32 {
	before := make([]int32, len(set))
	n := int32(0)
	for w, word := range set {
		before[w] = n
		n += int32(bits.OnesCount64(word))
	}
	return func(member int) int32 {
		w, bit := member>>6, member&63
		return before[w] + int32(bits.OnesCount64(set[w]&(1<<bit-1)))
	}
}
