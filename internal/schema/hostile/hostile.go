// Package hostile is a collection of tool schemas written to break the program that compiles them, each with arguments
// that trigger it. Tests run every [Case] in a process of its own; other programs can use it to measure.
package hostile

import (
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

// A Case is one attack.
type Case struct {
	Name string
	// Schema builds what is given to schema.Compile: usually a json.RawMessage.
	Schema func() any
	// Args builds the arguments to validate if the schema is accepted. Nil is an empty object.
	Args func() map[string]any
	// Rule is the rule under which Compile must refuse the schema, "" if the schema is harmless once limits apply.
	Rule string
	// Costly is set if validating Args must end in schema.ErrTooCostly.
	Costly bool
	// Limits is nil for the defaults.
	Limits *schema.Limits
}

// A Result is what running a [Case] took.
type Result struct {
	Compile, Validate, Prune time.Duration
	CompileErr, ValidateErr  error
	Allocated                uint64 // bytes, by all three together, garbage included
}

// Run compiles the schema and, if that succeeds, validates and prunes the arguments.
func (c Case) Run() Result {
	raw := c.Schema()
	var args map[string]any
	if c.Args != nil {
		args = c.Args()
	}
	var r Result
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	s, err := schema.Compile(raw, c.Limits)
	r.Compile, r.CompileErr = time.Since(start), err
	if err == nil {
		start = time.Now()
		r.ValidateErr = s.Validate(args)
		r.Validate = time.Since(start)
		start = time.Now()
		s.Prune(args)
		r.Prune = time.Since(start)
	}
	runtime.ReadMemStats(&after)
	r.Allocated = after.TotalAlloc - before.TotalAlloc
	return r
}

// Slowest is the longest of the three durations.
func (r Result) Slowest() time.Duration { return max(r.Compile, r.Validate, r.Prune) }

// All returns every case.
func All() []Case {
	var all []Case
	for _, list := range [][]Case{references(), expansions(), sizes(), patterns(), values()} {
		all = append(all, list...)
	}
	return all
}

func text(s string) func() any { return func() any { return json.RawMessage(s) } }

func textf(format string, args ...any) func() any { return text(fmt.Sprintf(format, args...)) }

func args(s string) func() map[string]any {
	return func() map[string]any {
		var m map[string]any
		if err := json.Unmarshal([]byte(s), &m); err != nil {
			panic(err)
		}
		return m
	}
}

// nested returns {"name":{"name":...}} with depth levels.
func nested(name string, depth int) func() map[string]any {
	return func() map[string]any {
		m := map[string]any{}
		for range depth {
			m = map[string]any{name: m}
		}
		return m
	}
}
