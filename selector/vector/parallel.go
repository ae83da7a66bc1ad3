package vector

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

const (
	// worthwhile is the bytes of rows below which a second goroutine does not pay: waking it takes about as long as it saves.
	worthwhile = 32 << 20
	// share is the rows that a goroutine takes at a time; a multiple of 64, so that no two look at one word of a set.
	share = 2048
)

// Parallel returns an index of the same rows whose searches use up to n goroutines, but no more than GOMAXPROCS, once
// they have to read 32 MB, which are 21,845 rows of 384 elements. The versions made of it inherit that. The results are
// the same, but the searches allocate.
//
// It shortens a single search on an idle machine. Leave it off, as it is by default and with an n of less than 2, where
// many searches run at the same time: those use all cores by themselves.
func (x *Index) Parallel(n int) *Index {
	y := *x
	y.workers = n
	return &y
}

// goroutines returns how many goroutines are to read that many rows.
func (x *Index) goroutines(rows int) int {
	if x.workers < 2 || rows*x.stride*4 < worthwhile {
		return 1
	}
	return min(x.workers, runtime.GOMAXPROCS(0), (rows+share-1)/share)
}

// search offers the allowed rows to the tops of s.
func (x *Index) search(s *scratch, allowed []uint64) {
	goroutines := 1
	if x.workers > 1 {
		goroutines = x.goroutines(rowset.Count(allowed, x.n))
	}
	if goroutines == 1 {
		x.scan(s, 0, x.n, allowed)
		return
	}
	x.searchParallel(s, allowed, goroutines)
}

// searchParallel is search by several goroutines. Each has tops of its own and takes its shares in ascending order, which
// is the order that a top asks for.
func (x *Index) searchParallel(s *scratch, allowed []uint64, goroutines int) {
	others := make([]*scratch, goroutines-1)
	for i := range others {
		others[i] = &scratch{stride: s.stride, queries: s.queries, tops: make([]top, len(s.tops))}
		for q := range s.tops {
			others[i].tops[q] = newTop(nil, s.tops[q].k)
		}
	}
	x.split(goroutines, func(worker, lo, hi int) {
		part := s
		if worker > 0 {
			part = others[worker-1]
		}
		x.scan(part, lo, hi, allowed)
	})
	for _, other := range others {
		for q := range s.tops {
			s.tops[q].merge(other.tops[q].hits)
		}
	}
}

// score writes the scores of all rows to dst.
func (x *Index) score(s *scratch, dst []float32) {
	goroutines := x.goroutines(x.n)
	if goroutines == 1 {
		x.scoreRange(s, dst, 0, x.n)
		return
	}
	x.split(goroutines, func(_, lo, hi int) { x.scoreRange(s, dst, lo, hi) })
}

// split hands all rows out to goroutines, one of which is the caller's, and waits for them. It calls do with the number of
// the goroutine and a share of the rows; the shares of one goroutine ascend.
func (x *Index) split(goroutines int, do func(worker, lo, hi int)) {
	var next atomic.Int64
	work := func(worker int) {
		for {
			lo := int(next.Add(share)) - share
			if lo >= x.n {
				return
			}
			do(worker, lo, min(lo+share, x.n))
		}
	}
	var wg sync.WaitGroup
	for worker := range goroutines - 1 {
		wg.Go(func() { work(worker + 1) })
	}
	work(0)
	wg.Wait()
}
