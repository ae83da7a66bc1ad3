package langchaingo

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

func parameters(t testing.TB, schema string, mode SchemaMode) (map[string]any, []string) {
	t.Helper()
	return Parameters(&mcpgroup.Tool{Name: "t", InputSchema: schemaOf(t, schema)}, mode)
}

func TestFullSchemaKeepsEverythingButReferences(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		losses         []string // beginnings
	}{
		{"plain", `{"type":"object","properties":{"a":{"type":["string","null"],"enum":["x",null]}},"required":["a"],"additionalProperties":false}`,
			`{"type":"object","properties":{"a":{"type":["string","null"],"enum":["x",null]}},"required":["a"],"additionalProperties":false}`, nil},
		{"no properties", `{"type":"object"}`, `{"type":"object","properties":{}}`, nil},
		{"nothing at all", `{}`, `{"type":"object","properties":{}}`, nil},
		{"defs", `{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"type":"string"}}}`,
			`{"type":"object","properties":{"a":{"type":"string"}}}`, nil},
		{"definitions and chains", `{"type":"object","properties":{"a":{"$ref":"#/definitions/x"}},"definitions":{"x":{"$ref":"#/definitions/y"},"y":{"type":"integer"}}}`,
			`{"type":"object","properties":{"a":{"type":"integer"}}}`, nil},
		{"a reference to a property", `{"type":"object","properties":{"a":{"type":"string","minLength":1},"b":{"$ref":"#/properties/a"}}}`,
			`{"type":"object","properties":{"a":{"type":"string","minLength":1},"b":{"type":"string","minLength":1}}}`, nil},
		{"a reference into a list", `{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]},"b":{"$ref":"#/properties/a/anyOf/0"}}}`,
			`{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]},"b":{"type":"string"}}}`, nil},
		{"escaped names", `{"type":"object","properties":{"a":{"$ref":"#/$defs/x~1y%20~0z"}},"$defs":{"x/y ~z":{"type":"string"}}}`,
			`{"type":"object","properties":{"a":{"type":"string"}}}`, nil},
		{"anchor", `{"type":"object","properties":{"a":{"$ref":"#here"}},"$defs":{"x":{"$anchor":"here","type":"string"}}}`,
			`{"type":"object","properties":{"a":{"type":"string"}}}`, nil},
		{"own id", `{"$id":"https://e.com/s","type":"object","properties":{"a":{"$ref":"https://e.com/s#/$defs/x"}},"$defs":{"x":{"type":"string"}}}`,
			`{"type":"object","properties":{"a":{"type":"string"}}}`, nil},
		{"the top level itself is a reference", `{"$ref":"#/$defs/in","$defs":{"in":{"type":"object","properties":{"a":{"type":"string"}}}}}`,
			`{"type":"object","properties":{"a":{"type":"string"}}}`, nil},
		{"a description beside a reference wins", `{"type":"object","properties":{"a":{"$ref":"#/$defs/x","description":"near"}},"$defs":{"x":{"type":"string","description":"far"}}}`,
			`{"type":"object","properties":{"a":{"type":"string","description":"near"}}}`, nil},
		{"a limit beside a reference holds too", `{"type":"object","properties":{"a":{"$ref":"#/$defs/x","maxLength":5}},"$defs":{"x":{"type":"string","maxLength":9}}}`,
			`{"type":"object","properties":{"a":{"type":"string","maxLength":9,"allOf":[{"maxLength":5}]}}}`, nil},
		{"recursion", `{"type":"object","properties":{"n":{"$ref":"#/$defs/node"}},"$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"}}}}}`,
			`{"type":"object","properties":{"n":{"type":"object","properties":{"next":{"type":"object","description":"Recursive: of the same shape as the enclosing \"node\"."}}}}}`,
			[]string{"#/properties/n/properties/next: recursion cut"}},
		{"recursion to the top", `{"type":"object","properties":{"child":{"$ref":"#"}}}`,
			`{"type":"object","properties":{"child":{"type":"object","description":"Recursive: of the same shape as the whole input."}}}`,
			[]string{"#/properties/child: recursion cut"}},
		{"names that look like keywords", `{"type":"object","properties":{"$ref":{"type":"string"},"$defs":{"type":"object","default":{"$ref":"#/x"}},"items":{"const":{"$ref":"y"}}}}`,
			`{"type":"object","properties":{"$ref":{"type":"string"},"$defs":{"type":"object","default":{"$ref":"#/x"}},"items":{"const":{"$ref":"y"}}}}`, nil},
		{"somebody else's schema", `{"type":"object","properties":{"a":{"$ref":"https://e.com/other"},"b":{"$ref":"#/$defs/none"}}}`,
			`{"type":"object","properties":{"a":{},"b":{}}}`,
			[]string{`#/properties/a: the reference "https://e.com/other" leads nowhere`, `#/properties/b: the reference "#/$defs/none" leads nowhere`}},
		{"true and false", `{"type":"object","properties":{"a":true,"b":false}}`, `{"type":"object","properties":{"a":{},"b":{"not":{}}}}`, nil},
		{"anyOf at the top", `{"type":"object","properties":{"p":{"type":"string"}},"required":["p"],"anyOf":[{"required":["x"],"properties":{"x":{"type":"string"}}},{"required":["y"],"properties":{"y":{"type":"integer"}}}]}`,
			`{"type":"object","properties":{"p":{"type":"string"},"x":{"type":"string"},"y":{"type":"integer"}},"required":["p"],"description":"Give at least one of these: x; y."}`,
			[]string{"#/anyOf: its 2 alternatives are told as one"}},
		{"oneOf at the top with a discriminator", `{"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"x":{"type":"string"}},"required":["k","x"]},{"type":"object","properties":{"k":{"const":"b"}},"required":["k"]}]}`,
			`{"type":"object","properties":{"k":{"anyOf":[{"const":"a"},{"const":"b"}]},"x":{"type":"string"}},"required":["k"],"description":"You may give one of these: x."}`,
			[]string{"#/oneOf: its 2 alternatives are told as one"}},
		{"allOf at the top", `{"type":"object","allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"$ref":"#/$defs/b"}],"$defs":{"b":{"properties":{"b":{"type":"string"}},"required":["b"]}}}`,
			`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a","b"]}`, nil},
		{"not at the top", `{"type":"object","properties":{},"not":{"required":["a"]}}`, `{"type":"object","properties":{}}`,
			[]string{"#/not: refused by providers"}},
	} {
		t.Run(tt.name, func(t *testing.T) { checkParameters(t, tt.in, SchemaFull, tt.want, tt.losses) })
	}
}

