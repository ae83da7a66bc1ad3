// Package schema guards, compiles and runs the JSON Schemas that MCP servers attach to their tools.
//
// A schema comes from a server that is not trusted, and the arguments come from a language model. Neither may take the
// process down, make it dial, or make it work for longer than a fixed budget:
//
//   - [Compile] copies the schema under limits on bytes, depth and containers, resolves every reference inside the
//     document (there is no loader, so there is nothing that could dial or open a file), and refuses reference cycles
//     that make no progress and applicator trees that expand exponentially.
//   - [Schema.Validate] counts steps and stops at [Limits.MaxCost], so a schema whose cost explodes only on certain
//     arguments costs a bounded amount of time and ends in an error.
//
// Dialects are draft-06, draft-07, 2019-09 (without $recursiveRef) and 2020-12. A schema without $schema is 2020-12 (MCP
// 2025-11-25, basic, "JSON Schema Usage"). "format" and the content keywords are annotations in every dialect. Two
// habits of real servers are tolerated: a keyword whose value is null counts as absent, and the older spellings
// "dependencies" and an array under "items" keep their meaning in every dialect.
//
// Patterns are written for ECMA-262 and run on Go's regexp, which takes linear time but has no look-around and no
// back-references. A pattern that Go cannot express is not enforced: validation then works with three answers (no,
// maybe, yes) so that the gap never refuses arguments that the server would take, not even below "not" or "oneOf".
package schema

// Limits bounds one schema and the work of checking arguments against it. The zero value selects the defaults, which
// are more than twice what the largest of several thousand published tools needs.
type Limits struct {
	// MaxBytes is the size of the schema as compact JSON. The default is 256 KiB.
	MaxBytes int
	// MaxDepth is how deep objects and arrays may nest in the schema. The default is 64.
	MaxDepth int
	// MaxNodes is the number of objects and arrays in the schema, and also the number of subschemas that may apply to
	// one and the same value once references are followed. The default is 10,000.
	MaxNodes int
	// MaxCost is the number of steps one validation may take. A step is one subschema visited for one value, or about as
	// much work spent on comparing values or on matching text. The default is 250,000.
	MaxCost int
	// AnyType accepts a root that does not describe an object, as an outputSchema may be (see [Schema.ValidateValue]).
	AnyType bool
}

func (l *Limits) withDefaults() Limits {
	var out Limits
	if l != nil {
		out = *l
	}
	for _, d := range []struct {
		field *int
		value int
	}{
		{&out.MaxBytes, 256 << 10},
		{&out.MaxDepth, 64},
		{&out.MaxNodes, 10_000},
		{&out.MaxCost, 250_000},
	} {
		if *d.field < 0 {
			panic("schema: a field of Limits is negative; use 0 for the default")
		}
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return out
}

// A Schema is a compiled tool schema. It is immutable and safe for concurrent use.
type Schema struct {
	root         *node
	maxCost      int
	dynamic      bool // has a $dynamicRef, so that validation must keep track of the dynamic scope
	headerParams bool
}

// Compile checks a schema against the limits and prepares it for [Schema.Validate]. A nil lim selects the defaults.
//
// raw is the schema as it was decoded from JSON: a map[string]any or a bool, the JSON text as a json.RawMessage or
// []byte, or any value that marshals to a schema. A nil raw (and JSON null) accepts every object. The schema is copied,
// so the caller may change raw afterwards.
//
// Every error is a *[GuardError]. Compile does not panic, dial or read files, whatever raw holds.
func Compile(raw any, lim *Limits) (*Schema, error) {
	limits := lim.withDefaults()
	doc, err := freeze(raw, limits)
	if err != nil {
		return nil, err
	}
	c := &compiler{limits: limits, patterns: patternCache{bySource: map[string]*pattern{}}, resources: map[string]*resource{}}
	root, err := c.compile(doc)
	if err != nil {
		return nil, err
	}
	return &Schema{root: root, maxCost: limits.MaxCost, dynamic: c.dynamic, headerParams: c.headerParams}, nil
}

// HeaderParams reports whether a subschema carries the annotation x-mcp-header, which asks the client to repeat an
// argument as an HTTP header (MCP 2026-07-28, basic/transports).
func (s *Schema) HeaderParams() bool { return s.headerParams }

// Validate checks the arguments of a tool call. The error is a *[ValidationError] that names the fields at fault without
// repeating their values. A nil map counts as an empty object. Numbers may be of any Go number type or json.Number;
// other Go values, such as []string or a struct, are checked as the JSON they marshal to.
//
// Validate is safe for concurrent use and takes at most two times [Limits.MaxCost] steps; when they do not suffice the
// error also matches [ErrTooCostly].
func (s *Schema) Validate(args map[string]any) error {
	if args == nil {
		args = map[string]any{}
	}
	return s.ValidateValue(args)
}

// ValidateValue is [Schema.Validate] for any JSON value, such as the structured content of a tool's result.
func (s *Schema) ValidateValue(value any) error {
	st := state{schema: s, fuel: s.maxCost, quiet: true}
	value = st.canonical(value)
	if st.eval(s.root, value, nil) != no && !st.exhausted {
		return nil
	}
	if st.exhausted {
		return s.tooCostly()
	}
	return s.explain(value)
}
