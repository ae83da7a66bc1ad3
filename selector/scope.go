package selector

import (
	"sync"

	"github.com/mcpfleet/mcpfleet/selector/internal/rank"
)

// A scope is what a selection sees of a version of the catalogue: all of it, or a [Subset].
type scope struct {
	snapshot *snapshot
	*extent
}

// An extent is what a scope knows of its version. It does not hold that: a [Subset] that is kept, but not used for a while,
// must not keep an old catalogue alive.
type extent struct {
	version uint64 // of the snapshot
	rows    []uint64
	n       int  // rows
	tokens  int  // what they cost together
	bare    bool // vectors of some of them could not be made
	rank    *rank.Scope

	once sync.Once
	refs map[string]int // rows by Ref; of several the one with the first ID
	ids  map[string]int // rows by ID
}

func newScope(sn *snapshot, rows []uint64) *scope {
	sc := &scope{sn, &extent{version: sn.version, rows: rows}}
	each(rows, func(row int) {
		sc.n++
		sc.tokens += sn.entries[row].doc.Tokens
		sc.bare = sc.bare || has(sn.bare, row)
	})
	sc.rank = sn.index.Scope(rows)
	return sc
}

// row returns the row of a Ref, or -1.
func (sc *scope) row(ref string) int {
	sc.names()
	if row, ok := sc.refs[ref]; ok {
		return row
	}
	return -1
}

// byID returns the rows by ID.
func (sc *scope) byID() map[string]int {
	sc.names()
	return sc.ids
}

// names builds the maps when they are first needed: most selections name no tool.
func (sc *scope) names() {
	sc.once.Do(func() {
		sc.refs, sc.ids = make(map[string]int, sc.n), make(map[string]int, sc.n)
		entries := sc.snapshot.entries
		each(sc.rows, func(row int) {
			d := &entries[row].doc
			sc.ids[d.ID] = row
			if other, twice := sc.refs[d.Ref]; !twice || d.ID < entries[other].doc.ID {
				sc.refs[d.Ref] = row
			}
		})
	})
}

// filter returns the rows that a query's filters leave.
func (sc *scope) filter(q *Query) []uint64 {
	if q.Servers == nil && q.Categories == nil && q.Labels == nil {
		return sc.rows
	}
	servers, categories, labels := set(q.Servers), set(q.Categories), set(q.Labels)
	left := make([]uint64, len(sc.rows))
	each(sc.rows, func(row int) {
		d := &sc.snapshot.entries[row].doc
		if (q.Servers == nil || servers[d.Server]) && (q.Categories == nil || categories[d.Category]) && (q.Labels == nil || anyOf(d.Labels, labels)) {
			add(left, row)
		}
	})
	return left
}

func set(values []string) map[string]bool {
	m := make(map[string]bool, len(values))
	for _, v := range values {
		m[v] = true
	}
	return m
}

func anyOf(values []string, in map[string]bool) bool {
	for _, v := range values {
		if in[v] {
			return true
		}
	}
	return false
}
