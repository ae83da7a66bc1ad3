package embedding

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func TestManyTextsBecomeBoundedRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		f := &fake{documents: func(context.Context, []string) ([][]float32, error) {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Second)
			running.Add(-1)
			return nil, nil
		}}
		c := newClient(t, f, &Config{BatchSize: 10, Concurrency: 3, Timeout: time.Minute})
		texts := append(numbered(95), numbered(50)...) // the last 50 are there already
		vectors, err := c.EmbedDocuments(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		checkVectors(t, texts, vectors)
		if len(f.batches) != 10 || len(f.sent()) != 95 {
			t.Errorf("%d requests with %d texts, want 10 with 95", len(f.batches), len(f.sent()))
		}
		if most.Load() != 3 {
			t.Errorf("%d requests at a time, want 3", most.Load())
		}
		if got, want := c.Stats(), (Stats{Requests: 10, Texts: 95}); got != want {
			t.Errorf("Stats() = %+v, want %+v", got, want)
		}
		if c.Dimensions() != 4 {
			t.Errorf("Dimensions() = %d, want 4", c.Dimensions())
		}
	})
}

func TestBatchesStayWithinBothBounds(t *testing.T) {
	texts := []string{"aaaa", "bb", "cc", "dddddddddddd", "e", "f", "g", "h"}
	if got, want := batches(texts, 3, 8), []int{3, 4, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("batches = %v, want %v", got, want)
	}
	if got := batches(nil, 3, 8); got != nil {
		t.Errorf("batches of nothing = %v", got)
	}
}

func TestNoTextsAskNobody(t *testing.T) {
	f := &fake{}
	vectors, err := newClient(t, f, nil).EmbedDocuments(t.Context(), nil)
	if err != nil || len(vectors) != 0 || len(f.batches) != 0 {
		t.Errorf("EmbedDocuments(nil) = %v, %v after %d requests", vectors, err, len(f.batches))
	}
}

func TestLongTextsAreCutBetweenCharacters(t *testing.T) {
	for max := range 12 {
		for _, text := range []string{"aé€😀bcdefgh", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", "ab"} {
			got := cut(text, max)
			if !strings.HasPrefix(text, got) || max > 0 && len(got) > max || utf8.ValidString(text) && !utf8.ValidString(got) && max > 3 {
				t.Errorf("cut(%q, %d) = %q", text, max, got)
			}
		}
	}
	f := &fake{}
	c := newClient(t, f, &Config{MaxTextBytes: 8})
	if _, err := c.EmbedDocuments(t.Context(), []string{"12345678 one", "12345678 two"}); err != nil || !slices.Equal(f.sent(), []string{"12345678"}) {
		t.Errorf("sent %q, %v", f.sent(), err)
	}
}

