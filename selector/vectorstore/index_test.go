package vectorstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tmc/langchaingo/schema"

	"github.com/mcpfleet/mcpfleet/selector"
)

func item(id, text string) selector.VectorItem { return selector.VectorItem{ID: id, Text: text} }

func upsert(t *testing.T, x *Index, items ...selector.VectorItem) {
	t.Helper()
	if err := x.Upsert(t.Context(), items); err != nil {
		t.Fatal(err)
	}
}

// search returns the IDs that a search finds.
func search(t *testing.T, x *Index, query string, k int, keep func(string) bool) []string {
	t.Helper()
	found, err := x.Search(t.Context(), query, k, keep)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(found))
	for i, n := range found {
		ids[i] = n.ID
		if i > 0 && n.Score > found[i-1].Score {
			t.Errorf("%v is not sorted", found)
		}
	}
	return ids
}

func TestTheNearestToolsAreFound(t *testing.T) {
	x := New(&memory{}, nil)
	upsert(t, x, item("mail", "send an email"), item("pr", "open a pull request"), item("issue", "open an issue"))
	if got, want := search(t, x, "open pull request", 2, nil), []string{"pr", "issue"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if got := search(t, x, "open pull request", 1, func(id string) bool { return id != "pr" }); !slices.Equal(got, []string{"issue"}) {
		t.Errorf("found %q without pr", got)
	}
	for _, k := range []int{0, -1} {
		if got := search(t, x, "open", k, nil); len(got) != 0 {
			t.Errorf("k = %d finds %q", k, got)
		}
	}
}

func TestADeletedOrChangedTextIsNotFound(t *testing.T) {
	m := &memory{}
	x := New(m, nil)
	upsert(t, x, item("a", "red"), item("b", "red"), item("c", "green"))
	if m.size() != 2 {
		t.Errorf("%d documents, want one for each text", m.size())
	}
	if err := x.Delete(t.Context(), []string{"a", "unknown"}); err != nil {
		t.Fatal(err)
	}
	upsert(t, x, item("c", "blue"))
	if got := search(t, x, "green", 5, nil); !slices.Equal(sorted(got), []string{"b", "c"}) {
		t.Errorf("found %q", got)
	}
	if found, err := x.Search(t.Context(), "green", 5, func(id string) bool { return id == "c" }); err != nil || len(found) != 1 || found[0].Score != 0 {
		t.Errorf("c is found by its old text: %v, %v", found, err)
	}
	upsert(t, x, item("c", "green"))
	if got := search(t, x, "green", 1, nil); !slices.Equal(got, []string{"c"}) || m.size() != 3 {
		t.Errorf("found %q with %d documents, want c with the document that was there", got, m.size())
	}
}

func TestARestartAddsNothing(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  Config
		want int
	}{
		{"listed by a search", Config{}, 2500},
		{"listed as far as allowed", Config{MaxList: 2000}, 3000},
		{"listed by a function", Config{List: func(_ context.Context, scope string) ([]string, error) {
			return []string{hash(scope, "number 1"), hash(scope, "number 2")}, nil
		}}, 4998},
	} {
		m := &memory{}
		var items []selector.VectorItem
		for i := range 2500 {
			items = append(items, item(fmt.Sprint(i), fmt.Sprint("number ", i)))
		}
		upsert(t, New(m, &Config{List: func(context.Context, string) ([]string, error) { return nil, nil }}), items...)
		test.cfg.MaxFetch = 10_000 // all but one are equally near
		x := New(m, &test.cfg)
		if got := search(t, x, "number", 3, nil); len(got) != 0 {
			t.Errorf("%s: %q is found before it was upserted", test.name, got)
		}
		upsert(t, x, items...)
		if m.size() != test.want {
			t.Errorf("%s: %d documents, want %d", test.name, m.size(), test.want)
		}
		found, err := x.Search(t.Context(), "number 17", 2, func(id string) bool { return id == "17" || id == "18" })
		if err != nil || len(found) != 2 || found[0].ID != "17" || found[0].Score < 0.99 || found[1].ID != "18" {
			t.Errorf("%s: found %v, %v", test.name, found, err)
		}
	}
}

