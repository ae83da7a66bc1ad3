package stdio

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"time"
)

const (
	// causeWait is how long a read or write that met the end of its pipe waits to learn how the child ended. It bounds
	// the wait when the child closed its end but lives on.
	causeWait = time.Second
	// drainWait is how long a read waits for more output after the group has been killed. Only a process that left the
	// group can then still hold the pipe.
	drainWait = 200 * time.Millisecond
)

// stdout is our end of the child's standard output, filtered.
type stdout struct {
	p    *Process
	f    *os.File
	in   *filter
	junk junk
}

func newStdout(p *Process, f *os.File, maxLine int, log *slog.Logger) *stdout {
	o := &stdout{p: p, f: f}
	o.junk.warn = func(line string) {
		log.Warn("stdio: the server writes to its standard output what is not a JSON-RPC message; such lines are dropped",
			"command", p.command, "first", line)
	}
	o.in = newFilter(rawStdout{o}, maxLine, &o.junk)
	return o
}

func (o *stdout) Read(b []byte) (int, error) { return o.in.Read(b) }

// Close gives up the child's output. The child may die of SIGPIPE when it writes again.
func (o *stdout) Close() error {
	o.p.closing.Store(true)
	o.shut()
	return nil
}

func (o *stdout) shut() { o.f.Close() }

// expire makes a blocked read return after drainWait. Reads that find output are not affected.
func (o *stdout) expire() {
	if o.f.SetReadDeadline(time.Now().Add(drainWait)) != nil {
		// Deadlines are not supported for pipes everywhere, and closing may block where they are not.
		time.AfterFunc(drainWait, func() { o.f.Close() })
	}
}

// rawStdout is the child's output before filtering. Its errors are final.
type rawStdout struct{ *stdout }

func (r rawStdout) Read(b []byte) (int, error) {
	select {
	case <-r.p.done:
		// The deadline set by expire may be long past, and what is in the pipe can still be read.
		_ = r.f.SetReadDeadline(time.Now().Add(drainWait))
	default:
	}
	n, err := r.f.Read(b)
	if n > 0 || err == nil {
		return n, nil
	}
	return 0, r.p.cause(io.EOF)
}

// cause returns the [*ExitError] of the child if it has ended without being asked to, or is just about to, and else
// err.
func (p *Process) cause(err error) error {
	if !p.closing.Load() {
		p.wait(causeWait)
	}
	if exit := p.Err(); exit != nil {
		return exit
	}
	if errors.Is(err, os.ErrClosed) {
		return os.ErrClosed
	}
	return err
}
