package static

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden.json anew")

func TestDefaultModelIsWholeAndSmall(t *testing.T) {
	e := Default()
	if e != Default() {
		t.Error("Default returns two embedders")
	}
	if len(embedded) > 5<<20 {
		t.Errorf("the embedded model has %d bytes, want at most 5 MiB", len(embedded))
	}
	if e.Dim()%32 != 0 || !strings.HasPrefix(e.Model(), "mcpfleet-static-") {
		t.Errorf("Default is %s with %d dimensions", e.Model(), e.Dim())
	}
}

// A change of words, stems, n-grams or the model's bytes changes vectors, and vectors are kept in caches: it must not
// happen unnoticed.
func TestDefaultVectorsStayTheSame(t *testing.T) {
	type golden struct {
		Model   string
		Vectors map[string][]float32
	}
	e := Default()
	got := golden{e.Model(), map[string][]float32{}}
	for _, s := range []string{"open a pull request", "createPullRequest", "zyxomorphic widgetry", "Größe der Datei prüfen", "list list list the records of s3"} {
		got.Vectors[s] = e.Embed(nil, s)
		got.Vectors["document: "+s] = e.EmbedDocument(nil, s)
	}
	if *update {
		b, err := json.MarshalIndent(got, "", " ")
		if err == nil {
			err = os.WriteFile("testdata/golden.json", append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var want golden
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if got.Model != want.Model {
		t.Errorf("the model is %s, the golden vectors are of %s: run go test -update", got.Model, want.Model)
	}
	for s, w := range want.Vectors {
		g := got.Vectors[s]
		for i := range w {
			// Machines that fuse multiplication and addition round differently.
			if len(g) != len(w) || math.Abs(float64(g[i]-w[i])) > 1e-5 {
				t.Errorf("the vector of %q changed", s)
				break
			}
		}
	}
}

func cosine(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestDefaultPutsLikeTextsTogether(t *testing.T) {
	e := Default()
	for _, test := range []struct{ query, like, unlike string }{
		{"bump the price", "increase the cost of a product", "list the members of a channel"},
		{"get rid of the old file", "delete a document", "create a calendar event"},
		{"drop Anna a line", "send an email message to a person", "resize an image"},
		{"who works for us", "list employees of the company", "convert currencies"},
		{"will it rain tomorrow", "get weather forecast for a location", "merge two branches"},
		{"arrange a meeting", "schedule calendar event", "search for products"},
		{"find lodging in Rome", "search hotels", "stock price history"},
		{"value of the shares I hold", "get stock quote for a ticker symbol", "get a recipe"},
		{"film with that actor", "search movies by cast", "list kubernetes pods"},
		{"take a picture of the page", "browser screenshot", "insert row into table"},
		{"createPullRequest", "create_pull_request", "delete_branch"},
		{"postgresql databse", "query the postgres database", "play music"},
	} {
		q := e.Embed(nil, test.query)
		like, unlike := cosine(q, e.EmbedDocument(nil, test.like)), cosine(q, e.EmbedDocument(nil, test.unlike))
		if like < unlike+.1 {
			t.Errorf("%q: %.3f to %q, %.3f to %q", test.query, like, test.like, unlike, test.unlike)
		}
	}
}

func TestTextsOfNothingKnownHaveTheZeroVector(t *testing.T) {
	for _, s := range []string{"", " \n", "12345", "?!", "\xff\xfe"} {
		v := Default().Embed(nil, s)
		if len(v) != Default().Dim() || slices.ContainsFunc(v, func(x float32) bool { return x != 0 }) {
			t.Errorf("Embed(%q) = %v, want zeros", s, v)
		}
	}
}

func TestUnknownWordsAreLikeTheirMisspellings(t *testing.T) {
	e := Default()
	a, b, c := e.Embed(nil, "zorblaxifier"), e.Embed(nil, "zorblaxifyer"), e.Embed(nil, "quindlemonk")
	if cosine(a, b) < cosine(a, c)+.2 {
		t.Errorf("cosine to a misspelling %.3f, to another word %.3f", cosine(a, b), cosine(a, c))
	}
}

func TestEmbedAppends(t *testing.T) {
	e := Default()
	both := e.Embed(e.Embed(nil, "create issue"), "delete file")
	if !slices.Equal(both[:e.Dim()], e.Embed(nil, "create issue")) || !slices.Equal(both[e.Dim():], e.Embed(nil, "delete file")) {
		t.Error("two texts appended to one slice are not the two vectors")
	}
	dirty := make([]float32, e.Dim())
	for i := range dirty {
		dirty[i] = 7
	}
	if !slices.Equal(e.Embed(dirty[:0], "create issue"), e.Embed(nil, "create issue")) {
		t.Error("what the slice held before is part of the vector")
	}
}

func TestLangchainMethodsReturnTheSameVectors(t *testing.T) {
	e, ctx := Default(), t.Context()
	texts := []string{"create issue", "", "delete file"}
	docs, err := e.EmbedDocuments(ctx, texts)
	if err != nil || len(docs) != len(texts) {
		t.Fatalf("EmbedDocuments = %d vectors, %v", len(docs), err)
	}
	for i, s := range texts {
		q, err := e.EmbedQuery(ctx, s)
		if err != nil || !slices.Equal(q, e.Embed(nil, s)) || !slices.Equal(docs[i], e.EmbedDocument(nil, s)) {
			t.Errorf("vectors of %q differ, or failed: %v", s, err)
		}
	}
	docs[0] = append(docs[0], 1)
	if !slices.Equal(docs[1], e.Embed(nil, "")) {
		t.Error("appending to one vector changed the next")
	}
	if docs, err := e.EmbedDocuments(ctx, nil); err != nil || len(docs) != 0 {
		t.Errorf("EmbedDocuments of nothing = %v, %v", docs, err)
	}
}

func TestDocumentsAreAboutTheirBeginning(t *testing.T) {
	e := Default()
	invoice := e.Embed(nil, "invoice")
	first, last := e.EmbedDocument(nil, "invoice weather photo song"), e.EmbedDocument(nil, "weather photo song invoice")
	if cosine(invoice, first) < cosine(invoice, last)+.02 {
		t.Errorf("cosine to a document that begins with it %.3f, that ends with it %.3f", cosine(invoice, first), cosine(invoice, last))
	}
	a, b := e.Embed(nil, "invoice weather photo song"), e.Embed(nil, "weather photo song invoice")
	if cosine(a, b) < .9999 {
		t.Error("the order of words changes the vector of a request")
	}
	for place, want := range map[int]float32{0: 1, 10: .5, 100: 1. / 11} {
		if got := DocumentWeight(place); math.Abs(float64(got-want)) > 1e-6 {
			t.Errorf("DocumentWeight(%d) = %v, want %v", place, got, want)
		}
	}
}

func TestCancelledContextStopsEmbedding(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Default().EmbedQuery(ctx, "create issue"); !errors.Is(err, context.Canceled) {
		t.Errorf("EmbedQuery = %v, want context.Canceled", err)
	}
	if _, err := Default().EmbedDocuments(ctx, []string{"create issue"}); !errors.Is(err, context.Canceled) {
		t.Errorf("EmbedDocuments = %v, want context.Canceled", err)
	}
}

func TestManyGoroutinesGetTheSameVectors(t *testing.T) {
	e := Default()
	texts := []string{"create issue", "delete the old files in the folder", "zyxomorphic widgetry", ""}
	var want [][]float32
	for _, s := range texts {
		want = append(want, e.Embed(nil, s))
	}
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 200 {
				k := (g + i) % len(texts)
				if !slices.Equal(e.Embed(nil, texts[k]), want[k]) {
					t.Errorf("vector of %q differs", texts[k])
					return
				}
			}
		})
	}
	group.Wait()
}

func FuzzEmbedGivesUnitVectors(f *testing.F) {
	for _, s := range []string{"create issue", "", "createIssue7c1e", "日本語のテキスト", "\xff\xfe", strings.Repeat("a b ", 500), "ＵＮＩＣＯＤＥ ß İ", "don't users' `x`"} {
		f.Add(s)
	}
	e := Default()
	f.Fuzz(func(t *testing.T, s string) {
		v := e.Embed(nil, s)
		checkVector(t, v, e.Dim())
		if !slices.Equal(v, e.Embed(nil, s)) {
			t.Error("the second vector differs from the first")
		}
		checkVector(t, e.EmbedDocument(nil, s), e.Dim())
	})
}
