package tokens

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// A wild maker makes schemas that nobody would write: any keyword anywhere, properties and definitions with names of keywords,
// refs through whatever there is, and keywords that nobody knows with schemas in them.
type wild struct {
	*rand.Rand
	draft7 bool
}

var wildNames = []string{"a", "b", "title", "description", "examples", "default", "$schema", "enum", "$defs", "not", "$ref", "x-defs", "properties", "b/c", "d~e"}

func pick[T any](r wild, all ...T) T { return all[r.IntN(len(all))] }

func (r wild) value(depth int) any {
	switch r.IntN(10) {
	case 0, 1, 2, 3:
		return fmt.Sprint("v", r.IntN(40))
	case 4:
		return float64(r.IntN(5))
	case 5:
		return pick[any](r, true, nil, "text of many bytes")
	case 6:
		if depth > 0 {
			return []any{r.value(depth - 1), r.value(depth - 1)}
		}
	}
	m := map[string]any{}
	if depth > 0 {
		for range r.IntN(4) {
			m[pick(r, wildNames...)] = r.value(depth - 1)
		}
	}
	return m
}

func (r wild) list(depth int) []any {
	var list []any
	for range 1 + r.IntN(3) {
		list = append(list, r.sub(depth-1))
	}
	return list
}

func (r wild) named(depth int) map[string]any {
	m := map[string]any{}
	for range r.IntN(4) {
		m[pick(r, wildNames...)] = r.sub(depth - 1)
	}
	return m
}

func (r wild) sub(depth int) any {
	if r.IntN(8) == 0 {
		return r.IntN(2) == 0
	}
	return r.schema(depth)
}

func (r wild) ref() string {
	name := strings.NewReplacer("~", "~0", "/", "~1").Replace(pick(r, wildNames...))
	if r.IntN(4) == 0 {
		name = strings.ReplaceAll(name, "$", "%24")
	}
	return pick(r, "#/$defs/"+name, "#/definitions/"+name, "#/properties/"+name, "#/$defs/"+name+"/properties/a", "#/%24defs/"+name,
		"#/$defs/"+name+"/not", "#/anyOf/0", "#")
}

func (r wild) schema(depth int) map[string]any {
	m := map[string]any{}
	for range 1 + r.IntN(4) {
		key := pick(r, "title", "description", "examples", "default", "$comment", "deprecated", "enum", "type", "const", "required", "minLength", "pattern")
		if depth > 0 && r.IntN(2) == 0 {
			key = pick(r, "properties", "patternProperties", "dependentSchemas", "items", "prefixItems", "contains", "additionalProperties",
				"propertyNames", "unevaluatedProperties", "unevaluatedItems", "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
				"$ref", "$defs", "definitions", "x-defs", "minContains", "maxContains", "dependentRequired", "tuple")
		}
		switch key {
		case "title", "description", "$comment":
			m[key] = strings.Repeat("Some text. ", r.IntN(30))
		case "examples":
			m[key] = []any{r.value(2)}
		case "default":
			m[key] = r.value(2)
		case "deprecated":
			m[key] = true
		case "enum":
			var values []any
			for i := range 5 + r.IntN(40) {
				values = append(values, fmt.Sprint("v", i))
			}
			m[key] = append(values, r.value(1))
		case "type":
			m[key] = pick[any](r, "object", "object", "array", "string", []any{"object", "string", "array"})
		case "const":
			m[key] = r.value(1)
		case "required":
			m[key] = []any{pick(r, wildNames...)}
		case "minLength", "minContains", "maxContains":
			m[key] = float64(r.IntN(3))
		case "pattern":
			m[key] = "^v"
		case "properties", "dependentSchemas", "$defs", "definitions", "x-defs":
			m[key] = r.named(depth)
		case "patternProperties":
			m[key] = map[string]any{pick(r, "^a", "t", "^[$]"): r.sub(depth - 1)}
		case "prefixItems", "allOf", "anyOf", "oneOf":
			m[key] = r.list(depth)
		case "tuple":
			if r.draft7 {
				m["items"] = r.list(depth)
			}
		case "$ref":
			m[key] = r.ref()
		case "dependentRequired":
			m[key] = map[string]any{"a": []any{"b"}}
		default:
			m[key] = r.sub(depth - 1)
		}
	}
	return m
}

