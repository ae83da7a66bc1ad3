//go:build unix

package stdio

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// errNotProgram is what the system says of a file that it cannot run.
var errNotProgram error = syscall.ENOEXEC

func configure(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
}

// Errors are of no use: the group is gone, or made up of what may not be signalled.
func terminateGroup(leader *os.Process) { _ = syscall.Kill(-leader.Pid, syscall.SIGTERM) }

func killGroup(leader *os.Process) { _ = syscall.Kill(-leader.Pid, syscall.SIGKILL) }

// awaitGone waits until the killed group has disappeared, for d at most. Orphans are reaped by the init process; in a
// container that is often this program, which then has to do it itself, or one that never does.
func (g *group) awaitGone(d time.Duration) {
	const patience = 10 * time.Millisecond // for the init process, before we look closer
	end := time.Now().Add(d)
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 5*patience) {
		// In this order: what has died by now and is ours is reaped.
		dead := pause >= patience && onlyZombies(g.pid)
		ours := reapGroup(g.pid)
		if !ours && (dead || errors.Is(syscall.Kill(-g.pid, 0), syscall.ESRCH)) || time.Now().After(end) {
			return
		}
		time.Sleep(pause)
	}
}

// reapGroup reaps those children of this program that are in a process group and dead, and reports whether others of
// them are left.
func reapGroup(pgid int) bool {
	for {
		n, err := syscall.Wait4(-pgid, nil, syscall.WNOHANG, nil)
		if n <= 0 && !errors.Is(err, syscall.EINTR) {
			return err == nil
		}
	}
}
