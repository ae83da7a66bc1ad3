package text

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFoldMakesVariantsEqual(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"already lower":              "already lower",
		"ASCII Only":                 "ascii only",
		"Ünïcode":                    "unicode",
		"U\u0308ni":                  "uni",
		"ＵＮＩＣＯＤＥ":                    "unicode",
		"Straße STRASSE":             "strasse strasse",
		"İstanbul ISTANBUL ıstanbul": "istanbul istanbul istanbul",
		"ﬁle":                        "file",
		"Łódź Ærø":                   "lodz aero",
		"ΣΟΦΟΣ σοφος":                "σοφοσ σοφοσ",
		"Ёлка":                       "елка",
		"don’t":                      "don't",
		"ガ ｶﾞ":                       "ガ ガ",
		"हिन्दी":                     "हिन्दी", // vowel signs stay
		"soft\u00adhyphen":           "softhyphen",
		"a\xffb":                     "a\ufffdb",
	} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFoldOfLowerCaseDoesNotAllocate(t *testing.T) {
	s := strings.Repeat("lower case, 123. ", 10)
	if n := testing.AllocsPerRun(100, func() { _ = Fold(s) }); n != 0 {
		t.Errorf("Fold allocates %v times, want 0", n)
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Ünïcode", "ＵＮＩ ﬁ ẞ İ", "\xff", "ϓ ϔ ᾳ ŉ", "\u0344\u0345", "a\u0315\u0300", "ｶﾞ", "각", "क" + strings.Repeat("\u094d", 70)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := Fold(s)
		if !utf8.ValidString(once) && utf8.ValidString(s) {
			t.Fatalf("Fold(%q) = %q: invalid", s, once)
		}
		if twice := Fold(once); twice != once {
			t.Fatalf("Fold(%q) = %q, and of that %q", s, once, twice)
		}
	})
}
