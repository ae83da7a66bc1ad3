package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustCompile(t testing.TB, schema string) *Schema {
	t.Helper()
	s, err := Compile(json.RawMessage(schema), nil)
	if err != nil {
		t.Fatalf("Compile(%s): %v", schema, err)
	}
	return s
}

func decodeArgs(t testing.TB, text string) map[string]any {
	t.Helper()
	args, err := Normalize(text)
	if err != nil {
		t.Fatal(err)
	}
	return args
}

// A verdictCase is one schema with arguments that must pass and arguments that must fail at the given paths.
type verdictCase struct {
	name   string
	schema string
	good   []string
	bad    map[string]string // arguments to the paths of all violations, separated by spaces
}

func (c verdictCase) run(t *testing.T) {
	s := mustCompile(t, c.schema)
	for _, args := range c.good {
		if err := s.Validate(decodeArgs(t, args)); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
	for args, want := range c.bad {
		err := s.Validate(decodeArgs(t, args))
		var invalid *ValidationError
		if !errors.As(err, &invalid) {
			t.Errorf("%s: got %v, want a ValidationError", args, err)
			continue
		}
		var paths []string
		for _, v := range invalid.Violations {
			paths = append(paths, v.Path)
		}
		if got := strings.Join(paths, " "); got != want {
			t.Errorf("%s: violations at %q, want %q (%v)", args, got, want, err)
		}
	}
}

func TestArgumentsAreCheckedAsTheSchemaSays(t *testing.T) {
	for _, c := range []verdictCase{
		{ // Scenario 56
			name:   "missing required field",
			schema: `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a","b"]}`,
			good:   []string{`{"a":"x","b":1}`, `{"a":"x","b":1,"c":null}`},
			bad:    map[string]string{`{}`: "/a /b", `{"a":"x"}`: "/b", `{"a":1}`: "/b /a"},
		},
		{ // Scenario 58
			name:   "anyOf string or number",
			schema: `{"type":"object","properties":{"v":{"anyOf":[{"type":"string"},{"type":"number"}]}},"required":["v"]}`,
			good:   []string{`{"v":"x"}`, `{"v":1}`, `{"v":1.5}`},
			bad:    map[string]string{`{"v":true}`: "/v", `{"v":null}`: "/v", `{"v":[]}`: "/v"},
		},
		{ // Scenario 59
			name:   "oneOf integer or boolean",
			schema: `{"type":"object","properties":{"v":{"oneOf":[{"type":"integer"},{"type":"boolean"}]}},"required":["v"]}`,
			good:   []string{`{"v":3}`, `{"v":3.0}`, `{"v":false}`},
			bad:    map[string]string{`{"v":3.5}`: "/v", `{"v":"3"}`: "/v", `{}`: "/v"},
		},
		{ // Scenario 61
			name: "required but nullable, in four spellings",
			schema: `{"type":"object","required":["a","b","c","d"],"properties":{
				"a":{"anyOf":[{"type":"string"},{"type":"null"}]},
				"b":{"type":["string","null"]},
				"c":{"enum":["x",null]},
				"d":{"const":null}}}`,
			good: []string{`{"a":null,"b":null,"c":null,"d":null}`, `{"a":"x","b":"x","c":"x","d":null}`},
			bad: map[string]string{
				`{}`:                                  "/a /b /c /d",
				`{"a":null,"b":null,"c":null}`:        "/d",
				`{"a":1,"b":1,"c":"null","d":"null"}`: "/a /b /c /d",
			},
		},
		{ // Scenario 62
			name: "type list with items and properties",
			schema: `{"type":"object","properties":{
				"list":{"type":["array","null"],"items":{"type":"integer"}},
				"box":{"type":["object","string"],"properties":{"n":{"type":"integer"}},"required":["n"]}}}`,
			good: []string{`{"list":[1,2],"box":{"n":1}}`, `{"list":null,"box":"n"}`},
			bad: map[string]string{
				`{"list":[1,"2"]}`:      "/list/1",
				`{"box":{}}`:            "/box/n",
				`{"box":{"n":"1"}}`:     "/box/n",
				`{"list":"1","box":[]}`: "/box /list",
			},
		},
		{
			name:   "enums of mixed types keep them apart",
			schema: `{"properties":{"v":{"enum":[1,"1",true,null,"null",[1],{"a":1}]}}}`,
			good:   []string{`{"v":1}`, `{"v":1.0}`, `{"v":"1"}`, `{"v":true}`, `{"v":null}`, `{"v":"null"}`, `{"v":[1]}`, `{"v":{"a":1.0}}`},
			bad:    map[string]string{`{"v":"true"}`: "/v", `{"v":0}`: "/v", `{"v":[1,1]}`: "/v", `{"v":{}}`: "/v"},
		},
		{
			name:   "odd property names are ordinary",
			schema: `{"properties":{"_meta":{"type":"string"},"model_config":{"type":"integer"},"a/b~c":{"type":"null"},"":{"type":"null"}}}`,
			good:   []string{`{"_meta":"x","model_config":1,"a/b~c":null,"":null}`},
			bad:    map[string]string{`{"_meta":1}`: "/_meta", `{"a/b~c":1,"":1}`: "/ /a~1b~0c"},
		},
		{
			name:   "boolean subschemas",
			schema: `{"properties":{"any":true,"none":false,"list":{"items":true},"empty":{"items":false}}}`,
			good:   []string{`{"any":[1,{}],"list":[1,"x"],"empty":[]}`},
			bad:    map[string]string{`{"none":null}`: "/none", `{"empty":[1]}`: "/empty/0"},
		},
		{
			name:   "a free-form object keeps its arguments",
			schema: `{"type":"object","properties":{},"additionalProperties":true}`,
			good:   []string{`{"a":1,"b":{"c":[]}}`, `{}`},
		},
		{
			name: "constraints that translation to another type system loses",
			schema: `{"properties":{"a":{"allOf":[{"type":"integer"},{"minimum":3}]},"c":{"const":"x"},"p":{"type":"string","pattern":"^a"},
				"r":{"$ref":"#/$defs/pos"}},"additionalProperties":false,"$defs":{"pos":{"type":"number","exclusiveMinimum":0}}}`,
			good: []string{`{"a":3,"c":"x","p":"ab","r":0.5}`},
			bad:  map[string]string{`{"a":2}`: "/a", `{"c":"y"}`: "/c", `{"p":"b"}`: "/p", `{"r":0}`: "/r", `{"z":1}`: "/z"},
		},
		{
			name:   "nothing is coerced",
			schema: `{"properties":{"i":{"type":"integer"},"b":{"type":"boolean"},"s":{"type":"string"}}}`,
			bad:    map[string]string{`{"i":"7"}`: "/i", `{"b":"yes"}`: "/b", `{"b":1}`: "/b", `{"s":7}`: "/s", `{"s":null}`: "/s"},
		},
		{
			name:   "the violations of the only fitting alternative are reported",
			schema: `{"properties":{"v":{"anyOf":[{"$ref":"#/$defs/o"},{"type":"null"}]}},"$defs":{"o":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}}}`,
			good:   []string{`{"v":null}`, `{"v":{"n":1}}`},
			bad:    map[string]string{`{"v":{}}`: "/v/n", `{"v":{"n":"x"}}`: "/v/n", `{"v":1}`: "/v"},
		},
		{
			name:   "recursive schemas",
			schema: `{"properties":{"left":{"$ref":"#"},"right":{"$ref":"#"},"v":{"type":"integer"}},"additionalProperties":false}`,
			good:   []string{`{"left":{"right":{"v":1}},"v":2}`},
			bad:    map[string]string{`{"left":{"right":{"v":"1"}}}`: "/left/right/v", `{"right":{"x":1}}`: "/right/x"},
		},
		{
			name:   "a reference into properties",
			schema: `{"properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}},"c":{"$ref":"#/properties/a/properties/b"}}}`,
			good:   []string{`{"c":"x"}`},
			bad:    map[string]string{`{"c":1}`: "/c"},
		},
		{
			name:   "draft-07 ignores what stands beside a reference, 2020-12 does not",
			schema: `{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$ref":"#/definitions/s","maxLength":1}},"definitions":{"s":{"type":"string"}}}`,
			good:   []string{`{"a":"long"}`},
			bad:    map[string]string{`{"a":1}`: "/a"},
		},
		{
			name:   "2020-12 applies what stands beside a reference",
			schema: `{"properties":{"a":{"$ref":"#/$defs/s","maxLength":1}},"$defs":{"s":{"type":"string"}}}`,
			good:   []string{`{"a":"l"}`},
			bad:    map[string]string{`{"a":"long"}`: "/a"},
		},
		{
			name:   "dependencies and item lists keep their meaning without $schema",
			schema: `{"properties":{"l":{"items":[{"type":"integer"}],"additionalItems":false}},"dependencies":{"a":["b"],"c":{"required":["d"]}}}`,
			good:   []string{`{"l":[1],"a":1,"b":1}`, `{"c":1,"d":1}`},
			bad:    map[string]string{`{"a":1}`: "/b", `{"c":1}`: "/d", `{"l":["x"]}`: "/l/0", `{"l":[1,2]}`: "/l/1"},
		},
		{
			name:   "formats are annotations",
			schema: `{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"type":"string","format":"date-time"}}}`,
			good:   []string{`{"a":"tomorrow"}`},
		},
		{
			name: "unevaluatedProperties sees through composition",
			schema: `{"allOf":[{"properties":{"a":{}}}],"anyOf":[{"properties":{"b":{"const":1}},"required":["b"]},{"properties":{"c":{}},"required":["c"]}],
				"if":{"properties":{"d":{"const":1}},"required":["d"]},"then":{"properties":{"e":{}}},"unevaluatedProperties":false}`,
			good: []string{`{"a":1,"b":1}`, `{"b":1,"c":1}`, `{"c":1,"d":1,"e":1}`},
			bad:  map[string]string{`{"b":2,"c":1}`: "/b", `{"c":1,"e":1}`: "/e", `{"b":1,"x":1}`: "/x"},
		},
	} {
		t.Run(c.name, c.run)
	}
}

func TestOneBadSchemaDoesNotSpoilAnother(t *testing.T) {
	for _, odd := range []string{
		`{"properties":{"a":{"enum":[1,"a"]}}}`, `{"properties":{"_meta":{},"model_config":{}}}`, `{"properties":{"a":true}}`,
		`{"properties":{"a":{"items":true}}}`, `{"properties":{"a":{"items":[]}}}`, `{"properties":{},"additionalProperties":true}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#"}`, `{}`, `true`, `null`, ``,
	} {
		s := mustCompile(t, odd)
		if err := s.Validate(map[string]any{"z": 1}); err != nil {
			t.Errorf("%s: %v", odd, err)
		}
	}
}

func TestEquivalentSchemasGiveTheSameVerdictsAndMessages(t *testing.T) { // Scenario 64
	a := mustCompile(t, `{"type":"object","required":["a","b"],"properties":{"a":{"enum":["x","y"]},"b":{"type":["string","null"]}}}`)
	b := mustCompile(t, `{"properties":{"b":{"type":["null","string"]},"a":{"enum":["y","x"]}},"required":["b","a"],"type":"object"}`)
	for _, args := range []string{`{}`, `{"a":"x","b":null}`, `{"a":"z","b":1}`, `{"a":"y"}`, `{"b":"q"}`} {
		errA, errB := a.Validate(decodeArgs(t, args)), b.Validate(decodeArgs(t, args))
		if (errA == nil) != (errB == nil) {
			t.Errorf("%s: %v and %v", args, errA, errB)
			continue
		}
		if errA == nil {
			continue
		}
		if !reflect.DeepEqual(pathSet(errA), pathSet(errB)) {
			t.Errorf("%s: %v and %v", args, errA, errB)
		}
	}
}

func pathSet(err error) map[string]bool {
	set := map[string]bool{}
	var invalid *ValidationError
	if errors.As(err, &invalid) {
		for _, v := range invalid.Violations {
			set[v.Path] = true
		}
	}
	return set
}

func TestViolationsAreTheSameEveryTime(t *testing.T) {
	s := mustCompile(t, `{"additionalProperties":{"type":"integer"},"required":["q"]}`)
	args := map[string]any{}
	for i := range 12 {
		args[fmt.Sprint("p", i)] = "x"
	}
	want := s.Validate(args).Error()
	for range 20 {
		if got := s.Validate(args).Error(); got != want {
			t.Fatalf("%s\nand\n%s", got, want)
		}
	}
}

func TestErrorsNameFieldsButNeverRepeatValues(t *testing.T) {
	const secret = "s3cr3t-value"
	s := mustCompile(t, `{"properties":{
		"type":{"type":"integer"},"enum":{"enum":["a","b"]},"const":{"const":5},"min":{"minLength":100},"max":{"maxLength":1},
		"pattern":{"pattern":"^x"},"any":{"anyOf":[{"type":"integer"},{"type":"null"}]},"one":{"oneOf":[{"pattern":"^x"},{"enum":[1]}]},
		"not":{"not":{"type":"string"}},"list":{"items":{"type":"integer"},"uniqueItems":true,"contains":{"type":"null"}},
		"num":{"maximum":1},"deep":{"properties":{"a":{"type":"null"}}}}}`)
	args := map[string]any{"num": 77123, "list": []any{secret, secret}, "deep": map[string]any{"a": secret}}
	for _, name := range []string{"type", "enum", "const", "min", "max", "pattern", "any", "one", "not"} {
		args[name] = secret
	}
	err := s.Validate(args)
	if err == nil {
		t.Fatal("accepted")
	}
	text := err.Error()
	if !strings.HasPrefix(text, "schema: ") {
		t.Errorf("%q does not start with the package's name", text)
	}
	for _, value := range []string{secret, "77123"} {
		if strings.Contains(text, value) {
			t.Errorf("%q repeats %q", text, value)
		}
	}
	for _, want := range []string{"/type must be integer, not string", `/enum must be one of "a", "b"`, "/const must be one of 5", "/deep/a must be null",
		"/list/0 must be integer", "/num must be at most 1", "/pattern must match the pattern ^x", "/any must be null or integer"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
}

func TestErrorsAreBounded(t *testing.T) {
	long := strings.Repeat("n\x1b[31m\n", 10_000)
	enum, _ := json.Marshal(map[string]any{"additionalProperties": map[string]any{"enum": []any{strings.Repeat("e\n", 50_000)}}})
	s := mustCompile(t, string(enum))
	args := map[string]any{}
	for i := range 100 {
		args[fmt.Sprint(long, i)] = i
	}
	err := s.Validate(args)
	var invalid *ValidationError
	if !errors.As(err, &invalid) || len(invalid.Violations) == 0 || len(invalid.Violations) > maxViolations {
		t.Fatalf("got %v", err)
	}
	if n := len(err.Error()); n > maxViolations*(maxPointer+maxText+100) {
		t.Errorf("the error has %d bytes", n)
	}
	if strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Error("the error contains control characters")
	}

	_, err = Compile(map[string]any{"properties": map[string]any{long: 1}}, nil)
	if err == nil || len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("Compile: %v", err)
	}
	_, err = Compile(map[string]any{"$ref": "https://user:pw@h.example/x?token=1"}, nil)
	if err == nil || strings.Contains(err.Error(), "token") || strings.Contains(err.Error(), "pw") {
		t.Errorf("Compile: %v", err)
	}
}

