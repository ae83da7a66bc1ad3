//go:build !race

package static

import "testing"

// Under the race detector a sync.Pool forgets at random.
func TestEmbedDoesNotAllocate(t *testing.T) {
	e := Default()
	dst := make([]float32, 0, e.Dim())
	var allocs []float64
	// One text in a hundred has two words that share a place in the cache of stems: then another text must do.
	for _, s := range []string{
		"open a pull request that fixes the failing zyxomorphic tests in the main repository",
		"send an invoice for the consulting hours of last month, and remind the customer",
		"which quindlemonk flights leave tomorrow morning, what do they cost",
	} {
		e.Embed(dst, s)
		n := testing.AllocsPerRun(200, func() { e.Embed(dst, s) })
		if n < 1 {
			return
		}
		allocs = append(allocs, n)
	}
	t.Errorf("Embed allocates %v times", allocs)
}
