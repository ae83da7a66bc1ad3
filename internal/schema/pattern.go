package schema

import (
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Limits of the regular expressions of one schema. Go's regexp never backtracks exponentially, but (a{30}){30} becomes a
// thousand instructions and \p{L} a thousand ranges, so compiling is what has to be bounded. The largest published tool
// we know has patterns of less than 2 KiB.
const (
	maxPatternText = 4 << 10  // bytes of one pattern
	maxPatternSum  = 64 << 10 // bytes of all patterns, each Unicode class counted as unicodeClassBytes
	maxPatternProg = 5_000    // instructions of one pattern
	maxProgSum     = 50_000   // instructions of all patterns

	unicodeClassBytes = 600
)

// A pattern is a compiled regular expression, or an opaque one: text that Go's regexp cannot express, which therefore
// may or may not match.
type pattern struct {
	re   *regexp.Regexp // nil if opaque
	prog int            // estimated instructions
}

func (p *pattern) opaque() bool { return p.re == nil }

// cost is the price of matching n bytes, in steps. The slowest matcher of package regexp advances every instruction for
// every byte, and each such move takes about as long as a step.
func (p *pattern) cost(n int) int { return 1 + n*p.prog }

// A patternCache compiles each pattern of a schema once: generated schemas repeat the same few.
type patternCache struct {
	bySource   map[string]*pattern
	text, prog int
}

func (c *patternCache) compile(source string, at *where) (*pattern, error) {
	if p := c.bySource[source]; p != nil {
		return p, nil
	}
	c.text += len(source) + unicodeClassBytes*(strings.Count(source, `\p`)+strings.Count(source, `\P`))
	if len(source) > maxPatternText || c.text > maxPatternSum {
		return nil, refuse(RulePattern, at, "its regular expressions are too long")
	}
	p := &pattern{}
	if text, ok := translate(source); ok {
		tree, err := syntax.Parse(text, syntax.Perl)
		if err == nil {
			p.prog = progSize(tree)
			c.prog += p.prog
			if p.prog > maxPatternProg || c.prog > maxProgSum {
				return nil, refuse(RulePattern, at, "its regular expressions repeat too much")
			}
			p.re, _ = regexp.Compile(text)
		}
	}
	c.bySource[source] = p
	return p, nil
}

// progSize estimates the size of the compiled program before it is compiled, and saturates.
func progSize(re *syntax.Regexp) int {
	const saturated = maxPatternProg + 1
	size := 1
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpCharClass:
		size = 1 + len(re.Rune)/16
	}
	for _, sub := range re.Sub {
		size = min(size+progSize(sub), saturated)
	}
	if re.Op == syntax.OpRepeat {
		size = min(size*max(re.Min+1, re.Max), saturated)
	}
	return size
}

// The classes in which ECMA-262 differs from RE2.
const (
	ecmaSpace = `\t-\r \x{a0}\x{feff}\p{Z}` // \s, ECMA-262 section 22.2.2.9 CharacterClassEscape
	ecmaDot   = `[^\n\r\x{2028}\x{2029}]`   // "." stops at every LineTerminator
	anyRune   = `\x{0}-\x{10ffff}`          // [^] matches everything, [] nothing
)

// translate rewrites a pattern from ECMA-262 to Go's syntax. It reports false for a pattern that has no counterpart; one
// that merely fails to parse afterwards is found by the parser.
func translate(src string) (string, bool) {
	flags := hasInlineFlags(src)
	if flags && !foldable(src) {
		return "", false
	}
	var b strings.Builder
	class := false
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch {
		case c == '\\' && i+1 < len(src):
			i++
			switch e := src[i]; {
			case e == 'u':
				r, n := unicodeEscape(src[i+1:])
				if n == 0 {
					return "", false
				}
				b.WriteString(`\x{` + strconv.FormatInt(int64(r), 16) + `}`)
				i += n
			case e == 'c':
				if i+1 >= len(src) || !isLetter(src[i+1]) {
					return "", false
				}
				i++
				b.WriteString(`\x{` + strconv.FormatInt(int64(src[i]%32), 16) + `}`)
			case e == 's' && class:
				b.WriteString(ecmaSpace)
			case e == 's':
				b.WriteString(`[` + ecmaSpace + `]`)
			case e == 'S' && !class: // inside a class, RE2's \S is the nearest there is
				b.WriteString(`[^` + ecmaSpace + `]`)
			default:
				b.WriteString(src[i-1 : i+1])
			}
		case class && c == ']':
			class = false
			b.WriteByte(c)
		case class && c == '[': // no POSIX classes in ECMA-262
			b.WriteString(`\[`)
		case class:
			b.WriteByte(c)
		case c == '[':
			switch {
			case strings.HasPrefix(src[i:], "[^]"):
				b.WriteString("[" + anyRune + "]")
				i += 2
			case strings.HasPrefix(src[i:], "[]"):
				b.WriteString("[^" + anyRune + "]")
				i++
			default:
				class = true
				b.WriteByte(c)
				if strings.HasPrefix(src[i:], "[^") {
					b.WriteByte('^')
					i++
				}
			}
		case c == '.' && !flags:
			b.WriteString(ecmaDot)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// unicodeEscape reads what follows \u: four digits, a surrogate pair, or digits in braces. It returns the number of
// bytes read, 0 for none of these.
func unicodeEscape(s string) (rune, int) {
	if strings.HasPrefix(s, "{") {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return 0, 0
		}
		r, err := strconv.ParseUint(s[1:end], 16, 32)
		if err != nil || r > 0x10ffff {
			return 0, 0
		}
		return rune(r), end + 1
	}
	r, ok := fourHex(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(s) < 6 || s[4:6] != `\u` {
		return 0, 0
	}
	low, ok := fourHex(s[6:])
	if pair := utf16.DecodeRune(r, low); ok && pair != '\uFFFD' {
		return pair, 10
	}
	return 0, 0
}

func fourHex(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	r, err := strconv.ParseUint(s[:4], 16, 32)
	return rune(r), err == nil
}

// hasInlineFlags reports a group such as (?i), which ECMA-262 does not have but servers written in other languages use.
func hasInlineFlags(src string) bool {
	for rest := src; ; {
		_, after, found := strings.Cut(rest, "(?")
		if !found {
			return false
		}
		if after != "" && (isLetter(after[0]) && after[0] != 'P' || after[0] == '-') {
			return true
		}
		rest = after
	}
}

// foldable reports whether ignoring case is cheap for the pattern. Package syntax folds a class rune by rune, so a few
// bytes that spell a class of a hundred thousand runes take milliseconds.
func foldable(src string) bool {
	for i := range len(src) {
		if src[i] >= 0x80 {
			return false
		}
		if src[i] == '\\' && i+1 < len(src) && strings.IndexByte("xupPc", src[i+1]) >= 0 {
			return false
		}
	}
	return true
}
