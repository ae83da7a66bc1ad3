package mcphttp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// deleteTimeout bounds the request that ends a protocol session. Closing must not wait for a server that hangs.
const deleteTimeout = 5 * time.Second

// tripper is the chain as net/http sees it.
type tripper struct{ c *Chain }

// RoundTrip sends a request of a [Transport] or of the SDK's transport for HTTP+SSE. They send these:
//
//	POST with Accept                 a message (Streamable HTTP)
//	POST with Accept, Mcp-Method     the same since 2026-07-28; subscriptions/listen opens a notification stream
//	POST without Accept              a message (HTTP+SSE, 2024-11-05); the answer comes on the stream
//	GET with Mcp-Protocol-Version    opens the notification stream, or with Last-Event-Id resumes the stream of an answer
//	GET without                      opens the stream (HTTP+SSE)
//	DELETE                           ends the protocol session
func (t tripper) RoundTrip(req *http.Request) (*http.Response, error) {
	c := t.c
	x := exchangeOf(req.Context())
	switch req.Method {
	case http.MethodPost:
		if c.cfg.SelfHeal && is(req.Header, headerMethod, methodListen) && req.GetBody != nil {
			return c.subscribe(req, x)
		}
		return c.post(req, x)
	case http.MethodGet:
		switch {
		case req.Header.Get(headerVersion) == "" && req.Header.Get(headerEventID) == "":
			return c.legacyStream(req, x)
		case req.Header.Get(headerEventID) != "":
			return c.resume(req, x)
		case c.cfg.SelfHeal:
			return c.subscribe(req, x)
		default:
			return c.standalone(req, x)
		}
	case http.MethodDelete:
		return c.endSession(req), nil
	}
	return c.send(req.Context(), req, x, nil)
}

// send resolves the headers of req and sends it under ctx. extra is set on top, and may override the SDK's. A request
// that is refused for want of authorization is sent once more if [Config.Refused] has found a remedy, for each of the two
// statuses that say so, and for a 401 that brings a nonce for the next proof.
func (c *Chain) send(ctx context.Context, req *http.Request, x *Exchange, extra map[string]string) (*http.Response, error) {
	if c.cfg.Refused == nil {
		return c.sendOnce(ctx, req, x, extra)
	}
	return c.sendRefusable(ctx, req, x, extra)
}

func (c *Chain) sendRefusable(ctx context.Context, req *http.Request, x *Exchange, extra map[string]string) (*http.Response, error) {
	unauthorized, forbidden, nonce := true, true, true
	for {
		resp, err := c.sendOnce(ctx, req, x, extra)
		if err != nil {
			return nil, err
		}
		switch {
		case resp.StatusCode == http.StatusUnauthorized && nonce && resp.Header.Get("DPoP-Nonce") != "":
			nonce = false // RFC 9449 section 9: it says nothing against the token
		case resp.StatusCode == http.StatusUnauthorized && unauthorized:
			unauthorized = false
		case resp.StatusCode == http.StatusForbidden && forbidden:
			forbidden = false
		default:
			return resp, nil
		}
		if req.Body != nil && req.GetBody == nil {
			return resp, nil
		}
		again, err := c.cfg.Refused(ctx, resp)
		if err != nil {
			discard(resp)
			return nil, x.record(fmt.Errorf("mcphttp: the server answered %d: %w", resp.StatusCode, err))
		}
		if !again {
			return resp, nil
		}
		discard(resp)
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			req = req.WithContext(req.Context()) // a copy: the caller's request is left alone
			req.Body = body
		}
		x.refused()
	}
}

func (c *Chain) sendOnce(ctx context.Context, req *http.Request, x *Exchange, extra map[string]string) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		closeBody(req)
		return nil, err
	}
	out, err := c.outgoing(ctx, req, x, extra)
	if err != nil {
		closeBody(req)
		return nil, x.record(err)
	}
	resp, err := c.base.RoundTrip(out)
	x.settle()
	if err != nil {
		return nil, err
	}
	// What is said about the answer depends on what was really sent.
	resp.Request = out
	return resp, nil
}

// post sends one message and returns an answer that cannot hurt the session, or an error.
func (c *Chain) post(req *http.Request, x *Exchange) (*http.Response, error) {
	ctx := req.Context()
	var hold *hold
	if c.habit.streams() {
		hold = newHold(ctx)
		ctx = hold
	}
	resp, err := c.send(ctx, req, x, nil)
	if err == nil {
		resp, err = c.answer(req, resp, x, hold)
	}
	if err != nil {
		hold.release()
		return nil, err
	}
	return resp, nil
}

