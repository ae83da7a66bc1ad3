package selector

import (
	"context"
	"log/slog"

	"github.com/mcpfleet/mcpfleet/selector/tokens"
)

// An Embedder makes vectors of texts: texts that mean the same get vectors with a small angle between them. It has the
// methods of langchaingo's embeddings.Embedder, so each of those is one. It must be safe for concurrent use. A call that goes
// on after its context has ended holds nobody up, but keeps a goroutine for as long.
//
// Put one that calls a service into an embedding.Client (package selector/embedding), which adds what a service needs:
// batches, retries, a cache, checks.
type Embedder interface {
	// EmbedDocuments returns a vector for each text, all of the same length. If it fails it is called again with halves of the
	// texts, and with halves of these, to find those that it refuses: for one change of the catalogue at most 7 times if no
	// call succeeds, and else at most 4 times for each binary digit of the number of texts.
	EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error)
	// EmbedQuery returns the vector of what is searched for.
	EmbedQuery(ctx context.Context, text string) ([]float32, error)
}

// Options configures a [Selector]. The zero value selects the defaults that the fields name.
type Options struct {
	// Embedder makes vectors of documents and queries. The default is static.Default(), which is part of this module.
	Embedder Embedder
	// LexicalOnly leaves vectors out: documents are found by their words alone.
	LexicalOnly bool
	// Counter counts the tokens of what a provider is sent of a tool. The default is tokens.Estimate(); package
	// selector/o200k has an exact one.
	Counter tokens.Counter
	// Edges are what is known of how tools belong together.
	Edges []Edge
	// Weights are those of the parts of a score. The default is DefaultWeights().
	Weights *Weights
	// Vectors keeps and searches vectors somewhere else, such as in a database, and makes them itself: Embedder is not used.
	Vectors VectorIndex
	// Logger gets what goes wrong without failing a call. The default is silent.
	Logger *slog.Logger
}
