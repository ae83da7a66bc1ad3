package main

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// Naive is the yardstick: BM25 over name and description as most tool search does it, words as they are written, with no
// splitting of identifiers and no stems.
type Naive struct {
	ids      []string
	postings map[string][]posting
	lengths  []float64
	mean     float64
}

type posting struct {
	row   int
	count float64
}

// NewNaive indexes tools.
func NewNaive(tools []Tool) *Naive {
	x := &Naive{postings: map[string][]posting{}}
	total := 0.0
	for row, t := range tools {
		counts := map[string]float64{}
		words := naiveWords(t.Name + " " + t.Description)
		for _, w := range words {
			counts[w]++
		}
		for w, n := range counts {
			x.postings[w] = append(x.postings[w], posting{row, n})
		}
		x.ids = append(x.ids, t.ID)
		x.lengths = append(x.lengths, float64(len(words)))
		total += float64(len(words))
	}
	x.mean = total / float64(max(1, len(tools)))
	return x
}

// Scores returns the score of every tool.
func (x *Naive) Scores(text string) []float64 {
	const k1, b = 1.2, 0.75
	scores := make([]float64, len(x.ids))
	words := naiveWords(text)
	slices.Sort(words)
	for _, w := range slices.Compact(words) {
		list := x.postings[w]
		df := float64(len(list))
		idf := math.Log(1 + (float64(len(x.ids))-df+0.5)/(df+0.5))
		for _, p := range list {
			scores[p.row] += idf * p.count * (k1 + 1) / (p.count + k1*(1-b+b*x.lengths[p.row]/x.mean))
		}
	}
	return scores
}

// naiveWords are runs of letters, digits and underscores in lower case.
func naiveWords(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// Ranking returns the ids of the k best scores, the earlier tool first where scores are equal.
func Ranking(ids []string, scores []float64, k int) []string {
	rows := make([]int, len(scores))
	for i := range rows {
		rows[i] = i
	}
	slices.SortStableFunc(rows, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	best := make([]string, 0, k)
	for _, row := range rows[:min(k, len(rows))] {
		best = append(best, ids[row])
	}
	return best
}
