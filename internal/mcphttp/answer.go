package mcphttp

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// answer judges the answer to a message. It returns one that can be decoded, or an error.
func (c *Chain) answer(req *http.Request, resp *http.Response, x *Exchange, h *hold) (*http.Response, error) {
	switch {
	case !success(resp):
		if err := c.reject(resp, true); err != nil {
			return nil, x.record(err)
		}
	case len(req.Header["Accept"]) == 0: // HTTP+SSE: nothing is said here
		discard(resp)
		setBody(resp, nil)
	case isMedia(resp, "text/event-stream"):
		c.habit.note(true)
		resp.Body = &answerStream{stream: stream{src: resp.Body, events: events{limit: c.cfg.MaxBody}}, c: c, sent: resp.Request, x: x, hold: h}
		return resp, nil // which releases h
	default:
		body, err := c.readAnswer(resp)
		if err != nil && isCall(req) {
			return nil, x.record(err)
		}
		if err == nil {
			c.habit.note(false)
		}
		// Nobody looks at the answer to a notification, and servers send all sorts.
		setBody(resp, body)
	}
	h.release()
	return resp, nil
}

// readAnswer reads a JSON answer whole. An error of the connection is returned as it is.
func (c *Chain) readAnswer(resp *http.Response) ([]byte, error) {
	if resp.StatusCode == http.StatusAccepted || resp.StatusCode == http.StatusNoContent {
		discard(resp) // of a notification, usually
		return nil, contentTypeError(resp)
	}
	if !isMedia(resp, "application/json") {
		return nil, contentTypeError(resp)
	}
	defer resp.Body.Close()
	body, err := readAll(resp.Body, resp.ContentLength, c.cfg.MaxBody)
	if err != nil {
		return nil, err
	}
	switch parse(body).kind {
	case invalid:
		return nil, &AnswerError{What: "JSON answer"}
	case failure:
		mask(body, c.secrets(resp.Request))
	}
	return body, nil
}

// maxPresize bounds what is allocated on the mere word of a server that a body will be long.
const maxPresize = 256 << 10

// readAll reads r to its end, which must come within limit bytes. size is how long r claims to be, or -1.
func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, &TooLargeError{Limit: limit, What: "JSON answer"}
	}
	capacity := int64(1024)
	if size >= 0 {
		capacity = min(size+1, maxPresize) // and one byte to see the end
	}
	b := make([]byte, 0, capacity)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > limit {
			return nil, &TooLargeError{Limit: limit, What: "JSON answer"}
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
		if len(b) == cap(b) {
			b = grow(b, 1, limit+1)
		}
	}
}

// grow returns b with room for n more bytes. It doubles, so that what is copied and left behind is never more than what
// is needed, but not past limit, which must leave room for n.
func grow(b []byte, n int, limit int64) []byte {
	if len(b)+n <= cap(b) {
		return b
	}
	next := max(int64(len(b)+n), min(2*int64(cap(b)), limit))
	return append(make([]byte, 0, next), b...)
}

// memoryBody is a body that has been read already.
type memoryBody struct {
	bytes.Reader
	text []byte // all of it
}

func (*memoryBody) Close() error { return nil }

// setBody makes b the body of resp. What the header said of the body on the wire no longer holds.
func setBody(resp *http.Response, b []byte) {
	known := resp.ContentLength == int64(len(b))
	resp.ContentLength = int64(len(b))
	resp.TransferEncoding = nil
	if !known && resp.Header["Content-Length"] != nil {
		resp.Header["Content-Length"] = []string{strconv.Itoa(len(b))}
	}
	if len(b) == 0 {
		resp.Body = http.NoBody
		return
	}
	m := &memoryBody{text: b}
	m.Reset(b)
	resp.Body = m
}

// isCall reports whether somebody waits for an answer to req. It costs a copy of the body, and is asked in rare cases.
func isCall(req *http.Request) bool {
	if req.GetBody == nil {
		return true
	}
	r, err := req.GetBody()
	if err != nil {
		return true
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return true
	}
	k := parse(b).kind
	return k == request || k == invalid
}
