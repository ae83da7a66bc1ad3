package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// A template is a path with holes for parameters.
type template []piece

// A piece is either text, already escaped, or a parameter.
type piece struct {
	text  string
	name  string
	param *parameter // set with name, once known
}

func newTemplate(path string, params []*parameter) (template, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, errors.New("its path does not begin with a slash")
	}
	// A fragment never reaches a server; some documents use one to tell operations of one path apart.
	path, _, _ = strings.Cut(path, "#")
	var t template
	for rest := path; rest != ""; {
		text, after, ok := strings.Cut(rest, "{")
		if text != "" {
			t = append(t, piece{text: escapeLiteral(text)})
		}
		if !ok {
			break
		}
		if strings.Contains(path[:len(path)-len(rest)]+text, "?") {
			return nil, errors.New("its path has a parameter after a question mark; declare it as a query parameter")
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed || name == "" || strings.ContainsAny(name, "{/") {
			return nil, errors.New("the braces of its path do not match")
		}
		hole := piece{name: name}
		for _, p := range params {
			if p.in == "path" && p.name == name {
				hole.param = p
			}
		}
		t = append(t, hole)
		rest = tail
	}
	return t, nil
}

func (t template) has(name string) bool {
	for _, p := range t {
		if p.name == name {
			return true
		}
	}
	return false
}

// expand writes the path, and what of the template was a query. Every parameter stays within the segment that holds it: a
// value cannot add a segment, and none that would name the segment above is let through, because servers and proxies
// resolve those whether they are escaped or not.
func (t template) expand(write func(*parameter) (string, error)) (path, query string, err error) {
	var all, segment strings.Builder
	mixed := false // whether segment holds a parameter
	end := func() error {
		s := segment.String()
		segment.Reset()
		all.WriteString(s)
		if mixed && climbs(s) {
			return errors.New("the arguments make the path another one: a path argument cannot be \".\" or \"..\", have one of them between slashes, or be slashes alone")
		}
		mixed = false
		return nil
	}
	for _, p := range t {
		if p.param == nil {
			text, q, isQuery := strings.Cut(p.text, "?")
			for i, part := range strings.Split(text, "/") {
				if i > 0 {
					if err := end(); err != nil {
						return "", "", err
					}
					all.WriteByte('/')
				}
				segment.WriteString(part)
			}
			if isQuery {
				if err := end(); err != nil {
					return "", "", err
				}
				return all.String(), q, nil
			}
			continue
		}
		s, err := write(p.param)
		if err != nil {
			return "", "", err
		}
		mixed = true
		segment.WriteString(s)
	}
	if err := end(); err != nil {
		return "", "", err
	}
	return all.String(), "", nil
}

// climbs reports whether an escaped segment names "." or ".." in the eyes of a server that unescapes slashes, unescapes
// twice, takes backslashes for slashes or cuts segments at semicolons, as some do.
func climbs(escaped string) bool {
	s, err := url.PathUnescape(escaped)
	if err != nil {
		return true
	}
	if again, err := url.PathUnescape(s); err == nil {
		s = again
	}
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '/' || r == '\\' })
	for _, part := range parts {
		part, _, _ = strings.Cut(part, ";")
		if part == "." || part == ".." {
			return true
		}
	}
	return len(parts) == 0 // slashes only: no segment at all
}

// writePath is what an argument becomes within a segment.
func (p *parameter) writePath(v any) (string, error) {
	if p.contentType != "" {
		s, err := p.content(v)
		if err != nil {
			return "", err
		}
		return pathValue(escape(s), p.arg)
	}
	var s string
	var err error
	switch p.serial.style {
	case "label":
		s, err = p.serial.label(v)
	case "matrix":
		s, err = p.serial.matrix(v)
	default:
		s, err = p.serial.simple(v)
	}
	if err != nil {
		return "", fmt.Errorf("argument %q: %w", p.arg, err)
	}
	return pathValue(s, p.arg)
}

func pathValue(escaped, arg string) (string, error) {
	if escaped == "" {
		return "", fmt.Errorf("argument %q is empty, which would make the path another one", arg)
	}
	if strings.Contains(escaped, "%00") {
		return "", fmt.Errorf("argument %q contains a NUL", arg)
	}
	return escaped, nil
}
