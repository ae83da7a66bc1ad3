package selector

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A moody embedder fails at the query of this number, counted from 0, and at all texts that hold the word "poison".
type moody struct {
	flaky
	failAt  int
	queries int
}

func (m *moody) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	m.queries++
	if m.queries == m.failAt+1 {
		return nil, errDown
	}
	return m.flaky.EmbedQuery(ctx, text)
}

func (m *moody) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	vectors, err := m.flaky.EmbedDocuments(ctx, texts)
	if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "poison") }) {
		m.texts -= len(texts)
		return nil, errRefused
	}
	return vectors, err
}

var errRefused = errors.New("refused")

func TestAllStepsOfASelectionAreScoredAlike(t *testing.T) {
	docs := catalogue(200)
	steps := []string{"search for the customer", "export the invoice", "share the folder"}
	down := &flaky{}
	words := newSelector(t, &Options{Embedder: down}, docs...)
	down.err = errDown
	for _, q := range []Query{
		{Steps: steps, MaxTools: 20}, {Text: "delete the branch", Steps: steps, MaxTools: 20}, {Text: "delete the branch. Then share the folder."},
	} {
		want := shown(mustSelect(t, words, q))
		for failAt := range len(steps) + 1 {
			m := &moody{failAt: failAt}
			found := mustSelect(t, newSelector(t, &Options{Embedder: m}, docs...), q)
			if m.queries <= failAt { // it was not asked so often
				continue
			}
			if got := shown(found); got != want || !errors.Is(found.Degraded, errDown) {
				t.Errorf("with a failure at query %d, degraded %v:\n%swant\n%s", failAt, found.Degraded, got, want)
			}
			if m.queries != failAt+1 {
				t.Errorf("%d queries, although that of number %d failed", m.queries, failAt)
			}
		}
	}
}

func TestPartsAreThoseOfTheScoresAfterAFailure(t *testing.T) {
	s := newSelector(t, &Options{Embedder: &moody{failAt: 1}}, catalogue(50)...)
	for _, tool := range mustSelect(t, s, Query{Steps: []string{"search for the customer", "export the invoice"}, Explain: true}).Tools {
		if tool.Parts.Vector != 0 {
			t.Errorf("%s has %v for its vector", tool.Document.ID, tool.Parts.Vector)
		}
	}
}

// A deaf embedder does not hear that its context ends: it answers when release is closed.
type deaf struct {
	flaky
	release chan struct{}
	stuck   atomic.Int32
	queries bool // it is deaf to queries, else to documents
}

func (d *deaf) wait() {
	d.stuck.Add(1)
	<-d.release
	d.stuck.Add(-1)
}

func (d *deaf) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	if d.queries {
		d.wait()
	}
	return d.flaky.EmbedQuery(ctx, text)
}

func (d *deaf) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	if !d.queries {
		d.wait()
	}
	return d.flaky.EmbedDocuments(ctx, texts)
}

func TestADeafEmbedderHoldsNoSelectionBeyondItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		docs := catalogue(20)
		d := &deaf{release: make(chan struct{}), queries: true}
		s := newSelector(t, &Options{Embedder: d}, docs[:10]...)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := s.Select(ctx, Query{Steps: []string{"an issue", "an invoice", "a branch"}})
			done <- err
		}()
		synctest.Wait()
		if _, err := s.Add(t.Context(), docs[10:]...); err != nil || s.Len() != 20 { // writers do not wait for it
			t.Errorf("Add = %v, %d documents", err, s.Len())
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Select = %v", err)
		}
		if n := d.stuck.Load(); n != 1 {
			t.Errorf("%d calls are stuck, want that of the first step", n)
		}
		close(d.release)
	})
}

func TestADeafEmbedderHoldsNoChangeBeyondItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		docs := catalogue(20)
		d := &deaf{release: make(chan struct{})}
		s, err := New(&Options{Embedder: d})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := s.Add(ctx, docs...); done <- err }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || s.Len() != 0 {
			t.Errorf("Add = %v, %d documents", err, s.Len())
		}
		if n := d.stuck.Load(); n != 1 {
			t.Errorf("%d calls are stuck, want 1", n)
		}
		close(d.release)
		synctest.Wait()
		if _, err := s.Add(t.Context(), docs...); err != nil {
			t.Error(err)
		}
		sameAsFresh(t, s, &Options{Embedder: &flaky{}}, docs)
	})
}

// A deafIndex does not hear that the context of a search ends.
type deafIndex struct {
	listIndex
	release chan struct{}
}

func (d *deafIndex) Search(ctx context.Context, query string, k int, keep func(string) bool) ([]Neighbour, error) {
	<-d.release
	return d.listIndex.Search(ctx, query, k, keep)
}

func TestADeafVectorIndexHoldsNoSelectionBeyondItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deafIndex{release: make(chan struct{})}
		s := newSelector(t, &Options{Vectors: d}, catalogue(10)...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Select(ctx, Query{Text: "an issue"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Select = %v", err)
		}
		close(d.release)
	})
}

// An ending embedder ends the goroutines that call it, once it has been told to.
type ending struct {
	flaky
	now bool
}

func (e *ending) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	if e.now {
		runtime.Goexit()
	}
	return e.flaky.EmbedDocuments(ctx, texts)
}

func (e *ending) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	if e.now {
		runtime.Goexit()
	}
	return e.flaky.EmbedQuery(ctx, text)
}

