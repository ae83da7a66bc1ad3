package vector

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

// A twin is an Index that is obviously right: float64, one row after the other, everything sorted.
type twin [][]float32

func (w twin) scores(query []float32) []float64 {
	scores := make([]float64, len(w))
	for i, row := range w {
		scores[i] = cosine(row, query)
	}
	return scores
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / (math.Sqrt(aa) * math.Sqrt(bb))
}

func (w twin) search(query []float32, k int, allowed []uint64) []Hit {
	return best(w.scores(query), k, allowed)
}

func best(scores []float64, k int, allowed []uint64) []Hit {
	var rows []int
	for row := range scores {
		if allowed == nil || row/64 < len(allowed) && allowed[row/64]&(1<<(row%64)) != 0 {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	hits := []Hit{}
	for _, row := range rows[:max(0, min(k, len(rows)))] {
		hits = append(hits, Hit{row, float32(scores[row])})
	}
	return hits
}

// tolerance bounds the error of a score: two vectors are rounded to float32, and their products are.
const tolerance = 1e-6

// same reports in what hits differ from those of the twin.
func same(got, want []Hit) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d hits, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].Row != want[i].Row || math.Abs(float64(got[i].Score-want[i].Score)) > tolerance {
			return fmt.Sprintf("hit %d is %v, want %v", i, got[i], want[i])
		}
	}
	return ""
}

// A shape is a kind of set of rows.
type shape struct {
	name string
	set  func(r *rand.Rand, n int) []uint64
}

func each(keep func(r *rand.Rand, row, n int) bool) func(r *rand.Rand, n int) []uint64 {
	return func(r *rand.Rand, n int) []uint64 {
		set := make([]uint64, (n+63)/64)
		for row := range n {
			if keep(r, row, n) {
				set[row/64] |= 1 << (row % 64)
			}
		}
		return set
	}
}

var shapes = []shape{
	{"everything", func(*rand.Rand, int) []uint64 { return nil }},
	{"nothing", func(*rand.Rand, int) []uint64 { return []uint64{} }},
	{"all rows", each(func(*rand.Rand, int, int) bool { return true })},
	{"no row", each(func(*rand.Rand, int, int) bool { return false })},
	{"nine in ten", each(func(r *rand.Rand, _, _ int) bool { return r.IntN(10) > 0 })},
	{"half", each(func(r *rand.Rand, _, _ int) bool { return r.IntN(2) == 0 })},
	{"every second", each(func(_ *rand.Rand, row, _ int) bool { return row%2 == 0 })},
	{"one in three", each(func(r *rand.Rand, _, _ int) bool { return r.IntN(3) == 0 })},
	{"one in fifty", each(func(r *rand.Rand, _, _ int) bool { return r.IntN(50) == 0 })},
	{"first", each(func(_ *rand.Rand, row, _ int) bool { return row == 0 })},
	{"last", each(func(_ *rand.Rand, row, n int) bool { return row == n-1 })},
	{"one run", each(func(_ *rand.Rand, row, n int) bool { return row >= n/3 && row < n/2 })},
	{"two runs", each(func(_ *rand.Rand, row, n int) bool { return row < n/5 || row > n-n/4 })},
	{"runs of 40", each(func(_ *rand.Rand, row, _ int) bool { return row/40%2 == 0 })},
	{"runs of 300", each(func(_ *rand.Rand, row, _ int) bool { return row/300%2 == 1 })},
	{"dense and sparse", each(func(r *rand.Rand, row, _ int) bool { return r.IntN(8) < row/200%9 })},
	{"words missing", func(r *rand.Rand, n int) []uint64 { return slices.Repeat([]uint64{^uint64(0)}, n/128) }},
	{"rows that do not exist", func(r *rand.Rand, n int) []uint64 { return slices.Repeat([]uint64{^uint64(0)}, n/64+5) }},
}

