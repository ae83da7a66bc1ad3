package openapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// toolSchemas are the schemas of a tool as JSON.
type toolSchemas struct {
	input  json.RawMessage
	output json.RawMessage // nil: none
	wrap   bool            // the output schema is one of {"result": ...}
}

// maxToolDescription is in bytes. Longer ones are cut: every tool's description is in every prompt.
const maxToolDescription = 1024

func (o *operation) tool(name string, schemas toolSchemas) *mcp.Tool {
	t := &mcp.Tool{
		Name: name, Title: bound(oneLine(o.summary), maxTitle), Description: o.toolDescription(),
		InputSchema: schemas.input, Annotations: o.annotations(),
	}
	if schemas.output != nil {
		t.OutputSchema = schemas.output
	}
	return t
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (o *operation) toolDescription() string {
	summary, description := strings.TrimSpace(o.summary), strings.TrimSpace(o.description)
	switch {
	case summary == "" && description == "":
		return bound(o.key(), maxToolDescription)
	case summary == "" || strings.HasPrefix(description, summary):
		return bound(description, maxToolDescription)
	case description == "":
		return bound(summary, maxToolDescription)
	}
	return bound(summary+"\n\n"+description, maxToolDescription)
}

// annotations follow RFC 9110 section 9.2: safe methods change nothing, idempotent ones may be repeated. Anything else is
// destructive until somebody who knows the API says otherwise.
func (o *operation) annotations() *mcp.ToolAnnotations {
	yes, no := true, false
	a := &mcp.ToolAnnotations{OpenWorldHint: &yes, DestructiveHint: &yes}
	switch o.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		a.ReadOnlyHint, a.IdempotentHint, a.DestructiveHint = true, true, &no
	case http.MethodPut, http.MethodDelete:
		a.IdempotentHint = true
	}
	return a
}

// schemas returns the schemas within the limit, made once for each limit that servers ask for.
func (o *operation) schemas(limit int) toolSchemas {
	o.cache.mu.Lock()
	defer o.cache.mu.Unlock()
	s, ok := o.cache.byLimit[limit]
	if !ok {
		s.input = o.inputSchema(limit)
		s.output, s.wrap = o.outputSchema(limit)
		if o.cache.byLimit == nil {
			o.cache.byLimit = map[int]toolSchemas{}
		}
		o.cache.byLimit[limit] = s
	}
	return s
}

// inputSchema gives up detail until the schema fits: examples first, then what lies behind references, the deepest first.
func (o *operation) inputSchema(limit int) json.RawMessage {
	for _, attempt := range []struct {
		level    int
		examples bool
	}{{1 << 20, true}, {1 << 20, false}, {6, false}, {4, false}, {3, false}, {2, false}, {1, false}, {0, false}} {
		c := newConverter(o.doc, "readOnly", limit, attempt.level, attempt.examples)
		if data := marshal(o.input(c)); len(data) <= limit && c.left >= 0 {
			return data
		}
	}
	// One of the parameters is huge by itself.
	properties, names := map[string]any{}, []any{}
	for _, p := range o.params {
		properties[p.arg] = map[string]any{"description": bound(p.description, 100)}
		if p.required {
			names = append(names, p.arg)
		}
	}
	if o.body != nil {
		properties[bodyArg] = map[string]any{"description": bound(o.body.description, 100)}
		if o.body.required {
			names = append(names, bodyArg)
		}
	}
	return marshal(root(properties, names, nil))
}

func marshal(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("openapi: a converted schema is not JSON: %v", err)) // it is made of JSON's types only
	}
	return data
}

func root(properties map[string]any, names []any, defs map[string]any) map[string]any {
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(names) > 0 {
		out["required"] = names
	}
	if len(defs) > 0 {
		out["$defs"] = defs
	}
	return out
}

func (o *operation) input(c *converter) map[string]any {
	properties, names := map[string]any{}, []any{}
	for _, p := range o.params {
		properties[p.arg] = p.describe(c)
		if p.required {
			names = append(names, p.arg)
		}
	}
	if o.body != nil {
		properties[bodyArg] = o.body.describe(c)
		if o.body.required {
			names = append(names, bodyArg)
		}
	}
	return root(properties, names, c.defs())
}

func (p *parameter) describe(c *converter) any {
	s, ok := c.convert(raw(p.schema), 0, 0, nil).(map[string]any)
	if !ok {
		s = map[string]any{}
	}
	if p.serial.allowEmpty {
		s = map[string]any{"anyOf": []any{s, map[string]any{"const": ""}}}
	}
	annotate(s, p.description)
	if p.deprecated {
		s["deprecated"] = true
	}
	return s
}

// annotate puts the description of a parameter or body before that of its schema, which other operations may share.
func annotate(s map[string]any, description string) {
	if description = strings.TrimSpace(description); description != "" {
		s["description"] = bound(description, maxDescription)
	}
}

func (b *body) describe(c *converter) any {
	var s map[string]any
	switch b.kind {
	case textBody:
		s, _ = c.convert(raw(b.schema), 0, 0, nil).(map[string]any)
		if s["type"] != "string" {
			s = map[string]any{"type": "string"}
		}
		s["contentMediaType"] = baseMedia(b.contentType)
	case bytesBody:
		s = fileSchema("The content, as text or as base64.")
		delete(s["properties"].(map[string]any), "filename")
		s["contentMediaType"] = baseMedia(b.contentType)
	case multipartBody:
		if len(b.fields) > 0 {
			s = b.describeForm(c)
			break
		}
		fallthrough
	default:
		var ok bool
		if s, ok = c.convert(raw(b.schema), 0, 0, nil).(map[string]any); !ok {
			s = map[string]any{}
		}
		if _, ok := s["description"]; ok {
			return s
		}
	}
	annotate(s, b.description)
	return s
}

func (b *body) describeForm(c *converter) map[string]any {
	properties := map[string]any{}
	gone := map[string]bool{}
	for name, ref := range formProperties(b.schema) {
		v := raw(ref)
		if c.dropped(v) {
			gone[name] = true
			continue
		}
		f, ok := b.fields[name]
		if !ok {
			properties[name] = c.convert(v, 0, 1, nil)
			continue
		}
		description := "A file, as text or as base64."
		if ref.Value.Description != "" {
			description = bound(ref.Value.Description, maxDescription)
		}
		s := fileSchema(description)
		if f.list {
			s = map[string]any{"type": "array", "items": s}
		}
		properties[name] = s
	}
	out := map[string]any{"type": "object", "properties": properties}
	if names := required(formRequired(b.schema, newBudget()), gone); len(names) > 0 {
		out["required"] = names
	}
	return out
}

func fileSchema(description string) map[string]any {
	return map[string]any{
		"type": "object", "description": description, "additionalProperties": false,
		"properties": map[string]any{
			"filename":    map[string]any{"type": "string"},
			"contentType": map[string]any{"type": "string"},
			"text":        map[string]any{"type": "string"},
			"base64":      map[string]any{"type": "string", "contentEncoding": "base64"},
		},
	}
}
