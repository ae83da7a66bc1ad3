package mcpgroup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// wireCapture receives the result of one request as it came over the wire. The SDK decodes schemas to float64 and drops
// what it does not know, so that its tools are no basis for a hash.
//
// What is captured is not taken on trust: see rawTools. A server that answers in an unusual way is not captured and its
// tools cannot be pinned, and that is all that it gets.
type wireCapture struct {
	mu     sync.Mutex
	id     jsonrpc.ID // of the request
	result json.RawMessage
}

type wireCaptureKey struct{}

// captureWire returns a context for one request whose result is wanted raw. The connection must be made by wireTransport
// or, for streamable HTTP, its client must use wireTripper.
func captureWire(ctx context.Context) (context.Context, *wireCapture) {
	w := &wireCapture{}
	return context.WithValue(ctx, wireCaptureKey{}, w), w
}

func wireCaptureOf(ctx context.Context) *wireCapture {
	w, _ := ctx.Value(wireCaptureKey{}).(*wireCapture)
	return w
}

// Result returns the raw result, or nil.
func (w *wireCapture) Result() json.RawMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.result
}

func (w *wireCapture) asked(id jsonrpc.ID) {
	w.mu.Lock()
	w.id = id
	w.mu.Unlock()
}

// answered keeps the first result of the request, as the SDK does.
func (w *wireCapture) answered(resp *jsonrpc.Response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.id.IsValid() && resp.ID == w.id && w.result == nil && resp.Error == nil {
		w.result = bytes.Clone(resp.Result)
	}
}

// wireTransport lets the results of a connection be captured. It must not be used with [mcp.StreamableClientTransport],
// whose connections have methods for the SDK that a wrapper hides.
type wireTransport struct{ mcp.Transport }

func (t wireTransport) Connect(ctx context.Context) (mcp.Connection, error) {
	c, err := t.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &wireConn{Connection: c, waiting: map[jsonrpc.ID]*wireCapture{}}, nil
}

type wireConn struct {
	mcp.Connection

	// mu guards waiting: the captures by the requests they are of. Nothing that can block runs while it is held.
	mu      sync.Mutex
	waiting map[jsonrpc.ID]*wireCapture
}

func (c *wireConn) Write(ctx context.Context, m jsonrpc.Message) error {
	w := wireCaptureOf(ctx)
	req, ok := m.(*jsonrpc.Request)
	if w == nil || !ok || !req.IsCall() {
		return c.Connection.Write(ctx, m)
	}
	w.asked(req.ID)
	c.mu.Lock()
	c.waiting[req.ID] = w
	c.mu.Unlock()
	// A request that is given up is answered by nobody.
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		delete(c.waiting, req.ID)
		c.mu.Unlock()
	})
	return c.Connection.Write(ctx, m)
}

func (c *wireConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	m, err := c.Connection.Read(ctx)
	if resp, ok := m.(*jsonrpc.Response); ok && err == nil {
		c.mu.Lock()
		w := c.waiting[resp.ID]
		delete(c.waiting, resp.ID)
		c.mu.Unlock()
		if w != nil {
			w.answered(resp)
		}
	}
	return m, err
}

// wireTripper lets the results of a streamable HTTP client be captured. next must bound the bodies of answers.
type wireTripper struct{ next http.RoundTripper }

