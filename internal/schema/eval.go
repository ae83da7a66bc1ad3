package schema

import (
	"encoding/json"
	"unicode/utf8"
)

// A verdict is the answer of a subschema. Conjunction is the minimum, disjunction the maximum, negation the mirror image.
// Maybe comes only from patterns that cannot be run.
type verdict uint8

const (
	no verdict = iota
	maybe
	yes
)

func verdictOf(ok bool) verdict {
	if ok {
		return yes
	}
	return no
}

// maxEvalDepth bounds the Go stack of one validation. It counts subschemas, so an argument nested 100 levels deep has
// ten for each level; real tools use two or three.
const maxEvalDepth = 1000

// A state is one run over one value. A quiet run answers yes or no without allocating; a run that is not quiet collects
// the violations on its way and does not stop at the first.
type state struct {
	schema    *Schema
	fuel      int
	depth     int
	exhausted bool // out of fuel or too deep: every verdict since then is meaningless
	quiet     bool

	scopes     []*resource // the dynamic scope, outermost first; kept only if the schema has a $dynamicRef
	path       []step
	violations []Violation
}

// charge takes n steps and reports whether they were left.
func (st *state) charge(n int) bool {
	st.fuel -= n
	if st.fuel < 0 {
		st.exhausted = true
	}
	return !st.exhausted
}

// eval applies n to v. Evaluated properties and items are noted in ev unless it is nil; what a failed subschema noted is
// to be thrown away.
func (st *state) eval(n *node, v any, ev *evaluated) verdict {
	if n.always != maybe {
		if n.always == no {
			st.fail("is not allowed here")
		}
		return n.always
	}
	if !st.charge(1) {
		return no
	}
	if st.depth++; st.depth > maxEvalDepth {
		st.exhausted = true
		return no
	}
	scopes := len(st.scopes)
	if n.res != nil && st.schema.dynamic && (scopes == 0 || st.scopes[scopes-1] != n.res) {
		st.scopes = append(st.scopes, n.res)
	}
	var result verdict
	if n.tracksProperties {
		own := &evaluated{}
		result = st.check(n, v, own)
		if ev != nil && result != no {
			st.merge(ev, own)
		}
	} else {
		result = st.check(n, v, ev)
	}
	st.scopes = st.scopes[:scopes]
	st.depth--
	return result
}

// check runs the rules of n in the order cheap to costly. unevaluated rules come last: they see what the others noted.
func (st *state) check(n *node, v any, ev *evaluated) verdict {
	kind, num := kindOf(v)
	if kind == 0 {
		st.fail("is not a JSON value")
		return no
	}
	result := yes
	if n.ref != nil {
		if result = min(result, st.eval(n.ref, v, ev)); result == no && st.quiet {
			return no
		}
	}
	if n.dyn != nil {
		if result = min(result, st.eval(st.dynamicTarget(n.dyn), v, ev)); result == no && st.quiet {
			return no
		}
	}
	if n.types != 0 && !n.types.has(kind) {
		st.failType(n.types, kind)
		return no
	}
	if n.enum != nil && !st.enumHas(n.enum, v) {
		st.failEnum(n.enum)
		return no
	}
	switch kind {
	case tString:
		if n.text != nil {
			result = min(result, st.checkText(n.text, v.(string)))
		}
	case tInteger, tNumber:
		if n.num != nil {
			result = min(result, st.checkNumber(n.num, num))
		}
	case tObject:
		if n.obj != nil {
			result = min(result, st.checkObject(n.obj, v.(map[string]any), v, ev))
		}
	case tArray:
		if n.arr != nil {
			result = min(result, st.checkArray(n.arr, v.([]any), ev))
		}
	}
	if result == no && st.quiet {
		return no
	}
	if n.logic != nil {
		if result = min(result, st.checkLogic(n.logic, v, kind, ev)); result == no && st.quiet {
			return no
		}
	}
	if n.tracksProperties && result != no {
		switch {
		case kind == tObject && n.obj != nil && n.obj.unevaluated != nil:
			result = min(result, st.checkUnevaluatedProperties(n.obj, v.(map[string]any), ev))
		case kind == tArray && n.arr != nil && n.arr.unevaluated != nil:
			result = min(result, st.checkUnevaluatedItems(n.arr, v.([]any), ev))
		}
	}
	return result
}

// dynamicTarget follows a $dynamicRef to the outermost resource in scope that has the anchor (2020-12 core, section
// 8.2.3.2).
func (st *state) dynamicTarget(d *dynamicRef) *node {
	if d.anchor != "" {
		for _, res := range st.scopes {
			if target := res.dynNodes[d.anchor]; target != nil {
				return target
			}
		}
	}
	return d.target
}

func (st *state) checkText(t *textRules, s string) verdict {
	result := yes
	if t.min > 0 || t.max >= 0 {
		if !st.charge(len(s) / 256) {
			return no
		}
		n := utf8.RuneCountInString(s)
		if n < t.min {
			st.failf("must have at least %d characters", t.min)
			result = no
		}
		if t.max >= 0 && n > t.max {
			st.failf("must have at most %d characters", t.max)
			result = no
		}
	}
	if t.pattern != nil && (result != no || !st.quiet) {
		m := st.match(t.pattern, s)
		if m == no {
			st.failf("must match the pattern %s", t.source)
		}
		result = min(result, m)
	}
	return result
}

