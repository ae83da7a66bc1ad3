package selector

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
	"weak"
)

func TestADocumentThatIsNamedTwiceIsRemovedOnce(t *testing.T) {
	docs := catalogue(10)
	s := newSelector(t, nil, docs...)
	if n, err := s.Remove(t.Context(), docs[5].ID, docs[5].ID, "nobody", "nobody"); n != 1 || err != nil || s.Len() != 9 {
		t.Errorf("Remove = %d, %v; %d documents left, want 9", n, err, s.Len())
	}
	if found := ids(mustSelect(t, s, Query{Text: "create"})); len(found) != 9 || slices.Contains(found, docs[5].ID) {
		t.Errorf("found %q", found)
	}
}

func TestFloorsOfAnySizeAreServed(t *testing.T) {
	s := newSelector(t, nil, catalogue(100)...)
	for _, least := range []int{math.MaxInt, math.MaxInt - 8, 1 << 40} {
		found := mustSelect(t, s, Query{Text: "export a folder", MaxTools: 7, PerServer: map[string]int{"github": least}, PerCategory: map[string]int{"": least}})
		for _, tool := range found.Tools {
			if tool.Document.Server != "github" {
				t.Errorf("%s is there, although all should be of github", tool.Document.ID)
			}
		}
		if len(found.Tools) != 7 {
			t.Errorf("%d tools, want 7", len(found.Tools))
		}
	}
}

func TestWhatIsMissingIsToldOnce(t *testing.T) {
	docs := catalogue(100)
	best := ids(mustSelect(t, newSelector(t, nil, docs...), Query{Text: "create an issue"}))
	big := Document{ID: "big", Name: "zzz", Tokens: 100_000}
	s := newSelector(t, &Options{Edges: []Edge{{best[0], "big", DependsOn}, {best[1], "big", DependsOn}}}, append(docs, big)...)
	found := mustSelect(t, s, Query{Text: "create an issue", TokenBudget: 3000, Whole: true, Pinned: []string{"nobody", "nobody"}})
	if !slices.Equal(found.Missing, []string{"nobody", "big"}) {
		t.Errorf("missing %q", found.Missing)
	}
}

func TestToolsThatCannotBeChosenCrowdOutNone(t *testing.T) {
	docs := catalogue(40)
	large, many := slices.Clone(docs), slices.Clone(docs)
	for i := range 500 {
		d := Document{ID: fmt.Sprint("z", i), Name: "zebra_stripes", Description: "zebra stripes", Tokens: 100_000}
		large = append(large, d)
		d.Ref, d.Tokens = "zebra", 10
		many = append(many, d)
	}
	for name, c := range map[string]struct {
		docs []Document
		q    Query
	}{
		"too large":     {large, Query{Text: "zebra stripes", TokenBudget: 2000, Whole: true}},
		"of one Ref":    {many, Query{Text: "zebra stripes"}},
		"both, steps":   {append(large, many[40:45]...), Query{Steps: []string{"zebra stripes", "zebra"}, TokenBudget: 2000, Whole: true}},
		"of one server": {large, Query{Text: "zebra stripes", TokenBudget: 2000, PerServer: map[string]int{"": 3}, Whole: true}},
	} {
		for i := range c.docs {
			if c.docs[i].Ref == "zebra" {
				c.docs[i].ID = fmt.Sprint("same", i)
			}
		}
		if found := mustSelect(t, newSelector(t, nil, c.docs...), c.q); len(found.Tools) != 10 {
			t.Errorf("%s: %d tools, want 10:\n%s", name, len(found.Tools), shown(found))
		}
	}
}

func TestAPinnedToolOutsideTheFilterHasItsBestStep(t *testing.T) {
	docs := catalogue(100)
	s := newSelector(t, nil, docs...)
	steps := []string{"share the folder", "create an issue"}
	pin := ids(mustSelect(t, s, Query{Text: steps[1], Servers: []string{"github"}}))[0]
	want := mustSelect(t, s, Query{Steps: steps, Pinned: []string{pin}}).Tools[0]
	got := mustSelect(t, s, Query{Steps: steps, Pinned: []string{pin}, Servers: []string{"drive"}}).Tools[0]
	if got.Document.ID != pin || got.Step != 1 || got.Score != want.Score {
		t.Errorf("%s has step %d and score %v, want %s with 1 and %v", got.Document.ID, got.Step, got.Score, pin, want.Score)
	}
}

