package langchaingo

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// SchemaMode is the form in which a model is told a tool's arguments. Calls are checked against the server's own schema
// in every mode.
type SchemaMode int

const (
	// SchemaFull keeps JSON Schema but for what no provider takes: references are replaced by what they refer to, and
	// the top level is an object with properties and without allOf, anyOf, oneOf, not and enum, which OpenAI and
	// Anthropic refuse there.
	SchemaFull SchemaMode = iota
	// SchemaPortable is for providers that know a part of JSON Schema only, such as langchaingo's googleai, which keeps
	// type, description, properties, items and required, and refuses a list of types. Each schema has one type;
	// alternatives become one schema that allows them all where that can be told, and limits are put into words in
	// the description.
	SchemaPortable
)

// Parameters returns the input schema of a tool in the given form, and what was lost on the way: one line per place, with
// a JSON pointer into the result. The schema is the caller's to change: it shares nothing with the tool.
//
// Its top level always has "type": "object" and "properties", and there is no $ref in it. A recursive type is cut where
// it meets itself, with a note in the description.
func Parameters(t *mcpgroup.Tool, mode SchemaMode) (schema map[string]any, losses []string) {
	in := &inliner{root: t.InputSchema, budget: maxSchemaNodes}
	top := in.schema(t.InputSchema, "#", []string{"#"})
	flattenTop(top, &in.losses)
	top["type"] = "object"
	if mode == SchemaPortable {
		p := &portable{losses: in.losses}
		top = p.schema(top, "#")
		in.losses = p.losses
	}
	if _, ok := top["properties"].(map[string]any); !ok {
		top["properties"] = map[string]any{}
	}
	return top, in.losses
}

// maxSchemaNodes bounds an inlined schema: references to references can make a small schema very large.
const maxSchemaNodes = 4096

