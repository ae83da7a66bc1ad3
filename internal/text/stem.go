package text

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/kljensen/snowball/english"
)

// Stem returns the stem of a folded English word, by the Snowball algorithm: "creating", "creates" and "create" have the
// same. Words with other than the letters a to z, and words over 30 letters, are returned unchanged.
func Stem(word string) string {
	if len(word) < 3 || len(word) > 30 {
		return word
	}
	for i := range len(word) {
		if word[i] < 'a' || word[i] > 'z' {
			return word
		}
	}
	slot := &stems[maphash.String(stemSeed, word)%uint64(len(stems))]
	if known := slot.Load(); known != nil && known.word == word {
		return known.stem
	}
	// The word may be part of a long text, which the cache must not keep alive.
	fresh := &stemmed{word: strings.Clone(word)}
	fresh.stem = english.Stem(fresh.word, true)
	if fresh.stem == fresh.word {
		fresh.stem = fresh.word
	}
	slot.Store(fresh)
	return fresh.stem
}

type stemmed struct{ word, stem string }

// stems remembers the stems of words met lately. Stemming costs about a microsecond and is needed for every word of every
// request. A slot holds the last word that fell into it: bounded, without locks, and wrong never.
var (
	stems    [1 << 14]atomic.Pointer[stemmed]
	stemSeed = maphash.MakeSeed()
)
