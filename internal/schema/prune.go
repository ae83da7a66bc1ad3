package schema

import (
	"maps"
	"slices"
	"sync"
)

// Prune drops null from optional properties that do not admit it, at every level. Models write null where they mean "not
// given"; servers whose schema says string refuse that. A null that is required, that some applicable subschema admits,
// or that nothing describes, stays.
//
// Prune never changes args. It returns args itself if nothing is to be dropped, and copies only the maps and slices on
// the way to a dropped property otherwise. Arguments that are valid come back as they are.
func (s *Schema) Prune(args map[string]any) map[string]any {
	if !hasNull(args, 0) {
		return args
	}
	p := pruners.Get().(*pruner)
	defer func() {
		if cap(p.nodes) > 1024 { // one hostile schema must not make the pool heavy for good
			return
		}
		clear(p.nodes[:cap(p.nodes)]) // nor may a pooled stack keep the schemas of a removed server alive
		*p = pruner{nodes: p.nodes[:0]}
		pruners.Put(p)
	}()
	p.st = state{schema: s, fuel: s.maxCost, quiet: true}
	p.nodes = append(p.nodes, s.root)
	pruned, changed := p.object(p.nodes[:1], args, 0)
	if !changed || p.st.exhausted {
		return args
	}
	return pruned
}

// hasNull finds the common case, arguments without any null, without allocating.
func hasNull(v any, depth int) bool {
	if depth > MaxArgumentDepth {
		return false
	}
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		for _, member := range v {
			if hasNull(member, depth+1) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if hasNull(item, depth+1) {
				return true
			}
		}
	}
	return false
}

// A pruner is one run of [Schema.Prune]. Its lists of nodes live on one stack: a caller remembers the length, appends,
// and cuts back when done, so that a run over arguments with nothing to drop does not allocate.
type pruner struct {
	st    state
	nodes []*node
}

var pruners = sync.Pool{New: func() any { return new(pruner) }}

func (p *pruner) value(nodes []*node, v any, depth int) (any, bool) {
	if len(nodes) == 0 || depth > MaxArgumentDepth || !p.st.charge(1) {
		return v, false
	}
	if o, ok := v.(map[string]any); ok {
		return p.object(nodes, o, depth)
	}
	return p.array(nodes, v, depth)
}

func (p *pruner) object(nodes []*node, o map[string]any, depth int) (map[string]any, bool) {
	start := len(p.nodes)
	all := p.applying(nodes, o)
	out, changed := o, false
	for name, value := range o {
		drop, edited := false, false
		var sub any
		switch value.(type) {
		case nil:
			drop = !p.anyRequires(all, name) && !p.allAdmit(all, name)
		case map[string]any, []any:
			mark := len(p.nodes)
			for _, n := range all {
				p.addOwn(n, name)
			}
			sub, edited = p.value(p.nodes[mark:], value, depth+1)
			p.nodes = p.nodes[:mark]
		}
		if p.st.exhausted {
			break
		}
		if (drop || edited) && !changed {
			out, changed = maps.Clone(o), true
		}
		if drop {
			delete(out, name)
		} else if edited {
			out[name] = sub
		}
	}
	p.nodes = p.nodes[:start]
	return out, changed
}

// array takes and returns its slice as any: putting a slice into an interface allocates, a map does not.
func (p *pruner) array(nodes []*node, boxed any, depth int) (any, bool) {
	a, ok := boxed.([]any)
	if !ok {
		return boxed, false
	}
	start := len(p.nodes)
	all := p.applying(nodes, boxed)
	var out []any
	for i, item := range a {
		mark := len(p.nodes)
		for _, n := range all {
			if n.arr == nil {
				continue
			}
			if i < len(n.arr.prefix) {
				p.nodes = append(p.nodes, n.arr.prefix[i])
			} else if n.arr.items != nil {
				p.nodes = append(p.nodes, n.arr.items)
			}
		}
		sub, edited := p.value(p.nodes[mark:], item, depth+1)
		p.nodes = p.nodes[:mark]
		if p.st.exhausted {
			break
		}
		if !edited {
			continue
		}
		if out == nil {
			out = slices.Clone(a)
		}
		out[i] = sub
	}
	p.nodes = p.nodes[:start]
	if out == nil {
		return boxed, false
	}
	return out, true
}

// applying puts on the stack, and returns, the nodes that v must fit for certain: nodes, what they refer to, and the
// branch of an anyOf or oneOf that is the only one left once those that v cannot fit are ruled out.
func (p *pruner) applying(nodes []*node, v any) []*node {
	kind, _ := kindOf(v)
	start := len(p.nodes)
	for _, n := range nodes {
		p.addApplying(start, n, v, kind)
	}
	return p.nodes[start:]
}

