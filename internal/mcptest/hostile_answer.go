package mcptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// EndlessPings executes the call, answers it correctly in an event stream, and then keeps the stream open with a comment
// every interval until the client leaves.
func EndlessPings(every time.Duration) Fault {
	return func(s *Raw, w http.ResponseWriter, r *http.Request, hit Hit) bool {
		out := stream200(w, s.answerEvent(r, hit))
		for out() && pause(r.Context(), every) {
			io.WriteString(w, ": ping\n\n")
		}
		return true
	}
}

// RetryThenEOF ends the stream without an answer and tells the client to come back for it after d.
func RetryThenEOF(d time.Duration) Fault {
	return func(_ *Raw, w http.ResponseWriter, _ *http.Request, _ Hit) bool {
		stream200(w, fmt.Appendf(nil, "id: 1\nretry: %d\ndata:\n\n", d.Milliseconds()))()
		return true
	}
}

// Drip executes the call and answers it correctly, one byte per interval.
func Drip(every time.Duration) Fault {
	return func(s *Raw, w http.ResponseWriter, r *http.Request, hit Hit) bool {
		answer := s.Answer(r, hit.Body)
		answer.writeHeader(w)
		flush := http.NewResponseController(w).Flush
		for i := range answer.Body {
			w.Write(answer.Body[i : i+1])
			if flush() != nil || !pause(r.Context(), every) {
				break
			}
		}
		return true
	}
}

// NeverAnswer sends nothing at all, not even a status, until the client leaves.
func NeverAnswer() Fault {
	return func(_ *Raw, _ http.ResponseWriter, r *http.Request, _ Hit) bool {
		<-r.Context().Done()
		return true
	}
}

// SlowAnswer answers honestly, d late. The call is executed after the wait.
func SlowAnswer(d time.Duration) Fault {
	return func(_ *Raw, _ http.ResponseWriter, r *http.Request, _ Hit) bool { return !pause(r.Context(), d) }
}

// DropAfterExecution executes the call and cuts the connection instead of answering.
func DropAfterExecution() Fault {
	return func(s *Raw, w http.ResponseWriter, r *http.Request, hit Hit) bool {
		s.Answer(r, hit.Body)
		return drop(w)
	}
}

// DropBeforeExecution cuts the connection after it has read the request.
func DropBeforeExecution() Fault {
	return func(_ *Raw, w http.ResponseWriter, _ *http.Request, _ Hit) bool { return drop(w) }
}

func drop(w http.ResponseWriter) bool {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 and test recorders: the server cuts the stream
	}
	_ = conn.Close() // cut is cut
	return true
}

// Redirect answers with a redirect status to location.
func Redirect(status int, location string) Fault {
	return func(_ *Raw, w http.ResponseWriter, _ *http.Request, _ Hit) bool {
		w.Header().Set("Location", location)
		w.WriteHeader(status)
		return true
	}
}

// WrongContentType executes the call and labels the correct answer as something else.
func WrongContentType(mediaType string) Fault {
	return executed(func(answer *Reply) { answer.Header.Set("Content-Type", mediaType) })
}

// WrongID executes the call and answers a request that was never made.
func WrongID() Fault {
	return executed(func(answer *Reply) {
		var fields map[string]json.RawMessage
		if json.Unmarshal(answer.Body, &fields) != nil {
			return
		}
		fields["id"] = json.RawMessage("987654321")
		answer.Body = encode(fields)
	})
}

// CutJSON executes the call and cuts the connection half way through the answer.
func CutJSON() Fault {
	return executed(func(answer *Reply) {
		// Less than announced makes the server cut the connection.
		answer.Header.Set("Content-Length", strconv.Itoa(len(answer.Body)))
		answer.Body = answer.Body[:len(answer.Body)/2]
	})
}

