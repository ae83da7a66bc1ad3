package rank

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mcpfleet/mcpfleet/internal/text"
	"github.com/mcpfleet/mcpfleet/selector/internal/lexical"
)

// A query is a request, or a sentence of one, taken apart into words. The methods but analyse are about the last text that was
// analysed.
type query struct {
	text  string
	words []word
	terms []lexical.Term
	at    map[string]int // index in terms by stem
	count []int          // how often each term occurs

	split []text.Word
}

// A word is a word where it stands.
type word struct {
	text.Word
	stem   string
	part   bool // of an identifier whose joined form follows
	data   bool // part of a path, an address or an identifier, which is copied rather than written
	begins bool // it begins a sentence
}

// maxTerms bounds the different words that are looked for. A request has less than a hundred; what has more is a document.
const maxTerms = 512

// How much a word counts next to one that stands in plain text. Found one by one on the development sets, where each
// was worth half a point to a point of nDCG@10 on requests with made-up names, dates and identifiers, and nothing elsewhere.
const (
	quotedWeight = 0.6
	dataWeight   = 0.6
	partWeight   = 0.5 // "git" and "hub" of "GitHub", next to "github"
	againWeight  = 0.3 // for each of up to three more times that the word occurs
)

func (q *query) analyse(s string) {
	q.text = s
	q.split = text.Words(q.split[:0], s)
	q.words = zeros(q.words, len(q.split))
	tokenEnd, data := 0, false
	for i := range q.split {
		w := &q.words[i]
		w.Word = q.split[i]
		w.stem = text.Stem(w.Text)
		if w.Start >= tokenEnd {
			tokenEnd, data = token(s, w.Start)
		}
		w.data = data
		w.begins = begins(s, w.Start)
		if w.Joined {
			for k := max(0, i-w.Part); k < i; k++ {
				q.words[k].part = true
			}
		}
	}

	if q.at == nil {
		q.at = map[string]int{}
	}
	clear(q.at)
	q.terms, q.count = q.terms[:0], q.count[:0]
	for i := range q.words {
		w := &q.words[i]
		weight := w.weight()
		if weight == 0 {
			continue
		}
		if k, again := q.at[w.stem]; again {
			q.terms[k].Weight = max(q.terms[k].Weight, weight)
			q.count[k]++
		} else if len(q.terms) < maxTerms {
			q.at[w.stem] = len(q.terms)
			q.terms = append(q.terms, lexical.Term{Stem: w.stem, Text: w.Text, Weight: weight})
			q.count = append(q.count, 1)
		}
	}
	for k := range q.terms {
		q.terms[k].Weight *= 1 + againWeight*float32(min(q.count[k], 4)-1)
	}
}

// weight says how much a word is likely to say about the tool that is meant, by what it looks like.
func (w *word) weight() float32 {
	if functionWords[w.Text] || w.Digits && !w.Joined {
		return 0
	}
	weight := float32(1)
	if w.Quoted {
		weight *= quotedWeight
	}
	if w.data {
		weight *= dataWeight
	}
	if w.part {
		weight *= partWeight
	}
	return weight
}

// token returns where the run of ASCII without spaces around offset i ends, and whether it looks like data.
func token(s string, i int) (end int, data bool) {
	start := i
	for start > 0 && ' ' < s[start-1] && s[start-1] < utf8.RuneSelf {
		start--
	}
	for end = i; end < len(s) && ' ' < s[end] && s[end] < utf8.RuneSelf; end++ {
	}
	inner := strings.Trim(s[start:end], "\"'`.,;:!?()[]{}<>*")
	return max(end, i+1), strings.ContainsAny(inner, "_./@:#=\\")
}

// begins reports whether the word at offset i begins a sentence.
func begins(s string, i int) bool {
	for i--; i >= 0; i-- {
		switch s[i] {
		case ' ', '\t', '"', '\'', '(', '*', '-':
		case '.', '!', '?', ':', '\n', '\r':
			return true
		default:
			return false
		}
	}
	return true
}

// unmatched returns the words that occur in no allowed row, in their order. One part of an identifier is enough to match it.
func (q *query) unmatched(x *lexical.Index, allowed []uint64) (missing []string) {
	var told map[string]bool
	for i := 0; i < len(q.words); i++ {
		w := &q.words[i]
		if w.Joined || w.Unspaced || w.weight() == 0 {
			continue
		}
		first, end := i, w.End
		for i+1 < len(q.words) && w.part {
			i++
			end = q.words[i].End
			if q.words[i].Joined {
				break
			}
		}
		if !slices.ContainsFunc(q.words[first:i+1], func(w word) bool { return x.Frequency(w.stem, allowed) > 0 }) {
			if as := q.text[w.Start:end]; !told[as] {
				if told == nil {
					told = map[string]bool{}
				}
				told[as] = true
				missing = append(missing, as)
			}
		}
	}
	return missing
}

// A request of three or more sentences often asks for several things, of which each has its own words: it is then also
// matched sentence by sentence, and its verbs are of no use as they ask for different things to be done. In shorter requests
// the other sentence gives the context that one lacks.
const (
	minSentences = 3
	maxSentences = 6 // of more, neighbours are taken together
)

// divide splits a request into sentences, and reports whether it may ask for several things.
func (s *scratch) divide(request string) bool {
	s.sentences = text.Sentences(s.sentences[:0], request)
	n := len(s.sentences)
	if n < minSentences {
		return false
	}
	if n > maxSentences {
		for i := range maxSentences {
			s.sentences[i] = strings.Join(s.sentences[i*n/maxSentences:(i+1)*n/maxSentences], " ")
		}
		clear(s.sentences[maxSentences:])
		s.sentences = s.sentences[:maxSentences]
	}
	return true
}

// forget drops all that is part of a request.
func (q *query) forget() {
	q.text = ""
	clear(q.words)
	clear(q.split)
	clear(q.terms)
	clear(q.at)
}
