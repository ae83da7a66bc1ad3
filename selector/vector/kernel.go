package vector

import "github.com/viterin/vek/vek32"

const (
	// sequential is the multiplications from which on vek32.MatMul_Into starts goroutines, unless there are fewer than 4
	// rows. Below it allocates nothing, and a garbage collection that has to stop it waits for microseconds only.
	sequential = 100_000
	// maxBlock bounds the scores that are written before they are read; more rows at once are no faster.
	maxBlock = 256
)

// blockRows returns how many rows of stride floats are handed to the kernel at once.
func blockRows(stride int) int {
	return max(1, min(maxBlock, (sequential-1)/stride))
}

// dots writes the dot products of query with the rows from lo to hi, at most x.block of them, to dst.
func (x *Index) dots(dst []float32, lo, hi int, query []float32) {
	rows := x.slab[lo*x.stride : hi*x.stride]
	if x.simd {
		// One call for all rows is up to a quarter faster than vek32.Dot for each, and gives the same bits.
		vek32.MatMul_Into(dst, rows, query, x.stride)
		return
	}
	for i := range hi - lo {
		dst[i] = dot(rows[i*x.stride:(i+1)*x.stride], query)
	}
}

// dot returns the dot product of query with one row: the same bits as dots.
func (x *Index) dot(row int, query []float32) float32 {
	if x.simd {
		return vek32.Dot(x.row(row), query)
	}
	return dot(x.row(row), query)
}

// dot is the kernel for processors that vek knows no instructions of; vek's own loop waits for each addition.
// The vectors are of one length, which is a multiple of lane.
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	b = b[:len(a)]
	for ; len(a) >= 8; a, b = a[8:], b[8:] {
		p, q := (*[8]float32)(a), (*[8]float32)(b)
		s0 += p[0] * q[0]
		s1 += p[1] * q[1]
		s2 += p[2] * q[2]
		s3 += p[3] * q[3]
		s4 += p[4] * q[4]
		s5 += p[5] * q[5]
		s6 += p[6] * q[6]
		s7 += p[7] * q[7]
	}
	return ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))
}
