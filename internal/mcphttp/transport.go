package mcphttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A Transport carries one session of the SDK's client over Streamable HTTP (MCP 2025-03-26 and later, basic/transports).
//
// It takes the place of [mcp.StreamableClientTransport], which decodes what it sends to learn what its headers are to say,
// hands each answer from one goroutine to the next, and ends the session over the failure of one call. See make figures-call.
type Transport struct {
	// Chain is the server's.
	Chain *Chain
	// RoundTripper sends the requests. The default is the chain; another one has to hand them to it.
	RoundTripper http.RoundTripper
	// Listen opens the stream for what the server sends on its own (MCP 2025-11-25 and before). [Config.SelfHeal] keeps it
	// open.
	Listen bool

	mirrored mirrored
}

// Mirror names tools that were listed in another session, so that their parameters with x-mcp-header are sent as headers
// too (SEP-2243). Those that this session lists are known.
func (t *Transport) Mirror(tools []*mcp.Tool) { t.mirrored.add(tools) }

// Connect implements [mcp.Transport]. It is called once. The connection ends with ctx.
func (t *Transport) Connect(ctx context.Context) (mcp.Connection, error) {
	c := &conn{t: t, next: t.RoundTripper, in: make(chan jsonrpc.Message, 1)}
	if c.next == nil {
		c.next = t.Chain.RoundTripper()
	}
	c.life, c.end = context.WithCancel(ctx)
	c.state.Store(&state{})
	return c, nil
}

type conn struct {
	t    *Transport
	next http.RoundTripper
	in   chan jsonrpc.Message // what Read returns

	life    context.Context // of the connection
	end     context.CancelFunc
	closing sync.Once
	streams sync.WaitGroup // the goroutines that read one

	// mu guards changes of state, and all below. Nothing that can block runs while it is held.
	mu     sync.Mutex
	state  atomic.Pointer[state]
	closed bool // nobody begins to read a stream any more
}

// A state is what the requests of a session have in common. It is never written to.
type state struct {
	session string
	version string // MCP revision that was agreed on; empty until then
}

// header returns the fields that every request has.
func (s *state) header() http.Header {
	h := make(http.Header, 8)
	if s.version != "" {
		h[headerVersion] = []string{s.version}
	}
	if s.session != "" {
		h[headerSession] = []string{s.session}
	}
	return h
}

// SessionID implements [mcp.Connection].
func (c *conn) SessionID() string { return c.state.Load().session }

// Read returns the next message, and io.EOF once the connection is closed.
func (c *conn) Read(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case m := <-c.in:
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.life.Done():
		return nil, io.EOF
	}
}

// deliver hands m to Read. It reports false if nobody wants it any more.
func (c *conn) deliver(ctx context.Context, m jsonrpc.Message) bool {
	select {
	case c.in <- m:
		return true
	case <-ctx.Done():
	case <-c.life.Done():
	}
	return false
}

// Write sends m and, if that is a call, hands the answer to Read before it returns: the SDK writes each call on its caller's
// goroutine. A failure is a [*SendError], which costs the call and not the session.
func (c *conn) Write(ctx context.Context, m jsonrpc.Message) error {
	if c.life.Err() != nil {
		return io.ErrClosedPipe
	}
	text, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	req, _ := m.(*jsonrpc.Request)
	if req == nil {
		req = &jsonrpc.Request{} // an answer
	}
	fail := func(err error) error { return &SendError{Method: req.Method, Err: err} }
	if req.Method == "notifications/initialized" {
		// The server may have something to say as soon as it knows that the client is ready.
		if err := c.listen(); err != nil {
			return fail(err)
		}
	}
	if !req.IsCall() { // its context may be that of nobody
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(c.life, cancel)()
	}
	header, version := c.header(req)
	resp, err := c.post(ctx, text, header)
	if err != nil {
		return fail(err)
	}
	if err := c.adopt(resp, req.Method == methodInitialize); err != nil {
		resp.Body.Close()
		return fail(err)
	}
	switch {
	case !req.IsCall():
		resp.Body.Close()
		return nil
	case success(resp) && isMedia(resp, "text/event-stream"):
		if req.Method == methodListen { // its answer is its end
			c.background(func() { c.stream(ctx, resp, req, version) })
		} else {
			c.stream(ctx, resp, req, version)
		}
		return nil
	}
	answer, err := readMessage(resp, req.ID)
	if err != nil {
		return fail(err)
	}
	c.learn(req, version, answer)
	c.deliver(ctx, answer)
	return nil
}

