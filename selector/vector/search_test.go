package vector

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

func TestSearchAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool forgets at random")
	}
	kernels(t, func(t *testing.T, simd bool) {
		for _, size := range []struct{ n, dim int }{{10, 3}, {1000, 384}, {300, 1536}, {4, 99_000}} {
			r := random(11)
			rows := gaussian(r, size.n, size.dim)
			x := build(t, simd, size.dim, rows)
			queries := rows[:4]
			hits := make([]Hit, 0, 10)
			scores := make([]float32, 0, size.n)
			batch := make([][]Hit, 4)
			for i := range batch {
				batch[i] = make([]Hit, 0, 10)
			}
			var err error
			measure := func(what string, f func()) {
				t.Helper()
				if n := testing.AllocsPerRun(5, f); n != 0 || err != nil {
					t.Errorf("%s in %d rows of %d: %v allocations, %v, want none", what, size.n, size.dim, n, err)
				}
			}
			for _, shape := range shapes {
				allowed := shape.set(r, size.n)
				measure("Search of "+shape.name, func() { hits, err = x.Search(hits, queries[1], 10, allowed) })
				measure("SearchBatch of "+shape.name, func() { batch, err = x.SearchBatch(batch, queries, 10, allowed) })
			}
			measure("Scores", func() { scores, err = x.Scores(scores, queries[0]) })
		}
	})
}

func TestResultsAreWrittenToTheCallersSlices(t *testing.T) {
	x := build(t, accelerated, 2, [][]float32{{1, 0}, {0, 1}, {1, 1}})
	old := []Hit{{7, 7}, {8, 8}, {9, 9}}
	hits, err := x.Search(old, []float32{1, 0}, 2, nil)
	if err != nil || len(hits) != 2 || &hits[0] != &old[0] || hits[0].Row != 0 || hits[1].Row != 2 {
		t.Errorf("Search into a slice of 3 = %v, %v, want rows 0 and 2 in the same slice", hits, err)
	}
	batch := [][]Hit{{{7, 7}}, {{8, 8}}, {{9, 9}}}
	got, err := x.SearchBatch(batch, [][]float32{{1, 0}, {0, 1}}, 1, nil)
	if err != nil || len(got) != 2 || &got[0] != &batch[0] || got[0][0].Row != 0 || got[1][0].Row != 1 {
		t.Errorf("SearchBatch into 3 slices = %v, %v, want rows 0 and 1 in the first two of them", got, err)
	}
	got, err = x.SearchBatch(batch, nil, 1, nil)
	if err != nil || len(got) != 0 {
		t.Errorf("SearchBatch without queries = %v, %v", got, err)
	}
	got, err = x.SearchBatch([][]Hit{{{7, 7}}}, [][]float32{{1, 0}}, 0, nil)
	if err != nil || len(got) != 1 || len(got[0]) != 0 {
		t.Errorf("SearchBatch of nothing = %v, %v, want one empty result", got, err)
	}
}

func TestPoolKeepsNoHits(t *testing.T) {
	x := build(t, accelerated, 2, [][]float32{{1, 0}})
	s, err := x.prepare([]float32{1, 0})
	if err != nil {
		t.Fatal(err)
	}
	tops := append(s.tops[:0], newTop(nil, 1))
	s.tops = tops
	s.free()
	if tops[0].hits != nil {
		t.Error("a scratch that was given back still holds the caller's hits")
	}
}

func TestEmptyIndexHasNoHits(t *testing.T) {
	x := New(3)
	hits, err := x.Search(nil, []float32{1, 2, 3}, 10, nil)
	if err != nil || len(hits) != 0 {
		t.Errorf("Search in an empty index = %v, %v", hits, err)
	}
	if same, err := x.Append(); err != nil || same != x || x.Len() != 0 || x.Dim() != 3 {
		t.Errorf("Append of nothing = %v, %v, want the same version", same, err)
	}
	if _, err := x.Search(nil, []float32{1}, 10, nil); !errors.Is(err, ErrDimension) {
		t.Errorf("Search with a bad query in an empty index: %v, want %v", err, ErrDimension)
	}
}

