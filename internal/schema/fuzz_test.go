package schema_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/mcpfleet/mcpfleet/internal/schema"
	"github.com/mcpfleet/mcpfleet/internal/schema/hostile"
)

// FuzzCompileAndValidate feeds arbitrary schemas and arguments. Nothing may panic or leave the documented errors, and
// the same input must get the same answer twice.
func FuzzCompileAndValidate(f *testing.F) {
	for _, c := range hostile.All() {
		text, ok := c.Schema().(json.RawMessage)
		if !ok || len(text) > 4<<10 {
			continue
		}
		args := []byte(`{"a":{"a":[1,null,"x"]}}`)
		if c.Args != nil {
			if small, err := json.Marshal(c.Args()); err == nil && len(small) < 4<<10 {
				args = small
			}
		}
		f.Add([]byte(text), args)
	}
	f.Add([]byte(`{"properties":{"a":{"type":"string"}},"required":["b"]}`), []byte(`{"a":null}`))
	f.Add([]byte(`{"unevaluatedProperties":false,"anyOf":[{"properties":{"a":{}}}]}`), []byte(`{"a":null,"b":1}`))
	lim := &schema.Limits{MaxCost: 20_000}
	f.Fuzz(func(t *testing.T, schemaText, argText []byte) {
		s, err := schema.Compile(json.RawMessage(schemaText), lim)
		if err != nil {
			var guard *schema.GuardError
			if !errors.As(err, &guard) || len(err.Error()) > 2000 {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		args, err := schema.Normalize(argText)
		if err != nil {
			return
		}
		first := s.Validate(args)
		if first != nil {
			var invalid *schema.ValidationError
			if !errors.As(first, &invalid) || len(invalid.Violations) == 0 || len(first.Error()) > 16<<10 {
				t.Fatalf("%T: %v", first, first)
			}
		}
		second := s.Validate(args)
		costly := errors.Is(first, schema.ErrTooCostly) || errors.Is(second, schema.ErrTooCostly)
		if !costly && (first == nil) != (second == nil) {
			t.Fatalf("first %v, then %v", first, second)
		}
		before, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		pruned := s.Prune(args)
		if after, _ := json.Marshal(args); string(after) != string(before) {
			t.Fatalf("Prune changed its argument from %s to %s", before, after)
		}
		if after, _ := json.Marshal(pruned); first == nil && string(after) != string(before) {
			t.Fatalf("Prune turned valid arguments %s into %s", before, after)
		}
	})
}
