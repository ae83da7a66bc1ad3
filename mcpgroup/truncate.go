package mcpgroup

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Keep says which part of a long result stays.
type Keep int

const (
	KeepHeadAndTail Keep = iota // the first and the last bytes, half of each
	KeepHead
	KeepTail
)

const (
	// minResultLimit leaves room for what is said about the part that is left out.
	minResultLimit = 2 << 10
	// bytesPerToken is what a token is taken to be: less than the average of English text and of JSON with the usual
	// tokenizers, more than that of some other scripts.
	bytesPerToken = 4
	// markerRoom is the most bytes that each of the texts about what is left out takes.
	markerRoom = 384
)

// ResultPolicy bounds how much of a result reaches the model. The zero value bounds nothing.
//
// What is measured is text in bytes, structured content as JSON, and images, audio and other content as they would be
// sent, in base64 or JSON. A result within the bound is left alone. In a longer one the texts (text blocks, the texts of
// embedded resources, and structured content unless a text block has it already) become one text, of which the head and
// the tail stay with a line in between that says what is missing, and how to read it if it is kept in a [ResultStore].
// Other content stays whole or is left out and counted in a note.
type ResultPolicy struct {
	MaxBytes  int // 0 for no bound, else at least 2048
	MaxTokens int // estimated as a quarter of the bytes; 0 for no bound, else at least 512
	Keep      Keep
	// ReadTool is the name under which the agent finds the tool that reads what was left out. The default is
	// "read_result".
	ReadTool string
}

// limit returns the bound in bytes, or 0 for none.
func (p ResultPolicy) limit() int {
	limit := p.MaxBytes
	if byTokens := p.MaxTokens * bytesPerToken; byTokens > 0 && (limit == 0 || byTokens < limit) {
		limit = byTokens
	}
	return limit
}

func (p ResultPolicy) readTool() string {
	if p.ReadTool == "" {
		return readResultName
	}
	return p.ReadTool
}

// Validate reports what makes p unusable.
func (p ResultPolicy) Validate() error {
	switch {
	case p.MaxBytes != 0 && p.MaxBytes < minResultLimit:
		return fmt.Errorf("mcpgroup: result policy: MaxBytes is %d; it must be at least %d, or 0 for no bound", p.MaxBytes, minResultLimit)
	case p.MaxTokens != 0 && p.MaxTokens < minResultLimit/bytesPerToken:
		return fmt.Errorf("mcpgroup: result policy: MaxTokens is %d; it must be at least %d, or 0 for no bound", p.MaxTokens, minResultLimit/bytesPerToken)
	case p.Keep < KeepHeadAndTail || p.Keep > KeepTail:
		return fmt.Errorf("mcpgroup: result policy: there is no Keep %d", int(p.Keep))
	case len(p.ReadTool) > maxNameLen:
		return fmt.Errorf("mcpgroup: result policy: ReadTool has more than %d characters", maxNameLen)
	}
	return nil
}

// LimitResults is a middleware that applies p to every result. What is left out is kept in store for the user of the
// call, unless store is nil. It panics if p is invalid.
func LimitResults(p ResultPolicy, store *ResultStore) func(next CallFunc) CallFunc {
	if err := p.Validate(); err != nil {
		panic(err)
	}
	return func(next CallFunc) CallFunc {
		return func(ctx context.Context, req *CallRequest) (*Result, error) {
			res, err := next(ctx, req)
			if err != nil || res == nil {
				return res, err
			}
			return p.Apply(ctx, res, store), nil
		}
	}
}

// Apply returns res if it is within the bound, else a shorter copy. The user of ctx can read the rest from store, which
// may be nil. A result that asks for input is never changed. p must be valid.
func (p ResultPolicy) Apply(ctx context.Context, res *Result, store *ResultStore) *Result {
	limit := p.limit()
	if limit == 0 || res.CallToolResult == nil || res.NeedsInput() {
		return res
	}
	m := measure(res.CallToolResult)
	if m.text+len(m.structured)+m.other <= limit {
		return res
	}
	short := *res.CallToolResult
	short.Content = nil
	var omitted omissions
	keep := make([]bool, len(res.Content))

	// Other content takes what text leaves, and a quarter in any case.
	room := max(limit-m.text-len(m.structured)-markerRoom, limit/4)
	kept := 0
	for i, c := range res.Content {
		size, isText := contentSize(c)
		switch {
		case isText:
			keep[i] = true
		case size <= room:
			keep[i] = true
			room -= size
			kept += size
		default:
			omitted.add(c, size)
		}
	}
	budget := limit - kept
	if omitted.any() {
		budget -= markerRoom
	}
	cut := m.text+len(m.structured) > budget
	if cut {
		short.StructuredContent = nil
		text := p.cut(ctx, document(res.CallToolResult, m.structured), budget-1, store)
		short.Content = append(short.Content, &mcp.TextContent{Text: text})
	}
	for i, c := range res.Content {
		if _, isText := contentSize(c); keep[i] && !(isText && cut) {
			short.Content = append(short.Content, c)
		}
	}
	if omitted.any() {
		short.Content = append(short.Content, &mcp.TextContent{Text: omitted.note()})
	}
	shorter := *res
	shorter.CallToolResult = &short
	return &shorter
}

