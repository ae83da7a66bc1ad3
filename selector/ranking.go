package selector

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mcpfleet/mcpfleet/selector/internal/rank"
)

// A ranking is how well the rows of a scope fit a query: each is as good as it is for the text that it fits best.
type ranking struct {
	entries []*entry
	texts   []string
	first   int       // the index in Query.Steps of texts[0]; -1 if that is Query.Text
	scores  []float32 // of rows, as the fusion has them
	step    []int16   // index in texts of the one that gave the score
	tops    [][]int   // the best rows of each text, best first

	graph     map[int]float64 // what observed use added to rows
	explained []rank.Parts    // of each text, with Query.Explain
	unmatched []string
	degraded  error

	one []float32 // scores for one text
}

var rankings = sync.Pool{New: func() any { return new(ranking) }}

// free gives r back. It must not be used any more.
func (r *ranking) free() {
	*r = ranking{scores: r.scores, step: r.step, one: r.one}
	rankings.Put(r)
}

// rank scores the rows of a scope; left are those that the query's filters leave.
func (s *Selector) rank(ctx context.Context, sc *scope, left []uint64, q *Query) (*ranking, error) {
	r := rankings.Get().(*ranking)
	r.entries = sc.snapshot.entries
	r.texts = q.Steps
	if strings.TrimSpace(q.Text) != "" {
		r.texts, r.first = append([]string{q.Text}, q.Steps...), -1
	}
	n := len(r.entries)
	r.scores, r.step, r.one = resize(r.scores, n), resize(r.step, n), resize(r.one, n)
	near := &nearness{s: s, ctx: ctx, sc: sc}
	r.rate(near, left, q)
	if near.err != nil && near.compared {
		r.rate(near, left, q) // by words alone, for scores of texts with vectors and without cannot be compared
	}
	if ctx.Err() != nil {
		r.free()
		return nil, fmt.Errorf("selector: selecting: %w", ctx.Err())
	}
	r.degraded = near.err
	if r.degraded == nil && sc.bare {
		r.degraded = errBare
	}
	slices.Sort(r.unmatched)
	r.unmatched = slices.Compact(r.unmatched)
	return r, nil
}

// rate scores the rows for each text, until the context of near ends.
func (r *ranking) rate(near *nearness, left []uint64, q *Query) {
	sc := near.sc
	clear(r.step)
	r.tops, r.unmatched = nil, nil
	if q.Explain {
		r.explained = make([]rank.Parts, len(r.texts))
	}
	for i, text := range r.texts {
		dst := r.scores
		if i > 0 {
			dst = r.one
		}
		var parts *rank.Parts
		if q.Explain {
			parts = &r.explained[i]
		}
		near.whole = text
		unmatched := sc.snapshot.index.Score(dst, sc.rank, text, near.cosines(), parts)
		if near.ctx.Err() != nil {
			return
		}
		r.unmatched = append(r.unmatched, unmatched...)
		if len(r.texts) > 1 {
			r.tops = append(r.tops, r.top(dst, left, stepSpare))
		}
		if i > 0 {
			each(sc.rows, func(row int) { // also those that only pins and needs can bring
				if dst[row] > r.scores[row] {
					r.scores[row], r.step[row] = dst[row], int16(i)
				}
			})
		}
	}
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// better orders rows by their scores; rows that are as good as each other by their IDs, which do not depend on the order in
// which documents came.
func (r *ranking) better(scores []float32, a, b int) int {
	if c := cmp.Compare(scores[b], scores[a]); c != 0 {
		return c
	}
	return strings.Compare(r.entries[a].doc.ID, r.entries[b].doc.ID)
}

// top returns the n best rows of a set, best first.
func (r *ranking) top(scores []float32, rows []uint64, n int) []int {
	heap := make([]int, 0, n) // the worst first
	worse := func(i, j int) bool { return r.better(scores, heap[i], heap[j]) > 0 }
	each(rows, func(row int) {
		if len(heap) == n {
			if r.better(scores, row, heap[0]) > 0 {
				return
			}
			heap[0] = row
			for i := 0; ; {
				least := i
				for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
					if worse(c, least) {
						least = c
					}
				}
				if least == i {
					return
				}
				heap[i], heap[least] = heap[least], heap[i]
				i = least
			}
		}
		heap = append(heap, row)
		for i := len(heap) - 1; i > 0 && worse(i, (i-1)/2); i = (i - 1) / 2 {
			heap[i], heap[(i-1)/2] = heap[(i-1)/2], heap[i]
		}
	})
	slices.SortFunc(heap, func(a, b int) int { return r.better(scores, a, b) })
	return heap
}

// score returns [Selected.Score] of a row.
func (r *ranking) score(row int) float64 { return rank.Calibrate(r.scores[row]) }

// stepOf returns [Selected.Step] of a row.
func (r *ranking) stepOf(row int) int { return int(r.step[row]) + r.first }

// parts returns [Selected.Parts] of a row.
func (r *ranking) parts(row int) *Parts {
	p := r.explained[r.step[row]]
	return &Parts{
		Lexical:    float64(p.Lexical[row]),
		Characters: float64(p.Characters[row]),
		Vector:     float64(p.Vector[row]),
		Sentence:   float64(p.Sentence[row]),
		Server:     float64(p.Server[row]),
		Intent:     float64(p.Intent[row]),
		Graph:      r.graph[row],
	}
}
