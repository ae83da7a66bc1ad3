package hostile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/internal/schema"
	"github.com/mcpfleet/mcpfleet/internal/schema/hostile"
)

const caseVariable = "MCPFLEET_HOSTILE_CASE"

// outcome is what the process that runs one case prints.
type outcome struct {
	Rule      string
	Costly    bool
	Slowest   time.Duration
	Allocated uint64
	Error     string
}

func TestMain(m *testing.M) {
	if name := os.Getenv(caseVariable); name != "" {
		runCase(name)
		return
	}
	goleak.VerifyTestMain(m)
}

func runCase(name string) {
	debug.SetMaxStack(64 << 20) // runaway recursion is a crash, long before Go's default of 1 GB
	for _, c := range hostile.All() {
		if c.Name != name {
			continue
		}
		r := c.Run()
		o := outcome{Slowest: r.Slowest(), Allocated: r.Allocated}
		for range 2 { // the fastest of three: a busy machine can only add
			o.Slowest = min(o.Slowest, c.Run().Slowest())
		}
		var guard *schema.GuardError
		if errors.As(r.CompileErr, &guard) {
			o.Rule = guard.Rule
		}
		for _, err := range []error{r.CompileErr, r.ValidateErr} {
			if err != nil {
				o.Error += err.Error()
			}
		}
		o.Costly = errors.Is(r.ValidateErr, schema.ErrTooCostly)
		json.NewEncoder(os.Stdout).Encode(o)
		return
	}
	os.Exit(3)
}

// TestEveryHostileSchemaIsSurvived runs each case in its own process with little memory and a small stack (S6): none may
// crash, hang or allocate without bound, and each ends the way the case says. The time, the fastest of three runs, is only logged.
func TestEveryHostileSchemaIsSurvived(t *testing.T) {
	if raceEnabled {
		t.Skip("what is measured here is memory, stack and time, all of which the race detector multiplies")
	}
	cases := hostile.All()
	if len(cases) < 50 {
		t.Fatalf("%d cases, want at least 50", len(cases))
	}
	names := map[string]bool{}
	var slowest time.Duration
	var slowestName string
	over := 0
	for _, c := range cases {
		if names[c.Name] {
			t.Fatalf("two cases are called %q", c.Name)
		}
		names[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			o := runInProcess(t, c.Name)
			if o.Rule != c.Rule {
				t.Errorf("refused under rule %q, want %q (%s)", o.Rule, c.Rule, o.Error)
			}
			if o.Costly != c.Costly {
				t.Errorf("gave up = %v, want %v (%s)", o.Costly, c.Costly, o.Error)
			}
			if o.Allocated > 64<<20 {
				t.Errorf("allocated %d MiB", o.Allocated>>20)
			}
			if len(o.Error) > 8<<10 {
				t.Errorf("the error has %d bytes", len(o.Error))
			}
			if o.Slowest > slowest {
				slowest, slowestName = o.Slowest, c.Name
			}
			if o.Slowest > 50*time.Millisecond {
				over++
				t.Logf("%s took %v", c.Name, o.Slowest)
			}
		})
	}
	t.Logf("%d hostile schemas, the slowest took %v (%s; fastest of three runs), %d above 50ms", len(cases), slowest, slowestName, over)
}

func runInProcess(t *testing.T, name string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), caseVariable+"="+name, "GOMEMLIMIT=128MiB")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("the process failed: %v\n%.2000s", err, stderr.String())
	}
	var o outcome
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
		t.Fatalf("the process printed %q: %v", stdout.String(), err)
	}
	return o
}

// TestTheSchemaPackageCannotDial shows it by what is linked: without package net nothing can reach the network, and the
// package itself does not import os.
func TestTheSchemaPackageCannotDial(t *testing.T) {
	list := func(format string, flags ...string) []string {
		args := append([]string{"list", "-f", format}, flags...)
		out, err := exec.Command("go", append(args, "github.com/mcpfleet/mcpfleet/internal/schema")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	for _, path := range list("{{.ImportPath}}", "-deps") {
		if path == "net" || path == "net/http" || path == "plugin" || path == "os/exec" {
			t.Errorf("links %s", path)
		}
	}
	for _, path := range list(`{{join .Imports "\n"}}`) {
		if path == "os" || path == "io/fs" || path == "syscall" {
			t.Errorf("imports %s", path)
		}
	}
}
