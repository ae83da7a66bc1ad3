package mcphttp

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
)

// maxRetry bounds the pause before reconnecting that a server can ask for in a stream. The SDK knows no bound.
const maxRetry = 30 * time.Second

// events splits an event stream (WHATWG HTML, section 9.2.6) into whole events and writes them anew in a form that the
// SDK reads without fault: lines end in LF, every field has a colon, comments and unknown fields are gone, a pause is
// bounded. An event that was cut off by the end of the stream is not passed on.
type events struct {
	limit int64 // of one event, in bytes
	// lenient streams lose an event that is too large; others fail.
	lenient bool
	// judge decides about an event. An event without a name is a "message". It must not keep data.
	judge func(name string, data []byte) (verdict, error)

	out   []byte // whole events, then the lines of the unfinished one
	given int    // out[:given] has been handed out
	ready int    // out[:ready] is whole events
	line  int    // out[line:] is the unfinished line

	// Of the unfinished event.
	name      string
	data      span // the value of its data line
	dataLines int
	skipping  bool // it is too large: wait for its end

	eventID string        // of the last event that had one
	retry   time.Duration // what the stream asked for last

	begun bool // past the start of the stream, where a byte order mark may stand
	cr    bool // the last line ended in CR: an LF belongs to it
	ended bool // judge saw the last event
}

type span struct{ from, to int }

// verdict is what becomes of an event.
type verdict uint8

const (
	keep verdict = iota
	drop
	last // keep, and end the stream
)

// take moves whole events into p.
func (e *events) take(p []byte) int {
	n := copy(p, e.out[e.given:e.ready])
	e.given += n
	if e.given == e.ready && cap(e.out) > keptBuffer {
		e.compact() // a stream may be quiet for long now
	}
	return n
}

// feed adds what was read from the stream.
func (e *events) feed(b []byte) error {
	if e.given == e.ready {
		e.compact()
	}
	for len(b) > 0 && !e.ended {
		if e.cr {
			e.cr = false
			if b[0] == '\n' {
				b = b[1:]
				continue
			}
		}
		// The data of an answer is one long line. Lone CRs are looked for in what comes before the LF only.
		end := bytes.IndexByte(b, '\n')
		part := b
		if end >= 0 {
			part = b[:end]
		}
		if i := bytes.IndexByte(part, '\r'); i >= 0 {
			end, part, e.cr = i, b[:i], true
		}
		if err := e.add(part); err != nil {
			return err
		}
		if end < 0 {
			return nil
		}
		b = b[end+1:]
		if err := e.endLine(); err != nil {
			return err
		}
	}
	return nil
}

// finish tells that the stream is over. A last event without an empty line after it counts if it is whole: the standard
// says no, but servers leave the line out.
func (e *events) finish() error {
	if e.ended || e.skipping {
		return nil
	}
	if e.line < len(e.out) {
		if err := e.endLine(); err != nil {
			return err
		}
	}
	if e.dataLines == 0 || parse(e.value()).kind == invalid {
		e.reset(e.ready)
		return nil
	}
	return e.endLine()
}

// add appends part of a line.
func (e *events) add(part []byte) error {
	if len(part) == 0 {
		return nil
	}
	if int64(len(e.out)-e.ready+len(part)) > e.limit && !e.skipping {
		if !e.lenient {
			return &TooLargeError{Limit: e.limit, What: "server-sent event"}
		}
		e.skipping = true
		e.out, e.line = e.out[:e.ready], e.ready
	}
	if e.skipping {
		// Only whether the line is empty matters now.
		e.out = append(e.out[:e.line], '.')
		return nil
	}
	e.out = append(grow(e.out, len(part), int64(e.ready)+e.limit+64), part...)
	return nil
}

