package mcpgroup

import (
	"fmt"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Result is the answer of a tool: everything the server sent, and how it came about. The embedded result keeps every
// content block, structured content, isError and _meta.
type Result struct {
	*mcp.CallToolResult
	Attempts int           // how often the request was sent or tried; 1 unless the connection failed
	Duration time.Duration // from Call to answer, with connecting and retries
}

// Err returns nil for a result the tool calls a success, else an error that wraps [ErrToolFailed] or, when the server
// wants more input and no handler could give it, [ErrInputRequired]. Its text is what the tool said.
func (r *Result) Err() error {
	switch {
	case r.NeedsInput():
		return fmt.Errorf("%w: the server asks for %d inputs", ErrInputRequired, len(r.InputRequests))
	case r.IsError:
		return fmt.Errorf("%w: %s", ErrToolFailed, r.Text())
	}
	return nil
}

// Text returns the text blocks of the result, joined by newlines. Other blocks are left out: adapters render them.
func (r *Result) Text() string {
	var b strings.Builder
	for _, c := range r.Content {
		if t, ok := c.(*mcp.TextContent); ok {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(t.Text)
		}
	}
	return b.String()
}
