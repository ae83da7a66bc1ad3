package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const (
	readResultName = "read_result"

	maxRead = 16 << 10 // bytes of one page
	// trailerRoom is what [ReadPage.String] adds to a page, at most.
	trailerRoom = 256
	// Bounds of a search. RE2 takes time in proportion to text and program, and cannot be stopped within a piece.
	maxPattern = 512
	maxProgram = 1000
	// maxSearch bounds the bytes to search times the instructions of the program: at worst a second or two of one CPU. It
	// leaves 32 instructions, which most expressions are content with, for the largest result that one user may keep.
	maxSearch   = 128 << 20
	searchPiece = 64 << 10
	// searchOverlap is how long a match may be that is found for sure in a line longer than a piece.
	searchOverlap = 1 << 10
	maxMatches    = 50
	matchContext  = 120 // bytes shown before and behind a match
)

// ReadQuery says what to read of a kept result. Exactly one way of reading is used: Pattern if it is set, else lines if
// FirstLine is set, else bytes.
type ReadQuery struct {
	Offset    int    // first byte; moved back to the start of its character
	Length    int    // bytes at most; 0, and whatever is more, means a page of 16 KiB
	FirstLine int    // from 1
	LastLine  int    // inclusive; 0 for the end
	Pattern   string // regular expression in the syntax of [regexp]; each line is searched by itself
}

// ReadPage is a part of a kept result.
type ReadPage struct {
	Text  string // of a search, the matches: "line N, byte M: text"
	From  int    // the byte where Text begins; 0 for a search
	Next  int    // the Offset of what follows; 0 if nothing does, and for a search
	Total int    // bytes of the whole result
	Lines int    // lines of the whole result
	More  bool   // a search found more than the 50 matches, or the page, that are returned

	limit int // bytes of Text
}

// ReadResult reads from a kept result of the user of ctx. It returns [ErrResultNotFound] for a handle that they do not
// have, and an error that says what to mend for a query that cannot be answered. A page has at most 16 KiB, of whole
// characters.
func (s *ResultStore) ReadResult(ctx context.Context, handle string, q ReadQuery) (*ReadPage, error) {
	return s.read(ctx, handle, q, maxRead)
}

// read is ReadResult with pages of limit bytes.
func (s *ResultStore) read(ctx context.Context, handle string, q ReadQuery, limit int) (*ReadPage, error) {
	text, err := s.get(ctx, handle)
	if err != nil {
		return nil, err
	}
	page := &ReadPage{Total: len(text), Lines: strings.Count(text, "\n") + 1, limit: limit}
	switch {
	case q.Pattern != "":
		return page, page.search(ctx, text, q.Pattern)
	case q.FirstLine != 0 || q.LastLine != 0:
		from, to, err := lineRange(text, max(q.FirstLine, 1), q.LastLine)
		if err != nil {
			return nil, err
		}
		page.cut(text, from, to)
	case q.Offset < 0 || q.Offset > len(text):
		return nil, fmt.Errorf("mcpgroup: reading a result: offset %d is not within its %d bytes", q.Offset, len(text))
	case q.Length < 0:
		return nil, errors.New("mcpgroup: reading a result: length must not be negative")
	default:
		to := len(text)
		if q.Length > 0 && q.Length < to-q.Offset {
			to = q.Offset + q.Length
		}
		page.cut(text, q.Offset, to)
	}
	return page, nil
}

// cut sets what text has from byte from to byte to, as far as a page takes it.
func (p *ReadPage) cut(text string, from, to int) {
	from = runeStart(text, from)
	end := runeStart(text, min(to, from+p.limit))
	if end == from && from < len(text) {
		end = runeEnd(text, from+1) // or a reader of few bytes would stand still
	}
	p.Text, p.From = text[from:end], from
	if end < len(text) {
		p.Next = end
	}
}