// endLine looks at the line that has become whole.
func (e *events) endLine() error {
	line := e.out[e.line:]
	if !e.begun {
		e.begun = true
		if bom := []byte("\xef\xbb\xbf"); bytes.HasPrefix(line, bom) {
			line = line[:copy(line, line[len(bom):])]
			e.out = e.out[:e.line+len(line)]
		}
	}
	if len(line) == 0 {
		return e.endEvent()
	}
	if e.skipping {
		e.out = e.out[:e.line]
		return nil
	}
	name, value, colon := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		if !colon {
			e.out = append(e.out, ':')
		}
		e.data = span{len(e.out) - len(value), len(e.out)}
		e.dataLines++
	case "event":
		e.name = string(bytes.TrimSpace(value[:min(len(value), 64)]))
		if !colon {
			e.out = append(e.out, ':')
		}
	case "id":
		if bytes.IndexByte(value, 0) >= 0 {
			e.out = e.out[:e.line]
			return nil
		}
		e.eventID = string(value)
		if !colon {
			e.out = append(e.out, ':')
		}
	case "retry":
		ms, err := strconv.ParseUint(string(value), 10, 63)
		if err != nil {
			e.out = e.out[:e.line]
			return nil //nolint:nilerr // a field that is no number is ignored (WHATWG HTML, section 9.2.6)
		}
		e.retry = time.Duration(min(ms, uint64(maxRetry/time.Millisecond))) * time.Millisecond
		e.out = strconv.AppendInt(append(e.out[:e.line], "retry:"...), e.retry.Milliseconds(), 10)
	default: // comments too
		e.out = e.out[:e.line]
		return nil
	}
	e.out = append(e.out, '\n')
	e.line = len(e.out)
	return nil
}

// endEvent looks at the event that has become whole.
func (e *events) endEvent() error {
	v := drop
	if !e.skipping && e.line > e.ready {
		data := bytes.TrimSpace(e.value())
		// Several empty data lines are data to the SDK, and no JSON.
		if len(data) > 0 || e.dataLines < 2 {
			name := e.name
			if name == "" {
				name = "message"
			}
			var err error
			if v, err = e.judge(name, data); err != nil {
				return err
			}
		}
	}
	if v == drop {
		e.reset(e.ready)
		return nil
	}
	e.out = append(e.out, '\n')
	e.ended = v == last
	e.reset(len(e.out))
	return nil
}

// value returns the data of the unfinished event.
func (e *events) value() []byte {
	switch e.dataLines {
	case 0:
		return nil
	case 1:
		return e.out[e.data.from:e.data.to]
	}
	var all []byte
	for line := range bytes.SplitSeq(e.out[e.ready:e.line], []byte("\n")) {
		if v, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			all = append(append(all, v...), '\n')
		}
	}
	return all
}

// reset begins a new event at out[at:].
func (e *events) reset(at int) {
	e.out = e.out[:at]
	if at == 0 && cap(e.out) > keptBuffer {
		e.out = nil
	}
	e.ready, e.line = at, at
	e.name, e.dataLines, e.skipping = "", 0, false
}

// keptBuffer is how large a buffer a quiet stream may hold on to.
const keptBuffer = 64 << 10

// compact frees what has been handed out.
func (e *events) compact() {
	if e.ready == 0 {
		return
	}
	shift := e.ready
	if rest := e.out[shift:]; cap(e.out) > keptBuffer {
		e.out = append([]byte(nil), rest...)
	} else {
		e.out = e.out[:copy(e.out, rest)]
	}
	e.given, e.ready = 0, 0
	e.line -= shift
	e.data.from -= shift
	e.data.to -= shift
}

// stream is the body of an event stream as the SDK reads it.
type stream struct {
	src    io.ReadCloser
	events events
	err    error // what ended src
}

// Read hands out whole events only. It uses p as the buffer for what it reads from src.
func (s *stream) Read(p []byte) (int, error) {
	for {
		if n := s.events.take(p); n > 0 || len(p) == 0 {
			return n, nil
		}
		if s.err != nil {
			return 0, s.err
		}
		n, err := s.src.Read(p)
		if e := s.events.feed(p[:n]); e != nil {
			err = e
		} else if errors.Is(err, io.EOF) {
			if e := s.events.finish(); e != nil {
				err = e
			}
		}
		s.err = err
	}
}

func (s *stream) Close() error { return s.src.Close() }

// newPassing returns the body of a stream that is not tied to one message, without its faulty events.
func (c *Chain) newPassing(src io.ReadCloser) io.ReadCloser {
	return &stream{src: src, events: events{limit: c.cfg.MaxBody, lenient: true, judge: c.tolerate}}
}

// tolerate keeps what the SDK can read on any stream: messages, and the endpoint event of the HTTP+SSE transport. There
// the SDK takes every event for a message, also one without data.
func (c *Chain) tolerate(name string, data []byte) (verdict, error) {
	switch {
	case name == "endpoint":
		return keep, nil
	case name != "message" || len(data) == 0:
		return drop, nil
	case parse(data).kind == invalid:
		c.log.Warn("dropped an event that is not a JSON-RPC message")
		return drop, nil
	}
	return keep, nil
}
