package linearizability

import (
	"flag"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var histories = flag.Int("histories", 0, "histories to check; the default is 3,000, or 100,000 if MCPFLEET_LONG is 1")

func TestMain(m *testing.M) {
	flag.Parse()
	if *histories == 0 {
		*histories = 3_000
		if os.Getenv("MCPFLEET_LONG") == "1" {
			*histories = 100_000
		}
	}
	// With fewer processors than clients, operations would mostly run one after the other.
	runtime.GOMAXPROCS(max(clients, runtime.GOMAXPROCS(0)))
	goleak.VerifyTestMain(m)
}

// The clients and the specification must agree on a map that is right, or a violation would mean nothing.
func TestTheTwinIsLinearizable(t *testing.T) {
	explore(t, newTwin, *histories/10)
}

// A check that finds nothing proves nothing unless it would have found something.
func TestTheCheckFindsAReferenceTakenTooLate(t *testing.T) {
	begin := time.Now()
	for n := 1; ; n++ {
		if wrong := record(rand.Uint64(), newBrokenTwin).violation(); wrong != "" {
			t.Logf("found after %d histories, %v: %s", n, time.Since(begin).Round(time.Millisecond), wrong)
			return
		}
		if n == 1_000_000 {
			t.Fatalf("not found in %d histories", n)
		}
	}
}

// explore checks n histories of the maps that open makes.
func explore(t *testing.T, open func(*run) sessions, n int) {
	t.Helper()
	seen := map[kind]int{}
	overlaps := 0
	for range n {
		seed := rand.Uint64()
		h := record(seed, open)
		if wrong := h.violation(); wrong != "" {
			t.Fatalf("seed %#x: %s", seed, wrong)
		}
		overlaps += h.overlaps()
		for _, op := range h.ops {
			seen[op.Input.(input).kind]++
		}
	}
	for k, name := range kindNames {
		if seen[kind(k)] == 0 {
			t.Errorf("no history of %d has a %s", n, name)
		}
	}
	if overlaps < n {
		t.Errorf("%d pairs of operations overlap in %d histories: these are next to sequential", overlaps, n)
	}
	t.Logf("%d histories of %d clients with %d operations each, %.1f pairs of operations overlapping in each: 0 violations",
		n, clients, opsPerClient, float64(overlaps)/float64(n))
}
