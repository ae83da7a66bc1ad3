package mcpgroup

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Scenarios 29, 31, 67 and 68.
func TestIncludeAndExcludeChooseTools(t *testing.T) {
	names := []string{"ping", "read_a", "read_b", "write_a", "Read_c", "ns/read"}
	for _, tt := range []struct {
		include, exclude, want []string
	}{
		{nil, nil, names},
		{[]string{}, []string{}, names},
		{[]string{"ping"}, nil, []string{"ping"}},
		{[]string{"pin"}, nil, nil},
		{[]string{"read_*", "ping"}, nil, []string{"ping", "read_a", "read_b"}},
		{[]string{"*read*"}, nil, []string{"read_a", "read_b", "ns/read"}},
		{[]string{"?ead_?"}, nil, []string{"read_a", "read_b", "Read_c"}},
		{nil, []string{"read_a"}, []string{"ping", "read_b", "write_a", "Read_c", "ns/read"}},
		{nil, []string{"*_[ab]"}, []string{"ping", "Read_c", "ns/read"}},
		{nil, []string{"*_[!a]"}, []string{"ping", "read_a", "write_a", "ns/read"}},
		{nil, []string{"*"}, nil},
	} {
		m, err := newMatcher(tt.include, tt.exclude)
		if err != nil {
			t.Errorf("include %q, exclude %q: %v", tt.include, tt.exclude, err)
			continue
		}
		var got []string
		for _, n := range names {
			if m.match(n) {
				got = append(got, n)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("include %q, exclude %q chooses %q, want %q", tt.include, tt.exclude, got, tt.want)
		}
	}
}

// A pattern without a star must not be taken for a plain name: a deny list would then deny nothing.
func TestPatternsWithoutAStarExclude(t *testing.T) {
	m, err := newMatcher(nil, []string{"drop_?", "delete_[ab]", `odd\*name`})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"drop_x": false, "delete_a": false, "delete_b": false, "odd*name": false,
		"drop_": true, "drop_xy": true, "delete_c": true, "drop_?": false, "delete_[ab]": true, "oddXname": true,
	} {
		if got := m.match(name); got != want {
			t.Errorf("match(%q) = %v, want %v", name, got, want)
		}
	}
}

