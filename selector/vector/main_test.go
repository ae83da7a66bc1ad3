package vector

import (
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kernels runs a test with each kernel that this machine has.
func kernels(t *testing.T, f func(t *testing.T, simd bool)) {
	t.Run("go", func(t *testing.T) { f(t, false) })
	if accelerated {
		t.Run("vek", func(t *testing.T) { f(t, true) })
	}
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// gaussian returns n vectors in all directions.
func gaussian(r *rand.Rand, n, dim int) [][]float32 {
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, dim)
		for j := range rows[i] {
			rows[i][j] = float32(r.NormFloat64())
		}
	}
	return rows
}

// clustered returns n vectors of any length in groups that are close together, as those of texts are.
func clustered(r *rand.Rand, n, dim int) [][]float32 {
	centres := gaussian(r, max(1, n/50), dim)
	rows := gaussian(r, n, dim)
	for i, row := range rows {
		length := float32(r.ExpFloat64() + 0.01)
		for j := range row {
			row[j] = length * (centres[i%len(centres)][j] + 0.3*row[j])
		}
	}
	return rows
}

// repeated returns n vectors of which many have exactly the same direction.
func repeated(r *rand.Rand, n, dim int) [][]float32 {
	some := gaussian(r, max(1, n/7), dim)
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, dim)
		factor := float32(int(1) << r.IntN(4)) // a power of two changes no mantissa
		for j, f := range some[r.IntN(len(some))] {
			rows[i][j] = factor * f
		}
	}
	return rows
}

func build(t testing.TB, simd bool, dim int, rows [][]float32) *Index {
	t.Helper()
	x, err := newIndex(dim, simd).Append(rows...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}