// legacyStream opens the stream of the HTTP+SSE transport. Its first event names the URL of one session, so it cannot
// be opened again behind the SDK's back.
func (c *Chain) legacyStream(req *http.Request, x *Exchange) (*http.Response, error) {
	resp, err := c.send(req.Context(), req, x, nil)
	if err != nil {
		return nil, err
	}
	if !success(resp) {
		return nil, x.record(c.reject(resp, false))
	}
	if !isMedia(resp, "text/event-stream") {
		return nil, x.record(contentTypeError(resp))
	}
	resp.Body = c.newPassing(resp.Body)
	return resp, nil
}

// standalone opens the notification stream without keeping it alive.
func (c *Chain) standalone(req *http.Request, x *Exchange) (*http.Response, error) {
	resp, err := c.send(req.Context(), req, x, nil)
	if err != nil {
		return nil, err
	}
	if !success(resp) || !isMedia(resp, "text/event-stream") {
		return noStream(resp), nil
	}
	resp.Body = c.newPassing(resp.Body)
	return resp, nil
}

// noStream says that there is no notification stream: by an answer that is not an event stream.
func noStream(resp *http.Response) *http.Response {
	resp.Body.Close()
	resp.Header.Del("Content-Type")
	setBody(resp, nil)
	return resp
}

// endSession asks the server to forget the session. Whatever it says, the session is over for us.
func (c *Chain) endSession(req *http.Request) *http.Response {
	ctx, cancel := context.WithTimeout(req.Context(), deleteTimeout)
	defer cancel()
	resp, err := c.send(ctx, req, nil, nil)
	if err != nil {
		c.log.Debug("the server was not told that the session ended", "error", Redact(err))
		return synthetic(req, http.StatusNoContent)
	}
	discard(resp)
	return synthetic(req, http.StatusNoContent)
}

// synthetic returns an answer that no server gave.
func synthetic(req *http.Request, status int) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: http.NoBody, Request: req,
	}
}

// discard reads what little is left of a body that does not matter, so that the connection can be used again, and
// closes it.
func discard(resp *http.Response) {
	if resp.ContentLength <= 4096 {
		io.CopyN(io.Discard, resp.Body, 4096) //nolint:errcheck // nobody wants to know
	}
	resp.Body.Close()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

func success(resp *http.Response) bool { return resp.StatusCode >= 200 && resp.StatusCode < 300 }

// is reports whether the header, given in canonical form, has the value.
func is(h http.Header, name, value string) bool {
	v := h[name]
	return len(v) == 1 && v[0] == value
}

// isMedia reports whether the media type of an answer is want, whatever its parameters.
func isMedia(resp *http.Response, want string) bool {
	t, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(t), want)
}

func contentTypeError(resp *http.Response) error {
	resp.Body.Close()
	return &ContentTypeError{StatusCode: resp.StatusCode, ContentType: cleanText(resp.Header.Get("Content-Type"), 128)}
}

// habit remembers how the server answers messages.
type habit struct{ sse atomic.Bool }

// streams reports whether the last answer was a stream.
func (h *habit) streams() bool { return h.sse.Load() }

// note keeps what the last answer was. It writes changes only: every call passes here.
func (h *habit) note(stream bool) {
	if h.sse.Load() != stream {
		h.sse.Store(stream)
	}
}

// A hold is a context for requests that are expected to be answered by a stream. It ends with the caller's context, but
// no longer once the answer has been handed over: callers cancel as soon as they have it, and that would cost the
// connection, whose end of the stream is still on its way.
type hold struct {
	context.Context
	cancel context.CancelCauseFunc
	stop   func() bool
}

func newHold(caller context.Context) *hold {
	h := new(hold)
	h.Context, h.cancel = context.WithCancelCause(context.WithoutCancel(caller))
	h.stop = context.AfterFunc(caller, func() { h.cancel(context.Cause(caller)) })
	return h
}

// detach ends the dependence on the caller. h may be nil.
func (h *hold) detach() {
	if h != nil {
		h.stop()
	}
}

// release ends the request. h may be nil.
func (h *hold) release() {
	if h != nil {
		h.stop()
		h.cancel(context.Canceled)
	}
}