func TestScopesDoNotSeeEachOther(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		m := &memory{deaf: deaf}
		a, b := New(m, &Config{Scope: "a"}), New(m, &Config{Scope: "b"})
		upsert(t, a, item("x", "red"))
		upsert(t, b, item("y", "red"))
		if got := search(t, a, "red", 5, nil); !slices.Equal(got, []string{"x"}) {
			t.Errorf("deaf %t: a finds %q", deaf, got)
		}
	}
}

func TestASearchAsksForMoreUntilItHasEnough(t *testing.T) {
	m := &memory{}
	x := New(m, &Config{MaxFetch: 500})
	var items []selector.VectorItem
	for i := range 600 {
		items = append(items, item(fmt.Sprint(i), "tool"+strings.Repeat(" x", i)))
	}
	upsert(t, x, items...)
	m.searches = 0
	only := func(min int) func(string) bool {
		return func(id string) bool { var n int; fmt.Sscan(id, &n); return n >= min }
	}
	if got := search(t, x, "tool", 3, only(450)); !slices.Equal(got, []string{"450", "451", "452"}) || m.searches != 5 {
		t.Errorf("found %q with %d searches", got, m.searches)
	}
	if got := search(t, x, "tool", 3, only(499)); !slices.Equal(got, []string{"499"}) {
		t.Errorf("found %q, want what MaxFetch allows", got)
	}
	x = New(m, nil)
	upsert(t, x, items...)
	m.searches = 0
	if got := search(t, x, "tool", 400, only(590)); len(got) != 10 || m.searches != 1 {
		t.Errorf("found %q with %d searches, want one, which saw all", got, m.searches)
	}
	m.searches = 0
	if got := search(t, x, "tool", 400, only(601)); len(got) != 0 || m.searches != 0 {
		t.Errorf("found %q with %d searches, want none, since there is no such tool", got, m.searches)
	}
}

func TestASearchStopsAtTheLastToolThereIs(t *testing.T) {
	m := &memory{}
	x := New(m, nil)
	var items []selector.VectorItem
	for i := range 3000 {
		items = append(items, item(fmt.Sprint(i), "tool"+strings.Repeat(" x", i/10)+strings.Repeat(" y", i%10)))
	}
	upsert(t, x, items...)
	m.searches = 0
	near := func(id string) bool { return id == "0" || id == "1" || id == "2999" }
	if got := search(t, x, items[0].Text, 256, near); len(got) != 3 || m.searches != 3 {
		t.Errorf("found %q with %d searches, want all three with the third search", got, m.searches)
	}
	m.searches = 0
	if got := search(t, x, items[0].Text, 256, func(id string) bool { return id < "1" || id == "10" }); !slices.Equal(got, []string{"0", "10"}) || m.searches != 1 {
		t.Errorf("found %q with %d searches, want one, since there are no more", got, m.searches)
	}
}

func TestAnyNumberOfResultsMayBeAskedFor(t *testing.T) {
	m := &memory{onSearch: func(_ string, n int) error {
		if n < 1 || n > 100_000 {
			return fmt.Errorf("asked for %d documents", n)
		}
		return nil
	}}
	x := New(m, nil)
	upsert(t, x, item("a", "red"), item("b", "green"))
	for _, k := range []int{math.MaxInt, math.MaxInt/2 + 1, math.MaxInt / 4} {
		if got := search(t, x, "red", k, nil); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("k = %d finds %q", k, got)
		}
	}
}

func TestWithoutRemoveNothingIsKeptOfEarlierTexts(t *testing.T) {
	x := New(&memory{}, nil)
	for i := range 100 {
		upsert(t, x, item("a", fmt.Sprint("text ", i)))
	}
	if n := len(x.current.orphans) + len(x.current.keys) + len(x.current.ids); n != 2 {
		t.Errorf("%d keys of one tool are remembered, want its two", n)
	}
}

