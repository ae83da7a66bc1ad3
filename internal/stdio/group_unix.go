//go:build unix

package stdio

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func configure(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
}

// Errors are of no use: the group is gone, or made up of what may not be signalled.
func terminateGroup(leader *os.Process) { _ = syscall.Kill(-leader.Pid, syscall.SIGTERM) }

func killGroup(leader *os.Process) { _ = syscall.Kill(-leader.Pid, syscall.SIGKILL) }

// awaitGone waits until the killed group has disappeared, for d at most. Orphans are reaped by the init process; in a
// container that is often this program, which then has to do it itself.
func (g *group) awaitGone(d time.Duration) {
	pause := 100 * time.Microsecond
	for end := time.Now().Add(d); time.Now().Before(end); {
		for {
			if n, err := syscall.Wait4(-g.pid, nil, syscall.WNOHANG, nil); n <= 0 && !errors.Is(err, syscall.EINTR) {
				break
			}
		}
		if errors.Is(syscall.Kill(-g.pid, 0), syscall.ESRCH) {
			return
		}
		time.Sleep(pause)
		pause = min(2*pause, 10*time.Millisecond)
	}
}
