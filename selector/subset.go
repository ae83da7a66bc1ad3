package selector

import "sync/atomic"

// A Subset is some of the documents of a [Selector], such as those of the tools that one user may see. It is immutable and
// safe for concurrent use, and is meant to be kept: what a selection within it needs is computed once for each version of
// the catalogue. There may be thousands: each takes some 4 bytes for each of its documents, besides the IDs. It may name
// documents that are not there.
type Subset struct {
	ids  map[string]struct{}
	last atomic.Pointer[extent] // of the version that was asked for last
}

// NewSubset returns the subset with these IDs.
func NewSubset(ids []string) *Subset {
	s := &Subset{ids: make(map[string]struct{}, len(ids))}
	for _, id := range ids {
		s.ids[id] = struct{}{}
	}
	return s
}

// Len returns the number of IDs.
func (s *Subset) Len() int { return len(s.ids) }

// Has reports whether id is in the subset.
func (s *Subset) Has(id string) bool {
	_, ok := s.ids[id]
	return ok
}

// of returns the scope of s in a version of the catalogue.
func (s *Subset) of(sn *snapshot) *scope {
	if s == nil {
		return sn.all
	}
	if x := s.last.Load(); x != nil && x.version == sn.version {
		return &scope{sn, x}
	}
	rows := make([]uint64, len(sn.live))
	for row, e := range sn.entries {
		if has(sn.live, row) && s.Has(e.doc.ID) {
			add(rows, row)
		}
	}
	sc := newScope(sn, rows)
	s.last.Store(sc.extent) // two goroutines may both compute it: the results are the same
	return sc
}
