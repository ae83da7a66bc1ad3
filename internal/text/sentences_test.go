package text

import (
	"slices"
	"strings"
	"testing"
)

func TestSentencesEndWherePeopleEndThem(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                 nil,
		" .. \n - ":                        nil,
		"One":                              {"One"},
		"One. Two! Three? four":            {"One.", "Two!", "Three?", "four"},
		"do this. then that":               {"do this.", "then that"},
		"Use e.g. this, i.e. Mr. J. Smith": {"Use e.g. this, i.e. Mr. J. Smith"},
		"See v1.2 of main.go. Done":        {"See v1.2 of main.go.", "Done"},
		"At https://x.y/a?b=c.d! Now":      {"At https://x.y/a?b=c.d!", "Now"},
		"Meet at 9 a.m. tomorrow. Bye":     {"Meet at 9 a.m. tomorrow.", "Bye"},
		"It is 9 a.m. Go":                  {"It is 9 a.m.", "Go"},
		"Ask Acme Inc. today. See no. 5":   {"Ask Acme Inc. today.", "See no. 5"},
		"He said \"stop.\" Then left":      {"He said \"stop.\"", "Then left"},
		"Really?! Yes... Fine":             {"Really?!", "Yes...", "Fine"},
		"a; b":                             {"a;", "b"},
		"Do:\n- one\n* two\n• three\n1. four\n2) five\na) six": {"Do:", "one", "two", "three", "four", "five", "six"},
		"# Title\ntext":           {"Title", "text"},
		"This line\nis wrapped":   {"This line\nis wrapped"},
		"This line\r\nis wrapped": {"This line\r\nis wrapped"},
		"This line\n\nis not":     {"This line", "is not"},
		"This line\r\n\r\nis not": {"This line", "is not"},
		"First line\nSecond line": {"First line", "Second line"},
		"今日は。明日！":                 {"今日は。", "明日！"},
		"-5 degrees":              {"-5 degrees"},
		"Use “e.g. this”":         {"Use “e.g. this”"},
		"Ask\u00a0Mr. J. Smith":   {"Ask\u00a0Mr. J. Smith"},
	} {
		if got := Sentences(nil, in); !slices.Equal(got, want) {
			t.Errorf("Sentences(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzSentences(f *testing.F) {
	for _, s := range []string{"One. Two", "- a\n- b", "e.g. \"x.\" y", "\xff. \xfe", "1. 2. 3.", "a\r\n\r\nb", "。！"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rest := s
		kept := 0
		for _, sentence := range Sentences(nil, s) {
			at := strings.Index(rest, sentence)
			if at < 0 || sentence != strings.TrimSpace(sentence) || !strings.ContainsFunc(sentence, func(r rune) bool { return isLetter(r) || isDigit(r) }) {
				t.Fatalf("Sentences(%q) has %q", s, sentence)
			}
			rest = rest[at+len(sentence):]
			kept += letters(sentence)
		}
		// Marks such as "a)" and "1." are dropped; nothing else that says something is.
		if all := letters(s); kept > all {
			t.Fatalf("Sentences(%q) keeps %d letters of %d", s, kept, all)
		}
	})
}

func letters(s string) (n int) {
	for _, r := range s {
		if isLetter(r) {
			n++
		}
	}
	return n
}

// Each of these takes minutes if something is looked at again for every sentence or line.
func TestSentencesOfHugeTextsAreFoundInOnePass(t *testing.T) {
	const n = 1 << 20
	for in, want := range map[string]int{
		strings.Repeat(" ", n) + strings.Repeat("a\n", n):     1,
		strings.Repeat(" ", n) + strings.Repeat("e.g. ", n):   1,
		strings.Repeat("\n ", n) + strings.Repeat("1. ", n):   n / 2,
		strings.Repeat("A b\n", n):                            n,
		"a" + strings.Repeat("\n ", n):                        1,
		strings.Repeat("- ", n):                               0,
		strings.Repeat(".", n) + strings.Repeat(")", n) + "a": 1,
	} {
		if got := len(Sentences(nil, in)); got != want {
			t.Errorf("%.20q... has %d sentences, want %d", strings.TrimSpace(in), got, want)
		}
	}
}
