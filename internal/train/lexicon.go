package main

import (
	"slices"

	"github.com/mcpfleet/mcpfleet/internal/text"
	"github.com/mcpfleet/mcpfleet/selector/static"
)

// Lengths of the n-grams of words without a row. They must be those of package static.
const minGram, maxGram = 3, 5

// A lexicon numbers every term that occurs in the training texts.
type lexicon struct {
	ids   map[string]int32
	words []string
	open  []bool // see static.Term
	count []int  // occurrences in texts

	// Set by assign:
	row   []int32   // row of the word, or -1
	grams [][]int32 // rows of the word's n-grams
	vocab []string  // words that have rows, in row order; the rows of n-grams follow
	rows  int
}

func newLexicon() *lexicon { return &lexicon{ids: map[string]int32{}} }

// id returns the number of a term, which is a new one if need be.
func (l *lexicon) id(t static.Term) int32 {
	id, ok := l.ids[t.Key]
	if !ok {
		id = int32(len(l.words))
		l.ids[t.Key] = id
		l.words = append(l.words, t.Key)
		l.count = append(l.count, 0)
		l.open = append(l.open, false)
	}
	l.open[id] = l.open[id] || t.Open
	return id
}

// text returns the numbers of a text's terms, and counts each of them n times.
func (l *lexicon) text(s string, n int) []int32 {
	var out []int32
	for _, t := range static.Terms(nil, s) {
		id := l.id(t)
		l.count[id] += n
		out = append(out, id)
	}
	return out
}

// key returns the key of a text of one term, or "".
func key(s string) string {
	if t := static.Terms(nil, s); len(t) == 1 {
		return t[0].Key
	}
	return ""
}

// assign gives rows to the words that keep says, the most frequent first, and to n-grams.
func (l *lexicon) assign(buckets int, keep func(id int32) bool) {
	l.row = make([]int32, len(l.words))
	l.grams = make([][]int32, len(l.words))
	var ids []int32
	for i := range l.words {
		l.row[i] = -1
		if keep(int32(i)) {
			ids = append(ids, int32(i))
		}
	}
	slices.SortStableFunc(ids, func(a, b int32) int { return l.count[b] - l.count[a] })
	for _, id := range ids {
		l.row[id] = int32(len(l.vocab))
		l.vocab = append(l.vocab, l.words[id])
	}
	l.rows = len(l.vocab) + buckets
	for i, w := range l.words {
		if l.open[i] && buckets > 0 {
			for _, h := range text.Grams(nil, w, minGram, maxGram) {
				l.grams[i] = append(l.grams[i], int32(len(l.vocab)+int(h%uint32(buckets))))
			}
		}
	}
}
