package main

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"unsafe"

	"github.com/philippgille/chromem-go"

	"github.com/mcpfleet/mcpfleet/selector/vector"
)

const k = 10

// clustered returns n vectors of length 1 in groups of 50 that are close together, as those of texts are.
func clustered(n, dim int) [][]float32 {
	r := rand.New(rand.NewPCG(uint64(n), uint64(dim)))
	centres := make([][]float32, max(1, n/50))
	for i := range centres {
		centres[i] = gaussian(r, dim)
	}
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = gaussian(r, dim)
		for j, f := range centres[i%len(centres)] {
			rows[i][j] = f + 0.5*rows[i][j]
		}
		normalize(rows[i])
	}
	return rows
}

func gaussian(r *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func normalize(v []float32) {
	var sum float64
	for _, f := range v {
		sum += float64(f) * float64(f)
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
}

// queriesFor returns vectors near those of rows.
func queriesFor(rows [][]float32, n int) [][]float32 {
	r := rand.New(rand.NewPCG(7, 7))
	queries := make([][]float32, n)
	for i := range queries {
		queries[i] = gaussian(r, len(rows[0]))
		for j, f := range rows[r.IntN(len(rows))] {
			queries[i][j] = f + 0.3*queries[i][j]/float32(math.Sqrt(float64(len(rows[0]))))
		}
		normalize(queries[i])
	}
	return queries
}

func index(rows [][]float32) *vector.Index {
	x, err := vector.New(len(rows[0])).Append(rows...)
	check(err)
	return x
}

// ours returns a search for each query in turn.
func ours(x *vector.Index, queries [][]float32) func() {
	hits := make([]vector.Hit, 0, k)
	next := turns(queries)
	return func() {
		var err error
		hits, err = x.Search(hits, next(), k, nil)
		check(err)
	}
}

// memory returns a pass over the rows of x that only loads them.
func memory(x *vector.Index) func() {
	slab := slabOf(x)
	return func() { loads(slab) }
}

// slabOf returns the memory that x reads: rows of a multiple of 32 elements lie behind each other.
func slabOf(x *vector.Index) []float32 {
	if x.Dim()%32 != 0 {
		check(errors.New("vector: the rows of this dimension are padded"))
	}
	return unsafe.Slice(&x.Row(0)[0], x.Len()*x.Dim())
}

// loop returns the search that everyone writes first, over the same memory.
func loop(x *vector.Index, queries [][]float32) func() {
	slab, dim := slabOf(x), x.Dim()
	hits := make([]vector.Hit, 0, k+1)
	next := turns(queries)
	return func() {
		query := next()
		hits = hits[:0]
		for row := range x.Len() {
			score := dot(slab[row*dim:(row+1)*dim], query)
			if len(hits) == k && score <= hits[k-1].Score {
				continue
			}
			at, _ := slices.BinarySearchFunc(hits, score, func(h vector.Hit, s float32) int { return cmp.Compare(s, h.Score) })
			hits = slices.Insert(hits, at, vector.Hit{Row: row, Score: score})
			hits = hits[:min(k, len(hits))]
		}
	}
}

func dot(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// chromemGo returns a search in chromem-go for each query in turn.
func chromemGo(rows, queries [][]float32) func() {
	ctx := context.Background()
	c, err := chromem.NewDB().CreateCollection("rows", nil, func(context.Context, string) ([]float32, error) {
		return nil, errors.New("vector: chromem-go wants to embed what is embedded")
	})
	check(err)
	documents := make([]chromem.Document, len(rows))
	for i, row := range rows {
		documents[i] = chromem.Document{ID: strconv.Itoa(i), Embedding: row}
	}
	check(c.AddDocuments(ctx, documents, 1))
	next := turns(queries)
	return func() {
		_, err := c.QueryEmbedding(ctx, next(), k, nil, nil)
		check(err)
	}
}

// turns returns one query after the other, for ever.
func turns(queries [][]float32) func() []float32 {
	i := 0
	return func() []float32 {
		i = (i + 1) % len(queries)
		return queries[i]
	}
}

// twin returns the rows that a search in float64 finds.
func twin(rows [][]float32, query []float32) []int {
	type hit struct {
		row   int
		score float64
	}
	hits := make([]hit, len(rows))
	for row, v := range rows {
		var ab, aa float64
		for i, f := range v {
			ab += float64(f) * float64(query[i])
			aa += float64(f) * float64(f)
		}
		hits[row] = hit{row, ab / math.Sqrt(aa)}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	found := make([]int, 0, k)
	for _, h := range hits[:min(k, len(hits))] {
		found = append(found, h.row)
	}
	return found
}
