package vector

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

// Scores returns the cosine of query with every row, with that of row r at index r. It overwrites dst, and allocates only
// if its capacity is less than [Index.Len]. If query is not a good vector, see [Index.Append], the error is an [*Error].
func (x *Index) Scores(dst []float32, query []float32) ([]float32, error) {
	s, err := x.prepare(query)
	if err != nil {
		return nil, err
	}
	defer s.free()
	dst = slices.Grow(dst[:0], x.n)[:x.n]
	x.score(s, dst)
	return dst, nil
}

// Search returns the k rows of allowed that are most like query, best first; rows with the same score are in the order of
// their numbers. There are fewer only if allowed has fewer, and none if k is less than 1. It overwrites dst, and allocates
// nothing if its capacity is at least k. If query is not a good vector, see [Index.Append], the error is an [*Error].
//
// What it costs is in proportion to the rows that are allowed, most exactly so where they lie side by side.
func (x *Index) Search(dst []Hit, query []float32, k int, allowed []uint64) ([]Hit, error) {
	s, err := x.prepare(query)
	if err != nil {
		return nil, err
	}
	defer s.free()
	if k = min(k, x.n); k < 1 {
		return dst[:0], nil
	}
	s.tops = append(s.tops[:0], newTop(dst, k))
	x.search(s, allowed)
	return s.tops[0].sort(), nil
}

// SearchBatch does for each query what [Index.Search] does, with the same result, but reads the rows once for all of them.
// The hits of query i are at index i. It overwrites dst and its elements, and allocates only what does not fit. If a query
// is not a good vector, see [Index.Append], the error is an [*Error] that says which.
func (x *Index) SearchBatch(dst [][]Hit, queries [][]float32, k int, allowed []uint64) ([][]Hit, error) {
	s, err := x.prepare(queries...)
	if err != nil {
		return nil, err
	}
	defer s.free()
	k = min(k, x.n)
	dst = slices.Grow(dst[:0], len(queries))[:len(queries)]
	s.tops = s.tops[:0]
	for i := range dst {
		if k < 1 {
			dst[i] = dst[i][:0]
			continue
		}
		s.tops = append(s.tops, newTop(dst[i], k))
	}
	if k < 1 || len(queries) == 0 {
		return dst, nil
	}
	x.search(s, allowed)
	for i := range dst {
		dst[i] = s.tops[i].sort()
	}
	return dst, nil
}

// scoreRange writes the scores of the rows from lo to hi to dst, where row r has index r.
func (x *Index) scoreRange(s *scratch, dst []float32, lo, hi int) {
	for ; lo < hi; lo += x.block {
		end := min(lo+x.block, hi)
		x.dots(dst[lo:end], lo, end, s.query(0))
	}
}

// A scratch is what one search writes to.
type scratch struct {
	stride  int
	queries []float32 // of length 1, padded to stride, aligned
	tops    []top     // one for each query
	scores  [maxBlock]float32
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// free gives s back. It forgets the hits, which are the caller's.
func (s *scratch) free() {
	clear(s.tops)
	scratches.Put(s)
}

func (s *scratch) query(i int) []float32 {
	return s.queries[i*s.stride : (i+1)*s.stride]
}

// prepare returns a scratch with the queries. The caller frees it.
func (x *Index) prepare(queries ...[]float32) (*scratch, error) {
	s := scratches.Get().(*scratch)
	s.stride = x.stride
	if n := len(queries) * x.stride; n <= cap(s.queries) {
		s.queries = s.queries[:n]
	} else {
		s.queries = aligned(n)
	}
	for i, query := range queries {
		if err := x.normalizeQuery(s.query(i), query); err != nil {
			s.free()
			err.Query, err.Row = true, i
			return nil, err
		}
	}
	return s, nil
}

// dense is how many rows of a word have to be allowed for all of its rows to be scanned. With fewer it is faster to
// compute each by itself.
const dense = 32

// scan offers the allowed rows from lo, a multiple of 64, to hi to the tops of s.
func (x *Index) scan(s *scratch, lo, hi int, allowed []uint64) {
	if allowed == nil {
		x.scanRange(s, lo, hi, nil)
		return
	}
	from, to := 0, 0 // rows of dense words that are still to be scanned
	for w := lo / 64; w < len(allowed) && w*64 < hi; w++ {
		word, first := rowset.Word(allowed, w, x.n), w*64
		if bits.OnesCount64(word) >= dense {
			if from == to {
				from = first + bits.TrailingZeros64(word)
			}
			to = first + bits.Len64(word)
			if to-from < x.block {
				continue
			}
			word = 0
		}
		x.scanRange(s, from, to, allowed)
		from, to = 0, 0
		for ; word != 0; word &= word - 1 {
			x.scanRow(s, first+bits.TrailingZeros64(word))
		}
	}
	x.scanRange(s, from, to, allowed)
}

// scanRange computes all rows from lo to hi and offers those that are allowed. A block of rows stays in the cache for all
// queries.
func (x *Index) scanRange(s *scratch, lo, hi int, allowed []uint64) {
	for ; lo < hi; lo += x.block {
		end := min(lo+x.block, hi)
		scores := s.scores[:end-lo]
		for q := range s.tops {
			x.dots(scores, lo, end, s.query(q))
			s.tops[q].offer(scores, lo, allowed, x.simd)
		}
	}
}

func (x *Index) scanRow(s *scratch, row int) {
	for q := range s.tops {
		t := &s.tops[q]
		if score := x.dot(row, s.query(q)); score > t.least {
			t.add(Hit{Row: row, Score: score})
		}
	}
}
