package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/selector/static"
)

func embedder() selector.Embedder { return static.Default() }

// catalogue returns the tools and requests below dir, or made-up ones.
func catalogue(dir string) (docs []selector.Document, requests []string, from string) {
	if dir == "" {
		docs, requests = madeUp()
		return docs, requests, "MCPFLEET_DATA is not set: measured on made-up tools"
	}
	lines(filepath.Join(dir, "catalogue", "tools.jsonl"), func(line []byte) {
		var t struct {
			ID, Server, Name, Description string
			Schema                        map[string]any `json:"input_schema"`
		}
		check(json.Unmarshal(line, &t))
		docs = append(docs, selector.Document{ID: t.ID, Server: t.Server, Name: t.Name, Description: t.Description, Schema: t.Schema})
	})
	lines(filepath.Join(dir, "catalogue", "queries-dev.jsonl"), func(line []byte) {
		var q struct{ Text string }
		check(json.Unmarshal(line, &q))
		requests = append(requests, q.Text)
	})
	return docs, requests, fmt.Sprintf("measured on %d real tools and %d requests", len(docs), len(requests))
}

func lines(path string, f func([]byte)) {
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	sc := bufio.NewScanner(file)
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		f(sc.Bytes())
	}
	check(sc.Err())
}

var (
	verbs   = []string{"create", "list", "get", "update", "delete", "search", "archive", "export", "share", "merge", "approve", "schedule"}
	objects = []string{"issue", "pull request", "invoice", "customer", "event", "message", "file", "folder", "dashboard", "deployment", "contact", "branch", "alert"}
	servers = []string{"github", "stripe", "google", "slack", "drive", "grafana", "kubernetes", "notion", "jira", "linear", "sentry"}
)

// madeUp makes tools of about the size of real ones, and requests for them.
func madeUp() (docs []selector.Document, requests []string) {
	for i := range 4657 {
		verb, object, server := verbs[i%len(verbs)], objects[i/len(verbs)%len(objects)], servers[i%len(servers)]
		docs = append(docs, selector.Document{
			ID:     fmt.Sprintf("%s.%s.%d", server, verb, i),
			Server: server,
			Name:   fmt.Sprintf("%s_%s_%d", verb, object, i/len(verbs)/len(objects)),
			Description: fmt.Sprintf("%s one %s of the %s workspace that the user names. Use it when the user asks to %s something about a %s; "+
				"the result is the %s as it is afterwards, with its id, state, owner and the time of the last change.", verb, object, server, verb, object, object),
			Schema: map[string]any{"type": "object", "properties": map[string]any{
				"id":      map[string]any{"type": "string", "description": "The id of the " + object},
				"owner":   map[string]any{"type": "string", "description": "Whose " + object + " it is"},
				"comment": map[string]any{"type": "string", "description": "What to say about it to those who follow the " + object},
			}, "required": []any{"id"}},
		})
	}
	for i := range 100 {
		requests = append(requests, fmt.Sprintf("Please %s the %s that Mara sent last Tuesday, number %d, and then %s all of the %s things.",
			verbs[i%len(verbs)], objects[i%len(objects)], 4000+i, verbs[(i+5)%len(verbs)], servers[i%len(servers)]))
	}
	return docs, requests
}