func (c *conn) post(ctx context.Context, text []byte, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "", bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return c.roundTrip(r, header)
}

// get opens a stream, or resumes one after the event with the id.
func (c *conn) get(ctx context.Context, eventID string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "", nil)
	if err != nil {
		return nil, err
	}
	h := c.state.Load().header()
	h["Accept"] = []string{"text/event-stream"}
	if eventID != "" {
		h.Set(headerEventID, eventID)
	}
	return c.roundTrip(r, h)
}

func (c *conn) roundTrip(r *http.Request, header http.Header) (*http.Response, error) {
	r.URL, r.Host, r.Header = c.t.Chain.endpoint, strings.TrimSuffix(c.t.Chain.endpoint.Host, ":"), header
	return c.next.RoundTrip(r)
}

// adopt keeps the session id that the server gives. Some servers give one with an error too, which is never heard of again.
func (c *conn) adopt(resp *http.Response, begins bool) error {
	session := resp.Header.Get(headerSession)
	if !success(resp) || session == "" || session == c.state.Load().session {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state.Load()
	if s.session != "" && s.session != session && !begins {
		return errors.New("mcphttp: the server answered in another session than it was asked in")
	}
	c.state.Store(&state{session, s.version})
	return nil
}

// agree keeps the revision that both sides speak from now on.
func (c *conn) agree(version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Store(&state{c.state.Load().session, version})
}

// learn looks at an answer for what later requests have to say.
func (c *conn) learn(req *jsonrpc.Request, version string, answer *jsonrpc.Response) {
	if answer.Error != nil {
		return
	}
	switch req.Method {
	case methodInitialize:
		var res struct{ ProtocolVersion string }
		if json.Unmarshal(answer.Result, &res) == nil {
			c.agree(res.ProtocolVersion)
		}
	case methodDiscover:
		c.agree(version)
	case methodListTools:
		if Stateless(version) {
			c.t.mirrored.learn(answer.Result)
		}
	}
}

// readMessage returns the answer with the id, which is all of the body.
func readMessage(resp *http.Response, id jsonrpc.ID) (*jsonrpc.Response, error) {
	defer resp.Body.Close()
	var text []byte
	if b, ok := resp.Body.(*memoryBody); ok {
		text = b.text
	} else {
		var err error
		if text, err = io.ReadAll(resp.Body); err != nil {
			return nil, err
		}
	}
	m, err := jsonrpc.DecodeMessage(text)
	answer, ok := m.(*jsonrpc.Response)
	if ok && !success(resp) { // which leaves out whose error it is
		answer.ID = id
	}
	if err != nil || !ok || answer.ID != id {
		return nil, &AnswerError{What: "JSON answer"}
	}
	return answer, nil
}

// errNoAnswer is the end of a stream without the answer that it was for.
var errNoAnswer = errors.New("mcphttp: the stream ended without an answer")

// stream hands on what the stream of a call's answer brings, and resumes it where it is cut (MCP 2025-11-25,
// basic/transports, "Resumability and Redelivery"). If there is no answer in the end, the call gets an error in its place.
func (c *conn) stream(ctx context.Context, resp *http.Response, call *jsonrpc.Request, version string) {
	answered := func(m jsonrpc.Message) bool {
		answer, ok := m.(*jsonrpc.Response)
		if ok = ok && answer.ID == call.ID; ok {
			c.learn(call, version, answer)
		}
		return ok
	}
	eventID, pause, err := c.read(ctx, resp, answered)
	if err == nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx) // Close waits for what resumes
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	for last, failures := "", 0; err != nil; eventID, pause, err = c.read(ctx, resp, answered) {
		if eventID == "" {
			eventID = last // what was resumed was cut before it brought anything
		}
		if eventID != last {
			last, failures = eventID, 0
		}
		for resp = nil; resp == nil; failures++ {
			switch {
			case eventID == "" || final(err):
				c.deliver(ctx, &jsonrpc.Response{ID: call.ID, Error: err})
				return
			case failures == maxResumes:
				c.deliver(ctx, &jsonrpc.Response{ID: call.ID, Error: exchangeOf(ctx).record(&ResumeError{})})
				return
			case !sleep(ctx, max(pause, c.t.Chain.backoff(failures+1))):
				return
			}
			pause = 0
			resp, err = c.get(ctx, eventID) //nolint:bodyclose // read closes it
		}
	}
}

