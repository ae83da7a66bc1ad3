package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/viterin/vek/vek32"

	"github.com/mcpfleet/mcpfleet/selector/static"
)

// A model is a table of vectors with a weight each. The vector of a text is the weighted sum of those of its terms, brought
// to length 1.
type model struct {
	lex    *lexicon
	dim    int
	vec    []float32 // rows of dim numbers
	weight []float32 // natural logarithm of the weight of a row

	// Of Adagrad: the sum of all squared gradients of a row, and of its weight.
	vecSum, weightSum []float32
	trained           []bool // rows that training has changed
}

// newModel returns a model of short random vectors.
func newModel(lex *lexicon, dim int, rng *rand.Rand) *model {
	m := &model{
		lex: lex, dim: dim,
		vec: make([]float32, lex.rows*dim), weight: make([]float32, lex.rows),
		vecSum: make([]float32, lex.rows), weightSum: make([]float32, lex.rows),
		trained: make([]bool, lex.rows),
	}
	sd := 1 / math.Sqrt(float64(dim))
	for i := range m.vec {
		m.vec[i] = float32(rng.NormFloat64() * sd)
	}
	return m
}

func (m *model) row(r int32) []float32 { return m.vec[int(r)*m.dim:][:m.dim] }

// A bag is a text as rows and how much of each there is.
type bag struct {
	rows  []int32
	count []float32
}

// bag counts the terms of a request or of a document, which says first what matters. ^id is the term id seen as its n-grams
// even though it has a row. The counting is that of package static, which a test compares.
func (l *lexicon) bag(terms []int32, document bool) bag {
	type hit struct {
		row   int32
		count float32
	}
	var hits []hit
	for place, id := range terms {
		n := float32(1)
		if document {
			n = static.DocumentWeight(place)
		}
		if id >= 0 && l.row[id] >= 0 {
			hits = append(hits, hit{l.row[id], n})
			continue
		}
		g := l.grams[max(id, ^id)]
		for _, r := range g {
			hits = append(hits, hit{r, n / float32(len(g))})
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.count, b.count))
	})
	var b bag
	for i := 0; i < len(hits); {
		row, n := hits[i].row, float32(0)
		for ; i < len(hits) && hits[i].row == row; i++ {
			n += hits[i].count
		}
		if n > 1 {
			n = 1 + float32(math.Log(float64(n)))
		}
		b.rows, b.count = append(b.rows, row), append(b.count, n)
	}
	return b
}

// tiny is the length below which a sum counts as nothing.
const tiny = 1e-12

// embed stores the vector of a bag in dst and returns the length that the sum had.
func (m *model) embed(dst []float32, b bag) float32 {
	clear(dst)
	for i, r := range b.rows {
		addScaled(dst, m.row(r), b.count[i]*exp(m.weight[r]))
	}
	n := float32(math.Sqrt(float64(vek32.Dot(dst, dst))))
	if n > tiny {
		vek32.MulNumber_Inplace(dst, 1/n)
	}
	return n
}

func exp(x float32) float32 { return float32(math.Exp(float64(x))) }

// addScaled adds a*x to dst.
func addScaled(dst, x []float32, a float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += float32(a * x[i]) // the conversion forbids to round once only, as some processors can
	}
}

// folded returns m with its weights multiplied into its vectors, and these by share.
func (m *model) folded(share float32) *model {
	f := *m
	f.vec, f.weight = make([]float32, len(m.vec)), make([]float32, len(m.weight))
	for r := range m.lex.rows {
		addScaled(f.row(int32(r)), m.row(int32(r)), share*exp(m.weight[r]))
	}
	return &f
}

// add adds the vectors of other, which is folded as m is.
func (m *model) add(other *model) {
	vek32.Add_Inplace(m.vec, other.vec)
	for r, trained := range other.trained {
		m.trained[r] = m.trained[r] || trained
	}
}

// weights are what is shipped: the rows that training has changed, with their weights multiplied in.
func (m *model) weights(name string) *static.Weights {
	w := &static.Weights{Name: name, Dim: m.dim, Buckets: m.lex.rows - len(m.lex.vocab)}
	for r := range m.lex.rows {
		if r < len(m.lex.vocab) {
			if !m.trained[r] {
				continue
			}
			w.Words = append(w.Words, m.lex.vocab[r])
		}
		a := exp(m.weight[r])
		if !m.trained[r] {
			a = 0 // an n-gram without a meaning
		}
		for _, x := range m.row(int32(r)) {
			w.Vectors = append(w.Vectors, a*x)
		}
	}
	return w
}
