package static

import "github.com/mcpfleet/mcpfleet/internal/text"

// A Term is a word as a model looks it up.
type Term struct {
	// Key is the stem of the folded word.
	Key string
	// Open says that the n-grams of Key stand in if the model does not know it. They do not for what is no word: a single
	// letter or two, more than 40 bytes, a number, a part of an identifier with digits, and the unsplit form of an identifier.
	Open bool
}

// The longest words have 28 letters in English and some 40 bytes elsewhere; what is longer is data.
const minOpen, maxOpen = 3, 40

// Terms appends the terms of s to dst and returns it. Embedders and the program that trains their models both read texts
// with it; it must stay the same for as long as a model is in use.
func Terms(dst []Term, s string) []Term {
	dst, _ = appendTerms(dst, nil, s)
	return dst
}

func appendTerms(dst []Term, scratch []text.Word, s string) ([]Term, []text.Word) {
	scratch = text.Words(scratch[:0], s)
	for i := 0; i < len(scratch); {
		// The words of one identifier: its parts, then its joined form.
		end, digits := i+1, scratch[i].Digits
		for end < len(scratch) && scratch[end].Part > 0 {
			digits = digits || scratch[end].Digits
			end++
		}
		for _, w := range scratch[i:end] {
			if w.Digits && !w.Joined {
				continue
			}
			key := text.Stem(w.Text)
			dst = append(dst, Term{Key: key, Open: !digits && !w.Joined && minOpen <= len(key) && len(key) <= maxOpen})
		}
		i = end
	}
	return dst, scratch
}
