package o200k

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mcpfleet/mcpfleet/selector/internal/pieces"
)

// If pieces cut where the vocabulary's regular expression does not, some token would be cut in two, and the sum would grow.
func TestPiecesOfASCIIAreThoseOfTheVocabulary(t *testing.T) {
	c := newCounter(t)
	r := rand.New(rand.NewPCG(3, 3))
	words := strings.Fields(`the createIssue HTTPServer don't They'LL it'S o'clock { } ":" ":{" "}}," _ - -- ---- // /* */ \n \" \\ 42 1234567 x ID's ' '' 'd . ... , ; (a) #1 <b> $x a'b`)
	space := []string{"", "", " ", "  ", "   ", "\n", " \n", "\n ", "\n\n  ", "\t", " \t", "\r\n", "\v"}
	for range 3000 {
		var b strings.Builder
		for range 1 + r.IntN(12) {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteString(space[r.IntN(len(space))])
		}
		text := b.String()
		sum := 0
		var parts []string
		for i := 0; i < len(text); {
			_, _, end := pieces.Next(text, i)
			sum += c.Count(text[i:end])
			parts = append(parts, text[i:end])
			i = end
		}
		if want := c.Count(text); sum != want {
			t.Errorf("%q counts %d, in pieces %d: %q", text, want, sum, parts)
		}
	}
}
