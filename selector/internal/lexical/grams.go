package lexical

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/mcpfleet/mcpfleet/internal/text"
	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

const (
	// The n-grams are of 4 and 5 characters. Those of 3 make the index half as large again and queries twice as slow, and
	// find nothing better; longer ones are words.
	gramMin = 4
	gramMax = 5
	// gramCommon is the share of the allowed rows beyond which an n-gram says nothing and is skipped.
	gramCommon = 0.2
)

// A gramPosting is a row, in 24 bits, and a level, in 8. Documents have hundreds: they are most of the index.
type gramPosting uint32

const maxRows = 1 << 24

func (p gramPosting) row() uint32 { return uint32(p) >> 8 }

// Levels say how much an n-gram weighs in a document: ln(1+tf), where tf is how often it occurs there, times the weights of
// the fields. A level is tf in eighths.
const levelUnit = 8

var levels = func() (levels [256]float32) {
	for i := range levels {
		levels[i] = float32(math.Log1p(float64(i) / levelUnit))
	}
	return levels
}()

// addGrams appends the postings of the n-grams of the words counted last, and returns the reciprocal of their vector's length.
func (s *store) addGrams(row uint32) (norm float32) {
	// The upper half of an element is the n-gram, the lower half its tf in 64ths of levels: whole numbers, whose sum does not
	// depend on the order.
	const fine = 64
	s.weighed = s.weighed[:0]
	for i := range s.spelt {
		tf := float32(0)
		for f, n := range s.spelt[i].counts {
			tf += s.weights[f] * float32(n)
		}
		s.hashes = text.Grams(s.hashes[:0], s.spelt[i].text, gramMin, gramMax)
		for _, h := range s.hashes {
			s.weighed = append(s.weighed, uint64(h)<<32|uint64(tf*levelUnit*fine))
		}
	}
	slices.Sort(s.weighed)
	sum := 0.0
	for i := 0; i < len(s.weighed); {
		h, tf := uint32(s.weighed[i]>>32), uint64(0)
		for ; i < len(s.weighed) && uint32(s.weighed[i]>>32) == h; i++ {
			tf += s.weighed[i] & math.MaxUint32
		}
		level := max(1, min(255, (tf+fine/2)/fine))
		sum += float64(levels[level]) * float64(levels[level])
		s.grams.add(h, hashGram(h), same, gramPosting(row<<8|uint32(level)))
	}
	if sum == 0 {
		return 0
	}
	return float32(1 / math.Sqrt(sum))
}

func same(h uint32) uint32 { return h }

// hashGram hashes an n-gram once more, with a secret: whoever knows how n-grams are hashed could write texts of which all fall
// into one place of the table. The mixing is that of SplitMix64.
func hashGram(h uint32) uint64 {
	x := uint64(h) + gramSecret
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

var gramSecret = rand.Uint64()

// Grams adds to dst[row] how alike the spelling of the terms and of each allowed row is, from 0 to 1, for rows of this
// version; dst must be that long. It finds other forms of a word, parts of compounds, and words with typing errors.
//
// It is the cosine of two vectors of n-grams. Those of the terms weigh as the terms do and as they are rare among allowed
// rows; those of the row weigh as [DefaultWeights] say, whatever is allowed, so that lengths of vectors can be kept.
func (x *Index) Grams(dst []float32, terms []Term, allowed []uint64, st *Stats) {
	dst = dst[:x.Len()]
	allowed = x.unless(allowed, st)
	scratch := gramPool.Get().(*gramScratch)
	defer gramPool.Put(scratch)
	grams := scratch.collect(terms)
	scores := scratch.clean(x.Len())
	common := max(1, int(gramCommon*float64(st.N)))
	sum := float32(0)
	for i := range grams {
		list := x.gramList(grams[i].hash)
		if allowed == nil && len(list) > common {
			continue
		}
		df := gramMatches(list, allowed)
		if df == 0 || df > common {
			continue
		}
		weight := grams[i].weight * idf(st.N, df)
		sum += weight * weight
		for _, p := range list {
			scores[p.row()] += weight * levels[uint8(p)] // also of rows that are not allowed: they are left out below
		}
	}
	if sum == 0 {
		return
	}
	inverse := float32(1 / math.Sqrt(float64(sum)))
	norms := x.norms
	for row, score := range scores {
		if score != 0 && rowset.Has(allowed, row) {
			dst[row] += min(1, score*inverse*norms[row])
		}
	}
}

// gramList returns the postings of an n-gram in this version.
func (x *Index) gramList(h uint32) []gramPosting {
	list := x.grams.postings(h, hashGram(h))
	for len(list) > 0 && int(list[len(list)-1].row()) >= x.Len() {
		list = list[:len(list)-1] // of a newer version
	}
	return list
}

func gramMatches(list []gramPosting, allowed []uint64) int {
	if allowed == nil {
		return len(list)
	}
	n := 0
	for _, p := range list {
		if rowset.Has(allowed, int(p.row())) {
			n++
		}
	}
	return n
}

// A gramScratch is what one call of Grams works with.
type gramScratch struct {
	hashes []uint32
	grams  []weightedGram
	scores []float32
}

type weightedGram struct {
	hash   uint32
	weight float32
}

var gramPool = sync.Pool{New: func() any { return new(gramScratch) }}

// clean returns n zeros.
func (s *gramScratch) clean(n int) []float32 {
	s.scores = slices.Grow(s.scores[:0], n)[:n]
	clear(s.scores)
	return s.scores
}

// collect returns the different n-grams of the terms.
func (s *gramScratch) collect(terms []Term) []weightedGram {
	s.grams = s.grams[:0]
	for i := range terms {
		if terms[i].Weight == 0 {
			continue
		}
		s.hashes = text.Grams(s.hashes[:0], terms[i].Text, gramMin, gramMax)
		for _, h := range s.hashes {
			s.grams = append(s.grams, weightedGram{h, terms[i].Weight})
		}
	}
	slices.SortStableFunc(s.grams, func(a, b weightedGram) int { return cmp.Compare(a.hash, b.hash) })
	different := s.grams[:0]
	for _, g := range s.grams {
		if last := len(different) - 1; last >= 0 && different[last].hash == g.hash {
			different[last].weight += g.weight
		} else {
			different = append(different, g)
		}
	}
	return different
}
