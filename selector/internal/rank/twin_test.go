package rank

import (
	"math"
	"math/rand/v2"
	"testing"
)

// twin is the fusion once more, as it is explained: in float64, with no memory reused, one tool after the other.
func twin(x *Index, sc *Scope, request string, cosines Cosines, w Weights) map[int]float64 {
	var rows []int
	for row := range x.Lexical.Len() {
		if sc.Allowed == nil || row/64 < len(sc.Allowed) && sc.Allowed[row/64]&(1<<(row%64)) != 0 {
			rows = append(rows, row)
		}
	}
	scores := func(f func(dst []float32)) map[int]float64 {
		dst := make([]float32, x.Lexical.Len())
		f(dst)
		m := map[int]float64{}
		for _, row := range rows {
			m[row] = float64(dst[row])
		}
		return standard(m)
	}
	match := func(text string, chars bool) map[int]float64 {
		var q query
		q.analyse(text)
		var top, most float32
		sum := scores(func(dst []float32) {
			most = x.Lexical.BM25F(dst, q.terms, sc.Allowed, sc.Stats)
			for _, row := range rows {
				top = max(top, dst[row])
			}
		})
		if top < most/2 {
			for row := range sum {
				sum[row] *= math.Sqrt(2 * float64(top) / float64(most))
			}
		}
		plus := func(m map[int]float64, weight float32) {
			for row, v := range m {
				sum[row] += float64(weight) * v
			}
		}
		if chars {
			plus(scores(func(dst []float32) { x.Lexical.Grams(dst, q.terms, sc.Allowed, sc.Stats) }), w.Characters)
		}
		if cosines != nil && cosines(make([]float32, x.Lexical.Len()), text) {
			plus(scores(func(dst []float32) { cosines(dst, text) }), w.Vector)
		}
		return standard(sum)
	}
	base := match(request, true)
	s := &scratch{}
	if s.divide(request) {
		best := map[int]float64{}
		for i, sentence := range s.sentences {
			for row, v := range match(sentence, false) {
				if i == 0 || v > best[row] {
					best[row] = v
				}
			}
		}
		for row := range base {
			base[row] += float64(w.Sentence) * best[row]
		}
		base = standard(base)
	}
	s.analyse(request)
	asked := s.asked()
	if len(s.sentences) >= minSentences {
		asked = [numIntents]float32{}
	}
	siblings := min(1, float64(len(s.terms))/manyTerms)
	out := map[int]float64{}
	for _, row := range rows {
		most, sum, n := math.Inf(-1), 0.0, 0.0
		for _, other := range rows {
			if other == row || x.Names[x.Servers[row]] != "" && x.Servers[other] == x.Servers[row] {
				most, sum, n = max(most, base[other]), sum+base[other], n+1
			}
		}
		server := (most + meanShare*sum/n) / (1 + meanShare)
		out[row] = base[row] + float64(w.Server)*siblings*server + float64(w.Intent*asked[x.Intents[row]])
	}
	top := math.Inf(-1)
	for _, v := range out {
		top = max(top, v)
	}
	for row := range out {
		out[row] += math.Log(max(top, .1)/(max(top, .1)+doubt))/perScore - top
	}
	return out
}

// standard returns standard scores. All values are the same if they differ by no more than float32 rounds.
func standard(m map[int]float64) map[int]float64 {
	mean, deviation := 0.0, 0.0
	for _, v := range m {
		mean += v / float64(len(m))
	}
	for _, v := range m {
		deviation += (v - mean) * (v - mean) / float64(len(m))
	}
	deviation = math.Sqrt(deviation)
	out := map[int]float64{}
	for row, v := range m {
		if deviation > 1e-6*math.Abs(mean) && deviation > 1e-12 {
			out[row] = (v - mean) / deviation
		} else {
			out[row] = 0
		}
	}
	return out
}

func TestScoreAgreesWithItsTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 40 {
		tools := randomTools(rng, 2+rng.IntN(150))
		x := newIndex(tools)
		w := Weights{Characters: rng.Float32(), Vector: rng.Float32() + .1, Sentence: rng.Float32() + .1, Server: rng.Float32(), Intent: rng.Float32()}
		x.Weights = &w
		allowed := make([]uint64, (len(tools)+63)/64)
		for i := range allowed {
			allowed[i] = rng.Uint64() | rng.Uint64()
		}
		for _, sc := range []*Scope{x.Scope(nil), x.Scope(allowed)} {
			for _, request := range requests {
				for _, cosines := range []Cosines{nil, cosinesOf(tools)} {
					dst := make([]float32, len(tools))
					x.Score(dst, sc, request, cosines, nil)
					for row, want := range twin(x, sc, request, cosines, w) {
						if math.Abs(float64(dst[row])-want) > 1e-3*max(1, math.Abs(want)) {
							t.Fatalf("score of row %d of %d for %q = %v, its twin has %v", row, len(tools), request, dst[row], want)
						}
					}
				}
			}
		}
	}
}
