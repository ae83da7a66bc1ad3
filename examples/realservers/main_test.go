package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTwoUsersCallEveryToolOfRealServersAndOutliveTheirRestarts(t *testing.T) {
	npm := os.Getenv("MCPFLEET_NPM")
	if npm == "" {
		t.Skip("MCPFLEET_NPM is not set; run .ci/npm DIR and export MCPFLEET_NPM=DIR")
	}
	before := descendants()
	report, err := run(t.Context(), npm, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range report.rows() {
		t.Log(row)
		if !row.OK {
			t.Errorf("%s: %s", row.Goal, row.Got)
		}
	}
	for _, problem := range report.problems {
		t.Error(problem)
	}
	if left := alive(without(descendants(), before)); len(left) != 0 {
		t.Errorf("processes %v are left", left)
	}
}
