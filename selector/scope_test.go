package selector

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// What a scope finds by name is what a look through its documents finds, however documents came and went.
func TestNamesAreThoseOfTheScope(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	s := newSelector(t, &Options{LexicalOnly: true})
	for range 30 {
		var docs []Document
		for i := range r.IntN(60) {
			docs = append(docs, Document{ID: fmt.Sprint("id", i*7%60), Ref: fmt.Sprint("ref", r.IntN(20)), Name: "x"})
		}
		if _, err := s.Replace(t.Context(), docs); err != nil {
			t.Fatal(err)
		}
		var some []string
		for i := range 60 {
			if r.IntN(2) == 0 {
				some = append(some, fmt.Sprint("id", i))
			}
		}
		for _, subset := range []*Subset{nil, NewSubset(some)} {
			sc := subset.of(s.current.Load())
			first := map[string]string{} // IDs by Ref
			for _, d := range docs {
				there := subset == nil || subset.Has(d.ID)
				if row := sc.rowOf(d.ID); row >= 0 != there || there && sc.snapshot.entries[row].doc.ID != d.ID {
					t.Fatalf("%s is at row %d, there %t", d.ID, row, there)
				}
				if id, twice := first[d.Ref]; there && (!twice || d.ID < id) {
					first[d.Ref] = d.ID
				}
			}
			for i := range 20 {
				ref := fmt.Sprint("ref", i)
				row, want := sc.row(ref), first[ref]
				if row >= 0 != (want != "") || row >= 0 && sc.snapshot.entries[row].doc.ID != want {
					t.Fatalf("%s is at row %d, want that of %q", ref, row, want)
				}
			}
			if sc.rowOf("nobody") >= 0 || sc.row("nobody") >= 0 {
				t.Fatal("nobody is there")
			}
		}
	}
}
