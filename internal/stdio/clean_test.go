package stdio

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCleanMakesOneLineOfText(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"plain", "plain"},
		{"a\nb\r\n\n c\n", "a | b |  c"},
		{"\x1b[31mred\x1b[0m \x1b[38;5;1mx\x1b[K", "red x"},
		{"\x1b]0;title\x07after \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "after link"},
		{"\x1b(Bset \x1bcreset", "set reset"},
		{"cut \x1b[3", "cut"},
		{"\x1b[3\ntwo", "two"},
		{"bell\x07 null\x00 c1\u009b", `bell\x07 null\x00 c1\x9b`},
		{"tab\tx", "tab x"},
		{"bad \xff\xc3", `bad \xff\xc3`},
		{"bidi \u202e zero\u200b tag\U000e0041 sep\u2028", `bidi \u202e zero\u200b tag\U000e0041 sep\u2028`},
		{"größe 漢字 😀", "größe 漢字 😀"},
	} {
		if got := clean([]byte(tc.in)); got != tc.want {
			t.Errorf("clean(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func FuzzCleanLeavesNoControlCharacters(f *testing.F) {
	f.Add([]byte("\x1b[31mred\x1b]0;t\x07\x1b\x1b[\n\xff\u202e"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got := clean(in)
		if !utf8.ValidString(got) {
			t.Fatalf("clean(%q) = %q is not UTF-8", in, got)
		}
		for _, r := range got {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Fatalf("clean(%q) = %q contains %U", in, got, r)
			}
		}
		if strings.Contains(string(in), "\x1b") {
			return
		}
		if again := clean([]byte(got)); again != got {
			t.Fatalf("clean(%q) = %q, and cleaned again %q", in, got, again)
		}
	})
}

func TestRingKeepsTheLastBytes(t *testing.T) {
	for _, size := range []int{1, 2, 7, 64} {
		r := newRing(size)
		var all []byte
		for range 500 {
			b := bytes.Repeat([]byte{byte(rand.IntN(256))}, rand.IntN(2*size+2))
			r.Write(b)
			all = append(all, b...)
			if want := all[max(0, len(all)-size):]; !bytes.Equal(r.Bytes(), want) {
				t.Fatalf("a ring of %d bytes holds %x, want %x", size, r.Bytes(), want)
			}
		}
	}
}
