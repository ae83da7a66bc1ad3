package stdio

import (
	"errors"
	"os/exec"
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