func TestAnEmbedderThatEndsItsGoroutineEndsNoOther(t *testing.T) {
	docs := catalogue(11)
	e := &ending{}
	s := newSelector(t, &Options{Embedder: e}, docs[:10]...)
	e.now = true
	if found := mustSelect(t, s, Query{Text: "an issue"}); len(found.Tools) != 10 || found.Degraded == nil {
		t.Errorf("%d tools, degraded %v", len(found.Tools), found.Degraded)
	}
	if changes, err := s.Add(t.Context(), docs[10]); err != nil || changes.Added != 1 || changes.Degraded == nil {
		t.Errorf("Add = %+v, %v", changes, err)
	}
}

func TestATextThatIsRefusedHarmsNoOtherDocument(t *testing.T) {
	for _, at := range [][]int{{0}, {99}, {31, 77}, {12, 13}} {
		docs := catalogue(101)
		for _, i := range at {
			docs[i].Description = "poison"
		}
		m := &moody{failAt: -1}
		s, err := New(&Options{Embedder: m})
		if err != nil {
			t.Fatal(err)
		}
		changes, err := s.Add(t.Context(), docs[:100]...)
		if err != nil || changes.Embedded != 100-len(at) || !errors.Is(changes.Degraded, errRefused) || !strings.Contains(changes.Degraded.Error(), docs[at[0]].ID) {
			t.Errorf("%v: %+v, %v; want %d embedded, and to be told of %s", at, changes, err, 100-len(at), docs[at[0]].ID)
		}
		if most := 4 * bits.Len(100); m.calls > most {
			t.Errorf("%v: %d calls, want at most %d", at, m.calls, most)
		}
		// What is refused does not stand in the way of what comes later.
		m.calls = 0
		if changes, err := s.Add(t.Context(), docs[100]); err != nil || changes.Embedded != 1 || m.calls > 4 {
			t.Errorf("%v: one more: %+v, %v; %d calls", at, changes, err, m.calls)
		}
		for _, i := range at {
			docs[i].Description = "well"
		}
		if changes, err := s.Add(t.Context(), docs...); err != nil || changes.Degraded != nil || changes.Embedded != len(at) {
			t.Errorf("%v: mended: %+v, %v", at, changes, err)
		}
		sameAsFresh(t, s, &Options{Embedder: &flaky{}}, docs)
	}
}

// However many texts are refused, an embedder that answers is not asked for each, and one that is down hardly at all.
func TestTheCallsOfAnEmbedderAreBounded(t *testing.T) {
	docs := catalogue(1000)
	for i := range docs {
		if i%3 == 0 {
			docs[i].Description = "poison"
		}
	}
	for name, c := range map[string]struct {
		embedder *moody
		most     int
	}{
		"texts are refused": {&moody{failAt: -1}, 4 * bits.Len(1000)},
		"it is down":        {&moody{failAt: -1, flaky: flaky{err: errDown}}, 7},
		"it panics":         {&moody{failAt: -1, flaky: flaky{panics: true}}, 7},
		"it is too slow":    {&moody{failAt: -1, flaky: flaky{err: fmt.Errorf("asking: %w", context.DeadlineExceeded)}}, 1},
	} {
		good := slices.Clone(docs)
		if c.embedder.err != nil {
			good = catalogue(1000)
		}
		s, err := New(&Options{Embedder: c.embedder})
		if err != nil {
			t.Fatal(err)
		}
		if changes, err := s.Add(t.Context(), good...); err != nil || changes.Degraded == nil {
			t.Errorf("%s: %+v, %v", name, changes, err)
		}
		if c.embedder.calls > c.most {
			t.Errorf("%s: %d calls, want at most %d", name, c.embedder.calls, c.most)
		}
	}
}

func TestABatchThatIsTooLargeIsDivided(t *testing.T) {
	docs := catalogue(100)
	e := &limited{}
	s := newSelector(t, &Options{Embedder: e}, docs...)
	if found := mustSelect(t, s, Query{Text: "an issue"}); found.Degraded != nil {
		t.Errorf("degraded: %v", found.Degraded)
	}
	sameAsFresh(t, s, &Options{Embedder: &flaky{}}, docs)
}

// A limited embedder takes 30 texts at a time.
type limited struct{ flaky }

func (l *limited) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	if len(texts) > 30 {
		return nil, errors.New("too many texts")
	}
	return l.flaky.EmbedDocuments(ctx, texts)
}

// A terse embedder knows no word of texts that hold "zebra".
type terse struct{ flaky }

func (e *terse) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	vectors, err := e.flaky.EmbedDocuments(ctx, texts)
	for i, text := range texts {
		if strings.Contains(text, "zebra") {
			clear(vectors[i])
		}
	}
	return vectors, err
}

func TestALayoutAnewForgetsNoTextOfADocument(t *testing.T) {
	for name, docs := range map[string][]Document{"some have vectors": catalogue(20), "none has one": nil} {
		zebra := Document{ID: "zebra", Name: "zebra", Description: "zebra"}
		e := &terse{}
		s := newSelector(t, &Options{Embedder: e}, append(docs, zebra)...)
		for i := range 2 * minDead { // updates, all but the last of which are gone
			if _, err := s.Add(t.Context(), Document{ID: "x", Name: "x", Description: fmt.Sprint("zebra ", i)}); err != nil {
				t.Fatal(err)
			}
		}
		if rows := len(s.current.Load().entries); rows > 20+2+minDead {
			t.Fatalf("%s: %d rows: nothing was laid out anew, so this test shows nothing", name, rows)
		}
		asked := e.texts
		zebra.Labels = []string{"other"}
		for i := range docs {
			docs[i].Labels = []string{"other"}
		}
		changes, err := s.Add(t.Context(), append(docs, zebra)...)
		if err != nil || changes.Updated != len(docs)+1 || changes.Embedded != 0 || e.texts != asked {
			t.Errorf("%s: %+v, %v; %d texts were asked for that were known", name, changes, err, e.texts-asked)
		}
	}
}
