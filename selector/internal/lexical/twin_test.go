package lexical

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/text"
	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

// A twin is the same index as plainly as can be: maps, float64, and nothing kept that could be counted again.
type twin struct {
	opts Options
	docs []Document
}

func newTwin(docs []Document) *twin {
	return &twin{opts: Options{Weights: &DefaultWeights, B: &DefaultB, K1: defaultK1}, docs: docs}
}

// words returns how often stems stand in a field, and the number of its words.
func words(s string) (map[string]float64, float64) {
	counts, n := map[string]float64{}, 0.0
	for _, w := range text.Words(nil, s) {
		counts[text.Stem(w.Text)]++
		if !w.Joined {
			n++
		}
	}
	return counts, n
}

func (t *twin) bm25f(terms []Term, allowed []uint64) []float64 {
	var total [NumFields]float64
	n := 0.0
	counts := make([][NumFields]map[string]float64, len(t.docs))
	lengths := make([][NumFields]float64, len(t.docs))
	for row, doc := range t.docs {
		if !rowset.Has(allowed, row) {
			continue
		}
		n++
		for f := range doc {
			counts[row][f], lengths[row][f] = words(doc[f])
			total[f] += lengths[row][f]
		}
	}
	scores := make([]float64, len(t.docs))
	for _, term := range terms {
		df := 0.0
		tfs := map[int]float64{}
		for row := range t.docs {
			if !rowset.Has(allowed, row) {
				continue
			}
			tf := 0.0
			for f := range NumFields {
				if c := counts[row][f][term.Stem]; c > 0 {
					b := float64(t.opts.B[f])
					tf += float64(t.opts.Weights[f]) * min(c, 255) / (1 - b + b*lengths[row][f]/(total[f]/n))
				}
			}
			if tf > 0 {
				df++
				tfs[row] = tf
			}
		}
		k1 := float64(t.opts.K1)
		for row, tf := range tfs {
			scores[row] += float64(term.Weight) * math.Log(1+(n-df+.5)/(df+.5)) * (k1 + 1) * tf / (k1 + tf)
		}
	}
	return scores
}

func (t *twin) grams(terms []Term, allowed []uint64) []float64 {
	vectors := make([]map[string]float64, len(t.docs))
	df := map[string]float64{}
	n := 0.0
	for row, doc := range t.docs {
		if !rowset.Has(allowed, row) {
			continue
		}
		n++
		vectors[row] = map[string]float64{}
		for f := range doc {
			for _, w := range text.Words(nil, doc[f]) {
				if !w.Joined {
					for _, g := range substrings(w.Text) {
						vectors[row][g] += float64(t.opts.Weights[f])
					}
				}
			}
		}
		for g, tf := range vectors[row] {
			vectors[row][g] = math.Log(1 + min(tf, 255./levelUnit))
			df[g]++
		}
	}
	request := map[string]float64{}
	for _, term := range terms {
		for _, g := range substrings(term.Text) {
			if df[g] > 0 && df[g] <= max(1, math.Floor(gramCommon*n)) {
				request[g] += float64(term.Weight) * math.Log(1+(n-df[g]+.5)/(df[g]+.5))
			}
		}
	}
	scores := make([]float64, len(t.docs))
	for row, v := range vectors {
		product := 0.0
		for g, w := range request {
			product += w * v[g]
		}
		if product > 0 {
			scores[row] = product / length(request) / length(v)
		}
	}
	return scores
}

func substrings(word string) (grams []string) {
	whole := []rune("_" + word + "_")
	for i := range whole {
		for n := gramMin; n <= gramMax && i+n <= len(whole); n++ {
			grams = append(grams, string(whole[i:i+n]))
		}
	}
	return grams
}

func length(v map[string]float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}

// corpus returns documents of made-up words, of which a few are common, as in real texts.
func corpus(rnd *rand.Rand, n int) []Document {
	docs := make([]Document, n)
	for i := range docs {
		for f := range docs[i] {
			if rnd.IntN(4) == 0 {
				continue // many fields are empty
			}
			for range 1 + rnd.IntN(12) {
				docs[i][f] += word(rnd) + " "
			}
		}
	}
	if n > 0 {
		docs[0][Description] = strings.Repeat("overflowing ", 300)
	}
	return docs
}

var syllables = strings.Fields("cre ate list ing file re po si to ry is sue mer ge user s get a ö 東京")

func word(rnd *rand.Rand) string {
	n := int(rnd.ExpFloat64() * 30)
	w := ""
	for range 1 + n%4 {
		w += syllables[n%len(syllables)]
		n = n*7 + 3
	}
	if rnd.IntN(10) == 0 {
		w += "Case" + fmt.Sprint(n%10)
	}
	return w
}

func request(rnd *rand.Rand) (terms []Term) {
	for range 1 + rnd.IntN(8) {
		w := text.Fold(word(rnd))
		terms = append(terms, Term{Stem: text.Stem(w), Text: w, Weight: float32(rnd.IntN(5)) / 2})
	}
	return append(terms, Term{Stem: "overflow", Text: "overflowing", Weight: 1}, Term{Stem: "absent", Text: "absent", Weight: 1})
}

func subset(rnd *rand.Rand, n int) []uint64 {
	set := make([]uint64, (n+63)/64)
	for row := range n {
		if rnd.IntN(3) > 0 {
			set[row/64] |= 1 << (row % 64)
		}
	}
	return set
}
