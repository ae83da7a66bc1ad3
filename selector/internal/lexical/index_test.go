package lexical

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfleet/mcpfleet/internal/text"
	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

func (x *Index) bm25f(terms []Term, allowed []uint64) []float32 {
	scores := make([]float32, x.Len())
	x.BM25F(scores, terms, allowed, x.Stats(allowed))
	return scores
}

func (x *Index) alike(terms []Term, allowed []uint64) []float32 {
	scores := make([]float32, x.Len())
	x.Grams(scores, terms, allowed, x.Stats(allowed))
	return scores
}

func near(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	for row := range want {
		if math.Abs(float64(got[row])-want[row]) > tolerance*max(1, want[row]) {
			t.Fatalf("%s of row %d = %v, want %v", what, row, got[row], want[row])
		}
	}
}

func TestScoresAreThoseOfTheTwin(t *testing.T) {
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		docs := corpus(rnd, rnd.IntN(80))
		x, plain := New(nil).Append(docs...), newTwin(docs)
		matched := false
		for range 5 {
			terms := request(rnd)
			for _, allowed := range [][]uint64{nil, subset(rnd, len(docs)), {}} {
				scores := x.bm25f(terms, allowed)
				near(t, "BM25F", scores, plain.bm25f(terms, allowed), 1e-4)
				// A level is an eighth: weights are rounded.
				near(t, "Grams", x.alike(terms, allowed), plain.grams(terms, allowed), 0.02)
				matched = matched || slices.Max(append(scores, 0)) > 0
			}
		}
		if len(docs) > 5 && !matched {
			t.Errorf("seed %d: no request matches anything", seed)
		}
	}
}

// What a user may not see must not change what they get, not even in the last bit.
func TestSubsetScoresAsIfTheRestDidNotExist(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	docs := corpus(rnd, 200)
	x := New(nil).Append(docs...)
	for range 20 {
		allowed := subset(rnd, len(docs))
		var kept []Document
		for row := range docs {
			if rowset.Has(allowed, row) {
				kept = append(kept, docs[row])
			}
		}
		alone := New(nil).Append(kept...)
		terms := request(rnd)
		for what, pair := range map[string][2][]float32{
			"BM25F": {x.bm25f(terms, allowed), alone.bm25f(terms, nil)},
			"Grams": {x.alike(terms, allowed), alone.alike(terms, nil)},
		} {
			i := 0
			for row, got := range pair[0] {
				want := float32(0)
				if rowset.Has(allowed, row) {
					want = pair[1][i]
					i++
				}
				if got != want {
					t.Fatalf("%s of row %d = %v, want %v", what, row, got, want)
				}
			}
		}
		for _, term := range terms {
			if got, want := x.Frequency(term.Stem, allowed), alone.Frequency(term.Stem, nil); got != want {
				t.Errorf("Frequency(%q) = %d, want %d", term.Stem, got, want)
			}
		}
	}
}

func TestAppendOneByOneIsAppendAtOnce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	docs := corpus(rnd, 150)
	whole, grown := New(nil).Append(docs...), New(nil)
	for _, doc := range docs {
		grown = grown.Append(doc)
	}
	for range 20 {
		terms := request(rnd)
		if !slices.Equal(whole.bm25f(terms, nil), grown.bm25f(terms, nil)) || !slices.Equal(whole.alike(terms, nil), grown.alike(terms, nil)) {
			t.Fatalf("scores of %v differ", terms)
		}
	}
}

