package tokens

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Function returns what a provider is sent for a tool, and what its cost is counted of: compact JSON in OpenAI's form,
//
//	{"type":"function","function":{"name":"...","description":"...","parameters":{...}}}
//
// with the keys of schema sorted and nothing escaped for HTML. An empty description and a nil schema are left out. It fails
// if schema holds what JSON does not know, such as a channel, a NaN or itself.
func Function(name, description string, schema map[string]any) (string, error) {
	b, err := AppendFunction(nil, name, description, schema)
	return string(b), err
}

// AppendFunction appends [Function] to b. After an error it returns b as it was.
func AppendFunction(b []byte, name, description string, schema map[string]any) ([]byte, error) {
	e := encoder{buf: b}
	e.buf = append(e.buf, `{"type":"function","function":{"name":`...)
	e.buf = appendString(e.buf, name)
	if description != "" {
		e.buf = append(e.buf, `,"description":`...)
		e.buf = appendString(e.buf, description)
	}
	if schema != nil {
		e.buf = append(e.buf, `,"parameters":`...)
		e.value(schema, 0)
	}
	if e.err != nil {
		return b, fmt.Errorf("tokens: writing the schema of %q as JSON: %w", name, e.err)
	}
	return append(e.buf, "}}"...), nil
}

// An encoder writes what [json.Encoder] writes without HTML escapes, several times as fast for schemas.
type encoder struct {
	buf []byte
	err error
}

// maxDepth is how deep objects and lists may be nested, which is what encoding/json reads. What holds itself is deeper.
const maxDepth = 10_000

var errDepth = fmt.Errorf("it is nested deeper than %d levels, or holds itself", maxDepth)

func (e *encoder) value(v any, depth int) {
	if e.err != nil {
		return
	}
	switch v := v.(type) {
	case nil:
		e.buf = append(e.buf, "null"...)
	case string:
		e.buf = appendString(e.buf, v)
	case bool:
		e.buf = strconv.AppendBool(e.buf, v)
	case float64:
		// The range in which encoding/json writes no exponent, as ECMAScript does. No NaN is in it.
		if a := math.Abs(v); v == 0 || a >= 1e-6 && a < 1e21 {
			e.buf = strconv.AppendFloat(e.buf, v, 'f', -1, 64)
		} else {
			e.other(v)
		}
	case int:
		e.buf = strconv.AppendInt(e.buf, int64(v), 10)
	case map[string]any:
		switch {
		case v == nil:
			e.other(v)
		case depth == maxDepth:
			e.err = errDepth
		default:
			e.object(v, depth)
		}
	case []any:
		switch {
		case v == nil:
			e.other(v)
		case depth == maxDepth:
			e.err = errDepth
		default:
			e.list(v, depth)
		}
	default:
		e.other(v)
	}
}

func (e *encoder) object(m map[string]any, depth int) {
	var room [24]string // enough for most objects of a schema, on the stack
	keys := room[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	e.buf = append(e.buf, '{')
	for i, k := range keys {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.buf = appendString(e.buf, k)
		e.buf = append(e.buf, ':')
		e.value(m[k], depth+1)
	}
	e.buf = append(e.buf, '}')
}

func (e *encoder) list(l []any, depth int) {
	e.buf = append(e.buf, '[')
	for i, elem := range l {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.value(elem, depth+1)
	}
	e.buf = append(e.buf, ']')
}

func (e *encoder) other(v any) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if e.err = enc.Encode(v); e.err == nil {
		e.buf = append(e.buf, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
	}
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\b':
				b = append(b, `\b`...)
			case '\f':
				b = append(b, `\f`...)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xF])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[start:i]...), `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029': // JSON knows them, JavaScript did not
			b = append(append(b, s[start:i]...), `\u202`...)
			b = append(b, hexDigits[r&0xF])
			start = i + size
		}
		i += size
	}
	return append(append(b, s[start:]...), '"')
}
