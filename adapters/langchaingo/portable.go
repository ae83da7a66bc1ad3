package langchaingo

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// portable rewrites an inlined schema in the part of JSON Schema that every provider knows: see [SchemaPortable].
type portable struct {
	losses []string
}

// lostKeywords limit what fits a schema and cannot be told in words that a model could use.
var lostKeywords = []string{"not", "if", "then", "else", "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas",
	"dependencies", "contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties"}

func (p *portable) lose(at, format string, args ...any) {
	p.losses = append(p.losses, at+": "+fmt.Sprintf(format, args...))
}

// schema returns node, which is at the place at, in portable form. It changes node.
func (p *portable) schema(node map[string]any, at string) map[string]any {
	nullable := p.alternatives(node, at)
	enum, _ := node["enum"].([]any)
	if value, ok := node["const"]; ok {
		enum = []any{value}
	}
	isNull := func(v any) bool { return v == nil }
	if slices.ContainsFunc(enum, isNull) && len(enum) > 1 {
		enum, nullable = slices.DeleteFunc(enum, isNull), true
	}
	types := slices.Clone(typesOf(node))
	if slices.Contains(types, "null") && len(types) > 1 {
		types, nullable = slices.DeleteFunc(types, func(t string) bool { return t == "null" }), true
	}

	var notes []string
	typ := p.oneType(node, types, enum, at, &notes)
	out := map[string]any{"type": typ}
	if len(enum) > 0 {
		notes = append(notes, "one of "+jsonList(enum))
		if typ == "string" && !slices.ContainsFunc(enum, func(v any) bool { _, ok := v.(string); return !ok }) {
			out["enum"] = enum
		}
	}
	notes = append(notes, limits(node)...)
	if nullable {
		notes = append(notes, "may be null")
	}
	if text, _ := node["description"].(string); text != "" {
		out["description"] = text
	} else if title, _ := node["title"].(string); title != "" {
		out["description"] = title
	}
	if len(notes) > 0 {
		describeMore(out, "("+strings.Join(notes, "; ")+")")
	}

	switch typ {
	case "object":
		p.object(node, out, at)
	case "array":
		p.array(node, out, at)
	}
	for _, key := range lostKeywords {
		if _, ok := node[key]; ok {
			p.lose(at+"/"+key, "cannot be told, left out")
		}
	}
	return out
}

func (p *portable) object(node, out map[string]any, at string) {
	props := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(properties(node))) {
		property, _ := properties(node)[name].(map[string]any)
		if property == nil {
			property = map[string]any{}
		}
		props[name] = p.schema(property, at+"/properties/"+escapePointer(name))
	}
	if required := stringsOf(node["required"]); len(required) > 0 {
		out["required"] = node["required"]
		for _, name := range required { // Gemini refuses a required property that is not among the properties
			if props[name] == nil {
				props[name] = p.schema(map[string]any{}, at+"/properties/"+escapePointer(name))
			}
		}
	}
	if len(props) > 0 || at == "#" {
		out["properties"] = props
	}
	if other, ok := node["additionalProperties"].(map[string]any); ok && len(other) > 0 {
		p.lose(at+"/additionalProperties", "cannot be told, left out")
	}
}

func (p *portable) array(node, out map[string]any, at string) {
	items, _ := node["items"].(map[string]any)
	for _, key := range []string{"prefixItems", "items"} {
		if list, ok := node[key].([]any); ok && len(list) > 0 {
			p.lose(at+"/"+key, "a type per position is told as alternatives")
			items = map[string]any{"anyOf": list}
			break
		}
	}
	if items == nil {
		items = map[string]any{}
	}
	out["items"] = p.schema(items, at+"/items") // providers refuse an array without
}

// oneType chooses the one type of a schema.
func (p *portable) oneType(node map[string]any, types []string, enum []any, at string, notes *[]string) string {
	types = slices.DeleteFunc(types, func(t string) bool {
		return !slices.Contains([]string{"object", "array", "string", "number", "integer", "boolean", "null"}, t)
	})
	if slices.Contains(types, "number") {
		types = slices.DeleteFunc(types, func(t string) bool { return t == "integer" })
	}
	if len(types) > 1 {
		p.lose(at+"/type", "%s told as %s", strings.Join(types, ", "), types[0])
		*notes = append(*notes, "or "+strings.Join(types[1:], ", "))
	}
	if len(types) > 0 {
		if types[0] == "null" { // no provider has a type for it
			*notes = append(*notes, "only null")
			return "string"
		}
		return types[0]
	}
	has := func(keys ...string) bool {
		return slices.ContainsFunc(keys, func(k string) bool { _, ok := node[k]; return ok })
	}
	switch {
	case len(enum) > 0:
		return typeOfValue(enum[0])
	case has("properties", "required", "additionalProperties", "patternProperties"):
		return "object"
	case has("items", "prefixItems", "minItems", "maxItems"):
		return "array"
	case has("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"):
		return "number"
	case has("minLength", "maxLength", "pattern", "format"):
		return "string"
	}
	p.lose(at+"/type", "any value told as string")
	*notes = append(*notes, "any JSON value")
	return "string"
}

