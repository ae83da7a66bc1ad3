package main

import (
	"math"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/text"
	"github.com/mcpfleet/mcpfleet/selector/static"
)

// An index scores all tools by a sum over the features they share with a query: words or n-grams. It is a plain stand-in for
// the selector's own search, to see what a model adds to it.
type index[F comparable] struct {
	n    int
	post map[F][]posting
}

type posting struct {
	tool   int
	weight float64
}

func (x *index[F]) add(tool int, f F, weight float64) {
	x.post[f] = append(x.post[f], posting{tool, weight})
}

// stems returns the keys of a text's terms.
func stems(s string) []string {
	var out []string
	for _, t := range static.Terms(nil, s) {
		out = append(out, t.Key)
	}
	return out
}

// counted returns the different features, in order, and how often each occurs.
func counted[F comparable](features []F) (distinct []F, count map[F]float64) {
	count = map[F]float64{}
	for _, f := range features {
		if count[f]++; count[f] == 1 {
			distinct = append(distinct, f)
		}
	}
	return distinct, count
}

// A words index is BM25F: BM25 over the weighted sum of the fields of a tool.
type words struct{ index[string] }

func newWords(tools []*tool) *words {
	fields := []struct {
		weight, length float64 // length: how much a long field counts less
		of             func(t *tool, names, descriptions []string) string
	}{
		{2, .5, func(t *tool, _, _ []string) string { return t.Name + " " + t.Tool.Title }},
		{1.5, .3, func(t *tool, _, _ []string) string { return t.Server }},
		{1, .8, func(t *tool, _, _ []string) string { return t.Description }},
		{.7, .5, func(_ *tool, names, _ []string) string { return strings.Join(names, " ") }},
		{.5, .5, func(_ *tool, _, descriptions []string) string { return strings.Join(descriptions, " ") }},
	}
	texts := make([][][]string, len(tools))
	mean := make([]float64, len(fields))
	for i, t := range tools {
		var names, descriptions []string
		for _, p := range t.params() {
			names, descriptions = append(names, p.name), append(descriptions, p.description)
		}
		for f, field := range fields {
			texts[i] = append(texts[i], stems(field.of(t, names, descriptions)))
			mean[f] += float64(len(texts[i][f])) / float64(len(tools))
		}
	}
	x := &words{index[string]{len(tools), map[string][]posting{}}}
	for i := range tools {
		weight := map[string]float64{}
		var all []string
		for f, field := range fields {
			length := 1 - field.length + field.length*float64(len(texts[i][f]))/max(mean[f], 1e-9)
			for _, w := range texts[i][f] {
				weight[w] += field.weight / length
			}
			all = append(all, texts[i][f]...)
		}
		distinct, _ := counted(all)
		for _, w := range distinct {
			x.add(i, w, weight[w]*2.2/(weight[w]+1.2))
		}
	}
	return x
}

func (x *words) score(query string) []float64 {
	scores := make([]float64, x.n)
	distinct, _ := counted(stems(query))
	for _, w := range distinct {
		n := float64(len(x.post[w]))
		idf := math.Log(1 + (float64(x.n)-n+.5)/(n+.5))
		for _, p := range x.post[w] {
			scores[p.tool] += idf * p.weight
		}
	}
	return scores
}

// A characters index is the cosine of TF-IDF vectors of n-grams.
type characters struct{ index[uint32] }

func ngrams(s string) []uint32 {
	var out []uint32
	for _, w := range text.Words(nil, s) {
		if !w.Joined {
			out = text.Grams(out, w.Text, minGram, maxGram)
		}
	}
	return out
}

func newCharacters(tools []*tool) *characters {
	x := &characters{index[uint32]{len(tools), map[uint32][]posting{}}}
	tf := func(n float64) float64 { return 1 + math.Log(n) }
	distinct, counts, df := make([][]uint32, len(tools)), make([]map[uint32]float64, len(tools)), map[uint32]float64{}
	for i, t := range tools {
		distinct[i], counts[i] = counted(ngrams(t.Name + " " + t.Tool.Title + " " + t.Server + " " + t.Description))
		for _, g := range distinct[i] {
			df[g]++
		}
	}
	for i := range tools {
		var square float64
		for _, g := range distinct[i] {
			v := tf(counts[i][g]) * math.Log(float64(len(tools))/df[g]+1)
			square += v * v
		}
		for _, g := range distinct[i] {
			x.add(i, g, tf(counts[i][g])*math.Log(float64(len(tools))/df[g]+1)/math.Sqrt(square))
		}
	}
	return x
}

func (x *characters) score(query string) []float64 {
	scores := make([]float64, x.n)
	distinct, counts := counted(ngrams(query))
	for _, g := range distinct {
		n := float64(len(x.post[g]))
		if n == 0 {
			continue
		}
		v := (1 + math.Log(counts[g])) * math.Log(float64(x.n)/n+1)
		for _, p := range x.post[g] {
			scores[p.tool] += v * p.weight
		}
	}
	return scores
}

// standardise brings scores to mean 0 and standard deviation 1.
func standardise(scores []float64) {
	var mean, square float64
	for _, x := range scores {
		mean += x / float64(len(scores))
	}
	for _, x := range scores {
		square += (x - mean) * (x - mean) / float64(len(scores))
	}
	for i := range scores {
		scores[i] = (scores[i] - mean) / (math.Sqrt(square) + 1e-9)
	}
}