func (t wireTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	w := wireCaptureOf(r.Context())
	if w == nil {
		return t.next.RoundTrip(r)
	}
	if r.Method == http.MethodPost { // a GET resumes the answer to a POST
		id, ok := requestID(r)
		if !ok {
			return t.next.RoundTrip(r)
		}
		w.asked(id)
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind {
	case "application/json":
		resp.Body = &tappedBody{ReadCloser: resp.Body, tap: &messageTap{w: w, whole: true}}
	case "text/event-stream":
		resp.Body = &tappedBody{ReadCloser: resp.Body, tap: &messageTap{w: w}}
	}
	return resp, nil
}

// requestID returns the id of the call that r carries.
func requestID(r *http.Request) (id jsonrpc.ID, ok bool) {
	if r.GetBody == nil {
		return id, false
	}
	body, err := r.GetBody()
	if err != nil {
		return id, false
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return id, false
	}
	m, err := jsonrpc.DecodeMessage(data)
	req, ok := m.(*jsonrpc.Request)
	if err != nil || !ok || !req.IsCall() {
		return id, false
	}
	return req.ID, true
}

// tappedBody shows what is read of a body to tap before its reader gets it, so that a result is captured by the time
// that the SDK hands it over.
type tappedBody struct {
	io.ReadCloser
	tap *messageTap
}

func (b *tappedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.tap.write(p[:n])
	if err == io.EOF {
		b.tap.end()
	}
	return n, err
}

// messageTap finds the messages in a body: one in JSON, or one in each event of a stream (WHATWG HTML, section 9.2.6).
type messageTap struct {
	w     *wireCapture
	whole bool   // the body is one message
	buf   []byte // the body, or the unfinished line of a stream
	data  []byte // the data of the unfinished event
}

func (t *messageTap) write(p []byte) {
	for !t.whole {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		if !ended {
			break
		}
		t.buf = append(t.buf, line...)
		t.line(bytes.TrimSuffix(t.buf, []byte("\r")))
		t.buf, p = t.buf[:0], rest
	}
	t.buf = append(t.buf, p...)
}

func (t *messageTap) line(line []byte) {
	if len(line) == 0 {
		t.message(t.data)
		t.data = t.data[:0]
		return
	}
	if value, ok := bytes.CutPrefix(line, []byte("data:")); ok {
		if len(t.data) > 0 {
			t.data = append(t.data, '\n')
		}
		t.data = append(t.data, bytes.TrimPrefix(value, []byte(" "))...)
	}
}

func (t *messageTap) end() {
	if t.whole {
		t.message(t.buf)
		t.buf = nil
	}
}

func (t *messageTap) message(data []byte) {
	if len(data) == 0 {
		return
	}
	if m, err := jsonrpc.DecodeMessage(data); err == nil {
		if resp, ok := m.(*jsonrpc.Response); ok {
			t.w.answered(resp)
		}
	}
}

// rawTools returns the tools of a page as they came over the wire, in the order of the page. The result is one for each
// of tools that is not nil. A tool whose raw form does not mean what the SDK made of it has an error: a server could
// otherwise have one thing hashed and another one shown.
func rawTools(tools []*mcp.Tool, result json.RawMessage) []rawTool {
	var raws []json.RawMessage
	reason := errors.New("the server's answer could not be captured")
	if result != nil {
		raws, reason = pageItems(result)
		if reason == nil && len(raws) != len(tools) {
			raws, reason = nil, errors.New("the list as it was captured has another length")
		}
	}
	var all []rawTool
	for i, t := range tools {
		if t == nil {
			continue
		}
		raw := rawTool{Name: t.Name, Err: reason}
		if reason == nil {
			raw.JSON, raw.Err = raws[i], matchesRaw(t, raws[i])
		}
		all = append(all, raw)
	}
	return all
}

// pageItems returns the raw tools of a raw page.
func pageItems(result json.RawMessage) ([]json.RawMessage, error) {
	v, err := parseJSON(result)
	if err != nil {
		return nil, err
	}
	var items []json.RawMessage
	for _, m := range v.members {
		if m.name == "tools" {
			for _, item := range m.value.items {
				items = append(items, item.appendTo(nil))
			}
		}
	}
	return items, nil
}

// matchesRaw reports whether t is what the pinned members of raw mean.
func matchesRaw(t *mcp.Tool, raw json.RawMessage) error {
	v, err := parseJSON(raw)
	if err != nil {
		return err
	}
	// Only the pinned members, since encoding/json would take "Description" for "description", too.
	var meant mcp.Tool
	if err := json.Unmarshal(v.pinned().appendTo(nil), &meant); err != nil {
		return errors.New("the tool as it was captured does not decode")
	}
	shown := *t
	shown.Meta = nil
	if !reflect.DeepEqual(shown, meant) {
		return errors.New("the tool as it was captured is not the one that the SDK decoded")
	}
	return nil
}