func TestDocumentsThatNobodyHasAreRemoved(t *testing.T) {
	m := &memory{}
	var log bytes.Buffer
	failing := false
	x := New(m, &Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), Remove: func(ctx context.Context, keys []string) error {
		if failing {
			return errors.New("read-only")
		}
		return m.remove(ctx, keys)
	}})
	upsert(t, x, item("a", "red"), item("b", "red"), item("c", "green"))
	upsert(t, x, item("a", "blue"), item("c", "blue"))
	if m.size() != 2 {
		t.Errorf("%d documents, want red and blue", m.size())
	}
	failing = true
	if err := x.Delete(t.Context(), []string{"b"}); err == nil || err.Error() != "vectorstore: removing documents: read-only" {
		t.Errorf("Delete = %v", err)
	}
	if got := search(t, x, "red", 5, nil); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("found %q after a failed removal", got)
	}
	upsert(t, x, item("a", "white"))
	if !strings.Contains(log.String(), "read-only") {
		t.Errorf("log: %s", &log)
	}
	upsert(t, x, item("d", "red")) // what was to be removed is current again
	failing = false
	if err := x.Delete(t.Context(), []string{"unknown"}); err != nil {
		t.Error(err)
	}
	if found, err := x.Search(t.Context(), "red", 1, nil); err != nil || len(found) != 1 || found[0].ID != "d" {
		t.Errorf("found %v, %v", found, err)
	}
	if err := x.Delete(t.Context(), []string{"a", "c", "d"}); err != nil || m.size() != 0 {
		t.Errorf("Delete = %v, %d documents are left", err, m.size())
	}
	upsert(t, x, item("b", "red"))
	if m.size() != 1 {
		t.Error("a removed text was not added again")
	}
}

func TestAFailedBatchKeepsTheEarlierTexts(t *testing.T) {
	m := &memory{}
	x := New(m, &Config{BatchSize: 2})
	upsert(t, x, item("a", "red"), item("b", "green"), item("c", "blue"))
	m.onAdd = func(docs []schema.Document) error {
		for _, doc := range docs {
			if doc.PageContent == "bad" {
				return errors.New("no")
			}
		}
		return nil
	}
	err := x.Upsert(t.Context(), []selector.VectorItem{item("a", "bad"), item("b", "white"), item("c", "black")})
	if err == nil || err.Error() != "vectorstore: adding tools: no" {
		t.Errorf("err = %v", err)
	}
	for query, want := range map[string]string{"red": "a", "green": "b", "black": "c"} {
		if got := search(t, x, query, 1, nil); !slices.Equal(got, []string{want}) {
			t.Errorf("%s finds %q, want %s", query, got, want)
		}
	}
}

func TestWhatComesLastWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{onAdd: func([]schema.Document) error { time.Sleep(time.Second); return nil }}
		x := New(m, nil)
		var wg sync.WaitGroup
		wg.Go(func() { upsert(t, x, item("a", "red"), item("b", "red")) })
		synctest.Wait()
		wg.Go(func() { upsert(t, x, item("a", "green")) })
		if err := x.Delete(t.Context(), []string{"b"}); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if got := search(t, x, "green", 5, nil); !slices.Equal(got, []string{"a"}) || len(x.current.pending) != 0 {
			t.Errorf("found %q, %d upserts are pending", got, len(x.current.pending))
		}
		if found, _ := x.Search(t.Context(), "green", 1, nil); found[0].Score < 0.99 {
			t.Errorf("found %v by the text that was overtaken", found)
		}
	})
}

func TestASlowStoreHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		x := New(m, &Config{Concurrency: 1})
		upsert(t, x, item("a", "red"))
		m.onSearch = func(string, int) error { time.Sleep(time.Hour); return nil }
		m.onAdd = func([]schema.Document) error { time.Sleep(time.Hour); return nil }
		for _, ask := range []func(context.Context) error{
			func(ctx context.Context) error { _, err := x.Search(ctx, "red", 1, nil); return err },
			func(ctx context.Context) error { return x.Upsert(ctx, []selector.VectorItem{item("b", "blue")}) },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			start := time.Now()
			if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("err = %v after %s", err, time.Since(start))
			}
			cancel()
		}
		time.Sleep(3 * time.Hour)
	})
}

func TestAStoreThatPanicsReturnsAnError(t *testing.T) {
	m := &memory{onSearch: func(string, int) error { panic("boom") }}
	x := New(m, nil)
	if err := x.Upsert(t.Context(), []selector.VectorItem{item("a", "red")}); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("Upsert = %v", err)
	}
	m.onSearch = nil
	upsert(t, x, item("a", "red"))
	m.onSearch = func(string, int) error { return errors.New("Get postgres://me:hunter2@db:5432/x?key=hunter2 failed") }
	if _, err := x.Search(t.Context(), "red", 1, nil); err == nil || err.Error() != "vectorstore: searching: Get postgres://db:5432/x failed" {
		t.Errorf("Search = %v", err)
	}
}

