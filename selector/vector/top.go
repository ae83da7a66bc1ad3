package vector

import (
	"math"
	"slices"

	"github.com/viterin/vek/vek32"

	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

// A Hit is a row that was found.
type Hit struct {
	// Row is the number of the row.
	Row int
	// Score is the cosine of row and query, from -1 to 1 give or take 1e-6.
	Score float32
}

// compare orders hits best first: by score, then by row, so that no two are equal.
func compare(a, b Hit) int {
	switch {
	case a.Score > b.Score:
		return -1
	case a.Score < b.Score:
		return 1
	}
	return a.Row - b.Row
}

// A top keeps the best of the hits that it is offered in the order of their rows. Of two with the same score the later
// one is therefore the worse one, and need not be looked at once there are enough.
type top struct {
	hits []Hit // best first if k is at most listed, else a heap with the worst in front
	k    int
	// least is what a score has to exceed: that of the worst hit, or less than any score while there are fewer than k.
	least float32
}

// listed is the largest k for which a sorted list is faster than a heap.
const listed = 64

var none = float32(math.Inf(-1))

// newTop returns a top for k hits, at least 1, that are kept in dst if it is large enough.
func newTop(dst []Hit, k int) top {
	return top{hits: slices.Grow(dst[:0], k), k: k, least: none}
}

// skip is the scores of which the largest is asked for first: it is seldom good enough, and vek finds it quickly.
const skip = 64

// offer offers scores of the rows from first on that are in allowed.
func (t *top) offer(scores []float32, first int, allowed []uint64, simd bool) {
	least := t.least
	for len(scores) > 0 {
		part := scores[:min(skip, len(scores))]
		if !simd || vek32.Max(part) > least {
			for i, score := range part {
				if score > least && rowset.Has(allowed, first+i) {
					t.add(Hit{Row: first + i, Score: score})
					least = t.least
				}
			}
		}
		first, scores = first+len(part), scores[len(part):]
	}
}

// add adds a hit that is better than the worst, or of which there are too few.
func (t *top) add(h Hit) {
	full := len(t.hits) == t.k
	switch {
	case t.k <= listed:
		if !full {
			t.hits = append(t.hits, h)
		}
		t.insert(h)
	case full:
		t.hits[0] = h
		t.down(len(t.hits))
	default:
		t.hits = append(t.hits, h)
		t.up(len(t.hits) - 1)
	}
	if len(t.hits) == t.k {
		t.least = t.worst().Score
	}
}

func (t *top) worst() Hit {
	if t.k <= listed {
		return t.hits[len(t.hits)-1]
	}
	return t.hits[0]
}

// merge adds the hits of a top of other rows, in any order.
func (t *top) merge(hits []Hit) {
	for _, h := range hits {
		if len(t.hits) < t.k || compare(h, t.worst()) < 0 {
			t.add(h)
		}
	}
}

// insert puts a hit into the sorted list, in place of the last one.
func (t *top) insert(h Hit) {
	i := len(t.hits) - 1
	for ; i > 0 && compare(h, t.hits[i-1]) < 0; i-- {
		t.hits[i] = t.hits[i-1]
	}
	t.hits[i] = h
}

func (t *top) up(i int) {
	h := t.hits
	for i > 0 {
		parent := (i - 1) / 2
		if compare(h[i], h[parent]) < 0 {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// down restores the heap of the first n hits after the one in front has changed.
func (t *top) down(n int) {
	h := t.hits
	for i := 0; ; {
		child := 2*i + 1
		if child >= n {
			return
		}
		if child+1 < n && compare(h[child+1], h[child]) > 0 {
			child++
		}
		if compare(h[i], h[child]) > 0 {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// sort orders the hits best first and returns them. Nothing can be added any more.
func (t *top) sort() []Hit {
	if t.k <= listed {
		return t.hits
	}
	for n := len(t.hits) - 1; n > 0; n-- {
		t.hits[0], t.hits[n] = t.hits[n], t.hits[0]
		t.down(n)
	}
	return t.hits
}
