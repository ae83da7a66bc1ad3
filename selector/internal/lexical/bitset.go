package lexical

import "math/bits"

func has(set []uint64, row uint32) bool {
	return set == nil || int(row/64) < len(set) && set[row/64]>>(row%64)&1 != 0
}

// count returns how many of the first n rows are in the set.
func count(set []uint64, n int) int {
	if set == nil {
		return n
	}
	total := 0
	for i, word := range set {
		if rest := n - 64*i; rest < 64 {
			if rest > 0 {
				total += bits.OnesCount64(word & (1<<rest - 1))
			}
			break
		}
		total += bits.OnesCount64(word)
	}
	return total
}
