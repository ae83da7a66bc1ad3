package vectorstore

import (
	"context"
	"log/slog"

	"github.com/tmc/langchaingo/vectorstores"
)

// The metadata of each document, both in hexadecimal digits.
const (
	ScopeKey    = "mcpfleet_scope" // a hash of [Config.Scope]
	DocumentKey = "mcpfleet_key"   // a hash of the scope and the text
)

// Config configures an [Index]. Every zero value selects the default its field names.
type Config struct {
	// Scope tells documents of this index from others in the store. Indexes with the same scope, in any process, share
	// documents with the same text, but each finds only what was upserted into itself. The default is the empty scope.
	Scope string

	// BatchSize is how many documents are added at a time at most. The default is 100.
	BatchSize int
	// Concurrency is how many calls of the store there are at a time at most. The default is 4.
	Concurrency int
	// MaxFetch is how many documents a search asks the store for at most, or what the search is to return if that is more. It
	// begins with few, and asks for four times as many as long as results are missing and the store has more. The default is
	// 10,000.
	MaxFetch int
	// MaxList is how many documents the default of List asks the store for at most. The default is 100,000.
	MaxList int

	// Score turns a score of the store into one that grows with likeness. The default leaves it as it is.
	Score func(score float32) float32
	// Filter returns the filter, in the store's language, for documents with this value in their metadata; value holds
	// hexadecimal digits only. A nil filter asks without. The default returns map[string]any{key: value}, which chroma, dolt,
	// mariadb and pgvector understand. It saves work: a store that filters nothing finds the same.
	Filter func(key, value string) any
	// AddOptions and SearchOptions go with every call, such as vectorstores.WithNameSpace for stores that have them.
	AddOptions, SearchOptions []vectorstores.Option

	// List returns the values of DocumentKey of the documents that the store holds with this value of ScopeKey. It is
	// called before the first documents are added; what it leaves out may be added again, and is then stored twice. The default
	// searches for a word and asks for all documents, texts included: with more than 10,000, a query of the store's own is
	// better.
	List func(ctx context.Context, scope string) ([]string, error)
	// Remove removes the documents with these values of DocumentKey from the store. It is called when no tool of this index has
	// the text any more: set it only if no other index shares the scope. The default leaves them there, where they are not found
	// but take room in the store and, the more they are, in each search.
	Remove func(ctx context.Context, keys []string) error

	// Logger gets a warning when Remove fails after an upsert. The default is silence.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	for v, def := range map[*int]int{&c.BatchSize: 100, &c.Concurrency: 4, &c.MaxFetch: 10_000, &c.MaxList: 100_000} {
		if *v <= 0 {
			*v = def
		}
	}
	if c.Score == nil {
		c.Score = func(score float32) float32 { return score }
	}
	if c.Filter == nil {
		c.Filter = func(key, value string) any { return map[string]any{key: value} }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
