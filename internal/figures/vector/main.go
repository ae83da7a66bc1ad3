// The program vector measures exact search in package selector/vector against a pass that only loads the same memory, against
// a plain loop and against chromem-go, on one core; and its loop for processors without AVX2 against vek's.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/viterin/vek"

	"github.com/mcpfleet/mcpfleet/internal/figures"
)

func main() {
	log.SetFlags(0)
	pin()
	debug.SetGCPercent(-1) // a collection would be charged to whoever runs at that moment; see race.run
	if len(os.Args) > 1 && os.Args[1] == "fallback" {
		fmt.Println(fallback())
		return
	}
	t := figures.New("vector")
	if vek.Info().Acceleration {
		speed(t)
		exactness(t)
		scaling(t)
	} else {
		t.Note("vek is not accelerated on this processor: only its fallback was measured")
	}
	withoutAVX2(t)
	t.Note("one core, process CPU time; those compared take turns of %v; a ratio is that of the fastest laps of %v or of one search, which neighbours disturb least; typical are the medians of the laps, as in the notes", turn, lap)
	t.Exit()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// withoutAVX2 runs the program again as a processor that has none, for vek decides once.
func withoutAVX2(t *figures.Table) {
	self, err := os.Executable()
	check(err)
	cmd := exec.Command(self, "fallback")
	cmd.Env = append(os.Environ(), "GODEBUG=cpu.avx2=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	check(err)
	ratio, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	check(err)
	t.Row("without AVX2: at least 1.5 times as fast as vek's fallback Dot, 1,000 x 384", fmt.Sprintf("%.2f times", ratio), ratio >= 1.5)
}
