package tokens

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// smallest compacts as far as it goes and compares the schema.
func smallest(t *testing.T, schema, want string, lost ...string) Compacted {
	t.Helper()
	c, _ := Compact("tool", "", object(t, schema), 0, Estimate())
	if !reflect.DeepEqual(c.Schema, object(t, want)) {
		got, _ := json.Marshal(c.Schema)
		t.Errorf("%s\nbecame %s\nwant   %s", schema, got, want)
	}
	if !slices.Equal(c.Lost, lost) {
		t.Errorf("%s\nlost %q\nwant %q", schema, c.Lost, lost)
	}
	return c
}

func ExampleCompact() {
	schema := map[string]any{
		"$schema": "http://json-schema.org/draft-07/schema#",
		"type":    "object",
		"properties": map[string]any{
			"city": map[string]any{"type": "string", "title": "City", "description": "Name of the city. Add the country if there are several cities of that name, as in: Paris, Texas."},
			"days": map[string]any{"type": "integer", "minimum": 1, "maximum": 14, "examples": []any{3, 7}},
		},
		"required": []any{"city"},
	}
	c, ok := Compact("forecast", "Returns the weather forecast. Data of national services are used where they are free.", schema, 80, Estimate())
	text, _ := Function("forecast", c.Description, c.Schema)
	fmt.Println(ok, c.Tokens)
	fmt.Println(text)
	for _, l := range c.Lost {
		fmt.Println(l)
	}
	// Output:
	// true 74
	// {"type":"function","function":{"name":"forecast","description":"Returns the weather forecast. Data of national services are used where they are free.","parameters":{"properties":{"city":{"description":"Name of the city.","type":"string"},"days":{"maximum":14,"minimum":1,"type":"integer"}},"required":["city"],"type":"object"}}}
	// $schema at the top
	// end of the description at /properties/city
	// title at /properties/city
	// examples at /properties/days
}

func TestAnnotationsGoAndPropertiesOfThoseNamesStay(t *testing.T) {
	smallest(t,
		`{"title":"T","$comment":"c","type":"object","properties":{"title":{"type":"string","title":"The title"},"examples":{"type":"array","items":{"type":"string","examples":["a"],"deprecated":true}},"default":{"default":"short"}}}`,
		`{"type":"object","properties":{"title":{"type":"string"},"examples":{"type":"array","items":{"type":"string"}},"default":{"default":"short"}}}`,
		"$comment at the top", "deprecated at /properties/examples/items", "examples at /properties/examples/items", "title at /properties/title, at the top")
}

func TestAnnotationsOfAnotherTypeThanTheyShouldBeStay(t *testing.T) {
	same := `{"title":{"a":1},"examples":"x","deprecated":"no","$comment":1,"properties":{"a":true,"b":{"items":false}}}`
	smallest(t, same, same)
}

func TestLongDefaultsGoAndShortOnesStay(t *testing.T) {
	smallest(t,
		`{"properties":{"a":{"default":"0123456789012345"},"b":{"default":[1,2]},"c":{"default":null}}}`,
		`{"properties":{"a":{},"b":{"default":[1,2]},"c":{"default":null}}}`,
		"default at /properties/a")
}

func TestTheTitleOfAConstantStays(t *testing.T) {
	same := `{"properties":{"a":{"oneOf":[{"const":1,"title":"Low"},{"const":2,"title":"High"}]}}}`
	smallest(t, same, same)
}

func TestDescriptionsAreCutAtSentencesAndThoseOfRequiredParametersLater(t *testing.T) {
	text := "Name of the thing to look for. It may hold wildcards. See the manual for what else there is."
	smallest(t,
		`{"properties":{"a":{"description":"`+text+`"},"b":{"description":"`+text+`"}},"required":["b"]}`,
		`{"properties":{"a":{"description":"Name of the thing to look for."},"b":{"description":"Name of the thing to look for. It may hold wildcards."}},"required":["b"]}`,
		"end of the description at /properties/a, at /properties/b")
}

