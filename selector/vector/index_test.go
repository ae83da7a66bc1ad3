package vector

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

func TestVersionsDoNotSeeLaterRows(t *testing.T) {
	kernels(t, func(t *testing.T, simd bool) {
		const dim, first, more, readers = 20, 50, 100, 3
		r := random(4)
		rows := gaussian(r, first+more, dim)
		x := build(t, simd, dim, rows[:first])
		query := rows[first] // the rows that come later are what a reader of a later version finds
		check := func(x *Index) error {
			hits, err := x.Search(nil, query, 10, nil)
			if err != nil {
				return err
			}
			if diff := same(hits, twin(rows[:x.Len()]).search(query, 10, nil)); diff != "" {
				return fmt.Errorf("version of %d rows: %s", x.Len(), diff)
			}
			return nil
		}
		var wg sync.WaitGroup
		versions := make(chan *Index, more)
		for range readers {
			wg.Go(func() {
				for old := range versions {
					for _, version := range []*Index{x, old} {
						if err := check(version); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		newest := x
		for i := first; i < len(rows); i++ {
			next, err := newest.Append(rows[i])
			if err != nil {
				t.Fatal(err)
			}
			newest = next
			versions <- newest
		}
		close(versions)
		wg.Wait()
	})
}

func TestTwoVersionsOfTheSameVersionDoNotShareRows(t *testing.T) {
	kernels(t, func(t *testing.T, simd bool) {
		const dim, n, writers = 8, 30, 8
		rows := gaussian(random(5), n+writers, dim)
		x := build(t, simd, dim, rows[:n])
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				y, err := x.Append(rows[n+i])
				if err != nil {
					t.Error(err)
					return
				}
				hits, err := y.Search(nil, rows[n+i], 1, nil)
				if err != nil || y.Len() != n+1 || len(hits) != 1 || hits[0].Row != n || hits[0].Score < 1-tolerance {
					t.Errorf("a version with row %d added finds %v, %v", n+i, hits, err)
				}
			})
		}
		wg.Wait()
		if x.Len() != n {
			t.Errorf("Len of the old version = %d, want %d", x.Len(), n)
		}
	})
}

func TestAppendSharesTheSlab(t *testing.T) {
	const dim, n = 64, 400
	rows := gaussian(random(6), 2*n, dim)
	x := build(t, accelerated, dim, rows[:n])
	copies := 0
	for _, row := range rows[n:] {
		y, err := x.Append(row)
		if err != nil {
			t.Fatal(err)
		}
		if &y.slab[0] != &x.slab[0] {
			copies++
		}
		x = y
	}
	if copies > 4 { // 500, 625, 781
		t.Errorf("%d rows were appended one by one to as many with %d copies of the slab, want at most 4", n, copies)
	}
	all := build(t, accelerated, dim, rows)
	if !slices.Equal(x.slab, all.slab) {
		t.Error("appending one by one and appending all at once give different rows")
	}
}

func TestRowsStartAtCacheLines(t *testing.T) {
	for _, dim := range []int{1, 33, 384, 1000} {
		x := build(t, accelerated, dim, gaussian(random(7), 3, dim))
		for row := range 3 {
			if past := uintptr(unsafe.Pointer(&x.row(row)[0])) % 64; past != 0 {
				t.Errorf("row %d of dimension %d starts %d bytes after a cache line", row, dim, past)
			}
		}
	}
}

func TestMemoryStartsAtCacheLines(t *testing.T) {
	for n := 1; n < 100; n++ {
		v := aligned(n)
		if past := uintptr(unsafe.Pointer(&v[0])) % 64; past != 0 || len(v) != n || cap(v) != n {
			t.Errorf("aligned(%d) has %d of %d floats and starts %d bytes after a cache line", n, len(v), cap(v), past)
		}
	}
}

func TestLengthOfVectorsDoesNotMatter(t *testing.T) {
	kernels(t, func(t *testing.T, simd bool) {
		const dim = 40
		base := gaussian(random(8), 1, dim)[0]
		for _, length := range []float32{1e-37, 1e-20, 1, 1e20, 1e37} {
			row := slices.Clone(base)
			for i := range row {
				row[i] *= length
			}
			for _, pair := range [][2][]float32{{row, base}, {base, row}, {row, row}} {
				hits, err := build(t, simd, dim, pair[:1]).Search(nil, pair[1], 1, nil)
				if err != nil || len(hits) != 1 || math.Abs(float64(hits[0].Score)-1) > tolerance {
					t.Errorf("vectors of the same direction and length %g: %v, %v, want a score of 1", length, hits, err)
				}
			}
		}
	})
}

func TestKeepGivesTheSameScores(t *testing.T) {
	kernels(t, func(t *testing.T, simd bool) {
		const n, dim = 700, 50
		r := random(9)
		rows := gaussian(r, n, dim)
		query := rows[5]
		x := build(t, simd, dim, rows)
		scores, err := x.Scores(nil, query)
		if err != nil {
			t.Fatal(err)
		}
		for _, shape := range shapes {
			set := shape.set(r, n)
			want := []float32{}
			for row, score := range scores {
				if rowset.Has(set, row) {
					want = append(want, score)
				}
			}
			y := x.Keep(set)
			got, err := y.Scores(nil, query)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: scores of what was kept differ from what they were: %v", shape.name, err)
			}
			z, err := y.Append(query)
			if err != nil || z.Len() != len(want)+1 || y.Len() != len(want) {
				t.Errorf("%s: %d rows, %d after Append: %v; want %d and one more", shape.name, y.Len(), z.Len(), err, len(want))
			}
			if y.Len() > 0 && &z.slab[0] != &y.slab[0] {
				t.Errorf("%s: Append copied what Keep had left room in", shape.name)
			}
		}
		if after, _ := x.Scores(nil, query); !slices.Equal(after, scores) {
			t.Error("Keep has changed the index it was called on")
		}
	})
}

func TestBadVectorsAreNamed(t *testing.T) {
	const dim = 70
	good := gaussian(random(10), 1, dim)[0]
	with := func(element int, f float64) []float32 {
		v := slices.Clone(good)
		v[element] = float32(f)
		return v
	}
	for _, test := range []struct {
		name    string
		v       []float32
		err     error
		element int
		text    string
	}{
		{"nil", nil, ErrDimension, -1, "has 0 elements and not 70"},
		{"short", good[1:], ErrDimension, -1, "has 69 elements and not 70"},
		{"long", append(slices.Clone(good), 1), ErrDimension, -1, "has 71 elements and not 70"},
		{"zero", make([]float32, dim), ErrZero, -1, "is zero"},
		{"NaN", with(3, math.NaN()), ErrNotFinite, 3, "element 3 is NaN or infinite"},
		{"+Inf", with(69, math.Inf(1)), ErrNotFinite, 69, "element 69 is"},
		{"-Inf", with(0, math.Inf(-1)), ErrNotFinite, 0, "element 0 is"},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := build(t, accelerated, dim, [][]float32{good})
			check := func(call string, err error, query bool, row int) {
				t.Helper()
				var e *Error
				if !errors.As(err, &e) || !errors.Is(err, test.err) {
					t.Errorf("%s: error %v, want an *Error that is %q", call, err, test.err)
					return
				}
				want := Error{Query: query, Row: row, Element: test.element, Len: len(test.v), Dim: dim, Err: test.err}
				if *e != want {
					t.Errorf("%s: error %+v, want %+v", call, *e, want)
				}
				what := "row"
				if query {
					what = "query"
				}
				if prefix := fmt.Sprintf("vector: %s %d", what, row); !strings.HasPrefix(e.Error(), prefix) {
					t.Errorf("%s: error %q, want it to begin with %q", call, e, prefix)
				}
				if !strings.Contains(e.Error(), test.text) {
					t.Errorf("%s: error %q, want it to contain %q", call, e, test.text)
				}
			}
			_, err := x.Append(good, good, test.v, good)
			check("Append", err, false, 2)
			_, err = x.Search(nil, test.v, 1, nil)
			check("Search", err, true, 0)
			_, err = x.Scores(nil, test.v)
			check("Scores", err, true, 0)
			_, err = x.SearchBatch(nil, [][]float32{good, test.v}, 1, nil)
			check("SearchBatch", err, true, 1)

			y, err := x.Append(good) // a refused row must not have taken its place
			if err != nil || &y.slab[0] != &x.slab[0] || y.Len() != 2 {
				t.Errorf("Append after an error: %v, a copy of the slab or %d rows", err, y.Len())
			}
		})
	}
}

func TestMisusePanics(t *testing.T) {
	x := build(t, accelerated, 2, [][]float32{{1, 0}})
	for name, f := range map[string]func(){
		"New(0)":  func() { New(0) },
		"New(-1)": func() { New(-1) },
		"Row(-1)": func() { x.Row(-1) },
		"Row(1)":  func() { x.Row(1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			f()
		}()
	}
}

func TestRowIsOfLengthOne(t *testing.T) {
	x := build(t, accelerated, 2, [][]float32{{30, 40}})
	row := x.Row(0)
	if want := []float32{0.6, 0.8}; !slices.Equal(row, want) || cap(row) != 2 {
		t.Errorf("Row(0) = %v with capacity %d, want %v with 2", row, cap(row), want)
	}
}
