// Package pieces splits text into the pieces that tokenizers of the GPT family look up one by one: a word with the
// character before it, up to three digits, a run of punctuation, a run of white space. A token never spans two pieces, so
// what a text costs is the sum of what its pieces cost.
//
// ASCII is split exactly as o200k_base splits it. Other text is split into runs of one [Class] of script.
package pieces

import "unicode/utf8"

// A Class is a kind of piece.
type Class uint8

const (
	Lower    Class = iota // lower-case word at the start or behind a digit, a quotation mark and the like
	Capital               // the same with upper case at the start: "Server", "URLPath"
	Upper                 // the same in upper case throughout
	SpaceLow              // words with a space before them
	SpaceCap
	SpaceUp
	MarkLow // words with any other character before them, such as _ or "
	MarkCap
	MarkUp
	Escape    // a backslash with a lower-case word, such as \n in JSON
	Digits    // one to three
	Syntax    // a run of punctuation with a quotation mark: JSON
	Marks     // a run of other punctuation
	Repeated  // a run of one punctuation character, at least four
	Space     // white space without a line break
	Break     // white space that ends in a line break
	Latin     // letters of Latin script with marks
	Greek     // Greek, Cyrillic, Hebrew, Armenian, Georgian
	Arabic    // Arabic and the scripts of its neighbours
	Indic     // scripts of South and South-East Asia
	Kana      // Hiragana and Katakana
	Hangul    // Korean syllables
	Han       // Chinese characters, the common ones
	RareHan   // Chinese characters outside of the basic block
	Sign      // punctuation, arrows, mathematical and other signs
	Emoji     // pictographs
	OtherRune // everything else of the basic plane, and bytes that are no UTF-8
	Beyond    // everything else beyond the basic plane
	Classes   // their number
)

// Next returns the class of the piece of s that starts at i, the length that its cost depends on (letters without the
// character before them; characters outside of ASCII), and where it ends, which is beyond i. i must be less than len(s).
func Next(s string, i int) (c Class, n, end int) {
	switch k := kinds[s[i]]; k {
	case lower, upper:
		return word(s, i, Lower)
	case digit:
		j := i + 1
		for j < len(s) && j < i+3 && kinds[s[j]] == digit {
			j++
		}
		return Digits, j - i, j
	case high:
		return wide(s, i)
	case space, newline:
		return blank(s, i)
	default:
		if i+1 < len(s) && kinds[s[i+1]] <= upper {
			return word(s, i+1, MarkLow)
		}
		return marks(s, i, i)
	}
}

// word scans the word at i; base is its class if it is in lower case.
func word(s string, i int, base Class) (Class, int, int) {
	j := i
	for j < len(s) && kinds[s[j]] == upper {
		j++
	}
	ups := j
	for j < len(s) && kinds[s[j]] == lower {
		j++
	}
	n := j - i
	c := base
	switch {
	case ups == j:
		c += Upper - Lower
	case ups > i:
		c += Capital - Lower
	case base == MarkLow && s[i-1] == '\\':
		c = Escape
	}
	return c, n, j + contraction(s[j:])
}

// contraction returns the length of an English contraction at the start of s, such as 's.
func contraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	switch s[1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(s) > 2 {
		switch string([]byte{s[1] | 0x20, s[2] | 0x20}) {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}

// blank scans white space. The last character of a run belongs to the piece after it if it can.
func blank(s string, i int) (Class, int, int) {
	j, brk := i, -1
	for j < len(s) && (kinds[s[j]] == space || kinds[s[j]] == newline) {
		if kinds[s[j]] == newline {
			brk = j + 1
		}
		j++
	}
	switch {
	case brk >= 0:
		return Break, brk - i, brk
	case j == len(s):
		return Space, j - i, j
	case j > i+1:
		return Space, j - i - 1, j - 1
	case kinds[s[j]] <= upper:
		return word(s, j, SpaceLow)
	case s[i] == ' ' && kinds[s[j]] == mark:
		return marks(s, i, j)
	}
	return Space, 1, j
}

// marks scans the run of punctuation at j of a piece that starts at i.
func marks(s string, i, j int) (Class, int, int) {
	start, first := j, s[j]
	quoted, same := false, true
	for j < len(s) && kinds[s[j]] == mark {
		quoted = quoted || s[j] == '"'
		same = same && s[j] == first
		j++
	}
	n := j - start
	for j < len(s) && (kinds[s[j]] == newline || s[j] == '/') {
		j++
	}
	switch {
	case same && n >= 4:
		return Repeated, n, j
	case quoted:
		return Syntax, n, j
	}
	return Marks, n, j
}

// wide scans a run of one class of characters outside of ASCII.
func wide(s string, i int) (Class, int, int) {
	r, size := utf8.DecodeRuneInString(s[i:])
	c, n, j := classOf(r, size), 1, i+size
	for j < len(s) && s[j] >= utf8.RuneSelf {
		r, size = utf8.DecodeRuneInString(s[j:])
		if classOf(r, size) != c {
			break
		}
		n++
		j += size
	}
	return c, n, j
}

func classOf(r rune, size int) Class {
	if r == utf8.RuneError && size == 1 {
		return OtherRune
	}
	for _, b := range blocks {
		if r <= b.last {
			return b.class
		}
	}
	return Beyond
}

// blocks are ranges of Unicode in ascending order.
var blocks = [...]struct {
	last  rune
	class Class
}{
	{0x00BF, Sign},
	{0x02AF, Latin},
	{0x036F, Sign},
	{0x05FF, Greek},
	{0x08FF, Arabic},
	{0x109F, Indic},
	{0x10FF, Greek},
	{0x177F, OtherRune}, // Hangul jamo, Ethiopic
	{0x17FF, Indic},     // Khmer
	{0x1DFF, OtherRune},
	{0x1EFF, Latin},
	{0x1FFF, Greek},
	{0x2BFF, Sign},
	{0x2FFF, OtherRune},
	{0x303F, Sign},
	{0x30FF, Kana},
	{0x33FF, OtherRune},
	{0x4DBF, RareHan},
	{0x9FFF, Han},
	{0xABFF, OtherRune},
	{0xD7FF, Hangul},
	{0xF8FF, OtherRune},
	{0xFAFF, RareHan},
	{0xFDFF, Arabic},
	{0xFE6F, Sign},
	{0xFEFF, Arabic},
	{0xFFEF, Sign},
	{0xFFFF, OtherRune},
	{0x1F0FF, Beyond},
	{0x1FAFF, Emoji},
}

// A kind is the kind of a byte.
type kind uint8

const (
	lower kind = iota
	upper
	digit
	space
	newline
	mark
	high
)

var kinds = func() (t [256]kind) {
	for b := range t {
		switch {
		case 'a' <= b && b <= 'z':
			t[b] = lower
		case 'A' <= b && b <= 'Z':
			t[b] = upper
		case '0' <= b && b <= '9':
			t[b] = digit
		case b == '\n' || b == '\r':
			t[b] = newline
		case b == ' ' || b == '\t' || b == '\v' || b == '\f':
			t[b] = space
		case b >= utf8.RuneSelf:
			t[b] = high
		default:
			t[b] = mark
		}
	}
	return t
}()
