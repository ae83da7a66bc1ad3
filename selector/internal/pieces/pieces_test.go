package pieces

import (
	"slices"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func split(s string) (parts []string, classes []Class) {
	for i := 0; i < len(s); {
		c, _, end := Next(s, i)
		parts = append(parts, s[i:end])
		classes = append(classes, c)
		i = end
	}
	return parts, classes
}

func TestTextIsSplitIntoPieces(t *testing.T) {
	for _, tt := range []struct {
		text    string
		parts   []string
		classes []Class
	}{
		{"createPullRequest", []string{"create", "Pull", "Request"}, []Class{Lower, Capital, Capital}},
		{"HTTPServer ID", []string{"HTTPServer", " ID"}, []Class{Capital, SpaceUp}},
		{"user_id=Don't", []string{"user", "_id", "=Don't"}, []Class{Lower, MarkLow, MarkCap}},
		{"They'll stop", []string{"They'll", " stop"}, []Class{Capital, SpaceLow}},
		{"It'd'x", []string{"It'd", "'x"}, []Class{Capital, MarkLow}},
		{"v12345.6", []string{"v", "123", "45", ".", "6"}, []Class{Lower, Digits, Digits, Marks, Digits}},
		{`{"a":{"b":[1]}}`, []string{`{"`, "a", `":{"`, "b", `":[`, "1", "]}}"}, []Class{Syntax, Lower, Syntax, Lower, Syntax, Digits, Marks}},
		{`\nNext (x)`, []string{`\n`, "Next", " (", "x", ")"}, []Class{Escape, Capital, Marks, Lower, Marks}},
		{"a   b\n\n  c \n", []string{"a", "  ", " b", "\n\n", " ", " c", " \n"}, []Class{Lower, Space, SpaceLow, Break, Space, SpaceLow, Break}},
		{"a  7 ", []string{"a", " ", " ", "7", " "}, []Class{Lower, Space, Space, Digits, Space}},
		{"----- //\n", []string{"-----", " //\n"}, []Class{Repeated, Marks}},
		{"\tKey", []string{"\tKey"}, []Class{SpaceCap}},
		{"標題テスト한국어", []string{"標題", "テスト", "한국어"}, []Class{Han, Kana, Hangul}},
		{"naïve—🚀", []string{"na", "ï", "ve", "—", "🚀"}, []Class{Lower, Latin, Lower, Sign, Emoji}},
		{"при ab\xff", []string{"при", " ab", "\xff"}, []Class{Greek, SpaceLow, OtherRune}},
	} {
		parts, classes := split(tt.text)
		if !slices.Equal(parts, tt.parts) || !slices.Equal(classes, tt.classes) {
			t.Errorf("%q is split into %q, %v, want %q, %v", tt.text, parts, classes, tt.parts, tt.classes)
		}
	}
}

func TestBlocksAreInOrder(t *testing.T) {
	for i := 1; i < len(blocks); i++ {
		if blocks[i].last <= blocks[i-1].last {
			t.Errorf("block %#x comes after %#x", blocks[i].last, blocks[i-1].last)
		}
	}
}

func FuzzPiecesCoverTheText(f *testing.F) {
	f.Add("createPullRequest {\"a\": 1}\r\n")
	f.Add("標題\xff \t\n'll 🚀")
	f.Fuzz(func(t *testing.T, s string) {
		for i := 0; i < len(s); {
			c, n, end := Next(s, i)
			if end <= i || end > len(s) || c >= Classes || n < 1 || n > end-i {
				t.Fatalf("Next(%q, %d) = %d, %d, %d", s, i, c, n, end)
			}
			if utf8.ValidString(s) && !utf8.ValidString(s[i:end]) {
				t.Fatalf("Next(%q, %d) breaks a character", s, i)
			}
			i = end
		}
	})
}