// Scenario 74, and lists that cannot mean what was meant.
func TestUnusableFiltersAreRefused(t *testing.T) {
	for _, tt := range []struct {
		include, exclude []string
		want             string
	}{
		{[]string{"a"}, []string{"b"}, "include and exclude cannot be used together"},
		{[]string{"a", "b", "a"}, nil, `include[2]: "a" is listed twice`},
		{nil, []string{"a*", "a*"}, `exclude[1]: "a*" is listed twice`},
		{nil, []string{"a", ""}, "exclude[1] is empty"},
		{[]string{"[a"}, nil, `include[0]: bad pattern "[a": a [ is not closed`},
		{[]string{"["}, nil, "a [ is not closed"},
		{[]string{"[!"}, nil, "a [ is not closed"},
		{[]string{"[a-"}, nil, "a range has only one end"},
		{[]string{"[]"}, nil, "a class is empty"},
		{[]string{"[]a]"}, nil, "a class is empty"},
		{[]string{"[-a]"}, nil, "a range has only one end"},
		{[]string{"[a-]"}, nil, "a range has only one end"},
		{[]string{"[z-a]"}, nil, "the range z-a is reversed"},
		{[]string{`a\`}, nil, `it ends in a single \`},
		{[]string{`[a\`}, nil, `it ends in a single \`},
		{[]string{"*\xff"}, nil, "not valid UTF-8"},
	} {
		_, err := newMatcher(tt.include, tt.exclude)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("include %q, exclude %q: %v, want %q", tt.include, tt.exclude, err, tt.want)
		}
	}
}

// Scenarios 70 and 71.
func TestNamesThatNoToolHasAreReported(t *testing.T) {
	for _, lists := range [][2][]string{
		{{"func2", "ping", "func1", "x*", "no?"}, nil},
		{nil, {"func2", "ping", "func1", "x*", "no?"}},
	} {
		m, err := newMatcher(lists[0], lists[1])
		if err != nil {
			t.Fatal(err)
		}
		if got, want := m.unknown([]string{"ping", "other"}), []string{"func1", "func2"}; !slices.Equal(got, want) {
			t.Errorf("unknown = %q, want %q", got, want)
		}
		if got := m.unknown([]string{"func1", "ping", "func2"}); len(got) != 0 {
			t.Errorf("unknown = %q with all of them listed", got)
		}
	}
}

func TestANameTooLongToShowIsNotChosen(t *testing.T) {
	long := strings.Repeat("a", maxOriginalLen+1)
	for _, lists := range [][2][]string{{{"a*"}, nil}, {nil, {"b*"}}} {
		m, err := newMatcher(lists[0], lists[1])
		if err != nil {
			t.Fatal(err)
		}
		if m.match(long) {
			t.Errorf("include %q, exclude %q chooses a name of %d bytes", lists[0], lists[1], len(long))
		}
		if !m.match(long[1:]) {
			t.Errorf("include %q, exclude %q does not choose a name of %d bytes", lists[0], lists[1], len(long)-1)
		}
	}
}

// regexpOf is the twin of a glob.
func regexpOf(g glob) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for _, t := range g {
		switch {
		case t.star:
			b.WriteString(".*")
		case len(t.ranges) == 0:
			b.WriteString(".")
		default:
			b.WriteString("[")
			if t.negate {
				b.WriteString("^")
			}
			for _, r := range t.ranges {
				// No quoting is needed in this form, whatever the characters are.
				b.WriteString(hexRune(r.lo) + "-" + hexRune(r.hi))
			}
			b.WriteString("]")
		}
	}
	return regexp.MustCompile(b.String() + `\z`)
}

func hexRune(r rune) string {
	const digits = "0123456789abcdef"
	s := ""
	for ; r > 0 || s == ""; r >>= 4 {
		s = digits[r&15:r&15+1] + s
	}
	return `\x{` + s + `}`
}

func FuzzGlob(f *testing.F) {
	f.Add("read_*", "read_a")
	f.Add("*a*b*?c", "xxaaybzc")
	f.Add("[!a-c]?[^x]", "d日y")
	f.Add(`\*[\]\-a-z]*`, "*]-")
	f.Add("*[é-ü]", "aö")
	f.Add("***", "")
	f.Add("[!-]", "x")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 64 || len(name) > 256 || !utf8.ValidString(name) {
			return
		}
		g, err := compileGlob(pattern)
		if err != nil {
			return
		}
		got := g.match(name)
		if want := regexpOf(g).MatchString(name); got != want {
			t.Errorf("%q on %q = %v, its regexp says %v", pattern, name, got, want)
		}
		// path.Match knows no [! and treats / differently; all else is the same.
		if strings.Contains(pattern, "[!") || strings.Contains(pattern, "/") || strings.Contains(name, "/") {
			return
		}
		if want, err := path.Match(pattern, name); err != nil || got != want {
			t.Errorf("%q on %q = %v, path.Match says %v, %v", pattern, name, got, want, err)
		}
	})
}

// What path.Match refuses is refused here, and so is a reversed range, which there matches nothing.
func TestBadPatternsAreThoseOfPathMatch(t *testing.T) {
	const chars = `a]-[^*\`
	var try func(pattern string)
	try = func(pattern string) {
		_, mine := compileGlob(pattern)
		_, theirs := path.Match(pattern, "")
		reversed := mine != nil && strings.HasSuffix(mine.Error(), "is reversed")
		if (mine == nil) != (theirs == nil) && !reversed {
			t.Errorf("%q: %v, path.Match: %v", pattern, mine, theirs)
		}
		if len(pattern) < 5 {
			for _, c := range chars {
				try(pattern + string(c))
			}
		}
	}
	try("")
}

func BenchmarkGlob(b *testing.B) {
	g, err := compileGlob("*_issue_[a-m]*")
	if err != nil {
		b.Fatal(err)
	}
	re := regexpOf(g)
	const name = "update_issue_comment"
	var glob, twin float64
	for b.Loop() {
		glob += timed(func() { g.match(name) })
		twin += timed(func() { re.MatchString(name) })
	}
	b.ReportMetric(twin/glob, "regexp/glob")
}
