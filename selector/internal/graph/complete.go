package graph

import (
	"cmp"
	"slices"
)

// Limits bounds [Graph.Complete]. Every zero value selects the default that its field names; a negative number is zero.
type Limits struct {
	// Heads is how many of the best tools are completed, besides the pinned ones. The default is 3: a tool further down is
	// seldom right, and what it needs would push out better ones.
	Heads int
	// Depth is how far what is needed may be from the tool that needs it. The default is 4.
	Depth int
	// Added bounds the tools that are added. The default is 32.
	Added int
	// Pinned is how many of the first tools were asked for by name. They are all completed, and all stay even if they are
	// alternatives of one another.
	Pinned int
	// Alternatives keeps tools that are an alternative of a better one.
	Alternatives bool
}

func (l Limits) withDefaults() Limits {
	l.Heads = max(cmp.Or(l.Heads, 3), 0)
	l.Depth = max(cmp.Or(l.Depth, 4), 0)
	l.Added = max(cmp.Or(l.Added, 32), 0)
	return l
}

// A Placed is a tool in the order of [Graph.Complete].
type Placed struct {
	Ref string
	// For is the tool that needs this one and that it was placed for; empty if it stands at its own rank.
	For string
	// Needs are the tools of the result that meet what this one needs directly, if it is one of those that were completed.
	// They may be placed before it, for another tool or at their own rank.
	Needs []string
}

// Complete returns the tools of ranked, best first, with what the best of them need put behind them: directly behind a
// tool comes the first tool it needs, then what that one needs, and then the second. A chain is of no use without its end,
// so it is not torn apart by a second need. What is needed comes once, at the first place there is a reason for it, even
// if it also has a rank of its own further down.
//
// A tool that is not there, of which has is false, is replaced by the first of its alternatives that is there, or else left
// out with all that only it needs. A need is also met by an alternative that was placed before. Of tools that are
// alternatives the best stays; alternatives of alternatives are not alternatives.
//
// A tool that is in ranked twice counts where it comes first. has is only asked about tools that are needed.
func (g *Graph) Complete(ranked []string, has func(ref string) bool, limits Limits) []Placed {
	limits = limits.withDefaults()
	c := completion{g: g, has: has, limits: limits, depth: make(map[string]int, len(ranked)), met: make(map[string][]string)}
	c.out = make([]Placed, 0, len(ranked)+8)
	if g == nil {
		for _, ref := range ranked {
			c.out = append(c.out, Placed{Ref: ref})
		}
		return c.out
	}
	pinned := ranked[:min(max(limits.Pinned, 0), len(ranked))]
	c.pinned = make(map[string]bool, len(pinned))
	for _, ref := range pinned {
		c.pinned[ref] = true
	}
	heads := len(pinned) + limits.Heads
	for i, ref := range ranked {
		_, placed := c.depth[ref]
		if !placed {
			if i >= len(pinned) && c.alternative(ref) != "" {
				continue
			}
			c.out = append(c.out, Placed{Ref: ref})
		}
		if heads > 0 {
			heads--
			c.expand(ref, 0)
		} else if !placed {
			c.depth[ref] = limits.Depth
		}
	}
	for i := range c.out {
		c.out[i].Needs = c.met[c.out[i].Ref]
	}
	return c.out
}

// Needs returns the tools that ref needs, near and far, in the order in which [Graph.Complete] places them.
func (g *Graph) Needs(ref string, has func(ref string) bool, limits Limits) []string {
	limits.Heads, limits.Pinned = 1, 0
	placed := g.Complete([]string{ref}, has, limits)[1:]
	needs := make([]string, len(placed))
	for i, p := range placed {
		needs[i] = p.Ref
	}
	return needs
}

// completion is one run of Complete.
type completion struct {
	g      *Graph
	has    func(string) bool
	limits Limits
	pinned map[string]bool
	added  int
	out    []Placed
	met    map[string][]string // Placed.Needs

	// depth has every tool of out, with the least distance from a completed tool at which its needs were placed. A tool
	// that is reached again on a shorter way may have further needs within Limits.Depth.
	depth map[string]int
}

// expand places what ref needs, ref being at depth.
func (c *completion) expand(ref string, depth int) {
	if d, ok := c.depth[ref]; ok && d <= depth {
		return // also the way out of a cycle
	}
	c.depth[ref] = depth
	if depth >= c.limits.Depth {
		return
	}
	c.met[ref] = nil
	for _, need := range c.g.needs[ref] {
		need, ok := c.resolve(need)
		if !ok || need == ref { // a tool may be an alternative of what it needs
			continue
		}
		if _, placed := c.depth[need]; !placed && !c.pinned[need] {
			if c.added >= c.limits.Added {
				continue
			}
			c.added++
			c.out = append(c.out, Placed{Ref: need, For: ref})
		}
		if !slices.Contains(c.met[ref], need) { // two needs may be met by one tool
			c.met[ref] = append(c.met[ref], need)
		}
		if !c.pinned[need] { // a pinned tool is expanded at its own place
			c.expand(need, depth+1)
		}
	}
}

// resolve returns the tool that meets a need, if there is one.
func (c *completion) resolve(need string) (string, bool) {
	if _, placed := c.depth[need]; placed || c.pinned[need] {
		return need, true
	}
	if other := c.alternative(need); other != "" {
		return other, true
	}
	if c.has(need) {
		return need, true
	}
	for _, other := range c.g.same[need] {
		// An alternative of the missing tool may be one of a tool that is there already, which the missing tool is not.
		if c.has(other) && c.alternative(other) == "" {
			return other, true
		}
	}
	return "", false
}

// alternative returns a tool that was placed, or is pinned, and is an alternative of ref. It is empty if there is none.
func (c *completion) alternative(ref string) string {
	if c.limits.Alternatives {
		return ""
	}
	for _, other := range c.g.same[ref] {
		if _, placed := c.depth[other]; placed || c.pinned[other] {
			return other
		}
	}
	return ""
}
