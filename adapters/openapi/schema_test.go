package openapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// inputOf returns the input schema of the one operation.
func inputOf(t testing.TB, d *Document, limit int) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(d.operations[0].schemas(limit).input, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// convertIn converts a schema as the body of an operation, and returns it with its $defs.
func convertIn(t testing.TB, version, schema, components string) map[string]any {
	t.Helper()
	doc := document(version, `{"/x":{"post":{"responses":{},"requestBody":{"content":{"application/json":{"schema":`+schema+`}}}}}}`,
		`,"components":{"schemas":`+components+`}`)
	m := inputOf(t, mustParse(t, doc), 1<<20)
	body, _ := m["properties"].(map[string]any)["body"].(map[string]any)
	if defs := m["$defs"]; defs != nil {
		body["$defs"] = defs
	}
	return body
}

func TestSchemasBecomeJSONSchema202012(t *testing.T) {
	for _, c := range []struct{ what, version, in, want string }{
		{"nullable", "3.0.3", `{"type":"string","nullable":true}`, `{"type":["string","null"]}`},
		{"nullable enums", "3.0.3", `{"type":"string","nullable":true,"enum":["a"]}`, `{"type":["string","null"],"enum":["a",null]}`},
		{"nullable compositions", "3.0.3", `{"nullable":true,"allOf":[{"type":"object"}]}`, `{"anyOf":[{"allOf":[{"type":"object"}]},{"type":"null"}]}`},
		{"nullable without a type", "3.0.3", `{"nullable":true,"enum":[1]}`, `{"enum":[1]}`},
		{"boolean bounds", "3.0.3", `{"type":"integer","minimum":1,"exclusiveMinimum":true,"maximum":9,"exclusiveMaximum":false}`,
			`{"type":"integer","exclusiveMinimum":1,"maximum":9}`},
		{"number bounds", "3.1.0", `{"type":"integer","exclusiveMinimum":1,"maximum":9}`, `{"type":"integer","exclusiveMinimum":1,"maximum":9}`},
		{"an example", "3.0.3", `{"type":"integer","example":7}`, `{"type":"integer","examples":[7]}`},
		{"what describes documents", "3.0.3", `{"type":"object","discriminator":{"propertyName":"a"},"xml":{"name":"x"},"externalDocs":{"url":"http://h"},"x-y":1}`,
			`{"type":"object"}`},
		{"base64", "3.0.3", `{"type":"string","format":"byte"}`, `{"type":"string","format":"byte","contentEncoding":"base64"}`},
		{"type lists", "3.1.0", `{"type":["string","null"]}`, `{"type":["string","null"]}`},
		{"constants", "3.1.0", `{"const":{"a":null}}`, `{"const":{"a":null}}`},
		{"booleans", "3.1.0", `{"type":"object","properties":{"a":true,"b":false},"additionalProperties":false}`,
			`{"type":"object","properties":{"a":true,"b":false},"additionalProperties":false}`},
		{"tuples and conditions", "3.1.0",
			`{"prefixItems":[{"type":"string"}],"items":false,"if":{"minItems":1},"then":{"maxItems":2},"else":{"contains":{"type":"null"}}}`,
			`{"prefixItems":[{"type":"string"}],"items":false,"if":{"minItems":1},"then":{"maxItems":2},"else":{"contains":{"type":"null"}}}`},
		{"maps", "3.1.0", `{"patternProperties":{"^a":{"type":"string"}},"propertyNames":{"maxLength":3},"dependentRequired":{"a":["b"]},"dependentSchemas":{"a":{"minProperties":2}},"unevaluatedProperties":false}`,
			`{"patternProperties":{"^a":{"type":"string"}},"propertyNames":{"maxLength":3},"dependentRequired":{"a":["b"]},"dependentSchemas":{"a":{"minProperties":2}},"unevaluatedProperties":false}`},
		{"JavaScript's patterns", "3.1.0", `{"type":"string","pattern":"^(?!a)","description":"A name."}`,
			`{"type":"string","description":"A name.\nIt must match the JavaScript pattern ^(?!a)"}`},
		{"identifiers", "3.1.0", `{"$id":"http://h/x","$anchor":"a","$comment":"c","type":"object"}`, `{"type":"object"}`},
		{"property names that are keywords", "3.0.3", `{"type":"object","properties":{"example":{"type":"string"},"nullable":{"type":"string"},"required":{"type":"string"}},"required":["required"]}`,
			`{"type":"object","properties":{"example":{"type":"string"},"nullable":{"type":"string"},"required":{"type":"string"}},"required":["required"]}`},
		{"read-only properties", "3.0.3", `{"type":"object","properties":{"id":{"type":"string","readOnly":true},"secret":{"type":"string","writeOnly":true}},"required":["id","secret"]}`,
			`{"type":"object","properties":{"secret":{"type":"string"}},"required":["secret"]}`},
		{"read-only properties of a part", "3.0.3", `{"allOf":[{"type":"object","properties":{"id":{"type":"string","readOnly":true}}},{"required":["id"]}]}`,
			`{"allOf":[{"type":"object","properties":{}},{}]}`},
	} {
		t.Run(c.what, func(t *testing.T) { sameJSON(t, convertIn(t, c.version, c.in, "{}"), c.want) })
	}
}

func TestReferencesStayWithinTheSchema(t *testing.T) {
	const components = `{
		"Small":{"type":"string","maxLength":3},
		"Node":{"type":"object","properties":{"next":{"$ref":"#/components/schemas/Node"},"kids":{"type":"array","items":{"$ref":"#/components/schemas/Node"}}}},
		"A":{"type":"object","properties":{"b":{"$ref":"#/components/schemas/B"}}},
		"B":{"type":"object","properties":{"a":{"$ref":"#/components/schemas/A"}}},
		"Deep":{"type":"object","properties":{"x/y":{"type":"object","properties":{"self":{"$ref":"#/components/schemas/Deep/properties/x~1y"}}}}},
		"Hidden":{"type":"object","readOnly":true,"properties":{"n":{"$ref":"#/components/schemas/Node"}}},
		"Chain":{"$ref":"#/components/schemas/Small"}}`
	for _, c := range []struct{ what, version, in, want string }{
		{"small ones are copied", "3.0.3", `{"$ref":"#/components/schemas/Small","description":"ignored"}`, `{"type":"string","maxLength":3}`},
		{"with what stands next to them in 3.1", "3.1.0", `{"$ref":"#/components/schemas/Small","description":"kept"}`, `{"type":"string","maxLength":3,"description":"kept"}`},
		{"or next to the reference", "3.1.0", `{"$ref":"#/components/schemas/Small","minLength":2}`,
			`{"minLength":2,"$ref":"#/$defs/Small","$defs":{"Small":{"type":"string","maxLength":3}}}`},
		{"through others", "3.0.3", `{"$ref":"#/components/schemas/Chain"}`, `{"type":"string","maxLength":3}`},
		{"recursive ones", "3.0.3", `{"$ref":"#/components/schemas/Node"}`,
			`{"$ref":"#/$defs/Node","$defs":{"Node":{"type":"object","properties":{"next":{"$ref":"#/$defs/Node"},"kids":{"type":"array","items":{"$ref":"#/$defs/Node"}}}}}}`},
		{"mutual ones", "3.1.0", `{"type":"array","items":{"$ref":"#/components/schemas/A"}}`,
			`{"type":"array","items":{"$ref":"#/$defs/A"},"$defs":{"A":{"type":"object","properties":{"b":{"$ref":"#/$defs/B"}}},"B":{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}}}}}`},
		{"into other schemas", "3.0.3", `{"$ref":"#/components/schemas/Deep"}`,
			`{"$ref":"#/$defs/Deep","$defs":{"Deep":{"type":"object","properties":{"x/y":{"type":"object","properties":{"self":{"$ref":"#/$defs/x_y"}}}}},
			"x_y":{"type":"object","properties":{"self":{"$ref":"#/$defs/x_y"}}}}}`},
		{"to what is read-only", "3.0.3", `{"type":"object","properties":{"h":{"$ref":"#/components/schemas/Hidden"}},"required":["h"]}`,
			`{"type":"object","properties":{}}`},
	} {
		t.Run(c.what, func(t *testing.T) { sameJSON(t, convertIn(t, c.version, c.in, components), c.want) })
	}
}

func TestRecursiveInputsValidate(t *testing.T) {
	doc := document("3.1.0", `{"/x":{"post":{"responses":{},"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Node"}}}}}}}`,
		`,"components":{"schemas":{"Node":{"type":"object","properties":{"v":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#/components/schemas/Node"}}},"required":["v"]}}}`)
	var s jsonschema.Schema
	if err := json.Unmarshal(mustParse(t, doc).operations[0].schemas(1<<20).input, &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for args, valid := range map[string]bool{
		`{"body":{"v":1,"kids":[{"v":2,"kids":[{"v":3}]}]}}`: true,
		`{"body":{"v":1,"kids":[{"v":2,"kids":[{}]}]}}`:      false,
		`{}`:                     false,
		`{"body":{"v":1},"x":1}`: false,
	} {
		var v any
		if err := json.Unmarshal([]byte(args), &v); err != nil {
			t.Fatal(err)
		}
		if err := resolved.Validate(v); (err == nil) != valid {
			t.Errorf("%s: %v, want valid %t", args, err, valid)
		}
	}
}

func TestLargeSchemasGiveUpDetailAndStayWithinTheLimit(t *testing.T) {
	long := strings.Repeat("x", 150)
	components := `{"L0":{"type":"object","properties":{"p":{"$ref":"#/components/schemas/L1"},"a":{"type":"string","example":"` + long + `"}}}`
	for i := 1; i < 9; i++ {
		components += `,"L` + string(rune('0'+i)) + `":{"type":"object","description":"` + long + `","properties":{"p":{"$ref":"#/components/schemas/L` + string(rune('1'+i)) + `"},"q":{"type":"string","description":"` + long + `"}}}`
	}
	components += `,"L9":{"type":"string","enum":["` + long + `"]}}`
	doc := document("3.0.3", `{"/x":{"post":{"responses":{},"parameters":[{"name":"q","in":"query","schema":{"type":"string"}}],
		"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/L0"}}}}}}}`, `,"components":{"schemas":`+components+`}`)
	d := mustParse(t, doc)
	last := 1 << 30
	for _, limit := range []int{1 << 20, 4000, 3000, 2000, 1000, 500, 300, 250} {
		data := d.operations[0].schemas(limit).input
		if len(data) > limit || len(data) > last {
			t.Errorf("limit %d: %d bytes after %d", limit, len(data), last)
		}
		last = len(data)
		var s jsonschema.Schema
		if err := json.Unmarshal(data, &s); err != nil {
			t.Fatalf("limit %d: %v", limit, err)
		}
		if _, err := s.Resolve(nil); err != nil {
			t.Errorf("limit %d: %v", limit, err)
		}
		if limit >= 1000 && s.Defs["L1"] == nil {
			t.Errorf("limit %d: nothing is left of the body: %s", limit, data)
		}
		if s.Properties["body"] == nil || s.Properties["q"] == nil || len(s.Required) != 1 {
			t.Errorf("limit %d: an argument is gone: %s", limit, data)
		}
	}
}

func TestOutputSchemasDescribeObjects(t *testing.T) {
	const components = `{"Pet":{"type":"object","properties":{"id":{"type":"integer","readOnly":true},"pin":{"type":"string","writeOnly":true},"parent":{"$ref":"#/components/schemas/Pet"}},"required":["id","pin"]}}`
	for _, c := range []struct{ what, responses, want string }{
		{"objects as they are", `{"200":{"description":"","content":{"application/json":{"schema":{"type":"object","properties":{"a":{"type":"string"}}}}}}}`,
			`{"type":"object","properties":{"a":{"type":"string"}}}`},
		{"referred ones with their type at the root", `{"201":{"description":"","content":{"application/hal+json":{"schema":{"$ref":"#/components/schemas/Pet"}}}}}`,
			`{"type":"object","properties":{"id":{"type":"integer"},"parent":{"$ref":"#/$defs/Pet"}},"required":["id"],
			"$defs":{"Pet":{"type":"object","properties":{"id":{"type":"integer"},"parent":{"$ref":"#/$defs/Pet"}},"required":["id"]}}}`},
		{"the first success", `{"204":{"description":""},"202":{"description":"","content":{"application/json":{"schema":{"type":"object"}}}},"400":{"description":"","content":{"application/json":{"schema":{"type":"string"}}}}}`,
			`{"type":"object"}`},
		{"lists wrapped", `{"2XX":{"description":"","content":{"application/json":{"schema":{"type":"array","items":{"type":"string"}}}}}}`,
			`{"type":"object","required":["result"],"properties":{"result":{"type":"array","items":{"type":"string"}}}}`},
		{"objects or null wrapped", `{"200":{"description":"","content":{"application/json":{"schema":{"type":"object","nullable":true}}}}}`,
			`{"type":"object","required":["result"],"properties":{"result":{"type":["object","null"]}}}`},
		{"unions of objects", `{"200":{"description":"","content":{"application/json":{"schema":{"oneOf":[{"type":"object"},{"properties":{"a":{"type":"string"}}}]}}}}}`,
			`{"type":"object","oneOf":[{"type":"object"},{"properties":{"a":{"type":"string"}}}]}`},
		{"other unions wrapped", `{"200":{"description":"","content":{"application/json":{"schema":{"oneOf":[{"type":"object"},{"type":"string"}]}}}}}`,
			`{"type":"object","required":["result"],"properties":{"result":{"oneOf":[{"type":"object"},{"type":"string"}]}}}`},
		{"nothing for text", `{"200":{"description":"","content":{"text/plain":{"schema":{"type":"string"}}}}}`, `null`},
		{"nothing for failures", `{"default":{"description":"","content":{"application/json":{"schema":{"type":"object"}}}}}`, `null`},
	} {
		t.Run(c.what, func(t *testing.T) {
			d := mustParse(t, document("3.0.3", `{"/x":{"get":{"responses":`+c.responses+`}}}`, `,"components":{"schemas":`+components+`}`))
			sameJSON(t, d.operations[0].schemas(1<<20).output, c.want)
		})
	}
}

func TestToolsSayWhatTheyDo(t *testing.T) {
	paths := `{"/x":{"summary":"Of the path"`
	for _, m := range []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"} {
		paths += `,"` + m + `":{"operationId":"` + m + `","responses":{},"summary":"Does  ` + m + `","description":"` + strings.Repeat("Long. ", 400) + `"}`
	}
	a := newAPI(t, document("3.1.0", paths+`},"/y":{"get":{"operationId":"bare","responses":{}},"put":{"operationId":"old","deprecated":true,"responses":{}}}}`), nil, nil)
	tools := a.tools()
	if len(tools) != 8 || tools["trace"] != nil || tools["old"] != nil {
		t.Errorf("got %d tools", len(tools))
	}
	for name, want := range map[string][3]bool{ // read-only, idempotent, destructive
		"get": {true, true, false}, "head": {true, true, false}, "options": {true, true, false},
		"put": {false, true, true}, "delete": {false, true, true}, "post": {false, false, true}, "patch": {false, false, true},
	} {
		tool := tools[name]
		an := tool.Annotations
		if got := [3]bool{an.ReadOnlyHint, an.IdempotentHint, *an.DestructiveHint}; got != want || !*an.OpenWorldHint {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if tool.Title != "Does "+name || !strings.HasPrefix(tool.Description, "Does  "+name+"\n\nLong.") || len(tool.Description) > maxToolDescription {
			t.Errorf("%s: title %q, description of %d bytes: %.40q", name, tool.Title, len(tool.Description), tool.Description)
		}
	}
	if got := tools["bare"].Description; got != "GET /y" {
		t.Errorf("description of what has none: %q", got)
	}
}

func TestParametersAreDescribed(t *testing.T) {
	d := mustParse(t, document("3.0.3", `{"/x/{id}/{undeclared}":{"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}},{"name":"page","in":"query","schema":{"type":"string"}}],
		"get":{"responses":{},"parameters":[
		{"name":"page","in":"query","description":"Which page.","schema":{"type":"integer","description":"A number.","default":1}},
		{"name":"old","in":"query","deprecated":true,"allowEmptyValue":true,"schema":{"type":"boolean"}},
		{"name":"Accept","in":"header","schema":{"type":"string"}},{"name":"authorization","in":"header","required":true,"schema":{"type":"string"}},
		{"name":"content-md5","in":"header","schema":{"type":"string"}},{"name":"Host","in":"header","schema":{"type":"string"}},{"name":"Cookie","in":"header","schema":{"type":"string"}},
		{"name":"gone","in":"path","required":true,"schema":{"type":"string"}},
		{"$ref":"#/components/parameters/Shared"}]}}}`, `,"components":{"parameters":{"Shared":{"name":"X-Shared","in":"header","required":true,"schema":{"type":"string"}}}}`))
	sameJSON(t, inputOf(t, d, 1<<20), `{"type":"object","additionalProperties":false,"required":["id","X-Shared","undeclared"],"properties":{
		"id":{"type":"string"},"undeclared":{"type":"string"},"X-Shared":{"type":"string"},
		"page":{"type":"integer","description":"Which page.","default":1},
		"old":{"anyOf":[{"type":"boolean"},{"const":""}],"deprecated":true}}}`)
}

// A schema that is made of itself many times over must not take for ever; without a bound this test does.
func TestSchemasMadeOfThemselvesComeToAnEnd(t *testing.T) {
	self := strings.Repeat(`{"$ref":"#/components/schemas/A"},`, 63) + `{"$ref":"#/components/schemas/A"}`
	for _, media := range []string{"application/json", "multipart/form-data"} {
		for _, k := range []string{"allOf", "anyOf", "oneOf"} {
			d := mustParse(t, document("3.1.0", `{"/x":{"post":{"requestBody":{"content":{"`+media+`":{"schema":{"$ref":"#/components/schemas/A"}}}},
				"responses":{"200":{"description":"","content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}}}}}}`,
				`,"components":{"schemas":{"A":{"`+k+`":[`+self+`],"properties":{"a":{"`+k+`":[`+self+`]}}}}}`))
			if s := d.operations[0].schemas(1 << 20); len(s.input) > 100_000 || len(s.output) > 100_000 {
				t.Errorf("%s of %s: %d and %d bytes", k, media, len(s.input), len(s.output))
			}
		}
	}
}
