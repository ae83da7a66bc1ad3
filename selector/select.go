package selector

import (
	"cmp"
	"context"
	"slices"

	"github.com/mcpfleet/mcpfleet/selector/internal/budget"
	"github.com/mcpfleet/mcpfleet/selector/internal/graph"
)

// Select returns the tools that fit a query best. The same query on the same catalogue has the same result.
//
// It fails with an [*InvalidError] for a query that cannot be used, and when ctx ends. If the embedder fails the tools are
// chosen by their words, and [Selection.Degraded] says so.
func (s *Selector) Select(ctx context.Context, q Query) (*Selection, error) {
	if err := q.validate(); err != nil {
		return nil, err
	}
	sn := s.current.Load()
	sc := q.Within.of(sn)
	found := &Selection{Of: sc.n, OfTokens: sc.tokens}
	if sc.n == 0 {
		return found, nil
	}
	left := sc.filter(&q)
	r, err := s.rank(ctx, sc, left, &q)
	if err != nil {
		return nil, err
	}
	defer r.free()
	found.Unmatched, found.Degraded = r.unmatched, r.degraded

	c := s.candidates(sc, left, &q, r)
	choices, skipped := budget.Choose(c.list, budget.Limits{
		Max: q.MaxTools, Tokens: q.TokenBudget, PerServer: q.PerServer, PerCategory: q.PerCategory, Whole: q.Whole,
	})
	found.Tools = make([]Selected, len(choices))
	for i, choice := range choices {
		row := c.rows[choice.Index]
		e := sn.entries[row]
		t := &found.Tools[i]
		*t = Selected{Document: &e.doc, Score: c.list[choice.Index].Score, Tokens: choice.Tokens, Reason: reasons[choice.Reason], Step: r.stepOf(row)}
		if choice.Compact {
			small := e.compacted(s.opts.Counter)
			t.Compact = &Compact{Description: small.Description, Schema: small.Schema, Lost: small.Lost}
		}
		if q.Explain {
			t.Parts = r.parts(row)
		}
		found.Tokens += choice.Tokens
	}
	found.order(sn.declared)
	found.Missing = c.unknown
	for _, skip := range skipped {
		ref := sn.entries[c.rows[skip.Index]].doc.Ref
		if (skip.Reason == budget.Pinned || skip.Reason == budget.Needed) && !slices.Contains(found.Missing, ref) {
			found.Missing = append(found.Missing, ref)
		}
	}
	return found, nil
}

// order puts tools behind those that were declared to precede them.
func (found *Selection) order(declared *graph.Graph) {
	refs := make([]string, len(found.Tools))
	for i, t := range found.Tools {
		refs[i] = t.Document.Ref
	}
	place := make(map[string]int, len(refs))
	for i, ref := range declared.Order(refs) {
		place[ref] = i
	}
	slices.SortStableFunc(found.Tools, func(a, b Selected) int {
		return cmp.Compare(place[a.Document.Ref], place[b.Document.Ref])
	})
}

var reasons = [...]Reason{budget.Ranked: Ranked, budget.Pinned: Pinned, budget.Needed: Needed, budget.Represented: Represented}
