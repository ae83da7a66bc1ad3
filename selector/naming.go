package selector

// A naming finds the live rows of a version by the names of their documents. Scopes share it: there are as many of those as
// users who see different tools.
type naming struct {
	ids  map[string]int32
	refs map[string]int32 // the last row of each Ref
	same []int32          // for each row, the one before it with the same Ref, or -1
}

func (sn *snapshot) naming() *naming {
	n := &naming{ids: make(map[string]int32, sn.all.n), refs: make(map[string]int32, sn.all.n), same: make([]int32, len(sn.entries))}
	each(sn.live, func(row int) {
		d := &sn.entries[row].doc
		n.ids[d.ID] = int32(row)
		n.same[row] = -1
		if other, twice := n.refs[d.Ref]; twice {
			n.same[row] = other
		}
		n.refs[d.Ref] = int32(row)
	})
	return n
}

// each calls f for the rows of a Ref.
func (n *naming) each(ref string, f func(row int)) {
	row, there := n.refs[ref]
	for there && row >= 0 {
		f(int(row))
		row = n.same[row]
	}
}
