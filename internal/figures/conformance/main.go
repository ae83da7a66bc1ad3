// The program conformance runs the protocol's conformance suite with this library's client and with the client of the
// SDK below it, and prints what each of the two passes.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
)

// sdkClient is the client with which the SDK tests itself. It is built from the version that go.mod names.
const sdkClient = "github.com/modelcontextprotocol/go-sdk/conformance/everything-client"

func main() {
	npm := os.Getenv("MCPFLEET_NPM")
	if npm == "" {
		figures.Absent("MCPFLEET_NPM is not set; run .ci/npm DIR and export MCPFLEET_NPM=DIR")
	}
	t := figures.New("conformance")
	if err := measure(t, npm); err != nil {
		fmt.Fprintln(os.Stderr, err)
		t.Row("the suite runs", "it did not", false)
	}
	t.Exit()
}

func measure(t *figures.Table, npm string) error {
	dir, err := os.MkdirTemp("", "mcpfleet-figures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ours, sdk := filepath.Join(dir, "conformance"), filepath.Join(dir, "everything-client")
	for path, pkg := range map[string]string{ours: "./internal/conformance", sdk: sdkClient} {
		build := exec.Command("go", "build", "-o", path, pkg)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("figures-conformance: building %s (run this in the root of the repository): %w", pkg, err)
		}
	}
	start := time.Now()
	a, err := suite(ours, npm, ours)
	if err != nil {
		return err
	}
	took := time.Since(start)
	b, err := suite(ours, npm, sdk)
	if err != nil {
		return err
	}

	sdks := make(map[string]result, len(b))
	for _, r := range b {
		sdks[r.Scenario] = r
	}
	var failing, failingSDK, skipped int
	for _, r := range a {
		other := sdks[r.Scenario]
		failing += min(r.Failed, 1)
		failingSDK += min(other.Failed, 1)
		if r.Passed+r.Failed == 0 {
			skipped++
		}
		// How many checks there are depends on how many requests a client makes; what counts is that none fails.
		t.Row(r.Scenario, fmt.Sprintf("%s (the SDK's client: %s)", outcome(r), outcome(other)),
			(r.Failed > 0) == (r.Reason != "") && (r.Failed == 0 || other.Failed > 0))
	}
	t.Row("scenarios with a failed check: fewer than the SDK's client has", fmt.Sprintf("%d to %d, of %d", failing, failingSDK, len(a)), failing < failingSDK)
	for _, r := range a {
		switch {
		case r.Reason != "":
			t.Note("%s is expected to fail: %s", r.Scenario, r.Reason)
		case r.Failed > 0:
			t.Note("%s failed: %s", r.Scenario, strings.Join(r.Failures, "; "))
		}
	}
	t.Note("%d scenarios are about what neither client has, such as skills; the suite skips their checks", skipped)
	t.Note("all scenarios took %.1f s with this library's client, side by side", took.Seconds())
	return nil
}

// A result is a line that internal/conformance prints.
type result struct {
	Scenario                string
	Passed, Failed, Skipped int
	Failures                []string
	Reason                  string
}

// suite runs the suite with a client.
func suite(program, npm, client string) ([]result, error) {
	cmd := exec.Command(program, "-suite", npm, "-client", client)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var results []result
	lines := bufio.NewScanner(out)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		var r result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("figures-conformance: %s printed what is no result: %w", program, err)
		}
		results = append(results, r)
	}
	// Scenarios that end otherwise than expected make the program fail; the rows say so.
	if err := cmd.Wait(); err != nil && len(results) == 0 {
		return nil, fmt.Errorf("figures-conformance: %w\n%s", err, said.String())
	}
	return results, lines.Err()
}

func outcome(r result) string {
	switch {
	case r.Failed > 0:
		return fmt.Sprintf("%d of %d checks fail", r.Failed, r.Failed+r.Passed)
	case r.Passed == 0:
		return "skipped"
	}
	return fmt.Sprintf("%d checks pass", r.Passed)
}
