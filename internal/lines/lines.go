// Package lines carries JSON-RPC messages over a stream of bytes, one message on each line, as MCP's stdio transport does
// (MCP 2025-11-25, basic/transports).
//
// [mcp.IOTransport] does too. It takes every line for a batch first, and hands it from one goroutine to another: that is more
// than all that a group adds to a call (make figures-call), and a goroutine for every idle session.
package lines

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A Transport is one end of a connection over Stream, for a client or a server. Whoever owns the stream bounds its lines.
type Transport struct {
	// Stream is closed together with the connection. Its Close has to end a Read that waits.
	Stream io.ReadWriteCloser
}

// Connect implements [mcp.Transport]. It is called once.
func (t Transport) Connect(context.Context) (mcp.Connection, error) {
	return &conn{stream: t.Stream, in: bufio.NewReader(t.Stream)}, nil
}

type conn struct {
	stream io.ReadWriteCloser
	closed atomic.Bool

	writing sync.Mutex // held during a write, which may block for as long as the other end does

	// Read is called by one goroutine at a time.
	in   *bufio.Reader
	rest []jsonrpc.Message // of a batch
	err  error             // of the stream, once its last line has been read
}

// SessionID implements [mcp.Connection]: a stream has none.
func (c *conn) SessionID() string { return "" }

// Close ends a Read that waits.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.stream.Close()
}

// Read returns the next message, and io.EOF once the connection is closed. It waits for as long as the stream does, whatever
// becomes of ctx: whoever ends ctx closes the connection too.
func (c *conn) Read(ctx context.Context) (jsonrpc.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for len(c.rest) == 0 {
		line, err := c.line()
		if err != nil {
			if c.closed.Load() {
				err = io.EOF
			}
			return nil, err
		}
		if len(line) == 0 {
			continue
		}
		if c.rest, err = messages(line); err != nil {
			switch {
			case c.closed.Load():
				err = io.EOF
			case errors.Is(c.err, io.EOF):
				err = io.ErrUnexpectedEOF
			case c.err != nil:
				err = c.err // the stream failed within the line
			}
			return nil, err
		}
	}
	m := c.rest[0]
	c.rest = c.rest[1:]
	return m, nil
}

// line returns the next line without white space around it, which may leave nothing. It is valid until the next call.
func (c *conn) line() (line []byte, err error) {
	if c.err != nil {
		return nil, c.err
	}
	line, err = c.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line)
		var more []byte
		more, err = c.in.ReadBytes('\n')
		line = append(line, more...)
	}
	if c.err = err; err != nil && len(line) == 0 {
		return nil, err
	}
	return bytes.Trim(line, " \t\r\n"), nil
}

// errNoMessage says no more: the SDK's errors quote what they could not decode.
var errNoMessage = errors.New("lines: a line is not a JSON-RPC 2.0 message")

// messages decodes a line: a message, or a batch of them (MCP 2025-03-26).
func messages(line []byte) ([]jsonrpc.Message, error) {
	if !json.Valid(line) { // the decoder does not look at what follows a value
		return nil, fmt.Errorf("lines: a line of %d bytes is not a JSON value", len(line))
	}
	if line[0] != '[' {
		m, err := jsonrpc.DecodeMessage(line)
		if err != nil {
			return nil, errNoMessage
		}
		return []jsonrpc.Message{m}, nil
	}
	var batch []json.RawMessage
	if json.Unmarshal(line, &batch) != nil || len(batch) == 0 {
		return nil, errNoMessage
	}
	all := make([]jsonrpc.Message, len(batch))
	for i, text := range batch {
		m, err := jsonrpc.DecodeMessage(text)
		if err != nil {
			return nil, errNoMessage
		}
		all[i] = m
	}
	return all, nil
}

// Write writes a message with one call of the stream's Write. Answers to the requests of a batch are written one by one,
// which JSON-RPC lets a server do and the revisions of MCP without batches prescribe.
func (c *conn) Write(ctx context.Context, m jsonrpc.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	text, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := ctx.Err(); err != nil { // while others wrote
		return err
	}
	_, err = c.stream.Write(append(text, '\n'))
	return err
}
