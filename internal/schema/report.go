package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxViolations is how many violations one error lists: enough for a model to mend everything at once, few enough to
// read.
const maxViolations = 16

// A step leads from a value to one of its members.
type step struct {
	name  string
	index int
	named bool
}

// explain runs the check again to say what is wrong. Only a failed validation pays for it.
func (s *Schema) explain(value any) error {
	st := state{schema: s, fuel: s.maxCost}
	st.eval(s.root, value, nil)
	switch {
	case len(st.violations) > 0: // even if collecting more of them was given up
		return &ValidationError{Violations: st.violations}
	case st.exhausted:
		return s.tooCostly()
	}
	return &ValidationError{Violations: []Violation{{Message: "does not fit the schema"}}}
}

func (s *Schema) tooCostly() error {
	message := fmt.Sprintf("could not be checked within %d steps; send fewer or less deeply nested values", s.maxCost)
	return &ValidationError{Violations: []Violation{{Message: message}}, cause: ErrTooCostly}
}

func (st *state) full() bool { return !st.quiet && len(st.violations) >= maxViolations }

func (st *state) fail(message string) {
	if st.quiet || st.full() || st.exhausted {
		return
	}
	st.add(Violation{Path: st.pointer(""), Message: message})
}

func (st *state) failf(format string, args ...any) {
	if !st.quiet {
		st.fail(fmt.Sprintf(format, args...))
	}
}

// failAt reports a property of the current object.
func (st *state) failAt(name, message string) {
	if st.quiet || st.full() || st.exhausted {
		return
	}
	st.add(Violation{Path: st.pointer("/" + escapeToken(name)), Message: message})
}

// add drops repetitions: subschemas that overlap complain about the same thing. Spelling out the path is what a
// violation costs.
func (st *state) add(v Violation) {
	if !slices.Contains(st.violations, v) {
		st.violations = append(st.violations, v)
	}
	st.charge(10 + len(st.path))
}

func (st *state) pointer(tail string) string {
	var b strings.Builder
	for _, s := range st.path {
		b.WriteByte('/')
		if s.named {
			b.WriteString(escapeToken(s.name))
		} else {
			b.WriteString(strconv.Itoa(s.index))
		}
		if b.Len() > maxPointer {
			break
		}
	}
	b.WriteString(tail)
	return clip(b.String(), maxPointer)
}

func (st *state) failType(want, got typeSet) {
	if !st.quiet {
		st.failf("must be %s, not %s", want, got)
	}
}

func (st *state) failEnum(e *enumRule) {
	if !st.quiet {
		st.failf("must be one of %s", e.hint)
	}
}

// failAlternatives explains why no branch of anyOf or oneOf fits. If only one branch is meant for values of this type,
// its own complaints say more than the fact that none matched.
func (st *state) failAlternatives(branches []*node, v any, kind typeSet) {
	if st.quiet || st.exhausted {
		return
	}
	var meant *node
	var types typeSet
	candidates := 0
	for _, n := range branches {
		for hops := 0; n.ref != nil && n.types == 0 && hops < maxEvalDepth; hops++ {
			n = n.ref
		}
		if n.always == no {
			continue
		}
		types |= n.types
		if n.types == 0 || n.types.has(kind) {
			meant = n
			candidates++
		}
	}
	switch {
	case candidates == 1:
		before := len(st.violations)
		st.eval(meant, v, nil)
		if len(st.violations) == before {
			st.failf("fits none of %d alternatives", len(branches))
		}
	case candidates == 0 && types != 0:
		st.failType(types, kind)
	default:
		st.failf("fits none of %d alternatives", len(branches))
	}
}
