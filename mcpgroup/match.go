package mcpgroup

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// matcher chooses tools by original name. It is immutable. The zero value chooses all.
type matcher struct {
	exact   map[string]bool
	globs   []glob
	exclude bool // the entries name the tools to leave out
}

// newMatcher compiles include or exclude, whose entries are exact names or globs. An entry with one of *, ?, [ and \ in
// it is a glob. Its syntax is that of [path.Match], except that / is an ordinary character and that a class may be
// negated by ! as well as by ^. Case matters.
func newMatcher(include, exclude []string) (*matcher, error) {
	if len(include) > 0 && len(exclude) > 0 {
		return nil, errors.New("include and exclude cannot be used together")
	}
	list, entries := "include", include
	if len(exclude) > 0 {
		list, entries = "exclude", exclude
	}
	m := &matcher{exact: map[string]bool{}, exclude: len(exclude) > 0}
	seen := map[string]bool{}
	for i, e := range entries {
		if e == "" {
			return nil, fmt.Errorf("%s[%d] is empty", list, i)
		}
		if seen[e] {
			return nil, fmt.Errorf("%s[%d]: %q is listed twice", list, i, e)
		}
		seen[e] = true
		if !strings.ContainsAny(e, `*?[\`) {
			m.exact[e] = true
			continue
		}
		g, err := compileGlob(e)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: bad pattern %q: %w", list, i, e, err)
		}
		m.globs = append(m.globs, g)
	}
	return m, nil
}

// match reports whether the tool is chosen. With entries of either kind, a name too long to be shown is not.
func (m *matcher) match(name string) bool {
	if len(m.exact) == 0 && len(m.globs) == 0 {
		return true
	}
	if len(name) > maxOriginalLen {
		return false
	}
	listed := m.exact[name] || slices.ContainsFunc(m.globs, func(g glob) bool { return g.match(name) })
	return listed != m.exclude
}

// unknown returns the entries that are exact names and not among names, sorted.
func (m *matcher) unknown(names []string) []string {
	known := make(map[string]bool, len(names))
	for _, n := range names {
		known[n] = true
	}
	var missing []string
	for e := range m.exact {
		if !known[e] {
			missing = append(missing, e)
		}
	}
	slices.Sort(missing)
	return missing
}

// glob is a compiled pattern: terms that match one character each, and stars.
type glob []globTerm

type globTerm struct {
	star   bool
	negate bool
	ranges []runeRange // none and negated: any character
}

type runeRange struct{ lo, hi rune }

func compileGlob(pattern string) (glob, error) {
	var g glob
	for rest := pattern; rest != ""; {
		switch rest[0] {
		case '*':
			rest = rest[1:]
			g = append(g, globTerm{star: true})
		case '?':
			rest = rest[1:]
			g = append(g, globTerm{negate: true})
		case '[':
			term, after, err := compileClass(rest[1:])
			if err != nil {
				return nil, err
			}
			rest = after
			g = append(g, term)
		default:
			r, after, err := globRune(rest)
			if err != nil {
				return nil, err
			}
			rest = after
			g = append(g, globTerm{ranges: []runeRange{{r, r}}})
		}
	}
	return g, nil
}

// compileClass compiles what follows a [ and returns what follows its ].
func compileClass(s string) (term globTerm, rest string, err error) {
	if s != "" && (s[0] == '^' || s[0] == '!') {
		term.negate, s = true, s[1:]
	}
	for {
		switch {
		case s == "":
			return term, "", errors.New("a [ is not closed")
		case s[0] == ']' && len(term.ranges) == 0:
			return term, "", errors.New(`a class is empty; write \] for a ] in it`)
		case s[0] == ']':
			return term, s[1:], nil
		case s[0] == '-':
			return term, "", errors.New(`a range has only one end; write \- for a -`)
		}
		var r runeRange
		if r.lo, s, err = globRune(s); err != nil {
			return term, "", err
		}
		r.hi = r.lo
		if strings.HasPrefix(s, "-") {
			if s = s[1:]; s == "" || s[0] == ']' || s[0] == '-' {
				return term, "", errors.New(`a range has only one end; write \- for a -`)
			}
			if r.hi, s, err = globRune(s); err != nil {
				return term, "", err
			}
			if r.hi < r.lo {
				return term, "", fmt.Errorf("the range %c-%c is reversed", r.lo, r.hi)
			}
		}
		term.ranges = append(term.ranges, r)
	}
}

// globRune returns the first character of s, which a backslash may quote.
func globRune(s string) (r rune, rest string, err error) {
	if s[0] == '\\' {
		if s = s[1:]; s == "" {
			return 0, "", errors.New(`it ends in a single \`)
		}
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 {
		return 0, "", errors.New("it is not valid UTF-8")
	}
	return r, s[n:], nil
}

// match reports whether g matches all of s, in time proportional to their product at worst: only the last star is ever
// reconsidered, since an earlier one that takes more can match nothing that the last one cannot.
func (g glob) match(s string) bool {
	term, retry, retryAt := 0, -1, ""
	for {
		switch {
		case term < len(g) && g[term].star:
			term++
			retry, retryAt = term, s
			continue
		case term == len(g) && s == "":
			return true
		case term < len(g) && s != "":
			if r, n := utf8.DecodeRuneInString(s); g[term].has(r) {
				term, s = term+1, s[n:]
				continue
			}
		}
		if retry < 0 || retryAt == "" {
			return false
		}
		_, n := utf8.DecodeRuneInString(retryAt)
		retryAt = retryAt[n:]
		term, s = retry, retryAt
	}
}

func (t globTerm) has(r rune) bool {
	in := slices.ContainsFunc(t.ranges, func(x runeRange) bool { return x.lo <= r && r <= x.hi })
	return in != t.negate
}
