// Package text takes texts apart for search: words, stems, sentences and character n-grams.
//
// Tool names, descriptions and requests are all treated alike, so that "createPullRequest", "create_pull_request" and
// "Creates a pull request" share their words. All functions may be called from many goroutines at once.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold makes texts equal that differ only in case, diacritics or compatibility forms: "Ünïcode", "ＵＮＩＣＯＤＥ" and
// "unicode" fold to the same. The result is in normalisation form KC. Folding twice is folding once. Invalid UTF-8 becomes
// U+FFFD. A text of ASCII without capitals is returned as it is, without an allocation.
func Fold(s string) string {
	ascii, lower := true, true
	for i := range len(s) {
		c := s[i]
		ascii = ascii && c < utf8.RuneSelf
		lower = lower && (c < 'A' || c > 'Z')
	}
	switch {
	case ascii && lower:
		return s
	case ascii:
		return strings.ToLower(s)
	}
	// Lower-casing can make letters that decompose further, and stripping marks can make letters that have a capital: the
	// steps are repeated until nothing changes, which is nearly always the second round.
	for range 4 {
		next := foldOnce(s)
		if next == s {
			break
		}
		s = next
	}
	return s
}

func foldOnce(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range norm.NFKD.String(s) {
		if isAccent(r) {
			continue
		}
		r = unicode.ToLower(r)
		if plain, ok := spelled[r]; ok {
			b.WriteString(plain)
		} else {
			b.WriteRune(r)
		}
	}
	return norm.NFKC.String(b.String())
}

// isAccent reports whether r is a mark that people leave out when they type. Marks that tell letters apart, such as the
// vowel signs of Devanagari and Thai and the voicing mark of Kana, are not.
func isAccent(r rune) bool {
	switch {
	case r < 0x0300:
		return r == 0x00AD // soft hyphen
	case r <= 0x036F, // combining diacritical marks
		r >= 0x0591 && r <= 0x05BD,              // Hebrew points
		r >= 0x064B && r <= 0x065F, r == 0x0670, // Arabic vowels
		r == 0x0640,                             // Arabic tatweel, a stretch of the line
		r >= 0x1AB0 && r <= 0x1AFF,              // combining diacritical marks, extended
		r >= 0x1DC0 && r <= 0x1DFF,              // the same, supplement
		r >= 0x200B && r <= 0x200D, r == 0x2060, // zero-width space and joiners
		r == 0xFEFF,                // byte order mark
		r >= 0x20D0 && r <= 0x20FF, // marks for symbols
		r >= 0xFE00 && r <= 0xFE0F, // variation selectors
		r >= 0xFE20 && r <= 0xFE2F: // half marks
		return true
	}
	return false
}

// spelled holds letters that are often typed as others and that Unicode does not decompose.
var spelled = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ħ': "h", 'ı': "i", 'ŧ': "t",
	'ς': "σ",
	'’': "'", '‘': "'", '‐': "-", '‑': "-", '–': "-", '—': "-", '“': `"`, '”': `"`,
}
