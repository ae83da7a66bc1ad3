package graph

import (
	"cmp"
	"container/list"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A tenant is what was observed of one tenant.
//
// Weights are kept as if the time were epoch, so that decay touches none of them: what is observed later weighs more instead
// of what was observed earlier weighing less (Cormode et al., "Forward Decay", ICDE 2009).
type tenant struct {
	used atomic.Uint64 // the number of the last observation

	// mu guards everything below. Nothing that can block runs while it is held.
	mu    sync.RWMutex
	epoch time.Time
	clock clock
	nodes map[string]*node
	pairs int // how many there are; each is known to both of its nodes

	sessions map[uint64]*list.Element
	recent   list.List // of *session, the one that has been idle for longest first
}

// A node is a tool that was used.
type node struct {
	ref   string
	uses  float64 // sessions
	pairs map[string]*pair
}

// A pair is two tools that were used in one session; a is the one whose Ref comes first in the alphabet.
type pair struct {
	a, b   *node
	ab, ba float64 // sessions that used a first, and b first
}

// A session is one that is under way.
type session struct {
	id     uint64
	last   time.Time
	window []string // different tools, the one used last at the end
}

func newTenant() *tenant {
	return &tenant{nodes: make(map[string]*node), sessions: make(map[uint64]*list.Element)}
}

func (t *tenant) observe(cfg *Config, id uint64, ref string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	gain := t.advance(cfg, now)
	s := t.session(cfg, id)
	if i := slices.Index(s.window, ref); i >= 0 {
		s.window = append(slices.Delete(s.window, i, i+1), ref)
		return
	}
	n := t.node(ref)
	n.uses += gain
	for _, earlier := range s.window {
		t.pair(t.node(earlier), n).add(earlier, gain)
	}
	s.window = append(s.window, ref)
	if len(s.window) > cfg.Window {
		s.window = slices.Delete(s.window, 0, 1)
	}
	t.trim(cfg)
}

// advance moves the clock to now and returns the weight of an observation at that time.
func (t *tenant) advance(cfg *Config, now time.Time) float64 {
	t.clock.set(now, cfg.Idle)
	if len(t.nodes) == 0 {
		t.epoch = t.clock.time
	}
	age := halfLives(cfg, t.epoch, t.clock.time)
	if age > maxAge {
		t.rebase(math.Exp2(-age))
		age = 0
	}
	return math.Exp2(age)
}

const (
	// maxAge is after how many half-lives weights are brought to a new epoch: long before a float64 overflows, and seldom.
	maxAge = 32
	// negligible is a weight that is not worth its room any more, in sessions.
	negligible = 1e-4
)

// halfLives returns the time from one time to another, in half-lives.
func halfLives(cfg *Config, from, to time.Time) float64 {
	return float64(to.Sub(from)) / float64(cfg.HalfLife)
}

// scale returns what weights are to be multiplied with to have them at now.
func (t *tenant) scale(cfg *Config, now time.Time) float64 {
	return math.Exp2(-halfLives(cfg, t.epoch, t.clock.at(now)))
}

// rebase makes clock the epoch, and forgets what has become negligible.
func (t *tenant) rebase(factor float64) {
	t.epoch = t.clock.time
	for _, n := range t.nodes {
		n.uses *= factor
		for other, p := range n.pairs {
			if p.a != n {
				continue // it is done at its a
			}
			p.ab *= factor
			p.ba *= factor
			if p.weight() < negligible {
				delete(n.pairs, other)
				delete(p.b.pairs, n.ref)
				t.pairs--
			}
		}
	}
	for ref, n := range t.nodes {
		if n.uses < negligible && len(n.pairs) == 0 {
			delete(t.nodes, ref)
		}
	}
}

// session returns a session as it is at clock, after forgetting those that are over.
func (t *tenant) session(cfg *Config, id uint64) *session {
	for e := t.recent.Front(); e != nil; e = t.recent.Front() {
		if s := e.Value.(*session); t.clock.time.Sub(s.last) <= cfg.Idle {
			break
		}
		t.end(e)
	}
	e := t.sessions[id]
	if e == nil {
		if len(t.sessions) >= cfg.Sessions {
			t.end(t.recent.Front())
		}
		e = t.recent.PushBack(&session{id: id})
		t.sessions[id] = e
	}
	t.recent.MoveToBack(e)
	s := e.Value.(*session)
	s.last = t.clock.time
	return s
}

func (t *tenant) end(e *list.Element) {
	delete(t.sessions, t.recent.Remove(e).(*session).id)
}

func (t *tenant) node(ref string) *node {
	n := t.nodes[ref]
	if n == nil {
		n = &node{ref: ref, pairs: make(map[string]*pair)}
		t.nodes[ref] = n
	}
	return n
}

func (t *tenant) pair(x, y *node) *pair {
	p := x.pairs[y.ref]
	if p == nil {
		if y.ref < x.ref {
			x, y = y, x
		}
		p = &pair{a: x, b: y}
		x.pairs[y.ref], y.pairs[x.ref] = p, p
		t.pairs++
	}
	return p
}

func (p *pair) weight() float64 { return p.ab + p.ba }

// add counts a session that used the tool first before the other one.
func (p *pair) add(first string, weight float64) {
	if p.a.ref == first {
		p.ab += weight
	} else {
		p.ba += weight
	}
}

// trim forgets an eighth of what is remembered if it is too much: sorting for every observation would be too slow. Of equal
// weights, those later in the alphabet go first, so that the same observations always leave the same.
func (t *tenant) trim(cfg *Config) {
	if t.pairs > cfg.Pairs {
		all := t.allPairs()
		slices.SortFunc(all, func(p, q *pair) int {
			return cmp.Or(cmp.Compare(q.weight(), p.weight()), cmp.Compare(p.a.ref, q.a.ref), cmp.Compare(p.b.ref, q.b.ref))
		})
		for _, p := range all[keep(cfg.Pairs):] {
			t.remove(p)
		}
	}
	if len(t.nodes) > cfg.Pairs {
		all := make([]*node, 0, len(t.nodes))
		for _, n := range t.nodes {
			all = append(all, n)
		}
		slices.SortFunc(all, func(m, n *node) int {
			return cmp.Or(cmp.Compare(n.uses, m.uses), cmp.Compare(m.ref, n.ref))
		})
		for _, n := range all[keep(cfg.Pairs):] {
			for _, p := range n.pairs {
				t.remove(p)
			}
			delete(t.nodes, n.ref)
		}
	}
}

// keep is how many of something are left when there are more than limit.
func keep(limit int) int { return limit - limit/8 }

func (t *tenant) remove(p *pair) {
	delete(p.a.pairs, p.b.ref)
	delete(p.b.pairs, p.a.ref)
	t.pairs--
}

// allPairs returns each pair once, in no order.
func (t *tenant) allPairs() []*pair {
	all := make([]*pair, 0, t.pairs)
	for _, n := range t.nodes {
		for _, p := range n.pairs {
			if p.a == n {
				all = append(all, p)
			}
		}
	}
	return all
}
