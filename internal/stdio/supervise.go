package stdio

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

const (
	// orphanWait is how long the pipes of an exited child get to come to their end before we believe that somebody else
	// holds them.
	orphanWait = 100 * time.Millisecond
	// goneWait is how long killed processes get to disappear. It takes them a moment of processor time each.
	goneWait = 2 * time.Second
	// killWait is how long Close waits after SIGKILL.
	killWait = 900 * time.Millisecond
)

// supervise starts the child, waits for its end and ends its group.
//
// It holds on to its thread until the child has exited: Linux sends the parent-death signal when the thread that
// started the child ends, not when the program does (prctl(2), PR_SET_PDEATHSIG). Waiting takes a thread anyway.
func (p *Process) supervise(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		runtime.UnlockOSThread()
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	p.group.lead(cmd.Process)
	started <- nil
	awaitExit(cmd)
	runtime.UnlockOSThread()
	p.bury(cmd)
}

// bury ends what is left of the group after the child has exited, reaps the child and says how it ended.
func (p *Process) bury(cmd *exec.Cmd) {
	asked := p.closing.Load()
	close(p.exited)
	p.stdin.shut()

	leftBehind := !p.stderrEnds(orphanWait)
	if leftBehind {
		p.group.terminate()
		p.stderrEnds(p.terminate)
	}
	p.group.kill()
	p.group.retire(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Wait() // how it ended is in ProcessState
		}
	})
	p.group.awaitGone(goneWait)
	// Whoever still holds the pipes has left the group.
	p.stderr.finish(orphanWait)
	p.stdout.expire()

	if !asked {
		e := &ExitError{
			Command: p.command, ExitCode: -1, Stderr: p.stderr.tail(),
			LeftBehind: leftBehind, Unresponsive: p.unresponsive.Load(),
		}
		if s := cmd.ProcessState; s != nil { // nil if another part of this program reaped our child
			e.ExitCode = s.ExitCode()
			if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
				e.Signal = ws.Signal()
			}
		}
		p.err = e
	}
	close(p.done)
}

// stderrEnds waits until nobody holds the child's standard error any more. It returns false after d, or when the
// process is killed meanwhile.
func (p *Process) stderrEnds(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.stderr.done:
		return true
	case <-p.killed:
		return false
	case <-t.C:
		return false
	}
}

// Kill kills the child and its process group at once. It does not wait: see [Process.Done].
func (p *Process) Kill() {
	p.killOnce.Do(func() {
		close(p.killed)
		p.group.kill()
		p.stdin.shut()
	})
}

// Close ends the child and everything in its process group, reaps it and closes its pipes: it closes the child's input,
// after Config.Terminate sends SIGTERM to the group, and after the same time again SIGKILL. It returns within twice
// Config.Terminate plus 1 s, and when it returns nil nothing of the group runs any more, and nothing that is ours
// to reap is left. It fails if the system does not get the killed processes out of the way in that time; they are reaped
// when it does, which [Process.Done] tells. Further calls wait for the first and return the same.
func (p *Process) Close() error {
	p.closeOnce.Do(func() {
		p.closing.Store(true)
		p.stdin.shut()
		if !p.wait(p.terminate) {
			p.group.terminate()
			if !p.wait(p.terminate) {
				p.Kill()
				if !p.wait(killWait) {
					p.closeErr = fmt.Errorf("stdio: %q (process group %d) is not gone yet after SIGKILL: the machine is overloaded, or it waits for a device or a network file system", p.command, p.pid)
				}
			}
		}
		p.stdout.shut()
	})
	return p.closeErr
}

// wait reports whether p is done within d.
func (p *Process) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.done:
		return true
	case <-t.C:
		return false
	}
}

// InterruptWrite kills the process if a write to its Stdin is blocked now and the same write is still blocked after
// grace: nothing else ends such a write. It returns at once if no write is under way, else after grace or when the
// process has exited. It is made to be run by [context.AfterFunc] when a call's deadline has passed.
func (p *Process) InterruptWrite(grace time.Duration) {
	n, busy := p.stdin.current()
	if !busy {
		return
	}
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-p.exited:
		return
	case <-t.C:
	}
	if now, busy := p.stdin.current(); busy && now == n {
		p.unresponsive.Store(true)
		p.Kill()
	}
}