// Where JSON Schema has schemas inside of schemas (2020-12 sections 10 and 11, and what earlier drafts had). Everything
// else is data: a property or a default may well be called "$ref".
var (
	schemaKeywords = []string{"items", "additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else",
		"unevaluatedItems", "unevaluatedProperties", "contentSchema"}
	schemaListKeywords = []string{"allOf", "anyOf", "oneOf", "prefixItems", "items"}
	schemaMapKeywords  = []string{"properties", "patternProperties", "dependentSchemas"}
	// droppedKeywords mean nothing once references are gone.
	droppedKeywords = []string{"$defs", "definitions", "$schema", "$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary", "$comment"}
	// annotations say something of a schema without limiting what fits it.
	annotations = []string{"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
)

// inliner copies a schema and puts what references refer to in their place.
type inliner struct {
	root   map[string]any
	budget int // schemas that may still be copied
	losses []string
}

func (in *inliner) lose(at, format string, args ...any) {
	in.losses = append(in.losses, at+": "+fmt.Sprintf(format, args...))
}

// schema copies the schema v, which is at the place at. active holds the references that are being followed.
func (in *inliner) schema(v any, at string, active []string) map[string]any {
	var node map[string]any
	switch v := v.(type) {
	case bool:
		if v {
			return map[string]any{}
		}
		return map[string]any{"not": map[string]any{}}
	case map[string]any:
		node = v
	default:
		if v != nil {
			in.lose(at, "not a schema, taken as one that allows everything")
		}
		return map[string]any{}
	}
	if in.budget--; in.budget < 0 {
		if in.budget == -1 {
			in.lose(at, "the schema is larger than %d parts, cut from here on", maxSchemaNodes)
		}
		return map[string]any{}
	}
	out := make(map[string]any, len(node))
	for _, key := range slices.Sorted(maps.Keys(node)) {
		if value, keep := in.keyword(key, node[key], at, active); keep {
			out[key] = value
		}
	}
	if ref, ok := node["$ref"].(string); ok {
		return overlay(in.follow(ref, at, active), out)
	}
	return out
}

// keyword copies the value of one keyword.
func (in *inliner) keyword(key string, value any, at string, active []string) (any, bool) {
	at += "/" + key
	switch {
	case key == "$ref" || slices.Contains(droppedKeywords, key):
		return nil, false
	case key == "$dynamicRef" || key == "$recursiveRef":
		in.lose(at, "cannot be told, left out")
		return nil, false
	case slices.Contains(schemaMapKeywords, key):
		m, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		out := make(map[string]any, len(m))
		for _, name := range slices.Sorted(maps.Keys(m)) {
			out[name] = in.schema(m[name], at+"/"+escapePointer(name), active)
		}
		return out, true
	}
	if list, ok := value.([]any); ok && slices.Contains(schemaListKeywords, key) {
		out := make([]any, len(list))
		for i, e := range list {
			out[i] = in.schema(e, fmt.Sprintf("%s/%d", at, i), active)
		}
		return out, true
	}
	if slices.Contains(schemaKeywords, key) {
		if _, ok := value.(bool); ok { // "additionalProperties": false is what everybody writes and understands
			return value, true
		}
		return in.schema(value, at, active), true
	}
	return clone(value), true
}

// follow returns a copy of what ref refers to.
func (in *inliner) follow(ref, at string, active []string) map[string]any {
	pointer := ref
	if id, ok := in.root["$id"].(string); ok && id != "" {
		if rest, ok := strings.CutPrefix(ref, strings.TrimSuffix(id, "#")); ok && (rest == "" || rest[0] == '#') {
			pointer = "#" + strings.TrimPrefix(rest, "#")
		}
	}
	target, ok := resolve(in.root, pointer)
	if !ok {
		in.lose(at, "the reference %q leads nowhere in this schema, taken as one that allows everything", headOnly(ref, 128))
		return map[string]any{}
	}
	if slices.Contains(active, pointer) {
		in.lose(at, "recursion cut")
		name := pointer[strings.LastIndexByte(pointer, '/')+1:]
		what := "the whole input"
		if name = strings.TrimPrefix(name, "#"); name != "" {
			what = fmt.Sprintf("the enclosing %q", unescapePointer(name))
		}
		cut := map[string]any{"description": "Recursive: of the same shape as " + what + "."}
		if m, ok := target.(map[string]any); ok && m["type"] != nil {
			cut["type"] = clone(m["type"])
		}
		return cut
	}
	return in.schema(target, at, append(active[:len(active):len(active)], pointer))
}

// overlay adds what stands next to a $ref to what the reference leads to: both hold (2020-12 section 8.2.3.1). Where both
// describe, the nearer one does it better.
func overlay(base, over map[string]any) map[string]any {
	rest := map[string]any{}
	for key, value := range over {
		old, clash := base[key]
		switch {
		case !clash || slices.Contains(annotations, key):
			base[key] = value
		case !reflect.DeepEqual(old, value):
			rest[key] = value
		}
	}
	if len(rest) > 0 {
		all, _ := base["allOf"].([]any)
		base["allOf"] = append(all, rest)
	}
	return base
}

// resolve finds what a reference into root itself refers to: "#", a JSON pointer (RFC 6901 section 6) or an anchor.
func resolve(root map[string]any, ref string) (any, bool) {
	fragment, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil, false
	}
	if fragment == "" {
		return root, true
	}
	if fragment[0] != '/' {
		return findAnchor(root, fragment)
	}
	var at any = root
	for token := range strings.SplitSeq(fragment[1:], "/") {
		switch v := at.(type) {
		case map[string]any:
			if at, ok = v[unescapePointer(token)]; !ok {
				return nil, false
			}
		case []any:
			i := 0
			if _, err := fmt.Sscanf(token, "%d", &i); err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			at = v[i]
		default:
			return nil, false
		}
	}
	return at, true
}

func findAnchor(v any, name string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		if v["$anchor"] == name {
			return v, true
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if found, ok := findAnchor(v[key], name); ok {
				return found, true
			}
		}
	case []any:
		for _, e := range v {
			if found, ok := findAnchor(e, name); ok {
				return found, true
			}
		}
	}
	return nil, false
}

// escapePointer and unescapePointer write and read a property name as a token of a JSON pointer (RFC 6901 sections 3 and 4).
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func unescapePointer(token string) string {
	if decoded, err := url.PathUnescape(token); err == nil {
		token = decoded
	}
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = clone(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}
