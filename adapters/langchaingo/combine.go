package langchaingo

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// flattenTop makes the top level of a schema one plain object. What allOf, anyOf and oneOf say there is told by the
// properties of all branches together; which of them belong together goes into the description.
func flattenTop(top map[string]any, losses *[]string) {
	flatten(top, "#", losses)
	for _, key := range []string{"not", "enum", "const"} {
		if _, ok := top[key]; ok {
			delete(top, key)
			*losses = append(*losses, "#/"+key+": refused by providers at the top level, left out")
		}
	}
}

// flatten merges the branches of an object schema into it.
func flatten(node map[string]any, at string, losses *[]string) {
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		list, ok := node[key].([]any)
		delete(node, key)
		if !ok || len(list) == 0 {
			continue
		}
		var branches []map[string]any
		for i, e := range list {
			branch, _ := e.(map[string]any)
			if branch == nil || onlyNull(branch) {
				continue
			}
			flatten(branch, fmt.Sprintf("%s/%s/%d", at, key, i), losses)
			branches = append(branches, branch)
		}
		mergeProperties(node, branches, key)
		mergeRequired(node, branches, key)
		for i, branch := range branches {
			for _, k := range slices.Sorted(maps.Keys(branch)) {
				if k == "type" || k == "properties" || k == "required" || slices.Contains(annotations, k) {
					continue
				}
				if _, ok := branch[k].(bool); ok && k == "additionalProperties" {
					continue // it was said of the properties of this branch alone
				}
				if old, ok := node[k]; !ok && key == "allOf" {
					node[k] = branch[k]
				} else if !ok || !reflect.DeepEqual(old, branch[k]) {
					*losses = append(*losses, fmt.Sprintf("%s/%s/%d/%s: left out", at, key, i, k))
				}
			}
		}
		if key != "allOf" && len(branches) > 1 {
			*losses = append(*losses, fmt.Sprintf("%s/%s: its %d alternatives are told as one", at, key, len(branches)))
		}
	}
}

// mergeProperties adds the properties of branches to node. A property that several define differently must fit all of
// them (allOf) or any.
func mergeProperties(node map[string]any, branches []map[string]any, key string) {
	props, _ := node["properties"].(map[string]any)
	if props == nil {
		props = map[string]any{}
	}
	inner := "anyOf"
	if key == "allOf" {
		inner = "allOf"
	}
	found := map[string][]any{}
	for _, branch := range branches {
		for name, schema := range properties(branch) {
			if !slices.ContainsFunc(found[name], func(s any) bool { return reflect.DeepEqual(s, schema) }) {
				found[name] = append(found[name], schema)
			}
		}
	}
	for name, schemas := range found {
		merged := schemas[0]
		if len(schemas) > 1 {
			merged = map[string]any{inner: schemas}
		}
		if own, ok := props[name]; ok && !reflect.DeepEqual(own, merged) {
			merged = map[string]any{"allOf": []any{own, merged}}
		}
		props[name] = merged
	}
	if len(props) > 0 {
		node["properties"] = props
	}
}

// mergeRequired adds what the branches require to node: all of it (allOf), or what every branch requires. Sets that differ
// are named in the description, since they are often all that an anyOf is about.
func mergeRequired(node map[string]any, branches []map[string]any, key string) {
	if len(branches) == 0 {
		return
	}
	required := slices.Clone(stringsOf(node["required"]))
	add := func(names []string) {
		for _, name := range names {
			if !slices.Contains(required, name) {
				required = append(required, name)
			}
		}
	}
	if key == "allOf" {
		for _, branch := range branches {
			add(stringsOf(branch["required"]))
		}
	} else {
		common := slices.Clone(stringsOf(branches[0]["required"]))
		for _, branch := range branches[1:] {
			common = slices.DeleteFunc(common, func(name string) bool { return !slices.Contains(stringsOf(branch["required"]), name) })
		}
		add(common)
		var sets []string
		for _, branch := range branches {
			own := slices.DeleteFunc(slices.Clone(stringsOf(branch["required"])), func(name string) bool { return slices.Contains(required, name) })
			if len(own) > 0 {
				sets = append(sets, strings.Join(own, " and "))
			}
		}
		if len(sets) > 0 && len(branches) > 1 {
			word := "Give at least one of these: "
			if key == "oneOf" {
				word = "Give exactly one of these: "
			}
			if len(sets) < len(branches) {
				word = "You may give one of these: "
			}
			describeMore(node, word+strings.Join(sets, "; ")+".")
		}
	}
	if len(required) > 0 {
		list := make([]any, len(required))
		for i, name := range required {
			list[i] = name
		}
		node["required"] = list
	}
}

// describeMore adds a sentence to the description of a schema.
func describeMore(node map[string]any, sentence string) {
	if old, _ := node["description"].(string); old != "" {
		sentence = old + " " + sentence
	}
	node["description"] = sentence
}

// onlyNull reports whether nothing but null fits a schema.
func onlyNull(schema map[string]any) bool {
	if types := typesOf(schema); len(types) > 0 {
		return slices.Equal(types, []string{"null"})
	}
	if c, ok := schema["const"]; ok {
		return c == nil
	}
	enum, ok := schema["enum"].([]any)
	return ok && len(enum) == 1 && enum[0] == nil
}
