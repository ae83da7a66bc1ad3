package tokens

import (
	"net/url"
	"strings"
)

// A survey is what must be known of a whole schema before a part of it may be cut. It looks at everything that could be a
// keyword, wherever it is: to take a property called "not" for one costs a few tokens, the other mistake would change what
// the schema means.
type survey struct {
	targets map[string]bool // parts of all refs: an annotation that one might point through is left alone
	refs    []string        // all values of $ref, unescaped
	odd     bool            // there are refs or bases other than JSON Pointers into the schema
	negated bool            // something accepts more when a subschema accepts less: enums must stay whole
	dialect bool            // the meaning depends on $schema
	newer   bool            // there are keywords that mean nothing in draft-07
}

func surveyOf(schema map[string]any) survey {
	s := survey{targets: make(map[string]bool)}
	s.look(schema)
	for _, ref := range s.refs {
		for part := range strings.SplitSeq(ref, "/") {
			s.targets[part] = true
		}
	}
	return s
}

func (s *survey) look(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			s.keyword(key, e, v)
			s.look(e)
		}
	case []any:
		for _, e := range v {
			s.look(e)
		}
	}
}

func (s *survey) keyword(key string, v any, in map[string]any) {
	switch key {
	case "$ref":
		ref, ok := v.(string)
		if !ok {
			return
		}
		if plain, err := url.PathUnescape(ref); err == nil {
			ref = plain
		}
		s.refs = append(s.refs, ref)
		s.odd = s.odd || ref != "#" && !strings.HasPrefix(ref, "#/")
		for sibling := range in {
			switch sibling {
			case "$ref", "$schema", "$defs", "definitions", "$comment", "title", "description", "default", "example", "examples",
				"deprecated":
			default:
				s.dialect = true // up to draft-07, what stands beside $ref counts for nothing
			}
		}
	case "$id", "id", "$anchor":
		if _, ok := v.(string); ok {
			s.odd = true
			s.dialect = true
		}
	case "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor":
		s.odd = true
		s.dialect = true
	case "not", "if", "oneOf":
		s.negated = true
	case "maxContains":
		s.negated = true
		s.newer = true
	case "minContains", "prefixItems", "unevaluatedItems", "unevaluatedProperties", "dependentRequired", "dependentSchemas":
		s.newer = true
	case "items":
		if _, ok := v.([]any); ok {
			s.dialect = true // a tuple up to 2019-09
		}
	case "exclusiveMinimum", "exclusiveMaximum":
		if _, ok := v.(bool); ok {
			s.dialect = true // draft-04
		}
	case "additionalItems", "dependencies":
		s.dialect = true
	}
}

var pointer = strings.NewReplacer("~1", "/", "~0", "~")

// usedDefs returns the names in schema[key] that refs from elsewhere reach, directly or through one another; all of them if
// that cannot be told.
func (s *survey) usedDefs(schema map[string]any, key string) map[string]bool {
	defs, _ := schema[key].(map[string]any)
	used := make(map[string]bool, len(defs))
	if s.odd || s.whole(key) {
		for name := range defs {
			used[name] = true
		}
		return used
	}
	var todo []any
	for k, v := range schema {
		if k != key {
			todo = append(todo, map[string]any{k: v})
		}
	}
	for len(todo) > 0 {
		next := surveyOf(map[string]any{"x": todo[len(todo)-1]})
		todo = todo[:len(todo)-1]
		for _, ref := range next.refs {
			name, ok := strings.CutPrefix(ref, "#/"+key+"/")
			if !ok {
				continue
			}
			name, _, _ = strings.Cut(name, "/")
			name = pointer.Replace(name)
			if !used[name] {
				used[name] = true
				todo = append(todo, defs[name])
			}
		}
	}
	return used
}

// whole reports whether a ref points to all definitions at once, which would be odd.
func (s *survey) whole(key string) bool {
	for _, ref := range s.refs {
		if ref == "#/"+key {
			return true
		}
	}
	return false
}