// addApplying adds a node once, however many ways lead to it: a set that grew with the number of ways would double at
// every level of some recursive schemas.
func (p *pruner) addApplying(start int, n *node, v any, kind typeSet) {
	if n.always != maybe || !p.st.charge(1+(len(p.nodes)-start)/16) || slices.Contains(p.nodes[start:], n) {
		return
	}
	p.nodes = append(p.nodes, n)
	if n.ref != nil {
		p.addApplying(start, n.ref, v, kind)
	}
	if n.logic == nil {
		return
	}
	for _, sub := range n.logic.allOf {
		p.addApplying(start, sub, v, kind)
	}
	for _, branches := range [2][]*node{n.logic.anyOf, n.logic.oneOf} {
		var left *node
		count := 0
		for _, branch := range branches {
			if p.couldFit(branch, v, kind) {
				left = branch
				count++
			}
		}
		if count == 1 {
			p.addApplying(start, left, v, kind)
		}
	}
}

// couldFit rules out a branch by its type, or by a property whose value is not in the branch's enum or const, as the tag
// of a tagged union. What it rules out stays ruled out whatever is pruned, since a null is never such evidence.
func (p *pruner) couldFit(n *node, v any, kind typeSet) bool {
	if n.always != maybe {
		return n.always == yes
	}
	if !p.st.charge(1) {
		return true
	}
	if n.types != 0 && !n.types.has(kind) {
		return false
	}
	if n.ref != nil && !p.couldFit(n.ref, v, kind) {
		return false
	}
	o, isObject := v.(map[string]any)
	if !isObject || n.obj == nil {
		return true
	}
	for name, value := range o {
		if sub := n.obj.properties[name]; sub != nil && sub.enum != nil && value != nil {
			if !p.st.enumHas(sub.enum, p.st.canonical(value)) {
				return false
			}
		}
	}
	return true
}

// addOwn puts on the stack what properties, patternProperties and additionalProperties of n say about a property.
func (p *pruner) addOwn(n *node, name string) {
	if n.obj == nil {
		return
	}
	before := len(p.nodes)
	if sub := n.obj.properties[name]; sub != nil {
		p.nodes = append(p.nodes, sub)
	}
	unknown := false
	for i := range n.obj.patterns {
		switch p.st.match(n.obj.patterns[i].pattern, name) {
		case yes:
			p.nodes = append(p.nodes, n.obj.patterns[i].node)
		case maybe:
			unknown = true
		}
	}
	if len(p.nodes) == before && n.obj.additional != nil && !unknown {
		p.nodes = append(p.nodes, n.obj.additional)
	}
}

// allAdmit reports whether null is possible for the property under every node.
func (p *pruner) allAdmit(nodes []*node, name string) bool {
	for _, n := range nodes {
		if !p.admits(n, name) {
			return false
		}
	}
	return true
}

// admits answers for n itself and for its branches; an exhausted budget admits.
func (p *pruner) admits(n *node, name string) bool {
	if n.always != maybe || !p.st.charge(1) {
		return true
	}
	mark := len(p.nodes)
	p.addOwn(n, name)
	possible := yes
	for _, sub := range p.nodes[mark:] {
		possible = min(possible, p.st.eval(sub, nil, nil))
	}
	p.nodes = p.nodes[:mark]
	if possible == no {
		return false
	}
	if n.ref != nil && !p.admits(n.ref, name) {
		return false
	}
	if n.logic == nil {
		return true
	}
	for _, sub := range n.logic.allOf {
		if !p.admits(sub, name) {
			return false
		}
	}
	for _, branches := range [2][]*node{n.logic.anyOf, n.logic.oneOf} {
		some := len(branches) == 0
		for _, branch := range branches {
			if some = p.admits(branch, name); some {
				break
			}
		}
		if !some {
			return false
		}
	}
	return true
}

// anyRequires reports whether the property is required under some node or some branch of one, in which case dropping it
// could break what null does not.
func (p *pruner) anyRequires(nodes []*node, name string) bool {
	for _, n := range nodes {
		if p.requires(n, name) {
			return true
		}
	}
	return false
}

func (p *pruner) requires(n *node, name string) bool {
	if n == nil || n.always != maybe {
		return false
	}
	if !p.st.charge(1) {
		return true
	}
	if n.obj != nil {
		for _, required := range n.obj.required {
			if required == name {
				return true
			}
		}
		for i := range n.obj.dependencies {
			d := &n.obj.dependencies[i]
			for _, required := range d.required {
				if required == name {
					return true
				}
			}
			if p.requires(d.node, name) {
				return true
			}
		}
	}
	if p.requires(n.ref, name) {
		return true
	}
	if n.logic == nil {
		return false
	}
	l := n.logic
	for _, list := range [4][]*node{l.allOf, l.anyOf, l.oneOf, {l.then, l.els}} {
		if p.anyRequires(list, name) {
			return true
		}
	}
	return false
}
