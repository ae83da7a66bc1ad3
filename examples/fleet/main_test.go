package main

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestThirtyServersAreOneFleet(t *testing.T) {
	npm := os.Getenv("MCPFLEET_NPM")
	if npm == "" {
		t.Skip("MCPFLEET_NPM is not set; run .ci/npm DIR and export MCPFLEET_NPM=DIR")
	}
	rows, err := run(t.Context(), "mcp.json", npm, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 4 {
		t.Errorf("%d rows, want 4", len(rows))
	}
	for _, row := range rows {
		t.Logf("%s: %s", row.Goal, row.Got)
		if !row.OK {
			t.Errorf("%s: %s", row.Goal, row.Got)
		}
	}
	if left := mcptest.Children(); len(left) != 0 {
		t.Errorf("processes %v are left", left)
	}
}

// What the servers are is worth a test where they are not installed, too.
func TestTheConfigurationIsOneThatEveryClientReads(t *testing.T) {
	cfg, err := mcpgroup.ReadConfigFile("mcp.json", &mcpgroup.ConfigOptions{
		Strict: true,
		Lookup: func(name string) (string, bool) { return "/" + name, name == "MCPFLEET_NPM" || name == "FLEET_DIR" },
	})
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, c := range calls("/FLEET_DIR") {
		server, _, _ := strings.Cut(c.tool, ".")
		called[server] = true
	}
	for _, s := range cfg.Servers {
		if s.Category == "" {
			t.Errorf("the server %s has no category", s.Name)
		}
		delete(called, s.Name)
	}
	if len(called) > 0 {
		t.Errorf("there are calls to servers that are not in the configuration: %v", called)
	}
	if len(cfg.Servers) != 30 {
		t.Errorf("%d servers, want 30", len(cfg.Servers))
	}
}
