// Package specs finds the public OpenAPI documents that tests and figures read. They come in npm packages, see .ci/npm.
package specs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// A Spec is one public document.
type Spec struct {
	Name    string
	Version string // of OpenAPI
	Package string // of npm
	File    string // within the package
	// Operations is how many it has, so that a reader that loses some is noticed.
	Operations int
}

// All are of different style and size: small and large, 3.0 and 3.1, JSON and YAML, written and generated.
var All = []Spec{
	{"Petstore 3.0", "3.0", "@readme/oas-examples", "3.0/json/petstore.json", 20},
	{"Petstore 3.1", "3.1", "@readme/oas-examples", "3.1/json/petstore.json", 20},
	{"Star Trek", "3.0", "@readme/oas-examples", "3.0/json/star-trek.json", 120},
	{"parameter styles 3.0", "3.0", "@readme/oas-examples", "3.0/json/parameters-style.json", 25},
	{"parameter styles 3.1", "3.1", "@readme/oas-examples", "3.1/json/parameters-style.json", 25},
	{"circular request bodies", "3.0", "@readme/oas-examples", "3.0/json/circular-request-bodies.json", 4},
	{"Figma in YAML", "3.1", "@figma/rest-api-spec", "openapi/openapi.yaml", 54},
	{"GitBook", "3.1", "@gitbook/api", "spec/openapi.json", 377},
}

// Twin is the last one of All in YAML.
var Twin = Spec{"GitBook in YAML", "3.1", "@gitbook/api", "spec/openapi.yaml", 377}

// Absent returns what is missing, or "".
func Absent() string {
	dir := os.Getenv("MCPFLEET_NPM")
	if dir == "" {
		return "MCPFLEET_NPM is not set; run .ci/npm DIR and export MCPFLEET_NPM=DIR"
	}
	for _, s := range All {
		if _, err := os.Stat(s.Path()); err != nil {
			return fmt.Sprintf("%s is not installed below MCPFLEET_NPM; run .ci/npm DIR again", s.Package)
		}
	}
	return ""
}

// Path is the file of the document.
func (s Spec) Path() string {
	return filepath.Join(os.Getenv("MCPFLEET_NPM"), "node_modules", filepath.FromSlash(s.Package), filepath.FromSlash(s.File))
}

// Sample returns a value that a schema of a tool accepts, as far as a simple reader of schemas can tell: the first of what
// is allowed, with the required members, or all where none is required.
func Sample(schema any, defs map[string]any) any { return sample(schema, defs, 0) }

func sample(schema any, defs map[string]any, depth int) any {
	m, ok := schema.(map[string]any)
	if !ok || depth > 12 {
		return "x"
	}
	if ref, ok := m["$ref"].(string); ok {
		return sample(defs[filepath.Base(ref)], defs, depth+1)
	}
	if v, ok := m["const"]; ok {
		return v
	}
	if list, ok := m["enum"].([]any); ok {
		return list[0]
	}
	for _, k := range []string{"anyOf", "oneOf"} {
		if list, ok := m[k].([]any); ok {
			return sample(list[0], defs, depth+1)
		}
	}
	out := map[string]any{}
	if list, ok := m["allOf"].([]any); ok {
		for _, part := range list {
			if o, ok := sample(part, defs, depth+1).(map[string]any); ok {
				for k, v := range o {
					out[k] = v
				}
			} else if m["type"] == nil && m["properties"] == nil {
				return sample(part, defs, depth+1)
			}
		}
	}
	kind := m["type"]
	if list, ok := kind.([]any); ok {
		kind = list[0]
	}
	switch kind {
	case "integer", "number":
		if n, ok := m["minimum"].(float64); ok {
			return n
		}
		return 1
	case "boolean":
		return true
	case "null":
		return nil
	case "array":
		return []any{sample(m["items"], defs, depth+1)}
	case "string":
		return "x"
	}
	properties, _ := m["properties"].(map[string]any)
	required, _ := m["required"].([]any)
	for _, name := range required {
		if name, ok := name.(string); ok {
			out[name] = sample(properties[name], defs, depth+1)
		}
	}
	if _, isFile := properties["base64"]; isFile {
		out["text"] = "x"
		return out
	}
	if len(out) == 0 && depth > 0 && depth < 4 {
		for name, p := range properties {
			out[name] = sample(p, defs, depth+1)
		}
		if len(properties) == 0 {
			out["x"] = "x"
		}
	}
	return out
}

// Arguments returns arguments for a tool: the required ones, and a body if there is one.
func Arguments(input map[string]any) json.RawMessage {
	defs, _ := input["$defs"].(map[string]any)
	args, _ := Sample(input, defs).(map[string]any)
	if properties, ok := input["properties"].(map[string]any); ok && properties["body"] != nil && args["body"] == nil {
		args["body"] = Sample(properties["body"], defs)
	}
	data, err := json.Marshal(args)
	if err != nil {
		panic(err)
	}
	return data
}