func TestAQueryIsNotADocument(t *testing.T) {
	f := &fake{}
	c := newClient(t, f, &Config{Dir: t.TempDir(), Model: "m"})
	d, err := c.EmbedDocuments(t.Context(), []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	q, err := c.EmbedQuery(t.Context(), "a")
	if err != nil || slices.Equal(d[0], q) || !slices.Equal(q, vectorOf("query a")) {
		t.Errorf("EmbedQuery = %v, %v", q, err)
	}
}

func TestDifferentTextsHaveDifferentKeys(t *testing.T) {
	seen := map[key]string{}
	for _, k := range []kind{document, query} {
		for _, parts := range [][2]string{{"model", "text"}, {"modelt", "ext"}, {"", "modeltext"}, {"modeltext", ""}} {
			for _, dims := range []int{0, 4} {
				name := fmt.Sprintf("%c %q %d", k, parts, dims)
				key := keyOf(k, parts[0], dims, parts[1])
				if other, ok := seen[key]; ok {
					t.Errorf("%s has the key of %s", name, other)
				}
				seen[key] = name
			}
		}
	}
}

func TestOnlyTheLastQueriesAreRemembered(t *testing.T) {
	f := &fake{}
	c := newClient(t, f, &Config{QueryCache: 2})
	for _, q := range []string{"a", "b", "a", "c", "a", "b"} {
		v, err := c.EmbedQuery(t.Context(), q)
		if err != nil || !slices.Equal(v, vectorOf("query "+q)) {
			t.Fatalf("EmbedQuery(%q) = %v, %v", q, v, err)
		}
		clear(v) // it is the caller's
	}
	if want := []string{"a", "b", "c", "b"}; !slices.Equal(f.queries, want) {
		t.Errorf("asked for %q, want %q", f.queries, want)
	}
	if c.recent.order.Len() != 2 || len(c.recent.byKey) != 2 {
		t.Errorf("%d and %d queries are kept, want 2", c.recent.order.Len(), len(c.recent.byKey))
	}

	f = &fake{}
	c = newClient(t, f, &Config{QueryCache: -1})
	for range 2 {
		if _, err := c.EmbedQuery(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.queries) != 2 {
		t.Errorf("%d requests without a cache, want 2", len(f.queries))
	}
}

func TestConcurrentCallersOfATextShareARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{
			documents: func(context.Context, []string) ([][]float32, error) { time.Sleep(time.Second); return nil, nil },
			query:     func(context.Context, string) ([]float32, error) { time.Sleep(time.Second); return nil, nil },
		}
		c := newClient(t, f, nil)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				texts := []string{"shared", fmt.Sprint("own ", i)}
				vectors, err := c.EmbedDocuments(t.Context(), texts)
				if err != nil {
					t.Error(err)
				}
				checkVectors(t, texts, vectors)
				clear(vectors[0]) // must not reach the others
				if _, err := c.EmbedQuery(t.Context(), "shared"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(f.sent()) != 11 || len(f.queries) != 1 {
			t.Errorf("sent %q and %q, want each once", f.sent(), f.queries)
		}
		if got := c.Stats().Shared; got < 9 {
			t.Errorf("Stats().Shared = %d, want at least 9", got)
		}
		if len(c.flights) != 0 || len(c.jobs) != 0 {
			t.Errorf("%d flights and %d jobs are left", len(c.flights), len(c.jobs))
		}
	})
}

func TestACallerWhoLeavesDoesNotFailTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{documents: func(ctx context.Context, _ []string) ([][]float32, error) {
			select {
			case <-time.After(10 * time.Second):
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}
		c := newClient(t, f, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			if _, err := c.EmbedDocuments(ctx, []string{"a"}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the first caller got %v", err)
			}
			if waited := time.Since(start); waited != time.Second {
				t.Errorf("the first caller waited %s", waited)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			vectors, err := c.EmbedDocuments(t.Context(), []string{"a"})
			if err != nil {
				t.Error(err)
			}
			checkVectors(t, []string{"a"}, vectors)
		})
		wg.Wait()
		if len(f.batches) != 1 {
			t.Errorf("%d requests, want 1", len(f.batches))
		}
	})
}

func TestARequestThatNobodyWaitsForIsCancelledAndNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cancelled atomic.Int64
		f := &fake{documents: func(ctx context.Context, _ []string) ([][]float32, error) {
			<-ctx.Done()
			cancelled.Add(1)
			return nil, ctx.Err()
		}}
		c := newClient(t, f, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.EmbedDocuments(ctx, []string{"a"}); !errors.Is(err, context.Canceled) {
				t.Errorf("err = %v", err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		synctest.Wait()
		if cancelled.Load() != 1 {
			t.Error("the request goes on")
		}
		if _, err := c.EmbedQuery(t.Context(), "q"); err != nil {
			t.Errorf("the embedder is left alone after a caller has left: %v", err)
		}
	})
}

func TestNobodyJoinsACancelledRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Bool
		f := &fake{documents: func(ctx context.Context, _ []string) ([][]float32, error) {
			if asked.Swap(true) {
				return nil, nil
			}
			time.Sleep(time.Minute) // it takes its time to notice
			return nil, ctx.Err()
		}}
		c := newClient(t, f, &Config{Timeout: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.EmbedDocuments(ctx, []string{"a"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if _, err := c.EmbedDocuments(t.Context(), []string{"a"}); err != nil {
			t.Errorf("the next caller got %v", err)
		}
		time.Sleep(time.Minute)
	})
}

func TestAnEmbedderThatIgnoresItsContextHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		f := &fake{query: func(context.Context, string) ([]float32, error) {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Hour)
			running.Add(-1)
			return nil, nil
		}}
		c := newClient(t, f, &Config{Concurrency: 2, Cooldown: -1})
		for i := range 5 {
			start := time.Now()
			_, err := c.EmbedQuery(t.Context(), fmt.Sprint(i))
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
				t.Errorf("EmbedQuery = %v after %s, want a timeout after 2s", err, time.Since(start))
			}
		}
		if most.Load() != 2 {
			t.Errorf("%d requests at a time, want 2", most.Load())
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestAnEmbedderThatPanicsReturnsAnError(t *testing.T) {
	for name, end := range map[string]func(){
		"panic": func() { panic("boom") },
		"exit":  runtime.Goexit,
		"error": func() { panic(errDown) },
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{query: func(context.Context, string) ([]float32, error) { end(); return nil, nil }}
			_, err := newClient(t, f, nil).EmbedQuery(t.Context(), "q")
			if e := (*Error)(nil); !errors.As(err, &e) || e.Reason != Failed || len(f.queries) != 1 || errors.Is(err, errDown) != (name == "error") {
				t.Errorf("err = %v after %d requests", err, len(f.queries))
			}
		})
	}
}