func TestPortableSchemaHasOneTypeEverywhere(t *testing.T) {
	object := func(property string) string { return `{"type":"object","properties":{"a":` + property + `}}` }
	for _, tt := range []struct {
		name, in, want string
		losses         []string
	}{
		{"plain", object(`{"type":"string","description":"A."}`), object(`{"type":"string","description":"A."}`), nil},
		{"nullable type list", object(`{"type":["string","null"]}`), object(`{"type":"string","description":"(may be null)"}`), nil},
		{"two types", object(`{"type":["string","integer"]}`), object(`{"type":"string","description":"(or integer)"}`),
			[]string{"#/properties/a/type: string, integer told as string"}},
		{"number includes integer", object(`{"type":["integer","number"]}`), object(`{"type":"number"}`), nil},
		{"anyOf null", object(`{"anyOf":[{"type":"string","format":"date"},{"type":"null"}],"description":"When."}`),
			object(`{"type":"string","description":"When. (format date; may be null)"}`), nil},
		{"enum", object(`{"enum":["x","y"]}`), object(`{"type":"string","enum":["x","y"],"description":"(one of \"x\", \"y\")"}`), nil},
		{"enum with null", object(`{"type":["string","null"],"enum":["x",null]}`), object(`{"type":"string","enum":["x"],"description":"(one of \"x\"; may be null)"}`), nil},
		{"numbers in an enum", object(`{"enum":[1,2]}`), object(`{"type":"integer","description":"(one of 1, 2)"}`), nil},
		{"const", object(`{"const":"x"}`), object(`{"type":"string","enum":["x"],"description":"(one of \"x\")"}`), nil},
		{"constants as alternatives", object(`{"oneOf":[{"const":"x"},{"const":"y"}]}`), object(`{"type":"string","enum":["x","y"],"description":"(one of \"x\", \"y\")"}`), nil},
		{"limits", object(`{"type":"integer","minimum":1,"maximum":9,"default":3}`), object(`{"type":"integer","description":"(at least 1; at most 9; default 3)"}`), nil},
		{"anything", object(`{}`), object(`{"type":"string","description":"(any JSON value)"}`), []string{"#/properties/a/type: any value told as string"}},
		{"array without items", object(`{"type":"array","maxItems":2}`), `{"type":"object","properties":{"a":{"type":"array","items":{"type":"string","description":"(any JSON value)"},"description":"(at most 2 items)"}}}`,
			[]string{"#/properties/a/items/type: any value"}},
		{"tuple", object(`{"prefixItems":[{"type":"string"},{"type":"string"}]}`), `{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}}}}`,
			[]string{"#/properties/a/prefixItems: a type per position", "#/properties/a/items/anyOf: its 2 alternatives"}},
		{"objects as alternatives", object(`{"anyOf":[{"type":"object","properties":{"x":{"type":"string"}},"required":["x"]},{"type":"object","properties":{"y":{"type":"integer"}},"required":["y"]}]}`),
			`{"type":"object","properties":{"a":{"type":"object","properties":{"x":{"type":"string"},"y":{"type":"integer"}},"description":"Give at least one of these: x; y."}}}`,
			[]string{"#/properties/a/anyOf: its 2 alternatives"}},
		{"arrays as alternatives", object(`{"anyOf":[{"type":"array","items":{"type":"string"}},{"type":"array","items":{"type":"string"}}]}`),
			`{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}}}}`, []string{"#/properties/a/anyOf: its 2"}},
		{"string or list", object(`{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]}`), object(`{"type":"string","description":"(or array)"}`),
			[]string{"#/properties/a/type: string, array told as string"}},
		{"limits of one alternative do not hold for all", object(`{"anyOf":[{"type":"string","maxLength":3},{"type":"string","pattern":"^x"}]}`), object(`{"type":"string"}`),
			[]string{"#/properties/a/anyOf: its 2 alternatives"}},
		{"allOf", object(`{"allOf":[{"type":"number"},{"type":"integer","minimum":2}]}`), object(`{"type":"integer","description":"(at least 2)"}`), nil},
		{"conditions", object(`{"type":"object","if":{"required":["x"]},"then":{"required":["y"]}}`), object(`{"type":"object"}`),
			[]string{"#/properties/a/if: cannot be told", "#/properties/a/then: cannot be told"}},
		{"a map", object(`{"type":"object","additionalProperties":{"type":"string"}}`), object(`{"type":"object"}`),
			[]string{"#/properties/a/additionalProperties: cannot be told"}},
		{"required but unknown", `{"type":"object","required":["k"]}`, `{"type":"object","required":["k"],"properties":{"k":{"type":"string","description":"(any JSON value)"}}}`,
			[]string{"#/properties/k/type: any value"}},
		{"recursion", `{"type":"object","properties":{"child":{"$ref":"#"}}}`,
			`{"type":"object","properties":{"child":{"type":"object","description":"Recursive: of the same shape as the whole input."}}}`, []string{"#/properties/child: recursion cut"}},
	} {
		t.Run(tt.name, func(t *testing.T) { checkParameters(t, tt.in, SchemaPortable, tt.want, tt.losses) })
	}
}

