package selector

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// nearness is how near the vectors of a scope's rows are to texts. The first failure is remembered, and ends it.
type nearness struct {
	s        *Selector
	ctx      context.Context
	sc       *scope
	err      error
	compared bool // vectors have counted

	whole string    // the text that a call of the embedder is worth; not each of its sentences
	all   []float32 // cosines of the rows of snapshot.vectors
	query []float32
}

// cosines returns what writes the cosine of each row to dst, or nil if there are no vectors. A row without a vector has NaN.
func (n *nearness) cosines() func(dst []float32, text string) bool {
	switch {
	case n.err != nil:
		return nil
	case n.s.opts.Vectors != nil:
		return n.search
	case n.sc.snapshot.vectors != nil:
		return n.compare
	}
	return nil
}

// compare compares with all vectors in memory.
func (n *nearness) compare(dst []float32, text string) bool {
	if _, ok := n.s.opts.Embedder.(immediate); !ok && text != n.whole || n.err != nil {
		return false
	}
	query, err := n.embed(text)
	if err == nil && len(query) > 0 && zero(query) {
		return false // no word of it is known: nothing is near
	}
	sn := n.sc.snapshot
	if err == nil {
		n.all, err = sn.vectors.Scores(n.all[:0], query)
	}
	if err != nil {
		n.fail(err)
		return false
	}
	nan := float32(math.NaN())
	for row, v := range sn.vrows {
		if v == noVector {
			dst[row] = nan
		} else {
			dst[row] = n.all[v]
		}
	}
	n.compared = true
	return true
}

// An embedder that has this method makes vectors of queries without a call that could fail.
type immediate interface {
	Embed(dst []float32, text string) []float32
}

func (n *nearness) embed(text string) ([]float32, error) {
	if e, ok := n.s.opts.Embedder.(immediate); ok {
		n.query = e.Embed(n.query[:0], text)
		return n.query, nil
	}
	return await(n.ctx, "Embedder.EmbedQuery", func() ([]float32, error) { return n.s.opts.Embedder.EmbedQuery(n.ctx, text) })
}

// nearest is how many neighbours a VectorIndex is asked for: those behind them would not be selected for their vectors.
const nearest = 256

// search asks a VectorIndex. All rows that it does not return are as far away as the last one that it does.
func (n *nearness) search(dst []float32, text string) bool {
	if text != n.whole {
		return false
	}
	sn := n.sc.snapshot
	found, err := await(n.ctx, "VectorIndex.Search", func() ([]Neighbour, error) {
		return n.s.opts.Vectors.Search(n.ctx, text, nearest, func(id string) bool { return n.sc.rowOf(id) >= 0 })
	})
	if err != nil {
		n.fail(err)
		return false
	}
	// An index that does not do as it is told must not let tools that are not in the scope count.
	found = slices.DeleteFunc(slices.Clone(found), func(f Neighbour) bool { return n.sc.rowOf(f.ID) < 0 })
	if len(found) == 0 {
		return false
	}
	last := found[0].Score
	for _, f := range found {
		if x := float64(f.Score); math.IsNaN(x) || math.IsInf(x, 0) {
			n.fail(fmt.Errorf("VectorIndex.Search returned the score %v", x))
			return false
		}
		last = min(last, f.Score)
	}
	for row := range sn.entries {
		dst[row] = last
	}
	for _, f := range found {
		row := n.sc.rowOf(f.ID)
		dst[row] = max(dst[row], f.Score)
	}
	n.compared = true
	return true
}

func (n *nearness) fail(err error) {
	n.err = fmt.Errorf("selector: comparing vectors: %w", err)
	n.s.warn("tools are chosen by their words alone", err)
}
