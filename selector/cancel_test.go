package selector

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// An interrupting embedder does its work, and then calls after.
type interrupting struct {
	flaky
	after func()
}

func (i *interrupting) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	vectors, err := i.flaky.EmbedDocuments(ctx, texts)
	if i.after != nil {
		i.after()
	}
	return vectors, err
}

func TestAChangeThatIsCancelledLateLeavesNoVectorsBehind(t *testing.T) {
	docs := catalogue(20)
	e := &interrupting{}
	s := newSelector(t, &Options{Embedder: e}, docs[:5]...)
	ctx, cancel := context.WithCancel(t.Context())
	e.after = cancel
	if _, err := s.Add(ctx, docs[5:10]...); !errors.Is(err, context.Canceled) || s.Len() != 5 {
		t.Fatalf("Add = %v, %d documents", err, s.Len())
	}
	e.after = nil
	// Others take the rows that the vectors of the cancelled change would have had.
	for _, part := range [][]Document{docs[7:], docs[5:7]} {
		if _, err := s.Add(t.Context(), part...); err != nil {
			t.Fatal(err)
		}
	}
	sameAsFresh(t, s, &Options{Embedder: &flaky{}}, docs)
}

func TestACancelledChangeForgetsNoneThatWaits(t *testing.T) {
	docs := catalogue(50)
	e := &interrupting{flaky: flaky{err: errDown}}
	s := newSelector(t, &Options{Embedder: e}, docs...)
	other := slices.Clone(docs)
	for i := range other {
		other[i].Description = "other"
	}
	for _, change := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := s.Add(ctx, other...); return err },
		func(ctx context.Context) error { _, err := s.Replace(ctx, other[:1]); return err },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		e.after = cancel
		if err := change(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("the change: %v", err)
		}
	}
	e.err, e.after = nil, nil
	if err := s.Embed(t.Context()); err != nil {
		t.Fatal(err)
	}
	sameAsFresh(t, s, &Options{Embedder: &flaky{}}, docs)
}

// An interrupted index does its work, and then calls after and returns what that returns.
type interrupted struct {
	listIndex
	after func() error
}

func (i *interrupted) Upsert(ctx context.Context, items []VectorItem) error {
	err := i.listIndex.Upsert(ctx, items)
	if i.after != nil {
		err = i.after()
	}
	return err
}

func TestACancelledChangeIsUndoneInAVectorIndex(t *testing.T) {
	docs := catalogue(60)
	index := &interrupted{}
	s := newSelector(t, &Options{Vectors: index}, docs...)
	other := slices.Clone(docs[:30])
	for i := range other {
		other[i].Description = "other"
	}
	ctx, cancel := context.WithCancel(t.Context())
	index.after = func() error { cancel(); return ctx.Err() }
	if _, err := s.Replace(ctx, other); !errors.Is(err, context.Canceled) {
		t.Fatalf("Replace: %v", err)
	}
	index.after = nil
	if err := s.Embed(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := &listIndex{}
	sameAsFresh(t, s, &Options{Vectors: fresh}, docs)
	for id, text := range fresh.items {
		if index.items[id] != text {
			t.Errorf("item %s has the text %q, want %q", id, index.items[id], text)
		}
	}
}

func TestAnEndedContextChangesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	docs := catalogue(3)
	for range 50 { // it is not left to chance
		s := newSelector(t, &Options{LexicalOnly: true}, docs[0])
		if _, err := s.Add(ctx, docs...); !errors.Is(err, context.Canceled) || s.Len() != 1 {
			t.Fatalf("Add = %v, %d documents", err, s.Len())
		}
	}
}

// A hanging embedder answers when ctx is done.
type hanging struct{ flaky }

