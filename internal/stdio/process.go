// Package stdio owns the child process of a server that is spoken to over its standard input and output.
//
// It exists because os/exec alone leaves four things to its caller that a program with many such children cannot do
// without: ending the grandchildren of wrappers such as sh or npx, getting out of a write to a child that has stopped
// reading, telling why a child died, and surviving what servers print before they speak their protocol.
//
// # Whose life it is
//
// The process that [Start] starts is the server. It leads a process group of its own, and when it ends, for whatever
// reason, the group ends: the rest is asked to go (end of input, then SIGTERM), and what is left after
// [Config.Terminate] is killed. So a wrapper must exec the server or wait for it, as sh, npx, uvx and docker do. A
// launcher that puts the server into the background and exits is not supported: it cannot be told from a wrapper that
// crashed, and keeping what a crashed wrapper leaves behind leaks processes. [ExitError.LeftBehind] tells of it. What
// moves to another session or group (setsid) has left, and is not followed; its hold on the pipes is broken.
//
// On Linux the exit is noticed before the child is reaped, and the group is killed while the child's id is still taken,
// so that a signal can never hit a stranger to whom the id was given anew. Also on Linux the child itself, though not
// its own children, gets SIGTERM if this program dies without closing it.
//
// On Windows there is no polite step after the end of input: the process and its descendants are ended by taskkill.
// Descendants of a process that has already ended are not found there.
package stdio

import (
	"cmp"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultStderrTail = 4 << 10
	defaultTerminate  = 2 * time.Second
	defaultMaxLine    = 16 << 20
)

// Config says what to start. Command is required; every other zero (or negative) value selects the default.
type Config struct {
	// Command is the program: a path, or a name that is looked up in PATH (the one of Env if it has one, else this
	// program's). A relative path is relative to Dir. No shell is involved, and Args reach the program as they are.
	Command string
	Args    []string
	// Dir is the working directory. The default is this program's.
	Dir string
	// Env is added to what the child inherits, and wins over it. It inherits only HOME, LOGNAME, PATH, SHELL, TERM and
	// USER, or on Windows APPDATA, HOMEDRIVE, HOMEPATH, LOCALAPPDATA, PATH, PROCESSOR_ARCHITECTURE, PROGRAMFILES,
	// SYSTEMDRIVE, SYSTEMROOT, TEMP, USERNAME and USERPROFILE.
	Env map[string]string
	// StderrTail is how many bytes of the child's standard error are kept for error texts. The default is 4 KiB.
	StderrTail int
	// MaxLine is the longest line, in bytes without its line break, that the child may send. The default is 16 MiB.
	MaxLine int
	// Terminate is how long each polite step of ending the child may take: the end of its input, then SIGTERM to its
	// group. SIGKILL follows. The default is 2 s.
	Terminate time.Duration
	// Logger gets the child's standard error at debug level, at most 50 lines a second, and one warning about output
	// that is not JSON-RPC. The default is silence.
	Logger *slog.Logger
}

// A Process is a running or ended child. All methods are safe for concurrent use. Every Process must be closed.
type Process struct {
	command   string
	pid       int
	terminate time.Duration

	stdin  *stdin
	stdout *stdout
	stderr *stderr
	group  group

	// closing is set once we have asked the child to end, by closing it or its input. What it does then is no error.
	closing atomic.Bool
	// unresponsive is set when InterruptWrite ends the child.
	unresponsive atomic.Bool

	exited   chan struct{} // closed when the child has exited; it may not have been reaped
	killed   chan struct{} // closed by Kill: no more grace for anybody
	killOnce sync.Once
	done     chan struct{} // closed when the child is reaped and its group is gone
	err      *ExitError    // written before done is closed

	closeOnce sync.Once
	closeErr  error
}