// lineRange returns the bytes of the lines first to last, with the line end of the last.
func lineRange(text string, first, last int) (from, to int, err error) {
	if last != 0 && last < first {
		return 0, 0, fmt.Errorf("mcpgroup: reading a result: the last line %d comes before the first, %d", last, first)
	}
	for line := 1; line < first; line++ {
		n := strings.IndexByte(text[from:], '\n')
		if n < 0 {
			return 0, 0, fmt.Errorf("mcpgroup: reading a result: it has %d lines, and so no line %d", line, first)
		}
		from += n + 1
	}
	to = from
	for line := first; last == 0 || line <= last; line++ {
		n := strings.IndexByte(text[to:], '\n')
		if n < 0 {
			return from, len(text), nil
		}
		to += n + 1
	}
	return from, to, nil
}

// search sets the lines that match, each with the number of the line and the byte where the match begins.
func (p *ReadPage) search(ctx context.Context, text, pattern string) error {
	re, err := compilePattern(pattern, len(text))
	if err != nil {
		return fmt.Errorf("mcpgroup: reading a result: pattern: %w", err)
	}
	var b strings.Builder
	at, matches := 0, 0
	for line := 1; at <= len(text); line++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := len(text)
		if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
			end = at + n
		}
		from, to, err := find(ctx, re, text[at:end])
		if err != nil {
			return err
		}
		if from >= 0 {
			entry := fmt.Sprintf("line %d, byte %d: %s\n", line, at+from, excerpt(text[at:end], from, to))
			if matches++; matches > maxMatches || b.Len()+len(entry) > p.limit {
				p.More = true
				break
			}
			b.WriteString(entry)
		}
		at = end + 1
	}
	p.Text = b.String()
	return nil
}

// compilePattern refuses expressions that would take too long on a text of size bytes.
func compilePattern(pattern string, size int) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("it has more than %d bytes", maxPattern)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	if len(prog.Inst) > maxProgram {
		return nil, errors.New("it is too complex; use fewer or smaller repetitions")
	}
	if most := maxSearch / max(size, 1); len(prog.Inst) > most {
		return nil, fmt.Errorf("it is too complex for a result of %d bytes; use fewer or smaller repetitions, or read it by lines", size)
	}
	return regexp.Compile(pattern)
}

// find returns where re first matches in a line, or -1.
func find(ctx context.Context, re *regexp.Regexp, line string) (from, to int, err error) {
	if len(line) <= searchPiece {
		if loc := re.FindStringIndex(line); loc != nil {
			return loc[0], loc[1], nil
		}
		return -1, -1, nil
	}
	for at := 0; at < len(line); at += searchPiece - searchOverlap {
		if err := ctx.Err(); err != nil {
			return -1, -1, err
		}
		start, end := runeStart(line, at), runeStart(line, min(at+searchPiece, len(line)))
		if loc := re.FindStringIndex(line[start:end]); loc != nil {
			return start + loc[0], start + loc[1], nil
		}
	}
	return -1, -1, nil
}

// excerpt returns the part of a line around a match, and of a long match the beginning.
func excerpt(line string, from, to int) string {
	start := runeStart(line, max(from-matchContext, 0))
	end := runeStart(line, min(min(to, from+matchContext)+matchContext, len(line)))
	s := line[start:end]
	if start > 0 {
		s = ellipsis + s
	}
	if end < len(line) {
		s += ellipsis
	}
	return s
}

