package tokens

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// A maker makes random schemas with all that compaction touches, and instances of them.
type maker struct{ *rand.Rand }

func (r maker) words(n int) string {
	all := strings.Fields("Returns the list of open issues. Note: e.g. repo names, 標題 and  \n\n spaces! Use v1.2 of api.example.com (optional). naïve Ünïcode…")
	var out []string
	for range n {
		out = append(out, all[r.IntN(len(all))])
	}
	return strings.Join(out, " ")
}

func (r maker) annotate(m map[string]any) map[string]any {
	if r.IntN(2) == 0 {
		m["description"] = r.words(r.IntN(60))
	}
	for key, v := range map[string]any{
		"title": "Title", "$comment": "a comment", "examples": []any{"x", 1.0}, "deprecated": true, "default": r.words(r.IntN(20)), "x-unknown": r.words(3),
	} {
		if r.IntN(4) == 0 {
			m[key] = v
		}
	}
	return m
}

// names are those of properties; some are those of keywords.
var names = []string{"a", "b/c", "d~e", "title", "default", "enum", "items", "properties", "description", "$defs", "required", "examples", "é"}

// schema returns a schema; free says that keywords under which enums must stay whole are allowed.
func (r maker) schema(depth int, free bool) map[string]any {
	if depth == 0 || r.IntN(4) == 0 {
		return r.annotate(r.leaf())
	}
	switch r.IntN(8) {
	case 0:
		return r.annotate(map[string]any{"type": "array", "items": r.schema(depth-1, free), "maxItems": float64(r.IntN(4))})
	case 1:
		return r.annotate(map[string]any{"anyOf": []any{r.schema(depth-1, free), r.schema(depth-1, free)}})
	case 2:
		if free {
			return r.annotate(map[string]any{"oneOf": []any{r.schema(depth-1, free), r.schema(depth-1, free)}})
		}
	case 3:
		if free {
			return r.annotate(map[string]any{"not": r.schema(depth-1, free)})
		}
	case 4:
		if free {
			return map[string]any{"if": r.schema(depth-1, free), "then": r.schema(depth-1, free), "else": r.schema(depth-1, free)}
		}
	case 5:
		return map[string]any{"$ref": "#/$defs/" + []string{"one", "two~1x"}[r.IntN(2)], "description": r.words(8)}
	}
	return r.object(depth, free)
}

func (r maker) object(depth int, free bool) map[string]any {
	properties := make(map[string]any)
	required := []any{}
	for range r.IntN(5) {
		name := names[r.IntN(len(names))]
		properties[name] = r.schema(depth-1, free)
		if r.IntN(3) == 0 {
			required = append(required, name)
		}
	}
	m := map[string]any{"type": "object", "properties": properties, "required": required}
	if r.IntN(2) == 0 {
		m["additionalProperties"] = false
	}
	return r.annotate(m)
}

func (r maker) leaf() map[string]any {
	switch r.IntN(6) {
	case 0:
		var values []any
		for i := range 3 + r.IntN(60) {
			values = append(values, fmt.Sprint("v", i))
		}
		if r.IntN(3) == 0 {
			values = append(values, nil)
		}
		return map[string]any{"enum": values}
	case 1:
		return map[string]any{"type": "integer", "minimum": 0.0, "maximum": float64(r.IntN(10))}
	case 2:
		return map[string]any{"type": "string", "pattern": "^v[0-9]$"}
	case 3:
		return map[string]any{"const": "v1"}
	}
	return map[string]any{"type": "string", "minLength": 2.0}
}

func (r maker) root(free bool) map[string]any {
	m := r.object(3, free)
	m["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	m["$defs"] = map[string]any{"one": r.annotate(r.leaf()), "two/x": r.object(1, free), "lost": r.leaf(), "chain": map[string]any{"$ref": "#/$defs/lost"}}
	return m
}

// instance returns a value that a schema may well accept.
func (r maker) instance(root, m map[string]any) any {
	if ref, ok := m["$ref"].(string); ok {
		m, _ = root["$defs"].(map[string]any)[map[string]string{"#/$defs/one": "one", "#/$defs/two~1x": "two/x"}[ref]].(map[string]any)
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		if subs, ok := m[key].([]any); ok {
			return r.instance(root, subs[r.IntN(len(subs))].(map[string]any))
		}
	}
	if sub, ok := m["then"].(map[string]any); ok {
		return r.instance(root, sub)
	}
	if values, ok := m["enum"].([]any); ok && r.IntN(20) > 0 {
		return values[r.IntN(len(values))]
	}
	switch m["type"] {
	case "object":
		properties := m["properties"].(map[string]any)
		out := make(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if slices.Contains(m["required"].([]any), any(name)) || r.IntN(3) == 0 {
				out[name] = r.instance(root, properties[name].(map[string]any))
			}
		}
		return out
	case "array":
		out := []any{}
		for range r.IntN(4) {
			out = append(out, r.instance(root, m["items"].(map[string]any)))
		}
		return out
	case "integer":
		return float64(r.IntN(11))
	}
	return []any{"v1", "v7", "x", 5.0, nil}[min(r.IntN(8), 4)]
}

func resolve(t *testing.T, m map[string]any) *jsonschema.Resolved {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return r
}

func TestCompactedSchemaMeansTheSameButForListedEnums(t *testing.T) {
	t.Parallel()
	accepted, cutValues := 0, 0
	for seed := range uint64(400) {
		r := maker{rand.New(rand.NewPCG(seed, 1))}
		schema := r.root(seed%2 == 0)
		before, _ := Function("", "", schema)
		c, ok := Compact("tool", "Does it.", schema, 0, Estimate())
		if after, _ := Function("", "", schema); after != before {
			t.Fatalf("seed %d: Compact changed its input", seed)
		}
		if !ok {
			t.Fatalf("seed %d: nothing could be left out of %s", seed, before)
		}
		enums := slices.ContainsFunc(c.Lost, func(s string) bool { return strings.Contains(s, "values of enum") })
		whole, small := resolve(t, schema), resolve(t, c.Schema)
		for range 20 {
			v := r.instance(schema, schema)
			was, is := whole.Validate(v) == nil, small.Validate(v) == nil
			if was {
				accepted++
			}
			if was != is {
				if is || !enums {
					after, _ := Function("", "", c.Schema)
					t.Fatalf("seed %d: %v: accepted before %t, now %t\nbefore %s\nafter  %s\nlost %q", seed, v, was, is, before, after, c.Lost)
				}
				cutValues++
			}
			// With the values that are listed, there is no difference at all.
			if v := r.instance(c.Schema, c.Schema); whole.Validate(v) == nil != (small.Validate(v) == nil) {
				t.Fatalf("seed %d: %v: accepted before %t, now otherwise", seed, v, whole.Validate(v) == nil)
			}
		}
	}
	if accepted < 2000 || cutValues < 50 {
		t.Errorf("the test is too weak: %d instances were accepted, %d had values that were left out", accepted, cutValues)
	}
	t.Logf("%d instances accepted, %d with values that are not listed", accepted, cutValues)
}
