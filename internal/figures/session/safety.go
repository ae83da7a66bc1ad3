package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
)

// oneDial lets 1,000 callers ask for the same session and the one who started the dial give up.
func oneDial(t *figures.Table) {
	const callers = 1000
	var c counts
	proceed := make(chan struct{})
	m := newMap(&c, func(context.Context) error { <-proceed; return nil })
	ctx, cancel := context.WithCancel(context.Background())
	var succeeded, failed atomic.Int64
	var started, wg sync.WaitGroup
	acquire := func(ctx context.Context) {
		started.Done()
		r, err := m.Acquire(ctx, idOf("alice"))
		if err != nil {
			failed.Add(1)
			return
		}
		succeeded.Add(1)
		r.Release()
	}
	started.Add(callers)
	wg.Go(func() { acquire(ctx) })
	for m.Stats().Dialing == 0 { // the first caller's dial
		runtime.Gosched()
	}
	for range callers - 1 {
		wg.Go(func() { acquire(context.Background()) })
	}
	started.Wait()
	cancel()
	for failed.Load() == 0 {
		runtime.Gosched()
	}
	close(proceed)
	wg.Wait()
	check(m.Drain(context.Background()))
	t.Row("1,000 callers of one key, the first gives up: 1 dial, 999 succeed",
		fmt.Sprintf("%d dial, %d succeed", m.Stats().Dials, succeeded.Load()), m.Stats().Dials == 1 && succeeded.Load() == callers-1)
}

// cancelled lets 1,000 callers give up while their sessions are being opened, some just as they arrive.
func cancelled(t *figures.Table) {
	const callers = 1000
	before := runtime.NumGoroutine()
	var c counts
	m := newMap(&c, func(context.Context) error { time.Sleep(2 * time.Millisecond); return nil })
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%5)*time.Millisecond)
			defer cancel()
			if r, err := m.Acquire(ctx, idOf(fmt.Sprint("user-", i))); err == nil {
				r.Release()
			}
		})
	}
	wg.Wait()
	for m.Stats().Dialing > 0 {
		time.Sleep(time.Millisecond)
	}
	left := m.Stats()
	kept := int64(left.Sessions)
	check(m.Drain(context.Background()))
	goroutines := runtime.NumGoroutine()
	for range 1000 { // callbacks have returned, their goroutines are about to
		if goroutines <= before {
			break
		}
		time.Sleep(time.Millisecond)
		goroutines = runtime.NumGoroutine()
	}
	leaked := c.opened.Load() - c.closed.Load() + int64(left.Leased) + int64(max(0, goroutines-before))
	t.Row("1,000 cancelled acquires leak no session, reference or goroutine",
		fmt.Sprintf("%d of %d leaked", leaked, c.opened.Load()), leaked == 0 && c.twice.Load() == 0)
	t.Note("of the %d sessions that were opened for callers who gave up, %d came in time to be kept", c.opened.Load(), kept)
}

// cleanup acquires while everything idle is closed all the time.
func cleanup(t *figures.Table) {
	const acquires, users = 1_000_000, 5
	var c counts
	m := newMap(&c, nil)
	var unavailable atomic.Int64
	var wg, cleaner sync.WaitGroup
	stop := make(chan struct{})
	cleaner.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				m.CleanupSessions(0)
			}
		}
	})
	for i := range users {
		wg.Go(func() {
			id := idOf(fmt.Sprint("user-", i))
			for n := range acquires / users {
				if n%64 == i {
					m.CleanupSessions(0)
				}
				r, err := m.Acquire(context.Background(), id)
				if err != nil || r.Value().closed.Load() {
					unavailable.Add(1)
					continue
				}
				r.Release()
			}
		})
	}
	wg.Wait()
	close(stop)
	cleaner.Wait()
	check(m.Drain(context.Background()))
	t.Row("1,000,000 acquires during cleanups: none unavailable",
		fmt.Sprintf("%d unavailable", unavailable.Load()), unavailable.Load() == 0 && c.opened.Load() == c.closed.Load())
	t.Note("the cleanups closed %d sessions meanwhile", c.closed.Load())
}

// suite runs those checks that need a bubble of virtual time or the race detector, which are tests of the package.
func suite(t *figures.Table) {
	dir, err := os.MkdirTemp("", "figures-session")
	check(err)
	defer os.RemoveAll(dir)

	day := runTest(dir, "TestADayWithAThousandSessions", false)
	t.Row("1,000 sessions, 24 h: closed in time, none while in use", day.verdict(), day.passed)

	stress := runTest(dir, "TestStress", true, "-long")
	t.Row("stress, 10,000 keys, 10,000,000 acquires, -race: nothing lost", stress.verdict(), stress.passed)
	t.Row("the same takes at most 60 s on 2 cores",
		fmt.Sprintf("%.0f s (%.0f s of processor)", stress.wall.Seconds(), stress.cpu.Seconds()), stress.passed && stress.wall <= time.Minute)
	for _, r := range []result{day, stress} {
		if r.passed {
			t.Note("%s", r.log)
		} else {
			t.Note("%s: %s", r.name, r.output)
		}
	}
	t.Note("stress: 64 goroutines, 5 %% of dials fail, 5 %% of callers give up, with CleanupSessions, Kill, Retire, Range, idle and lifetime expiry and eviction at random")
}

type result struct {
	name, log, output string
	passed            bool
	wall, cpu         time.Duration
}

func (r result) verdict() string {
	if r.passed {
		return "passed"
	}
	return "FAILED"
}

var logLine = regexp.MustCompile(`(?m)^\s+\w+_test\.go:\d+: (.*)$`)

// runTest builds the tests of the session package and runs one.
func runTest(dir, name string, race bool, args ...string) result {
	binary := filepath.Join(dir, name+".test")
	build := exec.Command("go", "test", fmt.Sprintf("-race=%t", race), "-c", "-o", binary, "github.com/mcpfleet/mcpfleet/session")
	build.Stderr = os.Stderr
	check(build.Run())

	run := exec.Command(binary, append([]string{"-test.run=^" + name + "$", "-test.v", "-test.timeout=150s"}, args...)...)
	run.Dir = dir
	start := time.Now()
	out, err := run.CombinedOutput()
	r := result{
		name:   name,
		output: string(out[:min(len(out), 2000)]),
		passed: err == nil && strings.Contains(string(out), "--- PASS: "+name),
		wall:   time.Since(start),
	}
	if run.ProcessState != nil {
		r.cpu = run.ProcessState.UserTime() + run.ProcessState.SystemTime()
	}
	if found := logLine.FindSubmatch(out); found != nil {
		r.log = string(found[1])
	}
	return r
}
