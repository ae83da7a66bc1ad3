package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"time"
)

// envRole makes this program play a part of a measurement that must not share a process with the rest of it.
const envRole = "MCPFLEET_FIGURES_ROLE"

// roles returns the parts. Each prints its result and returns.
func roles() map[string]func(args []string) {
	return map[string]func(args []string){
		"attacker": attackerRole,
		"schema":   schemaRole,
		"callback": callbackRole,
	}
}

// playRole plays a role and exits, or returns at once if this program was started as itself.
func playRole() {
	role, ok := os.LookupEnv(envRole)
	if !ok {
		return
	}
	log.SetFlags(0)
	play, ok := roles()[role]
	if !ok {
		log.Fatalf("figures-reliability: %s=%q is no role", envRole, role)
	}
	play(os.Args[1:])
	os.Exit(0)
}

// cast is the command that makes a new process play a role, with more environment.
func cast(ctx context.Context, role string, args []string, env ...string) *exec.Cmd {
	self, err := os.Executable()
	check(err)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(append(os.Environ(), envRole+"="+role), env...)
	return cmd
}

// ask lets a process play a role and decodes what it printed. crash is how the process failed, "" if it did not; stderr
// is what it said there.
func ask(role string, args []string, result any, env ...string) (stderr, crash string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := cast(ctx, role, args, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		first, _, _ := strings.Cut(errs.String(), "\n")
		return errs.String(), fmt.Sprintf("%v: %.200s", err, first)
	}
	if err := json.Unmarshal(out.Bytes(), result); err != nil {
		return errs.String(), fmt.Sprintf("it printed %.100q", out.String())
	}
	return errs.String(), ""
}

// answer prints the result of a role.
func answer(result any) { check(json.NewEncoder(os.Stdout).Encode(result)) }
