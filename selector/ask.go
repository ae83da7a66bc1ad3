package selector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"

	"github.com/mcpfleet/mcpfleet/internal/recovery"
)

// ask returns the vectors of documents, nil for those that the embedder failed at, and why it failed at the first of these.
// Each group of documents is asked for in one call. If that fails, its halves are: one text that the embedder refuses must not
// leave all others without.
func (s *Selector) ask(ctx context.Context, groups ...[]*entry) (vectors [][]float32, err error) {
	type span struct {
		entries []*entry
		at      int   // of the first one in vectors
		err     error // why they are asked for again
	}
	var spans []span
	n := 0
	for _, entries := range groups {
		if len(entries) > 0 {
			spans = append(spans, span{entries, n, nil})
			n += len(entries)
		}
	}
	vectors = make([][]float32, n)
	most := hopeless
	for calls := 0; len(spans) > 0 && calls < most; calls++ {
		sp := spans[0]
		spans = spans[1:]
		made, failed := s.embedDocuments(ctx, sp.entries)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		half := len(sp.entries) / 2
		switch {
		case len(made) > 0: // with an error as well: an embedding.Client returns the vectors that it has
			copy(vectors[sp.at:], made)
			most = maxCalls(n)
			err = cmp.Or(err, failed)
		case half == 0:
			err = cmp.Or(err, fmt.Errorf("of document %s: %w", quote(sp.entries[0].doc.ID), failed))
		case errors.Is(failed, context.DeadlineExceeded): // it is slow, or does not answer: it refuses nothing
			err = cmp.Or(err, failed)
		default:
			spans = append(spans, span{sp.entries[:half], sp.at, failed}, span{sp.entries[half:], sp.at + half, failed})
		}
	}
	for _, sp := range spans { // they wait for the next change
		err = cmp.Or(err, sp.err)
	}
	return vectors, err
}

// hopeless is how many calls fail before the embedder is taken to be down: for all texts, for the halves, and for the quarters,
// of which two texts that it refuses leave two.
const hopeless = 7

// maxCalls bounds the calls of an embedder that answers, for n texts: enough to find two that it refuses.
func maxCalls(n int) int { return max(hopeless, 4*bits.Len(uint(n))) }

// embedDocuments asks for the vectors of documents. It returns one for each, or none and an error.
func (s *Selector) embedDocuments(ctx context.Context, entries []*entry) ([][]float32, error) {
	texts := make([]string, len(entries))
	for i, e := range entries {
		texts[i] = e.text
	}
	made, err := await(ctx, "Embedder.EmbedDocuments", func() ([][]float32, error) {
		return s.opts.Embedder.EmbedDocuments(ctx, texts)
	})
	if len(made) == len(texts) {
		return made, err
	}
	return nil, cmp.Or(err, fmt.Errorf("the embedder returned %d vectors for %d texts", len(made), len(texts)))
}

// await calls code that is not ours, and returns when that does or ctx ends. What ignores ctx goes on in its goroutine, and
// nobody waits for it. A panic becomes an error.
func await[T any](ctx context.Context, name string, f func() (T, error)) (T, error) {
	return recovery.Await(ctx, f, func(value any, stack []byte) error {
		if value == nil {
			return fmt.Errorf("%s ended its goroutine", name)
		}
		return fmt.Errorf("%s panicked: %v\n%s", name, value, stack)
	})
}

// protect calls code that is not ours and that must have ended before anything else is done. A panic in it becomes an error.
func protect[T any](name string, f func() (T, error)) (T, error) {
	return await(context.Background(), name, f)
}
