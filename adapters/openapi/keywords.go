package openapi

import (
	"encoding/json"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Keywords without subschemas. Those that are not here are left out: they describe documents (discriminator, xml,
// externalDocs), change what references mean ($id, $anchor, $schema), or are unknown.

// keyword copies a keyword that is well-formed into out. A malformed one is left out, for clients refuse whole schemas that
// hold one.
func (c *converter) keyword(out map[string]any, k string, v any) {
	switch k {
	case "type":
		if t := types(v); t != nil {
			out[k] = t
		}
	case "title":
		putText(out, k, v, maxTitle)
	case "description":
		putText(out, k, v, maxDescription)
	case "format", "contentMediaType", "contentEncoding":
		putText(out, k, v, 100)
	case "enum":
		if list, ok := v.([]any); ok && len(list) > 0 {
			out[k] = slices.Clone(list)
		}
	case "const":
		out[k] = v
	case "default":
		if size(v) <= maxDefault {
			out[k] = v
		}
	case "example":
		if _, ok := out["examples"]; !ok && c.examples && size(v) <= maxExample {
			out["examples"] = []any{v}
		}
	case "examples":
		if list, ok := v.([]any); ok && len(list) > 0 && c.examples && size(list[0]) <= maxExample {
			out[k] = list[:1]
		}
	case "deprecated", "uniqueItems":
		if b, ok := v.(bool); ok && b {
			out[k] = b
		}
	case "minimum", "maximum", "multipleOf":
		if n, ok := number(v); ok && (k != "multipleOf" || n.Sign() > 0) {
			out[k] = v
		}
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains":
		if n, ok := number(v); ok && n.IsInt() && n.Sign() >= 0 {
			out[k] = v
		}
	case "dependentRequired":
		if m, ok := v.(map[string]any); ok {
			lists := map[string]any{}
			for name, list := range m {
				if names := required(list, nil); names != nil {
					lists[name] = names
				}
			}
			out[k] = lists
		}
	}
}

func putText(out map[string]any, k string, v any, limit int) {
	if s, ok := v.(string); ok && s != "" {
		out[k] = bound(strings.TrimSpace(s), limit)
	}
}

// pattern keeps a regular expression that Go can compile. JavaScript's has more: such a pattern goes into the description,
// because validators written in Go refuse the whole schema for it, and the model can read it there.
func pattern(out map[string]any, v any) {
	s, ok := v.(string)
	if !ok || len(s) > maxPattern {
		return
	}
	if compiles(s) {
		out["pattern"] = s
		return
	}
	description, _ := out["description"].(string)
	out["description"] = strings.TrimSpace(description + "\nIt must match the JavaScript pattern " + s)
}

func compiles(s string) bool {
	_, err := regexp.Compile(s)
	return err == nil
}

// size is the length of a value as JSON.
func size(v any) int {
	data, err := json.Marshal(v)
	if err != nil {
		return 1 << 30
	}
	return len(data)
}

// number reads a number exactly. Exponents are bounded, for 1e999999999 is a short text and a long number.
func number(v any) (*big.Rat, bool) {
	n, ok := v.(json.Number)
	if !ok || len(n) > 64 {
		return nil, false
	}
	if f, err := n.Float64(); err != nil || f > 1e200 || f < -1e200 || f != 0 && f < 1e-200 && f > -1e-200 {
		return nil, false
	}
	return new(big.Rat).SetString(string(n))
}

var knownTypes = []string{"null", "boolean", "object", "array", "number", "string", "integer"}

// types returns a type or types that JSON Schema knows, or nil.
func types(v any) any {
	switch v := v.(type) {
	case string:
		if slices.Contains(knownTypes, v) {
			return v
		}
	case []any:
		var list []any
		for _, t := range v {
			if s, ok := t.(string); !ok || !slices.Contains(knownTypes, s) {
				return nil
			}
			if !slices.Contains(list, t) {
				list = append(list, t)
			}
		}
		if len(list) == 1 {
			return list[0]
		}
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

// exclusive turns the booleans of 3.0 into the numbers of JSON Schema 2020-12. Where a document of 3.1 has both bounds,
// both stay.
func exclusive(out, m map[string]any, name, bound string) {
	switch v := m[name].(type) {
	case bool:
		if limit, ok := out[bound]; ok && v {
			out[name] = limit
			delete(out, bound)
		}
	case json.Number:
		if _, ok := number(v); ok {
			out[name] = v
		}
	}
}

// nullable lets a schema of 3.0 accept null too. It has a meaning next to a type only; next to a composition without one it
// is what authors hoped for.
func nullable(out map[string]any) map[string]any {
	composed := false
	for _, k := range []string{"allOf", "anyOf", "oneOf", "not", "const", "$ref"} {
		if _, ok := out[k]; ok {
			composed = true
		}
	}
	if composed {
		return map[string]any{"anyOf": []any{out, map[string]any{"type": "null"}}}
	}
	switch t := out["type"].(type) {
	case string:
		if t != "null" {
			out["type"] = []any{t, "null"}
		}
	case []any:
		if !slices.Contains(t, any("null")) {
			out["type"] = append(t, "null")
		}
	}
	if list, ok := out["enum"].([]any); ok && out["type"] != nil && !slices.Contains(list, nil) {
		out["enum"] = append(list, nil)
	}
	return out
}

var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

// unescapePointer reads a part of a reference: a JSON Pointer token in a URL fragment (RFC 6901 section 6).
func unescapePointer(token string) string {
	if s, err := url.PathUnescape(token); err == nil {
		token = s
	}
	return pointerEscapes.Replace(token)
}

func index(token string, n int) (int, bool) {
	i, err := strconv.Atoi(token)
	return i, err == nil && i >= 0 && i < n
}
