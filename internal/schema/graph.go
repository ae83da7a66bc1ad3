package schema

// checkGraph looks at the edges that stay at the same value: references and applicators such as allOf. Along them a
// cycle would never end, and a diamond of n levels is walked 2^n times. Edges that go down to a property or an item are
// bounded by the arguments, and their cost by [Limits.MaxCost].
func (c *compiler) checkGraph() error {
	g := graph{c: c, size: make(map[*node]int, len(c.nodes)), anchors: map[string]*node{}}
	for _, n := range c.nodes {
		if _, err := g.expand(n); err != nil {
			return err
		}
	}
	return nil
}

type graph struct {
	c    *compiler
	size map[*node]int // 0 while a node is being expanded
	// anchors has a node per dynamic anchor that applies every schema a $dynamicRef to it may select. Only one of them
	// is in force at a time, but which is known only when validating.
	anchors map[string]*node
}

// expand returns how many nodes apply to a value that n applies to. The recursion is no deeper than the number of nodes.
func (g *graph) expand(n *node) (int, error) {
	if n.always != maybe {
		return 1, nil
	}
	if size, seen := g.size[n]; seen {
		if size == 0 {
			return 0, refuse(RuleCycle, n.at, "references lead back here without descending into a property or an item")
		}
		return size, nil
	}
	g.size[n] = 0
	total := 1
	err := g.inPlace(n, func(sub *node) error {
		size, err := g.expand(sub)
		if total += size; err == nil && total > g.c.limits.MaxNodes {
			err = refuse(RuleExpansion, n.at, "more than %d subschemas apply to one value", g.c.limits.MaxNodes)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	g.size[n] = total
	return total, nil
}

func (g *graph) inPlace(n *node, visit func(*node) error) error {
	if n.ref != nil {
		if err := visit(n.ref); err != nil {
			return err
		}
	}
	if n.dyn != nil {
		target := n.dyn.target
		if n.dyn.anchor != "" {
			target = g.anchor(n.dyn.anchor)
		}
		if err := visit(target); err != nil {
			return err
		}
	}
	if n.obj != nil {
		for _, d := range n.obj.dependencies {
			if d.node != nil {
				if err := visit(d.node); err != nil {
					return err
				}
			}
		}
	}
	if l := n.logic; l != nil {
		for _, list := range [][]*node{l.allOf, l.anyOf, l.oneOf, {l.not, l.cond, l.then, l.els}} {
			for _, sub := range list {
				if sub != nil {
					if err := visit(sub); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (g *graph) anchor(name string) *node {
	n := g.anchors[name]
	if n == nil {
		l := &logicRules{}
		for _, res := range g.c.resourceList {
			if target := res.dynNodes[name]; target != nil {
				l.allOf = append(l.allOf, target)
			}
		}
		n = &node{always: maybe, at: l.allOf[0].at, logic: l}
		g.anchors[name] = n
	}
	return n
}
