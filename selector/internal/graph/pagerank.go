package graph

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// A Walk is what [PageRank] walks over, besides the candidates. Its zero value has no links but those within servers.
type Walk struct {
	Graph        *Graph        // DependsOn and Precedes, in their direction
	Observations *Observations // of Tenant at Now; may be nil
	Tenant       string
	Now          time.Time
}

const (
	// walkOn is the probability of following a link instead of starting again.
	walkOn = 0.5
	// walkSeeds is at how many of the best candidates the walk starts.
	walkSeeds = 10
	// The error halves with every round, so that it is 1e-9 after 30.
	walkRounds = 40
	walkError  = 1e-9
)

// PageRank rates candidates by how often a random walk visits them, relative to the one it visits most, from 0 to 1, and adds
// weight times that to dst. The walk starts at the best ten, in proportion to their scores as far as they are positive, and
// at each candidate goes on with probability 1/2, to another one: of the same server, one that it was declared to need or
// precede, or one it was used with. The first two kinds of link weigh the same if they are there at all, the third as much
// as [Observations.CoUse] rates it. Without links the walk starts again.
//
// refs, servers, scores and dst have an element for each candidate, best first. No ref may be there twice, and an empty server
// is no server.
func (w *Walk) PageRank(dst []float64, weight float64, refs, servers []string, scores []float64) {
	n := len(refs)
	if len(dst) != n || len(servers) != n || len(scores) != n {
		panic("selector: graph.PageRank: slices differ in length")
	}
	start := make([]float64, n)
	total := 0.0
	for i := range min(n, walkSeeds) {
		start[i] = max(scores[i], 0)
		total += start[i]
	}
	if !(total > 0) || math.IsInf(total, 0) {
		return
	}
	for i := range start {
		start[i] /= total
	}
	visits := w.links(refs, servers).walk(start)
	most := 0.0
	for _, v := range visits {
		most = max(most, v)
	}
	for i, v := range visits {
		dst[i] += weight * v / most
	}
}

// links are the probabilities of going from one candidate to another. Those within a server are all the same and are not
// written down one by one: a hundred tools of one server would have ten thousand.
type links struct {
	server []int     // number of the candidate's server, or -1
	size   []int     // of each server
	within []float64 // probability of staying within the server
	single [][]link
}

type link struct {
	to          int
	probability float64
}

func (w *Walk) links(refs, servers []string) *links {
	n := len(refs)
	l := &links{server: make([]int, n), within: make([]float64, n), single: make([][]link, n)}
	numbers := make(map[string]int)
	index := make(map[string]int, n)
	for i, ref := range refs {
		index[ref] = i
		l.server[i] = -1
		if servers[i] == "" {
			continue
		}
		number, ok := numbers[servers[i]]
		if !ok {
			number = len(l.size)
			numbers[servers[i]] = number
			l.size = append(l.size, 0)
		}
		l.server[i] = number
		l.size[number]++
	}
	var observed *tenant
	scale := 0.0
	if w.Observations != nil {
		observed = w.Observations.find(w.Tenant)
	}
	if observed != nil {
		observed.mu.RLock()
		defer observed.mu.RUnlock()
		scale = observed.scale(&w.Observations.cfg, w.Now)
	}
	for i, ref := range refs {
		single := w.Graph.links(ref, index)
		if observed != nil {
			single = append(single, observed.links(ref, index, scale)...)
		}
		total := 0.0
		if s := l.server[i]; s >= 0 && l.size[s] > 1 {
			l.within[i] = 1
			total = 1
		}
		for _, link := range single {
			total += link.probability
		}
		if total == 0 {
			continue
		}
		l.within[i] /= total
		for j := range single {
			single[j].probability /= total
		}
		l.single[i] = single
	}
	return l
}

// links returns links to what ref was declared to need or precede, as far as it has an index, of the same probability.
func (g *Graph) links(ref string, index map[string]int) []link {
	if g == nil {
		return nil
	}
	var to []link
	for _, others := range [][]string{g.needs[ref], g.next[ref]} {
		for _, other := range others {
			if i, ok := index[other]; ok {
				to = append(to, link{to: i})
			}
		}
	}
	for i := range to {
		to[i].probability = 1 / float64(len(to))
	}
	return to
}

// links returns links to what was used with ref, as far as it has an index. t.mu is held.
func (t *tenant) links(ref string, index map[string]int, scale float64) []link {
	n := t.nodes[ref]
	if n == nil {
		return nil
	}
	var to []link
	for other := range n.pairs {
		if i, ok := index[other]; ok {
			to = append(to, link{i, n.rate(other, scale)})
		}
	}
	slices.SortFunc(to, func(a, b link) int { return cmp.Compare(a.to, b.to) })
	return to
}

// walk returns how often each candidate is visited by walks from start, which sums to 1.
func (l *links) walk(start []float64) []float64 {
	at := slices.Clone(start)
	next := make([]float64, len(start))
	within := make([]float64, len(l.size)) // what goes to each other tool of a server
	for range walkRounds {
		clear(next)
		clear(within)
		again := 1 - walkOn
		for i, p := range at {
			p *= walkOn
			if p == 0 {
				continue
			}
			if l.within[i] == 0 && len(l.single[i]) == 0 {
				again += p
				continue
			}
			if l.within[i] > 0 {
				share := p * l.within[i] / float64(l.size[l.server[i]]-1)
				within[l.server[i]] += share
				next[i] -= share // not to itself
			}
			for _, link := range l.single[i] {
				next[link.to] += p * link.probability
			}
		}
		change := 0.0
		for i := range next {
			if s := l.server[i]; s >= 0 {
				next[i] += within[s]
			}
			next[i] = max(next[i], 0) + again*start[i] // what is below zero is a rounding error
			change += math.Abs(next[i] - at[i])
		}
		at, next = next, at
		if change < walkError {
			break
		}
	}
	return at
}
