package selector

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Catalogues of made-up tools: verbs and objects in all combinations, on several servers.
var (
	verbs   = []string{"create", "list", "get", "update", "delete", "search", "archive", "export", "share", "merge"}
	objects = []string{"issue", "pull request", "invoice", "customer", "calendar event", "message", "file", "folder", "dashboard", "deployment", "contact", "branch"}
	servers = []string{"github", "stripe", "google", "slack", "drive", "grafana", "kubernetes"}
)

// catalogue returns n documents.
func catalogue(n int) []Document {
	docs := make([]Document, n)
	for i := range docs {
		verb, object, server := verbs[i%len(verbs)], objects[i/len(verbs)%len(objects)], servers[i%len(servers)]
		docs[i] = Document{
			ID:          fmt.Sprintf("%s.%s_%s_%d", server, verb, strings.ReplaceAll(object, " ", "_"), i),
			Server:      server,
			Category:    []string{"work", "play", "money"}[i%3],
			Name:        verb + "_" + strings.ReplaceAll(object, " ", "_"),
			Description: fmt.Sprintf("%s a %s in %s. Variant %d of the tool, for the %s team.", verb, object, server, i, verbs[i/7%len(verbs)]),
			Schema: map[string]any{"type": "object", "properties": map[string]any{
				strings.ReplaceAll(object, " ", "_") + "_id": map[string]any{"type": "string", "description": "Which " + object + " to " + verb},
				"limit": map[string]any{"type": "integer", "description": strings.Repeat("How many. ", i%9)},
			}},
			Labels: []string{fmt.Sprint("l", i%4)},
		}
	}
	return docs
}

func newSelector(t testing.TB, opts *Options, docs ...Document) *Selector {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(t.Context(), docs...); err != nil {
		t.Fatal(err)
	}
	return s
}

func mustSelect(t testing.TB, s *Selector, q Query) *Selection {
	t.Helper()
	found, err := s.Select(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func ids(found *Selection) []string {
	ids := make([]string, len(found.Tools))
	for i, t := range found.Tools {
		ids[i] = t.Document.ID
	}
	return ids
}

// shown is a selection as text, for comparing all of it.
func shown(found *Selection) string {
	var b strings.Builder
	for _, t := range found.Tools {
		fmt.Fprintf(&b, "%s %.4f %d %s %d\n", t.Document.ID, t.Score, t.Tokens, t.Reason, t.Step)
	}
	fmt.Fprintf(&b, "%d tokens of %d tools with %d; unmatched %q\n", found.Tokens, found.Of, found.OfTokens, found.Unmatched)
	return b.String()
}

// A flaky embedder hashes words into vectors, counts, and fails when told to.
type flaky struct {
	err    error
	texts  int
	calls  int
	panics bool
}

func (f *flaky) vector(text string) []float32 {
	v := make([]float32, 16)
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		h := uint32(2166136261)
		for i := range len(word) {
			h = (h ^ uint32(word[i])) * 16777619
		}
		v[h%16]++
	}
	return v
}

func (f *flaky) EmbedDocuments(_ context.Context, texts []string) ([][]float32, error) {
	f.calls++
	if f.panics {
		panic("boom")
	}
	if f.err != nil {
		return nil, f.err
	}
	f.texts += len(texts)
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i] = f.vector(text)
	}
	return vectors, nil
}

func (f *flaky) EmbedQuery(_ context.Context, text string) ([]float32, error) {
	if f.panics {
		panic("boom")
	}
	return f.vector(text), f.err
}

var errDown = errors.New("the service is down")

var random = rand.New(rand.NewPCG(1, 2))
