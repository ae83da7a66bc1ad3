package vectorstore

import (
	"context"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tmc/langchaingo/schema"
	"github.com/tmc/langchaingo/vectorstores"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// words embeds a text as its words, each of which is a direction of its own but for collisions.
type words struct {
	mu   sync.Mutex
	sent int
}

func (w *words) EmbedQuery(_ context.Context, text string) ([]float32, error) {
	v := make([]float32, 512)
	for word := range strings.FieldsSeq(text) {
		h := fnv.New32a()
		h.Write([]byte(word))
		v[h.Sum32()%512]++
	}
	return v, nil
}

func (w *words) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent += len(texts)
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i], _ = w.EmbedQuery(ctx, text)
	}
	return vectors, nil
}

func cosine(a, b []float32) float32 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return float32(ab / math.Sqrt(aa*bb))
}

// A memory is a vector store as langchaingo's are: it only ever adds, and adds what it has again.
type memory struct {
	words
	deaf     bool // ignores filters
	onAdd    func(docs []schema.Document) error
	onSearch func(query string, n int) error

	mu       sync.Mutex
	docs     []schema.Document
	searches int
}

func (m *memory) AddDocuments(ctx context.Context, docs []schema.Document, _ ...vectorstores.Option) ([]string, error) {
	if m.onAdd != nil {
		if err := m.onAdd(docs); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.docs = append(m.docs, docs...)
	return make([]string, len(docs)), nil
}

func (m *memory) SimilaritySearch(ctx context.Context, query string, n int, options ...vectorstores.Option) ([]schema.Document, error) {
	if m.onSearch != nil {
		if err := m.onSearch(query, n); err != nil {
			return nil, err
		}
	}
	var opts vectorstores.Options
	for _, o := range options {
		o(&opts)
	}
	q, _ := m.EmbedQuery(ctx, query)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.searches++
	var found []schema.Document
	for _, doc := range m.docs {
		if filter, _ := opts.Filters.(map[string]any); !m.deaf && filter[ScopeKey] != nil && filter[ScopeKey] != doc.Metadata[ScopeKey] {
			continue
		}
		v, _ := m.EmbedQuery(ctx, doc.PageContent)
		doc.Score = cosine(q, v)
		found = append(found, doc)
	}
	slices.SortStableFunc(found, func(a, b schema.Document) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	return found[:min(n, len(found))], nil
}

func (m *memory) remove(_ context.Context, keys []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.docs = slices.DeleteFunc(m.docs, func(doc schema.Document) bool {
		return slices.Contains(keys, doc.Metadata[DocumentKey].(string))
	})
	return nil
}

func (m *memory) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.docs)
}
