package graph

import (
	"cmp"
	"slices"
	"time"
)

// CoUse rates how often each of some candidates was used together with the best of them, from 0 to 1, and adds weight times
// that to dst. refs are the candidates' Refs, best first, and dst has one number for each; refs may repeat.
//
// The rate is the sum, over the best five but itself, of the part of the sessions with that one that also used the
// candidate, where one more session without it is assumed, so that a single session proves little. Nothing observed is a
// rate of 0 for all.
func (o *Observations) CoUse(dst []float64, weight float64, tenant string, refs []string, now time.Time) {
	if len(dst) != len(refs) {
		panic("selector: graph.CoUse: dst and refs differ in length")
	}
	t := o.find(tenant)
	if t == nil {
		return
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	scale := t.scale(&o.cfg, now)
	var heads []*node
	for _, ref := range refs[:min(len(refs), coUseHeads)] {
		if n := t.nodes[ref]; n != nil && len(n.pairs) > 0 && !slices.Contains(heads, n) {
			heads = append(heads, n)
		}
	}
	if len(heads) == 0 {
		return
	}
	for i, ref := range refs {
		rate := 0.0
		for _, n := range heads {
			rate += n.rate(ref, scale)
		}
		dst[i] += weight * min(rate, 1)
	}
}

// coUseHeads is from how many of the best candidates the others are judged. Measured on sessions made of the labels of half
// of a set of multi-step requests, and requests of the other half: three to five are alike, ten is worse on long requests.
const coUseHeads = 5

// rate estimates which part of the sessions that use n use ref too.
func (n *node) rate(ref string, scale float64) float64 {
	p := n.pairs[ref]
	if p == nil {
		return 0
	}
	return p.weight() * scale / (n.uses*scale + 1)
}

// Next returns up to limit tools that sessions used after ref, those first that most did; of equals, by the alphabet.
func (o *Observations) Next(tenant, ref string, limit int) []string {
	t := o.find(tenant)
	if t == nil {
		return nil
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := t.nodes[ref]
	if n == nil {
		return nil
	}
	after := make(map[string]float64, len(n.pairs))
	var next []string
	for other, p := range n.pairs {
		if w := p.from(ref); w > 0 {
			after[other] = w
			next = append(next, other)
		}
	}
	slices.SortFunc(next, func(a, b string) int {
		return cmp.Or(cmp.Compare(after[b], after[a]), cmp.Compare(a, b))
	})
	return next[:min(max(limit, 0), len(next))]
}

// from is the weight of the sessions that used the tool first first.
func (p *pair) from(first string) float64 {
	if p.a.ref == first {
		return p.ab
	}
	return p.ba
}
