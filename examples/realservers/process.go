package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	startBound = 30 * time.Second // for a server to accept connections
	stopBound  = 5 * time.Second  // between asking a server to end and killing it
)

// A process is an HTTP server that this program started. It ends with the context it was started with.
type process struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	ended  chan struct{} // closed when the process is gone
	stderr tail
}

// startProcess runs a server and waits until it accepts connections on port. env is added to nothing: a server gets no
// variable of this process that it does not need.
func startProcess(ctx context.Context, port int, env []string, command string, args ...string) (*process, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &process{cmd: exec.CommandContext(ctx, command, args...), cancel: cancel, ended: make(chan struct{})}
	p.cmd.Env = append(env, "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent")
	p.cmd.Stderr = &p.stderr
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = stopBound
	if err := p.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("realservers: starting %s: %w", command, err)
	}
	go func() {
		p.cmd.Wait() // how it ended is of no interest: that it accepts connections is
		close(p.ended)
	}()
	if err := p.ready(ctx, port); err != nil {
		p.stop()
		return nil, fmt.Errorf("realservers: starting %s: %w; its stderr ends with: %s", p.cmd.Args, err, p.stderr.String())
	}
	return p, nil
}

func (p *process) ready(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "tcp", address(port))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.ended:
			return errors.New("it ended before it accepted connections")
		case <-ctx.Done():
			return fmt.Errorf("it does not accept connections: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop asks the process to end, kills it if it does not, and waits for it.
func (p *process) stop() {
	p.cancel()
	<-p.ended
}

// kill ends the process as a crash would, and waits for it.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
	p.cancel()
}

// freePort returns a loopback port that nothing listens on. Another program may take it before a server does; then the
// server says so and ends.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("realservers: looking for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// tail keeps the last bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const limit = 2 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - limit; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}