// Start starts the child. The error is a [*StartError].
func Start(cfg Config) (*Process, error) {
	if cfg.Terminate <= 0 {
		cfg.Terminate = defaultTerminate
	}
	if cfg.StderrTail <= 0 {
		cfg.StderrTail = defaultStderrTail
	}
	if cfg.MaxLine <= 0 {
		cfg.MaxLine = defaultMaxLine
	}
	log := cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))

	cmd, err := command(&cfg)
	if err != nil {
		return nil, &StartError{Command: cfg.Command, Dir: cfg.Dir, Err: err}
	}
	pipes, err := openPipes()
	if err != nil {
		return nil, &StartError{Command: cfg.Command, Dir: cfg.Dir, Err: err}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = pipes.stdin[0], pipes.stdout[1], pipes.stderr[1]

	p := &Process{
		command:   cfg.Command,
		terminate: cfg.Terminate,
		exited:    make(chan struct{}),
		killed:    make(chan struct{}),
		done:      make(chan struct{}),
	}
	p.stdin = &stdin{p: p, f: pipes.stdin[1]}
	p.stdout = newStdout(p, pipes.stdout[0], cfg.MaxLine, log)
	p.stderr = newStderr(pipes.stderr[0], cfg.StderrTail, cfg.Command, log)

	started := make(chan error, 1)
	go p.supervise(cmd, started)
	err = <-started
	pipes.closeChildEnds()
	if err != nil {
		pipes.closeOurEnds()
		return nil, &StartError{Command: cfg.Command, Dir: cfg.Dir, Err: err}
	}
	go p.stderr.pump()
	return p, nil
}

// command returns what is to be started, without its pipes.
func command(cfg *Config) (*exec.Cmd, error) {
	env, err := environ(cfg.Env)
	if err != nil {
		return nil, err
	}
	path, err := lookPath(cfg.Command, cfg.Env)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, cfg.Args...)
	cmd.Args[0] = cfg.Command
	cmd.Dir = cfg.Dir
	cmd.Env = env
	configure(cmd)
	return cmd, nil
}

// pipes are the three pipes to a child, read end first. They are made here and not by [exec.Cmd.StdoutPipe], because
// [exec.Cmd.Wait] would close those while there is still output to be read.
type pipes struct{ stdin, stdout, stderr [2]*os.File }

func openPipes() (*pipes, error) {
	ps := &pipes{}
	for _, pair := range []*[2]*os.File{&ps.stdin, &ps.stdout, &ps.stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			ps.closeChildEnds()
			ps.closeOurEnds()
			return nil, err
		}
		*pair = [2]*os.File{r, w}
	}
	return ps, nil
}

// A nil *os.File may be closed.
func (ps *pipes) closeChildEnds() {
	ps.stdin[0].Close()
	ps.stdout[1].Close()
	ps.stderr[1].Close()
}

func (ps *pipes) closeOurEnds() {
	ps.stdin[1].Close()
	ps.stdout[0].Close()
	ps.stderr[0].Close()
}

// Pid returns the process id of the child, which is also the id of its process group.
func (p *Process) Pid() int { return p.pid }

// Stdin is the child's standard input. Closing it asks the child to end. A failed write to a dead child returns an
// error that wraps [*ExitError]. A write blocks while the child does not read: see [Process.InterruptWrite].
func (p *Process) Stdin() io.WriteCloser { return p.stdin }

// Stdout is the child's standard output, reduced to the lines that can be JSON-RPC messages: JSON objects and batches
// of them; a line shorter than 4 KiB must also contain the word "jsonrpc" in double quotes, which keeps out structured
// log records. The rest is dropped and counted (see [Process.Junk]).
//
// At the end a read returns an [*ExitError], for which errors.Is(err, io.EOF) holds, or plain [io.EOF] if we asked the
// child to end or if it closed its output and lives on. A line longer than Config.MaxLine ends the stream with a
// [*LineTooLongError]. One goroutine may read at a time.
func (p *Process) Stdout() io.ReadCloser { return p.stdout }

// Done is closed once the child is reaped and nothing of its process group runs any more.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns, once Done is closed, an [*ExitError] that says how the child ended. It is nil before, and if the child
// ended after Close or after its Stdin was closed.
func (p *Process) Err() error {
	select {
	case <-p.done:
		if p.err != nil {
			return p.err
		}
	default:
	}
	return nil
}

// Alive reports whether the child runs. False is certain.
func (p *Process) Alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// StderrTail returns the end of what the child wrote to its standard error, as one line: escape sequences are removed,
// line breaks become " | ", other control characters are escaped.
func (p *Process) StderrTail() string { return p.stderr.tail() }

// Junk returns the first few lines of standard output that were dropped because they are not JSON-RPC messages, each
// shortened and cleaned like StderrTail.
func (p *Process) Junk() []string { return p.stdout.junk.samples() }

// JunkLines returns how many lines of standard output were dropped.
func (p *Process) JunkLines() int64 { return p.stdout.junk.count() }

// BytesWritten returns how many bytes the child's input has carried. A write counts in full from before its first byte
// leaves and is corrected when it fails, so an unchanged count proves that nothing was written in between.
func (p *Process) BytesWritten() int64 { return p.stdin.written.Load() }