func TestEqualScoresAreInTheOrderOfRows(t *testing.T) {
	kernels(t, func(t *testing.T, simd bool) {
		rows := slices.Repeat([][]float32{{3, 4, 5}}, 1000)
		x := build(t, simd, 3, rows)
		hits, err := x.Search(nil, []float32{1, 1, 2}, 100, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range hits {
			if h.Row != i || h.Score != hits[0].Score {
				t.Fatalf("hit %d of equal rows is %v, want row %d with %v", i, h, i, hits[0].Score)
			}
		}
	})
}

// Ascending scores are the worst case for the heap, and the order in which a wrong one loses hits.
func TestTopKeepsTheBestInAnyOrder(t *testing.T) {
	r := random(12)
	for _, n := range []int{1, 2, 63, 64, 65, 1000} {
		for name, score := range map[string]func(i int) float32{
			"ascending":  func(i int) float32 { return float32(i) },
			"descending": func(i int) float32 { return float32(-i) },
			"equal":      func(int) float32 { return -0.5 },
			"few values": func(int) float32 { return float32(r.IntN(5)) },
			"random":     func(int) float32 { return r.Float32() },
		} {
			all := make([]Hit, n)
			scores := make([]float32, n)
			for i := range all {
				scores[i] = score(i)
				all[i] = Hit{i, scores[i]}
			}
			slices.SortStableFunc(all, func(a, b Hit) int { return cmp.Compare(b.Score, a.Score) })
			for _, k := range []int{1, 2, 10, listed, listed + 1, n} {
				tp := newTop(nil, k)
				tp.offer(scores, 0, nil, accelerated)
				if got := tp.sort(); !slices.Equal(got, all[:min(k, n)]) {
					t.Errorf("the best %d of %d %s scores = %v, want %v", k, n, name, got, all[:min(k, n)])
				}
				// Halves whose hits come in any order.
				a, b := newTop(nil, k), newTop(nil, k)
				a.offer(scores[:n/2], 0, nil, accelerated)
				b.offer(scores[n/2:], n/2, nil, accelerated)
				b.merge(a.hits)
				if got := b.sort(); !slices.Equal(got, all[:min(k, n)]) {
					t.Errorf("the best %d of two halves of %d %s scores = %v, want %v", k, n, name, got, all[:min(k, n)])
				}
			}
		}
	}
}

func TestGoroutinesAreForLargeIndexesOnly(t *testing.T) {
	x := New(384)
	const large = worthwhile/(384*4) + 1
	if got := x.goroutines(10 * large); got != 1 {
		t.Errorf("goroutines without Parallel = %d, want 1", got)
	}
	x = x.Parallel(2)
	if got := x.goroutines(large - 1); got != 1 {
		t.Errorf("goroutines for less than 32 MB = %d, want 1", got)
	}
	if got := x.Parallel(1 << 20).goroutines(10 * large); got < 1 || got > 1<<10 {
		t.Errorf("goroutines when asked for a million = %d, want at most GOMAXPROCS", got)
	}
}

func TestLargeIndexesAreSearchedTheSameInParallel(t *testing.T) {
	kernels(t, func(t *testing.T, simd bool) {
		const dim = 4096
		const n = worthwhile/(dim*4) + 100
		r := random(13)
		few := gaussian(r, 50, dim)
		rows := make([][]float32, n)
		for i := range rows {
			rows[i] = few[r.IntN(len(few))]
		}
		rows[n-1] = gaussian(r, 1, dim)[0]
		x := build(t, simd, dim, rows)
		p := x.Parallel(2)
		for _, query := range [][]float32{rows[n-1], few[3]} {
			want, _ := x.Search(nil, query, 30, nil)
			got, err := p.Search(nil, query, 30, nil)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("Search in parallel = %v, %v, want %v", got, err, want)
			}
			wantScores, _ := x.Scores(nil, query)
			scores, err := p.Scores(nil, query)
			if err != nil || !slices.Equal(scores, wantScores) {
				t.Errorf("Scores in parallel differ: %v", err)
			}
		}
	})
}

