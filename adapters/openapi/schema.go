package openapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// A converter makes JSON Schema 2020-12 of the schemas of one tool. References become references into $defs of the same
// schema, or the schema itself where it is small; nothing points out of it.
type converter struct {
	doc      *Document
	drop     string // "readOnly" or "writeOnly": properties that this side never sees
	maxLevel int    // references nested deeper than this accept anything
	examples bool
	left     budget // schemas until the result is too large in any case; below zero, it is

	names  map[string]string // of $defs, by reference
	taken  map[string]bool
	levels map[string]int
	queue  []string
}

const (
	// maxNesting is how deep schemas may nest without a reference between them, which is far more than people write.
	maxNesting = 24

	maxTitle       = 200
	maxDescription = 600 // of a property
	maxExample     = 200 // bytes of JSON
	maxDefault     = 1000
	maxPattern     = 1000
	maxInline      = 12 // values of a schema that is copied instead of referred to
)

// newConverter returns a converter for a schema of at most limit bytes.
func newConverter(doc *Document, drop string, limit, maxLevel int, examples bool) *converter {
	return &converter{
		doc: doc, drop: drop, maxLevel: maxLevel, examples: examples, left: budget(limit / 2), // "{}"
		names: map[string]string{}, taken: map[string]bool{}, levels: map[string]int{},
	}
}

// raw returns a schema as it is written in the document, references included.
func raw(ref *openapi3.SchemaRef) any {
	if ref == nil {
		return map[string]any{}
	}
	data, err := json.Marshal(ref)
	if err != nil {
		return map[string]any{}
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return map[string]any{}
	}
	return v
}

// defs converts what was referred to, and what that refers to.
func (c *converter) defs() map[string]any {
	out := map[string]any{}
	for len(c.queue) > 0 {
		ref := c.queue[0]
		c.queue = c.queue[1:]
		out[c.names[ref]] = c.convert(c.resolve(ref), c.levels[ref], 0, nil)
	}
	return out
}

// resolve follows a reference, and references that it leads to. What leads nowhere accepts anything.
func (c *converter) resolve(ref string) any {
	for range 16 {
		v, ok := c.doc.lookup(ref)
		if !ok {
			return true
		}
		m, ok := v.(map[string]any)
		if !ok {
			return v
		}
		next, ok := m["$ref"].(string)
		if !ok || !c.doc.is30 && len(m) > 1 {
			return v
		}
		ref = next
	}
	return true
}

// lookup finds what a reference within the document points to.
func (d *Document) lookup(ref string) (any, bool) {
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil, false
	}
	var at any = d.tree
	for token := range strings.SplitSeq(pointer, "/") {
		token = unescapePointer(token)
		switch v := at.(type) {
		case map[string]any:
			if at, ok = v[token]; !ok {
				return nil, false
			}
		case []any:
			i, ok := index(token, len(v))
			if !ok {
				return nil, false
			}
			at = v[i]
		default:
			return nil, false
		}
	}
	return at, true
}

// convert returns a new schema for v, which is part of the document and stays as it is. hidden holds property names that an
// enclosing allOf hides.
func (c *converter) convert(v any, level, depth int, hidden map[string]bool) any {
	m, ok := v.(map[string]any)
	if !ok {
		if b, ok := v.(bool); ok {
			return b
		}
		return map[string]any{}
	}
	if depth > maxNesting || !c.left.spend() {
		return map[string]any{}
	}
	if ref, ok := m["$ref"].(string); ok {
		return c.reference(ref, m, level, depth)
	}
	return c.object(m, level, depth, hidden)
}

// reference converts {"$ref": ref}. What stands next to it counts from 3.1 on.
func (c *converter) reference(ref string, m map[string]any, level, depth int) any {
	out := map[string]any{}
	if !c.doc.is30 && len(m) > 1 {
		siblings := maps.Clone(m)
		delete(siblings, "$ref")
		out = c.object(siblings, level, depth, nil)
	}
	target := c.resolve(ref)
	if t, ok := target.(map[string]any); ok && annotationsOnly(out) && inlinable(t) {
		inlined := c.object(t, level, depth, nil)
		maps.Copy(inlined, out)
		return inlined
	}
	if c.names[ref] == "" {
		if level >= c.maxLevel {
			return out
		}
		name := defName(ref)
		for c.taken[name] {
			name += "_"
		}
		c.taken[name] = true
		c.names[ref], c.levels[ref] = name, level+1
		c.queue = append(c.queue, ref)
	}
	out["$ref"] = "#/$defs/" + c.names[ref]
	return out
}

