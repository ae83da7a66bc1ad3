package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
)

// fleet runs the example examples/fleet and copies its summary into t. The example is a program of its own, as it is for
// its readers.
func fleet(t *figures.Table) {
	start := time.Now()
	if err := replay(t); err != nil {
		fmt.Fprintln(os.Stderr, err)
		t.Row("fleet: the example examples/fleet ends well", "it failed", false)
	}
	t.Note("fleet: go run ./examples/fleet, which took %.0f s with its build and the starts of all servers", time.Since(start).Seconds())
}

func replay(t *figures.Table) error {
	cmd := exec.Command("go", "run", "./examples/fleet", "-json")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("figures-registry: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("figures-registry: starting the example (run this in the root of the repository): %w", err)
	}
	rows, short := 0, false
	for lines := bufio.NewScanner(out); lines.Scan(); rows++ {
		var row struct {
			Goal, Got string
			OK        bool
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return fmt.Errorf("figures-registry: the example printed what is no row: %w", err)
		}
		t.Row("fleet: "+row.Goal, row.Got, row.OK)
		short = short || !row.OK
	}
	// A row that is short makes the example fail; that has been said.
	if err := cmd.Wait(); err != nil && !short {
		return fmt.Errorf("figures-registry: the example failed: %w", err)
	}
	if rows == 0 {
		return fmt.Errorf("figures-registry: the example printed no row")
	}
	return nil
}
