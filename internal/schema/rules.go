package schema

// A family is a set of keywords that one of the functions below reads. Most subschemas use one or two families, so
// asking for the others would be most of the work of compiling a large schema.
type family uint8

const (
	enumFamily family = 1 << iota
	textFamily
	numberFamily
	objectFamily
	arrayFamily
	logicFamily
)

var families = map[string]family{
	"enum": enumFamily, "const": enumFamily,

	"minLength": textFamily, "maxLength": textFamily, "pattern": textFamily,

	"minimum": numberFamily, "maximum": numberFamily, "exclusiveMinimum": numberFamily, "exclusiveMaximum": numberFamily,
	"multipleOf": numberFamily,

	"minProperties": objectFamily, "maxProperties": objectFamily, "required": objectFamily, "properties": objectFamily,
	"patternProperties": objectFamily, "additionalProperties": objectFamily, "propertyNames": objectFamily,
	"dependentRequired": objectFamily, "dependentSchemas": objectFamily, "dependencies": objectFamily,
	"unevaluatedProperties": objectFamily,

	"minItems": arrayFamily, "maxItems": arrayFamily, "uniqueItems": arrayFamily, "contains": arrayFamily,
	"minContains": arrayFamily, "maxContains": arrayFamily, "prefixItems": arrayFamily, "items": arrayFamily,
	"additionalItems": arrayFamily, "unevaluatedItems": arrayFamily,

	"allOf": logicFamily, "anyOf": logicFamily, "oneOf": logicFamily, "not": logicFamily, "if": logicFamily,
}

func (r *reader) textRules() *textRules {
	t := textRules{min: r.count("minLength", 0), max: r.count("maxLength", -1)}
	source, ok := r.text("pattern")
	if ok {
		p, err := r.c.patterns.compile(source, r.o.at.at("pattern"))
		if err != nil {
			r.err = err
		}
		t.pattern, t.source = p, clip(source, 100)
	}
	if t.min == 0 && t.max < 0 && !ok {
		return nil
	}
	return &t
}

func (r *reader) numberRules() *numberRules {
	n := numberRules{
		min: r.number("minimum"), exclusiveMin: r.number("exclusiveMinimum"),
		max: r.number("maximum"), exclusiveMax: r.number("exclusiveMaximum"),
		multipleOf: r.number("multipleOf"),
	}
	if n.multipleOf != nil && n.multipleOf.cmp(number{}) <= 0 {
		r.fail("multipleOf", "it must be greater than 0")
	}
	if n == (numberRules{}) {
		return nil
	}
	return &n
}

func (r *reader) objectRules() *objectRules {
	o := objectRules{
		min:        r.count("minProperties", 0),
		max:        r.count("maxProperties", -1),
		required:   r.names("required"),
		additional: r.schema("additionalProperties"),
		names:      r.schema("propertyNames"),
	}
	r.each("properties", func(name string, v any, at *where) error {
		n, err := r.c.schema(v, at)
		if o.properties == nil {
			o.properties = map[string]*node{}
		}
		o.properties[name] = n
		return err
	})
	r.each("patternProperties", func(source string, v any, at *where) error {
		p, err := r.c.patterns.compile(source, at)
		if err != nil {
			return err
		}
		n, err := r.c.schema(v, at)
		o.patterns = append(o.patterns, patternProperty{p, n})
		return err
	})
	r.each("dependentRequired", func(name string, v any, at *where) error {
		o.dependencies = append(o.dependencies, dependency{name: name, required: r.nameList("dependentRequired", v)})
		return r.err
	})
	r.each("dependentSchemas", func(name string, v any, at *where) error {
		n, err := r.c.schema(v, at)
		o.dependencies = append(o.dependencies, dependency{name: name, node: n})
		return err
	})
	r.each("dependencies", func(name string, v any, at *where) error {
		d := dependency{name: name}
		var err error
		if _, isList := v.(*array); isList {
			d.required = r.nameList("dependencies", v)
			err = r.err
		} else {
			d.node, err = r.c.schema(v, at)
		}
		o.dependencies = append(o.dependencies, d)
		return err
	})
	if r.o.res.dialect >= draft2019 {
		o.unevaluated = r.schema("unevaluatedProperties")
	}
	empty := o.min == 0 && o.max < 0 && len(o.required) == 0 && o.properties == nil && o.patterns == nil &&
		o.additional == nil && o.names == nil && o.dependencies == nil && o.unevaluated == nil
	if empty {
		return nil
	}
	return &o
}

func (r *reader) arrayRules() *arrayRules {
	dialect := r.o.res.dialect
	a := arrayRules{
		min:               r.count("minItems", 0),
		max:               r.count("maxItems", -1),
		unique:            r.boolean("uniqueItems"),
		contains:          r.schema("contains"),
		minContains:       1,
		maxContains:       -1,
		containsEvaluates: dialect >= draft2020,
	}
	if dialect >= draft2019 {
		a.minContains, a.maxContains = r.count("minContains", 1), r.count("maxContains", -1)
		a.unevaluated = r.schema("unevaluatedItems")
	}
	if dialect >= draft2020 {
		a.prefix = r.schemaList("prefixItems")
	}
	items, _ := r.get("items")
	if _, isList := items.(*array); isList {
		a.prefix = r.schemaList("items")
		a.items = r.schema("additionalItems")
	} else {
		a.items = r.schema("items")
	}
	empty := a.min == 0 && a.max < 0 && !a.unique && a.contains == nil && len(a.prefix) == 0 && a.items == nil &&
		a.unevaluated == nil
	if empty {
		return nil
	}
	return &a
}

func (r *reader) logicRules() *logicRules {
	l := logicRules{
		allOf: r.schemaList("allOf"),
		anyOf: r.schemaList("anyOf"),
		oneOf: r.schemaList("oneOf"),
		not:   r.schema("not"),
	}
	if cond := r.schema("if"); cond != nil {
		l.then, l.els = r.schema("then"), r.schema("else")
		if l.then != nil || l.els != nil || r.o.res.dialect >= draft2019 { // "if" alone still evaluates properties
			l.cond = cond
		}
	}
	if len(l.allOf)+len(l.anyOf)+len(l.oneOf) == 0 && l.not == nil && l.cond == nil {
		return nil
	}
	return &l
}
