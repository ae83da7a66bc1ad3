package mcphttp

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// answerGrace is how long the end of a stream may come after the answer. In time, the connection can be used again.
const answerGrace = 250 * time.Millisecond

// answerStream is the body of a stream that holds the answer to one message. It ends with the answer, whatever the
// server still sends.
type answerStream struct {
	stream
	c     *Chain
	sent  *http.Request
	x     *Exchange
	hold  *hold
	grace atomic.Pointer[time.Timer]
}

func (a *answerStream) Read(p []byte) (int, error) {
	if a.events.judge == nil {
		a.events.judge = a.judge
	}
	n, err := a.stream.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		switch err.(type) { //nolint:errorlint // these are made a few lines below, and wrapped by nobody
		case *TooLargeError, *AnswerError:
			a.x.record(err)
			a.src.Close()
		}
	}
	return n, err
}

func (a *answerStream) judge(name string, data []byte) (verdict, error) {
	if name != "message" || len(data) == 0 {
		return keep, nil // an id to resume at
	}
	switch kind := parse(data).kind; kind {
	case invalid:
		return drop, &AnswerError{What: "server-sent event"}
	case result, failure:
		if kind == failure {
			mask(a.events.out[a.events.ready:], a.c.secrets(a.sent)) // data may be a copy of several lines
		}
		a.hold.detach()
		a.grace.Store(time.AfterFunc(answerGrace, func() { a.src.Close() }))
		return last, nil
	}
	return keep, nil
}

func (a *answerStream) Close() error {
	if grace := a.grace.Load(); grace != nil {
		grace.Stop()
	}
	err := a.stream.Close()
	a.hold.release()
	return err
}

// resume continues the stream of an answer after it was cut (MCP 2025-11-25, basic/transports, "Resumability and
// Redelivery"). A [*ResumeError] is the server's no: the call's outcome is then unknown.
func (c *Chain) resume(req *http.Request, x *Exchange) (*http.Response, error) {
	hold := newHold(req.Context())
	resp, err := c.send(hold, req, nil, nil)
	if err != nil {
		hold.release()
		return nil, err
	}
	if success(resp) && isMedia(resp, "text/event-stream") {
		resp.Body = &answerStream{stream: stream{src: resp.Body, events: events{limit: c.cfg.MaxBody}}, c: c, sent: resp.Request, x: x, hold: hold}
		return resp, nil
	}
	_, _ = c.lookForLoss(resp) // OnSessionLost tells of it
	hold.release()
	return nil, x.record(&ResumeError{StatusCode: resp.StatusCode})
}

// lookForLoss uses up an answer to an attempt to open a stream, and reports whether the session is gone.
func (c *Chain) lookForLoss(resp *http.Response) (*HTTPError, bool) {
	if success(resp) {
		resp.Body.Close()
		return nil, false
	}
	h, _ := c.reject(resp, false).(*HTTPError) //nolint:errorlint // reject returns it bare
	if h == nil || !h.SessionLost {
		return h, false
	}
	if c.cfg.OnSessionLost != nil {
		c.cfg.OnSessionLost(resp.Request.Context(), resp.Request.Header.Get(headerSession))
	}
	return h, true
}

// emptyStream is the answer with a stream that has not brought anything yet, or never will.
func emptyStream(req *http.Request) *http.Response {
	resp := synthetic(req, http.StatusOK)
	resp.Header.Set("Content-Type", "text/event-stream")
	resp.ContentLength = -1
	return resp
}
