package mcpgroup

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/internal/lines"
	"github.com/mcpfleet/mcpfleet/internal/mcphttp"
	"github.com/mcpfleet/mcpfleet/internal/stdio"
	"github.com/mcpfleet/mcpfleet/session"
)

// conn is one live client of the server: the value of the session map.
type conn struct {
	id   session.ID
	cs   *mcp.ClientSession
	life *lifetime
	end  context.CancelFunc // ends life

	// doubtful says that a request of the connect met a passing failure, so that the revision may not be the server's best.
	doubtful bool

	pipe *pipe          // counts what was written to a stdio or in-memory server; nil for HTTP
	proc *stdio.Process // nil unless stdio

	lends string // the server's name, if what requests bring for it is lent to it; see lend

	http *mcphttp.Transport // nil unless streamable HTTP
	// headerTools is the set of tools that http was last told to send x-mcp-header parameters for.
	headerTools atomic.Pointer[headerTools]

	// mu guards the list of running attempts and closing. Nothing that can block runs while it is held.
	mu      sync.Mutex
	running *attempt
	closing bool
}

// lifetime is the context a connection lives in. It ends with the connection, whatever becomes of the call that
// dialled. While dialling its values are those of that call, so that the first requests carry the call's credentials;
// afterwards only the identity is left and which credential was used, so that no request's secrets stay behind in a
// long-lived connection.
type lifetime struct {
	context.Context
	kept     context.Context        // what is left of the values of the call that dialled
	lend     func() context.Context // of an in-memory server of one principal; see conn.lend
	dialling atomic.Pointer[dialling]
}

// dialling is what a connection knows while it is made.
type dialling struct {
	context.Context // of the call that dials

	// What became of the requests. The SDK takes any failure of its first question, in which revision to speak, for a no,
	// and goes on.
	exchange   mcphttp.Exchange
	credential atomic.Pointer[error]
}

type diallingKey struct{}

func newLifetime(dial context.Context, key session.Key, shared bool) (*lifetime, context.CancelFunc) {
	base, kept := context.Background(), context.Background()
	if !shared {
		base, kept = session.NewContext(base, key), auth.Detach(dial, kept)
	}
	base, cancel := context.WithCancel(base)
	l := &lifetime{Context: base, kept: kept}
	l.dialling.Store(&dialling{Context: dial})
	return l, cancel
}

func (l *lifetime) Value(key any) any {
	if v := l.Context.Value(key); v != nil {
		return v
	}
	d := l.dialling.Load()
	if d == nil {
		if l.lend != nil {
			if v := l.lend().Value(key); v != nil {
				return v
			}
		}
		return l.kept.Value(key)
	}
	switch key.(type) {
	case mcphttp.ExchangeKey:
		return &d.exchange
	case diallingKey:
		return d
	}
	return d.Value(key)
}

// lend returns what a request under way brings for the server, for an in-memory server to serve it with. Requests that share
// a connection speak for one principal, so that of any of them will do; when none is left, nothing is.
func (c *conn) lend() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return context.Background()
	}
	return c.running.lent
}

// attempt is one try of one request. It is the context of that try, so that the transport can report what became of it
// (see [mcphttp.Exchange]) without another allocation.
type attempt struct {
	context.Context
	exchange mcphttp.Exchange
	cancel   context.CancelCauseFunc
	proc     *stdio.Process  // of the connection, or nil
	deadline time.Time       // zero if Context has it, or there is none; see [deadlines]
	watched  bool            // by deadlines
	lent     context.Context // what the request brings for the server, if that is in memory; taken once, for ctx may come from c.life
	written  int64           // what the connection's pipe had carried when the attempt began
	asked    atomic.Bool     // the server has answered with a request for input, so it got the first message at least

	next, prev *attempt                      // in conn.running, guarded by conn.mu
	due        struct{ next, prev *attempt } // in deadlines.first, guarded by deadlines.mu
}

func (a *attempt) Deadline() (time.Time, bool) {
	d, ok := a.Context.Deadline()
	if !a.deadline.IsZero() && (!ok || a.deadline.Before(d)) {
		return a.deadline, true
	}
	return d, ok
}