func checkParameters(t *testing.T, in string, mode SchemaMode, want string, losses []string) {
	t.Helper()
	tool := &mcpgroup.Tool{Name: "t", InputSchema: schemaOf(t, in)}
	got, lost := Parameters(tool, mode)
	if g, w := asJSON(t, got), asJSON(t, schemaOf(t, want)); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
	if len(lost) != len(losses) {
		t.Fatalf("losses %q, want %q", lost, losses)
	}
	for i := range lost {
		if !strings.HasPrefix(lost[i], losses[i]) {
			t.Errorf("loss %q, want %q", lost[i], losses[i])
		}
	}
	scramble(got) // it is the caller's to change
	if !reflect.DeepEqual(tool.InputSchema, schemaOf(t, in)) {
		t.Error("the tool's own schema was changed")
	}
}

// scramble overwrites everything in v.
func scramble(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			scramble(v[key])
			v[key] = "scrambled"
		}
	case []any:
		for i := range v {
			scramble(v[i])
			v[i] = "scrambled"
		}
	}
}

// A reference to two references to two references ... is a small schema that is very large once inlined.
func TestSchemaThatGrowsWithoutBoundIsCut(t *testing.T) {
	defs := map[string]any{"d0": map[string]any{"type": "string"}}
	for i := 1; i < 40; i++ {
		ref := map[string]any{"$ref": fmt.Sprintf("#/$defs/d%d", i-1)}
		defs[fmt.Sprintf("d%d", i)] = map[string]any{"type": "object", "properties": map[string]any{"l": ref, "r": ref}}
	}
	tool := &mcpgroup.Tool{Name: "t", InputSchema: map[string]any{
		"type": "object", "properties": map[string]any{"a": map[string]any{"$ref": "#/$defs/d39"}}, "$defs": defs,
	}}
	for _, mode := range []SchemaMode{SchemaFull, SchemaPortable} {
		got, losses := Parameters(tool, mode)
		if size := len(asJSON(t, got)); size > 1<<20 {
			t.Errorf("mode %d: %d bytes", mode, size)
		}
		if !slices.ContainsFunc(losses, func(l string) bool { return strings.Contains(l, "larger than") }) {
			t.Errorf("mode %d: the cut is not among the %d losses", mode, len(losses))
		}
	}
}