func TestIntegersOfEveryGoTypeAreIntegers(t *testing.T) {
	s := mustCompile(t, `{"properties":{"n":{"type":"integer","minimum":1,"maximum":9007199254740993,"multipleOf":1}}}`)
	for _, n := range []any{1, int8(1), int16(1), int32(1), int64(1), uint(1), uint8(1), uint16(1), uint32(1), uint64(1), uintptr(1),
		1.0, float32(2), json.Number("1"), json.Number("1.0"), json.Number("1e3"), json.Number("9007199254740993"), int64(9007199254740993)} {
		if err := s.Validate(map[string]any{"n": n}); err != nil {
			t.Errorf("%T(%v): %v", n, n, err)
		}
	}
	for _, n := range []any{1.5, float32(0.5), json.Number("1.5"), json.Number("9007199254740994"), uint64(math.MaxUint64), math.NaN(), math.Inf(1),
		json.Number("NaN"), json.Number("1e400"), json.Number(""), json.Number("+1"), json.Number("01"), "1", true, nil} {
		if err := s.Validate(map[string]any{"n": n}); err == nil {
			t.Errorf("%T(%v) is accepted", n, n)
		}
	}
}

func TestGoValuesAreCheckedAsTheirJSON(t *testing.T) {
	type point struct {
		X int `json:"x"`
	}
	s := mustCompile(t, `{"properties":{"tags":{"type":"array","items":{"type":"string"}},"at":{"$ref":"#/$defs/p"},"all":{"items":{"$ref":"#/$defs/p"}}},
		"$defs":{"p":{"type":"object","properties":{"x":{"type":"integer","minimum":1}},"required":["x"]}}}`)
	good := map[string]any{"tags": []string{"a"}, "at": &point{1}, "all": []point{{1}, {2}}}
	if err := s.Validate(good); err != nil {
		t.Error(err)
	}
	bad := map[string]any{"tags": []int{1}, "at": point{0}, "all": []any{map[string]int{"y": 1}, make(chan int), func() {}}}
	want := map[string]bool{"/tags/0": true, "/at/x": true, "/all/0/x": true, "/all/1": true, "/all/2": true}
	if got := pathSet(s.Validate(bad)); !reflect.DeepEqual(got, want) {
		t.Errorf("violations at %v, want %v", got, want)
	}
}