// NotJSON executes the call and answers with HTML that is labelled as JSON, as some proxies do.
func NotJSON() Fault {
	return executed(func(answer *Reply) { answer.Body = []byte("<html><body>Bad Gateway</body></html>") })
}

// CutEvent executes the call and ends the event stream half way through the answer. The event has no id: nothing can be
// resumed.
func CutEvent() Fault {
	return executed(func(answer *Reply) {
		answer.Header.Set("Content-Type", "text/event-stream")
		full := event(answer.Body)
		answer.Body = full[:len(full)/2]
	})
}

// MalformedEvent executes the call and answers with an event stream whose lines are no fields.
func MalformedEvent() Fault {
	return executed(func(answer *Reply) {
		answer.Header.Set("Content-Type", "text/event-stream")
		answer.Body = []byte("<<<garbage>>>\ndata\n\n")
	})
}

// executed handles the request honestly and spoils the answer.
func executed(spoil func(answer *Reply)) Fault {
	return func(s *Raw, w http.ResponseWriter, r *http.Request, hit Hit) bool {
		answer := s.Answer(r, hit.Body)
		if answer.Header == nil {
			answer.Header = make(http.Header)
		}
		spoil(&answer)
		answer.write(w)
		return true
	}
}

// InputRequired answers that the call needs more input (MCP 2026-07-28, multi round-trip requests), however often it is
// repeated: with a form for the user to fill in if ask is set, and otherwise without saying what it needs.
func InputRequired(ask bool) Fault {
	return func(s *Raw, w http.ResponseWriter, _ *http.Request, hit Hit) bool {
		result := map[string]any{"resultType": "input_required", "requestState": "again"}
		if ask {
			result["inputRequests"] = map[string]any{"form": map[string]any{"method": "elicitation/create", "params": map[string]any{
				"mode": "form", "message": "Your password?", "requestedSchema": map[string]any{"type": "object",
					"properties": map[string]any{"password": map[string]any{"type": "string"}}}}}}
		}
		s.result(hit.ID, result).write(w)
		return true
	}
}

// EndlessCursor answers every tools/list with one more new tool and one more new cursor.
func EndlessCursor() Fault {
	return func(s *Raw, w http.ResponseWriter, _ *http.Request, hit Hit) bool {
		n, _ := strconv.Atoi(strings.TrimPrefix(hit.Cursor, "page-")) // the first has no cursor and is page 0
		s.cursorPage(hit, n, n+1).write(w)
		return true
	}
}

// CyclicCursor answers tools/list with pages whose cursors lead back to the first cursor after length pages.
func CyclicCursor(length int) Fault {
	return func(s *Raw, w http.ResponseWriter, _ *http.Request, hit Hit) bool {
		n, _ := strconv.Atoi(strings.TrimPrefix(hit.Cursor, "page-"))
		s.cursorPage(hit, n, n%length+1).write(w)
		return true
	}
}

func (s *Raw) cursorPage(hit Hit, page, next int) Reply {
	result := map[string]any{
		"tools":      []any{define(fmt.Sprintf("tool_%d", page), "One of many", map[string]any{})},
		"nextCursor": fmt.Sprintf("page-%d", next),
	}
	if s.modern() {
		result["ttlMs"], result["cacheScope"] = s.opts.TTLMs, s.opts.CacheScope
	}
	return s.result(hit.ID, result)
}

// answerEvent executes the call and returns the answer as a server-sent event.
func (s *Raw) answerEvent(r *http.Request, hit Hit) []byte {
	answer := s.Answer(r, hit.Body)
	if bytes.HasPrefix(answer.Body, []byte("event:")) { // the server is set to events anyway
		return answer.Body
	}
	return event(answer.Body)
}

// stream200 begins an event stream with first. The returned function flushes and reports whether the client is there.
func stream200(w http.ResponseWriter, first []byte) (flush func() bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	w.Write(first)
	controller := http.NewResponseController(w)
	return func() bool { return controller.Flush() == nil }
}