func (*hanging) EmbedDocuments(ctx context.Context, _ []string) ([][]float32, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAHangingEmbedderHoldsUpWritersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		docs := catalogue(20)
		s, err := New(&Options{Embedder: &hanging{}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := s.Add(ctx, docs...); done <- err }()
		synctest.Wait()
		if found := mustSelect(t, s, Query{Text: "an issue"}); found.Of != 0 {
			t.Errorf("%d documents while they are added", found.Of)
		}
		second, cancelSecond := context.WithCancel(t.Context())
		waits := make(chan error)
		go func() { _, err := s.Remove(second, docs[0].ID); waits <- err }()
		synctest.Wait()
		cancelSecond()
		if err := <-waits; !errors.Is(err, context.Canceled) {
			t.Errorf("Remove behind a hanging Add: %v", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || s.Len() != 0 {
			t.Errorf("Add = %v, %d documents", err, s.Len())
		}
	})
}

// A spoiling embedder has a vector of its own for texts with the word "poison".
type spoiling struct {
	flaky
	bad []float32
}

func (p *spoiling) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	vectors, err := p.flaky.EmbedDocuments(ctx, texts)
	for i, text := range texts {
		if strings.Contains(text, "poison") {
			vectors[i] = p.bad
		}
	}
	return vectors, err
}

func TestOneBadVectorHarmsNoOtherDocument(t *testing.T) {
	long := make([]float32, 17)
	long[0] = 1
	for name, bad := range map[string][]float32{
		"not a number": slices.Repeat([]float32{float32(math.NaN())}, 16), "too long": long, "too short": {1}, "nil": nil, "empty": {},
	} {
		docs := catalogue(100)
		docs[0].Description = "poison"
		p := &spoiling{bad: bad}
		s, err := New(&Options{Embedder: p})
		if err != nil {
			t.Fatal(err)
		}
		changes, err := s.Add(t.Context(), docs...)
		if err != nil || changes.Embedded != 99 || changes.Degraded == nil || !strings.Contains(changes.Degraded.Error(), docs[0].ID) {
			t.Errorf("%s: %+v, %v; want 99 embedded, and to be told of %s", name, changes, err, docs[0].ID)
		}
		if err := s.Embed(t.Context()); err == nil {
			t.Errorf("%s: Embed does not say that a document has no vector", name)
		}
		p.bad = p.vector("well")
		if err := s.Embed(t.Context()); err != nil {
			t.Errorf("%s: Embed = %v", name, err)
		}
		if found := mustSelect(t, s, Query{Text: "create an issue"}); found.Degraded != nil {
			t.Errorf("%s: %v", name, found.Degraded)
		}
	}
}

func TestADimensionIsNotSettledByBadVectors(t *testing.T) {
	docs := catalogue(10)
	for i := range docs {
		docs[i].Description += " poison"
	}
	p := &spoiling{bad: []float32{float32(math.NaN())}}
	s, err := New(&Options{Embedder: p})
	if err != nil {
		t.Fatal(err)
	}
	if changes, err := s.Add(t.Context(), docs...); err != nil || changes.Embedded != 0 || changes.Degraded == nil {
		t.Errorf("Add = %+v, %v", changes, err)
	}
	p.bad = p.vector("well")
	if err := s.Embed(t.Context()); err != nil {
		t.Errorf("Embed = %v", err)
	}
	if found := mustSelect(t, s, Query{Text: "create an issue"}); found.Degraded != nil {
		t.Errorf("degraded: %v", found.Degraded)
	}
}

// A mute embedder has no vectors for queries.
type mute struct{ flaky }

func (*mute) EmbedQuery(context.Context, string) ([]float32, error) { return nil, nil }

func TestAQueryWithoutAVectorIsDegraded(t *testing.T) {
	s := newSelector(t, &Options{Embedder: &mute{}}, catalogue(10)...)
	if found := mustSelect(t, s, Query{Text: "create an issue"}); len(found.Tools) != 10 || found.Degraded == nil {
		t.Errorf("%d tools, degraded %v", len(found.Tools), found.Degraded)
	}
}

// sameAsFresh checks that s finds what a new selector of the same documents finds.
func sameAsFresh(t *testing.T, s *Selector, opts *Options, docs []Document) {
	t.Helper()
	fresh := newSelector(t, opts, docs...)
	for _, text := range []string{"create an issue", "share the folder with a customer"} {
		q := Query{Text: text, MaxTools: 30}
		if got, want := shown(mustSelect(t, s, q)), shown(mustSelect(t, fresh, q)); got != want {
			t.Errorf("%q:\n%swant\n%s", text, got, want)
		}
	}
}
