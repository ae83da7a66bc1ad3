package schema

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestNormalizeTakesEveryFormOfAnObject(t *testing.T) {
	type search struct {
		Query string `json:"query"`
		Limit int64  `json:"limit,omitempty"`
	}
	type named map[string]any
	for _, c := range []struct {
		name string
		in   any
		want map[string]any
	}{
		{"nil", nil, map[string]any{}},
		{"a nil map", map[string]any(nil), map[string]any{}},
		{"raw JSON", json.RawMessage(`{"a":[1,null]}`), map[string]any{"a": []any{json.Number("1"), nil}}},
		{"bytes", []byte(" {\"a\":\"x\"}\n"), map[string]any{"a": "x"}},
		{"text", `{"a":{"b":true}}`, map[string]any{"a": map[string]any{"b": true}}},
		{"empty text", " \n", map[string]any{}},
		{"null", "null", map[string]any{}},
		{"no bytes", []byte(nil), map[string]any{}},
		{"large integers", `{"id":9007199254740993,"huge":123456789012345678901234567890}`,
			map[string]any{"id": json.Number("9007199254740993"), "huge": json.Number("123456789012345678901234567890")}},
		{"a struct", search{"x", 9007199254740993}, map[string]any{"query": "x", "limit": json.Number("9007199254740993")}},
		{"a pointer to a struct", &search{Query: "x"}, map[string]any{"query": "x"}},
		{"a nil pointer", (*search)(nil), map[string]any{}},
		{"a typed map", map[string]int{"a": 1}, map[string]any{"a": json.Number("1")}},
		{"a named map", named{"a": "x"}, map[string]any{"a": "x"}},
		{"a map with Go values in it", map[string]any{"tags": []string{"a"}, "n": int64(9007199254740993)},
			map[string]any{"tags": []any{"a"}, "n": json.Number("9007199254740993")}},
	} {
		got, err := Normalize(c.in)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

func TestNormalizeRefusesWhatIsNotAnObject(t *testing.T) {
	deep := strings.Repeat(`{"a":`, MaxArgumentDepth) + `{}` + strings.Repeat(`}`, MaxArgumentDepth)
	cyclic := map[string]any{}
	cyclic["a"] = cyclic
	for name, in := range map[string]any{
		"a number": 7, "JSON text of a string": `"secret-value"`, "an array": `["secret-value"]`, "a slice": []string{"secret-value"},
		"two objects": `{} {"secret-value":1}`, "half an object": `{"secret-value":`, "words": "secret-value", "a bad escape": `{"a":"\secret-value"}`,
		"a channel": make(chan int), "a function in a map": map[string]any{"a": func() {}},
		"too deep": deep, "much too deep": strings.Repeat(`{"a":`, 1_000_000), "too large": `{"a":"` + strings.Repeat("x", MaxArgumentBytes) + `"}`,
		"too large as a map": map[string]any{"a": strings.Repeat("x", MaxArgumentBytes)}, "a map that holds itself": cyclic,
		"too large as raw JSON": json.RawMessage(strings.Repeat(" ", MaxArgumentBytes+1)),
	} {
		got, err := Normalize(in)
		var typed *ArgumentsError
		if !errors.As(err, &typed) {
			t.Errorf("%s: %d members, %v", name, len(got), err)
			continue
		}
		if text := err.Error(); strings.Contains(text, "secret-value") || !strings.HasPrefix(text, "schema: ") || len(text) > 200 {
			t.Errorf("%s: %q", name, text)
		}
	}
}

func TestNormalizeDoesNotCopyPlainMaps(t *testing.T) {
	args := map[string]any{"a": 1, "b": []any{json.Number("2"), 3.5, map[string]any{"c": nil}}}
	if got, err := Normalize(args); err != nil || !sameMap(got, args) {
		t.Errorf("%v, %v", got, err)
	}
	if n := testing.AllocsPerRun(100, func() { Normalize(args) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzNormalize checks that what is accepted is the object that was written, digit for digit.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{``, `{}`, `null`, `{"a":9007199254740993}`, `{"a":1e400}`, `{"a":[{"b":"\ud800"}]}`, `[]`, `{}{}`, `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Normalize(text)
		if err != nil {
			var typed *ArgumentsError
			if !errors.As(err, &typed) {
				t.Fatalf("%T", err)
			}
			return
		}
		if got == nil {
			t.Fatal("nil without an error")
		}
		out, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Normalize(string(out))
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%s becomes %v, %v", text, again, err)
		}
		if same, err := Normalize(got); err != nil || !sameMap(same, got) {
			t.Fatalf("a normal map is copied: %v", err)
		}
	})
}
