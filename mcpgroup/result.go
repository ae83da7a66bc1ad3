package mcpgroup

import (
	"encoding/json"
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

// Success reports whether the tool did what it was asked: it is [Result.Err] == nil.
func (r *Result) Success() bool { return r.Err() == nil }

// Data returns the result as a value: its structured content, or else its only text block decoded if that is JSON, or else
// [Result.Text]. Numbers of decoded text are json.Number.
func (r *Result) Data() any {
	if r.StructuredContent != nil {
		return r.StructuredContent
	}
	text := r.Text()
	if trimmed := strings.TrimSpace(text); trimmed != "" && len(r.Content) == 1 && strings.ContainsRune(`{["0123456789-tfn`, rune(trimmed[0])) {
		dec := json.NewDecoder(strings.NewReader(trimmed))
		dec.UseNumber()
		var v any
		if dec.Decode(&v) == nil && !dec.More() {
			return v
		}
	}
	return text
}
