package embedding

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// An Embedder turns texts into vectors.
type Embedder interface {
	// EmbedDocuments returns the vectors of texts, one for each, in their order.
	EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error)
	// EmbedQuery returns the vector of a text to search with. Some models embed queries in another way than documents.
	EmbedQuery(ctx context.Context, text string) ([]float32, error)
}

// Config configures a [Client]. Every zero value selects the default its field names.
type Config struct {
	// Model names the embedder in the cache: two embedders that give different vectors must have different names. Name the
	// model and all that changes its vectors, such as "openai/text-embedding-3-small". Required with Dir.
	Model string
	// Dimensions is how long a vector must be. The default is the length of the first one.
	Dimensions int

	// BatchSize is how many texts are sent in one request at most. The default is 100.
	BatchSize int
	// MaxBatchBytes is how many bytes of text are sent in one request at most, but for a text that is longer alone.
	// The default is 200,000, some 60,000 tokens of English.
	MaxBatchBytes int
	// MaxTextBytes is where a longer text is cut, at a character's boundary: many models refuse what does not fit them. The
	// default is 24,000, some 7,000 tokens of English. A negative value cuts nothing.
	MaxTextBytes int
	// Concurrency is how many requests for documents there are at a time at most, and how many for queries. The default is 4.
	Concurrency int

	// Timeout bounds a request for documents, without its repetitions. The default is 30 seconds.
	Timeout time.Duration
	// QueryTimeout bounds EmbedQuery with all repetitions. The default is 2 seconds.
	QueryTimeout time.Duration
	// Retries is how many times a failed request is repeated. The default is 3; a negative value repeats nothing.
	Retries int
	// Backoff is what the wait before the first repetition is less than. The bound doubles with each further one, up to
	// MaxBackoff, and the wait is a random part of it. The defaults are 500 milliseconds and 10 seconds.
	Backoff, MaxBackoff time.Duration
	// Retryable reports whether a request that failed with err may succeed if it is repeated as it is. If not, and it held
	// several texts, they are sent again in smaller requests to find the text that is at fault. The default is true but for
	// errors whose text holds "status" and a code from 400 to 499 other than 408, 409, 425 and 429.
	Retryable func(err error) bool
	// Cooldown is how long the embedder is not asked after a request and all its repetitions have failed. Meanwhile every
	// request fails at once with a [CooldownError]. Errors that are not Retryable start none: an embedder that refuses a text
	// is alive. The default is 30 seconds; a negative value asks always.
	Cooldown time.Duration

	// Dir is the directory that keeps the vectors of documents. It is created if missing, and any number of processes may
	// share it. It holds hashes of texts, not the texts, but who can read it can check a guess. The default is none.
	Dir string
	// MaxDirBytes bounds what is kept there; what was written first goes first. The default is 256 MiB, which is 40,000
	// vectors of 1,536 dimensions.
	MaxDirBytes int64
	// QueryCache is how many vectors of queries are kept in memory. The default is 1,000; a negative value keeps none.
	QueryCache int

	// Logger gets a warning when a cooldown starts and when Dir cannot be used. The default is silence.
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Dir != "" && c.Model == "":
		return c, errors.New("embedding: Config.Dir is set but Config.Model is not: name the model, since its vectors are found by it")
	case c.Dimensions < 0 || c.Dimensions > maxDimensions:
		return c, fmt.Errorf("embedding: Config.Dimensions is %d, not from 1 to %d", c.Dimensions, maxDimensions)
	}
	orDefault(&c.BatchSize, 100)
	orDefault(&c.MaxBatchBytes, 200_000)
	orDefault(&c.Concurrency, 4)
	orDefault(&c.Timeout, 30*time.Second)
	orDefault(&c.QueryTimeout, 2*time.Second)
	orDefault(&c.Backoff, 500*time.Millisecond)
	orDefault(&c.MaxBackoff, 10*time.Second)
	orDefault(&c.MaxDirBytes, 256<<20)
	orDefaultOrNone(&c.MaxTextBytes, 24_000)
	orDefaultOrNone(&c.Retries, 3)
	orDefaultOrNone(&c.Cooldown, 30*time.Second)
	orDefaultOrNone(&c.QueryCache, 1000)
	if c.Retryable == nil {
		c.Retryable = retryable
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func orDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// orDefaultOrNone makes 0 the default and a negative value 0, which means none.
func orDefaultOrNone[T int | int64 | time.Duration](v *T, def T) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0:
		*v = 0
	}
}