// Whatever a server accepts, the model must be told it may send: the rewritten schema only ever allows more. The oracle is
// another package's validator on the server's own schema.
func TestFullSchemaAllowsWhateverTheServerAllows(t *testing.T) {
	for _, schema := range corpus {
		original, full := validator(t, schemaOf(t, schema)), validator(t, first(parameters(t, schema, SchemaFull)))
		accepted := 0
		for _, instance := range instances {
			var v any
			if err := json.Unmarshal([]byte(instance), &v); err != nil {
				t.Fatal(err)
			}
			if original.Validate(v) != nil {
				continue
			}
			accepted++
			if err := full.Validate(v); err != nil {
				t.Errorf("%s\nfits     %s\nbut not  %s\n%v", instance, schema, asJSON(t, first(parameters(t, schema, SchemaFull))), err)
			}
		}
		if accepted == 0 {
			t.Errorf("no instance fits %s: the test shows nothing", schema)
		}
	}
}

func first[A, B any](a A, _ B) A { return a }

func validator(t *testing.T, schema map[string]any) *jsonschema.Resolved {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal([]byte(asJSON(t, schema)), &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var corpus = []string{
	`{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"type":"string"}}}`,
	`{"type":"object","properties":{"a":{"$ref":"#/$defs/x","maxLength":1}},"$defs":{"x":{"type":"string","maxLength":9}}}`,
	`{"type":"object","properties":{"child":{"$ref":"#"},"a":{"type":"string"}},"additionalProperties":false}`,
	`{"anyOf":[{"type":"object","required":["a"]},{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}]}`,
	`{"type":"object","oneOf":[{"properties":{"a":{"const":"x"}},"required":["a"],"additionalProperties":false},{"properties":{"a":{"const":"y"},"n":{"type":"integer"}},"required":["a","n"]}]}`,
	`{"type":"object","allOf":[{"required":["a"]},{"properties":{"a":{"enum":["x","y"]}}},{"anyOf":[{"required":["n"]},{"required":["l"]}]}]}`,
	`{"type":"object","not":{"required":["l"]},"properties":{"a":{"type":["string","null"]}}}`,
	`{"type":"object","properties":{"l":{"type":"array","items":{"$ref":"#/properties/n"}},"n":{"type":"integer","minimum":1}}}`,
	`{"type":"object","properties":{"m":{"type":"object","patternProperties":{"^k":{"type":"integer"}},"additionalProperties":{"$ref":"#/$defs/s"}}},"$defs":{"s":{"type":"string"}}}`,
	`{"type":"object","properties":{"l":{"prefixItems":[{"type":"integer"},{"type":"string"}],"items":false}}}`,
	`{"type":"object","if":{"required":["a"]},"then":{"required":["n"]},"else":{"required":["l"]}}`,
}

var instances = []string{
	`{}`, `{"a":"x"}`, `{"a":"y"}`, `{"a":"y","n":1}`, `{"a":"x","n":2}`, `{"a":null}`, `{"a":"long text"}`, `{"n":0}`, `{"n":7}`, `{"l":[1,2]}`, `{"l":[1,"b"]}`, `{"l":[]}`,
	`{"a":"x","l":[]}`, `{"child":{"child":{"a":"z"}}}`, `{"child":{"a":"z"},"a":"x"}`, `{"m":{"k1":1,"other":"s"}}`, `{"m":{"k1":"no"}}`, `{"extra":true}`,
}

// The rules of langchaingo's googleai provider, which is not linked here for the size of what it brings.
func TestPortableSchemaIsWhatTheGoogleAIProviderTakes(t *testing.T) {
	for _, schema := range corpus {
		got, _ := parameters(t, schema, SchemaPortable)
		if err := googleAI(got, "#"); err != nil {
			t.Errorf("%v\nin   %s\nfrom %s", err, asJSON(t, got), schema)
		}
	}
	if googleAI(schemaOf(t, `{"type":["object"]}`), "#") == nil || googleAI(schemaOf(t, `{"type":"object"}`), "#") == nil {
		t.Error("the rules of this test let everything pass")
	}
}

func googleAI(schema map[string]any, at string) error {
	typ, ok := schema["type"].(string)
	if !ok {
		return fmt.Errorf("%s: type is %v, not a string", at, schema["type"])
	}
	if d, ok := schema["description"]; ok {
		if _, ok := d.(string); !ok {
			return fmt.Errorf("%s: the description is no string", at)
		}
	}
	props, ok := schema["properties"].(map[string]any)
	if !ok && at == "#" {
		return fmt.Errorf("%s: no properties", at)
	}
	for _, name := range stringsOf(schema["required"]) {
		if props[name] == nil {
			return fmt.Errorf("%s: %q is required but no property", at, name)
		}
	}
	for name, p := range props {
		property, ok := p.(map[string]any)
		if !ok {
			return fmt.Errorf("%s/properties/%s: not an object", at, name)
		}
		if err := googleAI(property, at+"/properties/"+name); err != nil {
			return err
		}
	}
	if typ == "array" {
		items, ok := schema["items"].(map[string]any)
		if !ok {
			return fmt.Errorf("%s: no items", at)
		}
		return googleAI(items, at+"/items")
	}
	for _, key := range slices.Sorted(maps.Keys(schema)) {
		if !slices.Contains([]string{"type", "description", "properties", "required", "items", "enum"}, key) {
			return fmt.Errorf("%s: keyword %q", at, key)
		}
	}
	return nil
}

func FuzzParameters(f *testing.F) {
	for _, s := range corpus {
		f.Add(s)
	}
	f.Add(`{"$ref":"#"}`)
	f.Add(`{"anyOf":[{"$ref":"#"},{"type":"null"}],"required":[1],"properties":{"":{"allOf":[{"enum":[]},{"const":null}]}}}`)
	f.Fuzz(func(t *testing.T, s string) {
		var schema map[string]any
		if json.Unmarshal([]byte(s), &schema) != nil {
			return
		}
		tool := &mcpgroup.Tool{Name: "t", InputSchema: schema}
		before := asJSON(t, schema)
		full, losses := Parameters(tool, SchemaFull)
		if full["type"] != "object" || full["properties"] == nil {
			t.Errorf("not an object with properties: %s", asJSON(t, full))
		}
		again, lossesAgain := Parameters(tool, SchemaFull)
		if asJSON(t, full) != asJSON(t, again) || !slices.Equal(losses, lossesAgain) {
			t.Errorf("two answers for one schema:\n%s %q\n%s %q", asJSON(t, full), losses, asJSON(t, again), lossesAgain)
		}
		if ref := findRef(full); ref != "" {
			t.Errorf("a reference is left: %s in %s", ref, asJSON(t, full))
		}
		small, _ := Parameters(tool, SchemaPortable)
		if err := googleAI(small, "#"); err != nil {
			t.Errorf("%v in %s", err, asJSON(t, small))
		}
		if after := asJSON(t, schema); after != before {
			t.Errorf("the tool's schema was changed from %s to %s", before, after)
		}
	})
}

// findRef looks for a $ref in the places where it is one.
func findRef(schema map[string]any) string {
	if ref, ok := schema["$ref"].(string); ok {
		return ref
	}
	visit := func(v any) string {
		if m, ok := v.(map[string]any); ok {
			return findRef(m)
		}
		return ""
	}
	for key, v := range schema {
		switch key {
		case "properties", "patternProperties", "dependentSchemas":
			m, _ := v.(map[string]any)
			for _, e := range m {
				if ref := visit(e); ref != "" {
					return ref
				}
			}
		case "allOf", "anyOf", "oneOf", "prefixItems":
			l, _ := v.([]any)
			for _, e := range l {
				if ref := visit(e); ref != "" {
					return ref
				}
			}
		case "items", "additionalProperties", "not", "if", "then", "else", "contains":
			if ref := visit(v); ref != "" {
				return ref
			}
		}
	}
	return ""
}
