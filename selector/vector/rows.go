package vector

import "math/bits"

// in reports whether a row is in a set.
func in(set []uint64, row int) bool {
	return set == nil || row>>6 < len(set) && set[row>>6]>>(row&63)&1 != 0
}

// word returns a word of a set without the bits of rows that x does not have.
func (x *Index) word(set []uint64, w int) uint64 {
	switch left := x.n - w*64; {
	case left >= 64:
		return set[w]
	case left <= 0:
		return 0
	default:
		return set[w] & (1<<left - 1)
	}
}

// count returns how many rows of x are in a set.
func (x *Index) count(set []uint64) int {
	if set == nil {
		return x.n
	}
	n := 0
	for w := range min(len(set), (x.n+63)/64) {
		n += bits.OnesCount64(x.word(set, w))
	}
	return n
}
