package mcptest

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Goroutines returns the number of goroutines once it has stopped falling: for those that are about to end it waits
// until the number was the same, or higher, for 50 ms, at most 2 s in all.
func Goroutines() int {
	const step, steady = 5 * time.Millisecond, 10
	lowest, same := runtime.NumGoroutine(), 0
	for deadline := time.Now().Add(2 * time.Second); same < steady && time.Now().Before(deadline); {
		time.Sleep(step)
		if n := runtime.NumGoroutine(); n < lowest {
			lowest, same = n, 0
		} else {
			same++
		}
	}
	return lowest
}

// OpenFiles returns how many file descriptors this process has open, sockets and pipes included, or -1 where /proc does
// not tell.
func OpenFiles() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return -1
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return -1
	}
	return len(names) - 1 // without dir itself
}

// Process is one process as /proc shows it.
type Process struct {
	PID, Parent, Group int
	State              string // "R", "S", "Z" for a zombie, ...
	Name               string
}

// Processes returns all processes for which keep holds; nil where /proc does not tell. The list is a snapshot: a process
// may have ended since.
func Processes(keep func(Process) bool) []Process {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	var found []Process
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		if p, ok := parseStat(string(stat)); ok && keep(p) {
			found = append(found, p)
		}
	}
	return found
}

// parseStat reads the beginning of /proc/PID/stat: "12 (a name) S 1 12 ...". The name may hold blanks and parentheses
// (proc_pid_stat(5)), so the last one counts.
func parseStat(stat string) (Process, bool) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return Process{}, false
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 3 {
		return Process{}, false
	}
	pid, err1 := strconv.Atoi(strings.TrimSpace(stat[:open]))
	parent, err2 := strconv.Atoi(fields[1])
	group, err3 := strconv.Atoi(fields[2])
	if err1 != nil || err2 != nil || err3 != nil {
		return Process{}, false
	}
	return Process{PID: pid, Parent: parent, Group: group, State: fields[0], Name: stat[open+1 : end]}, true
}

// ProcessGroup returns the processes of a process group, zombies included: those of ours that nobody waited for, and
// orphans that the system's first process has not got round to yet, whose Parent is 1.
func ProcessGroup(group int) []Process {
	return Processes(func(p Process) bool { return p.Group == group })
}

// Children returns the children of this process, zombies included. The ones of other tests that run in parallel are
// among them.
func Children() []Process {
	self := os.Getpid()
	return Processes(func(p Process) bool { return p.Parent == self })
}

// HeapInUse returns the bytes of live heap after a full collection. Two collections, because what the first one finalizes
// (and what a sync.Pool held) only the second one frees.
func HeapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
