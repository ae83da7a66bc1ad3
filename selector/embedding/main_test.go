package embedding

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(processVariable) != "" {
		os.Exit(process())
	}
	goleak.VerifyTestMain(m)
}

// A fake embeds any text as four numbers that depend on it. Its hooks come before the answer.
type fake struct {
	documents func(ctx context.Context, texts []string) ([][]float32, error) // nil results: the usual answer
	query     func(ctx context.Context, text string) ([]float32, error)

	mu      sync.Mutex
	batches [][]string
	queries []string
}

func (f *fake) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	f.mu.Lock()
	f.batches = append(f.batches, slices.Clone(texts))
	f.mu.Unlock()
	if f.documents != nil {
		if vectors, err := f.documents(ctx, texts); vectors != nil || err != nil {
			return vectors, err
		}
	}
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i] = vectorOf("document " + text)
	}
	return vectors, nil
}

func (f *fake) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	f.mu.Lock()
	f.queries = append(f.queries, text)
	f.mu.Unlock()
	if f.query != nil {
		if v, err := f.query(ctx, text); v != nil || err != nil {
			return v, err
		}
	}
	return vectorOf("query " + text), nil
}

// sent lists the texts that were sent, in any order.
func (f *fake) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.Concat(f.batches...)
	slices.Sort(all)
	return all
}

func vectorOf(text string) []float32 {
	v := make([]float32, 4)
	for i := range v {
		h := fnv.New32a()
		fmt.Fprint(h, i, text)
		v[i] = float32(h.Sum32())/(1<<32) + 0.1
	}
	return v
}

func newClient(t *testing.T, e Embedder, cfg *Config) *Client {
	t.Helper()
	c, err := New(e, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func numbered(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("text %d", i)
	}
	return texts
}

// checkVectors fails unless each text has its own vector, except for those in missing.
func checkVectors(t *testing.T, texts []string, vectors [][]float32, missing ...int) {
	t.Helper()
	if len(vectors) != len(texts) {
		t.Fatalf("%d vectors for %d texts", len(vectors), len(texts))
	}
	for i, text := range texts {
		want := vectorOf("document " + text)
		if slices.Contains(missing, i) {
			want = nil
		}
		if !slices.Equal(vectors[i], want) {
			t.Errorf("vector %d (%s) = %v, want %v", i, strings.TrimSpace(text), vectors[i], want)
		}
	}
}
