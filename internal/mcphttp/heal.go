package mcphttp

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// maxBackoff is the longest pause between two attempts to open a notification stream, without what the server asks for.
const maxBackoff = 30 * time.Second

// subscribe opens a notification stream that stays open: it is one answer whose body ends only with the request's context or
// its own Close. Behind it the stream is opened as often as needed.
func (c *Chain) subscribe(req *http.Request, x *Exchange) (*http.Response, error) {
	defer closeBody(req) // every attempt takes a fresh one
	s := &healing{c: c, req: req, listen: req.Method == http.MethodPost, opened: make(chan opening)}
	s.ctx, s.cancel = context.WithCancel(req.Context())
	s.reset()
	go s.open()

	// Connecting waits for the first answer, under a context without a deadline. Some servers and proxies send nothing, not
	// even a header, before the first event.
	wait := time.NewTimer(c.openWait)
	defer wait.Stop()
	select {
	case o := <-s.opened:
		if o.err == nil && o.resp.StatusCode < 500 && !retryable(o.resp.StatusCode) {
			if success(o.resp) && isMedia(o.resp, "text/event-stream") {
				s.adopt(o.resp)
				o.resp.Body = s
				return o.resp, nil
			}
			return s.refused(o.resp, x)
		}
		s.missed(o)
	case <-wait.C:
		c.log.Warn("the notification stream does not open; going on without", "after", c.openWait)
		s.opening = true
	case <-s.ctx.Done():
	}
	if s.ctx.Err() != nil {
		s.cancel()
		return nil, context.Cause(req.Context())
	}
	s.resumed = true // nothing was heard since the session began
	resp := emptyStream(req)
	resp.Body = s
	return resp, nil
}

func retryable(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// healing is the body of a notification stream. Read is called by one goroutine at a time, Close by any.
type healing struct {
	c      *Chain
	req    *http.Request // as it came: headers are resolved anew for every attempt
	listen bool          // subscriptions/listen, not a GET
	ctx    context.Context
	cancel context.CancelFunc

	opened chan opening // where open leaves its answer

	// Of the reader.
	events   events
	src      io.ReadCloser // nil while the stream is down
	since    time.Time     // when src was opened
	opening  bool          // open is running
	resumed  bool          // the next stream takes the place of another
	over     bool          // the server will not open it again: wait for the end
	passed   int           // messages of src that were passed on
	failures int           // attempts in a row without a stream that was of use
	floor    time.Duration // what the server asked to wait before the next attempt

	// mu guards closed and the closing of src.
	mu     sync.Mutex
	closed bool
}

// opening is the answer to an attempt.
type opening struct {
	resp *http.Response
	err  error
}

// open sends the request once. It waits for the answer as long as the stream is wanted.
func (s *healing) open() {
	req, extra := s.req, map[string]string{
		"Accept-Encoding": "identity", // a compressor would hold events back
	}
	if s.listen {
		body, err := req.GetBody()
		if err != nil {
			s.leave(opening{err: err})
			return
		}
		req = req.WithContext(s.ctx)
		req.Body = body
	} else if s.events.eventID != "" {
		extra[headerEventID] = s.events.eventID
	}
	resp, err := s.c.send(s.ctx, req, nil, extra) //nolint:bodyclose // whoever takes the opening closes it
	s.leave(opening{resp, err})
}

func (s *healing) leave(o opening) {
	select {
	case s.opened <- o:
	case <-s.ctx.Done():
		if o.resp != nil {
			o.resp.Body.Close()
		}
	}
}

// adopt makes the answer the stream to read from.
func (s *healing) adopt(resp *http.Response) {
	s.reset()
	s.since, s.passed = time.Now(), 0
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		resp.Body.Close()
		return
	}
	s.src = resp.Body
}

// refused judges the first answer if it is no stream: the server has none, or says why not.
func (s *healing) refused(resp *http.Response, x *Exchange) (*http.Response, error) {
	if s.listen {
		resp, err := s.c.answer(s.req, resp, x, nil)
		s.cancel()
		return resp, err
	}
	resp = noStream(resp)
	s.cancel()
	return resp, nil
}

