package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// sharedDial: a thousand callers of one user wait for the same connect; the one that began it gives up.
func sharedDial(t *figures.Table) {
	const rounds, callers = 20, 1000
	l := newLab(mcptest.NewRaw(nil), mcpgroup.ServerConfig{ProtocolVersion: mcptest.Era2025}, nil)
	defer l.close()
	var succeeded atomic.Int64
	firstFailed := 0
	for round := range rounds {
		ctx := user(round)
		l.SetHangInitialize(true)
		giveUp, cancel := context.WithCancel(ctx)
		defer cancel()
		first := make(chan error, 1)
		go func() { first <- l.group.WithSession(giveUp, touch) }()
		if !eventually(5*time.Second, func() bool { return l.Initializes() == round+1 }) {
			break // the row says how many dials there were
		}
		var started atomic.Int64
		var wg sync.WaitGroup
		for range callers - 1 {
			wg.Go(func() {
				started.Add(1)
				if l.group.WithSession(ctx, touch) == nil {
					succeeded.Add(1)
				}
			})
		}
		eventually(5*time.Second, func() bool { return started.Load() == callers-1 })
		time.Sleep(20 * time.Millisecond) // for the last of them to reach the dial
		cancel()
		if <-first != nil {
			firstFailed++
		}
		l.SetHangInitialize(false)
		wg.Wait()
	}
	t.Row(fmt.Sprintf("R3: %d callers share a dial, the first gives up: 1 dial, %d succeed", callers, callers-1),
		fmt.Sprintf("%d rounds: %.2f dials, %.1f succeed", rounds, float64(l.Initializes())/rounds, float64(succeeded.Load())/rounds),
		l.Initializes() == rounds && succeeded.Load() == rounds*(callers-1) && firstFailed == rounds)
}

// day: virtual time exists in tests only, so a test of the session package is run.
func day(t *figures.Table) {
	const test = "TestADayWithAThousandSessions"
	goal := "R4: 1,000 sessions, 24 h: all idle ones closed in time, no leased one"
	if _, err := exec.LookPath("go"); err != nil {
		t.Note("R4 was left out: it is the test %s of package session, which needs the go command", test)
		return
	}
	out, err := exec.Command("go", "test", "-count=1", "-v", "-run", "^"+test+"$", "./session").CombinedOutput()
	passed := err == nil && strings.Contains(string(out), "--- PASS: "+test)
	got := "the test failed"
	if passed {
		got = "the test passes"
		for line := range strings.Lines(string(out)) {
			if _, said, ok := strings.Cut(line, "_test.go:"); ok {
				_, got, _ = strings.Cut(said, ": ")
			}
		}
	}
	t.Row(goal, got, passed)
	t.Note("R4 ran the test %s of package session in virtual time", test)
}
