package selector

import "github.com/mcpfleet/mcpfleet/selector/internal/rank"

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

// row returns the row of a Ref, of several the one with the first ID, or -1.
func (sc *scope) row(ref string) int {
	best := -1
	entries := sc.snapshot.entries
	sc.snapshot.named().each(ref, func(row int) {
		if has(sc.rows, row) && (best < 0 || entries[row].doc.ID < entries[best].doc.ID) {
			best = row
		}
	})
	return best
}

// rowOf returns the row of an ID, or -1.
func (sc *scope) rowOf(id string) int {
	if row, there := sc.snapshot.named().ids[id]; there && has(sc.rows, int(row)) {
		return int(row)
	}
	return -1
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
