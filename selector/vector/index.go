// Package vector finds the rows that are most like a query, exactly and in memory.
//
// An [Index] holds vectors of one dimension as rows 0 to Len-1, in the order they were appended, and compares them with a
// query by the cosine of the angle between them: 1 for the same direction, 0 for unrelated ones, -1 for opposite ones.
// Length does not matter. Every row is looked at, so nothing is ever missed; at the sizes of tool catalogues this is
// faster than approximate structures, because memory is read from front to back and one core reads tens of gigabytes in a
// second.
//
// An Index never changes. [Index.Append] returns a new version that shares the storage of the old one, so that one more
// row costs one row, and goroutines that still search the old version are not disturbed:
//
//	x := vector.New(384)
//	x, err := x.Append(rows...)
//	hits, err := x.Search(nil, query, 10, nil)
//
// Sets of rows are bits: row r is in the set if bit r%64 of word r/64 is set. Words that are missing stand for rows that
// are not in the set; a nil set stands for all rows.
//
// Where vek has no acceleration (other processors than amd64 with AVX2, and macOS) a plain Go loop computes the same;
// its scores may differ in the last bits.
package vector

import (
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"github.com/viterin/vek"

	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

// lane is the floats that vek's kernel takes in one turn; what is left over it takes one by one, at a tenth of the speed.
const lane = 32

// accelerated is asked for once: vek builds the answer anew each time.
var accelerated = vek.Info().Acceleration

// An Index is one version of a list of vectors. All of its methods are safe for concurrent use.
type Index struct {
	dim     int
	stride  int  // dim rounded up to a multiple of lane; floats from dim on are zero
	block   int  // rows that are handed to the kernel at once
	simd    bool // vek's kernel, or the one in Go
	workers int  // goroutines of one search, see Parallel

	n    int
	slab []float32 // n rows of stride floats; the capacity beyond them is for whoever moves store.rows
	// store is shared by the versions that share the slab.
	store *store
}

// A store says how much of a slab is taken. A version may write behind its rows only after it has moved rows from its
// own length: one of several that try wins, and the others copy.
type store struct {
	rows atomic.Int64
}

// New returns an empty index of vectors of dim elements. It panics if dim is less than 1.
func New(dim int) *Index {
	return newIndex(dim, accelerated)
}

func newIndex(dim int, simd bool) *Index {
	if dim < 1 {
		panic(fmt.Sprintf("vector: New: the dimension is %d; pass the length of the embedder's vectors", dim))
	}
	stride := (dim + lane - 1) / lane * lane
	return &Index{dim: dim, stride: stride, block: blockRows(stride), simd: simd, store: new(store)}
}

// Len returns the number of rows.
func (x *Index) Len() int { return x.n }

// Dim returns the number of elements of each vector.
func (x *Index) Dim() int { return x.dim }

// Append returns a version with rows added behind those of x. The rows are copied and brought to length 1. If one of them
// has the wrong dimension, is zero, or has an element that is NaN or infinite, the error is an [*Error] that says which,
// and nothing is added.
//
// The new version shares the slab of x as long as that has room, which is made for a quarter more rows whenever it has to
// grow. Appending to a version that is not the newest is correct, but copies the slab.
func (x *Index) Append(rows ...[]float32) (*Index, error) {
	if len(rows) == 0 {
		return x, nil
	}
	scales := make([]float64, len(rows))
	for i, row := range rows {
		scale, err := x.scale(row)
		if err != nil {
			err.Row = i
			return nil, err
		}
		scales[i] = scale
	}
	y := x.extend(len(rows))
	for i, row := range rows {
		normalize(y.slab[(x.n+i)*x.stride:], row, scales[i])
	}
	return y, nil
}

// Keep returns an index of only the rows of a set, in their order and numbered anew from 0. Their scores stay what they
// were, to the last bit. It shares nothing with x.
func (x *Index) Keep(set []uint64) *Index {
	kept := x.n
	if set != nil {
		kept = rowset.Count(set, x.n)
	}
	y := x.with(kept, x.allocate(kept), new(store))
	y.store.rows.Store(int64(kept))
	if set == nil {
		copy(y.slab, x.slab)
		return y
	}
	to := 0
	for w := range set {
		for word := rowset.Word(set, w, x.n); word != 0; word &= word - 1 {
			copy(y.slab[to*x.stride:], x.row(w*64+bits.TrailingZeros64(word)))
			to++
		}
	}
	return y
}

// Row returns a row as it is stored, of length 1. It must not be changed. It panics if there is no such row.
func (x *Index) Row(row int) []float32 {
	if row < 0 || row >= x.n {
		panic(fmt.Sprintf("vector: Row: there is no row %d in an index of %d", row, x.n))
	}
	return x.row(row)[:x.dim:x.dim]
}

// row returns a row with its padding.
func (x *Index) row(row int) []float32 {
	return x.slab[row*x.stride : (row+1)*x.stride]
}

// extend returns a version with room for more rows behind those of x, which nobody else writes to.
func (x *Index) extend(more int) *Index {
	n := x.n + more
	if n*x.stride <= cap(x.slab) && x.store.rows.CompareAndSwap(int64(x.n), int64(n)) {
		return x.with(n, x.slab[:n*x.stride], x.store)
	}
	y := x.with(n, x.allocate(n), new(store))
	y.store.rows.Store(int64(n))
	copy(y.slab, x.slab)
	return y
}

func (x *Index) with(n int, slab []float32, st *store) *Index {
	y := *x
	y.n, y.slab, y.store = n, slab, st
	return &y
}

// allocate returns a slab of n rows with capacity for more. The spare rows are zero, and so is their padding.
func (x *Index) allocate(n int) []float32 {
	slab := aligned((n + max(n/4, 16)) * x.stride)
	advise(slab)
	return slab[:n*x.stride]
}

// aligned returns n zero floats that start at a multiple of 64 bytes, a cache line: loads that straddle two are slower.
func aligned(n int) []float32 {
	const line, spare = 64, 64/4 - 1
	s := make([]float32, n+spare)
	skip := 0
	if past := uintptr(unsafe.Pointer(&s[0])) % line; past != 0 {
		skip = int(line-past) / 4
	}
	return s[skip : skip+n : skip+n]
}
