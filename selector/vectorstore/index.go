package vectorstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/tmc/langchaingo/schema"
	"github.com/tmc/langchaingo/vectorstores"

	"github.com/mcpfleet/mcpfleet/selector"
)

// An Index is a [selector.VectorIndex] over a vector store. Make one with [New]; its methods are safe for concurrent use. It
// finds what was upserted into it since it was made, wherever the documents come from.
type Index struct {
	store   vectorstores.VectorStore
	cfg     Config
	scope   string // hexadecimal
	slots   chan struct{}
	current *catalogue

	// write is held while documents are added and removed. It is a channel, so that who waits for it can give up.
	write chan struct{}
	known map[string]bool // the keys that the store holds, nil before it has been asked; guarded by write
}

var _ selector.VectorIndex = (*Index)(nil)

// New returns an empty index over store, which must be safe for concurrent use unless [Config.Concurrency] is 1. cfg may be nil.
// New panics if store is nil.
func New(store vectorstores.VectorStore, cfg *Config) *Index {
	if store == nil {
		panic("vectorstore: New with a nil VectorStore")
	}
	if cfg == nil {
		cfg = &Config{}
	}
	x := &Index{store: store, cfg: cfg.withDefaults(), write: make(chan struct{}, 1)}
	x.current = newCatalogue(x.cfg.Remove != nil)
	x.scope = hash("scope", x.cfg.Scope)
	x.slots = make(chan struct{}, x.cfg.Concurrency)
	return x
}

// hash returns half a SHA-256 in hexadecimal digits.
func hash(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part)) // of one length, so that no two lists of parts look alike
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// storable returns text without what PostgreSQL refuses to store.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

func (x *Index) lock(ctx context.Context, op string) error {
	select {
	case x.write <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &opError{op, ctx.Err()}
	}
}

func (x *Index) unlock() { <-x.write }

// Upsert implements [selector.VectorIndex]. Documents are added in batches; those of a batch that fails keep their
// earlier text.
func (x *Index) Upsert(ctx context.Context, items []selector.VectorItem) error {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.ID
	}
	ticket := x.current.begin(ids)
	defer x.current.end(ticket, ids)
	if err := x.lock(ctx, "adding tools"); err != nil {
		return err
	}
	defer x.unlock()
	if err := x.list(ctx); err != nil {
		return err
	}

	last := make(map[string]int, len(items)) // of two items with one ID the second counts
	for i, item := range items {
		last[item.ID] = i
	}
	owners := make(map[string][]string)
	var docs []schema.Document
	for i, item := range items {
		if last[item.ID] != i {
			continue
		}
		text := storable(item.Text)
		key := hash(x.scope, text)
		if owners[key] == nil && !x.known[key] {
			docs = append(docs, schema.Document{PageContent: text, Metadata: map[string]any{ScopeKey: x.scope, DocumentKey: key}})
		}
		owners[key] = append(owners[key], item.ID)
	}
	for key, ids := range owners {
		if x.known[key] {
			x.current.commit(ticket, key, ids)
		}
	}
	if err := x.add(ctx, docs, func(key string) { x.current.commit(ticket, key, owners[key]) }); err != nil {
		return err
	}
	if err := x.sweep(ctx); err != nil { // what is left of earlier texts harms nobody, and the next sweep tries again
		x.cfg.Logger.Warn("vectorstore: documents that are not current stay in the store", "error", err)
	}
	return nil
}

// list learns once what the store holds. x.write is held.
func (x *Index) list(ctx context.Context) error {
	if x.known != nil {
		return nil
	}
	keys, err := x.listKeys(ctx)
	if err != nil {
		return err
	}
	x.known = make(map[string]bool, len(keys))
	for _, key := range keys {
		x.known[key] = true
	}
	return nil
}

func (x *Index) listKeys(ctx context.Context) (keys []string, err error) {
	if x.cfg.List != nil {
		return call(ctx, x.slots, "listing documents", func() ([]string, error) { return x.cfg.List(ctx, x.scope) })
	}
	for n := min(1000, x.cfg.MaxList); ; n = min(n*10, x.cfg.MaxList) {
		docs, err := x.ask(ctx, "listing documents", "tool", n)
		if err != nil {
			return nil, err
		}
		if len(docs) < n || n == x.cfg.MaxList {
			for _, doc := range docs {
				if key, ok := doc.Metadata[DocumentKey].(string); ok {
					keys = append(keys, key)
				}
			}
			return keys, nil
		}
	}
}

