package stdio

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes foreign output fit for one line of an error text or log: escape sequences are removed, line breaks become
// " | ", and what is invisible or not text is escaped, so that it can neither move a terminal's cursor nor forge a line.
func clean(text []byte) string {
	var b strings.Builder
	b.Grow(len(text))
	lineBreak := false
	for len(text) > 0 {
		if n := escapeSequence(text); n > 0 {
			text = text[n:]
			continue
		}
		r, size := utf8.DecodeRune(text)
		raw := text[:size]
		text = text[size:]
		if r == '\n' || r == '\r' {
			lineBreak = true
			continue
		}
		if lineBreak && b.Len() > 0 {
			b.WriteString(" | ")
		}
		lineBreak = false
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case r == utf8.RuneError && size == 1:
			writeEscaped(&b, 'x', 2, rune(raw[0]))
		case unicode.IsGraphic(r) && r != '\u2028' && r != '\u2029':
			b.Write(raw)
		case r <= 0xff:
			writeEscaped(&b, 'x', 2, r)
		case r <= 0xffff:
			writeEscaped(&b, 'u', 4, r)
		default:
			writeEscaped(&b, 'U', 8, r)
		}
	}
	return strings.TrimSpace(b.String())
}

func writeEscaped(b *strings.Builder, kind byte, digits int, r rune) {
	b.WriteByte('\\')
	b.WriteByte(kind)
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b.WriteByte("0123456789abcdef"[r>>shift&0xf])
	}
}

// escapeSequence returns the length of the terminal control sequence at the start of text (ECMA-48 section 5), or 0. A
// sequence that is cut off reaches to the end.
func escapeSequence(text []byte) int {
	if text[0] != 0x1b {
		return 0
	}
	if len(text) == 1 {
		return 1
	}
	switch c := text[1]; {
	case c == '[': // control sequence: parameters, intermediates, a final byte
		for i := 2; i < len(text); i++ {
			if text[i] >= 0x40 && text[i] <= 0x7e {
				return i + 1
			}
			if text[i] < 0x20 || text[i] > 0x7e {
				return i // not a sequence after all; what breaks it is judged by itself
			}
		}
		return len(text)
	case strings.IndexByte("]P^_X", c) >= 0: // a control string, up to BEL, ESC \ or, for want of them, the line's end
		for i := 2; i < len(text); i++ {
			switch {
			case text[i] == 0x07:
				return i + 1
			case text[i] == 0x1b && i+1 < len(text) && text[i+1] == '\\':
				return i + 2
			case text[i] == '\n':
				return i
			}
		}
		return len(text)
	default: // intermediates and a final byte
		i := 1
		for i < len(text) && text[i] >= 0x20 && text[i] <= 0x2f {
			i++
		}
		if i < len(text) && text[i] >= 0x30 && text[i] <= 0x7e {
			i++
		}
		return i
	}
}
