package selector

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/mcpfleet/mcpfleet/selector/internal/graph"
	"github.com/mcpfleet/mcpfleet/selector/static"
	"github.com/mcpfleet/mcpfleet/selector/tokens"
)

// A Selector holds documents and selects among them. Its methods are safe for concurrent use. Those that read never wait:
// each works on the version of the catalogue that it found. Those that write wait for one another.
type Selector struct {
	opts     Options
	observed *graph.Observations
	observes atomic.Bool // there is something in observed
	current  atomic.Pointer[snapshot]

	// writing holds a token while nobody writes. Whoever took it owns w and the storage that versions share beyond the
	// length of the newest one. An embedder may be called while it is taken.
	writing chan struct{}
	w       writer
}

// New returns an empty Selector. nil means the zero Options.
func New(opts *Options) (*Selector, error) {
	s := &Selector{observed: graph.NewObservations(nil), writing: make(chan struct{}, 1)}
	if opts != nil {
		s.opts = *opts
	}
	o := &s.opts
	switch {
	case o.Vectors != nil && o.LexicalOnly:
		return nil, invalid("Options.Vectors", "is set together with LexicalOnly; set one of them")
	case o.Vectors != nil && o.Embedder != nil:
		return nil, invalid("Options.Embedder", "is set together with Vectors, which embeds by itself; set one of them")
	case o.LexicalOnly || o.Vectors != nil:
		o.Embedder = nil
	case o.Embedder == nil:
		o.Embedder = static.Default()
	}
	if o.Counter == nil {
		o.Counter = tokens.Estimate()
	}
	if o.Weights == nil {
		w := DefaultWeights()
		o.Weights = &w
	} else {
		w := *o.Weights
		o.Weights = &w
	}
	if err := o.Weights.validate(); err != nil {
		return nil, err
	}
	declared, err := declare(o.Edges)
	if err != nil {
		return nil, err
	}
	s.w = newWriter()
	empty := newSnapshot(declared, o.Weights.fusion())
	empty.finish()
	s.current.Store(empty)
	s.writing <- struct{}{}
	return s, nil
}

// Changes says what a change of the catalogue was.
type Changes struct {
	// Added, Updated, Removed and Unchanged count documents.
	Added, Updated, Removed, Unchanged int
	// Embedded counts the documents whose text the embedder was asked for: those whose text was not known yet.
	Embedded int
	// Degraded says why documents have no vectors, if the embedder failed. They are found by their words alone, until
	// [Selector.Add] or [Selector.Embed] reaches the embedder.
	Degraded error
}

// Add adds documents. One whose ID is there already takes its place; nothing is done for one that is the same in all
// fields. Either all are added or none, which is when one cannot be used (an [*InvalidError]) or ctx ends.
func (s *Selector) Add(ctx context.Context, docs ...Document) (Changes, error) {
	return s.change(ctx, docs, func(*writer, map[string]bool) []string { return nil })
}

// Replace makes the catalogue these documents and no others. Like [Selector.Add] it does nothing for what is the same.
func (s *Selector) Replace(ctx context.Context, docs []Document) (Changes, error) {
	return s.change(ctx, docs, func(w *writer, given map[string]bool) []string {
		var gone []string
		for id := range w.rows {
			if !given[id] {
				gone = append(gone, id)
			}
		}
		return gone
	})
}

// Remove removes documents and returns how many of the IDs there were.
func (s *Selector) Remove(ctx context.Context, ids ...string) (int, error) {
	changes, err := s.change(ctx, nil, func(w *writer, _ map[string]bool) []string {
		var gone []string
		for id := range set(ids) { // one that is named twice is there once
			if _, ok := w.rows[id]; ok {
				gone = append(gone, id)
			}
		}
		return gone
	})
	return changes.Removed, err
}

// Embed asks the embedder for the vectors that it failed to make before. Without such documents it does nothing.
func (s *Selector) Embed(ctx context.Context) error {
	changes, err := s.Add(ctx)
	return errors.Join(err, changes.Degraded)
}

// Len returns the number of documents.
func (s *Selector) Len() int { return s.current.Load().all.n }

// change adds docs and removes the IDs that gone returns.
func (s *Selector) change(ctx context.Context, docs []Document, gone func(w *writer, given map[string]bool) []string) (Changes, error) {
	entries := make([]*entry, len(docs))
	given := make(map[string]bool, len(docs))
	for i, d := range docs {
		e, err := newEntry(d, s.opts.Counter)
		if err != nil {
			return Changes{}, err
		}
		if given[e.doc.ID] {
			return Changes{}, invalid("Document.ID", "%s is given twice", quote(e.doc.ID))
		}
		given[e.doc.ID] = true
		entries[i] = e
	}
	if ctx.Err() != nil { // select would choose by chance
		return Changes{}, fmt.Errorf("selector: changing the catalogue: %w", ctx.Err())
	}
	select {
	case <-s.writing:
		defer func() { s.writing <- struct{}{} }()
	case <-ctx.Done():
		return Changes{}, fmt.Errorf("selector: waiting for another change: %w", ctx.Err())
	}
	return s.apply(ctx, entries, gone(&s.w, given))
}
