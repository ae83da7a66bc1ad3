package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func guardRule(err error) string {
	var guard *GuardError
	if errors.As(err, &guard) {
		return guard.Rule
	}
	return ""
}

func TestLimitsAreExact(t *testing.T) {
	nested := func(depth int) any {
		m := map[string]any{}
		for range depth - 1 {
			m = map[string]any{"not": m}
		}
		return m
	}
	for _, c := range []struct {
		name string
		raw  any
		lim  Limits
		rule string
	}{
		{"bytes", json.RawMessage(`{"title":"abc"}`), Limits{MaxBytes: 15}, ""},
		{"bytes", json.RawMessage(`{"title":"abc"}`), Limits{MaxBytes: 14}, RuleBytes},
		{"bytes of a map", map[string]any{"title": strings.Repeat("x", 100)}, Limits{MaxBytes: 112}, ""},
		{"bytes of a map", map[string]any{"title": strings.Repeat("x", 100)}, Limits{MaxBytes: 100}, RuleBytes},
		{"bytes of a Go value", struct {
			Title string `json:"title"`
		}{strings.Repeat("x", 100)}, Limits{MaxBytes: 100}, RuleBytes},
		{"depth", nested(5), Limits{MaxDepth: 5}, ""},
		{"depth", nested(6), Limits{MaxDepth: 5}, RuleDepth},
		{"nodes", map[string]any{"allOf": []any{map[string]any{}, map[string]any{}}}, Limits{MaxNodes: 4}, ""},
		{"nodes", map[string]any{"allOf": []any{map[string]any{}, map[string]any{}, map[string]any{}}}, Limits{MaxNodes: 4}, RuleNodes},
		{"expansion", json.RawMessage(`{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"allOf":[{},{},{}]}}}`), Limits{MaxNodes: 11}, ""},
		{"expansion", json.RawMessage(`{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"allOf":[{},{},{}]}}}`), Limits{MaxNodes: 10}, RuleExpansion},
	} {
		if _, err := Compile(c.raw, &c.lim); guardRule(err) != c.rule {
			t.Errorf("%s, %+v: %v, want rule %q", c.name, c.lim, err, c.rule)
		}
	}
}

func TestNegativeLimitsPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Compile(nil, &Limits{MaxDepth: -1})
}

func TestGuardErrorsSayWhere(t *testing.T) {
	for schema, path := range map[string]string{
		`{"properties":{"a/b":{"items":{"$ref":"http://h/"}}}}`:                     "/properties/a~1b/items/$ref",
		`{"allOf":[{},{"minLength":"x"}]}`:                                          "/allOf/1/minLength",
		`{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"anyOf":[{"$ref":"#/$defs/a"}]}}}`: "/$defs/a",
		`{"properties":{"a":{"allOf":[true,7]}}}`:                                   "/properties/a/allOf/1",
		`{"type":"string"}`: "/type",
	} {
		_, err := Compile(json.RawMessage(schema), nil)
		var guard *GuardError
		if !errors.As(err, &guard) || guard.Path != path {
			t.Errorf("%s: %v, want it at %s", schema, err, path)
		}
		if err == nil || !strings.HasPrefix(err.Error(), "schema: ") {
			t.Errorf("%s: %v", schema, err)
		}
	}
}

func TestReferencesInsideTheDocumentResolve(t *testing.T) {
	for _, c := range []verdictCase{
		{name: "by the root's own $id", schema: `{"$id":"https://h/root.json","properties":{"a":{"$ref":"root.json#/$defs/s"},"b":{"$ref":"https://h/root.json#n"}},
			"$defs":{"s":{"type":"string"},"n":{"$anchor":"n","type":"null"}}}`,
			good: []string{`{"a":"x","b":null}`}, bad: map[string]string{`{"a":1,"b":1}`: "/a /b"}},
		{name: "to an embedded resource", schema: `{"properties":{"a":{"$ref":"item"}},"$defs":{"i":{"$id":"item","type":"object","properties":{"n":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"null"}}}}}`,
			good: []string{`{"a":{"n":null}}`}, bad: map[string]string{`{"a":{"n":1}}`: "/a/n"}},
		{name: "by a draft-07 location-independent id", schema: `{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$ref":"#s"}},"definitions":{"s":{"$id":"#s","type":"string"}}}`,
			good: []string{`{"a":"x"}`}, bad: map[string]string{`{"a":1}`: "/a"}},
		{name: "through escapes", schema: `{"properties":{"a":{"$ref":"#/$defs/x~1y%20%25~0"}},"$defs":{"x/y %~":{"type":"string"}}}`,
			good: []string{`{"a":"x"}`}, bad: map[string]string{`{"a":1}`: "/a"}},
		{name: "to a place no keyword knows", schema: `{"properties":{"a":{"$ref":"#/components/s"}},"components":{"s":{"properties":{"n":{"type":"null"}}}}}`,
			good: []string{`{"a":{"n":null}}`}, bad: map[string]string{`{"a":{"n":1}}`: "/a/n"}},
		{name: "dynamically, to the outermost anchor", schema: `{"$id":"http://h/strict","$ref":"tree","$dynamicAnchor":"node","unevaluatedProperties":false,
			"$defs":{"t":{"$id":"tree","$dynamicAnchor":"node","properties":{"v":true,"kids":{"items":{"$dynamicRef":"#node"}}}}}}`,
			good: []string{`{"kids":[{"v":1}]}`}, bad: map[string]string{`{"kids":[{"w":1}]}`: "/kids/0/w"}},
		{name: "with another dialect embedded", schema: `{"properties":{"a":{"$ref":"old"}},"$defs":{"o":{"$id":"old","$schema":"http://json-schema.org/draft-07/schema#","properties":{"x":{"$ref":"#/definitions/s","maxLength":1}},"definitions":{"s":{"type":"string"}}}}}`,
			good: []string{`{"a":{"x":"long"}}`}, bad: map[string]string{`{"a":{"x":1}}`: "/a/x"}},
	} {
		t.Run(c.name, c.run)
	}
}

func TestLimitsOfValidationAreTyped(t *testing.T) {
	s, err := Compile(json.RawMessage(`{"additionalProperties":{"type":"integer"}}`), &Limits{MaxCost: 100})
	if err != nil {
		t.Fatal(err)
	}
	args := map[string]any{}
	for i := range 200 {
		args[fmt.Sprint(i)] = i
	}
	err = s.Validate(args)
	var invalid *ValidationError
	if !errors.Is(err, ErrTooCostly) || !errors.As(err, &invalid) || len(invalid.Violations) != 1 {
		t.Errorf("got %v", err)
	}
	if err := s.Validate(map[string]any{"a": "x"}); err == nil || errors.Is(err, ErrTooCostly) {
		t.Errorf("got %v", err)
	}
}

// TestLargeHonestArgumentsFitTheBudget keeps the defaults usable: a megabyte in one field, and ten thousand rows.
func TestLargeHonestArgumentsFitTheBudget(t *testing.T) {
	s := mustCompile(t, `{"type":"object","properties":{"file":{"type":"string","minLength":1,"pattern":"^[A-Za-z0-9+/=]*$"},
		"rows":{"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"},"name":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}}},"required":["id"]}}}}`)
	rows := make([]any, 10_000)
	for i := range rows {
		rows[i] = map[string]any{"id": i, "name": "n", "tags": []any{"a", "b"}}
	}
	if err := s.Validate(map[string]any{"file": strings.Repeat("QUJD", 1<<18), "rows": rows}); err != nil {
		t.Error(err)
	}
}
