package tokens

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
)

func ExampleFunction() {
	text, err := Function("search", "Searches a < b & c", map[string]any{
		"type":       "object",
		"properties": map[string]any{"q": map[string]any{"type": "string", "maxLength": 100}},
	})
	fmt.Println(text, err)
	// Output: {"type":"function","function":{"name":"search","description":"Searches a < b & c","parameters":{"properties":{"q":{"maxLength":100,"type":"string"}},"type":"object"}}} <nil>
}

// encoded is what encoding/json makes of the same.
func encoded(t *testing.T, name, description string, schema map[string]any) string {
	t.Helper()
	type function struct {
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		Parameters  *map[string]any `json:"parameters,omitempty"`
	}
	tool := struct {
		Type     string   `json:"type"`
		Function function `json:"function"`
	}{"function", function{Name: name, Description: description}}
	if schema != nil {
		tool.Function.Parameters = &schema
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tool); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func TestFunctionWritesWhatEncodingJSONDoes(t *testing.T) {
	type own struct{ A, B string }
	deep := map[string]any{}
	for range maxDepth/2 - 1 {
		deep = map[string]any{"items": []any{deep, "<x>"}}
	}
	many := map[string]any{}
	for i := range 100 {
		many[fmt.Sprint("p", i)] = i
	}
	for _, schema := range []map[string]any{
		nil,
		{},
		{"b": 1.0, "a": -0.5, "c": 1e21, "d": 1e-7, "e": 123456789012.0, "f": 1e20, "g": 0.000001, "h": math.Copysign(0, -1), "i": math.MaxFloat64, "j": 5e-324},
		{"n": nil, "t": true, "f": false, "empty": []any{}, "nested": map[string]any{}, "int": 7, "int64": int64(1) << 60},
		{"number": json.Number("1.50"), "raw": json.RawMessage(`{"x": "<"}`), "strings": []string{"<a>"}, "own": own{"<", "é"}, "nil": []any(nil), "nilmap": map[string]any(nil)},
		{"text": "quote \" back \\ tab \t line \n bell \a del \x7f nul \x00 </script> \u2028 \u2029 é 標 🚀 \xff\xfe half \xe6\xa8", "\u2028\"": 1},
		deep, many,
	} {
		got, err := Function("na\"me", "de\nscription", schema)
		if want := encoded(t, "na\"me", "de\nscription", schema); err != nil || got != want {
			t.Errorf("Function = %s, %v, want %s", got, err, want)
		}
	}
	if got, err := Function("x", "", nil); err != nil || got != encoded(t, "x", "", nil) {
		t.Errorf("Function without description and schema = %s, %v", got, err)
	}
}

func TestFunctionFailsForWhatIsNotJSON(t *testing.T) {
	circle := map[string]any{}
	circle["items"] = []any{circle}
	forked := map[string]any{} // there are more ways around it than can be walked
	forked["not"], forked["items"] = forked, forked
	deep := map[string]any{}
	for range 1_000_000 {
		deep = map[string]any{"items": deep}
	}
	for name, schema := range map[string]map[string]any{
		"NaN": {"minimum": math.NaN()}, "infinity": {"minimum": math.Inf(1)}, "channel": {"x": make(chan int)}, "circle": circle,
		"forked circle": forked, "deep": deep,
	} {
		b, err := AppendFunction([]byte("before"), "search", "", schema)
		if err == nil || !strings.Contains(err.Error(), `tokens: writing the schema of "search" as JSON`) || string(b) != "before" {
			t.Errorf("%s: AppendFunction = %q, %v", name, b, err)
		}
		if c, ok := Compact("search", "", schema, 0, Estimate()); ok || len(c.Lost) > 0 {
			t.Errorf("%s: Compact = %v, %t", name, c.Lost, ok)
		}
	}
}

func FuzzFunctionIsWhatEncodingJSONWrites(f *testing.F) {
	f.Add("search", "Searches.", `{"type":"object","properties":{"q":{"type":"string"}},"minimum":1.5e-9}`)
	f.Add("\xff", "\u2028", `{"a":[null,true,1e300,"<&>"]}`)
	f.Fuzz(func(t *testing.T, name, description, schema string) {
		var m map[string]any
		if json.Unmarshal([]byte(schema), &m) != nil {
			t.Skip()
		}
		got, err := Function(name, description, m)
		if want := encoded(t, name, description, m); err != nil || got != want {
			t.Errorf("Function = %s, %v, want %s", got, err, want)
		}
	})
}

func BenchmarkFunctionAgainstEncodingJSON(b *testing.B) {
	properties := make(map[string]any)
	for i := range 8 {
		properties[fmt.Sprint("parameter", i)] = map[string]any{"type": "string", "description": "What the parameter is for.", "maxLength": 100.0}
	}
	schema := map[string]any{"type": "object", "properties": properties, "required": []any{"parameter1"}}
	var buf []byte
	var own, std float64
	for b.Loop() {
		own += timed(func() { buf, _ = AppendFunction(buf[:0], "search", "Searches.", schema) })
		std += timed(func() { _, _ = json.Marshal(schema) })
	}
	b.ReportMetric(std/own, "std/own")
	b.SetBytes(int64(len(buf)))
}
