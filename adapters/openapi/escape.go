package openapi

import "strings"

// Percent-encoding as RFC 3986 has it, and as RFC 6570 uses it.

const (
	hexDigits = "0123456789ABCDEF"

	reservedChars = ":/?#[]@!$&'()*+,;=" // RFC 3986 section 2.2
	// literalChars may stand in a path or a query next to letters, digits and triples.
	literalChars = ":/?@!$&'()*+,;=-._~"
)

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isUnreserved(c byte) bool {
	return isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~'
}

func isTriple(s string) bool {
	return len(s) >= 3 && s[0] == '%' && isHex(s[1]) && isHex(s[2])
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// escapeBytes keeps the bytes that keep says and, if triples is set, whole percent-encoded ones.
func escapeBytes(s string, triples bool, keep func(byte) bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case triples && isTriple(s[i:]):
			b.WriteString(s[i : i+3])
			i += 2
		case keep(c):
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// escape keeps unreserved characters only.
func escape(s string) string { return escapeBytes(s, false, isUnreserved) }

// escapeReserved is the reserved expansion of RFC 6570 section 3.2.3, for queries: reserved characters and triples stay,
// except those that no query may hold or that would end the value (OpenAPI 3.1.2, Parameter Object, allowReserved).
func escapeReserved(s string) string {
	return escapeBytes(s, true, func(c byte) bool {
		return isUnreserved(c) || strings.IndexByte(reservedChars, c) >= 0 && strings.IndexByte("[]#&+", c) < 0
	})
}

// escapeLiteral makes the text of a path template fit for a URL without changing what is already escaped.
func escapeLiteral(s string) string {
	return escapeBytes(s, true, func(c byte) bool { return isAlnum(c) || strings.IndexByte(literalChars, c) >= 0 })
}

// escapeDots hides the dots too, where they separate values.
func escapeDots(s string) string { return strings.ReplaceAll(escape(s), ".", "%2E") }

// escapeForm is application/x-www-form-urlencoded (RFC 1866 section 8.2.1), with a plus for a space.
func escapeForm(s string) string {
	return strings.ReplaceAll(escapeBytes(s, false, func(c byte) bool { return isAlnum(c) || strings.IndexByte("-._ ", c) >= 0 }), " ", "+")
}
