package schema

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
)

// A where is a position in a document. Positions form a tree, so that a pointer is spelled out only when an error needs
// it: ten thousand positions below one very long name would otherwise cost gigabytes.
type where struct {
	up    *where
	name  string
	index int
	named bool
}

func (w *where) at(name string) *where { return &where{up: w, name: name, named: true} }
func (w *where) item(i int) *where     { return &where{up: w, index: i} }

func (w where) clone() *where { return &w }

func (w *where) pointer() string {
	var tokens []string
	for ; w != nil && w.up != nil; w = w.up {
		tokens = append(tokens, w.token())
	}
	var b strings.Builder
	for i := len(tokens) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(tokens[i])
		if b.Len() > maxPointer {
			break
		}
	}
	return clip(b.String(), maxPointer)
}

func (w *where) token() string {
	if !w.named {
		return strconv.Itoa(w.index)
	}
	return escapeToken(w.name)
}

var tokenEscaper = strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901 section 3

func escapeToken(s string) string {
	if len(s) > maxPointer {
		s = s[:maxPointer] + "..."
	}
	return tokenEscaper.Replace(s)
}

// An object is a JSON object of a frozen document. Its address is its identity: references, cycles and compiled nodes
// are all keyed by it.
type object struct {
	members map[string]any // nil, bool, string, number, *array or *object
	at      *where
	parent  *object
	res     *resource // set once the object is known to be a schema
	node    *node     // set once it is compiled
}

type array struct {
	items []any
	at    *where
}

type freezer struct {
	limits    Limits
	bytesLeft int // what is counted against it is at most the size of the compact JSON
	nodes     int
}

// freeze copies raw into a document that nobody else can change, within the limits. The result is nil, a bool or an
// *object.
func freeze(raw any, limits Limits) (any, error) {
	f := &freezer{limits: limits, bytesLeft: limits.MaxBytes}
	root := &where{}
	switch text := raw.(type) {
	case json.RawMessage:
		return f.text(text, root)
	case []byte:
		return f.text(text, root)
	}
	return f.value(raw, nil, *root, 0)
}

func (f *freezer) text(text []byte, root *where) (any, error) {
	if len(text) > f.limits.MaxBytes {
		return nil, refuse(RuleBytes, root, "it has %d bytes of JSON, the limit is %d", len(text), f.limits.MaxBytes)
	}
	if len(text) == 0 {
		return nil, nil
	}
	v, err := decode(text)
	if err != nil {
		return nil, refuse(RuleJSON, root, "%v", err)
	}
	f.bytesLeft = math.MaxInt // the text itself was within the limit
	return f.value(v, nil, *root, 0)
}

// decode reads exactly one JSON value and keeps the digits of its numbers.
func decode(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, jsonError(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errTrailing
	}
	return v, nil
}

func (f *freezer) grow(here where, n int) error {
	if f.bytesLeft -= n; f.bytesLeft < 0 {
		at := here
		return refuse(RuleBytes, &at, "it has more than %d bytes of JSON", f.limits.MaxBytes)
	}
	return nil
}

func (f *freezer) container(at *where, depth, members int) error {
	if depth >= f.limits.MaxDepth {
		return refuse(RuleDepth, at, "it nests deeper than %d levels", f.limits.MaxDepth)
	}
	if f.nodes++; f.nodes > f.limits.MaxNodes {
		return refuse(RuleNodes, at, "it has more than %d objects and arrays", f.limits.MaxNodes)
	}
	// Checked before anything is allocated for the members: each takes at least a value and a comma.
	return f.grow(*at, 2*members)
}

// value copies v. Its position comes by value and gets an address only if it holds others: most values are scalars.
func (f *freezer) value(v any, parent *object, here where, depth int) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, f.grow(here, 3)
	case bool:
		return v, f.grow(here, 3)
	case string:
		return v, f.grow(here, len(v)+1)
	case map[string]any:
		at := here.clone()
		if err := f.container(at, depth, len(v)); err != nil {
			return nil, err
		}
		o := &object{members: make(map[string]any, len(v)), at: at, parent: parent}
		for name, member := range v {
			if err := f.grow(here, len(name)+3); err != nil {
				return nil, err
			}
			frozen, err := f.value(member, o, where{up: at, name: name, named: true}, depth+1)
			if err != nil {
				return nil, err
			}
			o.members[name] = frozen
		}
		return o, nil
	case []any:
		at := here.clone()
		if err := f.container(at, depth, len(v)); err != nil {
			return nil, err
		}
		a := &array{items: make([]any, len(v)), at: at}
		for i, item := range v {
			frozen, err := f.value(item, parent, where{up: at, index: i}, depth+1)
			if err != nil {
				return nil, err
			}
			a.items[i] = frozen
		}
		return a, nil
	}
	if isNumber(v) {
		n, ok := numberOf(v)
		if !ok {
			return nil, refuse(RuleJSON, here.clone(), "a number is not finite or has too many digits")
		}
		if text, ok := v.(json.Number); ok {
			return n, f.grow(here, len(text)-1)
		}
		return n, nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, refuse(RuleJSON, here.clone(), "a value of type %T does not marshal to JSON", v)
	}
	if err := f.grow(here, len(text)); err != nil {
		return nil, err
	}
	f.bytesLeft += len(text) // counted again, piece by piece, below
	plain, err := decode(text)
	if err != nil {
		return nil, refuse(RuleJSON, here.clone(), "a value of type %T does not marshal to JSON", v)
	}
	return f.value(plain, parent, here, depth)
}

// thaw returns a frozen value in the form in which arguments come, for comparing the two.
func thaw(v any) any {
	switch v := v.(type) {
	case *object:
		m := make(map[string]any, len(v.members))
		for name, member := range v.members {
			m[name] = thaw(member)
		}
		return m
	case *array:
		s := make([]any, len(v.items))
		for i, item := range v.items {
			s[i] = thaw(item)
		}
		return s
	}
	return v
}
