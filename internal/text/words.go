package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Word is a word of a text: a run of letters or a run of digits.
type Word struct {
	// Text is the word after [Fold].
	Text string
	// Start and End say where the word stands: bytes s[Start:End] of the text.
	Start, End int
	// Part is the word's place in its identifier: 0, 1 and 2 for the words of "createPullRequest" and "create-pull-request".
	// It is 0 for a word that stands alone.
	Part int
	// Joined marks the unsplit form that follows the parts of an identifier, such as "github" after "git" and "hub" of
	// "GitHub". Its Start and End span all parts, and its Part is their number.
	Joined bool
	// Capital says that the first letter is upper case, Upper that all of at least two letters are.
	Capital, Upper bool
	// Digits says that it consists of, or for a joined form contains, digits.
	Digits bool
	// Quoted says that it stands between quotation marks or backquotes.
	Quoted bool
	// Unspaced marks a pair of characters of a script that is written without spaces.
	Unspaced bool
}

// joinedMax is the longest joined form, in bytes. What is longer is a sentence with hyphens or data, which nobody types.
const joinedMax = 40

// Words appends the words of s to dst and returns it.
//
// Identifiers are split where case changes (camelCase, HTTPServer), at underscores, at hyphens, and between letters and
// digits; their joined form follows as a word of its own, unless it is long or consists of digits. The "s" of a possessive
// is dropped, and "don't" is the word "dont". Han, Kana, Hangul, Thai and other scripts that do not put spaces between words,
// or that put particles behind them, give overlapping pairs of characters.
func Words(dst []Word, s string) []Word {
	w := splitter{s: s, dst: dst}
	for w.pos < len(s) {
		r, size := w.rune(w.pos)
		switch {
		case isUnspaced(r):
			w.pairs()
		case isLetter(r) || isDigit(r):
			w.identifier()
		default:
			w.quote(r, size)
			w.pos += size
		}
	}
	return w.dst
}

type splitter struct {
	s     string
	dst   []Word
	pos   int
	until int // words that end before this offset are quoted
}

// rune decodes the rune at offset i; beyond the end it is 0, which is part of no word.
func (w *splitter) rune(i int) (rune, int) {
	if i >= len(w.s) {
		return 0, 0
	}
	if c := w.s[i]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(w.s[i:])
}

// identifier reads parts that are joined by case changes, single underscores or hyphens.
func (w *splitter) identifier() {
	first, letters := len(w.dst), false
	for {
		r, _ := w.rune(w.pos)
		switch {
		case isDigit(r):
			w.digits(len(w.dst) - first)
		case isLetter(r) && !isUnspaced(r):
			letters = true
			w.letters(len(w.dst) - first)
		default:
			w.join(w.dst[first:], letters)
			return
		}
		if next, size := w.rune(w.pos); next == '_' || next == '-' || next == '‑' {
			after, _ := w.rune(w.pos + size)
			if isDigit(after) || isLetter(after) && !isUnspaced(after) {
				w.pos += size
			}
		}
	}
}

// join appends the joined form of the parts.
func (w *splitter) join(parts []Word, letters bool) {
	if len(parts) < 2 || !letters {
		return
	}
	size, digits := 0, false
	for _, p := range parts {
		size += len(p.Text)
		digits = digits || p.Digits
	}
	if size > joinedMax {
		return
	}
	start, end := parts[0].Start, parts[len(parts)-1].End
	joined := Word{Start: start, End: end, Part: len(parts), Joined: true, Capital: parts[0].Capital, Digits: digits, Quoted: end <= w.until}
	if size == end-start && parts[0].Text == w.s[start:parts[0].End] && Fold(w.s[start:end]) == w.s[start:end] {
		joined.Text = w.s[start:end] // "utf8": nothing between the parts and nothing folded
	} else {
		var b strings.Builder
		b.Grow(size)
		for _, p := range parts {
			b.WriteString(p.Text)
		}
		joined.Text = b.String()
	}
	w.dst = append(w.dst, joined)
}

func (w *splitter) digits(part int) {
	start := w.pos
	for {
		r, size := w.rune(w.pos)
		if !isDigit(r) {
			break
		}
		w.pos += size
	}
	w.add(Word{Text: Fold(w.s[start:w.pos]), Start: start, End: w.pos, Part: part, Digits: true})
}

// letters reads one part of letters: up to a change of case, or to the end of the run.
func (w *splitter) letters(part int) {
	start := w.pos
	r, size := w.rune(w.pos)
	capital := isUpper(r)
	w.pos += size
	count, upper := 1, capital
	for {
		r, size := w.rune(w.pos)
		if !isLetter(r) && !isMark(r) || isUnspaced(r) {
			break
		}
		switch {
		case isMark(r):
		case isUpper(r):
			if !upper {
				w.word(start, w.pos, part, capital, false)
				return // camel|Case
			}
			count++
			if next, after := w.rune(w.pos + size); isLetter(next) && !isUpper(next) && !w.plural(next, w.pos+size+after) {
				w.word(start, w.pos, part, capital, count > 2)
				return // HTTP|Server
			}
		case upper && count > 1: // the "s" of "URLs"
			w.pos += size
			w.word(start, w.pos, part, capital, true)
			return
		default:
			upper = false
			count++
		}
		w.pos += size
	}
	end := w.pos
	w.apostrophe()
	if w.pos > end && w.s[w.pos-1] != 's' && w.s[w.pos-1] != 'S' {
		end = w.pos
	}
	w.word(start, end, part, capital, upper && count > 1)
}

