package mcpgroup

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// canonicalJSON returns data in the one form that all JSON texts of equal meaning share (RFC 8785), except that numbers
// keep all their digits: RFC 8785 rounds them to a float64, to which 2^53 and 2^53+1 are the same.
//
// It refuses what readers could take for different things: members of one name, strings that are not Unicode (RFC 7493
// section 2), and exponents of more than 18 digits.
func canonicalJSON(data []byte) ([]byte, error) {
	v, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	return v.appendTo(nil), nil
}

// jsonValue is a parsed JSON value: an object, an array, or the canonical text of anything else.
type jsonValue struct {
	kind    byte         // '{', '[' or 0
	members []jsonMember // of an object, in canonical order
	items   []jsonValue  // of an array
	text    string
}

type jsonMember struct {
	name  string
	units []uint16 // of name, in UTF-16
	value jsonValue
}

func (v jsonValue) appendTo(b []byte) []byte {
	switch v.kind {
	case '{':
		b = append(b, '{')
		for i, m := range v.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, m.name), ':')
			b = m.value.appendTo(b)
		}
		return append(b, '}')
	case '[':
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendTo(b)
		}
		return append(b, ']')
	}
	return append(b, v.text...)
}

// parseJSON parses a text of one value. Its depth is bounded by [json.Valid].
func parseJSON(data []byte) (jsonValue, error) {
	switch {
	case !utf8.Valid(data):
		return jsonValue{}, errors.New("the JSON text is not valid UTF-8")
	case !json.Valid(data):
		return jsonValue{}, errors.New("the text is not valid JSON")
	}
	p := jsonParser{s: string(data)}
	return p.value()
}

// jsonParser walks through a text that is known to be valid JSON, so that only meaning is left to check.
type jsonParser struct{ s string }

// next skips white space and returns the byte that follows it.
func (p *jsonParser) next() byte {
	p.s = strings.TrimLeft(p.s, " \t\r\n")
	return p.s[0]
}

// skip takes the byte c if it is the next one.
func (p *jsonParser) skip(c byte) bool {
	if p.next() != c {
		return false
	}
	p.s = p.s[1:]
	return true
}

func (p *jsonParser) value() (v jsonValue, err error) {
	switch c := p.next(); c {
	case '{':
		return p.object()
	case '[':
		v.kind = c
		p.skip('[')
		for !p.skip(']') {
			item, err := p.value()
			if err != nil {
				return v, err
			}
			v.items = append(v.items, item)
			p.skip(',')
		}
	case '"':
		s, err := p.text()
		if err != nil {
			return v, err
		}
		v.text = string(appendString(nil, s))
	default:
		n := strings.IndexAny(p.s, " \t\r\n,]}")
		if n < 0 {
			n = len(p.s)
		}
		v.text, p.s = p.s[:n], p.s[n:]
		if c == '-' || '0' <= c && c <= '9' {
			v.text, err = canonicalNumber(v.text)
		}
	}
	return v, err
}

func (p *jsonParser) object() (v jsonValue, err error) {
	v.kind = '{'
	p.skip('{')
	for !p.skip('}') {
		p.next()
		var m jsonMember
		if m.name, err = p.text(); err != nil {
			return v, err
		}
		m.units = utf16.Encode([]rune(m.name))
		p.skip(':')
		if m.value, err = p.value(); err != nil {
			return v, err
		}
		v.members = append(v.members, m)
		p.skip(',')
	}
	slices.SortFunc(v.members, func(a, b jsonMember) int { return slices.Compare(a.units, b.units) })
	for i, m := range v.members {
		if i > 0 && v.members[i-1].name == m.name {
			return v, fmt.Errorf("an object has two members %+.80q", m.name)
		}
	}
	return v, nil
}

// text takes a string and returns what it means.
func (p *jsonParser) text() (string, error) {
	s := p.s[1:]
	plain := strings.IndexAny(s, `"\`)
	if s[plain] == '"' {
		p.s = s[plain+1:]
		return s[:plain], nil
	}
	var b strings.Builder
	for {
		i := strings.IndexAny(s, `"\`)
		b.WriteString(s[:i])
		if s[i] == '"' {
			p.s = s[i+1:]
			return b.String(), nil
		}
		escape := s[i+1]
		s = s[i+2:]
		if escape != 'u' {
			b.WriteByte(unescaped[escape])
			continue
		}
		r := hex4(s)
		s = s[4:]
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if strings.HasPrefix(s, `\u`) {
				low = hex4(s[2:])
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return "", errors.New("a string has half of a surrogate pair")
			}
			s = s[6:]
		}
		b.WriteRune(r)
	}
}

var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func hex4(s string) rune {
	n, err := strconv.ParseUint(s[:4], 16, 16)
	if err != nil {
		panic("mcpgroup: valid JSON has an invalid escape") // parseJSON has checked
	}
	return rune(n)
}

// appendString writes a string with the escapes of RFC 8785 section 3.2.2.2.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		default:
			if i := strings.IndexByte("\b\t\n\f\r", c); i >= 0 {
				b = append(b, '\\', "btnfr"[i])
				continue
			}
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(b, '"')
}

// canonicalNumber writes a number in the form of RFC 8785 section 3.2.2.3 (ECMA-262 section 6.1.6.1.20), with all the
// digits that it has.
func canonicalNumber(s string) (string, error) {
	s, negative := strings.CutPrefix(s, "-")
	mantissa, exponent := s, ""
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, exponent = s[:i], s[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "0", nil
	}
	point := len(digits) - len(fraction) // the number is 0.digits times ten to the power of point
	digits = strings.TrimRight(digits, "0")
	if exponent != "" {
		sign := strings.TrimRight(exponent, "0123456789")
		size := strings.TrimLeft(exponent[len(sign):], "0")
		if len(size) > 18 {
			return "", errors.New("a number has an exponent of more than 18 digits")
		}
		e, err := strconv.ParseInt(sign+"0"+size, 10, 64)
		if err != nil {
			return "", errors.New("a number has a bad exponent")
		}
		point += int(e)
	}
	if negative {
		return "-" + decimal(digits, point), nil
	}
	return decimal(digits, point), nil
}

func decimal(digits string, point int) string {
	n := len(digits)
	switch {
	case n <= point && point <= 21:
		return digits + strings.Repeat("0", point-n)
	case 0 < point && point <= 21:
		return digits[:point] + "." + digits[point:]
	case -6 < point && point <= 0:
		return "0." + strings.Repeat("0", -point) + digits
	}
	if n > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	return fmt.Sprintf("%se%+d", digits, point-1)
}
