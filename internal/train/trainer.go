package main

import (
	"math"
	"slices"

	"github.com/viterin/vek/vek32"
)

// A batch is pairs of texts that belong together: a request and a tool, or two ways to say one thing.
type batch struct {
	requests, tools []bag
	// Pairs with a common mark, by name or by description, are about the same thing as far as we know: neither is used as a
	// wrong answer to the other.
	marks [][2]int32
	// A pair that is about a server as a whole has no wrong answers on that server.
	servers []int32
	about   []bool
}

// together reports whether pairs i and j must not be told apart.
func (b *batch) together(i, j int) bool {
	return b.marks[i][0] == b.marks[j][0] || b.marks[i][1] == b.marks[j][1] || b.servers[i] == b.servers[j] && (b.about[i] || b.about[j])
}

// A trainer learns from batches of n pairs: of all tools of the batch, the request is to be nearest to its own, and the
// other way round (InfoNCE; van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018).
type trainer struct {
	m                *model
	n                int
	temperature      float32
	rate, weightRate float32 // of learning

	q, d, dt     []float32 // vectors of requests and tools; dt is d transposed
	qLen, dLen   []float32
	scores, grad []float32 // n x n
	turned       []float32 // n x n, transposed
	qGrad, dGrad []float32
	vecGrad      []float32 // as model.vec
	weightGrad   []float32
	touched      []int32 // rows with a gradient
	isTouched    []bool
}

func newTrainer(m *model, r *recipe) *trainer {
	n := r.Batch
	f := func(k int) []float32 { return make([]float32, k) }
	return &trainer{
		m: m, n: n, temperature: float32(r.Temperature), rate: float32(r.Rate), weightRate: float32(r.WeightRate),
		q: f(n * m.dim), d: f(n * m.dim), dt: f(n * m.dim), qLen: f(n), dLen: f(n),
		scores: f(n * n), grad: f(n * n), turned: f(n * n),
		qGrad: f(n * m.dim), dGrad: f(n * m.dim), vecGrad: f(len(m.vec)), weightGrad: f(len(m.weight)),
		isTouched: make([]bool, len(m.weight)),
	}
}

// step learns from a batch, with the rates times pace, and returns its mean loss.
func (t *trainer) step(b *batch, pace float32) float64 {
	loss := t.gradient(b)
	t.descend(pace)
	return loss
}

// gradient computes the loss of a batch and its gradient.
func (t *trainer) gradient(b *batch) float64 {
	m, n, dim := t.m, t.n, t.m.dim
	for i := range n {
		t.qLen[i] = m.embed(t.q[i*dim:][:dim], b.requests[i])
		t.dLen[i] = m.embed(t.d[i*dim:][:dim], b.tools[i])
	}
	transpose(t.dt, t.d, n, dim)
	// MatMul_Into uses all processors, but each number of the result is computed by one of them.
	vek32.MatMul_Into(t.scores, t.q, t.dt, dim)
	vek32.MulNumber_Inplace(t.scores, 1/t.temperature)
	for i := range n {
		for j := range n {
			if i != j && b.together(i, j) {
				t.scores[i*n+j] = -1e9
			}
		}
	}
	loss := crossEntropy(t.grad, t.scores, n)
	transpose(t.turned, t.scores, n, n)
	loss += crossEntropy(t.scores, t.turned, n)
	transpose(t.turned, t.scores, n, n)
	vek32.Add_Inplace(t.grad, t.turned)
	vek32.MulNumber_Inplace(t.grad, 1/t.temperature)
	transpose(t.turned, t.grad, n, n)
	vek32.MatMul_Into(t.qGrad, t.grad, t.d, n)
	vek32.MatMul_Into(t.dGrad, t.turned, t.q, n)
	for i := range n {
		t.spread(t.q[i*dim:][:dim], t.qGrad[i*dim:][:dim], t.qLen[i], b.requests[i])
		t.spread(t.d[i*dim:][:dim], t.dGrad[i*dim:][:dim], t.dLen[i], b.tools[i])
	}
	return loss
}

// crossEntropy returns half the mean cross entropy of choosing column i in row i, and stores its gradient in g.
func crossEntropy(g, scores []float32, n int) float64 {
	share := .5 / float32(n)
	var loss float64
	for i := range n {
		row, out := scores[i*n:][:n], g[i*n:][:n]
		top := slices.Max(row)
		var sum float64
		for j, x := range row {
			out[j] = 0
			if x > top-40 {
				out[j] = exp(x - top)
			}
			sum += float64(out[j])
		}
		vek32.MulNumber_Inplace(out, share/float32(sum))
		out[i] -= share
		loss += float64(share) * (math.Log(sum) - float64(row[i]-top))
	}
	return loss
}

func transpose(dst, src []float32, rows, cols int) {
	const tile = 16 // two tiles stay in the first-level cache
	for i0 := 0; i0 < rows; i0 += tile {
		for j0 := 0; j0 < cols; j0 += tile {
			for i := i0; i < min(rows, i0+tile); i++ {
				for j := j0; j < min(cols, j0+tile); j++ {
					dst[j*rows+i] = src[i*cols+j]
				}
			}
		}
	}
}

// spread hands the gradient g of a text's vector v on to the rows of its bag. length is the one v had before it became 1.
func (t *trainer) spread(v, g []float32, length float32, b bag) {
	if length <= tiny {
		return
	}
	addScaled(g, v, -vek32.Dot(v, g))
	vek32.MulNumber_Inplace(g, 1/length)
	dim := t.m.dim
	for i, r := range b.rows {
		if !t.isTouched[r] {
			t.isTouched[r] = true
			t.touched = append(t.touched, r)
		}
		a := b.count[i] * exp(t.m.weight[r])
		addScaled(t.vecGrad[int(r)*dim:][:dim], g, a)
		t.weightGrad[r] += float32(a * vek32.Dot(g, t.m.row(r)))
	}
}

// Weights stay within e^minWeight and e^maxWeight: a word must neither vanish for good nor drown all others.
const minWeight, maxWeight = -5, 2.5

// descend takes a step against the gradient (Adagrad with one rate per row; Duchi et al., 2011), and clears it.
func (t *trainer) descend(pace float32) {
	m := t.m
	for _, r := range t.touched {
		g := t.vecGrad[int(r)*m.dim:][:m.dim]
		m.vecSum[r] += vek32.Dot(g, g)
		addScaled(m.row(r), g, -pace*t.rate/root(m.vecSum[r]))
		clear(g)
		w := t.weightGrad[r]
		m.weightSum[r] += float32(w * w)
		m.weight[r] -= float32(pace * t.weightRate * w / root(m.weightSum[r]))
		m.weight[r] = min(max(m.weight[r], minWeight), maxWeight)
		t.weightGrad[r] = 0
		t.isTouched[r] = false
		m.trained[r] = true
	}
	t.touched = t.touched[:0]
}

func root(x float32) float32 { return float32(math.Sqrt(float64(x) + 1e-12)) }
