// Package rowset reads sets of rows that are bits: row r is in the set if bit r%64 of word r/64 is set. Words that are missing
// stand for rows that are not in the set; a nil set stands for all rows.
package rowset

import "math/bits"

// Has reports whether a row is in a set.
func Has(set []uint64, row int) bool {
	return set == nil || row>>6 < len(set) && set[row>>6]>>(row&63)&1 != 0
}

// Word returns word w of a set that is not nil, without the bits of rows from n on.
func Word(set []uint64, w, n int) uint64 {
	switch left := n - w*64; {
	case left >= 64:
		return set[w]
	case left <= 0:
		return 0
	default:
		return set[w] & (1<<left - 1)
	}
}

// Count returns how many of the first n rows are in a set.
func Count(set []uint64, n int) int {
	if set == nil {
		return n
	}
	count := 0
	for w := range min(len(set), (n+63)/64) {
		count += bits.OnesCount64(Word(set, w, n))
	}
	return count
}
