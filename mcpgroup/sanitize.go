package mcpgroup

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// cleanText makes a text of a server fit to be shown: what a model reads is what a person sees. It returns at most max
// bytes of valid UTF-8; a text that is cut ends in "…" if that fits.
//
// Kept are letters, marks, numbers, punctuation, symbols, spaces, "\n" and "\t", and what Unicode has not assigned yet: it
// may be an emoji of next year. Line and paragraph separators become "\n", invalid UTF-8 becomes U+FFFD. Dropped are
// other control characters, terminal escape sequences with their parameters, bidirectional overrides and isolates,
// zero-width characters, the tag block, private use, noncharacters and everything else without a shape of its own.
//
// Two kinds of invisible characters stay where scripts need them and where they carry next to nothing: a joiner between
// two letters of a script that uses joiners or between two emoji, and a variation selector 15 or 16 behind a symbol.
// Flags spelled with tags become plain black flags.
func cleanText(s string, limit int) string {
	if len(s) <= limit && !strings.ContainsFunc(s, notPlain) {
		return s
	}
	c := cleaner{max: limit}
	for s != "" && !c.full {
		if n := escapeLen(s); n > 0 {
			s = s[n:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		if r == utf8.RuneError && n == 1 {
			if c.invalid {
				continue
			}
			c.add(r)
			c.invalid = true
			continue
		}
		c.add(r)
	}
	return c.text()
}

// notPlain holds for all but the characters that are kept whatever stands beside them, as most texts have only these.
func notPlain(r rune) bool {
	return (r < ' ' || r > '~') && r != '\n' && r != '\t'
}

// cleaner collects the characters that stay.
type cleaner struct {
	b       strings.Builder
	max     int
	full    bool // something did not fit
	fits    int  // length of what stays if the ellipsis has to be put behind it
	prev    rune // the last character written
	joiner  rune // a joiner that is written if the next character calls for it
	invalid bool // prev stands for invalid bytes: more of them add nothing
}

func (c *cleaner) add(r rune) {
	switch {
	case r == '\u2028' || r == '\u2029':
		r = '\n'
	case !notPlain(r):
	case r == '\u200c' || r == '\u200d':
		c.joiner = r
		return
	case r == '\ufe0e' || r == '\ufe0f':
		if !takesSelector(c.prev) {
			return
		}
	case invisible(r):
		return
	}
	if c.joiner != 0 && joins(c.prev, c.joiner, r) {
		c.write(c.joiner)
	}
	c.joiner = 0
	c.write(r)
}

func (c *cleaner) write(r rune) {
	n := utf8.RuneLen(r)
	if c.full || c.b.Len()+n > c.max {
		c.full = true
		return
	}
	c.b.WriteRune(r)
	c.prev, c.invalid = r, false
	if c.b.Len()+len(ellipsis) <= c.max && r != '\u200c' && r != '\u200d' {
		c.fits = c.b.Len()
	}
}

func (c *cleaner) text() string {
	switch {
	case !c.full:
		return c.b.String()
	case c.max < len(ellipsis):
		return c.b.String()
	}
	return c.b.String()[:c.fits] + ellipsis
}

// invisible holds for characters that change a text without being seen in it.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Noncharacter_Code_Point,
		unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r) // Cf, but drawn, such as the Arabic number sign
}

// takesSelector holds for the characters that have both a text and an emoji form.
func takesSelector(r rune) bool {
	return unicode.In(r, unicode.So, unicode.Sm) || r == '#' || r == '*' || '0' <= r && r <= '9' ||
		r == '\u203c' || r == '\u2049' || r == '\u2139' || r == '\u3030' || r == '\u303d'
}

// joiningScripts are those with cursive joining or with conjuncts, where a joiner changes what is drawn.
var joiningScripts = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mandaic, unicode.Nko, unicode.Mongolian,
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu,
	unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Tibetan, unicode.Myanmar, unicode.Khmer, unicode.Balinese,
	unicode.Javanese, unicode.Sundanese,
}

// joins reports whether joiner is needed between prev and next.
func joins(prev, joiner, next rune) bool {
	if joining(prev) && joining(next) {
		return true
	}
	skinTone := '\U0001f3fb' <= prev && prev <= '\U0001f3ff'
	return joiner == '\u200d' && (unicode.Is(unicode.So, prev) || skinTone || prev == '\ufe0f') && unicode.Is(unicode.So, next)
}

func joining(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M) && unicode.In(r, joiningScripts...)
}

// escapeLen returns the length of the terminal escape sequence at the start of s, or 0 (ECMA-48 section 5). A control
// string that is not terminated reaches to the end of its line.
func escapeLen(s string) int {
	var kind byte // what ESC is followed by; C1 controls are another spelling (ECMA-48 section 5.3)
	n := 0
	switch {
	case len(s) >= 2 && s[0] == '\x1b':
		kind, n = s[1], 2
	case len(s) >= 2 && s[0] == 0xc2 && 0x80 <= s[1] && s[1] <= 0x9f:
		kind, n = s[1]-0x40, 2
	default:
		return 0
	}
	span := func(lo, hi byte) {
		for n < len(s) && lo <= s[n] && s[n] <= hi {
			n++
		}
	}
	switch {
	case kind == '[': // CSI: parameters, intermediates, one final
		span(0x30, 0x3f)
		span(0x20, 0x2f)
		if n < len(s) && 0x40 <= s[n] && s[n] <= 0x7e {
			n++
		}
	case kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_': // OSC, DCS, SOS, PM, APC
		for n < len(s) && s[n] != '\n' {
			switch {
			case s[n] == '\a':
				return n + 1
			case strings.HasPrefix(s[n:], "\x1b\\"), strings.HasPrefix(s[n:], "\u009c"):
				return n + 2
			}
			n++
		}
	case s[0] == '\x1b' && 0x20 <= kind && kind <= 0x2f: // intermediates, one final, such as a choice of character set
		span(0x20, 0x2f)
		if n < len(s) && 0x30 <= s[n] && s[n] <= 0x7e {
			n++
		}
	case s[0] == '\x1b' && (kind < 0x30 || kind > 0x7e):
		return 1 // a single ESC; what follows is text
	}
	return n
}