func TestSearchFindsTheRowsOfTheTwin(t *testing.T) {
	kinds := []struct {
		name string
		make func(r *rand.Rand, n, dim int) [][]float32
	}{{"gaussian", gaussian}, {"clustered", clustered}, {"repeated", repeated}}
	sizes := []struct{ n, dim int }{{1, 3}, {63, 7}, {64, 32}, {65, 33}, {257, 5}, {1000, 100}, {1500, 384}, {520, 1536}, {7, 33_400}, {5, 100_001}}
	kernels(t, func(t *testing.T, simd bool) {
		r := random(1)
		for _, kind := range kinds {
			for _, size := range sizes {
				rows := kind.make(r, size.n, size.dim)
				x := build(t, simd, size.dim, rows)
				query := gaussian(r, 1, size.dim)[0]
				for j, f := range rows[size.n/2] {
					query[j] += 2 * f
				}
				scores := twin(rows).scores(query)
				for _, shape := range shapes {
					allowed := shape.set(r, size.n)
					for _, k := range []int{1, 10, 200} {
						got, err := x.Search(nil, query, k, allowed)
						if err != nil {
							t.Fatal(err)
						}
						if diff := same(got, best(scores, k, allowed)); diff != "" {
							t.Errorf("%s, %d rows of %d, allowed: %s, k = %d: %s", kind.name, size.n, size.dim, shape.name, k, diff)
						}
					}
				}
			}
		}
	})
}

func TestScoresAreThoseOfTheTwin(t *testing.T) {
	kernels(t, func(t *testing.T, simd bool) {
		r := random(2)
		for _, size := range []struct{ n, dim int }{{0, 4}, {1, 1}, {300, 31}, {1000, 384}, {200, 1536}} {
			rows := clustered(r, size.n, size.dim)
			query := gaussian(r, 1, size.dim)[0]
			got, err := build(t, simd, size.dim, rows).Scores(make([]float32, 3, 500), query)
			if err != nil {
				t.Fatal(err)
			}
			want := twin(rows).scores(query)
			if len(got) != len(want) {
				t.Fatalf("%d scores of %d rows", len(got), len(want))
			}
			for i := range got {
				if math.Abs(float64(got[i])-want[i]) > tolerance {
					t.Errorf("%d rows of %d: score of row %d = %v, want %v", size.n, size.dim, i, got[i], want[i])
				}
			}
		}
	})
}

// What a search finds must not depend on how the rows were scanned.
func TestEveryWayToScanGivesTheSameBits(t *testing.T) {
	kernels(t, func(t *testing.T, simd bool) {
		r := random(3)
		const n, dim = 2500, 40
		rows := repeated(r, n, dim)
		x := build(t, simd, dim, rows)
		queries := clustered(r, 4, dim)
		for _, shape := range shapes {
			allowed := shape.set(r, n)
			for _, k := range []int{0, 1, 10, 100, n + 1} {
				batch, err := x.SearchBatch(nil, queries, k, allowed)
				if err != nil {
					t.Fatal(err)
				}
				for i, query := range queries {
					scores, err := x.Scores(nil, query)
					if err != nil {
						t.Fatal(err)
					}
					want := []Hit{}
					for row, score := range scores {
						if rowset.Has(allowed, row) {
							want = append(want, Hit{row, score})
						}
					}
					slices.SortFunc(want, compare)
					want = want[:min(k, len(want))]
					one, err := x.Search(nil, query, k, allowed)
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(one, want) {
						t.Errorf("allowed: %s, k = %d: Search differs from sorted Scores", shape.name, k)
					}
					if !slices.Equal(batch[i], want) {
						t.Errorf("allowed: %s, k = %d: SearchBatch differs from sorted Scores", shape.name, k)
					}
					if k > 0 && !slices.Equal(parallel(t, x, query, k, allowed), want) {
						t.Errorf("allowed: %s, k = %d: searching in parallel differs from sorted Scores", shape.name, k)
					}
				}
			}
		}
	})
}

// parallel searches with goroutines although there are too few rows for that.
func parallel(t *testing.T, x *Index, query []float32, k int, allowed []uint64) []Hit {
	t.Helper()
	s, err := x.prepare(query)
	if err != nil {
		t.Fatal(err)
	}
	defer s.free()
	s.tops = append(s.tops[:0], newTop(nil, min(k, x.n)))
	x.searchParallel(s, allowed, 3)
	return s.tops[0].sort()
}
