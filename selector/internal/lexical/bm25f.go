package lexical

import (
	"math"
	"math/bits"

	"github.com/mcpfleet/mcpfleet/selector/internal/rowset"
)

// A Term is a word to look for.
type Term struct {
	Stem   string  // the word as [text.Stem] returns it
	Text   string  // the word as [text.Fold] returns it; used for n-grams only
	Weight float32 // what a match counts, as a factor; 1 is usual, 0 looks for nothing
}

// Stats are what scores need to know about the set of allowed rows as a whole. They hold for one version and one set, and
// may be shared by goroutines.
type Stats struct {
	N int // allowed rows
	// Average are the mean numbers of words in the fields.
	Average [NumFields]float32
	// slope is b divided by the average length, and 1-b what is left: a count is divided by (1-b) + slope*length.
	slope [NumFields]float32
}

// Stats returns the statistics of the allowed rows. It visits all rows; callers keep the result for further queries.
func (x *Index) Stats(allowed []uint64) *Stats {
	st := &Stats{N: rowset.Count(allowed, x.Len())}
	var total [NumFields]int64
	for row := range x.lengths {
		if rowset.Has(allowed, row) {
			for f, n := range x.lengths[row] {
				total[f] += int64(n)
			}
		}
	}
	for f := range total {
		if total[f] > 0 {
			st.Average[f] = float32(float64(total[f]) / float64(st.N))
			st.slope[f] = x.b[f] / st.Average[f]
		}
	}
	return st
}

// BM25F adds to dst[row] how well each allowed row fits the terms, for rows of this version; dst must be that long. It adds
// from 0 to less than most, which a row would come near that had nothing but those of the terms that any row has. It does not
// allocate.
//
// A word's counts in the fields, each divided by the field's relative length, are added up with the fields' weights before
// they saturate: a word in name and description is not worth two (Robertson, Zaragoza, Taylor: Simple BM25 extension to
// multiple weighted fields, 2004).
func (x *Index) BM25F(dst []float32, terms []Term, allowed []uint64, st *Stats) (most float32) {
	dst = dst[:x.Len()]
	allowed = x.unless(allowed, st)
	for i := range terms {
		term := &terms[i]
		if term.Weight == 0 {
			continue
		}
		list := x.list(term.Stem)
		df := matches(list, allowed)
		if df == 0 {
			continue
		}
		factor := term.Weight * idf(st.N, df) * (x.k1 + 1)
		most += factor
		for j := range list {
			p := &list[j]
			if !rowset.Has(allowed, int(p.row)) {
				continue
			}
			lengths := &x.lengths[p.row]
			tf := float32(0)
			for c := p.counts(); c != 0; {
				f := bits.TrailingZeros64(c) / 8 % int(NumFields)
				tf += x.weights[f] * float32(uint8(c>>(8*f))) / (1 - x.b[f] + st.slope[f]*float32(lengths[f]))
				c &^= 0xff << (8 * f)
			}
			dst[p.row] += factor * tf / (x.k1 + tf)
		}
	}
	return most
}

// unless returns allowed, or nil if it holds all rows, which is quicker to test.
func (x *Index) unless(allowed []uint64, st *Stats) []uint64 {
	if st.N == x.Len() {
		return nil
	}
	return allowed
}

// idf is the weight of a word that df of n documents have; never negative, as in Lucene.
func idf(n, df int) float32 {
	return float32(math.Log1p((float64(n-df) + 0.5) / (float64(df) + 0.5)))
}

// list returns the postings of a stem in this version.
func (x *Index) list(stem string) []posting {
	list := x.words.postings(stem, hashWord(stem))
	for len(list) > 0 && int(list[len(list)-1].row) >= x.Len() {
		list = list[:len(list)-1] // of a newer version
	}
	return list
}

// matches counts the postings of allowed rows.
func matches(list []posting, allowed []uint64) int {
	if allowed == nil {
		return len(list)
	}
	n := 0
	for i := range list {
		if rowset.Has(allowed, int(list[i].row)) {
			n++
		}
	}
	return n
}

// Frequency returns how many allowed rows have the stem.
func (x *Index) Frequency(stem string, allowed []uint64) int {
	return matches(x.list(stem), allowed)
}

// Counts returns how often the stem stands in each field of a row. It takes time logarithmic in the stem's frequency.
func (x *Index) Counts(stem string, row int) Counts {
	list := x.list(stem)
	lo, hi := 0, len(list)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if int(list[mid].row) < row {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	var counts Counts
	if lo < len(list) && int(list[lo].row) == row {
		for f := range counts {
			counts[f] = uint8(list[lo].counts() >> (8 * f))
		}
	}
	return counts
}