func TestStrangeResultsAreLeftOut(t *testing.T) {
	m := &memory{deaf: true, docs: []schema.Document{
		{PageContent: "red"},
		{PageContent: "red", Metadata: map[string]any{DocumentKey: 7}},
		{PageContent: "red", Metadata: map[string]any{DocumentKey: "other", ScopeKey: nil}},
	}}
	x := New(m, &Config{Score: func(s float32) float32 { return 2 * s }})
	upsert(t, x, item("a", "red\x00\xff"), item("b", ""))
	found, err := x.Search(t.Context(), "red\uFFFD\uFFFD", 9, nil)
	if err != nil || len(found) != 1 || found[0].ID != "a" || found[0].Score < 1.9 { // b has no direction, so no score
		t.Errorf("found %v, %v", found, err)
	}
}

// What an index finds is what a plain comparison of all current texts finds, whatever was done before.
func TestAnIndexFindsWhatATwinFinds(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := &memory{deaf: seed%3 == 0}
		cfg := &Config{BatchSize: 3}
		if seed%2 == 0 {
			cfg.Remove = m.remove
		}
		x, twin := New(m, cfg), map[string]string{}
		text := func() string {
			return strings.Join([]string{string(rune('a' + r.IntN(9))), string(rune('a' + r.IntN(9))), string(rune('a' + r.IntN(9)))}, " ")
		}
		for range 100 {
			id := fmt.Sprint(r.IntN(30))
			switch r.IntN(4) {
			case 0:
				if err := x.Delete(t.Context(), []string{id}); err != nil {
					t.Fatal(err)
				}
				delete(twin, id)
			case 1:
				items := []selector.VectorItem{item(id, text()), item(id+"x", text()), item(id, text())}
				upsert(t, x, items...)
				for _, i := range items {
					twin[i.ID] = i.Text
				}
			case 2:
				x = New(m, cfg) // a restart
				var items []selector.VectorItem
				for id, text := range twin {
					items = append(items, item(id, text))
				}
				upsert(t, x, items...)
			default:
				query, odd := text(), func(id string) bool { return len(id)%2 == 1 }
				found, err := x.Search(t.Context(), query, 5, odd)
				if err != nil {
					t.Fatal(err)
				}
				var scores, want []float32
				q, _ := m.EmbedQuery(t.Context(), query)
				for id, text := range twin {
					if v, _ := m.EmbedQuery(t.Context(), text); odd(id) {
						want = append(want, cosine(q, v))
					}
				}
				slices.Sort(want)
				slices.Reverse(want)
				for _, n := range found {
					v, _ := m.EmbedQuery(t.Context(), twin[n.ID])
					if n.Score != cosine(q, v) || !odd(n.ID) {
						t.Fatalf("seed %d: %v is not the score of %q", seed, n, twin[n.ID])
					}
					scores = append(scores, n.Score)
				}
				if !slices.Equal(scores, want[:min(5, len(want))]) {
					t.Fatalf("seed %d: found %v, want %v", seed, scores, want)
				}
			}
		}
		if cfg.Remove != nil && m.size() > len(slices.Compact(slices.Sorted(maps.Values(twin))))+30 {
			t.Errorf("seed %d: %d documents for %d tools", seed, m.size(), len(twin))
		}
	}
}

func TestManyGoroutinesUseAnIndex(t *testing.T) {
	m := &memory{}
	x := New(m, &Config{Remove: m.remove})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			id := fmt.Sprint("tool ", g)
			for i := range 20 {
				if err := x.Upsert(t.Context(), []selector.VectorItem{item(id, fmt.Sprint("word", i%3))}); err != nil {
					t.Error(err)
				}
				found, err := x.Search(t.Context(), fmt.Sprint("word", i%3), 1, func(other string) bool { return other == id })
				if err != nil || len(found) != 1 || found[0].Score < 0.99 {
					t.Errorf("%s finds %v, %v", id, found, err)
				}
				if err := x.Delete(t.Context(), []string{id}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if m.size() != 0 {
		t.Errorf("%d documents are left", m.size())
	}
}

func sorted(s []string) []string { slices.Sort(s); return s }