// cut returns doc in at most limit bytes.
func (p ResultPolicy) cut(ctx context.Context, doc string, limit int, store *ResultStore) string {
	if len(doc) <= limit {
		return doc
	}
	handle := ""
	if store != nil {
		handle = store.put(ctx, doc)
	}
	room := limit - markerRoom
	head, tail := room/2, room-room/2
	switch p.Keep {
	case KeepHead:
		head, tail = room, 0
	case KeepTail:
		head, tail = 0, room
	}
	from, to := runeStart(doc, head), runeEnd(doc, len(doc)-tail)
	how := "They are not kept; ask for less."
	if handle != "" {
		how = fmt.Sprintf("Read them with %s, handle %q.", p.readTool(), handle)
	}
	marker := fmt.Sprintf("\n[... bytes %d to %d of %d are left out, %d bytes. %s ...]\n", from, to, len(doc), to-from, how)
	return doc[:from] + marker + doc[to:]
}

// runeStart returns the last start of a character in s that is not after i.
func runeStart(s string, i int) int {
	for i > 0 && i < len(s) && s[i]&0xc0 == 0x80 {
		i--
	}
	return i
}

// runeEnd returns the first start of a character in s that is not before i.
func runeEnd(s string, i int) int {
	for i < len(s) && s[i]&0xc0 == 0x80 {
		i++
	}
	return i
}

// measured is how much there is of a result, in bytes.
type measured struct {
	text, other int
	structured  []byte // as JSON
}

func measure(res *mcp.CallToolResult) (m measured) {
	for _, c := range res.Content {
		if size, isText := contentSize(c); isText {
			m.text += size
		} else {
			m.other += size
		}
	}
	if res.StructuredContent != nil {
		m.structured = compactJSON(res.StructuredContent)
	}
	return m
}

// contentSize returns the bytes of a block, and whether they are text that may be cut. A text counts one more, for what
// stands between it and the next.
func contentSize(c mcp.Content) (size int, isText bool) {
	switch c := c.(type) {
	case *mcp.TextContent:
		return len(c.Text) + 1, true
	case *mcp.ImageContent:
		return base64.StdEncoding.EncodedLen(len(c.Data)), false
	case *mcp.AudioContent:
		return base64.StdEncoding.EncodedLen(len(c.Data)), false
	case *mcp.EmbeddedResource:
		if c.Resource != nil && c.Resource.Blob == nil {
			return len(resourceText(c.Resource)) + 1, true
		}
	}
	return len(compactJSON(c)), false
}

func resourceText(r *mcp.ResourceContents) string {
	return "[resource " + cleanText(r.URI, 256) + "]\n" + r.Text
}

// document returns all text of a result. What invalid UTF-8 there is becomes U+FFFD.
func document(res *mcp.CallToolResult, structured []byte) string {
	var texts []string
	known := len(structured) == 0
	for _, c := range res.Content {
		switch c := c.(type) {
		case *mcp.TextContent:
			texts = append(texts, c.Text)
			known = known || sameJSON(c.Text, structured)
		case *mcp.EmbeddedResource:
			if _, isText := contentSize(c); isText {
				texts = append(texts, resourceText(c.Resource))
			}
		}
	}
	if !known {
		texts = append(texts, string(structured))
	}
	return strings.ToValidUTF8(strings.Join(texts, "\n"), "\ufffd")
}

// sameJSON reports whether text is the JSON of the structured content, as servers send it for older clients (MCP
// 2025-06-18, server/tools, structured content).
func sameJSON(text string, structured []byte) bool {
	if t := strings.TrimSpace(text); t == "" || t[0] != structured[0] {
		return false
	}
	a, err := canonicalJSON([]byte(text))
	if err != nil {
		return false
	}
	b, err := canonicalJSON(structured)
	return err == nil && bytes.Equal(a, b)
}

// omissions counts the content that is left out.
type omissions struct{ images, audio, others, bytes int }

func (o *omissions) add(c mcp.Content, size int) {
	o.bytes += size
	switch c.(type) {
	case *mcp.ImageContent:
		o.images++
	case *mcp.AudioContent:
		o.audio++
	default:
		o.others++
	}
}

func (o *omissions) any() bool { return o.images+o.audio+o.others > 0 }

func (o *omissions) note() string {
	return fmt.Sprintf("[Left out, since the result is too large: %d images, %d audio clips, %d others; %d bytes. They are not kept.]",
		o.images, o.audio, o.others, o.bytes)
}

func compactJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil // it came as JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
