package mcpgroup

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// wireCapture receives the result of one request as it came over the wire. The SDK decodes schemas to float64 and drops
// what it does not know, so that its tools are no basis for a hash.
//
// What is captured is not taken on trust: see rawTools. A server that answers in an unusual way is not captured and its
// tools cannot be pinned, and that is all that it gets.
type wireCapture struct {
	result atomic.Pointer[json.RawMessage]
}

type wireCaptureKey struct{}

// captureWire returns a context for one request whose result is wanted raw. The connection must be made by wireTransport.
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
	if p := w.result.Load(); p != nil {
		return *p
	}
	return nil
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
		if w != nil && resp.Error == nil {
			w.result.Store(&resp.Result)
		}
	}
	return m, err
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
