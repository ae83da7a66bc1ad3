package main

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// A tool is one line of a tools.jsonl file.
type tool struct {
	ID          string         `json:"id"`
	Server      string         `json:"server"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Schema      map[string]any `json:"input_schema"`
	Tool        struct {
		Title string `json:"title"`
	} `json:"tool"`
}

type param struct{ name, description string }

// params returns the parameters by name.
func (t *tool) params() []param {
	properties, _ := t.Schema["properties"].(map[string]any)
	var out []param
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		p, _ := properties[name].(map[string]any)
		description, _ := p["description"].(string)
		out = append(out, param{name, description})
	}
	return out
}

// text is what is embedded of a tool when a model is measured.
func (t *tool) text() string {
	var b strings.Builder
	for _, s := range []string{t.Server, t.Name, t.Tool.Title, t.Description} {
		b.WriteString(s + ". ")
	}
	for _, p := range t.params() {
		b.WriteString(p.name + " " + p.description + ". ")
	}
	return b.String()
}

func readTools(file string) ([]*tool, error) {
	var out []*tool
	err := eachLine(file, func(line string) error {
		t := new(tool)
		out = append(out, t)
		return json.Unmarshal([]byte(line), t)
	})
	return out, err
}

// prefix is by what a description is recognised in another set: its first 60 bytes without case and white space.
func prefix(description string) string {
	s := strings.ToLower(strings.Join(strings.Fields(description), ""))
	return s[:min(len(s), 60)]
}

// exclude returns the tools whose descriptions occur in none of the directories of measured sets, and takes what is said about
// the servers of the others out of servers: a model must not be measured on what it was trained on.
func exclude(tools []*tool, servers map[string]*server, dirs []string) ([]*tool, error) {
	measured := map[string]bool{}
	for _, dir := range dirs {
		set, err := readTools(filepath.Join(dir, "tools.jsonl"))
		if err != nil {
			return nil, err
		}
		for _, t := range set {
			measured[prefix(t.Description)] = true
		}
	}
	delete(measured, "")
	return slices.DeleteFunc(tools, func(t *tool) bool {
		drop := measured[prefix(t.Description)]
		if drop {
			delete(servers, t.Server)
		}
		return drop
	}), nil
}