// A lying index returns what it is told to.
type lying struct {
	listIndex
	found []Neighbour
}

func (l *lying) Search(context.Context, string, int, func(string) bool) ([]Neighbour, error) {
	return l.found, nil
}

func TestRubbishOfAVectorIndexDoesNoHarm(t *testing.T) {
	docs := catalogue(100)
	good := []Neighbour{{docs[1].ID, .9}, {docs[2].ID, .5}}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	index := &lying{found: good}
	s := newSelector(t, &Options{Vectors: index}, docs...)
	q := Query{Text: "create an issue", MaxTools: 20}
	want := shown(mustSelect(t, s, q))
	for name, found := range map[string][]Neighbour{
		"unknown IDs": append([]Neighbour{{"nobody", -1e9}, {"", nan}}, good...),
		"duplicates":  append(slices.Clone(good), Neighbour{docs[1].ID, .7}),
		"no order":    {good[1], good[0]},
	} {
		index.found = found
		if got := shown(mustSelect(t, s, q)); got != want {
			t.Errorf("%s:\n%swant\n%s", name, got, want)
		}
	}
	for _, score := range []float32{nan, inf, -inf} {
		index.found = append(slices.Clone(good), Neighbour{docs[3].ID, score})
		if found := mustSelect(t, s, q); len(found.Tools) != 20 || found.Degraded == nil {
			t.Errorf("a score of %v: %d tools, degraded %v", score, len(found.Tools), found.Degraded)
		}
	}
	for _, found := range [][]Neighbour{{{docs[0].ID, math.MaxFloat32}, {docs[1].ID, -math.MaxFloat32}}, slices.Repeat(good, 1000)} {
		index.found = found
		for _, tool := range mustSelect(t, s, q).Tools {
			if !(tool.Score >= 0 && tool.Score <= 1) {
				t.Errorf("%s has the score %v", tool.Document.ID, tool.Score)
			}
		}
	}
}

// Not a bit of what one user gets depends on the tools that others have, nor on how those came and went.
func TestOthersChangeNoBitOfASelection(t *testing.T) {
	docs := catalogue(700)
	var names []string
	for _, d := range docs[:300] {
		names = append(names, d.ID)
	}
	s := newSelector(t, nil, docs[:300]...)
	mine := NewSubset(names)
	result := func() string {
		var b strings.Builder
		for _, q := range []Query{
			{Text: "delete the branch of github and share it. Then list. And export the invoice!", MaxTools: 50, Within: mine},
			{Steps: []string{"a message", "find file"}, MaxTools: 40, TokenBudget: 2000, Within: mine},
		} {
			for _, tool := range mustSelect(t, s, q).Tools {
				fmt.Fprintln(&b, tool.Document.ID, math.Float64bits(tool.Score), tool.Tokens, tool.Reason, tool.Step)
			}
		}
		return b.String()
	}
	want := result()
	r := rand.New(rand.NewPCG(5, 5))
	for range 20 {
		others := docs[300+r.IntN(300):]
		var gone []string
		for _, d := range others {
			gone = append(gone, d.ID)
		}
		if _, err := s.Add(t.Context(), others...); err != nil {
			t.Fatal(err)
		}
		if result() != want {
			t.Fatal("the result is another one after others were added")
		}
		if _, err := s.Remove(t.Context(), gone...); err != nil {
			t.Fatal(err)
		}
		if result() != want {
			t.Fatal("the result is another one after others were removed")
		}
	}
	if rows := len(s.current.Load().entries); rows > 300+400+minDead {
		t.Errorf("%d rows: nothing was laid out anew, so this test shows nothing", rows)
	}
}

