package mcpgroup

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestTextThatPeopleCanSeeIsKept(t *testing.T) {
	for _, s := range []string{
		"", "Creates an issue.\n\tReturns its number.", "~!@#$%^&*()_+ \"quotes\" 'too' <b> `code`",
		"Grüße, naïve café", "e\u0301", "日本語の説明。", "Привет", "שלום", "مرحبا", "नमस्ते", "สวัสดี", "한국어", "𝒳 ∑ → €", "a\u00a0b\u3000c",
		"می\u200cخواهم", "क्\u200dष", "ක්\u200dෂ", // joiners that change what is drawn
		"👩\u200d💻 👩🏽\u200d🚀 🏳\ufe0f\u200d🌈 ❤\ufe0f\u200d🔥 1\ufe0f\u20e3 ☎\ufe0e ↔\ufe0f ℹ\ufe0f", "🇩🇪",
		"\u0600١٢", "\ufffd",
	} {
		if got := cleanText(s, 1024); got != s {
			t.Errorf("cleanText(%+q) = %+q", s, got)
		}
	}
}

func TestTextThatPeopleCannotSeeIsDropped(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"a\x00b\ac\x7fd\u0085e", "abcde"},
		{"one\r\ntwo\rthree\vfour", "one\ntwothreefour"},
		{"a\u2028b\u2029c", "a\nb\nc"},
		{"\x1b[31mred\x1b[0m \x1b[1;38:5:9mbold", "red bold"},
		{"\u009b31mred\u009b0m", "red"},
		{"\x1b]0;title\aa\x1b]8;;http://x\x1b\\b\u009d0;title\u009cc\x1bPq#0\x1b\\d\x1b_x\x1b\\e", "abcde"},
		{"a\x1b]0;never ended\nb", "a\nb"},
		{"a\x1b]0;never ended", "a"},
		{"a\x1b(Bb\x1bcc\x1b7d", "abcd"},
		{"a\x1b[", "a"},
		{"a\x1b[12", "a"},
		{"a\x1b", "a"},
		{"a\x1béb\x1b\x1b[0mc", "aébc"},
		{"a\x1b[3\nb", "a\nb"},
		{"\u202eevil\u202c \u2066x\u2069 \u200eb\u200f\u061c", "evil x b"},
		{"zero\u200bwidth\u2060no\ufeffbreak\u00ad", "zerowidthnobreak"},
		{"hi\U000e0001\U000e0068\U000e0069\U000e007f there", "hi there"},
		{"🏴\U000e0067\U000e0062\U000e007f", "🏴"},
		{"bits: a\u200cb\u200dc", "bits: abc"}, // joiners between Latin letters say nothing to a person
		{"می\u200c\u200d\u200cخ \u200cمی\u200c", "می\u200cخ می"},
		{"💻\u200d💻\u200d \u200dx 💻\u200c💻", "💻\u200d💻 x 💻💻"},
		{"a\ufe0f\ufe0eb ❤\ufe0f\ufe0f ❤\ufe00 x\U000e0100\U000e01ef", "ab ❤\ufe0f ❤ x"},
		{"a\u034fb\u115fc\u3164d\u17b4e\U000e0fffg\u2065h\u180eI", "abcdeghI"},
		{"\ufff9note\ufffb \U0001d173", "note "},
		{"\ue000\U000f0000\U0010fffd\ufdd0\uffff", ""},
		{"a\xff\xfe\xedb\x80c", "a\ufffdb\ufffdc"},
		{"\xed\xa0\x80\xc0\xaf", "\ufffd"},
	} {
		if got := cleanText(tt.in, 1024); got != tt.want {
			t.Errorf("cleanText(%+q)\n got %+q\nwant %+q", tt.in, got, tt.want)
		}
	}
}

func TestLongTextIsCutBetweenCharacters(t *testing.T) {
	for _, tt := range []struct {
		in   string
		max  int
		want string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abc…"},
		{"abc\x00def", 6, "abcdef"}, // what is dropped takes no room
		{"日本語", 9, "日本語"},
		{"日本語", 8, "日…"},
		{"日本語", 5, "…"},
		{"日本語", 3, "…"},
		{"abc", 2, "ab"},
		{"日本", 2, ""},
		{"abc", 0, ""},
		{"💻\u200d💻💻", 12, "💻…"},
		{"💻\u200d💻💻", 14, "💻\u200d💻…"},
		{strings.Repeat("a", 1<<20), 8, "aaaaa…"},
	} {
		if got := cleanText(tt.in, tt.max); got != tt.want {
			t.Errorf("cleanText(%.20q, %d) = %q, want %q", tt.in, tt.max, got, tt.want)
		}
	}
}