func TestANilMapIsAnEmptyObject(t *testing.T) {
	s := mustCompile(t, `{"type":"object","required":["a"]}`)
	if got := pathSet(s.Validate(nil)); !got["/a"] {
		t.Errorf("violations at %v", got)
	}
	none, err := Compile(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := none.Validate(nil); err != nil {
		t.Error(err)
	}
	if err := none.ValidateValue([]any{}); err == nil {
		t.Error("a tool without a schema accepts an array")
	}
}

func TestTheRootMayBeAnotherTypeIfAskedFor(t *testing.T) {
	raw := json.RawMessage(`{"type":"array","items":{"type":"integer"}}`)
	if _, err := Compile(raw, nil); err == nil {
		t.Error("accepted as an input schema")
	}
	s, err := Compile(raw, &Limits{AnyType: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ValidateValue([]int{1}); err != nil {
		t.Error(err)
	}
	if got := pathSet(s.ValidateValue([]any{1, "x"})); !got["/1"] {
		t.Errorf("violations at %v", got)
	}
}

func TestTheSchemaIsCopied(t *testing.T) {
	list := []any{"a"}
	raw := map[string]any{"type": "object", "properties": map[string]any{"v": map[string]any{"enum": list}}}
	s, err := Compile(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	list[0] = "b"
	clear(raw)
	if err := s.Validate(map[string]any{"v": "a"}); err != nil {
		t.Error(err)
	}
	if err := s.Validate(map[string]any{"v": "b"}); err == nil {
		t.Error("the caller's change reached the compiled schema")
	}
}

func TestHeaderParamsAreFoundWhereverASchemaIs(t *testing.T) {
	for schema, want := range map[string]bool{
		`{"properties":{"a":{"type":"string","x-mcp-header":"Region"}}}`:                          true,
		`{"properties":{"a":{"properties":{"b":{"x-mcp-header":"B"}}}}}`:                          true,
		`{"properties":{"x-mcp-header":{"type":"string"}}}`:                                       false,
		`{"properties":{"a":{"const":{"x-mcp-header":"B"}}}}`:                                     false,
		`{"properties":{"a":{"type":"string","x-mcp-header":null}}}`:                              false,
		`{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"properties":{"b":{"x-mcp-header":""}}}}}`: true,
	} {
		if got := mustCompile(t, schema).HeaderParams(); got != want {
			t.Errorf("HeaderParams of %s = %v", schema, got)
		}
	}
}

func TestASchemaServesManyCallersAtOnce(t *testing.T) {
	s := mustCompile(t, `{"properties":{"a":{"$ref":"#/$defs/l"}},"$defs":{"l":{"items":{"pattern":"^x+$","maxLength":8},"uniqueItems":true}},"unevaluatedProperties":false}`)
	good := map[string]any{"a": []any{"x", "xx"}}
	bad := map[string]any{"a": []any{"x", "y"}, "b": nil}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if err := s.Validate(good); err != nil {
					t.Error(err)
				}
				if err := s.Validate(bad); err == nil {
					t.Error("bad arguments were accepted")
				}
				if got := s.Prune(bad); len(got) != 2 { // unevaluatedProperties is no evidence to drop a null
					t.Errorf("Prune = %v", got)
				}
			}
		})
	}
	wg.Wait()
}

func TestValidArgumentsAreCheckedWithoutAllocating(t *testing.T) {
	s := mustCompile(t, benchSchema)
	for _, args := range []map[string]any{benchArgs, {"owner": "a", "repo": "b", "page": json.Number("3")}, {"owner": "a", "repo": "b", "page": 3}} {
		if n := testing.AllocsPerRun(100, func() {
			if err := s.Validate(args); err != nil {
				t.Fatal(err)
			}
			if got := s.Prune(args); len(got) != 3 {
				t.Fatal(got)
			}
		}); n > 0 {
			t.Errorf("%v: %v allocations", args, n)
		}
	}
}
