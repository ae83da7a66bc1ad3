package text

import "unicode/utf8"

// Grams appends the hashes of the character n-grams of "_word_", for n from least to most, to dst and returns it. The
// underscores mark where the word begins and ends. The word should be folded. An n-gram that occurs twice is appended twice.
//
// Embedding models are trained on these hashes: they are the same on every machine and must stay the same in all versions.
// The hash is 32-bit FNV-1a over the n-gram's UTF-8 bytes, followed by the finalizer of MurmurHash3, as the low bits of FNV-1a
// alone are poor.
func Grams(dst []uint32, word string, least, most int) []uint32 {
	if least < 1 || most < least {
		panic("text: Grams needs 1 <= least <= most")
	}
	if len(word) == 0 {
		return dst
	}
	// Offset -1 is the underscore before the word, offset len(word) the one behind it.
	for start := -1; start <= len(word); {
		hash := uint32(2166136261)
		next := start
		for n := 1; n <= most && next <= len(word); n++ {
			end := runeEnd(word, next)
			for i := next; i < end; i++ {
				c := byte('_')
				if 0 <= i && i < len(word) {
					c = word[i]
				}
				hash = (hash ^ uint32(c)) * 16777619
			}
			next = end
			if n >= least {
				dst = append(dst, finish(hash))
			}
		}
		start = runeEnd(word, start)
	}
	return dst
}

// runeEnd returns the offset behind the character at offset i, of "_word_" with the word at offset 0.
func runeEnd(word string, i int) int {
	if i < 0 || i >= len(word) || word[i] < utf8.RuneSelf {
		return i + 1
	}
	_, size := utf8.DecodeRuneInString(word[i:])
	return i + size
}

func finish(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}
