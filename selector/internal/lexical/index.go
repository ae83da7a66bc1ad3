// Package lexical finds documents by their words (BM25F) and by the characters of their words (n-grams).
//
// An [Index] is one version of a growing set of documents, numbered by row in the order they were appended. A version never
// changes: [Index.Append] returns the next one, which shares the storage of the one before. Reading takes no locks.
//
// All queries take the set of allowed rows, as a bitset: bit row%64 of word row/64; missing words are zeros, and nil means
// all rows. Statistics count allowed rows only, so that results are those of an index that holds nothing else.
package lexical

import (
	"fmt"
	"hash/maphash"
	"math"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/text"
)

// Options configure an [Index]. nil, like a zero value, selects the defaults.
type Options struct {
	// Weights say how much a word counts in each field, from 0 to 255. The default is [DefaultWeights].
	Weights *[NumFields]float32
	// B says for each field, from 0 to 1, how much less a word counts in a longer text. The default is [DefaultB].
	B *[NumFields]float32
	// K1 says how soon more of the same word counts for nothing. The default is 1.
	K1 float32
}

// An Index is one version of an index. All methods but Append may be called from many goroutines at once, on any version,
// also while Append runs.
type Index struct {
	*store
	// lengths are the numbers of words in the fields, by row. Spare capacity is shared with newer versions.
	lengths [][NumFields]uint16
	// norms are the reciprocals of the lengths of the rows' n-gram vectors, likewise.
	norms []float32
}

// A store is what all versions of an index share. Only Append changes it, and only by adding rows that no version in use
// knows.
type store struct {
	weights [NumFields]float32
	b       [NumFields]float32
	k1      float32

	words table[string, posting]
	grams table[uint32, gramPosting]

	// What follows is for the writer only.
	rows int // of the newest version
	tally
}

// A posting says how often a word stands in the fields of a row: byte f of counts, the lowest first, is field f. Two halves
// make it 12 bytes instead of 16.
type posting struct {
	row    uint32
	lo, hi uint32
}

func newPosting(row uint32, c *Counts) posting {
	return posting{
		row: row,
		lo:  uint32(c[0]) | uint32(c[1])<<8 | uint32(c[2])<<16 | uint32(c[3])<<24,
		hi:  uint32(c[4]) | uint32(c[5])<<8 | uint32(c[6])<<16 | uint32(c[7])<<24,
	}
}

func (p posting) counts() uint64 { return uint64(p.hi)<<32 | uint64(p.lo) }

// New returns an index without documents.
func New(opts *Options) *Index {
	s := &store{weights: DefaultWeights, b: DefaultB, k1: defaultK1}
	if opts != nil {
		if opts.Weights != nil {
			s.weights = *opts.Weights
		}
		if opts.B != nil {
			s.b = *opts.B
		}
		if opts.K1 != 0 {
			s.k1 = opts.K1
		}
	}
	return &Index{store: s}
}

// Len returns the number of rows.
func (x *Index) Len() int { return len(x.lengths) }

// Append returns a version with more documents. It must be called on the newest version, by one goroutine at a time; a call
// on an older one panics, as do more than 16,777,216 rows.
func (x *Index) Append(docs ...Document) *Index {
	if x.rows != x.Len() {
		panic(fmt.Sprintf("lexical: Append to a version of %d rows, but the newest has %d", x.Len(), x.rows))
	}
	if x.rows+len(docs) > maxRows {
		panic(fmt.Sprintf("lexical: more than %d rows", maxRows))
	}
	next := &Index{store: x.store, lengths: x.lengths, norms: x.norms}
	for i := range docs {
		lengths, norm := x.add(uint32(x.rows), &docs[i])
		next.lengths = append(next.lengths, lengths)
		next.norms = append(next.norms, norm)
		x.rows++
	}
	return next
}

// add indexes one document.
func (s *store) add(row uint32, doc *Document) (lengths [NumFields]uint16, norm float32) {
	lengths = s.tally.read(doc)
	for i := range s.stems {
		stem := &s.stems[i]
		s.words.add(stem.text, hashWord(stem.text), strings.Clone, newPosting(row, &stem.counts))
	}
	return lengths, s.addGrams(row)
}

// A tally counts the words of one document. Its storage is used again for the next one.
type tally struct {
	split      []text.Word
	stems      []counted // for BM25F; joined forms count
	spelt      []counted // for n-grams; joined forms do not, they have the n-grams of their parts
	byStem     map[string]int
	bySpelling map[string]int
	hashes     []uint32
	weighed    []uint64
}

type counted struct {
	text   string
	counts Counts
}

// read counts the words of a document, and returns how many there are in each field.
func (t *tally) read(doc *Document) (lengths [NumFields]uint16) {
	if t.byStem == nil {
		t.byStem, t.bySpelling = map[string]int{}, map[string]int{}
	}
	clear(t.byStem)
	clear(t.bySpelling)
	t.stems, t.spelt = t.stems[:0], t.spelt[:0]
	for f := range NumFields {
		t.split = text.Words(t.split[:0], doc[f])
		n := 0
		for i := range t.split {
			w := &t.split[i]
			t.stems = tick(t.stems, t.byStem, text.Stem(w.Text), f)
			if !w.Joined {
				t.spelt = tick(t.spelt, t.bySpelling, w.Text, f)
				n++
			}
		}
		lengths[f] = uint16(min(n, math.MaxUint16))
	}
	return lengths
}

// tick counts a word once more.
func tick(words []counted, at map[string]int, word string, f Field) []counted {
	i, there := at[word]
	if !there {
		i = len(words)
		at[word] = i
		words = append(words, counted{text: word})
	}
	if c := &words[i].counts[f]; *c < math.MaxUint8 {
		*c++
	}
	return words
}

var seed = maphash.MakeSeed()

func hashWord(stem string) uint64 { return maphash.String(seed, stem) }
