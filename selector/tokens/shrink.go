package tokens

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A shrinker makes copies of a schema that are cut to a level. It copies what it changes and nothing else.
type shrinker struct {
	level
	survey
	lost losses
}

// A draft is a map that is copied when it is changed.
type draft struct {
	from, to map[string]any // to is nil as long as nothing changed
}

func (d *draft) edit() map[string]any {
	if d.to == nil {
		d.to = maps.Clone(d.from)
	}
	return d.to
}

func (d *draft) result() (m map[string]any, changed bool) {
	if d.to == nil {
		return d.from, false
	}
	return d.to, true
}

// root cuts the schema of a tool's arguments.
func (s *shrinker) root(schema map[string]any) map[string]any {
	out, _ := s.schema(schema, nil, false)
	d := draft{from: out}
	for _, key := range []string{"$defs", "definitions"} {
		defs, _ := out[key].(map[string]any)
		used := s.usedDefs(schema, key)
		kept := draft{from: defs}
		for _, name := range slices.Sorted(maps.Keys(defs)) {
			if !used[name] {
				delete(kept.edit(), name)
				s.lost.add("unused definition", path{key, name})
			}
		}
		if left, changed := kept.result(); changed && len(left) == 0 {
			delete(d.edit(), key)
		} else if changed {
			d.edit()[key] = left
		}
	}
	out, _ = d.result()
	return out
}

// deepest is from how many parts of a path on subschemas are left alone: nobody writes such schemas by hand, and the paths of
// all places together grow with the square of the depth.
const deepest = 100

// schema cuts a subschema. required says that it is a required parameter at the top.
func (s *shrinker) schema(m map[string]any, at path, required bool) (map[string]any, bool) {
	d := draft{from: m}
	if len(at) >= deepest {
		return d.result()
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		here := at.with(key)
		switch v := m[key]; key {
		case "$schema", "$comment", "title", "example", "examples", "deprecated", "default":
			if _, value := m["const"]; value && key == "title" {
				continue // what the value means
			}
			if s.droppable(key, v) {
				delete(d.edit(), key)
				s.lost.add(key, at)
			}
		case "description":
			if text, ok := v.(string); ok {
				if short := s.description(text, at, required); short != text {
					d.edit()[key] = short
				}
			}
		case "properties", "patternProperties", "dependentSchemas", "$defs", "definitions":
			if subs, ok := v.(map[string]any); ok {
				var must map[string]bool // the required parameters at the top
				if key == "properties" && len(at) == 0 {
					must = namesOf(m["required"])
				}
				if subs, changed := s.schemas(subs, here, must); changed {
					d.edit()[key] = subs
				}
			}
		case "items", "prefixItems", "additionalItems", "contains", "unevaluatedItems",
			"additionalProperties", "propertyNames", "unevaluatedProperties",
			"allOf", "anyOf", "oneOf", "not", "if", "then", "else":
			if sub, changed := s.either(v, here); changed {
				d.edit()[key] = sub
			}
		}
	}
	s.enumeration(&d, at)
	return d.result()
}

// schemas cuts the subschemas of a map such as properties, of which must are required parameters.
func (s *shrinker) schemas(subs map[string]any, at path, must map[string]bool) (map[string]any, bool) {
	d := draft{from: subs}
	for _, name := range slices.Sorted(maps.Keys(subs)) {
		if sub, ok := subs[name].(map[string]any); ok {
			if sub, changed := s.schema(sub, at.with(name), must[name]); changed {
				d.edit()[name] = sub
			}
		}
	}
	return d.result()
}

// namesOf returns the strings in a list.
func namesOf(list any) map[string]bool {
	values, _ := list.([]any)
	names := make(map[string]bool, len(values))
	for _, v := range values {
		if name, ok := v.(string); ok {
			names[name] = true
		}
	}
	return names
}

// either cuts a subschema or a list of them.
func (s *shrinker) either(v any, at path) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return s.schema(v, at, false)
	case []any:
		out := v
		for i, e := range v {
			sub, ok := e.(map[string]any)
			if !ok {
				continue
			}
			if sub, changed := s.schema(sub, at.with(strconv.Itoa(i)), false); changed {
				if &out[0] == &v[0] {
					out = slices.Clone(v)
				}
				out[i] = sub
			}
		}
		return out, len(v) > 0 && &out[0] != &v[0]
	}
	return v, false
}

// droppable reports whether an annotation may go. What is not of the type that it should be is left alone.
func (s *shrinker) droppable(key string, v any) bool {
	if s.targets[key] {
		return false
	}
	ok := true
	switch key {
	case "$schema":
		ok = s.dialectGoes(v)
	case "$comment", "title":
		_, ok = v.(string)
	case "examples":
		_, ok = v.([]any)
	case "deprecated":
		_, ok = v.(bool)
	case "default":
		text, err := json.Marshal(v)
		ok = err == nil && len(text) > s.fallback
	}
	return ok
}

// dialectGoes reports whether a schema means the same without this $schema, as one of 2020-12.
func (s *shrinker) dialectGoes(v any) bool {
	uri, _ := v.(string)
	_, name, _ := strings.Cut(strings.TrimSuffix(uri, "#"), "://json-schema.org/")
	switch name {
	case "draft/2020-12/schema":
		return !s.dialect
	case "draft/2019-09/schema", "draft-07/schema":
		return !s.dialect && !s.newer
	}
	return false
}

func (s *shrinker) description(text string, at path, required bool) string {
	bound := s.optional
	if required {
		bound = s.required
	}
	short, whole := cut(squeeze(text), bound)
	if !whole {
		s.lost.add("end of the description", at)
	}
	return short
}

// enough is how many values an enum must lose to be worth the words that say so.
const enough = 6

// enumeration cuts the enum of a draft, and says so in its description.
func (s *shrinker) enumeration(d *draft, at path) {
	values, ok := d.from["enum"].([]any)
	if !ok || s.negated || s.targets["enum"] || len(values) < s.enum+enough || at.last() == "propertyNames" {
		return
	}
	kept := slices.Clone(values[:s.enum])
	for _, v := range values[s.enum:] {
		if v == nil || scalar(v) && scalar(d.from["default"]) && v == d.from["default"] {
			kept = append(kept, v)
		}
	}
	if len(values)-len(kept) < enough {
		return
	}
	note := fmt.Sprintf("(%d of %d values listed)", len(kept), len(values))
	if text, _ := d.edit()["description"].(string); text != "" {
		note = text + " " + note
	}
	d.edit()["description"] = note
	d.edit()["enum"] = kept
	s.lost.values = append(s.lost.values, fmt.Sprintf("%d of %d values of enum %s", len(values)-len(kept), len(values), at))
}

// scalar reports whether v can be compared with ==.
func scalar(v any) bool {
	switch v.(type) {
	case string, bool, float64, json.Number, int:
		return true
	}
	return false
}
