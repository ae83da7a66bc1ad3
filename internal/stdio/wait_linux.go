package stdio

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// dieWithParent makes the child receive SIGTERM, which wrappers pass on, when the thread that starts it ends.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }

// awaitExit returns when the child has exited and leaves it to be reaped, so that its id stays taken. It reaps it only
// if the system cannot do that.
func awaitExit(cmd *exec.Cmd) {
	const pPID = 1 // P_PID of waitid(2); syscall has no name for it
	for {
		// The result is not asked for: a null pointer is allowed on Linux (waitid(2), "Bugs").
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(cmd.Process.Pid), 0,
			syscall.WEXITED|syscall.WNOWAIT, 0, 0)
		switch {
		case errno == 0:
			return
		case !errors.Is(errno, syscall.EINTR):
			_ = cmd.Wait() // how it ended is in ProcessState
			return
		}
	}
}

// onlyZombies reports whether all members of a process group are dead and wait for another process to reap them. We
// need not wait for that. Without a proc(5) file system it reports false.
func onlyZombies(pgid int) bool {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		return false
	}
	group := strconv.Itoa(pgid)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// proc_pid_stat(5): after the name in parentheses, which may contain anything, come state, parent and group.
		f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		if len(f) < 3 || string(f[2]) == group && f[0][0] != 'Z' && f[0][0] != 'X' {
			return false
		}
	}
	return true
}
