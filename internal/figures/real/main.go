// The program real runs examples/realservers, which calls every tool of real MCP servers for two users at once and kills
// one of the servers on the way, and prints its summary as a table.
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

func main() {
	npm := os.Getenv("MCPFLEET_NPM")
	if npm == "" {
		figures.Absent("MCPFLEET_NPM is not set; run .ci/npm DIR and export MCPFLEET_NPM=DIR")
	}
	t := figures.New("real")
	start := time.Now()
	if err := replay(t, npm); err != nil {
		fmt.Fprintln(os.Stderr, err)
		t.Row("the example examples/realservers ends well", "it failed", false)
	}
	t.Note("the rows are the summary of: go run ./examples/realservers -npm DIR, which took %.0f s with its build and the starts of all servers", time.Since(start).Seconds())
	t.Note("rightly refused: the server answered with an error and had to, such as a database server without a database")
	t.Note("tools that ran twice: as counted by a proxy before the server, and by the requests that a tool makes to the host")
	t.Exit()
}

// replay runs the example and copies its rows into t. The example is a program of its own, as it is for its readers.
func replay(t *figures.Table, npm string) error {
	cmd := exec.Command("go", "run", "./examples/realservers", "-json", "-npm", npm)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("figures-real: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("figures-real: starting the example (run this in the root of the repository): %w", err)
	}
	short := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var row struct {
			Goal, Got string
			OK        bool
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return fmt.Errorf("figures-real: the example printed what is no row: %w", err)
		}
		t.Row(row.Goal, row.Got, row.OK)
		short = short || !row.OK
	}
	// A row that is short makes the example fail; that has been said.
	if err := cmd.Wait(); err != nil && !short {
		return fmt.Errorf("figures-real: the example failed: %w", err)
	}
	return nil
}