func TestEnumsAreCutWithANote(t *testing.T) {
	var values []string
	for i := range 40 {
		values = append(values, fmt.Sprintf(`"v%d"`, i))
	}
	kept := strings.Join(values[:10], ",")
	schema := `{"properties":{"a":{"description":"Which.","enum":[` + strings.Join(values, ",") + `,null],"default":"v30"}}}`
	smallest(t, schema,
		`{"properties":{"a":{"description":"Which. (12 of 41 values listed)","enum":[`+kept+`,"v30",null],"default":"v30"}}}`,
		"29 of 41 values of enum at /properties/a")
	// Fewer values are not worth the note.
	for _, same := range []string{
		`{"properties":{"a":{"enum":[` + strings.Join(values[:15], ",") + `]}}}`,
		`{"properties":{"a":{"enum":[` + strings.Join(values[:16], ",") + `,null],"default":"v15"}}}`, // two of the others are kept
		`{"propertyNames":{"enum":[` + strings.Join(values, ",") + `]}}`,                              // nobody would see a note
	} {
		smallest(t, same, same)
	}
	// Where less than an enum means more, it stays whole.
	for _, keyword := range []string{"not", "if"} {
		same := `{"properties":{"a":{"` + keyword + `":{"enum":[` + strings.Join(values, ",") + `]}}}}`
		smallest(t, same, same)
	}
	same := `{"oneOf":[{"enum":[` + strings.Join(values, ",") + `]},{"const":"v39"}]}`
	smallest(t, same, same)
}

func TestUnusedDefinitionsGo(t *testing.T) {
	smallest(t,
		`{"properties":{"a":{"$ref":"#/$defs/x~1y/items"},"b":{"$ref":"#/definitions/o%20ld"}},
		  "$defs":{"x/y":{"items":{"$ref":"#/$defs/z"}},"z":{"type":"string"},"lost":{"$ref":"#/$defs/chain"},"chain":{"$ref":"#/$defs/lost"}},
		  "definitions":{"o ld":{"type":"string"},"new":{}}}`,
		`{"properties":{"a":{"$ref":"#/$defs/x~1y/items"},"b":{"$ref":"#/definitions/o%20ld"}},
		  "$defs":{"x/y":{"items":{"$ref":"#/$defs/z"}},"z":{"type":"string"}},
		  "definitions":{"o ld":{"type":"string"}}}`,
		"unused definition at /$defs/chain, at /$defs/lost, at /definitions/new")
	smallest(t, `{"type":"object","$defs":{"a":{}}}`, `{"type":"object"}`, "unused definition at /$defs/a")
}

func TestDefinitionsStayIfRefsAreNotPlainPointers(t *testing.T) {
	for _, same := range []string{
		`{"properties":{"a":{"$ref":"#anchor"}},"$defs":{"x":{"$anchor":"anchor"},"y":{}}}`,
		`{"properties":{"a":{"$ref":"other.json#/$defs/y"}},"$defs":{"y":{}}}`,
		`{"$id":"https://example.com/x","properties":{"a":{"$ref":"/x#/$defs/y"}},"$defs":{"y":{}}}`,
		`{"properties":{"a":{"$dynamicRef":"#/$defs/x"}},"$defs":{"x":{}}}`,
		`{"properties":{"a":{"$ref":"#/$defs"}},"$defs":{"x":{}}}`,
	} {
		smallest(t, same, same)
	}
}

func TestWhatARefPointsThroughStays(t *testing.T) {
	smallest(t,
		`{"title":"T","examples":[{"type":"string"}],"properties":{"a":{"$ref":"#/examples/0"}}}`,
		`{"examples":[{"type":"string"}],"properties":{"a":{"$ref":"#/examples/0"}}}`,
		"title at the top")
}

func TestTheDialectStaysIfTheMeaningDependsOnIt(t *testing.T) {
	for _, same := range []string{
		`{"$schema":"http://json-schema.org/draft-07/schema#","items":[{"type":"string"}]}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$ref":"#","type":"string"}}}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","dependencies":{"a":["b"]}}`,
		`{"$schema":"http://json-schema.org/draft-04/schema#","minimum":1,"exclusiveMinimum":true}`,
		`{"$schema":"http://json-schema.org/draft-04/schema#","id":"x"}`,
		`{"$schema":"http://json-schema.org/draft-04/schema#","const":1}`, // means nothing there
		`{"$schema":"https://example.com/of-our-own"}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","prefixItems":[{"type":"string"}]}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","dependentRequired":{"a":["b"]}}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","contains":{},"minContains":2}`,
	} {
		smallest(t, same, same)
	}
	smallest(t,
		`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$ref":"#","description":"A."}}}`,
		`{"properties":{"a":{"$ref":"#","description":"A."}}}`, "$schema at the top")
}

