//go:build !unix

package stdio

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// errNotProgram is what the system says of a file that it cannot run (ERROR_BAD_EXE_FORMAT of Windows).
var errNotProgram error = syscall.Errno(193)

func configure(*exec.Cmd) {}

// terminateGroup does nothing: there is no signal that a console program can be expected to handle.
func terminateGroup(*os.Process) {}

// killGroup ends the leader, on Windows with its descendants. The leader's id is not given to another process while we
// hold a handle of it.
func killGroup(leader *os.Process) {
	if runtime.GOOS == "windows" {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		taskkill := filepath.Join(os.Getenv("SYSTEMROOT"), "System32", "taskkill.exe")
		_ = exec.CommandContext(ctx, taskkill, "/T", "/F", "/PID", strconv.Itoa(leader.Pid)).Run()
	}
	_ = leader.Kill() // fails if it has already ended
}

func (g *group) awaitGone(time.Duration) {}
