package openapi

import (
	"fmt"
	"strings"
)

// A serialization writes a value as the style table of the OpenAPI Specification 3.1.2 (section "Style Examples") shows it.
// Where that table says n/a, or leaves a case to RFC 6570, this is what is done:
//
//   - null is undefined: the parameter, array item or object property is left out
//   - an array or object within an array or object is written as JSON; deepObject nests further instead
//   - spaceDelimited and pipeDelimited with explode, and deepObject for arrays, write what form with explode does
//   - spaceDelimited and pipeDelimited refuse values that hold the delimiter, for its escaped form is the delimiter
type serialization struct {
	name          string
	style         string
	explode       bool
	allowReserved bool
	allowEmpty    bool
}

// list flattens an array or object to what stands between delimiters. It returns nil for a primitive.
func (s serialization) list(v any, esc func(string) string, assign string) []string {
	switch v := v.(type) {
	case []any:
		out := make([]string, len(v))
		for i, x := range v {
			out[i] = esc(text(x))
		}
		return out
	case object:
		out := make([]string, 0, 2*len(v))
		for _, m := range v {
			if s.explode {
				out = append(out, esc(m.key)+assign+esc(text(m.value)))
			} else {
				out = append(out, esc(m.key), esc(text(m.value)))
			}
		}
		return out
	}
	return nil
}

func isPrimitive(v any) bool {
	switch v.(type) {
	case []any, object:
		return false
	}
	return true
}

func (s serialization) simple(v any) (string, error) {
	v = present(v)
	if isPrimitive(v) {
		return escape(text(v)), nil
	}
	return strings.Join(s.list(v, escape, "="), ","), nil
}

func (s serialization) label(v any) (string, error) {
	v = present(v)
	if isPrimitive(v) {
		return "." + escape(text(v)), nil
	}
	if s.explode {
		return "." + strings.Join(s.list(v, escapeDots, "="), "."), nil
	}
	return "." + strings.Join(s.list(v, escape, "="), ","), nil
}

func (s serialization) matrix(v any) (string, error) {
	v = present(v)
	name := ";" + escape(s.name)
	assign := func(name, value string) string { // RFC 6570 section 3.2.7: no equals sign before nothing
		if value == "" {
			return name
		}
		return name + "=" + value
	}
	if isPrimitive(v) {
		return assign(name, escape(text(v))), nil
	}
	if !s.explode {
		return assign(name, strings.Join(s.list(v, escape, ""), ",")), nil
	}
	var b strings.Builder
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			b.WriteString(assign(name, escape(text(x))))
		}
	case object:
		for _, m := range v {
			b.WriteString(assign(";"+escape(m.key), escape(text(m.value))))
		}
	}
	if b.Len() == 0 {
		return name, nil
	}
	return b.String(), nil
}

// header writes the simple style without percent-encoding, which headers do not have (OpenAPI 3.1.2, appendix D).
func (s serialization) header(v any) (string, error) {
	v = present(v)
	out := text(v)
	if !isPrimitive(v) {
		delims := ","
		if _, ok := v.(object); ok && s.explode {
			delims = ",="
		}
		raw := func(s string) string { return s }
		if err := without(v, delims); err != nil {
			return "", err
		}
		out = strings.Join(s.list(v, raw, "="), ",")
	}
	for i := range len(out) {
		if c := out[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", fmt.Errorf("a header cannot hold the character %q", c)
		}
	}
	return out, nil
}

// without refuses values that hold a delimiter that cannot be escaped.
func without(v any, delims string) error {
	check := func(s string) error {
		if i := strings.IndexAny(s, delims); i >= 0 {
			return fmt.Errorf("%q contains %q, which separates its values", bound(s, 50), s[i])
		}
		return nil
	}
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if err := check(text(x)); err != nil {
				return err
			}
		}
	case object:
		for _, m := range v {
			if err := check(m.key); err != nil {
				return err
			}
			if err := check(text(m.value)); err != nil {
				return err
			}
		}
	}
	return nil
}

// A pair is one name and value of a query, a form or a cookie, escaped.
type pair struct{ name, value string }

// A coder escapes what pairs are made of.
type coder struct {
	name, value         func(string) string
	comma, space, pipe  string // delimiters
	escapedCommaInLists bool   // escape a comma that value would leave
}

var (
	queryCoder    = coder{name: escape, value: escape, comma: ",", space: "%20", pipe: "%7C"}
	reservedCoder = coder{name: escape, value: escapeReserved, comma: ",", space: "%20", pipe: "%7C", escapedCommaInLists: true}
	// partCoder writes parts of a multipart form, which are not percent-encoded.
	partCoder = coder{name: verbatim, value: verbatim, comma: ",", space: " ", pipe: "|"}
)

func verbatim(s string) string { return s }

func (s serialization) coder() coder {
	if s.allowReserved {
		return reservedCoder
	}
	return queryCoder
}

// pairs writes the styles of queries.
func (s serialization) pairs(v any, c coder) ([]pair, error) {
	v = present(v)
	name := c.name(s.name)
	if v == nil {
		if s.allowEmpty {
			return []pair{{name, ""}}, nil
		}
		return nil, nil
	}
	if isPrimitive(v) {
		return []pair{{name, c.value(text(v))}}, nil
	}
	if s.style == "deepObject" {
		var out []pair
		deep(s.name, v, c, &out)
		return out, nil
	}
	if s.explode {
		var out []pair
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				out = append(out, pair{name, c.value(text(x))})
			}
		case object:
			for _, m := range v {
				out = append(out, pair{c.name(m.key), c.value(text(m.value))})
			}
		}
		return out, nil
	}
	delim, forbidden := c.comma, ""
	switch s.style {
	case "spaceDelimited":
		delim, forbidden = c.space, " "
	case "pipeDelimited":
		delim, forbidden = c.pipe, "|"
	}
	if c.value("|") == "|" && forbidden == "" { // nothing is escaped
		forbidden = c.comma
	}
	if err := without(v, forbidden); err != nil {
		return nil, err
	}
	value := c.value
	if c.escapedCommaInLists {
		value = func(s string) string { return strings.ReplaceAll(c.value(s), ",", "%2C") }
	}
	items := s.list(v, value, "")
	if len(items) == 0 && !s.allowEmpty {
		return nil, nil // RFC 6570 section 2.3: an empty list is undefined
	}
	return []pair{{name, strings.Join(items, delim)}}, nil
}

// deep writes name[key]=value for each leaf. Items of an array share their name.
func deep(name string, v any, c coder, out *[]pair) {
	switch v := present(v).(type) {
	case []any:
		for _, x := range v {
			deep(name, x, c, out)
		}
	case object:
		for _, m := range v {
			deep(name+"["+m.key+"]", m.value, c, out)
		}
	default:
		*out = append(*out, pair{c.name(name), c.value(text(v))})
	}
}

func joinPairs(pairs []pair, separator string) string {
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}
