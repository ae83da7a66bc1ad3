package selector

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/mcpfleet/mcpfleet/internal/text"
	"github.com/mcpfleet/mcpfleet/selector/internal/lexical"
	"github.com/mcpfleet/mcpfleet/selector/tokens"
)

// maxID bounds the identifiers of documents, in bytes.
const maxID = 512

// An entry is a document as it is kept. It is immutable, but for what compacted computes once.
type entry struct {
	doc     Document
	size    int               // about how many bytes doc takes
	sum     [sha256.Size]byte // of all of doc
	name    string            // see plainName
	text    string            // what is embedded
	textSum [sha256.Size]byte

	once    sync.Once
	compact *tokens.Compacted // nil if the tool cannot be made smaller
}

// newEntry checks d and fills in its defaults.
func newEntry(d Document, counter tokens.Counter) (*entry, error) {
	field := func(name string) string { return "Document " + quote(d.ID) + "." + name }
	switch {
	case d.ID == "":
		return nil, invalid("Document.ID", "is empty; give each document an ID of its own")
	case len(d.ID) > maxID:
		return nil, invalid(field("ID"), "has %d bytes; the most is %d", len(d.ID), maxID)
	case len(d.Ref) > maxID:
		return nil, invalid(field("Ref"), "has %d bytes; the most is %d", len(d.Ref), maxID)
	case d.Name == "":
		return nil, invalid(field("Name"), "is empty; it is what a model calls the tool")
	case d.Tokens < 0:
		return nil, invalid(field("Tokens"), "is %d; leave it 0 to have them counted", d.Tokens)
	}
	sent, err := tokens.AppendFunction(nil, d.Name, d.Description, d.Schema)
	if err != nil {
		return nil, invalid(field("Schema"), "cannot be written as JSON: %v", err)
	}
	d.Ref = cmp.Or(d.Ref, d.ID)
	if d.Tokens == 0 {
		d.Tokens = counter.Count(string(sent))
	}
	d.Labels = slices.Clone(d.Labels)
	if d.Params == nil {
		d.Params = params(d.Schema)
	} else {
		d.Params = slices.Clone(d.Params)
	}
	e := &entry{doc: d, name: plainName(d.Name), text: embedded(&d)}
	e.textSum = sha256.Sum256([]byte(e.text))
	// What is sent is hashed as it is; the rest as JSON, which tells the ends of the fields.
	rest, err := json.Marshal([]any{d.ID, d.Ref, d.Server, d.ServerDescription, d.Category, d.Title, d.Params, d.Tokens, d.Labels})
	if err != nil {
		return nil, invalid(field("Params"), "cannot be written as JSON: %v", err)
	}
	e.size = len(sent) + len(rest)
	e.sum = sha256.Sum256(append(sent, rest...))
	return e, nil
}

// compacted returns the tool made as small as it gets, or nil.
func (e *entry) compacted(counter tokens.Counter) *tokens.Compacted {
	e.once.Do(func() {
		if c, ok := tokens.Compact(e.doc.Name, e.doc.Description, e.doc.Schema, 0, counter); ok {
			e.compact = &c
		}
	})
	return e.compact
}

// params returns the parameters that a schema has at its top, and those of objects below, by name.
func params(schema map[string]any) []Param {
	var all []Param
	var walk func(schema map[string]any, depth int)
	walk = func(schema map[string]any, depth int) {
		properties, _ := schema["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			p, _ := properties[name].(map[string]any)
			description, _ := p["description"].(string)
			all = append(all, Param{Name: name, Description: description})
			if depth < maxParamDepth && len(all) < maxParams {
				walk(p, depth+1)
				if items, ok := p["items"].(map[string]any); ok {
					walk(items, depth+1)
				}
			}
		}
	}
	walk(schema, 0)
	return all[:min(len(all), maxParams)]
}

// Deeper parameters say little about what a tool is for.
const (
	maxParamDepth = 2
	maxParams     = 256
)

// embedded is what is embedded of a document: what it is called, and then what it is for, which the first sentences say.
// Parameters are left to the words: they say what a tool takes, and drown what it does.
func embedded(d *Document) string {
	sentences := text.Sentences(nil, beginning(d.Description, maxEmbedded))
	parts := append([]string{d.Server, d.Name, d.Title, d.Category}, sentences[:min(len(sentences), embeddedSentences)]...)
	for _, p := range d.Params {
		parts = append(parts, p.Name)
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return beginning(strings.Join(parts, ". "), maxEmbedded)
}

const (
	embeddedSentences = 5
	// maxEmbedded is in bytes. Services refuse texts of more than some thousand tokens, and all others of the call with them.
	maxEmbedded = 8 << 10
)

// maxWords bounds each text of a document that is found by its words, in bytes. An index is up to a hundred times as large as
// a text made for that.
const maxWords = 16 << 10

// beginning returns the first n bytes of s, without a character that is cut in two.
func beginning(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// plainName is a name without what differs between servers that mean the same: case, and how words are joined.
func plainName(name string) string {
	var b strings.Builder
	for _, w := range text.Words(nil, beginning(name, maxWords)) {
		if !w.Joined {
			b.WriteString(w.Text)
		}
	}
	return b.String()
}

// words are the texts of a document that are found by their words.
func words(d *Document) lexical.Document {
	var names, descriptions strings.Builder
	for _, p := range d.Params {
		if names.Len() > maxWords && descriptions.Len() > maxWords {
			break
		}
		names.WriteString(p.Name)
		names.WriteByte('\n')
		if p.Description != "" {
			descriptions.WriteString(p.Description)
			descriptions.WriteByte('\n')
		}
	}
	texts := lexical.Document{
		lexical.Server:            d.Server,
		lexical.Name:              d.Name,
		lexical.Title:             d.Title,
		lexical.Description:       d.Description,
		lexical.Category:          d.Category,
		lexical.Params:            names.String(),
		lexical.ParamDescriptions: descriptions.String(),
		lexical.ServerDescription: d.ServerDescription,
	}
	for i := range texts {
		texts[i] = beginning(texts[i], maxWords)
	}
	return texts
}
