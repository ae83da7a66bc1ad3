package selector

import (
	"slices"
	"time"

	"github.com/mcpfleet/mcpfleet/selector/internal/budget"
	"github.com/mcpfleet/mcpfleet/selector/internal/graph"
)

// candidates are the tools that have a chance of being chosen: pinned ones, then by score.
type candidates struct {
	rows    []int
	list    []budget.Candidate
	unknown []string // pinned Refs that there are not
}

// completed is how many of the best tools bring what they need: one further down is seldom right, and what it needs would
// push out better ones. With steps it is one for each.
const completed = 3

// Beyond MaxTools, candidates take the places of those that do not fit the budget, of twins and of alternatives.
const (
	spare     = 64
	stepSpare = 8 // of each step
)

func (s *Selector) candidates(sc *scope, left []uint64, q *Query, r *ranking) *candidates {
	entries := sc.snapshot.entries
	rows := make([]int, 0, q.MaxTools+spare)
	index := make(map[string]int, q.MaxTools+spare) // in rows, by Ref; of two with the same Ref the better one counts
	put := func(row int) {
		ref := entries[row].doc.Ref
		if _, twice := index[ref]; !twice {
			index[ref] = len(rows)
			rows = append(rows, row)
		}
	}
	c := new(candidates)
	for _, ref := range q.Pinned {
		if row := sc.row(ref); row >= 0 {
			put(row)
		} else if !slices.Contains(c.unknown, ref) {
			c.unknown = append(c.unknown, ref)
		}
	}
	pinned := len(rows)
	for _, row := range s.likely(sc, left, q, r) {
		if r.score(row) >= q.MinScore {
			put(row)
		}
	}

	// What a tool needs may be anywhere in the scope: filters say what is asked for, not what that takes.
	refs := make([]string, len(rows))
	for i, row := range rows {
		refs[i] = entries[row].doc.Ref
	}
	there := func(ref string) bool {
		_, ranked := index[ref]
		return ranked || sc.row(ref) >= 0
	}
	placed := sc.snapshot.declared.Complete(refs, there, graph.Limits{Pinned: pinned, Heads: max(completed, len(q.Steps))})
	c.rows, c.list = make([]int, 0, len(placed)), make([]budget.Candidate, 0, len(placed))
	at := make(map[string]int, len(placed))
	for i, p := range placed {
		at[p.Ref] = i
		place, ranked := index[p.Ref]
		var row int
		if ranked {
			row = rows[place]
		} else {
			row = sc.row(p.Ref)
		}
		c.rows = append(c.rows, row)
		c.list = append(c.list, s.candidate(entries[row], r, row, q))
		c.list[i].Pinned = ranked && place < pinned
	}
	for i, p := range placed {
		for _, need := range p.Needs {
			c.list[i].Needs = append(c.list[i].Needs, at[need])
		}
	}
	c.classify(sc.snapshot)
	c.steps(r)
	return c
}

// likely returns the rows that have a chance, best first.
func (s *Selector) likely(sc *scope, left []uint64, q *Query, r *ranking) []int {
	rows := s.best(left, q, r)
	in := map[int]bool{}
	for _, row := range rows {
		in[row] = true
	}
	also := func(more []int) {
		for _, row := range more {
			if !in[row] {
				in[row] = true
				rows = append(rows, row)
			}
		}
	}
	for _, top := range r.tops {
		also(top)
	}
	entries := sc.snapshot.entries
	floor := func(least map[string]int, of func(*Document) string) {
		if len(least) == 0 {
			return
		}
		groups := map[string][]uint64{}
		each(left, func(row int) {
			if name := of(&entries[row].doc); least[name] > 0 {
				groups[name] = add(groups[name], row)
			}
		})
		for name, group := range groups {
			also(r.top(r.scores, group, min(least[name], q.MaxTools)+stepSpare))
		}
	}
	floor(q.PerServer, func(d *Document) string { return d.Server })
	floor(q.PerCategory, func(d *Document) string { return d.Category })
	slices.SortFunc(rows, func(a, b int) int { return r.better(r.scores, a, b) })
	s.reuse(sc, r, rows, q.Tenant)
	return rows
}

// deepest is how far down tools are looked for that can be chosen.
const deepest = 4096