// Readers of every version compare it with what it was when it was new, while the writer goes on.
func TestOldVersionsStayAsTheyWere(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	docs := corpus(rnd, 120)
	terms := request(rnd)
	x := New(nil)
	var wg sync.WaitGroup
	for i := 0; i < len(docs); i += 10 {
		x = x.Append(docs[i : i+10]...)
		version, bm25f, grams := x, x.bm25f(terms, nil), x.alike(terms, nil)
		frequency := x.Frequency(terms[0].Stem, nil)
		wg.Go(func() {
			for range 10 {
				if !slices.Equal(version.bm25f(terms, nil), bm25f) || !slices.Equal(version.alike(terms, nil), grams) ||
					version.Frequency(terms[0].Stem, nil) != frequency {
					t.Errorf("a version of %d rows has changed", version.Len())
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestCountsAreThoseOfTheFields(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	docs := corpus(rnd, 60)
	x := New(nil).Append(docs...)
	for row, doc := range docs {
		for _, term := range append(request(rnd), Term{Stem: "overflow"}) {
			var want Counts
			for f := range doc {
				counts, _ := words(doc[f])
				want[f] = uint8(min(counts[term.Stem], 255))
			}
			if got := x.Counts(term.Stem, row); got != want {
				t.Errorf("Counts(%q, %d) = %v, want %v", term.Stem, row, got, want)
			}
		}
	}
}

func TestGramsOfTheSameTextsAreAlike(t *testing.T) {
	docs := []Document{{Description: "recurring invoices"}, {Description: "weather forecast"}, {Name: "elephants"}, {Name: "bicycles"}, {Name: "zebras"}}
	x := New(nil).Append(docs...)
	var same, typo []Term
	for _, w := range text.Words(nil, "recurring invoices") {
		same = append(same, Term{Text: w.Text, Weight: 1})
	}
	typo = []Term{{Text: "rcurring", Weight: 1}, {Text: "invoicing", Weight: 1}}
	if got := x.alike(same, nil); got[0] < 0.999 || got[0] > 1 || got[1] != 0 {
		t.Errorf("Grams of the same text = %v, want 1 and zeros", got)
	}
	if got := x.alike(typo, nil); got[0] < 0.4 || got[0] > 0.95 {
		t.Errorf("Grams with typing errors = %v, want a good part of 1", got[0])
	}
}

func TestScoresAreAdded(t *testing.T) {
	x := New(nil).Append(Document{Name: "alpha"}, Document{Name: "beta"})
	terms := []Term{{Stem: "alpha", Text: "alpha", Weight: 1}}
	once, twice := x.bm25f(terms, nil), make([]float32, 2)
	for range 2 {
		x.BM25F(twice, terms, nil, x.Stats(nil))
	}
	if once[0] <= 0 || twice[0] != 2*once[0] || twice[1] != 0 {
		t.Errorf("BM25F once = %v, twice = %v", once, twice)
	}
}

func TestOptionsReplaceDefaults(t *testing.T) {
	docs := []Document{{Name: "alpha"}, {Description: "alpha"}, {Name: "beta"}}
	terms := []Term{{Stem: "alpha", Text: "alpha", Weight: 1}}
	weights := [NumFields]float32{Name: 1, Description: 5}
	plain := New(nil).Append(docs...).bm25f(terms, nil)
	turned := New(&Options{Weights: &weights, B: new([NumFields]float32), K1: 3}).Append(docs...).bm25f(terms, nil)
	if plain[0] <= plain[1] || turned[0] >= turned[1] {
		t.Errorf("name and description = %v by default, %v turned", plain[:2], turned[:2])
	}
}

func TestAppendToAnOldVersionPanics(t *testing.T) {
	old := New(nil)
	old.Append(Document{Name: "alpha"})
	defer func() {
		if r := recover(); r == nil || !strings.HasPrefix(r.(string), "lexical: ") {
			t.Errorf("Append to an old version panics with %v", r)
		}
	}()
	old.Append(Document{})
}

func TestQueriesDoNotAllocate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	x := New(nil).Append(corpus(rnd, 200)...)
	terms, allowed := request(rnd), subset(rnd, 200)
	st, dst := x.Stats(allowed), make([]float32, x.Len())
	x.Grams(dst, terms, allowed, st) // fills the pool
	if n := testing.AllocsPerRun(100, func() { x.BM25F(dst, terms, allowed, st) }); n != 0 {
		t.Errorf("BM25F allocates %v times, want 0", n)
	}
}