// checkClean checks what holds for every text that cleanText returned.
func checkClean(t *testing.T, in, got string, max int) {
	t.Helper()
	if len(got) > max {
		t.Errorf("cleanText(%.80q, %d) has %d bytes", in, max, len(got))
	}
	if !utf8.ValidString(got) {
		t.Errorf("cleanText(%.80q, %d) is not valid UTF-8", in, max)
	}
	var prev rune
	for _, r := range got {
		switch {
		case r == '\n' || r == '\t' || unicode.IsGraphic(r) && !unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		case unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		case r == '\u200c' || r == '\u200d':
			if prev < 0x80 || unicode.In(prev, unicode.Latin, unicode.Z, unicode.Cf) {
				t.Errorf("cleanText(%+q) keeps %U behind %U", in, r, prev)
			}
		case r == '\ufe0e' || r == '\ufe0f':
			if prev != 'ℹ' && unicode.In(prev, unicode.L, unicode.Z, unicode.Cf, unicode.Variation_Selector) {
				t.Errorf("cleanText(%+q) keeps %U behind %U", in, r, prev)
			}
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			t.Errorf("cleanText(%+q) keeps %U", in, r)
		}
		prev = r
	}
	if again := cleanText(got, max); again != got {
		t.Errorf("cleanText(%+q) = %+q, and cleaned again %+q", in, got, again)
	}
}

// Reliability S7.
func TestHostileTextIsCleaned(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, name := range hostileNames(rng, 200) {
		for _, max := range []int{16, 1024} {
			checkClean(t, name, cleanText(name, max), max)
		}
	}
}

func TestEveryCharacterIsDecidedUpon(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		in := "a" + string(r) + "b"
		got := cleanText(in, 16)
		switch want := in; {
		case !utf8.ValidRune(r):
			want = "a\ufffdb"
			fallthrough
		case r == '\n' || r == '\t' || unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs) &&
			!unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point),
			unicode.Is(unicode.Prepended_Concatenation_Mark, r):
			if got != want {
				t.Errorf("%U: %+q", r, got)
			}
		case unicode.In(r, unicode.Zl, unicode.Zp):
			if got != "a\nb" {
				t.Errorf("%U: %+q", r, got)
			}
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			if r >= 0x80 && r <= 0x9f {
				continue // some begin escape sequences
			}
			if r != '\x1b' && got != "ab" {
				t.Errorf("%U: %+q", r, got)
			}
		}
	}
}

func FuzzCleanText(f *testing.F) {
	f.Add("plain text", 16)
	f.Add("\x1b[31mred\x1b]0;x\a\u009b0m", 64)
	f.Add("می\u200cخواهم 👩🏽\u200d🚀 ❤\ufe0f", 20)
	f.Add("a\xff\xfe\u202e\U000e0041\u200b", 5)
	f.Add("\u0600\u200c\u0600 \U0001fe0f", 30)
	f.Fuzz(func(t *testing.T, s string, max int) {
		max = 3 + max&0x3ff
		got := cleanText(s, max)
		checkClean(t, s, got, max)
		// The twin of the short way out for plain text: one odd character in front sends the text the long way.
		if len(s) <= max && !strings.ContainsFunc(s, notPlain) && cleanText("\x00"+s, max) != got {
			t.Errorf("cleanText(%q) = %q, the long way %q", s, got, cleanText("\x00"+s, max))
		}
	})
}

func BenchmarkCleanText(b *testing.B) {
	plain := strings.Repeat("Creates an issue in the repository. ", 20)
	odd := "\x00" + plain
	var short, long float64
	for b.Loop() {
		short += timed(func() { cleanText(plain, 16<<10) })
		long += timed(func() { cleanText(odd, 16<<10) })
	}
	b.ReportMetric(long/short, "odd/plain")
}

func timed(f func()) float64 {
	start := time.Now()
	for range 100 {
		f()
	}
	return float64(time.Since(start))
}