// alternatives resolves allOf, anyOf and oneOf in node. It reports whether one of the alternatives is null.
func (p *portable) alternatives(node map[string]any, at string) (nullable bool) {
	if list, ok := node["allOf"].([]any); ok {
		delete(node, "allOf")
		for i, e := range list {
			branch, _ := e.(map[string]any)
			nullable = p.alternatives(branch, fmt.Sprintf("%s/allOf/%d", at, i)) || nullable
			p.mergeAll(node, branch, fmt.Sprintf("%s/allOf/%d", at, i))
		}
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		list, ok := node[key].([]any)
		delete(node, key)
		if !ok {
			continue
		}
		var branches []map[string]any
		for i, e := range list {
			branch, _ := e.(map[string]any)
			if branch == nil || onlyNull(branch) {
				nullable = true
				continue
			}
			nullable = p.alternatives(branch, fmt.Sprintf("%s/%s/%d", at, key, i)) || nullable
			branches = append(branches, branch)
		}
		if len(branches) > 0 {
			p.mergeAll(node, p.mergeAny(branches, at, key), at+"/"+key)
		}
	}
	return nullable
}

// mergeAny returns one schema that allows what any of the branches does, as far as that can be told.
func (p *portable) mergeAny(branches []map[string]any, at, key string) map[string]any {
	if len(branches) == 1 {
		return branches[0]
	}
	var types []string
	var values []any
	enums, objects, arrays := true, true, true
	for _, b := range branches {
		var none []string
		probe := &portable{}
		enum, _ := b["enum"].([]any)
		if c, ok := b["const"]; ok {
			enum = []any{c}
		}
		enums = enums && len(enum) > 0
		values = append(values, enum...)
		t := probe.oneType(b, slices.Clone(typesOf(b)), enum, at, &none)
		if !slices.Contains(types, t) {
			types = append(types, t)
		}
		objects, arrays = objects && t == "object", arrays && t == "array"
	}
	switch {
	case objects:
		merged := map[string]any{"type": "object", key: toAny(branches)}
		flatten(merged, at, &p.losses)
		return merged
	case enums:
		return map[string]any{"type": toAny(types), "enum": values}
	case arrays:
		var items []any
		for _, b := range branches {
			if item, ok := b["items"].(map[string]any); ok && !slices.ContainsFunc(items, func(i any) bool { return reflect.DeepEqual(i, item) }) {
				items = append(items, item)
			}
		}
		p.lose(at+"/"+key, "its %d alternatives are told as one", len(branches))
		return map[string]any{"type": "array", "items": map[string]any{"anyOf": items}}
	}
	// Alternatives of several types: the first in full, the names of the others.
	merged := branches[0]
	if len(types) == 1 {
		merged = map[string]any{} // limits of one branch do not hold for all
		p.lose(at+"/"+key, "its %d alternatives are told as one", len(branches))
	}
	merged["type"] = toAny(types)
	return merged
}

// mergeAll adds what branch says to node.
func (p *portable) mergeAll(node, branch map[string]any, at string) {
	for _, key := range slices.Sorted(maps.Keys(branch)) {
		value := branch[key]
		old, clash := node[key]
		switch {
		case !clash:
			node[key] = value
		case key == "properties" || key == "required":
		case key == "type":
			if both := intersect(typesOf(node), typesOf(branch)); len(both) > 0 {
				node["type"] = toAny(both)
			} else if !reflect.DeepEqual(old, value) {
				p.lose(at+"/type", "contradicts the type beside it, left out")
			}
		case slices.Contains(annotations, key) || reflect.DeepEqual(old, value):
		default:
			p.lose(at+"/"+key, "left out beside another %s", key)
		}
	}
	if _, ok := branch["properties"]; ok {
		mergeProperties(node, []map[string]any{branch}, "allOf")
	}
	if _, ok := branch["required"]; ok {
		mergeRequired(node, []map[string]any{branch}, "allOf")
	}
}

// limits puts what a schema asks of a value into words.
func limits(node map[string]any) (notes []string) {
	for _, l := range []struct{ key, words string }{
		{"format", "format %v"}, {"pattern", "matching %v"},
		{"minimum", "at least %v"}, {"exclusiveMinimum", "more than %v"},
		{"maximum", "at most %v"}, {"exclusiveMaximum", "less than %v"}, {"multipleOf", "a multiple of %v"},
		{"minLength", "at least %v characters"}, {"maxLength", "at most %v characters"},
		{"minItems", "at least %v items"}, {"maxItems", "at most %v items"},
		{"minProperties", "at least %v entries"}, {"maxProperties", "at most %v entries"},
	} {
		if v, ok := node[l.key]; ok {
			notes = append(notes, fmt.Sprintf(l.words, headOnly(fmt.Sprint(v), 128)))
		}
	}
	if unique, _ := node["uniqueItems"].(bool); unique {
		notes = append(notes, "no item twice")
	}
	if v, ok := node["default"]; ok && v != nil {
		notes = append(notes, "default "+jsonList([]any{v}))
	}
	return notes
}

func jsonList(values []any) string {
	var b strings.Builder
	for i, v := range values {
		data, err := compactJSON(v)
		if err != nil {
			continue
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.Write(data)
	}
	return headOnly(b.String(), 512)
}

func typeOfValue(v any) string {
	switch v := v.(type) {
	case bool:
		return "boolean"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case json.Number:
		return "number"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	}
	return "string"
}

func intersect(a, b []string) []string {
	both := slices.DeleteFunc(slices.Clone(a), func(t string) bool {
		return !slices.Contains(b, t) && (t != "integer" || !slices.Contains(b, "number"))
	})
	if len(both) == 0 && slices.Contains(a, "number") && slices.Contains(b, "integer") {
		return []string{"integer"}
	}
	return both
}

func toAny[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}
