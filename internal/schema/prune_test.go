package schema

import (
	"encoding/json"
	"maps"
	"reflect"
	"testing"
)

func TestPruneDropsOnlyNullsThatCannotBeMeant(t *testing.T) {
	for _, c := range []struct{ name, schema, args, want string }{
		{"an optional string", `{"properties":{"a":{"type":"string"}}}`, `{"a":null}`, `{}`},
		{"a required one", `{"properties":{"a":{"type":"string"}},"required":["a"]}`, `{"a":null}`, `{"a":null}`},
		{"a nullable type list", `{"properties":{"a":{"type":["string","null"]}}}`, `{"a":null}`, `{"a":null}`},
		{"a nullable anyOf", `{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]}}}`, `{"a":null}`, `{"a":null}`},
		{"an anyOf without null", `{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"integer"}]}}}`, `{"a":null}`, `{}`},
		{"a nullable enum", `{"properties":{"a":{"enum":["x",null]}}}`, `{"a":null}`, `{"a":null}`},
		{"an enum without null", `{"properties":{"a":{"enum":["x","null"]}}}`, `{"a":null}`, `{}`},
		{"a null constant", `{"properties":{"a":{"const":null}}}`, `{"a":null}`, `{"a":null}`},
		{"a property without a type", `{"properties":{"a":{"description":"x"}}}`, `{"a":null}`, `{"a":null}`},
		{"a property that is not described", `{"properties":{}}`, `{"a":null}`, `{"a":null}`},
		{"a property that is not allowed", `{"properties":{},"additionalProperties":false}`, `{"a":null}`, `{}`},
		{"a typed additional property", `{"additionalProperties":{"type":"string"}}`, `{"a":null,"b":"x"}`, `{"b":"x"}`},
		{"a pattern property", `{"patternProperties":{"^x":{"type":"string"}},"additionalProperties":true}`, `{"xa":null,"ya":null}`, `{"ya":null}`},
		{"an unknown pattern", `{"patternProperties":{"^(?!y)":{"type":"string"}},"additionalProperties":false}`, `{"a":null}`, `{"a":null}`},
		{"the string null", `{"properties":{"a":{"type":"string"}}}`, `{"a":"null"}`, `{"a":"null"}`},
		{"a nested object", `{"properties":{"o":{"properties":{"a":{"type":"string"},"b":{}}}}}`, `{"o":{"a":null,"b":null,"c":1}}`, `{"o":{"b":null,"c":1}}`},
		{"objects in an array", `{"properties":{"l":{"items":{"properties":{"a":{"type":"string"}}}}}}`, `{"l":[{"a":null},{"a":"x"},null]}`, `{"l":[{},{"a":"x"},null]}`},
		{"a prefix item", `{"properties":{"l":{"prefixItems":[{"properties":{"a":{"type":"string"}}}],"items":true}}}`, `{"l":[{"a":null},{"a":null}]}`, `{"l":[{},{"a":null}]}`},
		{"items of an array", `{"properties":{"l":{"items":{"type":"string"}}}}`, `{"l":[null]}`, `{"l":[null]}`},
		{"behind a reference", `{"properties":{"o":{"$ref":"#/$defs/o"}},"$defs":{"o":{"properties":{"a":{"$ref":"#/$defs/s"}}},"s":{"type":"string"}}}`, `{"o":{"a":null}}`, `{"o":{}}`},
		{"behind a nullable object", `{"properties":{"o":{"anyOf":[{"$ref":"#/$defs/o"},{"type":"null"}]}},"$defs":{"o":{"type":"object","properties":{"a":{"type":"string"}}}}}`, `{"o":{"a":null}}`, `{"o":{}}`},
		{"behind allOf, required by the other branch", `{"allOf":[{"properties":{"a":{"type":"string"}}},{"required":["a"]}]}`, `{"a":null}`, `{"a":null}`},
		{"required by one branch of several", `{"properties":{"a":{"type":"string"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}`, `{"a":null,"b":1}`, `{"a":null,"b":1}`},
		{"required by a dependency", `{"properties":{"a":{"type":"string"}},"dependentRequired":{"b":["a"]}}`, `{"a":null,"b":1}`, `{"a":null,"b":1}`},
		{"required by a condition", `{"properties":{"a":{"type":"string"}},"if":{"required":["b"]},"then":{"required":["a"]}}`, `{"a":null}`, `{"a":null}`},
		{"admitted by one of several branches", `{"anyOf":[{"properties":{"a":{"type":"string"}}},{"properties":{"a":{"type":"null"}}}]}`, `{"a":null}`, `{"a":null}`},
		{"admitted by no branch", `{"anyOf":[{"properties":{"a":{"type":"string"}}},{"properties":{"a":{"type":"integer"}}}]}`, `{"a":null}`, `{}`},
		{"the branch that the tag selects", `{"properties":{"o":{"oneOf":[
			{"properties":{"kind":{"const":"x"},"a":{"type":"string"}}},
			{"properties":{"kind":{"const":"y"},"a":{"type":"null"}}}]}}}`, `{"o":{"kind":"x","a":null}}`, `{"o":{"kind":"x"}}`},
		{"a recursive schema", `{"properties":{"a":{"type":"string"},"next":{"$ref":"#"}}}`, `{"next":{"next":{"a":null}},"a":null}`, `{"next":{"next":{}}}`},
		{"draft-07", `{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"type":"string"},"l":{"items":[{"properties":{"a":{"type":"string"}}}]}}}`, `{"a":null,"l":[{"a":null}]}`, `{"l":[{}]}`},
		{"no schema", `null`, `{"a":null}`, `{"a":null}`},
		{"everything goes", `true`, `{"a":null}`, `{"a":null}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustCompile(t, c.schema)
			args, want, copied := decodeArgs(t, c.args), decodeArgs(t, c.want), decodeArgs(t, c.args)
			got := s.Prune(args)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("Prune(%s) = %v, want %s", c.args, got, c.want)
			}
			if !reflect.DeepEqual(args, copied) {
				t.Errorf("Prune changed its argument to %v", args)
			}
			if c.args == c.want && !sameMap(got, args) {
				t.Error("nothing was dropped, but the map is another")
			}
			if again := s.Prune(got); !sameMap(again, got) {
				t.Errorf("a second Prune gives %v", again)
			}
		})
	}
}

func sameMap(a, b map[string]any) bool {
	return reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()
}

func TestPruneSharesWhatItDoesNotChange(t *testing.T) {
	s := mustCompile(t, `{"properties":{"a":{"type":"string"}}}`)
	big := map[string]any{"x": nil}
	args := map[string]any{"a": nil, "big": big}
	got := s.Prune(args)
	if sameMap(got, args) || !sameMap(got["big"].(map[string]any), big) {
		t.Errorf("Prune = %v", got)
	}
}

func TestPruneWithNothingToDropDoesNotAllocate(t *testing.T) {
	s := mustCompile(t, `{"properties":{"a":{"type":["string","null"]},"o":{"properties":{"b":{}}},"l":{"items":{"properties":{"c":{"type":"null"}}}}}}`)
	args := map[string]any{"a": nil, "o": map[string]any{"b": nil}, "l": []any{map[string]any{"c": nil}}}
	s.Prune(args) // fills the pool
	if raceEnabled {
		t.Skip("sync.Pool drops items at random under the race detector")
	}
	if n := testing.AllocsPerRun(100, func() {
		if !sameMap(s.Prune(args), args) {
			t.Fatal("something was dropped")
		}
	}); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestPrunedArgumentsKeepTheirNumbers(t *testing.T) {
	s := mustCompile(t, `{"properties":{"a":{"type":"string"}}}`)
	got := s.Prune(map[string]any{"a": nil, "n": json.Number("9007199254740993")})
	if !maps.Equal(got, map[string]any{"n": json.Number("9007199254740993")}) {
		t.Errorf("Prune = %v", got)
	}
}