// add adds docs and calls added, from one goroutine at a time, for each that is in the store. x.write is held.
func (x *Index) add(ctx context.Context, docs []schema.Document, added func(key string)) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for batch := range slices.Chunk(docs, x.cfg.BatchSize) {
		wg.Go(func() {
			_, err := call(ctx, x.slots, "adding tools", func() ([]string, error) {
				return x.store.AddDocuments(ctx, batch, x.cfg.AddOptions...)
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			for _, doc := range batch {
				key := doc.Metadata[DocumentKey].(string)
				x.known[key] = true
				added(key)
			}
		})
	}
	wg.Wait()
	if len(errs) > 1 {
		return errs[0] // they failed together, for one reason
	}
	return errors.Join(errs...)
}

// Delete implements [selector.VectorIndex].
func (x *Index) Delete(ctx context.Context, ids []string) error {
	x.current.remove(ids)
	if x.cfg.Remove == nil {
		return nil
	}
	if err := x.lock(ctx, "removing documents"); err != nil {
		return err
	}
	defer x.unlock()
	return x.sweep(ctx)
}

// sweep removes documents that are current no more. Those that it fails to remove are tried again by the next. x.write is
// held, so that none of them becomes current meanwhile.
func (x *Index) sweep(ctx context.Context) error {
	if x.cfg.Remove == nil {
		return nil
	}
	orphans := x.current.orphaned()
	if len(orphans) == 0 {
		return nil
	}
	for _, key := range orphans {
		delete(x.known, key) // even if it fails: who knows how far it came
	}
	_, err := call(ctx, x.slots, "removing documents", func() (struct{}, error) { return struct{}{}, x.cfg.Remove(ctx, orphans) })
	if err != nil {
		return err
	}
	x.current.forget(orphans)
	return nil
}

// Search implements [selector.VectorIndex]. It asks for more documents, at most [Config.MaxFetch], as long as it lacks results
// that there are. If keep accepts no current tool the store is not asked.
func (x *Index) Search(ctx context.Context, query string, k int, keep func(id string) bool) ([]selector.Neighbour, error) {
	there := x.current.count(keep, k)
	if there < 1 {
		return nil, nil
	}
	most := max(there, x.cfg.MaxFetch)
	for n := atMost(most, k, 2); ; n = atMost(most, n, 4) {
		docs, err := x.ask(ctx, "searching", storable(query), n)
		if err != nil {
			return nil, err
		}
		found := x.found(docs, there, keep)
		if len(found) == there || len(docs) < n || n == most {
			return found, nil
		}
	}
}

// atMost returns n times factor, or most if that is less. It does not overflow.
func atMost(most, n, factor int) int {
	if n > most/factor {
		return most
	}
	return n * factor
}

func (x *Index) ask(ctx context.Context, op, query string, n int) ([]schema.Document, error) {
	options := x.cfg.SearchOptions
	if filter := x.cfg.Filter(ScopeKey, x.scope); filter != nil {
		options = append(slices.Clip(options), vectorstores.WithFilters(filter))
	}
	return call(ctx, x.slots, op, func() ([]schema.Document, error) {
		return x.store.SimilaritySearch(ctx, query, n, options...)
	})
}

// found returns the first k tools of docs that are current and that keep accepts.
func (x *Index) found(docs []schema.Document, k int, keep func(id string) bool) []selector.Neighbour {
	var found []selector.Neighbour
	seen := make(map[string]bool, len(docs))
	for _, doc := range docs {
		key, _ := doc.Metadata[DocumentKey].(string)
		score := x.cfg.Score(doc.Score)
		if seen[key] || math.IsNaN(float64(score)) {
			continue
		}
		seen[key] = true
		for _, id := range x.current.of(key) {
			if keep != nil && !keep(id) {
				continue
			}
			found = append(found, selector.Neighbour{ID: id, Score: score})
			if len(found) == k {
				return found
			}
		}
	}
	return found
}
