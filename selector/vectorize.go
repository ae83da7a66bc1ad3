package selector

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

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
// all vectors and the documents of the catalogue that have one now. It fails only if ctx ends, and none of it counts then.
func (s *Selector) vectorize(ctx context.Context, old *snapshot, entries []*entry, gone []string, changes *Changes) (_ *vector.Index, recovered []*entry, err error) {
	if s.opts.LexicalOnly {
		return nil, nil, nil
	}
	leaving := set(gone)
	for _, e := range entries {
		leaving[e.doc.ID] = true
	}
	var waiting []*entry
	for id, e := range s.w.waiting {
		if !leaving[id] {
			waiting = append(waiting, e)
		}
	}
	vectors := old.vectors
	var made map[[sha256.Size]byte]int32
	if s.opts.Vectors != nil {
		err = s.upsert(ctx, slices.Concat(waiting, entries), changes)
	} else {
		vectors, made, err = s.embed(ctx, vectors, entries, waiting, changes)
	}
	if ctx.Err() != nil {
		if s.opts.Vectors != nil {
			s.upsertAgain(old, entries)
		}
		return nil, nil, fmt.Errorf("selector: making vectors: %w", ctx.Err())
	}
	if err != nil {
		changes.Degraded = fmt.Errorf("selector: making vectors: %w", err)
		s.warn("documents have no vectors", err)
	}
	if s.opts.Vectors != nil && len(gone) > 0 {
		s.discard(ctx, gone)
	}
	for id := range leaving {
		delete(s.w.waiting, id)
	}
	maps.Copy(s.w.vectors, made)
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

// embed returns vectors with those of texts that were not embedded before, and the rows of these. With an error it has done
// so for some of them: a text that the embedder cannot make a vector of must not leave all others without. It has failed at
// those of waiting before, so the others are asked for without them.
func (s *Selector) embed(ctx context.Context, vectors *vector.Index, entries, waiting []*entry, changes *Changes) (_ *vector.Index, made map[[sha256.Size]byte]int32, err error) {
	made = map[[sha256.Size]byte]int32{}
	var asked []*entry
	unknown := func(entries []*entry) {
		for _, e := range entries {
			if _, known := s.w.vectors[e.textSum]; known {
				continue
			}
			if _, twice := made[e.textSum]; !twice {
				made[e.textSum] = noVector
				asked = append(asked, e)
			}
		}
	}
	unknown(entries)
	fresh := len(asked)
	unknown(waiting)
	clear(made)
	if len(asked) == 0 {
		return vectors, nil, nil
	}
	embedded, err := s.ask(ctx, asked[:fresh], asked[fresh:])
	if dim := dimension(embedded); dim > 0 && (vectors == nil || vectors.Len() == 0) {
		vectors = vector.New(dim)
	}
	for i, v := range embedded {
		row, bad := int32(noVector), error(nil)
		switch {
		case len(v) == 0:
			bad = errNoVector
		case !zero(v):
			var grown *vector.Index
			if grown, bad = vectors.Append(v); bad == nil {
				row, vectors = int32(vectors.Len()), grown
			}
		}
		if bad == nil {
			made[asked[i].textSum] = row
			changes.Embedded++
		} else if err == nil {
			err = fmt.Errorf("of document %s: %w", quote(asked[i].doc.ID), bad)
		}
	}
	return vectors, made, err
}

var errNoVector = errors.New("the embedder returned no vector")

// dimension returns the length that most vectors have.
func dimension(vectors [][]float32) int {
	most, count := 0, map[int]int{}
	for _, v := range vectors {
		if n := len(v); !zero(v) {
			if count[n]++; count[n] > count[most] {
				most = n
			}
		}
	}
	return most
}

// zero reports whether v has no direction, which is how an embedder says that it knows no word of a text.
func zero(v []float32) bool {
	return !slices.ContainsFunc(v, func(x float32) bool { return x != 0 })
}

// upsert brings a [VectorIndex] up to date.
func (s *Selector) upsert(ctx context.Context, entries []*entry, changes *Changes) error {
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

// upsertAgain has the items of documents that were to be replaced upserted again with the next change: they may have been
// replaced already.
func (s *Selector) upsertAgain(old *snapshot, entries []*entry) {
	for _, e := range entries {
		if row, there := s.w.rows[e.doc.ID]; there {
			s.w.waiting[e.doc.ID] = old.entries[row]
		}
	}
}

// discard removes items from a [VectorIndex]. One that could not be deleted does no harm: what is found is looked up in the
// catalogue.
func (s *Selector) discard(ctx context.Context, gone []string) {
	if _, err := protect("VectorIndex.Delete", func() (struct{}, error) { return struct{}{}, s.opts.Vectors.Delete(ctx, gone) }); err != nil {
		s.warn("vectors of removed documents are left behind", err)
	}
}
