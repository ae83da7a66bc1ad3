package mcphttp

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// kind is what a JSON-RPC message is.
type kind uint8

const (
	invalid      kind = iota // nothing the SDK can decode
	request                  // has a method and an id
	notification             // has a method only
	result                   // a response that succeeded
	failure                  // a response that holds an error
)

// message is the envelope of a JSON-RPC 2.0 message. The slices are raw JSON within the text it was parsed from.
type message struct {
	kind   kind
	id     []byte // nil unless a string or a number
	method []byte
	error  []byte
}

// parse reads the envelope of b. It is no laxer than the SDK's decoder: what is not invalid here does not end a session
// there. One pass, no allocation: every answer goes through it.
func parse(b []byte) message {
	var m message
	version, response := false, true
	s := scanner{text: b}
	s.space()
	if s.next() != '{' {
		return m
	}
	ok := s.object(func(name, value []byte) {
		switch key(name) {
		case "jsonrpc":
			version = string(unescape(value)) == `"2.0"`
		case "id":
			m.id = value
		case "method":
			m.method, response = value, false
		case "error":
			m.error = value
		}
	})
	s.space()
	if !ok || !version || s.at != len(b) {
		return message{}
	}
	if !isID(&m.id) || m.error != nil && !isError(&m.error) {
		return message{}
	}
	switch {
	case !response:
		if m.method[0] != '"' && string(m.method) != "null" {
			return message{}
		}
		m.kind = notification
		if m.id != nil {
			m.kind = request
		}
	case m.id == nil:
		return message{} // answers nothing
	case m.error != nil:
		m.kind = failure
	default:
		m.kind = result
	}
	return m
}

// isID reports whether id is of an allowed type, and makes null and absent the same.
func isID(id *[]byte) bool {
	switch b := *id; {
	case b == nil:
		return true
	case string(b) == "null":
		*id = nil
		return true
	case b[0] == '"':
		return true
	case b[0] == '-' || isDigit(b[0]):
		_, err := strconv.ParseFloat(string(b), 64)
		return err == nil
	}
	return false
}

// isError reports whether e has the members of an error object in their types, and makes null and absent the same.
func isError(e *[]byte) bool {
	if string(*e) == "null" {
		*e = nil
		return true
	}
	_, _, ok := rpcError(*e)
	return ok
}

// rpcError returns the members of an error object.
func rpcError(e []byte) (code int64, message string, ok bool) {
	s := scanner{text: e}
	if s.next() != '{' {
		return 0, "", false
	}
	typed := true
	s.object(func(name, value []byte) {
		null := string(value) == "null"
		switch key(name) {
		case "code":
			if !null {
				var err error
				code, err = strconv.ParseInt(string(value), 10, 64)
				typed = typed && err == nil
			}
		case "message":
			if !null {
				typed = typed && json.Unmarshal(value, &message) == nil
			}
		}
	})
	return code, message, typed
}

// key returns the name of a member without its quotes. A name with escapes is decoded, as the SDK does.
func key(quoted []byte) string {
	b := unescape(quoted)
	return string(b[1 : len(b)-1])
}

// unescape returns a string's JSON with the escapes resolved, and everything else as it is.
func unescape(value []byte) []byte {
	if value[0] != '"' || bytes.IndexByte(value, '\\') < 0 {
		return value
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return value
	}
	return []byte(`"` + s + `"`)
}

// maxDepth is how deep the SDK lets JSON be nested.
const maxDepth = 1000

// scanner walks over JSON text (RFC 8259) and checks it on the way.
type scanner struct {
	text  []byte
	at    int
	depth int
}

// next returns the byte at hand, or 0 at the end.
func (s *scanner) next() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// value steps over one value.
func (s *scanner) value() bool {
	switch c := s.next(); {
	case c == '{':
		return s.object(nil)
	case c == '[':
		return s.array()
	case c == '"':
		return s.string()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

// object steps over the object that begins here and tells each, unless nil, of its members.
func (s *scanner) object(each func(name, value []byte)) bool {
	if s.depth++; s.depth > maxDepth {
		return false
	}
	s.at++
	s.space()
	if s.next() == '}' {
		s.at++
		s.depth--
		return true
	}
	for {
		start := s.at
		if s.next() != '"' || !s.string() {
			return false
		}
		name := s.text[start:s.at]
		s.space()
		if s.next() != ':' {
			return false
		}
		s.at++
		s.space()
		start = s.at
		if !s.value() {
			return false
		}
		if each != nil {
			each(name, s.text[start:s.at])
		}
		s.space()
		switch s.next() {
		case ',':
			s.at++
			s.space()
		case '}':
			s.at++
			s.depth--
			return true
		default:
			return false
		}
	}
}

func (s *scanner) array() bool {
	if s.depth++; s.depth > maxDepth {
		return false
	}
	s.at++
	s.space()
	if s.next() == ']' {
		s.at++
		s.depth--
		return true
	}
	for {
		if !s.value() {
			return false
		}
		s.space()
		switch s.next() {
		case ',':
			s.at++
			s.space()
		case ']':
			s.at++
			s.depth--
			return true
		default:
			return false
		}
	}
}

func (s *scanner) string() bool {
	text := s.text
	for i := s.at + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			s.at = i + 1
			return true
		case c < ' ':
			return false
		case c == '\\':
			i++
			if i == len(text) {
				return false
			}
			switch text[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; i == len(text) || !isHex(text[i]) {
						return false
					}
				}
			default:
				return false
			}
		}
	}
	return false
}

func (s *scanner) word(w string) bool {
	if !bytes.HasPrefix(s.text[s.at:], []byte(w)) {
		return false
	}
	s.at += len(w)
	return true
}

func (s *scanner) number() bool {
	if s.next() == '-' {
		s.at++
	}
	if s.next() == '0' {
		s.at++
	} else if !s.digits() {
		return false
	}
	if s.next() == '.' {
		s.at++
		if !s.digits() {
			return false
		}
	}
	if c := s.next(); c == 'e' || c == 'E' {
		s.at++
		if c := s.next(); c == '+' || c == '-' {
			s.at++
		}
		return s.digits()
	}
	return true
}

// digits steps over one or more digits.
func (s *scanner) digits() bool {
	start := s.at
	for isDigit(s.next()) {
		s.at++
	}
	return s.at > start
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }
