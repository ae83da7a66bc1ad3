package stdio

import (
	"bytes"
	"io"
	"sync"
)

const (
	filterBuffer = 32 << 10
	// judged is how much of a line is looked at. A message may be longer, with its "jsonrpc" member last.
	judged = 4 << 10
	// junkSamples lines of junkBytes bytes each are kept.
	junkSamples = 5
	junkBytes   = 200
)

// filter passes on the lines of src that may be JSON-RPC messages and drops the others. MCP demands that a server
// writes nothing else to its standard output (MCP 2025-11-25, basic/transports, stdio), but banners and log records are
// common, and any of them would end the session.
//
// It holds at most judged bytes of a line. A dropped line of any length passes through without being stored.
type filter struct {
	src  io.Reader
	max  int
	junk *junk

	buf  []byte
	rest []byte // of buf: read but not looked at
	out  []byte // accepted but not delivered: part of buf or held
	held []byte // the beginning of a line that is not judged yet

	state  lineState
	passed int   // bytes of the passing line
	ended  error // what src returned at its end
	err    error // what Read returns once out is delivered
}

type lineState uint8

const (
	judging lineState = iota
	passing
	dropping
)

func newFilter(src io.Reader, maxLine int, j *junk) *filter {
	return &filter{src: src, max: maxLine, junk: j, buf: make([]byte, filterBuffer)}
}

func (f *filter) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for len(f.out) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		f.advance()
	}
	n := copy(b, f.out)
	f.out = f.out[n:]
	return n, nil
}

// advance looks at the next piece of input, up to the end of a line. out is empty, so held may be written to.
func (f *filter) advance() {
	if len(f.rest) == 0 {
		if f.ended != nil {
			f.endOfInput()
			return
		}
		n, err := f.src.Read(f.buf)
		f.rest, f.ended = f.buf[:n], err
		if n == 0 {
			return
		}
	}
	piece, ended := f.rest, false
	if i := bytes.IndexByte(f.rest, '\n'); i >= 0 {
		piece, ended = f.rest[:i], true
	}
	switch f.state {
	case judging:
		f.judge(piece, ended)
	case passing:
		f.consume(len(piece), ended)
		f.pass(piece, ended)
	case dropping:
		f.consume(len(piece), ended)
		if ended {
			f.state = judging
		}
	}
}

// consume takes n bytes, and the line break after them, off the input.
func (f *filter) consume(n int, lineBreak bool) {
	if lineBreak {
		n++
	}
	f.rest = f.rest[n:]
}

// judge decides about a line once it is complete or judged bytes of it are known. piece lies at the start of rest.
func (f *filter) judge(piece []byte, ended bool) {
	if len(f.held) == 0 && (ended || len(piece) >= judged) {
		f.consume(len(piece), ended)
		f.verdict(piece, ended)
		return
	}
	take := min(len(piece), judged-len(f.held))
	f.held = append(f.held, piece[:take]...)
	complete := ended && take == len(piece)
	f.consume(take, complete)
	if !complete && len(f.held) < judged {
		return
	}
	line := f.held
	f.held = f.held[:0]
	f.verdict(line, complete)
}

// verdict acts on the beginning of a line, or on all of it.
func (f *filter) verdict(line []byte, complete bool) {
	// .NET programs begin with a byte order mark, on which a JSON decoder chokes.
	start := bytes.TrimPrefix(line[:min(len(line), judged)], byteOrderMark)
	if isMessage(start, len(line) < judged) {
		f.passed = 0
		f.pass(bytes.TrimPrefix(line, byteOrderMark), complete)
		return
	}
	f.junk.add(start)
	if !complete {
		f.state = dropping
	}
}

// pass delivers a piece of a line. A line break is appended to it: behind a piece of buf there is one already, behind
// held there is not.
func (f *filter) pass(piece []byte, ended bool) {
	f.state = passing
	if f.passed += len(piece); f.passed > f.max {
		f.err, f.rest = &LineTooLongError{Max: f.max}, nil
		return
	}
	f.out = piece
	if ended {
		f.out = append(piece, '\n')
		f.state = judging
	}
}

// endOfInput judges a last line that has no line break.
func (f *filter) endOfInput() {
	if f.state == judging && len(f.held) > 0 {
		line := f.held
		f.held = f.held[:0]
		f.verdict(line, false)
	}
	if f.err == nil {
		f.err = f.ended
	}
}

var (
	jsonrpcMember = []byte(`"jsonrpc"`)
	byteOrderMark = []byte("\uFEFF")
)

// isMessage reports whether a line can be a JSON-RPC message: an object with a member, or a batch of objects ("[INFO]
// ready" is a more common sight than "[{"). A short line, which is all there, must also have the member that every
// message has, which tells it from a structured log record. Of a longer one only the beginning counts.
func isMessage(line []byte, whole bool) bool {
	rest := trim(line)
	if len(rest) > 0 && rest[0] == '[' {
		rest = trim(rest[1:])
	}
	if len(rest) == 0 || rest[0] != '{' {
		return false
	}
	if rest = trim(rest[1:]); len(rest) == 0 || rest[0] != '"' {
		return false
	}
	return !whole || bytes.Contains(rest, jsonrpcMember)
}

func trim(b []byte) []byte { return bytes.TrimLeft(b, " \t\r") }

// junk is what is remembered of dropped lines. It is safe for concurrent use.
type junk struct {
	warn func(line string) // called once, for the first line

	mu    sync.Mutex
	lines int64
	first []string
}

// add counts a line. Blank lines are legal separators for a JSON decoder and not worth a warning.
func (j *junk) add(line []byte) {
	if len(trim(line)) == 0 {
		return
	}
	j.mu.Lock()
	j.lines++
	n := j.lines
	var sample string
	if n <= junkSamples {
		sample = clean(line[:min(len(line), junkBytes)])
		j.first = append(j.first, sample)
	}
	j.mu.Unlock()
	if n == 1 && j.warn != nil {
		j.warn(sample)
	}
}

func (j *junk) count() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines
}

func (j *junk) samples() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.first...)
}
