package tokens

import (
	"fmt"
	"strings"
)

// A path is a place in a schema.
type path []string

func (p path) with(part string) path { return append(p[:len(p):len(p)], part) }

func (p path) last() string {
	if len(p) == 0 {
		return ""
	}
	return p[len(p)-1]
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// String returns the path as a JSON Pointer, with a word before it.
func (p path) String() string {
	if len(p) == 0 {
		return "at the top"
	}
	var b strings.Builder
	b.WriteString("at ")
	for _, part := range p {
		b.WriteByte('/')
		_, _ = escape.WriteString(&b, part)
	}
	return b.String()
}

// losses are what a shrinker left out.
type losses struct {
	kinds  []loss
	values []string // sentences about enums
}

type loss struct {
	what   string
	places []path
}

func (l *losses) add(what string, at path) {
	for i := range l.kinds {
		if l.kinds[i].what == what {
			l.kinds[i].places = append(l.kinds[i].places, at)
			return
		}
	}
	l.kinds = append(l.kinds, loss{what, []path{at}})
}

// named is how many places a sentence names.
const named = 4

// sentences returns the values of enums one by one, for they matter, and all else by kind.
func (l *losses) sentences() []string {
	out := l.values
	for _, k := range l.kinds {
		var b strings.Builder
		b.WriteString(k.what)
		for i, p := range k.places[:min(named, len(k.places))] {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteByte(' ')
			b.WriteString(p.String())
		}
		if more := len(k.places) - named; more > 0 {
			fmt.Fprintf(&b, " and %d more", more)
		}
		out = append(out, b.String())
	}
	return out
}