func TestASubsetKeepsNoOldCatalogueAlive(t *testing.T) {
	docs := catalogue(50)
	s := newSelector(t, nil, docs...)
	subset := NewSubset([]string{docs[0].ID, docs[1].ID})
	mustSelect(t, s, Query{Text: "an issue", Within: subset, Pinned: []string{docs[1].ID}})
	old := weak.Make(s.current.Load())
	if _, err := s.Replace(t.Context(), catalogue(40)); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.GC()
	if old.Value() != nil {
		t.Error("the version that the subset was last used with is still there")
	}
	if found := mustSelect(t, s, Query{Text: "an issue", Within: subset}); found.Of != 2 {
		t.Errorf("the subset has %d documents, want 2", found.Of)
	}
	other := newSelector(t, nil, docs[1:]...)
	if found := mustSelect(t, other, Query{Text: "an issue", Within: subset}); found.Of != 1 || other.current.Load().entries[0].doc.ID != docs[1].ID {
		t.Errorf("in another selector the subset has %d documents, want 1", found.Of)
	}
	runtime.KeepAlive(subset)
}

func TestDocumentsThatAreGoneAreFreed(t *testing.T) {
	s := newSelector(t, nil, catalogue(20)...)
	for i := range 20 {
		if _, err := s.Add(t.Context(), Document{ID: "x", Name: "x", Description: fmt.Sprint(i, strings.Repeat(" word", 1<<18))}); err != nil {
			t.Fatal(err)
		}
		bytes := 0
		for _, e := range s.current.Load().entries {
			bytes += e.size
		}
		if most := minDeadBytes + 4<<20; bytes > most {
			t.Fatalf("after %d updates of a document of 1.3 MB there are %d bytes of documents, want at most %d", i+1, bytes, most)
		}
	}
	for i := range 1500 {
		if _, err := s.Add(t.Context(), Document{ID: "y", Name: "y", Server: fmt.Sprint(i), Description: fmt.Sprint("number", i)}); err != nil {
			t.Fatal(err)
		}
	}
	sn := s.current.Load()
	for what, n := range map[string]int{"rows": len(sn.entries), "vectors": sn.vectors.Len(), "texts": len(s.w.vectors), "servers": len(sn.serverNames)} {
		if n > 22+minDead+1 {
			t.Errorf("%d %s of 22 documents", n, what)
		}
	}
}

func TestTextsOfAnyLengthAreBoundedAtACharacter(t *testing.T) {
	for _, s := range []string{"word ", "語", "a\u0301", "ﷺ", "😀"} {
		huge := strings.Repeat(s, 1<<17/len(s))
		d := Document{ID: "x", Name: huge, Title: huge, Server: huge, Category: huge, Description: huge, ServerDescription: huge,
			Params: slices.Repeat([]Param{{huge[:len(s)*200], huge[:len(s)*200]}}, 100)}
		if e := embedded(&d); len(e) > maxEmbedded || !utf8.ValidString(e) {
			t.Errorf("%q: %d bytes are embedded, valid %t", s, len(e), utf8.ValidString(e))
		}
		for field, text := range words(&d) {
			if len(text) > maxWords || len(text) < maxWords/2 || !utf8.ValidString(text) {
				t.Errorf("%q: field %d has %d bytes, valid %t", s, field, len(text), utf8.ValidString(text))
			}
		}
		sel := newSelector(t, nil, d)
		if found := mustSelect(t, sel, Query{Text: s}); len(found.Tools) != 1 || found.Tools[0].Document.Description != huge {
			t.Errorf("%q: the document is not found, or is not whole", s)
		}
	}
}

func TestHostileQueriesFindWhatThereIs(t *testing.T) {
	s := newSelector(t, nil, catalogue(50)...)
	for name, text := range map[string]string{
		"zero bytes": strings.Repeat("\x00", maxText), "invalid UTF-8": strings.Repeat("a\xff", maxText/2), "right to left": strings.Repeat("\u202eשלום ", maxText/12),
		"combining marks": "a" + strings.Repeat("\u0301", maxText/2-1), "quotation marks": strings.Repeat(`"`, maxText), "dots": strings.Repeat("a. ", maxText/3),
		"breaks": strings.Repeat(" ", maxText/2) + strings.Repeat("a\n", maxText/4), "list marks": strings.Repeat("- ", maxText/2),
		"camels": strings.Repeat("aB", maxText/2), "ligatures": strings.Repeat("\ufdfa", maxText/3),
	} {
		found := mustSelect(t, s, Query{Text: text, TokenBudget: 400})
		if len(found.Tools) == 0 || found.Tokens > 400 {
			t.Errorf("%s: %d tools with %d tokens", name, len(found.Tools), found.Tokens)
		}
	}
}
