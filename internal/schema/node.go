package schema

import "strings"

// A node is one compiled subschema. Nodes form a graph: a $ref is an edge like any other.
//
// The rules of one JSON type are kept together and are nil when the schema has none, so that validating a value touches
// only what concerns its type.
type node struct {
	at     *where
	always verdict // of a boolean schema; unset (maybe) for every other
	res    *resource

	types typeSet // 0 means every type
	enum  *enumRule
	text  *textRules
	num   *numberRules
	obj   *objectRules
	arr   *arrayRules
	logic *logicRules
	ref   *node
	dyn   *dynamicRef

	tracksProperties bool // has unevaluatedProperties or unevaluatedItems
}

var (
	acceptAll  = &node{always: yes}
	acceptNone = &node{always: no}
	anyObject  = &node{always: maybe, types: tObject}
)

// A dynamicRef goes to the outermost resource of the dynamic scope that has the dynamic anchor, or else to target.
type dynamicRef struct {
	anchor string
	target *node
}

type textRules struct {
	min, max int // in code points; max < 0 is no limit
	pattern  *pattern
	source   string
}

type numberRules struct {
	min, max, multipleOf       *number
	exclusiveMin, exclusiveMax *number
}

type objectRules struct {
	min, max     int // max < 0 is no limit
	required     []string
	properties   map[string]*node
	patterns     []patternProperty
	additional   *node
	names        *node
	dependencies []dependency
	unevaluated  *node
}

type patternProperty struct {
	pattern *pattern
	node    *node
}

// A dependency holds if the property name is present: the required properties must be present too, and the object must
// fit node. Either may be unset.
type dependency struct {
	name     string
	required []string
	node     *node
}

type arrayRules struct {
	min, max                 int // max < 0 is no limit
	unique                   bool
	prefix                   []*node
	items                    *node // for the items after prefix
	contains                 *node
	minContains, maxContains int  // maxContains < 0 is no limit
	containsEvaluates        bool // contains marks items for unevaluatedItems, from 2020-12 on
	unevaluated              *node
}

type logicRules struct {
	allOf, anyOf, oneOf []*node
	not                 *node
	cond, then, els     *node // els is "else"
}

// A typeSet is a set of JSON types. tNumber includes integers.
type typeSet uint8

const (
	tNull typeSet = 1 << iota
	tBoolean
	tInteger
	tNumber
	tString
	tArray
	tObject
)

var typeNames = []struct {
	name string
	bit  typeSet
}{
	{"null", tNull}, {"boolean", tBoolean}, {"integer", tInteger}, {"number", tNumber},
	{"string", tString}, {"array", tArray}, {"object", tObject},
}

// has reports whether the set admits a value of exactly the given type, as [kindOf] tells it.
func (t typeSet) has(kind typeSet) bool {
	return t&kind != 0 || kind == tInteger && t&tNumber != 0
}

func (t typeSet) String() string {
	var names []string
	for _, tn := range typeNames {
		if t&tn.bit != 0 {
			names = append(names, tn.name)
		}
	}
	return strings.Join(names, " or ")
}

// An enumRule is enum or const. Strings, which nearly all enums consist of, are looked up instead of compared one by one.
type enumRule struct {
	strings map[string]struct{}
	others  []any
	hint    string // the first values, for messages
}
