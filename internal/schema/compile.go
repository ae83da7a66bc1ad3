package schema

import (
	"math"
	"strconv"
	"strings"
)

// A compiler turns a frozen document into nodes. Filling a node in only allocates the nodes it refers to and puts them
// into the queue, so that long chains of references do not become deep recursion.
type compiler struct {
	limits       Limits
	patterns     patternCache
	resources    map[string]*resource // by base URI
	resourceList []*resource          // the same, in document order
	queue        []*object
	nodes        []*node

	dynamic      bool
	headerParams bool
}

func (c *compiler) compile(doc any) (*node, error) {
	switch doc := doc.(type) {
	case nil:
		return anyObject, nil
	case bool:
		if !doc && !c.limits.AnyType {
			return nil, refuse(RuleNotObject, nil, "the schema false accepts no arguments at all")
		}
		return constant(doc), nil
	case *object:
		if err := c.index(doc, nil, c.enqueue); err != nil {
			return nil, err
		}
		root := c.nodeOf(doc)
		for i := 0; i < len(c.queue); i++ { //nolint:intrange // filling may append
			if err := c.fill(c.queue[i]); err != nil {
				return nil, err
			}
		}
		if !c.limits.AnyType && root.types != 0 && !root.types.has(tObject) {
			return nil, refuse(RuleNotObject, doc.at.at("type"), "arguments are an object, but the schema asks for %s", root.types)
		}
		if err := c.linkDynamic(); err != nil {
			return nil, err
		}
		return root, c.checkGraph()
	}
	return nil, refuse(RuleNotObject, nil, "a schema is an object")
}

func constant(accept bool) *node {
	if accept {
		return acceptAll
	}
	return acceptNone
}

func (c *compiler) enqueue(o *object) { c.queue = append(c.queue, o) }

// nodeOf returns the node of an indexed object, which is filled in when its turn in the queue comes.
func (c *compiler) nodeOf(o *object) *node {
	if o.node == nil {
		o.node = &node{at: o.at, res: o.res, always: maybe}
		c.nodes = append(c.nodes, o.node)
	}
	return o.node
}

func (c *compiler) schema(v any, at *where) (*node, error) {
	switch v := v.(type) {
	case bool:
		return constant(v), nil
	case *object:
		return c.nodeOf(v), nil
	}
	return nil, refuse(RuleKeyword, at, "a schema is an object or a boolean")
}

// linkDynamic records, per resource, the nodes that a $dynamicRef may select.
func (c *compiler) linkDynamic() error {
	for _, res := range c.resourceList {
		for name, o := range res.dynamic {
			if res.dynNodes == nil {
				res.dynNodes = map[string]*node{}
			}
			res.dynNodes[name] = c.nodeOf(o)
		}
	}
	return nil
}

// A reader reads the keywords of one object. The first error sticks, which keeps fill readable; a missing keyword and
// one whose value is null read as absent.
type reader struct {
	c   *compiler
	o   *object
	err error
}

func (r *reader) get(keyword string) (any, bool) {
	v := r.o.members[keyword]
	return v, v != nil && r.err == nil
}

func (r *reader) fail(keyword, format string, args ...any) {
	if r.err == nil {
		r.err = refuse(RuleKeyword, r.o.at.at(keyword), format, args...)
	}
}

func (r *reader) schema(keyword string) *node {
	v, ok := r.get(keyword)
	if !ok {
		return nil
	}
	n, err := r.c.schema(v, r.o.at.at(keyword))
	if err != nil {
		r.err = err
	}
	return n
}

func (r *reader) schemaList(keyword string) []*node {
	v, ok := r.get(keyword)
	if !ok {
		return nil
	}
	list, ok := v.(*array)
	if !ok {
		r.fail(keyword, "it must be an array of schemas")
		return nil
	}
	nodes := make([]*node, len(list.items))
	for i, item := range list.items {
		n, err := r.c.schema(item, list.at.item(i))
		if err != nil {
			r.err = err
			return nil
		}
		nodes[i] = n
	}
	return nodes
}

// each calls f for the members of a keyword that holds an object, in the order of their names.
func (r *reader) each(keyword string, f func(name string, v any, at *where) error) {
	v, ok := r.get(keyword)
	if !ok {
		return
	}
	o, ok := v.(*object)
	if !ok {
		r.fail(keyword, "it must be an object")
		return
	}
	for _, name := range sortedKeys(o.members) {
		if err := f(name, o.members[name], o.at.at(name)); err != nil {
			r.err = err
			return
		}
	}
}

// count reads a limit, which is a non-negative integer. Limits beyond any real size are clamped.
func (r *reader) count(keyword string, absent int) int {
	v, ok := r.get(keyword)
	if !ok {
		return absent
	}
	n, ok := v.(number)
	if !ok || !n.integral() || n.cmp(number{}) < 0 {
		r.fail(keyword, "it must be a non-negative integer")
		return absent
	}
	if n.cmp(number{i: math.MaxInt32}) > 0 {
		return math.MaxInt32
	}
	return int(n.i)
}

func (r *reader) number(keyword string) *number {
	v, ok := r.get(keyword)
	if !ok {
		return nil
	}
	n, ok := v.(number)
	if !ok {
		r.fail(keyword, "it must be a number")
		return nil
	}
	return &n
}

func (r *reader) text(keyword string) (string, bool) {
	v, ok := r.get(keyword)
	if !ok {
		return "", false
	}
	s, ok := v.(string)
	if !ok {
		r.fail(keyword, "it must be a string")
	}
	return s, ok
}

