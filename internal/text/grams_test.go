package text

import (
	"slices"
	"testing"
)

// Trained models hold rows by these hashes.
func TestGramsHashAsTheyAlwaysDid(t *testing.T) {
	if got, want := Grams(nil, "ab", 3, 5), []uint32{991885955, 4171749951, 2310269146}; !slices.Equal(got, want) {
		t.Errorf("Grams(ab) = %d, want %d", got, want)
	}
}

func TestGramsAreAllSubstrings(t *testing.T) {
	for _, word := range []string{"a", "list", "größe", "東京"} {
		var want []uint32
		whole := []rune("_" + word + "_")
		for i := range whole {
			for n := 2; n <= 4 && i+n <= len(whole); n++ {
				want = append(want, hashOf(string(whole[i:i+n])))
			}
		}
		if got := Grams(nil, word, 2, 4); !slices.Equal(got, want) {
			t.Errorf("Grams(%q) = %d, want %d", word, got, want)
		}
	}
	if got := Grams(nil, "", 1, 5); len(got) != 0 {
		t.Errorf("Grams of nothing = %d", got)
	}
}

func hashOf(gram string) uint32 {
	h := uint32(2166136261)
	for _, c := range []byte(gram) {
		h = (h ^ uint32(c)) * 16777619
	}
	return finish(h)
}

func FuzzGrams(f *testing.F) {
	f.Add("list", 3, 5)
	f.Add("\xffé", 1, 2)
	f.Fuzz(func(t *testing.T, word string, lo, hi int) {
		if lo < 1 || hi < lo || hi > 20 {
			return
		}
		n := len([]rune(word)) + 2
		want := 0
		for k := lo; k <= hi && n > 2; k++ {
			want += max(0, n-k+1)
		}
		if got := Grams(nil, word, lo, hi); len(got) != want {
			t.Errorf("Grams(%q, %d, %d) has %d, want %d", word, lo, hi, len(got), want)
		}
	})
}
