package main

import (
	"encoding/json"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

func TestObjectFillsInWhatASchemaRequires(t *testing.T) {
	for name, schema := range map[string]string{
		"no properties":   `{"type":"object"}`,
		"plain types":     `{"type":"object","properties":{"s":{"type":"string"},"n":{"type":"number"},"i":{"type":"integer","minimum":7},"b":{"type":"boolean"}},"required":["s","n","i","b"]}`,
		"choices":         `{"type":"object","properties":{"e":{"enum":["x","y"]},"c":{"const":3},"o":{"oneOf":[{"const":"v"},{"const":"w"}]}},"required":["e","c","o"]}`,
		"nested":          `{"type":"object","properties":{"o":{"type":"object","properties":{"s":{"type":"string"}},"required":["s"]}},"required":["o"]}`,
		"list":            `{"type":"object","properties":{"l":{"type":"array","minItems":2,"items":{"type":"integer"}}},"required":["l"]}`,
		"type list":       `{"type":"object","properties":{"x":{"type":["number","null"]}},"required":["x"]}`,
		"nothing unasked": `{"type":"object","properties":{"s":{"type":"string","maxLength":0}},"additionalProperties":false}`,
	} {
		t.Run(name, func(t *testing.T) {
			var form map[string]any
			var oracle jsonschema.Schema
			for _, v := range []any{&form, &oracle} {
				if err := json.Unmarshal([]byte(schema), v); err != nil {
					t.Fatal(err)
				}
			}
			resolved, err := oracle.Resolve(nil)
			if err != nil {
				t.Fatal(err)
			}
			got := object(form, "alice")
			if err := resolved.Validate(got); err != nil {
				t.Errorf("object() = %v: %v", got, err)
			}
		})
	}
}

func TestObjectNamesTheUserAndTakesDefaults(t *testing.T) {
	got := object(map[string]any{
		"properties": map[string]any{
			"who":   map[string]any{"type": "string", "format": "email"},
			"size":  map[string]any{"type": "number", "default": 3.0},
			"extra": map[string]any{"type": "string"},
		},
		"required": []any{"who"},
	}, "bob")
	if got["who"] != "bob@example.com" || got["size"] != 3.0 || len(got) != 2 {
		t.Errorf("object() = %v, want bob's address and the default size only", got)
	}
}
