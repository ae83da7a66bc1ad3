package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// TestMain lets the suite start the test binary as its client, which so runs under the race detector too.
func TestMain(m *testing.M) {
	if os.Getenv("MCP_CONFORMANCE_SCENARIO") != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestTheSuitePassesButForTheBaseline(t *testing.T) {
	npm := os.Getenv("MCPFLEET_NPM")
	if npm == "" {
		t.Skip("MCPFLEET_NPM is not set; run .ci/npm DIR and export MCPFLEET_NPM=DIR")
	}
	client, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	results, err := runSuite(ctx, npm, client)
	if err != nil {
		t.Fatal(err)
	}
	ran, passed := make(map[string]bool), 0
	for _, r := range results {
		ran[r.Scenario] = true
		passed += r.Passed
		switch {
		case r.OK():
		case r.Failed == 0:
			t.Errorf("%s passes; take it out of baseline.yml", r.Scenario)
		default:
			t.Errorf("%s:\n%s\nthe client said: %s", r.Scenario, strings.Join(r.Failures, "\n"), r.Stderr)
		}
		if r.Passed+r.Failed+r.Skipped == 0 {
			t.Errorf("%s checked nothing", r.Scenario)
		}
	}
	for name := range scenarios {
		if !ran[name] {
			t.Errorf("the suite has no scenario %q", name)
		}
	}
	t.Logf("%d scenarios, %d checks passed", len(results), passed)
}

func TestScenariosRunAgainstAnyServer(t *testing.T) {
	h := mcptest.Serve(t, mcptest.HTTPHandler(mcptest.NewSDKServer("everything"), false))
	for name, want := range map[string]string{"initialize": "", "request-metadata": "", "no-such-scenario": "is not known", "tools_call": "not found"} {
		err := run(session.NewContext(t.Context(), alice), h.URL(), name, `{"toolCalls": []}`)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	if err := run(t.Context(), h.URL(), "initialize", "{"); err == nil {
		t.Error("a context that is not JSON is accepted")
	}
	if err := run(session.NewContext(t.Context(), alice), h.URL(), "tools_call", ""); !errors.Is(err, mcpgroup.ErrToolNotFound) {
		t.Errorf("error %v, want ErrToolNotFound", err)
	}
}

func TestTheBaselineGivesAReasonPerLine(t *testing.T) {
	reasons, err := expected(baseline)
	if err != nil {
		t.Fatal(err)
	}
	for name := range reasons {
		if scenarios[name] != nil {
			t.Errorf("%s is expected to fail, and the client knows what to do", name)
		}
	}
	for _, text := range []string{"client:\n  - auth/dpop", "client:\n  - auth/dpop #", "server:\n", "- a # b\n- a # b"} {
		if _, err := expected(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestResultsAreReadAsTheSuiteWritesThem(t *testing.T) {
	const checks = `[{"id":"a","status":"SUCCESS"},{"id":"b","status":"INFO"},{"id":"c","status":"SKIPPED"},
		{"id":"d","status":"FAILURE","description":"does d","errorMessage":"did not"},{"id":"e","status":"WARNING","description":"does e"}]`
	results, err := readResults(fstest.MapFS{
		"auth/x-2026-11-21T13-05-15-313Z/checks.json": {Data: []byte(checks)},
		"auth/x-2026-11-21T13-05-15-313Z/stderr.txt":  {Data: []byte("oh\n")},
		"a-2026-11-21T13-05-15-007Z/checks.json":      {Data: []byte(`[]`)},
	})
	if err != nil || len(results) != 2 || results[0].Scenario != "a" {
		t.Fatalf("results %+v, %v", results, err)
	}
	r := results[1]
	if r.Scenario != "auth/x" || r.Passed != 1 || r.Skipped != 1 || r.Failed != 2 || r.Stderr != "oh" ||
		strings.Join(r.Failures, ", ") != "d: did not, e: does e" {
		t.Errorf("result %+v", r)
	}
	if r.OK() || !(&Result{Failed: 1, Reason: "known"}).OK() || (&Result{Passed: 1, Reason: "known"}).OK() || !(&Result{Passed: 1}).OK() {
		t.Error("OK is wrong")
	}
	if _, err := readResults(fstest.MapFS{"x/checks.json": {Data: []byte("{")}}); err == nil {
		t.Error("a broken file is accepted")
	}
}
