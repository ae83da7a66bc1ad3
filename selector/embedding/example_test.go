package embedding_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/mcpfleet/mcpfleet/selector/embedding"
)

// letters counts the letters a to c. It stands for a provider's embedder.
type letters struct{}

func (letters) EmbedQuery(_ context.Context, text string) ([]float32, error) {
	v := make([]float32, 3)
	for _, c := range text {
		if c >= 'a' && c <= 'c' {
			v[c-'a']++
		}
	}
	return v, nil
}

func (l letters) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i], _ = l.EmbedQuery(ctx, text)
	}
	return vectors, nil
}

// The vectors of documents outlive the program.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "vectors")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	for range 2 { // the second time is another run of the program
		client, err := embedding.New(letters{}, &embedding.Config{Model: "letters", Dir: dir})
		if err != nil {
			panic(err)
		}
		vectors, err := client.EmbedDocuments(ctx, []string{"abba", "cab", "abba"})
		if err != nil {
			panic(err)
		}
		fmt.Println(vectors, "sent:", client.Stats().Texts)
		if err := client.Close(); err != nil {
			panic(err)
		}
	}
	// Output:
	// [[2 2 0] [1 1 1] [2 2 0]] sent: 2
	// [[2 2 0] [1 1 1] [2 2 0]] sent: 0
}

// A text that cannot be embedded does not cost the others their vectors.
func ExampleClient_EmbedDocuments() {
	client, err := embedding.New(letters{}, nil)
	if err != nil {
		panic(err)
	}
	vectors, err := client.EmbedDocuments(context.Background(), []string{"abc", "xyz", "cc"})
	if fault := (*embedding.Error)(nil); errors.As(err, &fault) {
		fmt.Println(fault.Index, fault.Reason)
	}
	fmt.Println(vectors)
	// Output:
	// 1 zero
	// [[1 1 1] [] [0 0 2]]
}

func ExampleClient_EmbedQuery() {
	client, err := embedding.New(letters{}, nil)
	if err != nil {
		panic(err)
	}
	for range 3 {
		if _, err := client.EmbedQuery(context.Background(), "a cab"); err != nil {
			panic(err)
		}
	}
	fmt.Printf("%+v\n", client.Stats())
	// Output: {Requests:1 Retries:0 Failures:0 Texts:1 Hits:2 Shared:0 Refused:0 Rejected:0}
}
