package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// dense is the same walk by a full matrix, and many rounds.
func (w *Walk) dense(refs, servers []string, scores []float64) []float64 {
	n := len(refs)
	start := make([]float64, n)
	total := 0.0
	for i := range min(n, 10) {
		total += max(scores[i], 0)
	}
	for i := range min(n, 10) {
		start[i] = max(scores[i], 0) / total
	}
	matrix := make([][]float64, n)
	for i := range matrix {
		row := make([]float64, n)
		matrix[i] = row
		siblings, declared := 0, 0
		for j := range n {
			if j != i && servers[i] != "" && servers[j] == servers[i] {
				siblings++
			}
			declared += w.edges(refs[i], refs[j])
		}
		sum := 0.0
		for j := range n {
			if j != i && servers[i] != "" && servers[j] == servers[i] {
				row[j] += 1 / float64(siblings)
			}
			if declared > 0 {
				row[j] += float64(w.edges(refs[i], refs[j])) / float64(declared)
			}
			if w.Observations != nil && j != i {
				together, uses := w.Observations.together(w.Tenant, refs[i], refs[j], w.Now)
				row[j] += together / (uses + 1)
			}
			sum += row[j]
		}
		for j := range n {
			if sum > 0 {
				row[j] /= sum
			} else {
				row[j] = start[j]
			}
		}
	}
	at := start
	for range 200 {
		next := make([]float64, n)
		for j := range n {
			next[j] = 0.5 * start[j]
			for i := range n {
				next[j] += 0.5 * at[i] * matrix[i][j]
			}
		}
		at = next
	}
	most := 0.0
	for _, p := range at {
		most = max(most, p)
	}
	for i := range at {
		at[i] /= most
	}
	return at
}

// edges counts what w.Graph declares from one tool to another.
func (w *Walk) edges(from, to string) (n int) {
	if w.Graph == nil {
		return 0
	}
	for _, others := range [][]string{w.Graph.needs[from], w.Graph.next[from]} {
		for _, other := range others {
			if other == to {
				n++
			}
		}
	}
	return n
}

// randomWalk returns a walk over n candidates, their servers and their scores.
func randomWalk(rng *rand.Rand, n int) (w *Walk, refs, servers []string, scores []float64) {
	w = &Walk{Tenant: "t", Now: noon}
	if rng.IntN(4) > 0 {
		edges := randomGraph(rng, n+3, rng.IntN(2*n), DependsOn)
		w.Graph = New(append(edges, randomGraph(rng, n+3, rng.IntN(n+1), Precedes)...))
	}
	if rng.IntN(4) > 0 {
		w.Observations = NewObservations(nil)
		for range rng.IntN(5 * n) {
			w.Observations.Observe("t", fmt.Sprint(rng.IntN(n)), fmt.Sprint(rng.IntN(n+3)), noon)
		}
	}
	scores = make([]float64, n)
	for i, name := range rng.Perm(n) {
		refs = append(refs, fmt.Sprint(name))
		servers = append(servers, []string{"", "a", "b", "c", "d" + refs[i]}[rng.IntN(5)])
		scores[i] = rng.Float64()*4 - 1
	}
	scores[0] = 3
	return w, refs, servers, scores
}

func TestTheSparseWalkAgreesWithTheDenseOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(18, 19))
	for round := range 300 {
		w, refs, servers, scores := randomWalk(rng, 1+rng.IntN(40))
		got := make([]float64, len(refs))
		w.PageRank(got, 1, refs, servers, scores)
		for i, want := range w.dense(refs, servers, scores) {
			if math.Abs(got[i]-want) > 1e-6 {
				t.Fatalf("round %d: candidate %d has %g, want %g", round, i, got[i], want)
			}
		}
	}
}

func TestWalkersAreNeitherMadeNorLost(t *testing.T) {
	rng := rand.New(rand.NewPCG(20, 21))
	for round := range 300 {
		w, refs, servers, _ := randomWalk(rng, 1+rng.IntN(40))
		start := make([]float64, len(refs))
		start[0] += 0.25
		start[len(refs)-1] += 0.75
		sum := 0.0
		for _, p := range w.links(refs, servers).walk(start) {
			if p < 0 {
				t.Fatalf("round %d: a probability of %g", round, p)
			}
			sum += p
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("round %d: probabilities sum to %g", round, sum)
		}
	}
}

func TestSiblingsOfTheBestRise(t *testing.T) {
	refs := []string{"a1", "b1", "a2", "b2", "c1"}
	servers := []string{"a", "b", "a", "b", "c"}
	dst := make([]float64, 5)
	new(Walk).PageRank(dst, 1, refs, servers, []float64{3, 1, 0, 0, 0})
	if !(dst[0] == 1 && dst[2] > dst[3] && dst[3] > dst[4] && dst[4] == 0) {
		t.Errorf("PageRank = %v, want a1 at 1, a2 before b2, c1 at 0", dst)
	}
}

func TestAWalkWithoutAStartChangesNothing(t *testing.T) {
	for name, scores := range map[string][]float64{
		"none":      {},
		"zero":      {0, 0},
		"negative":  {-1, -2},
		"no number": {math.NaN(), 1},
		"infinite":  {math.Inf(1), 1},
	} {
		dst := []float64{5, 6}[:len(scores)]
		new(Walk).PageRank(dst, 1, []string{"a", "b"}[:len(scores)], []string{"s", "s"}[:len(scores)], scores)
		if len(dst) > 0 && (dst[0] != 5 || dst[1] != 6) {
			t.Errorf("%s: PageRank = %v", name, dst)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("PageRank accepted slices of different lengths")
		}
	}()
	new(Walk).PageRank(make([]float64, 2), 1, []string{"a"}, []string{"s"}, []float64{1})
}
