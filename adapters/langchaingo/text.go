package langchaingo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

const errorPrefix = "Error: "

// Text renders a result as the text a model reads. langchaingo carries nothing else back to a model, so every block
// leaves a trace:
//
//	in the result                  in the text
//	text                           the text
//	image, audio                   [image image/png, 1234 bytes]
//	link to a resource             [resource report file:///report.txt text/plain]
//	embedded text resource         [resource file:///report.txt text/plain] and the text on the next lines
//	embedded binary resource       [resource file:///a.zip application/zip, 1234 bytes]
//	structured content             as compact JSON, unless a text block is the same JSON
//	isError                        "Error: " before everything
//	input required                 [input required: "Your e-mail address?" (elicitation email)]
//	nothing at all                 [no content]
//
// Parts are joined by newlines. A nil result is like one without content. The text is as long as the result: see
// [Options.MaxObservationBytes] for the bound that the tools of this package put on it.
func Text(res *mcpgroup.Result) string {
	if res == nil || res.CallToolResult == nil {
		return "[no content]"
	}
	var parts []string
	for _, c := range res.Content {
		if s := blockText(c); s != "" {
			parts = append(parts, s)
		}
	}
	if s := structuredText(res.CallToolResult); s != "" {
		parts = append(parts, s)
	}
	if res.NeedsInput() {
		parts = append(parts, inputText(res.InputRequests))
	}
	text := strings.Join(parts, "\n")
	if text == "" {
		text = "[no content]"
	}
	if res.IsError && !strings.HasPrefix(text, errorPrefix) {
		text = errorPrefix + text
	}
	return text
}

func blockText(c mcp.Content) string {
	switch c := c.(type) {
	case *mcp.TextContent:
		return c.Text
	case *mcp.ImageContent:
		return note("image", c.MIMEType) + size(len(c.Data))
	case *mcp.AudioContent:
		return note("audio", c.MIMEType) + size(len(c.Data))
	case *mcp.ResourceLink:
		return note("resource", c.Name, c.URI, c.MIMEType) + "]"
	case *mcp.EmbeddedResource:
		r := c.Resource
		switch {
		case r == nil:
			return "[resource]"
		case r.Blob != nil:
			return note("resource", r.URI, r.MIMEType) + size(len(r.Blob))
		}
		return note("resource", r.URI, r.MIMEType) + "]\n" + r.Text
	case nil:
		return ""
	}
	return fmt.Sprintf("[content of type %T]", c)
}

// note begins a note; empty words are left out.
func note(words ...string) string {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	return "[" + strings.Join(words, " ")
}

func size(n int) string { return fmt.Sprintf(", %d bytes]", n) }

// structuredText is the structured content, or nothing if a text block says the same: servers are told to send both
// (MCP, server/tools).
func structuredText(res *mcp.CallToolResult) string {
	if res.StructuredContent == nil {
		return ""
	}
	data, err := compactJSON(res.StructuredContent)
	if err != nil {
		return "[structured content that is not JSON]"
	}
	var want any
	if json.Unmarshal(data, &want) != nil {
		return ""
	}
	for _, c := range res.Content {
		t, ok := c.(*mcp.TextContent)
		if !ok {
			continue
		}
		var got any
		if json.Unmarshal([]byte(t.Text), &got) == nil && reflect.DeepEqual(got, want) {
			return ""
		}
	}
	return string(data)
}

// compactJSON encodes v without the escapes that are only of use inside HTML: a model reads "<" better than "\u003c".
func compactJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// inputText names what a server asks for before it goes on (MCP 2026-07-28, input_required).
func inputText(requests mcp.InputRequestMap) string {
	if len(requests) == 0 {
		return "[input required: the server is busy; call again later]"
	}
	var asked []string
	for _, id := range slices.Sorted(maps.Keys(requests)) {
		switch r := requests[id].(type) {
		case *mcp.ElicitParams:
			asked = append(asked, fmt.Sprintf("%q (elicitation %s)", r.Message, id))
		case *mcp.CreateMessageParams, *mcp.CreateMessageWithToolsParams:
			asked = append(asked, fmt.Sprintf("an answer of a model (sampling %s)", id))
		case *mcp.ListRootsParams:
			asked = append(asked, fmt.Sprintf("the client's roots (%s)", id))
		default:
			asked = append(asked, id)
		}
	}
	return "[input required: " + strings.Join(asked, "; ") + "]"
}
