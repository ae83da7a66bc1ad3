package tokens

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSqueezeLeavesOneSpaceOrLineBreak(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		" \n ":                   "",
		"plain text":             "plain text",
		"  a  b\t\tc ":           "a b c",
		"a \n\n  b\r\nc\u00a0d":  "a\nb\nc d",
		"標題\u3000\u3000テキスト":     "標題 テキスト",
		"bad \xff\xfe  bytes":    "bad \xff\xfe bytes",
		"list:\n  - one\n  - tw": "list:\n- one\n- tw",
	} {
		if got := squeeze(in); got != want {
			t.Errorf("squeeze(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCutEndsAtASentenceOrElseAWord(t *testing.T) {
	for _, tt := range []struct {
		in    string
		bound int
		want  string
	}{
		{"Short.", 6, "Short."},
		{"One. Two. Three.", 10, "One. Two."},
		{"See example.com for v1.2 of it. More.", 34, "See example.com for v1.2 of it."},
		{"Use e.g. this one. More text here.", 20, "Use e.g. this one."},
		{"A very long sentence without an end in sight", 20, "A very long…"},
		{"Hm. A very long sentence without an end in sight", 30, "Hm. A very long sentence…"},
		{"items, (such as these things)", 14, "items…"},
		{"無限に続く文章はどこかで切られなければならない", 20, "無限に続く…"},
		{"Gibt es eine Währungsumrechnung", 22, "Gibt es eine…"},
		{"標題。本文です。続き。", 24, "標題。本文です。"},
	} {
		got, whole := cut(tt.in, tt.bound)
		if got != tt.want || whole != (got == tt.in) || len(got) > tt.bound {
			t.Errorf("cut(%q, %d) = %q, %t, want %q", tt.in, tt.bound, got, whole, tt.want)
		}
	}
}

func FuzzCutIsAPrefixWithinItsBound(f *testing.F) {
	f.Add("One. Two. Three.", 10)
	f.Add("標題。本文です\xff", 12)
	f.Fuzz(func(t *testing.T, s string, bound int) {
		if bound < 8 || bound > 1000 {
			t.Skip()
		}
		got, whole := cut(s, bound)
		if len(got) > bound || whole != (got == s) && whole {
			t.Fatalf("cut(%q, %d) = %q, %t", s, bound, got, whole)
		}
		if !strings.HasPrefix(s, strings.TrimSuffix(got, "…")) {
			t.Errorf("cut(%q, %d) = %q, which is no part of it", s, bound, got)
		}
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("cut(%q, %d) = %q breaks a character", s, bound, got)
		}
		if q := squeeze(s); squeeze(q) != q || strings.Join(strings.Fields(q), "") != strings.Join(strings.Fields(s), "") {
			t.Errorf("squeeze(%q) = %q", s, q)
		}
	})
}
