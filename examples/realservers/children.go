package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A child is a process identified across the reuse of its id.
type child struct {
	pid     int
	started string // in clock ticks after boot
	command string // the program's name, at most 15 bytes
}

// descendants returns the processes below this one, as /proc tells. Where there is no /proc it returns none: the
// servers of this example run on Linux only.
func descendants() map[child]bool {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	type process struct {
		child
		parent int
	}
	var all []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parent, command, started, ok := processStat(pid); ok {
			all = append(all, process{child{pid, started, command}, parent})
		}
	}
	below := map[int]bool{os.Getpid(): true}
	found := map[child]bool{}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if below[p.parent] && !below[p.pid] {
				below[p.pid], found[p.child], grown = true, true, true
			}
		}
	}
	return found
}

// alive returns the processes that run. One that its parent has not waited for yet is still there.
func alive(children map[child]bool) map[child]bool {
	found := map[child]bool{}
	for c := range children {
		if _, _, started, ok := processStat(c.pid); ok && started == c.started {
			found[c] = true
		}
	}
	return found
}

// without returns the processes of a that are not in b.
func without(a, b map[child]bool) map[child]bool {
	rest := map[child]bool{}
	for c := range a {
		if !b[c] {
			rest[c] = true
		}
	}
	return rest
}

// processStat reads a process's parent (field 4), name (2) and start time (22) from /proc/PID/stat, see
// proc_pid_stat(5).
func processStat(pid int) (parent int, command, started string, ok bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, "", "", false
	}
	return parseStat(string(data))
}

// parseStat copes with names, which are in parentheses and may hold anything.
func parseStat(stat string) (parent int, command, started string, ok bool) {
	start, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if start < 0 || end < start {
		return 0, "", "", false
	}
	fields := strings.Fields(stat[end+1:]) // from field 3 on
	if len(fields) < 20 {
		return 0, "", "", false
	}
	parent, err := strconv.Atoi(fields[1])
	return parent, stat[start+1 : end], fields[19], err == nil
}