// The bytes are a dimension, how many floats are the query, and floats; what is left over are bits of a set.
func FuzzSearchIsRightOrSaysWhy(f *testing.F) {
	seed := func(dim, k byte, floats ...float32) {
		data := []byte{dim, k}
		for _, v := range floats {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		f.Add(data)
	}
	seed(1, 1, 1, 2, 3)
	seed(2, 3, 1, 0, 0, 1, 1, 1, 0.5, 0.25)
	seed(3, 2, 0, 0, 0, 1, 2, 3)
	seed(2, 1, 1, 1, float32(math.NaN()), 1)
	seed(2, 1, float32(math.Inf(1)), 1, 1, 1)
	seed(2, 9, 1e-45, 1e-45, 3e38, 3e38, 1, -1, -1, 1)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 {
			return
		}
		dim, k := int(data[0]%70)+1, int(data[1])
		data = data[2:]
		var vectors [][]float32
		for len(data) >= 4*dim {
			v := make([]float32, dim)
			for i := range v {
				v[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			}
			vectors, data = append(vectors, v), data[4*dim:]
		}
		if len(vectors) == 0 {
			return
		}
		var allowed []uint64
		for i, b := range data {
			if i%8 == 0 {
				allowed = append(allowed, 0)
			}
			allowed[i/8] |= uint64(b) << (i % 8 * 8)
		}
		query, rows := vectors[0], vectors[1:]
		for _, simd := range []bool{false, accelerated} {
			x, err := newIndex(dim, simd).Append(rows...)
			if bad := slices.IndexFunc(rows, isBad); (bad >= 0) != (err != nil) {
				t.Fatalf("row %d is bad, but the error is %v", bad, err)
			} else if err != nil {
				if e := new(Error); !errors.As(err, &e) || e.Row != bad || e.Query {
					t.Fatalf("the first bad row is %d, but the error is %v", bad, err)
				}
				return
			}
			hits, err := x.Search(nil, query, k, allowed)
			if isBad(query) != (err != nil) {
				t.Fatalf("the query is bad: %v, but the error is %v", isBad(query), err)
			} else if err != nil {
				return
			}
			checkHits(t, rows, query, k, allowed, hits)
			batch, err := x.SearchBatch(nil, [][]float32{query, query}, k, allowed)
			if err != nil || !slices.Equal(batch[0], hits) || !slices.Equal(batch[1], hits) {
				t.Fatalf("SearchBatch = %v, %v, want %v twice", batch, err, hits)
			}
		}
	})
}

func isBad(v []float32) bool {
	zero := true
	for _, f := range v {
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			return true
		}
		zero = zero && f == 0
	}
	return zero
}

// checkHits checks hits against the twin for rows whose scores may lie closer together than float32 can tell.
func checkHits(t *testing.T, rows [][]float32, query []float32, k int, allowed []uint64, hits []Hit) {
	t.Helper()
	want := twin(rows).search(query, k, allowed)
	if len(hits) != len(want) {
		t.Fatalf("%d hits, want %d", len(hits), len(want))
	}
	scores := twin(rows).scores(query)
	seen := make(map[int]bool)
	for i, h := range hits {
		if seen[h.Row] || !rowset.Has(allowed, h.Row) {
			t.Fatalf("hit %d is row %d, which was found before or is not allowed", i, h.Row)
		}
		seen[h.Row] = true
		if math.Abs(float64(h.Score)-scores[h.Row]) > tolerance {
			t.Fatalf("row %d has score %v, want %v", h.Row, h.Score, scores[h.Row])
		}
		if math.Abs(float64(h.Score-want[i].Score)) > 2*tolerance {
			t.Fatalf("hit %d has score %v, want %v", i, h.Score, want[i].Score)
		}
		if i > 0 && compare(hits[i-1], h) >= 0 {
			t.Fatalf("hits %d and %d are out of order: %v, %v", i-1, i, hits[i-1], h)
		}
	}
}