func TestUselessVectorsAreErrorsOfTheirTextAlone(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, test := range []struct {
		vector []float32
		want   Reason
	}{
		{[]float32{1, nan, 0, 0}, NotFinite},
		{[]float32{1, inf, 0, 0}, NotFinite},
		{[]float32{1e30, 0, 0, 0}, NotFinite},
		{[]float32{0, 0, 0, 0}, Zero},
		{[]float32{1e-30, 0, 0, 0}, Zero},
		{[]float32{}, Zero},
		{nil, Zero},
		{[]float32{1, 2, 3}, Dimensions},
		{[]float32{1, 2, 3, 4, 5}, Dimensions},
	} {
		f := &fake{documents: func(_ context.Context, texts []string) ([][]float32, error) {
			var vectors [][]float32
			for _, text := range texts {
				vectors = append(vectors, vectorOf("document "+text))
			}
			vectors[3] = test.vector
			return vectors, nil
		}}
		c := newClient(t, f, &Config{Dimensions: 4})
		texts := numbered(6)
		vectors, err := c.EmbedDocuments(t.Context(), texts)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Index != 3 || e.Reason != test.want || !strings.HasPrefix(err.Error(), "embedding: text 3: ") {
			t.Errorf("%v: err = %v, want %q for text 3", test.vector, err, test.want)
		}
		checkVectors(t, texts, vectors, 3)
		if got := c.Stats(); got.Rejected != 1 || got.Requests != 1 {
			t.Errorf("Stats() = %+v", got)
		}
	}
}

func TestTheWrongNumberOfVectorsIsAnError(t *testing.T) {
	for _, n := range []int{0, 2, 5} {
		f := &fake{documents: func(context.Context, []string) ([][]float32, error) { return make([][]float32, n), nil }}
		c := newClient(t, f, nil)
		_, err := c.EmbedDocuments(t.Context(), []string{"a"})
		want := fmt.Sprintf("embedding: text 0: the embedder returned %d vectors for 1 texts", n)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Reason != Count || err.Error() != want {
			t.Errorf("err = %v, want %s", err, want)
		}
		if got := c.Stats(); got.Requests != 1 || got.Failures != 1 {
			t.Errorf("Stats() = %+v", got)
		}
	}
}

func TestADroppedTextCostsTheOthersNothing(t *testing.T) {
	f := &fake{documents: func(_ context.Context, texts []string) ([][]float32, error) {
		vectors := [][]float32{}
		for _, text := range texts {
			if text != "text 4" {
				vectors = append(vectors, vectorOf("document "+text))
			}
		}
		return vectors, nil
	}}
	texts := numbered(9)
	vectors, err := newClient(t, f, nil).EmbedDocuments(t.Context(), texts)
	if e := (*Error)(nil); !errors.As(err, &e) || e.Index != 4 || e.Reason != Count {
		t.Errorf("err = %v", err)
	}
	checkVectors(t, texts, vectors, 4)
}

func TestEmptyTextsAreNotSent(t *testing.T) {
	f := &fake{}
	c := newClient(t, f, nil)
	texts := []string{"a", " \n", "b", ""}
	vectors, err := c.EmbedDocuments(t.Context(), texts)
	if e := (*Error)(nil); !errors.As(err, &e) || e.Index != 1 || e.Reason != Empty {
		t.Errorf("err = %v", err)
	}
	checkVectors(t, texts, vectors, 1, 3)
	if _, err := c.EmbedQuery(t.Context(), ""); err == nil || len(f.queries) != 0 {
		t.Errorf("EmbedQuery of nothing: %v", err)
	}
}