// maxResumes is how often a stream is resumed at one event.
const maxResumes = 4

// final reports whether resuming a stream that ended with err would be of no use.
func final(err error) bool {
	var large *TooLargeError
	var answer *AnswerError
	var resume *ResumeError
	return errors.As(err, &large) || errors.As(err, &answer) || errors.As(err, &resume)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	}
	return false
}

// listen opens the stream for what the server sends on its own. Many servers have none.
func (c *conn) listen() error {
	if !c.t.Listen || Stateless(c.state.Load().version) {
		return nil
	}
	resp, err := c.get(c.life, "")
	if err != nil {
		return err
	}
	if !success(resp) || !isMedia(resp, "text/event-stream") {
		resp.Body.Close()
		return nil
	}
	c.background(func() {
		c.read(c.life, resp, func(jsonrpc.Message) bool { return false }) //nolint:errcheck // it ends with the connection
	})
	return nil
}

// read delivers the messages of a stream up to the one that is the last. Without that it returns an error, where the stream
// may be resumed, and how long to wait before.
func (c *conn) read(ctx context.Context, resp *http.Response, isLast func(jsonrpc.Message) bool) (eventID string, pause time.Duration, _ error) {
	stop := context.AfterFunc(c.life, func() { resp.Body.Close() })
	done := func() { stop(); resp.Body.Close() }
	e := events{limit: int64(c.t.Chain.MaxEvent()), judge: func(name string, data []byte) (verdict, error) {
		if name != "message" || len(data) == 0 {
			return drop, nil // an id to resume at
		}
		m, err := jsonrpc.DecodeMessage(data)
		if err != nil {
			return drop, &AnswerError{What: "server-sent event"}
		}
		ended := isLast(m)
		if !c.deliver(ctx, m) {
			return drop, io.ErrClosedPipe
		}
		if ended {
			return last, nil
		}
		return drop, nil
	}}
	buf := make([]byte, 4096)
	for {
		n, err := resp.Body.Read(buf)
		if fault := e.feed(buf[:n]); fault != nil {
			err = fault
		}
		switch {
		case e.ended:
			c.background(func() { // what is left is the end, with which the connection can be used again
				defer done()
				io.Copy(io.Discard, resp.Body) //nolint:errcheck // nobody wants to know
			})
			return "", 0, nil
		case errors.Is(err, io.EOF):
			err = errNoAnswer
		}
		if err != nil {
			done()
			return e.eventID, e.retry, err
		}
	}
}

// Close ends the session, on the server too, and everything that runs in it.
func (c *conn) Close() error {
	c.closing.Do(func() {
		if s := c.state.Load(); s.session != "" {
			// The chain bounds it, whatever has become of the connection.
			if r, err := http.NewRequestWithContext(context.WithoutCancel(c.life), http.MethodDelete, "", nil); err == nil {
				if resp, err := c.roundTrip(r, s.header()); err == nil {
					resp.Body.Close()
				}
			}
		}
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
		c.end()
		c.streams.Wait()
	})
	return nil
}

// background runs f, which ends with the connection, on a goroutine that Close waits for.
func (c *conn) background(f func()) {
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.streams.Go(f)
	}
	c.mu.Unlock()
	if closed {
		f()
	}
}
