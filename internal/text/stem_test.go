package text

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/kljensen/snowball/english"
)

func TestStemJoinsFormsAndLeavesTheRest(t *testing.T) {
	for _, forms := range [][]string{{"create", "creates", "creating", "created"}, {"query", "queries"}, {"file", "files"}} {
		for _, form := range forms {
			if Stem(form) != Stem(forms[0]) {
				t.Errorf("Stem(%q) = %q, want that of %q, %q", form, Stem(form), forms[0], Stem(forms[0]))
			}
		}
	}
	for _, word := range []string{"", "as", "utf8s", "северные", "北京", strings.Repeat("ings", 10)} {
		if got := Stem(word); got != word {
			t.Errorf("Stem(%q) = %q, want it unchanged", word, got)
		}
	}
}

// More words than the cache holds, from many goroutines: slots are fought for.
func TestStemCacheNeverAnswersForAnotherWord(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 10000 {
				word := spell(i*7+g) + "ings"
				if got, want := Stem(word), english.Stem(word, true); got != want {
					t.Errorf("Stem(%q) = %q, want %q", word, got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func spell(i int) string {
	return strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprintf("%05d", i))
}

func TestStemOfAKnownWordDoesNotAllocate(t *testing.T) {
	Stem("repositories")
	if n := testing.AllocsPerRun(100, func() { Stem("repositories") }); n != 0 {
		t.Errorf("Stem allocates %v times, want 0", n)
	}
}