func (r wild) root() map[string]any {
	m := r.schema(3)
	for range 3 {
		for key, v := range r.schema(3) {
			m[key] = v
		}
	}
	for _, key := range []string{"$defs", "definitions"} {
		if r.IntN(2) == 0 {
			m[key] = r.named(3)
		}
	}
	switch {
	case r.draft7:
		m["$schema"] = "http://json-schema.org/draft-07/schema#"
	case r.IntN(2) == 0:
		m["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	}
	return m
}

// resolved returns a schema's validator, or why there is none.
func resolved(s map[string]any) (*jsonschema.Resolved, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, err
	}
	return schema.Resolve(nil)
}

// verdict says whether a value is valid, or "" if the validator panics, as it does in draft-07 on refs to nowhere.
func verdict(r *jsonschema.Resolved, v any) (word string) {
	defer func() { _ = recover() }()
	if r.Validate(v) != nil {
		return "refused"
	}
	return "accepted"
}

// loops reports whether the refs of a schema could lead to themselves on one and the same value, on which the validator does
// not return. It takes any circle for one.
func loops(s map[string]any) bool {
	edges := map[string][]string{}
	var walk func(v any, at string)
	walk = func(v any, at string) {
		switch v := v.(type) {
		case map[string]any:
			for key, e := range v {
				to := at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
				edges[at] = append(edges[at], to)
				if ref, ok := e.(string); ok && key == "$ref" {
					edges[at] = append(edges[at], strings.ReplaceAll(strings.TrimPrefix(ref, "#"), "%24", "$"))
				}
				walk(e, to)
			}
		case []any:
			for i, e := range v {
				to := fmt.Sprint(at, "/", i)
				edges[at] = append(edges[at], to)
				walk(e, to)
			}
		}
	}
	walk(s, "")
	const under, done = 1, 2
	state := map[string]int{}
	var circle func(at string) bool
	circle = func(at string) bool {
		if state[at] != 0 {
			return state[at] == under
		}
		state[at] = under
		defer func() { state[at] = done }()
		return slices.ContainsFunc(edges[at], circle)
	}
	return circle("")
}

func checkMeaning(t *testing.T, seed uint64) (usable bool) {
	r := wild{rand.New(rand.NewPCG(seed, 7)), seed%3 == 0}
	schema := r.root()
	if loops(schema) {
		return false
	}
	before, err := resolved(schema)
	if err != nil {
		return false
	}
	text, _ := json.Marshal(schema)
	c, _ := Compact("tool", "", schema, 0, Estimate())
	small, _ := json.Marshal(c.Schema)
	after, err := resolved(c.Schema)
	if err != nil {
		t.Fatalf("seed %d: %v\nbefore %s\nafter  %s", seed, err, text, small)
	}
	cut := slices.ContainsFunc(c.Lost, func(s string) bool { return strings.Contains(s, "values of enum") })
	for range 30 {
		v := r.value(3)
		if was, is := verdict(before, v), verdict(after, v); was != is && (is != "refused" || !cut) {
			t.Fatalf("seed %d: %v: %s before, now %s\nbefore %s\nafter  %s\nlost %q", seed, v, was, is, text, small, c.Lost)
		}
	}
	return true
}

func TestNoSchemaHoweverWildMeansAnythingElse(t *testing.T) {
	t.Parallel()
	usable := 0
	for seed := range uint64(1500) {
		if checkMeaning(t, seed) {
			usable++
		}
	}
	if usable < 300 {
		t.Errorf("the test is too weak: only %d schemas could be resolved", usable)
	}
}

func FuzzCompactKeepsTheMeaning(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkMeaning(t, seed) })
}
