package schema

import "strconv"

// evaluated is the annotation that unevaluatedProperties and unevaluatedItems look at: which properties and items of one
// value some subschema has dealt with.
type evaluated struct {
	allNames, allItems bool
	names              map[string]struct{}
	prefix             int // items[:prefix]
	items              map[int]struct{}
}

func (e *evaluated) name(s string) {
	if e.names == nil {
		e.names = map[string]struct{}{}
	}
	e.names[s] = struct{}{}
}

func (e *evaluated) item(i int) {
	if e.items == nil {
		e.items = map[int]struct{}{}
	}
	e.items[i] = struct{}{}
}

// merge adds what sub noted. Notes are the only thing a quiet run allocates for, hence the price.
func (st *state) merge(e, sub *evaluated) {
	if !st.charge(2 + len(sub.names) + len(sub.items)) {
		return
	}
	e.allNames = e.allNames || sub.allNames
	e.allItems = e.allItems || sub.allItems
	e.prefix = max(e.prefix, sub.prefix)
	for s := range sub.names {
		e.name(s)
	}
	for i := range sub.items {
		e.item(i)
	}
}

func (st *state) checkObject(r *objectRules, o map[string]any, boxed any, ev *evaluated) verdict {
	result := yes
	if len(o) < r.min {
		st.failf("must have at least %d properties", r.min)
		result = no
	}
	if r.max >= 0 && len(o) > r.max {
		st.failf("must have at most %d properties", r.max)
		result = no
	}
	if !st.charge((len(r.required) + len(o)) / 4) {
		return no
	}
	for _, name := range r.required {
		if _, ok := o[name]; !ok {
			st.failAt(name, "is required")
			result = no
		}
	}
	if result == no && st.quiet {
		return no
	}
	for i := range r.dependencies {
		d := &r.dependencies[i]
		if _, ok := o[d.name]; ok {
			if result = min(result, st.checkDependency(d, o, boxed, ev)); result == no && st.quiet {
				return no
			}
		}
	}
	if r.properties == nil && r.patterns == nil && r.additional == nil && r.names == nil {
		return result
	}
	if st.quiet {
		for name, value := range o {
			if result = min(result, st.checkProperty(r, name, value, ev)); result == no || st.exhausted {
				return no
			}
		}
		return result
	}
	for _, name := range sortedKeys(o) { // the same violations in the same order every time
		result = min(result, st.checkProperty(r, name, o[name], ev))
		if st.full() {
			break
		}
	}
	return result
}

func (st *state) checkDependency(d *dependency, o map[string]any, boxed any, ev *evaluated) verdict {
	result := yes
	for _, name := range d.required {
		if _, ok := o[name]; !ok {
			st.failAt(name, "is required together with "+strconv.Quote(clip(d.name, 60)))
			result = no
		}
	}
	if d.node != nil {
		result = min(result, st.eval(d.node, boxed, ev))
	}
	return result
}

func (st *state) checkProperty(r *objectRules, name string, value any, ev *evaluated) verdict {
	result := yes
	if r.names != nil {
		fits := st.try(r.names, name, nil)
		if fits == no {
			st.failAt(name, "has a name that is not allowed")
		}
		result = min(result, fits)
	}
	matched, unknown := false, false
	if n := r.properties[name]; n != nil {
		matched = true
		result = min(result, st.descend(n, value, step{name: name, named: true}))
	}
	for i := range r.patterns {
		p := &r.patterns[i]
		switch st.match(p.pattern, name) {
		case yes:
			matched = true
			result = min(result, st.descend(p.node, value, step{name: name, named: true}))
		case maybe:
			unknown = true
		}
	}
	switch {
	case unknown:
		// The pattern may claim this name too, and may then refuse the value or exempt it from additionalProperties.
		result = min(result, maybe)
	case !matched && r.additional == acceptNone:
		st.failAt(name, "is not a known property")
		result = no
	case !matched && r.additional != nil:
		matched = true
		result = min(result, st.descend(r.additional, value, step{name: name, named: true}))
	}
	if ev != nil && (matched || unknown) && st.charge(3) {
		ev.name(name)
	}
	return result
}

func (st *state) checkUnevaluatedProperties(r *objectRules, o map[string]any, ev *evaluated) verdict {
	if ev.allNames {
		return yes
	}
	result := yes
	for _, name := range sortedKeys(o) {
		if _, done := ev.names[name]; done {
			continue
		}
		if r.unevaluated == acceptNone {
			st.failAt(name, "is not a known property")
			result = no
		} else {
			result = min(result, st.descend(r.unevaluated, o[name], step{name: name, named: true}))
		}
		if result == no && st.quiet || st.exhausted {
			return no
		}
	}
	ev.allNames = true
	return result
}

func (st *state) checkArray(r *arrayRules, a []any, ev *evaluated) verdict {
	result := yes
	if len(a) < r.min {
		st.failf("must have at least %d items", r.min)
		result = no
	}
	if r.max >= 0 && len(a) > r.max {
		st.failf("must have at most %d items", r.max)
		result = no
	}
	if result == no && st.quiet {
		return no
	}
	for i, item := range a {
		n := r.items
		if i < len(r.prefix) {
			n = r.prefix[i]
		}
		if n == nil {
			break
		}
		result = min(result, st.descend(n, item, step{index: i}))
		if result == no && st.quiet || st.exhausted {
			return no
		}
		if st.full() {
			return no
		}
	}
	if ev != nil {
		ev.prefix = max(ev.prefix, min(len(r.prefix), len(a)))
		ev.allItems = ev.allItems || r.items != nil
	}
	if r.contains != nil {
		if result = min(result, st.checkContains(r, a, ev)); result == no && st.quiet {
			return no
		}
	}
	if r.unique && len(a) > 1 {
		if i, j, found := st.duplicate(a); found {
			st.failf("must not repeat items: those at %d and %d are equal", i, j)
			result = no
		}
	}
	return result
}

func (st *state) checkContains(r *arrayRules, a []any, ev *evaluated) verdict {
	certain, possible := 0, 0
	for i, item := range a {
		fits := st.try(r.contains, st.canonical(item), nil)
		switch fits {
		case yes:
			certain++
		case maybe:
			possible++
		}
		if fits != no && ev != nil && r.containsEvaluates {
			ev.item(i)
		}
		if st.exhausted {
			return no
		}
	}
	switch {
	case certain+possible < r.minContains:
		st.failf("must contain at least %d items of a certain form", r.minContains)
		return no
	case r.maxContains >= 0 && certain > r.maxContains:
		st.failf("must contain at most %d items of a certain form", r.maxContains)
		return no
	case certain < r.minContains || r.maxContains >= 0 && certain+possible > r.maxContains:
		return maybe
	}
	return yes
}

func (st *state) checkUnevaluatedItems(r *arrayRules, a []any, ev *evaluated) verdict {
	if ev.allItems {
		return yes
	}
	result := yes
	for i := ev.prefix; i < len(a); i++ {
		if _, done := ev.items[i]; done {
			continue
		}
		result = min(result, st.descend(r.unevaluated, a[i], step{index: i}))
		if result == no && st.quiet || st.exhausted {
			return no
		}
	}
	ev.allItems = true
	return result
}

// descend applies n to a member of the current value.
func (st *state) descend(n *node, v any, to step) verdict {
	if st.quiet {
		return st.eval(n, st.canonical(v), nil)
	}
	st.path = append(st.path, to)
	result := st.eval(n, st.canonical(v), nil)
	st.path = st.path[:len(st.path)-1]
	return result
}
