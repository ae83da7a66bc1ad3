package openapi

import (
	"encoding/json"

	"github.com/getkin/kin-openapi/openapi3"
)

// resultKey holds an answer that is no object.
const resultKey = "result"

// outputSchema describes the structured content of a successful answer, and says whether that is wrapped.
func (o *operation) outputSchema(limit int) (json.RawMessage, bool) {
	if o.result == nil {
		return nil, false
	}
	wrap := false
	for _, level := range []int{1 << 20, 4, 2, 1, 0} {
		c := newConverter(o.doc, "writeOnly", limit, level, false)
		s := c.output(raw(o.result))
		if wrap = s == nil; wrap {
			s = map[string]any{
				"type": "object", "required": []any{resultKey},
				"properties": map[string]any{resultKey: c.convert(raw(o.result), 0, 0, nil)},
			}
		}
		if defs := c.defs(); len(defs) > 0 {
			s["$defs"] = defs
		}
		if data := marshal(s); len(data) <= limit && c.left >= 0 {
			return data, wrap
		}
	}
	return nil, wrap
}

// output returns the schema of an object with its type at the root, as MCP wants it, or nil if v describes anything else.
func (c *converter) output(v any) map[string]any {
	m, ok := c.follow(v).(map[string]any)
	if !ok || !c.describesObject(m, newBudget()) {
		return nil
	}
	s := c.object(m, 0, 0, nil)
	if s["type"] == nil && s["anyOf"] == nil || s["type"] == nil && m["nullable"] != true {
		s["type"] = "object"
	}
	if s["type"] != "object" {
		return nil
	}
	return s
}

// describesObject reports whether a schema accepts objects only, or was meant to.
func (c *converter) describesObject(v any, left *budget) bool {
	m, ok := c.follow(v).(map[string]any)
	if !ok || !left.spend() {
		return false
	}
	if t := types(m["type"]); t != nil {
		return t == "object"
	}
	if m["properties"] != nil || m["additionalProperties"] != nil {
		return true
	}
	if list, ok := m["allOf"].([]any); ok {
		for _, part := range list {
			if c.describesObject(part, left) {
				return true
			}
		}
	}
	for _, k := range []string{"oneOf", "anyOf"} {
		if list, ok := m[k].([]any); ok && len(list) > 0 {
			all := true
			for _, part := range list {
				all = all && c.describesObject(part, left)
			}
			return all
		}
	}
	return false
}

// formRequired returns what an object requires, its allOf included.
func formRequired(schema *openapi3.SchemaRef, left *budget) []any {
	if schema == nil || schema.Value == nil || !left.spend() {
		return nil
	}
	var out []any
	for _, part := range schema.Value.AllOf {
		out = append(out, formRequired(part, left)...)
	}
	for _, name := range schema.Value.Required {
		out = append(out, name)
	}
	return out
}