func (a *attempt) Err() error {
	err := a.Context.Err()
	if err != nil && errors.Is(context.Cause(a.Context), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}

func (a *attempt) Value(key any) any {
	switch key.(type) {
	case mcphttp.ExchangeKey:
		return &a.exchange
	case attemptKey:
		return a
	}
	return a.Context.Value(key)
}

type attemptKey struct{}

// begin registers an attempt so that close can cancel it. It returns false if the connection is closing.
func (c *conn) begin(a *attempt) bool {
	if c.pipe != nil {
		a.written = c.wrote()
	}
	if c.lends != "" {
		a.lent = auth.Lend(a.Context, context.Background(), c.lends)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	a.next = c.running
	if a.next != nil {
		a.next.prev = a
	}
	c.running = a
	return true
}

// finish is the counterpart of begin.
func (c *conn) finish(a *attempt) {
	c.mu.Lock()
	if a.prev != nil {
		a.prev.next = a.next
	} else if c.running == a {
		c.running = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	}
	c.mu.Unlock()
}

// sent reports whether the server may have seen any part of the attempt's request. It never answers false wrongly: for
// HTTP the transport had not begun to read the request's body, for a pipe not a single byte was written by anyone since
// the attempt began.
func (c *conn) sent(a *attempt) bool {
	if a.asked.Load() {
		return true
	}
	if c.pipe == nil {
		return a.exchange.Sent()
	}
	return c.wrote() != a.written
}

// wrote returns how many bytes left through the pipe.
func (c *conn) wrote() int64 {
	if c.proc != nil {
		return c.proc.BytesWritten()
	}
	return c.pipe.written.Load()
}

// interrupt cancels everything that runs on c and refuses new attempts.
func (c *conn) interrupt() {
	c.mu.Lock()
	c.closing = true
	cancels := make([]context.CancelCauseFunc, 0, 8)
	for a := c.running; a != nil; a = a.next {
		cancels = append(cancels, a.cancel)
	}
	c.mu.Unlock()
	for _, cancel := range cancels {
		cancel(context.Canceled)
	}
}

const (
	// handlerGrace is how long handlers of the server's requests may go on after close. The SDK waits for them before it
	// closes anything.
	handlerGrace = time.Second
	// closeBound is how long close then waits: the DELETE takes up to 5 s on a server that hangs.
	closeBound = 6 * time.Second
)

// close ends the connection and everything that runs on it. It returns within handlerGrace and closeBound, or for stdio within
// the termination steps of [stdio.Process.Close].
func (c *conn) close() {
	c.interrupt()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.cs.Close()
	}()
	if c.proc != nil {
		c.proc.Close()
	}
	for _, bound := range []time.Duration{handlerGrace, closeBound} {
		timer := time.NewTimer(bound)
		select {
		case <-done:
		case <-timer.C:
		}
		timer.Stop()
		c.end()
	}
	if c.pipe != nil {
		c.pipe.Close()
	}
}

// alive reports whether c may still work. False is certain; true may be out of date.
func (c *conn) alive() bool { return c.proc == nil || c.proc.Alive() }

// pipe is the client's end of a stdio or in-memory connection. It counts what is written.
type pipe struct {
	r       io.ReadCloser
	w       io.WriteCloser
	written atomic.Int64
}

func (p *pipe) Read(b []byte) (int, error) { return p.r.Read(b) }

// Write counts before it writes, so that an unchanged count proves that nothing left.
func (p *pipe) Write(b []byte) (int, error) {
	p.written.Add(int64(len(b)))
	return p.w.Write(b)
}

func (p *pipe) Close() error {
	err := p.w.Close()
	if e := p.r.Close(); err == nil {
		err = e
	}
	return err
}

// inMemory returns the two ends of a connection within this process.
func inMemory() (client *pipe, server mcp.Transport) {
	c, s := net.Pipe()
	return &pipe{r: c, w: c}, lines.Transport{Stream: s}
}