// defName is the last part of a reference, spelled so that it needs no escaping.
func defName(ref string) string {
	name := argName(unescapePointer(ref[strings.LastIndexByte(ref, '/')+1:]))
	return strings.TrimRight(name, ".")
}

func annotationsOnly(m map[string]any) bool {
	for k := range m {
		if !slices.Contains([]string{"title", "description", "default", "examples", "deprecated"}, k) {
			return false
		}
	}
	return true
}

// inlinable reports whether a schema is so small that a reference to it would cost more than it saves.
func inlinable(v any) bool {
	left := budget(maxInline)
	return fits(v, &left)
}

func fits(v any, left *budget) bool {
	if !left.spend() {
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if k == "$ref" || !fits(x, left) {
				return false
			}
		}
	case []any:
		for _, x := range v {
			if !fits(x, left) {
				return false
			}
		}
	}
	return true
}

// object converts a schema that is no reference.
func (c *converter) object(m map[string]any, level, depth int, hidden map[string]bool) map[string]any {
	out := map[string]any{}
	sub := func(v any) any { return c.convert(v, level, depth+1, nil) }
	gone := c.hides(m, hidden)
	for k, v := range m {
		switch k {
		case "properties", "patternProperties", "dependentSchemas":
			if group, ok := v.(map[string]any); ok {
				converted := map[string]any{}
				for name, p := range group {
					if k == "properties" && gone[name] || k == "patternProperties" && !compiles(name) {
						continue
					}
					converted[name] = sub(p)
				}
				out[k] = converted
			}
		case "items":
			if list, ok := v.([]any); ok { // as older drafts write tuples
				out["prefixItems"] = c.all(list, level, depth, nil)
			} else {
				out[k] = sub(v)
			}
		case "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties":
			out[k] = sub(v)
		case "allOf", "anyOf", "oneOf", "prefixItems":
			if list, ok := v.([]any); ok && len(list) > 0 {
				down := gone
				if k == "prefixItems" {
					down = nil
				}
				out[k] = c.all(list, level, depth, down)
			}
		case "required":
			if names := required(v, gone); len(names) > 0 {
				out[k] = names
			}
		default:
			c.keyword(out, k, v)
		}
	}
	if group, ok := m["patternProperties"].(map[string]any); ok && len(group) > len(out["patternProperties"].(map[string]any)) {
		// What a pattern that is gone allowed would be refused now.
		delete(out, "additionalProperties")
		delete(out, "unevaluatedProperties")
	}
	pattern(out, m["pattern"])
	exclusive(out, m, "exclusiveMinimum", "minimum")
	exclusive(out, m, "exclusiveMaximum", "maximum")
	if out["format"] == "byte" && out["contentEncoding"] == nil { // of 3.0
		out["contentEncoding"] = "base64"
	}
	if m["nullable"] == true {
		return nullable(out)
	}
	return out
}

func (c *converter) all(list []any, level, depth int, hidden map[string]bool) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = c.convert(v, level, depth+1, hidden)
	}
	return out
}

// hides returns the properties of an object, those of its allOf included, that this side never sees.
func (c *converter) hides(m map[string]any, inherited map[string]bool) map[string]bool {
	gone := maps.Clone(inherited)
	left := newBudget()
	var collect func(m map[string]any)
	collect = func(m map[string]any) {
		if !left.spend() {
			return
		}
		if properties, ok := m["properties"].(map[string]any); ok {
			for name, p := range properties {
				if c.dropped(p) {
					if gone == nil {
						gone = map[string]bool{}
					}
					gone[name] = true
				}
			}
		}
		if parts, ok := m["allOf"].([]any); ok {
			for _, part := range parts {
				if p, ok := c.follow(part).(map[string]any); ok {
					collect(p)
				}
			}
		}
	}
	collect(m)
	return gone
}

// A budget bounds how many schemas a question about one schema may look at: a schema that is made of itself many times over
// has no end. Honest ones need a handful.
type budget int

func newBudget() *budget {
	b := budget(100)
	return &b
}

func (b *budget) spend() bool {
	*b--
	return *b >= 0
}

func (c *converter) dropped(v any) bool {
	if m, ok := v.(map[string]any); ok && m[c.drop] == true {
		return !c.doc.is30 || m["$ref"] == nil
	}
	m, ok := c.follow(v).(map[string]any)
	return ok && m[c.drop] == true
}

func (c *converter) follow(v any) any {
	if m, ok := v.(map[string]any); ok {
		if ref, ok := m["$ref"].(string); ok {
			return c.resolve(ref)
		}
	}
	return v
}

func required(v any, gone map[string]bool) []any {
	list, _ := v.([]any)
	var out []any
	seen := map[string]bool{}
	for _, x := range list {
		if name, ok := x.(string); ok && !gone[name] && !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}
