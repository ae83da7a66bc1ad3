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

const (
	shortRun = 3_000
	longRun  = 100_000
)

var histories = flag.Int("histories", 0, "histories to check; the default is 3,000, or 100,000 if MCPFLEET_LONG is 1")

func TestMain(m *testing.M) {
	flag.Parse()
	if *histories == 0 {
		*histories = shortRun
		if os.Getenv("MCPFLEET_LONG") == "1" {
			*histories = longRun
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
	find(t, newSlowBrokenTwin, 100_000)
}

// Without the pause the window is a few nanoseconds wide, and how soon somebody meets in it depends on what else the
// machine does; tens of thousands of histories are usual.
func TestTheCheckFindsItWithoutAPauseToo(t *testing.T) {
	if *histories < longRun {
		t.Skipf("needs -histories %d or MCPFLEET_LONG=1", longRun)
	}
	find(t, newBrokenTwin, 10*longRun)
}

// find fails the test unless one of n histories of the maps that open makes is a violation.
func find(t *testing.T, open func(*run) sessions, n int) {
	t.Helper()
	begin := time.Now()
	for i := range n {
		if wrong := record(rand.Uint64(), open).violation(); wrong != "" {
			t.Logf("found after %d histories, %v: %s", i+1, time.Since(begin).Round(time.Millisecond), wrong)
			return
		}
	}
	t.Errorf("not found in %d histories", n)
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
