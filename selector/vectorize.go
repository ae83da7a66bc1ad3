package selector

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/mcpfleet/mcpfleet/internal/recovery"
	"github.com/mcpfleet/mcpfleet/selector/vector"
)

// noVector is the row of a document without a vector: there is no word in it that the embedder knows, or the embedder
// failed.
const noVector = -1

// vrow returns the row of vectors that an entry has.
func (w *writer) vrow(e *entry) int32 {
	if row, ok := w.vectors[e.textSum]; ok {
		return row
	}
	return noVector
}

// vectorize has vectors made of the texts that have none yet: those of entries, and those that failed before. It returns
// all vectors and the documents of the catalogue that have one now. It fails only if ctx ends.
func (s *Selector) vectorize(ctx context.Context, vectors *vector.Index, entries []*entry, gone []string, changes *Changes) (_ *vector.Index, recovered []*entry, err error) {
	if s.opts.LexicalOnly {
		return nil, nil, nil
	}
	for _, id := range gone {
		delete(s.w.waiting, id)
	}
	for _, e := range entries {
		delete(s.w.waiting, e.doc.ID)
	}
	waiting := slices.Collect(maps.Values(s.w.waiting))
	if s.opts.Vectors != nil {
		err = s.mirror(ctx, slices.Concat(waiting, entries), gone, changes)
	} else {
		vectors, err = s.embed(ctx, vectors, slices.Concat(waiting, entries), changes)
	}
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("selector: making vectors: %w", ctx.Err())
	}
	if err != nil {
		changes.Degraded = fmt.Errorf("selector: making vectors: %w", err)
		s.warn("documents have no vectors", err)
	}
	for _, e := range waiting {
		if _, known := s.w.vectors[e.textSum]; known || err == nil {
			delete(s.w.waiting, e.doc.ID)
			recovered = append(recovered, e)
		}
	}
	for _, e := range entries {
		if _, known := s.w.vectors[e.textSum]; !known && err != nil {
			s.w.waiting[e.doc.ID] = e
		}
	}
	return vectors, recovered, nil
}

// embed appends the vectors of texts that were not embedded before. With an error it has done so for some of them.
func (s *Selector) embed(ctx context.Context, vectors *vector.Index, entries []*entry, changes *Changes) (*vector.Index, error) {
	var texts []string
	var sums [][sha256.Size]byte
	asked := map[[sha256.Size]byte]bool{}
	for _, e := range entries {
		if _, known := s.w.vectors[e.textSum]; !known && !asked[e.textSum] {
			asked[e.textSum] = true
			texts, sums = append(texts, e.text), append(sums, e.textSum)
		}
	}
	if len(texts) == 0 {
		return vectors, nil
	}
	embedded, err := protect("Embedder.EmbedDocuments", func() ([][]float32, error) {
		return s.opts.Embedder.EmbedDocuments(ctx, texts)
	})
	if err != nil && len(embedded) != len(texts) {
		return vectors, err
	}
	if len(embedded) != len(texts) {
		return vectors, fmt.Errorf("the embedder returned %d vectors for %d texts", len(embedded), len(texts))
	}
	rows := slices.DeleteFunc(slices.Clone(embedded), zero)
	first := int32(0)
	if len(rows) > 0 {
		if vectors == nil {
			vectors = vector.New(len(rows[0]))
		}
		grown, err := vectors.Append(rows...)
		if err != nil {
			return vectors, err
		}
		first, vectors = int32(vectors.Len()), grown
	}
	for i, v := range embedded {
		switch {
		case v == nil: // it failed
			continue
		case zero(v):
			s.w.vectors[sums[i]] = noVector
		default:
			s.w.vectors[sums[i]] = first
			first++
		}
		changes.Embedded++
	}
	return vectors, err
}

// zero reports whether v has no direction, which is how an embedder says that it knows no word of a text.
func zero(v []float32) bool {
	return !slices.ContainsFunc(v, func(x float32) bool { return x != 0 })
}

// mirror keeps a [VectorIndex] up to date. An item that could not be deleted does no harm: what is found is looked up in
// the catalogue.
func (s *Selector) mirror(ctx context.Context, entries []*entry, gone []string, changes *Changes) error {
	if len(gone) > 0 {
		if _, err := protect("VectorIndex.Delete", func() (struct{}, error) { return struct{}{}, s.opts.Vectors.Delete(ctx, gone) }); err != nil {
			s.warn("vectors of removed documents are left behind", err)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	items := make([]VectorItem, len(entries))
	for i, e := range entries {
		items[i] = VectorItem{ID: e.doc.ID, Text: e.text}
	}
	_, err := protect("VectorIndex.Upsert", func() (struct{}, error) { return struct{}{}, s.opts.Vectors.Upsert(ctx, items) })
	if err == nil {
		changes.Embedded = len(items)
	}
	return err
}

// protect calls code that is not ours. A panic in it becomes an error.
func protect[T any](name string, f func() (T, error)) (T, error) {
	return recovery.Call(f, func(value any, stack []byte) error {
		return fmt.Errorf("%s panicked: %v\n%s", name, value, stack)
	})
}
