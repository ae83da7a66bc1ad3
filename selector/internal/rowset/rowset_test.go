package rowset

import (
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSetsAgreeWithAMapOfTheirRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := r.IntN(300) // rows; the set may know of more of them, or of fewer
		set, rows := make([]uint64, r.IntN(7)), map[int]bool{}
		for range r.IntN(100) * min(len(set), 1) {
			row := r.IntN(64 * len(set))
			set[row/64] |= 1 << (row % 64)
			rows[row] = true
		}
		count := 0
		for row := range n {
			if Has(set, row) != rows[row] {
				t.Fatalf("Has(%x, %d) = %t", set, row, !rows[row])
			}
			if rows[row] {
				count++
			}
		}
		if got := Count(set, n); got != count {
			t.Fatalf("Count(%x, %d) = %d, want %d", set, n, got, count)
		}
	}
}

func TestNilIsAllRows(t *testing.T) {
	if !Has(nil, 0) || !Has(nil, 1000) || Count(nil, 7) != 7 {
		t.Error("a row is missing from nil")
	}
	if Has([]uint64{}, 0) || Count([]uint64{}, 7) != 0 {
		t.Error("the empty set has a row")
	}
}
