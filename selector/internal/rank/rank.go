// Package rank scores the tools of a catalogue for a request.
//
// A score is a sum of standard scores, which say by how many standard deviations a tool is above the mean of all tools that
// the user may see: for its words, for the characters of its words, for its vector, and for its best sentence of the request.
// To that comes what the other tools of its server score, and whether it does what the request wants done. Scores are summed
// and not ranks: a part that knows nothing of a request has all tools near its mean, and so says nothing.
package rank

import (
	"math"
	"sync"

	"github.com/mcpfleet/mcpfleet/selector/internal/lexical"
	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

// An Index is one version of a catalogue. It is immutable and safe for concurrent use.
type Index struct {
	Lexical *lexical.Index
	Servers []int32  // the number of each row's server
	Names   []string // the name of each server; tools of "" have no server
	Intents []Intent // what each row's tool does, see [IntentOf]; nil if that is not known
	Weights *Weights // nil means DefaultWeights()
}

// A Scope is what one user may see of an [Index]. It is immutable.
type Scope struct {
	Allowed []uint64 // a set of rows as package lexical has it
	Stats   *lexical.Stats

	rows  []int32 // of Allowed, ascending
	sizes []int32 // of the servers, in rows of Allowed
}

// Scope returns the scope of a set of rows. It visits all of them: callers keep the result for further requests.
func (x *Index) Scope(allowed []uint64) *Scope {
	sc := &Scope{Allowed: allowed, Stats: x.Lexical.Stats(allowed), sizes: make([]int32, len(x.Names))}
	sc.rows = make([]int32, 0, sc.Stats.N)
	for row := range x.Lexical.Len() {
		if rowset.Has(allowed, row) {
			sc.rows = append(sc.rows, int32(row))
			sc.sizes[x.Servers[row]]++
		}
	}
	return sc
}

// Parts are what the scores of all rows are made of, before they are multiplied with their weights.
type Parts struct {
	Lexical, Characters, Vector, Sentence, Server, Intent []float32
}

// Cosines writes to dst how near the vector of each row is to that of a text, NaN for a row that has none. It returns false if the
// text has no vector; dst is then ignored.
type Cosines = func(dst []float32, text string) bool

// scratch is the memory of one call of Score.
type scratch struct {
	query
	sentences []string

	// By row.
	base, words, chars, vector, part, sentence []float32
	// By server.
	best, mean []float32
}

var pool = sync.Pool{New: func() any { return new(scratch) }}

// Score writes the score of every row of the scope to dst, which has the length of the index; its other elements are
// undefined. Scores are in standard deviations, below that of the best row, which has about 0: those for several requests can
// be compared with each other. It returns the words of the request that occur in no row of the scope, as they are written.
//
// cosines may be nil, and is called for the request and for some of its sentences. If parts is not nil it is filled in.
func (x *Index) Score(dst []float32, sc *Scope, request string, cosines Cosines, parts *Parts) (unmatched []string) {
	s := pool.Get().(*scratch)
	defer s.release()
	weights := x.Weights
	if weights == nil {
		weights = &defaults
	}
	if parts != nil {
		*parts = Parts{Sentence: make([]float32, len(dst)), Server: make([]float32, len(dst)), Intent: make([]float32, len(dst))}
	}
	s.analyse(request)
	unmatched = s.unmatched(x.Lexical, sc.Allowed)
	several := s.divide(request)
	var asked [numIntents]float32
	if !several {
		asked = s.asked()
	}
	siblings := min(1, float32(len(s.terms))/manyTerms)

	s.base = zeros(s.base, len(dst))
	x.match(s.base, s, sc, request, cosines, weights, true)
	if parts != nil {
		parts.Lexical, parts.Characters, parts.Vector = clone(s.words), clone(s.chars), clone(s.vector)
	}
	if several && weights.Sentence > 0 {
		x.matchSentences(s, sc, cosines, weights)
		if parts != nil {
			copy(parts.Sentence, s.sentence)
		}
		add(s.base, s.sentence, weights.Sentence, sc.rows)
		standardize(s.base, sc.rows)
	}
	x.judgeServers(s, sc)
	for _, row := range sc.rows {
		base, server, intent := s.base[row], s.base[row], float32(0)
		if number := x.Servers[row]; x.Names[number] != "" {
			server = (s.best[number] + meanShare*s.mean[number]) / (1 + meanShare)
		}
		server *= siblings
		if x.Intents != nil {
			intent = asked[x.Intents[row]]
		}
		dst[row] = base + weights.Server*server + weights.Intent*intent
		if parts != nil {
			parts.Server[row], parts.Intent[row] = server, intent
		}
	}
	settle(dst, sc.rows)
	return unmatched
}

// match adds to dst how well each row fits the words that s has analysed, and the vector of their text, as a standard score.
// whole is false for a sentence: its characters are not compared, which costs more than it is worth.
func (x *Index) match(dst []float32, s *scratch, sc *Scope, text string, cosines Cosines, weights *Weights, whole bool) {
	s.words = zeros(s.words, len(dst))
	most := x.Lexical.BM25F(s.words, s.terms, sc.Allowed, sc.Stats)
	spread(s.words, sc.rows, trust(s.words, sc.rows, most))
	add(dst, s.words, 1, sc.rows)

	if whole {
		s.chars = zeros(s.chars, len(dst))
		if weights.Characters > 0 {
			x.Lexical.Grams(s.chars, s.terms, sc.Allowed, sc.Stats)
			standardize(s.chars, sc.rows)
			add(dst, s.chars, weights.Characters, sc.rows)
		}
	}
	s.vector = zeros(s.vector, len(dst))
	if cosines != nil && weights.Vector > 0 && cosines(s.vector, text) {
		standardize(s.vector, sc.rows)
		add(dst, s.vector, weights.Vector, sc.rows)
	} else {
		clear(s.vector)
	}
	standardize(dst, sc.rows)
}

// enough is the share of what a request's words could score that a row must have for them to count in full. Found on the
// development sets: 0.4 to 0.7 are as good; without, nDCG@10 is a point less on metatool and on mcpbench.
const enough = 0.5

// trust is how much the words of a request count, up to 1. Standard scores make much of little: if no row has more than one or
// two of the words, and those by chance, that row stands out as far as one that has them all.
func trust(words []float32, rows []int32, most float32) float64 {
	top := float32(0)
	for _, row := range rows {
		top = max(top, words[row])
	}
	if top == 0 {
		return 1
	}
	return math.Sqrt(min(1, float64(top/most)/enough))
}

// matchSentences leaves in s.sentence how well each row fits the sentence that it fits best.
func (x *Index) matchSentences(s *scratch, sc *Scope, cosines Cosines, weights *Weights) {
	s.sentence = zeros(s.sentence, len(s.base))
	for i, sentence := range s.sentences {
		s.part = zeros(s.part, len(s.base))
		s.analyse(sentence)
		x.match(s.part, s, sc, sentence, cosines, weights, false)
		for _, row := range sc.rows {
			if i == 0 || s.part[row] > s.sentence[row] {
				s.sentence[row] = s.part[row]
			}
		}
	}
}

// judgeServers leaves in s.best and s.mean what the tools of each server score. The best tool alone makes large servers too
// good, for of many tools one fits by chance; the mean alone makes those too good of which every tool repeats one word.
func (x *Index) judgeServers(s *scratch, sc *Scope) {
	s.best, s.mean = zeros(s.best, len(x.Names)), zeros(s.mean, len(x.Names))
	for number := range s.best {
		s.best[number] = float32(math.Inf(-1))
	}
	for _, row := range sc.rows {
		number, score := x.Servers[row], s.base[row]
		s.best[number] = max(s.best[number], score)
		s.mean[number] += score
	}
	for number, size := range sc.sizes {
		s.mean[number] /= float32(max(1, size))
	}
}

// release gives s back. What it keeps must not keep a request alive.
func (s *scratch) release() {
	s.query.forget()
	clear(s.sentences[:cap(s.sentences)])
	pool.Put(s)
}
