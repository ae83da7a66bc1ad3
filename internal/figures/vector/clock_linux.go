package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pin restarts the program on one of the cores it may use, so that all of its threads, and what it counts as cores, are
// that one. It returns in the program that has been restarted.
func pin() {
	const done = "MCPFLEET_PINNED"
	if os.Getenv(done) != "" {
		return
	}
	var allowed, one unix.CPUSet
	check(unix.SchedGetaffinity(0, &allowed))
	for core := range 1024 {
		if allowed.IsSet(core) {
			one.Zero()
			one.Set(core) // the last one: interrupts like the first
		}
	}
	check(unix.SchedSetaffinity(0, &one))
	self, err := os.Executable()
	check(err)
	check(unix.Exec(self, os.Args, append(os.Environ(), done+"=1")))
}

// now returns the CPU time that the process has used.
func now() time.Duration {
	var ts unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts))
	return time.Duration(ts.Nano())
}