// plural reports whether r, before offset i, is the "s" that ends an abbreviation such as "URLs".
func (w *splitter) plural(r rune, i int) bool {
	after, _ := w.rune(i)
	return r == 's' && !isLetter(after)
}

// apostrophe steps over the end of "user's" and "don't".
func (w *splitter) apostrophe() {
	r, size := w.rune(w.pos)
	if r != '\'' && r != '’' {
		return
	}
	i := w.pos + size
	end := i
	for end < len(w.s) && end < i+3 && (w.s[end]|0x20 >= 'a' && w.s[end]|0x20 <= 'z') {
		end++
	}
	if next, _ := w.rune(end); isLetter(next) || isDigit(next) || isMark(next) {
		return
	}
	switch w.s[i:end] {
	case "s", "S", "t", "T", "re", "RE", "ll", "LL", "ve", "VE", "d", "D", "m", "M":
		w.pos = end
	}
}

func (w *splitter) word(start, end, part int, capital, upper bool) {
	folded := Fold(w.s[start:end])
	if strings.IndexByte(folded, '\'') >= 0 {
		folded = strings.ReplaceAll(folded, "'", "")
	}
	w.add(Word{Text: folded, Start: start, End: end, Part: part, Capital: capital, Upper: upper})
}

func (w *splitter) add(word Word) {
	if word.Text == "" {
		return // nothing but accents
	}
	word.Quoted = word.End <= w.until
	w.dst = append(w.dst, word)
}

// pairs reads a run of an unspaced script. A character is a letter with the marks that follow it.
func (w *splitter) pairs() {
	last, start, n := -1, w.pos, 0 // beginning of the character before, and of this one
	for {
		r, size := w.rune(w.pos)
		if !isUnspaced(r) {
			break
		}
		start = w.pos
		w.pos += size
		for {
			mark, size := w.rune(w.pos)
			if !isMark(mark) && mark != 'ﾞ' && mark != 'ﾟ' {
				break
			}
			w.pos += size
		}
		if last >= 0 {
			w.add(Word{Text: Fold(w.s[last:w.pos]), Start: last, End: w.pos, Unspaced: true})
		}
		last = start
		n++
	}
	if n == 1 {
		w.add(Word{Text: Fold(w.s[start:w.pos]), Start: start, End: w.pos, Unspaced: true})
	}
}

// quotedMax is the longest quotation, in bytes: a mark without its partner must not make the rest of a text quoted.
const quotedMax = 200

// quote notes a quotation that begins with r at the current offset.
func (w *splitter) quote(r rune, size int) {
	if w.pos < w.until {
		return
	}
	var closing string
	switch r {
	case '"', '`':
		closing = w.s[w.pos : w.pos+1]
	case '\'':
		// An apostrophe inside a word never gets here; behind a word, as in "users' data", it opens nothing.
		if before, _ := utf8.DecodeLastRuneInString(w.s[:w.pos]); w.pos > 0 && !unicode.IsSpace(before) && !strings.ContainsRune("([{:=,", before) {
			return
		}
		closing = "'"
	case '“', '„':
		closing = "”"
	case '‘':
		closing = "’"
	case '«':
		closing = "»"
	case '「':
		closing = "」"
	case '『':
		closing = "』"
	default:
		return
	}
	rest := w.s[w.pos+size:]
	rest = rest[:min(len(rest), quotedMax)]
	if line := strings.IndexByte(rest, '\n'); line >= 0 {
		rest = rest[:line]
	}
	from := 0
	for {
		i := strings.Index(rest[from:], closing)
		if i < 0 {
			return
		}
		i += from
		// The "'" of "it's" closes nothing.
		after, _ := utf8.DecodeRuneInString(rest[i+len(closing):])
		if (closing == "'" || closing == "’") && isLetter(after) {
			from = i + len(closing)
			continue
		}
		w.until = w.pos + size + i + len(closing) // the closing mark opens nothing
		return
	}
}

func isLetter(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	return unicode.IsLetter(r)
}

func isDigit(r rune) bool {
	if r < utf8.RuneSelf {
		return '0' <= r && r <= '9'
	}
	return unicode.IsDigit(r)
}

func isUpper(r rune) bool {
	if r < utf8.RuneSelf {
		return 'A' <= r && r <= 'Z'
	}
	return unicode.IsUpper(r) || unicode.IsTitle(r)
}

func isMark(r rune) bool {
	return r >= 0x0300 && (unicode.IsMark(r) || r >= 0x200B && r <= 0x200D)
}

// isUnspaced reports whether r belongs to a script whose words cannot be told apart by spaces.
func isUnspaced(r rune) bool {
	return r >= 0x0E00 && unicode.IsLetter(r) && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) || r == 'ー' || r == 'ｰ' || r == '々'
}
