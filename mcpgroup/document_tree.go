package mcpgroup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// A node is one value of a JSON document, which knows where it stands. encoding/json would stop at the first value of a
// wrong type, take the last of two members with one name and know nothing of paths.
type node struct {
	parent *node
	name   string // of a member
	index  int    // of an item, or -1
	value  any    // nil, bool, json.Number, string, []*node or *object
	reader *documentReader
}

type object struct {
	names   []string // in the order of the document
	members map[string]*node
}

// documentReader collects what is wrong with a document.
type documentReader struct {
	problems []DocumentProblem
}

// maxProblems bounds the problems that are told of one document, and its warnings: a document may hold a million.
const maxProblems = 100

func (r *documentReader) report(path, format string, args ...any) {
	if len(r.problems) >= maxProblems {
		return
	}
	if len(r.problems) == maxProblems-1 {
		path, format, args = "", "there are more problems", nil
	}
	r.problems = append(r.problems, DocumentProblem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// maxDocumentDepth bounds the nesting of a document. Configurations are a handful of levels deep.
const maxDocumentDepth = 64

// parseDocument reads a JSON text. It returns nil if the text is no JSON, which is then the one problem.
func (r *documentReader) parse(text []byte) *node {
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	dec.UseNumber()
	fail := func(err error) *node {
		line := 1 + bytes.Count(text[:min(int(dec.InputOffset()), len(text))], []byte("\n"))
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the text ends too early")
		}
		r.report("", "not JSON: line %d: %v", line, err)
		return nil
	}
	root, err := r.node(dec, &node{index: -1}, 0)
	if err != nil {
		return fail(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fail(errors.New("there is more after the end of the document"))
	}
	return root
}

// node reads the value of n.
func (r *documentReader) node(dec *json.Decoder, n *node, depth int) (*node, error) {
	if depth > maxDocumentDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxDocumentDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	n.value, n.reader = t, r
	switch t {
	case json.Delim('['):
		list := []*node{}
		for dec.More() {
			item, err := r.node(dec, &node{parent: n, index: len(list)}, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		n.value = list
		_, err = dec.Token()
	case json.Delim('{'):
		o := &object{members: map[string]*node{}}
		for dec.More() {
			t, err := dec.Token()
			if err != nil {
				return nil, err
			}
			name := t.(string) //nolint:forcetypeassert // a member begins with its name
			member, err := r.node(dec, &node{parent: n, name: name, index: -1}, depth+1)
			if err != nil {
				return nil, err
			}
			if _, twice := o.members[name]; twice {
				r.report(member.path(), "is there twice; remove one")
				continue
			}
			o.names = append(o.names, name)
			o.members[name] = member
		}
		n.value = o
		_, err = dec.Token()
	}
	return n, err
}

// path returns where n stands, such as servers.github.args[2]. It is empty for the document as a whole.
func (n *node) path() string {
	switch {
	case n.parent == nil:
		return ""
	case n.index >= 0:
		return fmt.Sprintf("%s[%d]", n.parent.path(), n.index)
	}
	return join(n.parent.path(), n.name)
}

// join returns the path of a member: servers.github, or servers["a.b"] where the name is no plain word.
func join(path, name string) string {
	plain := name != "" && len(name) <= 128
	for i := range len(name) {
		c := name[i]
		plain = plain && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-')
	}
	switch {
	case !plain:
		return path + "[" + strconv.Quote(cleanText(name, 128)) + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

// kind names the type of a value as JSON does.
func (n *node) kind() string {
	switch n.value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []*node:
		return "an array"
	}
	return "an object"
}

func (n *node) wrong(want string) { n.reader.report(n.path(), "must be %s, is %s", want, n.kind()) }

// faulty reports whether something in n has been reported.
func (n *node) faulty() bool {
	path := n.path()
	for _, p := range n.reader.problems {
		if rest, ok := strings.CutPrefix(p.Path, path); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// Each of the following returns the value as the type that its name says, or reports that it is none.

func (n *node) text() string {
	s, ok := n.value.(string)
	if !ok {
		n.wrong("a string")
	}
	return s
}

func (n *node) boolean() bool {
	b, ok := n.value.(bool)
	if !ok {
		n.wrong("true or false")
	}
	return b
}

func (n *node) integer() int64 {
	number, ok := n.value.(json.Number)
	if !ok {
		n.wrong("a whole number")
		return 0
	}
	i, err := number.Int64()
	if err != nil {
		n.reader.report(n.path(), "must be a whole number below 2^63")
	}
	return i
}

// duration reads "1m30s", or a number of seconds.
func (n *node) duration() time.Duration {
	switch v := n.value.(type) {
	case string:
		d, err := time.ParseDuration(v)
		if err != nil {
			n.reader.report(n.path(), `must be a duration such as "30s" or "5m", or a number of seconds`)
		}
		return d
	case json.Number:
		seconds, err := v.Float64()
		if err != nil || math.Abs(seconds) > math.MaxInt64/float64(time.Second)/2 {
			n.reader.report(n.path(), "is too large a number of seconds")
			return 0
		}
		return time.Duration(seconds * float64(time.Second))
	}
	n.wrong(`a duration such as "30s", or a number of seconds`)
	return 0
}

func (n *node) texts() (list []string) {
	items, ok := n.value.([]*node)
	if !ok {
		n.wrong("an array of strings")
	}
	for _, item := range items {
		list = append(list, item.text())
	}
	return list
}

// textMap reads an object of strings.
func (n *node) textMap() map[string]string {
	o, ok := n.value.(*object)
	if !ok {
		n.wrong("an object of strings")
		return nil
	}
	m := make(map[string]string, len(o.names))
	for _, name := range o.names {
		m[name] = o.members[name].text()
	}
	return m
}

// fields hands each member of an object to the function of its name. A null is as good as no member at all. Members
// without a function are reported by unknown.
func (n *node) fields(known map[string]func(*node), unknown func(*node, string)) {
	o, ok := n.value.(*object)
	if !ok {
		n.wrong("an object")
		return
	}
	for _, name := range o.names {
		member := o.members[name]
		switch read := known[name]; {
		case read == nil:
			unknown(member, name)
		case member.value != nil:
			read(member)
		}
	}
}

// substitute replaces ${NAME} and ${NAME:-default} in every string of the document. A $ before ${ takes its meaning away.
// What is put in is not looked at again.
func (n *node) substitute(lookup func(string) (string, bool)) {
	switch v := n.value.(type) {
	case string:
		n.value = n.expand(v, lookup)
	case []*node:
		for _, item := range v {
			item.substitute(lookup)
		}
	case *object:
		for _, name := range v.names {
			v.members[name].substitute(lookup)
		}
	}
}

func (n *node) expand(s string, lookup func(string) (string, bool)) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		reference, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed {
			n.reader.report(n.path(), "${ without }; write $${ if none is meant")
			return b.String()
		}
		s = rest
		name, fallback, hasFallback := strings.Cut(reference, ":-")
		if !isVariable(name) {
			n.reader.report(n.path(), "what is between ${ and } is not the name of a variable; write $${ if none is meant")
			continue
		}
		value, set := lookup(name)
		switch {
		case hasFallback && value == "": // as in a shell: unset or empty
			value = fallback
		case !set && !hasFallback:
			n.reader.report(n.path(), "the environment variable %s is not set; set it, or give a default: ${%s:-...}", name, name)
		}
		b.WriteString(value)
	}
}

func isVariable(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return s != ""
}
