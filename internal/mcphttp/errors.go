package mcphttp

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// An HTTPError is an answer whose status is not a success. Its texts are sanitised: they hold no control characters, no
// protocol session id and no value of a header that was sent.
type HTTPError struct {
	StatusCode      int
	RetryAfter      time.Duration // what the server asked for, at most 5 minutes; 0 unless HasRetryAfter
	HasRetryAfter   bool          // the answer held a valid Retry-After field (RFC 9110 section 10.2.3)
	WWWAuthenticate []string      // the challenges, without what the request itself brought
	Body            string        // the first 512 bytes
	SessionLost     bool          // the server does not know the request's protocol session, so it did not run the request
	Code            int64         // of the JSON-RPC error in the body, or 0
	Message         string        // of the JSON-RPC error in the body
}

func (e *HTTPError) Error() string {
	s := "mcphttp: the server answered " + strconv.Itoa(e.StatusCode)
	if t := http.StatusText(e.StatusCode); t != "" {
		s += " " + t
	}
	if e.SessionLost {
		s += " (it has forgotten the session; connect again)"
	}
	if e.HasRetryAfter {
		s += fmt.Sprintf(" (retry after %v)", e.RetryAfter)
	}
	switch {
	case e.Message != "":
		s += fmt.Sprintf(": %s (code %d)", e.Message, e.Code)
	case e.Body != "":
		s += ": " + e.Body
	}
	return s
}

// A SendError is a message of the SDK's that failed. It costs a call and not the session.
type SendError struct {
	Method string // empty for the answer to a request of the server
	Err    error
}

func (e *SendError) Error() string {
	what := e.Method
	if what == "" {
		what = "an answer"
	}
	return fmt.Sprintf("mcphttp: sending %s: %v", what, e.Err)
}

func (e *SendError) Unwrap() []error { return []error{e.Err, errRejected} }

// errRejected tells the SDK that a message failed and not the connection. The SDK compares the code.
var errRejected = &jsonrpc.Error{Code: -32005, Message: "rejected by transport"}

// A TooLargeError is an answer that was not read to its end because it is larger than the limit.
type TooLargeError struct {
	Limit int64  // in bytes
	What  string // "JSON answer" or "server-sent event"
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("mcphttp: the %s is larger than %d bytes; ask the server for less or raise the limit", e.What, e.Limit)
}

// A ContentTypeError is a successful answer in a format that MCP does not know.
type ContentTypeError struct {
	StatusCode  int
	ContentType string // sanitised, at most 128 bytes; empty if the answer named none
}

func (e *ContentTypeError) Error() string {
	return fmt.Sprintf("mcphttp: the server answered %d with content type %q, want application/json or text/event-stream; is the URL that of an MCP endpoint?",
		e.StatusCode, e.ContentType)
}

// An AnswerError is a successful answer that is not a JSON-RPC message.
type AnswerError struct {
	What string // "JSON answer" or "server-sent event"
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("mcphttp: the server's %s is not a JSON-RPC 2.0 message", e.What)
}

// A RedirectError is an answer or an SSE endpoint event that points elsewhere. Nothing was sent there: what goes to one
// origin is not meant for another.
type RedirectError struct {
	StatusCode int    // 0 if it was no answer that pointed there
	Host       string // where it points, without path and query; empty if unknown
}

func (e *RedirectError) Error() string {
	switch {
	case e.StatusCode == 0:
		return fmt.Sprintf("mcphttp: refused to send a request to %q, which is not the configured server", e.Host)
	case e.Host == "":
		return fmt.Sprintf("mcphttp: the server answered with a redirect (%d), which is not followed; configure the final URL", e.StatusCode)
	}
	return fmt.Sprintf("mcphttp: the server redirects (%d) to %q, which is not followed; configure the final URL", e.StatusCode, e.Host)
}

// A HeaderError is a header that was refused before anything was sent. It never holds the value.
type HeaderError struct {
	Name   string
	Reason string
}

func (e *HeaderError) Error() string {
	return fmt.Sprintf("mcphttp: header %q %s", e.Name, e.Reason)
}

// A ResumeError is an answer stream that was cut and could not be resumed. The server received the request and may have
// run it.
type ResumeError struct {
	StatusCode int // of the last attempt; 0 if there was no answer
}

func (e *ResumeError) Error() string {
	if e.StatusCode == 0 {
		return "mcphttp: the stream of the answer was cut and could not be resumed"
	}
	return fmt.Sprintf("mcphttp: the stream of the answer was cut and could not be resumed: the server answered %d", e.StatusCode)
}