// match answers maybe for an opaque pattern, and also when running it would take more than half of the steps that are
// left: a long text, such as an encoded file, must not use up what the rest of the arguments need.
func (st *state) match(p *pattern, s string) verdict {
	cost := p.cost(len(s))
	if p.opaque() || cost > st.fuel/2 {
		st.charge(1)
		return maybe
	}
	st.charge(cost)
	return verdictOf(p.re.MatchString(s))
}

func (st *state) checkNumber(r *numberRules, n number) verdict {
	result := yes
	if r.min != nil && n.cmp(*r.min) < 0 {
		st.failf("must be at least %s", r.min)
		result = no
	}
	if r.max != nil && n.cmp(*r.max) > 0 {
		st.failf("must be at most %s", r.max)
		result = no
	}
	if r.exclusiveMin != nil && n.cmp(*r.exclusiveMin) <= 0 {
		st.failf("must be greater than %s", r.exclusiveMin)
		result = no
	}
	if r.exclusiveMax != nil && n.cmp(*r.exclusiveMax) >= 0 {
		st.failf("must be less than %s", r.exclusiveMax)
		result = no
	}
	if r.multipleOf != nil {
		if n.kind != small || r.multipleOf.kind != small {
			if !st.charge(50) { // rational arithmetic
				return no
			}
		}
		if !n.multipleOf(*r.multipleOf) {
			st.failf("must be a multiple of %s", r.multipleOf)
			result = no
		}
	}
	return result
}

func (st *state) enumHas(e *enumRule, v any) bool {
	if s, ok := v.(string); ok {
		_, found := e.strings[s]
		return found
	}
	if !st.charge(len(e.others) / 4) {
		return false
	}
	for _, want := range e.others {
		if st.equal(want, v) {
			return true
		}
	}
	return false
}

// checkLogic runs the applicators that stay at the same value. When ev is wanted, every alternative runs to its end,
// because each that fits contributes (2020-12 core, section 11.1).
func (st *state) checkLogic(l *logicRules, v any, kind typeSet, ev *evaluated) verdict {
	result := yes
	for _, sub := range l.allOf {
		if result = min(result, st.eval(sub, v, ev)); result == no && st.quiet {
			return no
		}
	}
	if len(l.anyOf) > 0 {
		best := no
		for _, sub := range l.anyOf {
			if best = max(best, st.try(sub, v, ev)); best == yes && ev == nil || st.exhausted {
				break
			}
		}
		if best == no {
			st.failAlternatives(l.anyOf, v, kind)
		}
		result = min(result, best)
	}
	if len(l.oneOf) > 0 {
		certain, possible := 0, 0
		for _, sub := range l.oneOf {
			switch st.try(sub, v, ev) {
			case yes:
				certain++
			case maybe:
				possible++
			}
			if certain > 1 || st.exhausted {
				break
			}
		}
		switch {
		case certain > 1:
			st.failf("matches more than one of %d alternatives, of which exactly one must match", len(l.oneOf))
			result = no
		case certain+possible == 0:
			st.failAlternatives(l.oneOf, v, kind)
			result = no
		case possible > 0:
			result = min(result, maybe)
		}
	}
	if result == no && st.quiet {
		return no
	}
	if l.not != nil {
		negated := yes - st.try(l.not, v, nil)
		if negated == no {
			st.fail("has a form that the schema rules out")
		}
		result = min(result, negated)
	}
	if l.cond != nil {
		result = min(result, st.checkCondition(l, v, ev))
	}
	return result
}

func (st *state) checkCondition(l *logicRules, v any, ev *evaluated) verdict {
	branch := func(n *node) verdict {
		if n == nil {
			return yes
		}
		return st.eval(n, v, ev)
	}
	switch st.try(l.cond, v, ev) {
	case yes:
		return branch(l.then)
	case no:
		return branch(l.els)
	}
	// The condition is not known. If both branches agree it does not matter; else nobody can tell.
	quiet := st.quiet
	st.quiet = true
	then, els := branch(l.then), branch(l.els)
	st.quiet = quiet
	if then == no && els == no {
		st.fail("fits neither branch of a condition")
	}
	if then == els {
		return then
	}
	return maybe
}

// try evaluates without reporting and keeps the notes only if n fits.
func (st *state) try(n *node, v any, ev *evaluated) verdict {
	quiet := st.quiet
	st.quiet = true
	defer func() { st.quiet = quiet }()
	if ev == nil {
		return st.eval(n, v, nil)
	}
	own := &evaluated{}
	result := st.eval(n, v, own)
	if result != no {
		st.merge(ev, own)
	}
	return result
}

// kindOf returns the type of a value as a set of one, and 0 for what is no JSON value. The number is set for
// tInteger and tNumber.
func kindOf(v any) (typeSet, number) {
	switch v.(type) {
	case string:
		return tString, number{}
	case map[string]any:
		return tObject, number{}
	case []any:
		return tArray, number{}
	case bool:
		return tBoolean, number{}
	case nil:
		return tNull, number{}
	}
	n, ok := numberOf(v)
	switch {
	case !ok:
		return 0, n
	case n.integral():
		return tInteger, n
	}
	return tNumber, n
}

// notJSON stands for an argument that does not marshal.
type notJSON struct{}

// canonical returns v itself if it is of a type that JSON decodes to, and otherwise what v marshals to.
func (st *state) canonical(v any) any {
	switch v := v.(type) {
	case nil, string, bool, map[string]any, []any, notJSON:
		return v
	}
	if isNumber(v) {
		return v
	}
	text, err := json.Marshal(v)
	if err != nil || !st.charge(len(text)/16) {
		return notJSON{}
	}
	plain, err := decode(text)
	if err != nil {
		return notJSON{}
	}
	return plain
}
