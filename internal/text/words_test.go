package text

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// shown writes words as the tests give them: joined forms have "+" in front.
func shown(words []Word) string {
	var b []string
	for _, w := range words {
		if w.Joined {
			b = append(b, "+"+w.Text)
		} else {
			b = append(b, w.Text)
		}
	}
	return strings.Join(b, " ")
}

func TestWordsAreSplitAsPeopleReadThem(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"List all files":                 "list all files",
		"createPullRequest":              "create pull request +createpullrequest",
		"HTTPServer":                     "http server +httpserver",
		"parseJSON":                      "parse json +parsejson",
		"GDrive":                         "g drive +gdrive",
		"GitHub's API":                   "git hub +github api",
		"URLs, IDs and PRs":              "urls ids and prs",
		"snake_case_name":                "snake case name +snakecasename",
		"kebab-case":                     "kebab case +kebabcase",
		"server__tool":                   "server tool",
		"-flag _private_ a- b":           "flag private a b",
		"utf8 v2 s3":                     "utf 8 +utf8 v 2 +v2 s 3 +s3",
		"2024-05-01":                     "2024 05 01",
		"don't I'm user's users' O'":     "dont im user users o",
		"DON’T":                          "dont",
		"l'avion rock'n'roll":            "l avion rock n roll",
		"a.b/c:d@e":                      "a b c d e",
		"Müller_Straße":                  "muller strasse +mullerstrasse",
		"北京大学":                           "北京 京大 大学",
		"東":                              "東",
		"list東京v2":                       "list 東京 v 2 +v2",
		"スーパー":                           "スー ーパ パー",
		"ﾊﾟｿ":                            "パソ",
		"한국어":                            "한국 국어",
		"สวัสดี":                         "สวั วัส สดี",
		"Привет мир":                     "привет мир",
		"\xff\xfeabc\x80":                "abc",
		"x" + strings.Repeat("-abc", 20): "x" + strings.Repeat(" abc", 20),
	} {
		if got := shown(Words(nil, in)); got != want {
			t.Errorf("Words(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWordsSayHowTheyWereWritten(t *testing.T) {
	const in = `Tell Bob that 42 HTTPClients in "New York" use 'x y' and ` + "`code`" + ` but it's "unclosed`
	marks := map[string]string{}
	for _, w := range Words(nil, in) {
		m := ""
		for _, flag := range []struct {
			set  bool
			mark string
		}{{w.Capital, "C"}, {w.Upper, "U"}, {w.Digits, "D"}, {w.Quoted, "Q"}, {w.Part > 0, strconv.Itoa(w.Part)}} {
			if flag.set {
				m += flag.mark
			}
		}
		marks[w.Text] = m
	}
	for word, want := range map[string]string{
		"tell": "C", "bob": "C", "that": "", "42": "D", "http": "CU", "clients": "C1", "httpclients": "C2",
		"new": "CQ", "york": "CQ", "x": "Q", "y": "Q", "code": "Q", "but": "", "it": "", "unclosed": "",
	} {
		if got, there := marks[word]; !there || got != want {
			t.Errorf("marks of %q = %q, want %q", word, got, want)
		}
	}
}

func TestQuotationsEndAtTheLineAndInTime(t *testing.T) {
	for _, in := range []string{"\"first\nsecond\"", `"` + strings.Repeat("long ", 60) + `"`, "the users' data and others' data"} {
		for _, w := range Words(nil, in) {
			if w.Quoted {
				t.Errorf("Words(%.20q): %q is quoted", in, w.Text)
			}
		}
	}
}

func TestWordsInLowerCaseDoNotAllocate(t *testing.T) {
	dst := make([]Word, 0, 64)
	if n := testing.AllocsPerRun(100, func() { dst = Words(dst[:0], "list all open issues, utf8 and 'quoted words'") }); n != 0 {
		t.Errorf("Words allocates %v times, want 0", n)
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"createPullRequest v2", "ﾊﾟｿｺﾝ สวัสดี", "don't 'quote' \"x", "\xff\xc3", "a_-b", "ABCs-DEf1", "ſt ﬁ ǅ ẞ", "A\u0301\u0301b", "ـ0A-b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words := Words(nil, s)
		last := 0
		for i, w := range words {
			if w.Start < 0 || w.Start >= w.End || w.End > len(s) {
				t.Fatalf("Words(%q)[%d] = %+v: bad offsets", s, i, w)
			}
			if w.Text == "" || !utf8.ValidString(w.Text) || Fold(w.Text) != w.Text {
				t.Fatalf("Words(%q)[%d] = %+v: text is not folded", s, i, w)
			}
			switch {
			case w.Joined:
				first := i - w.Part
				if w.Part < 2 || first < 0 || w.Start != words[first].Start || w.End != words[i-1].End {
					t.Fatalf("Words(%q)[%d] = %+v: does not span its parts", s, i, w)
				}
			case w.Unspaced:
				if w.Start < last && i > 0 && !words[i-1].Unspaced {
					t.Fatalf("Words(%q)[%d] = %+v: begins before %d", s, i, w, last)
				}
			case w.Start < last:
				t.Fatalf("Words(%q)[%d] = %+v: begins before %d", s, i, w, last)
			}
			last = w.End
		}
	})
}
