package selector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestTheRightToolIsFound(t *testing.T) {
	s := newSelector(t, nil, catalogue(500)...)
	for query, want := range map[string]string{
		"open a new issue on github":         "create_issue",
		"merge my pull request":              "merge_pull_request",
		"remove that calendar event":         "delete_calendar_event",
		"find a customer by name":            "search_customer",
		"list all deployments":               "list_deployment",
		"chnage the invoice: updat it":       "update_invoice",
		"exportDashboard":                    "export_dashboard",
		"SHARE_FOLDER with the sales people": "share_folder",
	} {
		found := mustSelect(t, s, Query{Text: query, MaxTools: 5})
		if len(found.Tools) != 5 || !slices.ContainsFunc(found.Tools, func(t Selected) bool { return t.Document.Name == want }) {
			t.Errorf("%q found %q, want %s among them", query, ids(found), want)
		}
	}
}

func TestTheResultDependsOnTheCatalogueAndNotOnItsHistory(t *testing.T) {
	docs := catalogue(800)
	straight := newSelector(t, nil, docs...)
	winding := newSelector(t, nil)
	shuffled := slices.Clone(docs)
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for chunk := range slices.Chunk(shuffled, 70) {
		old := slices.Clone(chunk)
		for i := range old {
			old[i].Description = "something else about " + old[i].Name
		}
		for _, docs := range [][]Document{old, chunk} {
			if _, err := winding.Add(t.Context(), docs...); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := winding.Remove(t.Context(), chunk[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := winding.Replace(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	if winding.Len() != straight.Len() {
		t.Fatalf("%d documents, want %d", winding.Len(), straight.Len())
	}
	for _, q := range []Query{
		{Text: "share the dashboard with the customer", MaxTools: 20},
		{Steps: []string{"find the file", "send a message"}, TokenBudget: 700},
		{Text: "archive", Servers: []string{"slack"}, MaxTools: 3},
	} {
		want, got := shown(mustSelect(t, straight, q)), shown(mustSelect(t, winding, q))
		if got != want {
			t.Errorf("%+v:\n%swant\n%s", q, got, want)
		}
		if again := shown(mustSelect(t, winding, q)); again != got {
			t.Errorf("%+v: another result the second time", q)
		}
	}
}

// Whoever sees a subset gets what they would get if nothing else existed.
func TestASubsetIsACatalogueOfItsOwn(t *testing.T) {
	docs := catalogue(600)
	all := newSelector(t, nil, docs...)
	for range 5 {
		var some []Document
		var names []string
		share := 1 + random.IntN(10)
		for _, d := range docs {
			if random.IntN(10) < share {
				some, names = append(some, d), append(names, d.ID)
			}
		}
		alone, subset := newSelector(t, nil, some...), NewSubset(names)
		for _, text := range []string{"delete the branch", "which invoices has this customer", "kubernetes deployments of grafana", "zebra"} {
			q := Query{Text: text, MaxTools: 15}
			want := shown(mustSelect(t, alone, q))
			q.Within = subset
			if got := shown(mustSelect(t, all, q)); got != want {
				t.Errorf("%q within %d of %d:\n%swant\n%s", text, len(some), len(docs), got, want)
			}
		}
	}
}

func TestFiltersLeaveAsManyResultsAsThereAre(t *testing.T) {
	docs := catalogue(400)
	s := newSelector(t, nil, docs...)
	for range 200 {
		q := Query{Text: verbs[random.IntN(len(verbs))] + " " + objects[random.IntN(len(objects))], MaxTools: 1 + random.IntN(40)}
		if random.IntN(2) == 0 {
			q.Servers = servers[:1+random.IntN(3)]
		}
		if random.IntN(2) == 0 {
			q.Categories = []string{"money"}
		}
		if random.IntN(3) == 0 {
			q.Labels = []string{"l1", "l2"}
		}
		matching := 0
		for _, d := range docs {
			if (q.Servers == nil || slices.Contains(q.Servers, d.Server)) && (q.Categories == nil || slices.Contains(q.Categories, d.Category)) &&
				(q.Labels == nil || slices.ContainsFunc(q.Labels, func(l string) bool { return slices.Contains(d.Labels, l) })) {
				matching++
			}
		}
		found := mustSelect(t, s, q)
		if want := min(q.MaxTools, matching); len(found.Tools) != want {
			t.Fatalf("%+v: %d tools, want %d of the %d that match", q, len(found.Tools), want, matching)
		}
		for _, tool := range found.Tools {
			d := tool.Document
			if q.Servers != nil && !slices.Contains(q.Servers, d.Server) || q.Categories != nil && d.Category != "money" || q.Labels != nil && d.Labels[0] != "l1" && d.Labels[0] != "l2" {
				t.Fatalf("%+v found %s", q, d.ID)
			}
		}
	}
}

// Scenario 143: within the budget, and the best first.
func TestTheBudgetHolds(t *testing.T) {
	s := newSelector(t, nil, catalogue(300)...)
	for _, text := range []string{"share a file", "list customers of stripe and export their invoices"} {
		last := 0
		for tokens := 1; tokens < 3000; tokens += 37 {
			found := mustSelect(t, s, Query{Text: text, TokenBudget: tokens, MaxTools: 30})
			sum := 0
			for i, tool := range found.Tools {
				sum += tool.Tokens
				if i > 0 && tool.Score > found.Tools[i-1].Score {
					t.Fatalf("tool %d is better than the one before:\n%s", i, shown(found))
				}
			}
			if sum != found.Tokens || sum > tokens {
				t.Fatalf("%d tokens, said to be %d, of %d", sum, found.Tokens, tokens)
			}
			if len(found.Tools) < last {
				t.Fatalf("%d tools for %d tokens, but %d for less", len(found.Tools), tokens, last)
			}
			last = len(found.Tools)
		}
		if last != 30 {
			t.Errorf("%d tools for 3,000 tokens", last)
		}
	}
}

func TestOnlyWhatChangedIsEmbedded(t *testing.T) {
	f := &flaky{}
	s := newSelector(t, &Options{Embedder: f}, catalogue(200)...)
	if f.texts != 200 {
		t.Errorf("%d texts embedded, want 200", f.texts)
	}
	docs := catalogue(200)
	docs[7].Description = "new"
	docs[8].Labels = []string{"other"} // changes the document, and not its text
	changes, err := s.Replace(t.Context(), docs[1:])
	if err != nil || changes.Updated != 2 || changes.Unchanged != 197 || changes.Removed != 1 || changes.Embedded != 1 || f.texts != 201 {
		t.Errorf("%+v, %v; %d texts embedded, want 1 more than 200", changes, err, f.texts)
	}
	if changes, err = s.Add(t.Context(), docs[0]); err != nil || changes.Added != 1 || changes.Embedded != 0 || f.texts != 201 {
		t.Errorf("%+v, %v: a known text was embedded again", changes, err)
	}
}

func TestWithoutItsEmbedderTheWordsDecide(t *testing.T) {
	for name, broken := range map[string]*flaky{"an error": {err: errDown}, "a panic": {panics: true}} {
		t.Run(name, func(t *testing.T) {
			s, err := New(&Options{Embedder: broken})
			if err != nil {
				t.Fatal(err)
			}
			docs := catalogue(100)
			changes, err := s.Add(t.Context(), docs...)
			if err != nil || changes.Added != 100 || changes.Degraded == nil {
				t.Fatalf("Add = %+v, %v", changes, err)
			}
			words := newSelector(t, &Options{LexicalOnly: true}, docs...)
			q := Query{Text: "delete the issue", MaxTools: 8}
			if got, want := ids(mustSelect(t, s, q)), ids(mustSelect(t, words, q)); !slices.Equal(got, want) {
				t.Errorf("found %q, want %q", got, want)
			}
			if found := mustSelect(t, s, q); found.Degraded == nil {
				t.Error("a selection does not say that tools have no vectors")
			}
			if err := s.Embed(t.Context()); err == nil {
				t.Error("Embed does not say that the embedder fails")
			}
			broken.err, broken.panics = nil, false
			if err := s.Embed(t.Context()); err != nil || broken.texts != 100 {
				t.Errorf("Embed = %v after %d texts", err, broken.texts)
			}
			if found := mustSelect(t, s, q); found.Degraded != nil {
				t.Errorf("after recovery, still %v", found.Degraded)
			}
			whole := newSelector(t, &Options{Embedder: &flaky{}}, docs...)
			if got, want := shown(mustSelect(t, s, q)), shown(mustSelect(t, whole, q)); got != want {
				t.Errorf("after recovery:\n%swant\n%s", got, want)
			}
			broken.err = errDown
			found := mustSelect(t, s, q)
			if !errors.Is(found.Degraded, errDown) || !slices.Equal(ids(found), ids(mustSelect(t, words, q))) {
				t.Errorf("a query without embedder: %q, %v", ids(found), found.Degraded)
			}
		})
	}
}

func TestReadersAreNotDisturbed(t *testing.T) {
	docs := catalogue(300)
	s := newSelector(t, nil, docs...)
	var wg sync.WaitGroup
	done := make(chan struct{})
	subset := NewSubset([]string{docs[0].ID, docs[1].ID, docs[2].ID})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				found, err := s.Select(context.Background(), Query{Text: "update the invoice", MaxTools: 5})
				if err != nil || len(found.Tools) != 5 {
					t.Errorf("Select = %v, %v", found, err)
					return
				}
				found, err = s.Select(context.Background(), Query{Steps: []string{"create an issue"}, Within: subset})
				if err != nil || len(found.Tools) > 3 {
					t.Errorf("Select within = %v, %v", found, err)
					return
				}
			}
		})
	}
	for i := range 400 {
		d := docs[i%len(docs)]
		if i%3 == 0 {
			s.Remove(t.Context(), d.ID)
		} else {
			d.Description = fmt.Sprint("new ", i)
			s.Add(t.Context(), d)
		}
	}
	close(done)
	wg.Wait()
}

func TestPinsNeedsAndFloors(t *testing.T) {
	docs := catalogue(300)
	need, pin := docs[17], docs[101]
	first := mustSelect(t, newSelector(t, nil, docs...), Query{Text: "create an issue", MaxTools: 3}).Tools[0].Document.ID
	s := newSelector(t, &Options{Edges: []Edge{{From: first, To: need.ID, Kind: DependsOn}}}, docs...)
	found := mustSelect(t, s, Query{Text: "create an issue", MaxTools: 6, Pinned: []string{pin.ID, "nobody.knows"}, PerServer: map[string]int{"kubernetes": 2}})
	if len(found.Tools) != 6 || found.Tools[0].Document.ID != pin.ID || found.Tools[0].Reason != Pinned {
		t.Errorf("the pinned tool is not first of six:\n%s", shown(found))
	}
	if !slices.Equal(found.Missing, []string{"nobody.knows"}) {
		t.Errorf("missing %q", found.Missing)
	}
	if tight := mustSelect(t, s, Query{Text: "create an issue", TokenBudget: 5, Pinned: []string{pin.ID}}); len(tight.Tools) != 0 || !slices.Equal(tight.Missing, []string{pin.ID}) {
		t.Errorf("a pinned tool that does not fit: missing %q", tight.Missing)
	}
	i := slices.Index(ids(found), first)
	if i < 0 || found.Tools[i+1].Document.ID != need.ID || found.Tools[i+1].Reason != Needed {
		t.Errorf("what %s needs does not follow it:\n%s", first, shown(found))
	}
	n := 0
	for _, tool := range found.Tools {
		if tool.Document.Server == "kubernetes" {
			n++
		}
	}
	if n < 2 {
		t.Errorf("%d tools of a server that was to have 2:\n%s", n, shown(found))
	}
}

func TestToolsUsedTogetherRaiseEachOtherForTheirTenant(t *testing.T) {
	s := newSelector(t, nil, catalogue(300)...)
	q := Query{Text: "create an issue", MaxTools: 20, Tenant: "acme", Explain: true}
	before := mustSelect(t, s, q)
	best, last := before.Tools[0].Document.ID, before.Tools[19].Document.ID
	for i := range 20 {
		s.Observe("acme", fmt.Sprint("session ", i), best)
		s.Observe("acme", fmt.Sprint("session ", i), last)
	}
	after := mustSelect(t, s, q)
	if place := slices.Index(ids(after), last); place < 0 || place >= 15 || after.Tools[place].Parts.Graph <= 0 {
		t.Errorf("a tool that was always used with the best one is still at %d", place)
	}
	q.Tenant = "other"
	if got := shown(mustSelect(t, s, q)); got != shown(before) {
		t.Error("another tenant's selection has changed")
	}
	kept, err := s.Observations()
	if err != nil {
		t.Fatal(err)
	}
	restored := newSelector(t, nil, catalogue(300)...)
	if err := restored.Restore(kept); err != nil {
		t.Fatal(err)
	}
	q.Tenant = "acme"
	if got := ids(mustSelect(t, restored, q)); !slices.Equal(got, ids(after)) {
		t.Errorf("restored, found %q, want %q", got, ids(after))
	}
	if restored.Restore([]byte("{")) == nil {
		t.Error("rubbish was restored")
	}
	s.Forget("acme")
	if got := shown(mustSelect(t, s, q)); got != shown(before) {
		t.Error("what was forgotten still counts")
	}
}

func TestToolsStandInTheOrderOfTheirUse(t *testing.T) {
	docs := catalogue(300)
	q := Query{Text: "create an issue", MaxTools: 10}
	found := ids(mustSelect(t, newSelector(t, nil, docs...), q))
	s := newSelector(t, &Options{Edges: []Edge{{From: found[6], To: found[1], Kind: Precedes}, {From: found[3], To: found[4], Kind: AlternativeOf}}}, docs...)
	got := ids(mustSelect(t, s, q))
	if slices.Index(got, found[6]) != slices.Index(got, found[1])-1 {
		t.Errorf("%s is not directly before %s in %q", found[6], found[1], got)
	}
	if slices.Contains(got, found[4]) || len(got) != 10 {
		t.Errorf("%q holds two alternatives, or not ten tools", got)
	}
}

func TestEveryStepHasItsTool(t *testing.T) {
	s := newSelector(t, nil, catalogue(400)...)
	steps := []string{"search for the customer", "export the invoice", "share the folder", "delete the branch"}
	found := mustSelect(t, s, Query{Steps: steps, MaxTools: 4})
	seen := map[int]bool{}
	for _, tool := range found.Tools {
		seen[tool.Step] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d of 4 steps have a tool:\n%s", len(seen), shown(found))
	}
}

func TestWordsOfNoToolAreTold(t *testing.T) {
	s := newSelector(t, nil, catalogue(100)...)
	found := mustSelect(t, s, Query{Text: "delete the flibbertigibbet issue"})
	if !slices.Equal(found.Unmatched, []string{"flibbertigibbet"}) {
		t.Errorf("unmatched %q", found.Unmatched)
	}
}

func TestMinScoreCutsTheTail(t *testing.T) {
	s := newSelector(t, nil, catalogue(200)...)
	found := mustSelect(t, s, Query{Text: "create an issue", MaxTools: 50})
	for i, tool := range found.Tools {
		if tool.Score < 0 || tool.Score > 1 || i > 0 && tool.Score > found.Tools[i-1].Score {
			t.Fatalf("scores are not in order from 1 to 0:\n%s", shown(found))
		}
	}
	least := found.Tools[10].Score
	for _, tool := range mustSelect(t, s, Query{Text: "create an issue", MaxTools: 50, MinScore: least}).Tools {
		if tool.Score < least {
			t.Errorf("%s has %v", tool.Document.ID, tool.Score)
		}
	}
}

func TestAnEmptyCatalogueHasNothing(t *testing.T) {
	s := newSelector(t, nil)
	found := mustSelect(t, s, Query{Text: "anything"})
	if len(found.Tools) != 0 || found.Of != 0 {
		t.Errorf("found %s", shown(found))
	}
	docs := catalogue(5)
	s.Add(t.Context(), docs...)
	s.Replace(t.Context(), nil)
	if found := mustSelect(t, s, Query{Text: "anything"}); len(found.Tools) != 0 || found.OfTokens != 0 {
		t.Errorf("found %s", shown(found))
	}
	s.Add(t.Context(), docs[0])
	if found := mustSelect(t, s, Query{Text: "create issue"}); len(found.Tools) != 1 {
		t.Errorf("found %s", shown(found))
	}
}

func TestWhatCannotBeUsedIsSaid(t *testing.T) {
	s := newSelector(t, nil, catalogue(3)...)
	tooMany := map[string]int{}
	for i := range 1001 {
		tooMany[fmt.Sprint(i)] = 1
	}
	for field, q := range map[string]Query{
		"Query.Text":                {},
		"Query.Steps[1]":            {Steps: []string{"a", " "}},
		"Query.Steps":               {Steps: slices.Repeat([]string{strings.Repeat("x", 10_000)}, 11)},
		"Query.PerCategory":         {Text: "x", PerCategory: tooMany},
		"Query.MaxTools":            {Text: "x", MaxTools: -1},
		"Query.TokenBudget":         {Text: "x", TokenBudget: -1},
		"Query.MinScore":            {Text: "x", MinScore: 1.5},
		`Query.PerServer["github"]`: {Text: "x", PerServer: map[string]int{"github": -1}},
	} {
		_, err := s.Select(t.Context(), q)
		var e *InvalidError
		if !errors.As(err, &e) || e.Field != field || !errors.Is(err, ErrInvalid) {
			t.Errorf("Select(%+v): %v, want it to name %s", q, err, field)
		}
	}
	long := strings.Repeat("x", 600)
	for field, d := range map[string]Document{
		"Document.ID":         {Name: "x"},
		`Document "a".Name`:   {ID: "a"},
		`Document "a".Tokens`: {ID: "a", Name: "x", Tokens: -1},
		`Document "a".Ref`:    {ID: "a", Name: "x", Ref: long},
	} {
		_, err := s.Add(t.Context(), catalogue(5)[4], d)
		var e *InvalidError
		if !errors.As(err, &e) || e.Field != field {
			t.Errorf("Add(%+v): %v, want it to name %s", d, err, field)
		}
	}
	if s.Len() != 3 {
		t.Errorf("a failed Add left %d documents", s.Len())
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Select(cancelled, Query{Text: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Select with a cancelled context: %v", err)
	}
	for _, opts := range []*Options{{LexicalOnly: true, Vectors: &listIndex{}}, {Embedder: &flaky{}, Vectors: &listIndex{}}} {
		if _, err := New(opts); !errors.Is(err, ErrInvalid) {
			t.Errorf("New(%+v): %v", opts, err)
		}
	}
}

// A listIndex is a VectorIndex that compares everything.
type listIndex struct {
	flaky
	mu    sync.Mutex
	items map[string]string
	err   error
}

func (l *listIndex) Upsert(_ context.Context, items []VectorItem) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.items == nil {
		l.items = map[string]string{}
	}
	for _, i := range items {
		l.items[i.ID] = i.Text
	}
	return l.err
}

func (l *listIndex) Delete(_ context.Context, ids []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		delete(l.items, id)
	}
	return l.err
}

func (l *listIndex) Search(_ context.Context, query string, k int, keep func(string) bool) ([]Neighbour, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	q := l.vector(query)
	var found []Neighbour
	for id, text := range l.items {
		if keep == nil || keep(id) {
			var dot float32
			for i, x := range l.vector(text) {
				dot += x * q[i]
			}
			found = append(found, Neighbour{ID: id, Score: dot})
		}
	}
	slices.SortFunc(found, func(a, b Neighbour) int { return strings.Compare(a.ID, b.ID) })
	slices.SortStableFunc(found, func(a, b Neighbour) int { return int(1000 * (b.Score - a.Score)) })
	return found[:min(k, len(found))], nil
}

func TestVectorsMayBeElsewhere(t *testing.T) {
	index := &listIndex{}
	docs := catalogue(300)
	s := newSelector(t, &Options{Vectors: index}, docs...)
	if len(index.items) != 300 {
		t.Errorf("%d items", len(index.items))
	}
	found := mustSelect(t, s, Query{Text: "delete the calendar event", MaxTools: 5})
	if len(found.Tools) != 5 || found.Degraded != nil || !slices.ContainsFunc(found.Tools, func(t Selected) bool { return t.Document.Name == "delete_calendar_event" }) {
		t.Errorf("found %s%v", shown(found), found.Degraded)
	}
	if n, err := s.Remove(t.Context(), found.Tools[0].Document.ID); n != 1 || err != nil || len(index.items) != 299 {
		t.Errorf("Remove = %d, %v; %d items", n, err, len(index.items))
	}
	index.err = errDown
	found = mustSelect(t, s, Query{Text: "delete the calendar event", MaxTools: 5})
	if len(found.Tools) != 5 || !errors.Is(found.Degraded, errDown) {
		t.Errorf("found %s%v", shown(found), found.Degraded)
	}
	d := docs[0]
	d.Description = "other"
	if changes, err := s.Add(t.Context(), d); err != nil || !errors.Is(changes.Degraded, errDown) {
		t.Errorf("Add = %+v, %v", changes, err)
	}
	index.err = nil
	if err := s.Embed(t.Context()); err != nil || !strings.Contains(index.items[d.ID], "other") {
		t.Errorf("Embed = %v, item %q", err, index.items[d.ID])
	}
}
