package main

import (
	"errors"
	"fmt"
	"log"
	"runtime/debug"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/schema"
	"github.com/mcpfleet/mcpfleet/internal/schema/hostile"
)

// schemaResult is what became of one hostile schema.
type schemaResult struct {
	Slowest time.Duration // the fastest of three runs: a busy machine can only add
	AsTold  bool          // it was refused, or survived, as the case says
}

// schemaRole compiles the case args[0] and validates its arguments.
func schemaRole(args []string) {
	debug.SetMaxStack(64 << 20) // runaway recursion is a crash, long before Go's default of 1 GB
	for _, c := range hostile.All() {
		if c.Name != args[0] {
			continue
		}
		first := c.Run()
		r := schemaResult{Slowest: first.Slowest()}
		for range 2 {
			r.Slowest = min(r.Slowest, c.Run().Slowest())
		}
		rule := ""
		var guard *schema.GuardError
		if errors.As(first.CompileErr, &guard) {
			rule = guard.Rule
		}
		r.AsTold = rule == c.Rule && errors.Is(first.ValidateErr, schema.ErrTooCostly) == c.Costly
		answer(r)
		return
	}
	log.Fatalf("figures-reliability: there is no hostile schema %q", args[0])
}

// schemas: each hostile schema in a process of its own, with little memory.
func schemas(t *figures.Table) {
	cases := hostile.All()
	crashes, over, wrong := 0, 0, 0
	var slowest time.Duration
	var name string
	for _, c := range cases {
		var r schemaResult
		if _, crash := ask("schema", []string{c.Name}, &r, "GOMEMLIMIT=128MiB"); crash != "" {
			crashes++
			t.Note("S6: %s: the process failed: %s", c.Name, crash)
			continue
		}
		if !r.AsTold {
			wrong++
			t.Note("S6: %s ended otherwise than its case says", c.Name)
		}
		if r.Slowest > 50*time.Millisecond {
			over++
			t.Note("S6: %s took %s", c.Name, millis(r.Slowest))
		}
		if r.Slowest > slowest {
			slowest, name = r.Slowest, c.Name
		}
	}
	t.Row("S6: >= 50 hostile schemas: 0 crashes, <= 50 ms each",
		fmt.Sprintf("%d: %d crashes, %d slow, at most %s", len(cases), crashes, over+wrong, millis(slowest)),
		len(cases) >= 50 && crashes+over+wrong == 0)
	t.Note("S6: the slowest is %q; a case's time is its slowest step in the fastest of three runs; 0 dials: package internal/schema links no network, which a test of it checks", name)
}