func (r *reader) boolean(keyword string) bool {
	v, ok := r.get(keyword)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		r.fail(keyword, "it must be true or false")
	}
	return b
}

func (r *reader) names(keyword string) []string {
	v, ok := r.get(keyword)
	if !ok {
		return nil
	}
	return r.nameList(keyword, v)
}

func (r *reader) nameList(keyword string, v any) []string {
	list, ok := v.(*array)
	if !ok {
		r.fail(keyword, "it must be an array of property names")
		return nil
	}
	names := make([]string, len(list.items))
	for i, item := range list.items {
		if names[i], ok = item.(string); !ok {
			r.fail(keyword, "it must be an array of property names")
			return nil
		}
	}
	return names
}

// fill reads all keywords of an object into its node.
func (c *compiler) fill(o *object) error {
	n := c.nodeOf(o)
	r := &reader{c: c, o: o}
	if v, ok := o.members["x-mcp-header"]; ok && v != nil {
		c.headerParams = true
	}
	if _, isRef := r.get("$ref"); isRef {
		n.ref = r.reference("$ref")
		if o.res.dialect == draft7 { // draft-07 core, section 8.3: keywords beside $ref are ignored
			return r.err
		}
	}
	if o.res.dialect == draft2019 && o.members["$recursiveRef"] != nil {
		r.fail("$recursiveRef", "it is not supported; use 2020-12 and $dynamicRef")
	}
	if o.res.dialect >= draft2020 {
		n.dyn = r.dynamicReference()
	}
	n.types = r.types()
	var present family
	for name := range o.members {
		present |= families[name]
	}
	if present&enumFamily != 0 {
		n.enum = r.enum()
	}
	if present&textFamily != 0 {
		n.text = r.textRules()
	}
	if present&numberFamily != 0 {
		n.num = r.numberRules()
	}
	if present&objectFamily != 0 {
		n.obj = r.objectRules()
	}
	if present&arrayFamily != 0 {
		n.arr = r.arrayRules()
	}
	if present&logicFamily != 0 {
		n.logic = r.logicRules()
	}
	n.tracksProperties = n.obj != nil && n.obj.unevaluated != nil || n.arr != nil && n.arr.unevaluated != nil
	return r.err
}

func (r *reader) reference(keyword string) *node {
	ref, ok := r.text(keyword)
	if !ok {
		return nil
	}
	at := r.o.at.at(keyword)
	target, _, err := r.c.resolve(ref, r.o, at)
	if err != nil {
		r.err = err
		return nil
	}
	n, err := r.c.schema(target, at)
	r.err = err
	return n
}

// dynamicReference reads $dynamicRef. It is a plain reference unless it leads by name to a $dynamicAnchor (2020-12
// core, section 8.2.3.2).
func (r *reader) dynamicReference() *dynamicRef {
	ref, ok := r.text("$dynamicRef")
	if !ok {
		return nil
	}
	at := r.o.at.at("$dynamicRef")
	target, anchor, err := r.c.resolve(ref, r.o, at)
	if err != nil {
		r.err = err
		return nil
	}
	d := &dynamicRef{}
	if d.target, r.err = r.c.schema(target, at); r.err != nil {
		return nil
	}
	if o, ok := target.(*object); ok && anchor != "" && o.res.dynamic[anchor] == o {
		d.anchor = anchor
		r.c.dynamic = true
	}
	return d
}

func (r *reader) types() typeSet {
	v, ok := r.get("type")
	if !ok {
		return 0
	}
	items := []any{v}
	if list, ok := v.(*array); ok {
		items = list.items
	}
	var set typeSet
	for _, item := range items {
		var bit typeSet
		for _, tn := range typeNames {
			if item == tn.name {
				bit = tn.bit
			}
		}
		if bit == 0 {
			r.fail("type", "use null, boolean, integer, number, string, array or object")
			return 0
		}
		set |= bit
	}
	if set == 0 {
		r.fail("type", "the list of types is empty")
	}
	return set
}

// enum reads enum and const. With both, the values of enum that differ from const are dropped.
func (r *reader) enum() *enumRule {
	var values []any
	v, ok := r.get("enum")
	if ok {
		list, isList := v.(*array)
		if !isList {
			r.fail("enum", "it must be an array")
			return nil
		}
		values = list.items
	}
	if only, has := r.o.members["const"]; has && r.o.res.dialect >= draft7 { // null is a value here
		if !ok {
			values = []any{only}
		} else {
			st := state{fuel: r.c.limits.MaxCost}
			want := thaw(only)
			var both []any
			for _, v := range values {
				if st.equal(thaw(v), want) {
					both = append(both, only)
					break
				}
			}
			values = both
		}
		ok = true
	}
	if !ok {
		return nil
	}
	e := &enumRule{}
	var hint strings.Builder
	for i, v := range values {
		if s, isText := v.(string); isText {
			if e.strings == nil {
				e.strings = map[string]struct{}{}
			}
			e.strings[s] = struct{}{}
		} else {
			e.others = append(e.others, thaw(v))
		}
		if hint.Len() < maxText {
			if i > 0 {
				hint.WriteString(", ")
			}
			hint.WriteString(enumHint(v))
		}
	}
	e.hint = clip(hint.String(), maxText)
	return e
}

func enumHint(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return strconv.Quote(clip(v, 60))
	case number:
		return clip(v.String(), 60)
	case *array:
		return "an array"
	}
	return "an object"
}
