package vectorstore_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tmc/langchaingo/schema"
	"github.com/tmc/langchaingo/vectorstores"

	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/selector/vectorstore"
)

// documents stands for a store with a server, such as pgvector, qdrant or weaviate.
type documents struct{ all []schema.Document }

func (d *documents) AddDocuments(_ context.Context, docs []schema.Document, _ ...vectorstores.Option) ([]string, error) {
	d.all = append(d.all, docs...)
	return make([]string, len(docs)), nil
}

func (d *documents) SimilaritySearch(_ context.Context, query string, n int, _ ...vectorstores.Option) ([]schema.Document, error) {
	found := slices.Clone(d.all)
	for i := range found {
		for word := range strings.FieldsSeq(query) {
			found[i].Score += float32(strings.Count(found[i].PageContent, word))
		}
	}
	slices.SortStableFunc(found, func(a, b schema.Document) int { return int(b.Score - a.Score) })
	return found[:min(n, len(found))], nil
}

func ExampleNew() {
	ctx := context.Background()
	index := vectorstore.New(&documents{}, nil)
	err := index.Upsert(ctx, []selector.VectorItem{
		{ID: "mail.send", Text: "send an e-mail"},
		{ID: "github.create_pull_request", Text: "open a pull request"},
		{ID: "gitlab.create_merge_request", Text: "open a merge request"},
	})
	if err != nil {
		panic(err)
	}
	// The store deletes nothing, but what is deleted is not found.
	if err := index.Delete(ctx, []string{"gitlab.create_merge_request"}); err != nil {
		panic(err)
	}
	found, err := index.Search(ctx, "pull request", 1, nil)
	fmt.Println(found, err)
	// Output: [{github.create_pull_request 2}] <nil>
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}