func TestTheDialectOf202012GoesWithItsKeywords(t *testing.T) {
	smallest(t, `{"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[{}]}`, `{"prefixItems":[{}]}`, "$schema at the top")
}

func TestSubschemasThatAreNestedTooDeepStay(t *testing.T) {
	nested := func(depth int) map[string]any {
		m := map[string]any{"title": "T"}
		for range depth {
			m = map[string]any{"items": m}
		}
		return m
	}
	for depth, changed := range map[int]bool{deepest - 1: true, deepest: false, 5_000: false} {
		if c, ok := Compact("tool", "", nested(depth), 0, Estimate()); ok != changed || (len(c.Lost) > 0) != changed {
			t.Errorf("depth %d: Compact = %t", depth, ok)
		}
	}
}

func TestEveryKindOfSubschemaIsVisited(t *testing.T) {
	for _, keyword := range []string{"items", "contains", "additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties",
		"additionalItems", "not", "if", "then", "else"} {
		smallest(t, `{"`+keyword+`":{"title":"T"}}`, `{"`+keyword+`":{}}`, "title at /"+keyword)
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf", "prefixItems", "items"} {
		smallest(t, `{"`+keyword+`":[true,{"title":"T"}]}`, `{"`+keyword+`":[true,{}]}`, "title at /"+keyword+"/1")
	}
	for _, keyword := range []string{"properties", "patternProperties", "dependentSchemas"} {
		smallest(t, `{"`+keyword+`":{"a/b~":{"title":"T"}}}`, `{"`+keyword+`":{"a/b~":{}}}`, "title at /"+keyword+"/a~1b~0")
	}
	// What is no schema is left alone.
	same := `{"const":{"title":"T"},"enum":[{"title":"T"}],"x-more":{"title":"T"},"required":["title"],"dependentRequired":{"title":["a"]}}`
	smallest(t, same, same)
}

func TestManyPlacesAreCountedRatherThanNamed(t *testing.T) {
	var l losses
	for i := range 7 {
		l.add("title", path{"properties", fmt.Sprint(i)})
	}
	want := []string{"title at /properties/0, at /properties/1, at /properties/2, at /properties/3 and 3 more"}
	if got := l.sentences(); !slices.Equal(got, want) {
		t.Errorf("sentences = %q, want %q", got, want)
	}
}

func TestCompactStopsAtTheTarget(t *testing.T) {
	r := maker{rand.New(rand.NewPCG(5, 5))}
	schema := r.root(false)
	description := strings.Repeat("Looks for things in places. ", 60)
	before, _ := Function("tool", description, schema)
	whole := Estimate().Count(before)
	if c, ok := Compact("tool", description, schema, whole, Estimate()); !ok || c.Description != description || len(c.Lost) > 0 || c.Tokens != whole {
		t.Errorf("a tool that fits was changed: %v, %t", c.Lost, ok)
	}
	last := whole
	for target := whole - 1; target > 0; target -= 3 {
		c, ok := Compact("tool", description, schema, target, Estimate())
		text, _ := Function("tool", c.Description, c.Schema)
		if n := Estimate().Count(text); n != c.Tokens || ok != (n <= target) || n > last {
			t.Fatalf("target %d: %d tokens, said to be %d, %t; the target before had %d", target, n, c.Tokens, ok, last)
		}
		last = c.Tokens
		if !ok {
			least, _ := Compact("tool", description, schema, 0, Estimate())
			if least.Tokens != c.Tokens {
				t.Errorf("target %d is missed with %d tokens, but %d are possible", target, c.Tokens, least.Tokens)
			}
			break
		}
	}
	if last == whole {
		t.Error("nothing was ever made smaller")
	}
}

func TestAToolThatCannotBeMadeSmallerIsReturnedAsItIs(t *testing.T) {
	schema := object(t, `{"type":"object","properties":{"a":{"type":"string"}}}`)
	c, ok := Compact("tool", "Does it.", schema, 0, Estimate())
	if ok || c.Description != "Does it." || !reflect.DeepEqual(c.Schema, schema) || len(c.Lost) > 0 {
		t.Errorf("Compact = %+v, %t", c, ok)
	}
	if c, ok := Compact("tool", "", nil, 0, Estimate()); ok || c.Schema != nil {
		t.Errorf("Compact without a schema = %+v, %t", c, ok)
	}
}