// readResultTool is the tool by which an agent reads what p left out: its definition and what it does. What it returns
// is within the bound of p, which must not be applied to it. Mistakes in args are results with isError set, so that the
// model can mend them.
func (s *ResultStore) readResultTool(p ResultPolicy) (*mcp.Tool, func(ctx context.Context, args map[string]any) (*Result, error)) {
	name, limit := p.readTool(), maxRead
	if bound := p.limit(); bound > 0 {
		limit = min(limit, bound-trailerRoom)
	}
	integer := func(least int, description string) map[string]any {
		return map[string]any{"type": "integer", "minimum": least, "description": description}
	}
	no := false
	tool := &mcp.Tool{
		Name:  name,
		Title: "Read a long result",
		Description: "Reads what was left out of a tool result that was too long. Give the handle from the result, and either " +
			"offset and length in bytes, or first_line and last_line, or a regular expression to search the lines for.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: &no},
		InputSchema: map[string]any{
			"type":                 "object",
			"additionalProperties": false,
			"required":             []any{"handle"},
			"properties": map[string]any{
				"handle":     map[string]any{"type": "string", "description": "The handle named in the shortened result."},
				"offset":     integer(0, "First byte to read. The default is 0."),
				"length":     integer(1, fmt.Sprintf("Bytes to read, at most %d, which is the default.", limit)),
				"first_line": integer(1, "First line to read, from 1."),
				"last_line":  integer(1, "Last line to read. The default is the end."),
				"pattern":    map[string]any{"type": "string", "maxLength": maxPattern, "description": "Regular expression (RE2); returns the lines that match."},
			},
		},
	}
	return tool, func(ctx context.Context, args map[string]any) (*Result, error) {
		var q ReadQuery
		var handle string
		err := readArguments(args, map[string]any{
			"handle": &handle, "offset": &q.Offset, "length": &q.Length,
			"first_line": &q.FirstLine, "last_line": &q.LastLine, "pattern": &q.Pattern,
		})
		var page *ReadPage
		if err == nil {
			page, err = s.read(ctx, handle, q, limit)
		}
		if e := ctx.Err(); e != nil {
			return nil, e
		}
		res := &mcp.CallToolResult{}
		if err != nil {
			res.IsError = true
			res.Content = []mcp.Content{&mcp.TextContent{Text: strings.TrimPrefix(err.Error(), "mcpgroup: ")}}
		} else {
			res.Content = []mcp.Content{&mcp.TextContent{Text: page.String()}}
		}
		return &Result{CallToolResult: res, Attempts: 1}, nil
	}
}

// String returns the page with a line on where it stands in the result.
func (p *ReadPage) String() string {
	switch {
	case p.Text == "" && p.Total > 0 && p.Next == 0 && p.From == 0:
		return fmt.Sprintf("[Nothing matches in %d bytes, %d lines.]", p.Total, p.Lines)
	case p.More:
		return p.Text + "[There are more matches; use a narrower pattern.]"
	case p.Next > 0:
		return fmt.Sprintf("%s\n[Bytes %d to %d of %d, %d lines in all. Go on with offset %d.]", p.Text, p.From, p.Next, p.Total, p.Lines, p.Next)
	}
	return fmt.Sprintf("%s\n[The result has %d bytes and %d lines.]", p.Text, p.Total, p.Lines)
}

// readArguments sets the variables that args names. Numbers come as whatever JSON was decoded to.
func readArguments(args map[string]any, vars map[string]any) error {
	for name, value := range args {
		switch v := vars[name].(type) {
		case *string:
			s, ok := value.(string)
			if !ok {
				return fmt.Errorf("mcpgroup: %s must be a string", name)
			}
			*v = s
		case *int:
			n, ok := wholeNumber(value)
			if !ok {
				return fmt.Errorf("mcpgroup: %s must be a whole number", name)
			}
			*v = n
		default:
			return fmt.Errorf("mcpgroup: there is no argument %s", cleanText(name, 64))
		}
	}
	return nil
}

func wholeNumber(v any) (int, bool) {
	const most = 1 << 40 // more than any result has, and exact in a float64
	switch n := v.(type) {
	case int:
		return n, true
	case int64:
		return int(n), -most < n && n < most
	case float64:
		return int(n), n == float64(int(n)) && -most < n && n < most
	case interface{ Int64() (int64, error) }: // json.Number
		i, err := n.Int64()
		return int(i), err == nil && -most < i && i < most
	}
	return 0, false
}
