package rank

import (
	"strings"
	"testing"
)

// weights returns the weight of each stem that is looked for.
func weights(request string) map[string]float32 {
	var q query
	q.analyse(request)
	m := map[string]float32{}
	for _, term := range q.terms {
		m[term.Stem] = term.Weight
	}
	return m
}

func TestPayloadCountsLessThanWhatIsAsked(t *testing.T) {
	got := weights("Please rename the file 'old notes' to /home/dana/plan_b.txt by 2025-03-01 on GitHub, the file")
	for stem, want := range map[string]float32{
		"renam": 1, "file": 1 + againWeight, "old": quotedWeight, "note": quotedWeight, "dana": dataWeight, "txt": dataWeight,
		"plan": dataWeight * partWeight, "planb": dataWeight, "github": 1, "git": partWeight, "hub": partWeight,
	} {
		if got[stem] != want {
			t.Errorf("weight of %q = %v, want %v", stem, got[stem], want)
		}
	}
	for _, stem := range []string{"pleas", "the", "2025", "03", "to", "by"} {
		if w, ok := got[stem]; ok {
			t.Errorf("%q is looked for with weight %v, want not at all", stem, w)
		}
	}
}

func TestAWordCountsAsItStandsBest(t *testing.T) {
	got := weights("'rename' a thing: rename")
	if want := 1 + float32(againWeight); got["renam"] != want {
		t.Errorf("weight of a word quoted once and plain once = %v, want %v", got["renam"], want)
	}
	if got := weights(strings.Repeat("rename ", 50))["renam"]; got != 1+3*float32(againWeight) {
		t.Errorf("weight of a word said 50 times = %v, want %v", got, 1+3*againWeight)
	}
}

func TestDataIsFoundNextToOtherScripts(t *testing.T) {
	if got := weights("从 116.310,39.992 骑共享单车")["共享"]; got != 1 {
		t.Errorf("weight of a word in a sentence with coordinates = %v, want 1", got)
	}
}

func TestRequestsOfManySentencesAreDividedIntoFew(t *testing.T) {
	for n, want := range map[int]int{1: 0, 2: 0, 3: 3, 6: 6, 7: maxSentences, 100: maxSentences} {
		s := &scratch{}
		request := strings.TrimSpace(strings.Repeat("Find the customer. ", n))
		got := 0
		if s.divide(request) {
			got = len(s.sentences)
			if all := strings.Join(s.sentences, " "); all != request {
				t.Errorf("the parts of %d sentences are %q", n, all)
			}
		}
		if got != want {
			t.Errorf("%d sentences are divided into %d, want %d", n, got, want)
		}
	}
}

// An analysis whose time grows with the square of the request would not end before the test's deadline.
func TestHugeRequestsAreAnalysedInLinearTime(t *testing.T) {
	for _, piece := range []string{"a_b.", "word ", "x", "' \"", "- ", "\n", "a.b c. ", "Ab", "用", "9"} {
		request := strings.Repeat(piece, 1_000_000/len(piece))
		s := &scratch{}
		s.analyse(request)
		s.asked()
		s.divide(request)
	}
}

func TestOnlySoManyWordsAreLookedFor(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		b.WriteString("w")
		for ; i > 0; i /= 26 {
			b.WriteByte(byte('a' + i%26))
		}
		b.WriteByte(' ')
	}
	if got := len(weights(b.String())); got != maxTerms {
		t.Errorf("%d words are looked for, want %d", got, maxTerms)
	}
}

func FuzzScore(f *testing.F) {
	for _, request := range requests {
		f.Add(request)
	}
	x := newIndex(someTools)
	sc, some := x.Scope(nil), x.Scope([]uint64{0b101_0110_1111})
	f.Fuzz(func(t *testing.T, request string) {
		dst := make([]float32, len(someTools))
		for _, sc := range []*Scope{sc, some} {
			var p Parts
			unmatched := x.Score(dst, sc, request, cosinesOf(someTools), &p)
			for _, row := range sc.rows {
				if !finite(dst[row]) {
					t.Errorf("score of row %d = %v", row, dst[row])
				}
			}
			for _, w := range unmatched {
				if w == "" || !strings.Contains(request, w) {
					t.Errorf("%q is said to be an unmatched word of the request", w)
				}
			}
		}
	})
}
