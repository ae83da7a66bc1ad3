package mcptest

import (
	"fmt"
	"strings"
)

var (
	manyServices = []string{"issue tracker", "code host", "calendar", "mail box", "chat", "data warehouse", "monitoring", "wiki", "ledger", "file store"}
	manyVerbs    = []string{"create", "get", "list", "update", "delete", "search", "archive", "assign", "export", "compare", "merge", "restore"}
	manyNouns    = []string{"issue", "branch", "event", "message", "channel", "query", "alert", "page", "invoice", "file", "project", "comment", "label", "release", "dashboard", "member", "webhook"}
	manyProps    = []struct {
		name, kind, about string
	}{
		{"owner", "string", "The account that owns it, as it appears in addresses"},
		{"title", "string", "A short title of at most 256 characters"},
		{"body", "string", "The content in Markdown"},
		{"state", "enum", "Only those in this state"},
		{"labels", "array", "Names of labels; all of them must exist"},
		{"limit", "integer", "How many to return per page, from 1 to 100"},
		{"since", "string", "Only what changed after this time, in RFC 3339 form"},
		{"draft", "boolean", "Whether to keep it hidden from others"},
		{"options", "object", "Settings that are rarely needed"},
		{"priority", "number", "From 0 (lowest) to 1 (highest)"},
	}
)

// ManyTools returns n different tools with props properties each, in the size and mix that servers in the field have:
// about 60 words of description, and schemas with enums, arrays and nested objects. The first property is required. The
// same n and props always give the same tools. Calling one returns its arguments as text.
func ManyTools(n, props int) []RawTool {
	tools := make([]RawTool, n)
	for i := range tools {
		verb := manyVerbs[i%len(manyVerbs)]
		noun := manyNouns[i/len(manyVerbs)%len(manyNouns)]
		service := manyServices[i/7%len(manyServices)]
		name := fmt.Sprintf("%s_%s", verb, noun)
		if round := i / (len(manyVerbs) * len(manyNouns)); round > 0 {
			name = fmt.Sprintf("%s_v%d", name, round+1)
		}
		about := fmt.Sprintf("%s a %s of the %s. Use this when the user asks to %s one %s and names the account that owns it. "+
			"The caller needs the right to %s in that account. Returns the %s with its identifier, address and the time of its "+
			"last change; an unknown identifier is an error.", strings.ToUpper(verb[:1])+verb[1:], noun, service, verb, noun, verb, noun)
		properties := make(map[string]any, props)
		var required []string
		for j := range props {
			p := manyProps[j%len(manyProps)]
			key := p.name
			if round := j / len(manyProps); round > 0 {
				key = fmt.Sprintf("%s%d", key, round+1)
			}
			if j == 0 {
				required = append(required, key)
			}
			properties[key] = manyProp(p.kind, p.about+" of the "+noun)
		}
		tools[i] = RawTool{Def: define(name, about, properties, required...)}
		if verb == "get" || verb == "list" || verb == "search" {
			annotate(tools[i].Def, "readOnlyHint")
		}
	}
	return tools
}

func manyProp(kind, about string) map[string]any {
	switch kind {
	case "enum":
		p := prop("string", about)
		p["enum"] = []string{"open", "closed", "all"}
		return p
	case "array":
		p := prop("array", about)
		p["items"] = map[string]any{"type": "string"}
		return p
	case "object":
		p := prop("object", about)
		p["properties"] = map[string]any{
			"notify": prop("boolean", "Whether to tell the members"),
			"locale": prop("string", "Language of generated texts, as a BCP 47 tag"),
		}
		return p
	}
	return prop(kind, about)
}