// best returns the best rows that can be chosen, best first: as many as are asked for, and some to spare. Tools that cannot
// fit the budget, and those that are there already under the same Ref, must not crowd out what comes after them.
func (s *Selector) best(left []uint64, q *Query, r *ranking) []int {
	want := q.MaxTools + spare
	for n := want; ; n *= 4 {
		rows := r.top(r.scores, left, n)
		more := len(rows) == n && n < deepest
		seen := make(map[string]bool, len(rows))
		rows = slices.DeleteFunc(rows, func(row int) bool {
			e := r.entries[row]
			if seen[e.doc.Ref] || !s.fits(e, q) {
				return true
			}
			seen[e.doc.Ref] = true
			return false
		})
		if len(rows) >= q.MaxTools || !more {
			return rows[:min(len(rows), want)]
		}
	}
}

// fits reports whether a tool could be chosen if it were the only one.
func (s *Selector) fits(e *entry, q *Query) bool {
	if q.TokenBudget == 0 || e.doc.Tokens <= q.TokenBudget {
		return true
	}
	if q.Whole {
		return false
	}
	small := e.compacted(s.opts.Counter)
	return small != nil && small.Tokens <= q.TokenBudget
}

// reuse raises the scores of tools that were used together with the best ones, and puts rows in their order again.
func (s *Selector) reuse(sc *scope, r *ranking, rows []int, tenant string) {
	if !s.observes.Load() {
		return
	}
	refs, servers, scores := make([]string, len(rows)), make([]string, len(rows)), make([]float64, len(rows))
	for i, row := range rows {
		d := &r.entries[row].doc
		refs[i], servers[i], scores[i] = d.Ref, d.Server, float64(r.scores[row])
	}
	r.graph = make(map[int]float64, len(rows))
	more := make([]float64, len(rows))
	now := time.Now()
	if w := s.opts.Weights.CoUse; w > 0 {
		s.observed.CoUse(more, w, tenant, refs, now)
	}
	if w := s.opts.Weights.Walk; w > 0 {
		walk := graph.Walk{Graph: sc.snapshot.declared, Observations: s.observed, Tenant: tenant, Now: now}
		walk.PageRank(more, w, refs, servers, scores)
	}
	for i, row := range rows {
		r.graph[row] = more[i]
		r.scores[row] += float32(more[i])
	}
	slices.SortFunc(rows, func(a, b int) int { return r.better(r.scores, a, b) })
}

func (s *Selector) candidate(e *entry, r *ranking, row int, q *Query) budget.Candidate {
	c := budget.Candidate{
		Score: r.score(row), Tokens: e.doc.Tokens, Server: e.doc.Server, Category: e.doc.Category,
		Step: int(r.step[row]),
	}
	if q.TokenBudget > 0 && !q.Whole {
		if small := e.compacted(s.opts.Counter); small != nil {
			c.Compact = small.Tokens
		}
	}
	return c
}

// steps says which candidates are the best of each text.
func (c *candidates) steps(r *ranking) {
	index := make(map[int]int, len(c.rows))
	for i, row := range c.rows {
		index[row] = i
		c.list[i].StepRank = len(c.rows)
	}
	for step, top := range r.tops {
		for rank, row := range top {
			i, ok := index[row]
			switch {
			case !ok:
			case c.list[i].Step == step:
				c.list[i].StepRank = rank
			case rank == 0:
				c.list[i].Covers = append(c.list[i].Covers, step)
			}
		}
	}
}

// alike is the cosine from which descriptions of tools with the same name say the same.
const alike = 0.9

// compared is with how many tools of the same name another one is compared: with all, their number would count squared.
const compared = 64

// classify finds tools that do the same on different servers: the same name, and descriptions that are alike.
func (c *candidates) classify(sn *snapshot) {
	byName := map[string][]int{}
	for i, row := range c.rows {
		name := sn.entries[row].name
		for _, j := range byName[name] {
			if sn.alike(row, c.rows[j]) {
				if c.list[j].Class == 0 {
					c.list[j].Class = j + 1
				}
				c.list[i].Class = c.list[j].Class
				break
			}
		}
		if len(byName[name]) < compared {
			byName[name] = append(byName[name], i)
		}
	}
}

// alike reports whether two tools with the same name are on different servers and have descriptions that say the same.
func (sn *snapshot) alike(a, b int) bool {
	x, y := &sn.entries[a].doc, &sn.entries[b].doc
	if x.Server == y.Server {
		return false
	}
	if x.Description == y.Description {
		return true
	}
	va, vb := sn.vrows[a], sn.vrows[b]
	if va == noVector || vb == noVector {
		return false
	}
	var dot float32
	p, q := sn.vectors.Row(int(va)), sn.vectors.Row(int(vb))
	for i := range p {
		dot += p[i] * q[i]
	}
	return dot >= alike
}