func TestOneRefusedTextCostsTheOthersNothing(t *testing.T) {
	for bad := range 100 {
		f := &fake{documents: func(_ context.Context, texts []string) ([][]float32, error) {
			if slices.Contains(texts, fmt.Sprintf("text %d", bad)) {
				return nil, errors.New("API returned unexpected status code: 400: input is too long")
			}
			return nil, nil
		}}
		c := newClient(t, f, nil)
		texts := numbered(100)
		vectors, err := c.EmbedDocuments(t.Context(), texts)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Index != bad || e.Reason != Failed {
			t.Errorf("err = %v, want one for text %d", err, bad)
		}
		checkVectors(t, texts, vectors, bad)
		if got := c.Stats(); got.Requests > 15 || got.Retries != 0 {
			t.Errorf("%+v, want at most 15 requests", got)
		}
		if _, err := c.EmbedQuery(t.Context(), "q"); err != nil {
			t.Errorf("a refused text starts a cooldown: %v", err)
		}
	}
}

func TestARefusalOfEverythingIsNotAskedForEver(t *testing.T) {
	f := &fake{documents: func(context.Context, []string) ([][]float32, error) {
		return nil, errors.New("status code: 401")
	}}
	c := newClient(t, f, nil)
	if _, err := c.EmbedDocuments(t.Context(), numbered(100)); err == nil || c.Stats().Requests > 15 {
		t.Errorf("err = %v after %d requests, want at most 15", err, c.Stats().Requests)
	}
}

func TestEmbedderAndCallerMayWriteToTheirSlices(t *testing.T) {
	buffer := make([]float32, 4)
	f := &fake{documents: func(_ context.Context, texts []string) ([][]float32, error) {
		copy(buffer, vectorOf("document "+texts[0]))
		texts[0] = "changed"
		return [][]float32{buffer}, nil
	}}
	c := newClient(t, f, &Config{BatchSize: 1, Concurrency: 1})
	texts := numbered(5)
	vectors, err := c.EmbedDocuments(t.Context(), texts)
	if err != nil || !slices.Equal(texts, numbered(5)) {
		t.Fatalf("err = %v, texts = %q", err, texts)
	}
	checkVectors(t, texts, vectors)

	f = &fake{documents: func(_ context.Context, texts []string) ([][]float32, error) {
		if texts[0] == "changed" {
			t.Error("the repetition sends what the embedder wrote")
		}
		texts[0] = "changed"
		return nil, errDown
	}}
	c = newClient(t, f, &Config{Backoff: 1})
	if _, err := c.EmbedDocuments(t.Context(), []string{"a"}); !errors.Is(err, errDown) || c.Stats().Retries != 3 {
		t.Errorf("err = %v, %+v", err, c.Stats())
	}
}

func TestCloseEndsRequestsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{documents: func(ctx context.Context, _ []string) ([][]float32, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		c := newClient(t, f, &Config{Dir: t.TempDir(), Model: "m"})
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.EmbedDocuments(t.Context(), []string{"a"}); !errors.Is(err, ErrClosed) {
				t.Errorf("under way: %v", err)
			}
		})
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if _, err := c.EmbedDocuments(t.Context(), []string{"a"}); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if _, err := c.EmbedQuery(t.Context(), "a"); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestErrorsHoldNoSecretsOfURLs(t *testing.T) {
	f := &fake{query: func(context.Context, string) ([]float32, error) {
		return nil, errors.New(`Post "https://user:pass@api.example.com/v1/embed?key=hunter2": status code: 403`)
	}}
	_, err := newClient(t, f, nil).EmbedQuery(t.Context(), "q")
	want := `embedding: text 0: the embedder failed: Post "https://api.example.com/v1/embed": status code: 403`
	if err == nil || err.Error() != want {
		t.Errorf("err = %v, want %s", err, want)
	}
}

func TestConfigMistakesAreNamed(t *testing.T) {
	for _, cfg := range []Config{{Dir: t.TempDir()}, {Dimensions: -1}, {Dimensions: 1 << 20}} {
		if _, err := New(&fake{}, &cfg); err == nil || !strings.HasPrefix(err.Error(), "embedding: Config.") {
			t.Errorf("New with %+v: %v", cfg, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New(nil) does not panic")
		}
	}()
	_, _ = New(nil, nil)
}