type constant int

func (c constant) Count(string) int { return int(c) }

func TestWhatACounterDoesNotCountAsSmallerIsNotTaken(t *testing.T) {
	schema := object(t, `{"title":"T","properties":{"a":{"title":"A"}}}`)
	for _, target := range []int{0, 99} {
		if c, ok := Compact("tool", "", schema, target, constant(100)); ok || c.Tokens != 100 || !reflect.DeepEqual(c.Schema, schema) || len(c.Lost) > 0 {
			t.Errorf("target %d: Compact = %+v, %t", target, c, ok)
		}
	}
}

func TestCompactIsDeterministic(t *testing.T) {
	for seed := range uint64(50) {
		r := maker{rand.New(rand.NewPCG(seed, 9))}
		schema := r.root(true)
		first, _ := Compact("tool", "Does it.", schema, 0, Estimate())
		for range 5 {
			if again, _ := Compact("tool", "Does it.", schema, 0, Estimate()); !reflect.DeepEqual(first, again) {
				t.Fatalf("seed %d: %+v, then %+v", seed, first, again)
			}
		}
	}
}

// bones is a schema without what may be left out of it; enums are checked elsewhere.
func bones(v any, names bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any)
		for k, e := range v {
			if names {
				out[k] = bones(e, false)
				continue
			}
			switch k {
			case "$schema", "$comment", "title", "description", "example", "examples", "deprecated", "default", "enum", "$defs", "definitions":
			case "const", "required", "dependentRequired":
				out[k] = e
			default:
				out[k] = bones(e, k == "properties" || k == "patternProperties" || k == "dependentSchemas")
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = bones(e, false)
		}
		return out
	}
	return v
}

func FuzzCompactKeepsTheBonesOfASchema(f *testing.F) {
	f.Add("Does it. And more.", `{"type":"object","properties":{"title":{"type":"string","title":"x"}},"required":["title"]}`)
	f.Add("", `{"items":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"not":{"enum":[1,2]}},"b":{}},"additionalProperties":false}`)
	f.Add("\xff\n\n", `{"enum":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18],"description":3}`)
	for seed := range uint64(5) {
		r := maker{rand.New(rand.NewPCG(seed, 3))}
		text, _ := json.Marshal(r.root(true))
		f.Add(r.words(80), string(text))
	}
	f.Fuzz(func(t *testing.T, description, schema string) {
		var m, original map[string]any
		if json.Unmarshal([]byte(schema), &m) != nil {
			t.Skip()
		}
		_ = json.Unmarshal([]byte(schema), &original)
		before, err := Function("tool", description, m)
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range []int{0, Estimate().Count(before) * 3 / 4} {
			c, _ := Compact("tool", description, m, target, Estimate())
			if !reflect.DeepEqual(m, original) {
				t.Fatalf("Compact changed its input: %s", schema)
			}
			after, err := Function("tool", c.Description, c.Schema)
			if err != nil || Estimate().Count(after) != c.Tokens || c.Tokens > Estimate().Count(before) {
				t.Errorf("%d tokens, was %d: %s", c.Tokens, Estimate().Count(before), after)
			}
			if !reflect.DeepEqual(bones(m, false), bones(c.Schema, false)) {
				t.Errorf("%s\nlost more than it may: %s", before, after)
			}
			if after != before && len(c.Lost) == 0 && !reflect.DeepEqual(squeezed(m), squeezed(c.Schema)) {
				t.Errorf("%s\nbecame %s\nwithout a word", before, after)
			}
		}
	})
}

// squeezed is v with every description squeezed.
func squeezed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any)
		for k, e := range v {
			if text, ok := e.(string); ok && k == "description" {
				e = squeeze(text)
			}
			out[k] = squeezed(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = squeezed(e)
		}
		return out
	}
	return v
}

func BenchmarkCompact(b *testing.B) {
	r := maker{rand.New(rand.NewPCG(5, 5))}
	schema := r.root(false)
	b.ReportAllocs()
	for b.Loop() {
		Compact("tool", "Does it.", schema, 0, Estimate())
	}
}