// missed notes an attempt that failed.
func (s *healing) missed(o opening) {
	s.failures++
	s.floor = s.events.retry
	if o.err != nil {
		s.c.log.Debug("the notification stream cannot be opened", "error", Redact(o.err))
		s.over = s.c.cfg.Hopeless != nil && s.c.cfg.Hopeless(o.err)
		return
	}
	h, lost := s.c.lookForLoss(o.resp)
	switch status := o.resp.StatusCode; {
	case lost:
		s.c.log.Info("the server has forgotten the session of a notification stream")
		s.over = true
	case status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented:
		s.c.log.Warn("the server no longer offers a notification stream", "status", status)
		s.over = true
	default:
		s.c.log.Debug("the notification stream cannot be opened", "status", status)
	}
	if h != nil && h.HasRetryAfter {
		s.floor = min(h.RetryAfter, maxRetry)
	}
}

// reset begins the splitting of a new stream. What the last one said about resuming stays.
func (s *healing) reset() {
	s.events = events{
		limit: s.c.cfg.MaxBody, lenient: true, judge: s.judge, eventID: s.events.eventID, retry: s.events.retry,
	}
}

func (s *healing) judge(name string, data []byte) (verdict, error) {
	if s.listen && name == "message" {
		switch k := parse(data).kind; {
		case k == failure && s.passed == 0 && !s.resumed:
			s.over = true // refused from the start, which may be known
			return last, nil
		case k == result || k == failure:
			// The answer to subscriptions/listen says that it is over.
			return drop, io.EOF
		}
	}
	v, err := s.c.tolerate(name, data)
	if v == keep {
		s.passed++
	}
	return v, err
}

// Read hands out events. While the stream is down it waits, and brings it up again.
func (s *healing) Read(p []byte) (int, error) {
	for {
		if n := s.events.take(p); n > 0 || len(p) == 0 {
			return n, nil
		}
		if err := s.ctx.Err(); err != nil {
			return 0, err
		}
		if s.src == nil {
			s.revive()
			continue
		}
		n, err := s.src.Read(p)
		if e := s.events.feed(p[:n]); e != nil {
			err = e
		} else if errors.Is(err, io.EOF) {
			err = errors.Join(err, s.events.finish())
		}
		if err != nil {
			s.down(err)
		}
	}
}

// down closes the stream that has ended.
func (s *healing) down(err error) {
	s.mu.Lock()
	s.src.Close()
	s.src = nil
	s.mu.Unlock()
	if s.ctx.Err() == nil {
		s.c.log.Debug("the notification stream was cut", "after", time.Since(s.since), "error", Redact(err))
	}
	s.resumed = true
	// A stream that lasted or brought something is worth opening. The first message of a subscription only acknowledges
	// it (SEP-2575).
	useful := s.passed > 0
	if s.listen {
		useful = s.passed > 1
	}
	if useful || time.Since(s.since) >= 2*s.c.backoffBase {
		s.failures = 0
	}
	s.failures++
	s.floor = s.events.retry
}

// revive makes one attempt to bring the stream up, after the pause that is due.
func (s *healing) revive() {
	switch {
	case s.over:
		<-s.ctx.Done()
		return
	case !s.opening:
		if !sleep(s.ctx, s.pause()) {
			return
		}
		s.opening = true
		go s.open()
	}
	var o opening
	select {
	case o = <-s.opened:
		s.opening = false
	case <-s.ctx.Done():
		return
	}
	if o.err != nil || !success(o.resp) || !isMedia(o.resp, "text/event-stream") {
		s.missed(o)
		return
	}
	s.floor = 0
	s.adopt(o.resp)
	if s.resumed && s.c.cfg.OnResume != nil {
		s.c.cfg.OnResume(s.ctx)
	}
}

// pause returns how long to wait before the next attempt: what the server asked for, and then a backoff.
func (s *healing) pause() time.Duration {
	return s.floor + s.c.backoff(s.failures)
}

// backoff returns how long to wait after so many failures in a row: anything up to a bound that doubles with every one, so
// that clients that were cut off together do not come back together.
func (c *Chain) backoff(failures int) time.Duration {
	return rand.N(min(c.backoffBase<<min(max(failures-1, 0), 16), maxBackoff))
}

// Close ends the stream and an attempt to open it.
func (s *healing) Close() error {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.src != nil {
		return s.src.Close()
	}
	return nil
}
