package static_test

import (
	"context"
	"fmt"

	"github.com/mcpfleet/mcpfleet/selector/static"
)

func Example() {
	embedder := static.Default()
	ctx := context.Background()
	query, err := embedder.EmbedQuery(ctx, "get rid of the old files")
	if err != nil {
		panic(err)
	}
	tools := []string{"create_calendar_event", "delete_document", "get_weather_forecast"}
	vectors, err := embedder.EmbedDocuments(ctx, tools)
	if err != nil {
		panic(err)
	}
	best, top := "", float32(-1)
	for i, v := range vectors {
		var cosine float32 // all vectors have length 1
		for j := range v {
			cosine += v[j] * query[j]
		}
		if cosine > top {
			best, top = tools[i], cosine
		}
	}
	fmt.Println(best)
	// Output: delete_document
}

func ExampleNew() {
	weights := &static.Weights{
		Name:    "two-words",
		Dim:     2,
		Words:   []string{"creat", "delet"}, // keys of static.Terms
		Vectors: []float32{1, 0, 0, 1},
	}
	model, err := weights.MarshalBinary()
	if err != nil {
		panic(err)
	}
	embedder, err := static.New(model)
	if err != nil {
		panic(err)
	}
	fmt.Println(embedder.Embed(nil, "Creating"), embedder.Embed(nil, "deleted"), embedder.Embed(nil, "unknown"))
	// Output: [1 0] [0 1] [0 0]
}

func ExampleTerms() {
	for _, t := range static.Terms(nil, "createIssue in 2 repositories") {
		fmt.Print(t.Key, " ")
	}
	// Output: creat issu createissu in repositori
}

func ExampleEmbedder_Embed() {
	embedder := static.Default()
	v := embedder.Embed(make([]float32, 0, embedder.Dim()), "open a pull request")
	fmt.Println(len(v) == embedder.Dim())
	// Output: true
}
