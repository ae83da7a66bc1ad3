package mcphttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// status answers with a plain body.
func status(code int, body string) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(code)
		w.Write([]byte(body))
	}
}

// stream200 answers with an event stream. ID stands for the request's id. The connection is closed after it, so that the
// end of the body is an ordinary one.
func stream200(body string) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, _ *http.Request, id string) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Connection", "close")
		w.Write([]byte(strings.ReplaceAll(body, "ID", id)))
	}
}

func json200(body string) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, _ *http.Request, id string) {
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(strings.ReplaceAll(body, "ID", id)))
	}
}

const fine = `{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"fine"}]}}`

func TestSessionOutlivesEveryFaultOfOneCall(t *testing.T) {
	as := func(target any) func(error) bool {
		return func(err error) bool {
			switch target := target.(type) {
			case *HTTPError:
				var e *HTTPError
				return errors.As(err, &e) && e.StatusCode == target.StatusCode && e.SessionLost == target.SessionLost
			case *TooLargeError:
				return errors.As(err, &target)
			case *AnswerError:
				return errors.As(err, &target)
			case *ContentTypeError:
				return errors.As(err, &target)
			case *RedirectError:
				return errors.As(err, &target)
			case *ResumeError:
				return errors.As(err, &target)
			}
			return false
		}
	}
	anything := func(err error) bool { return err != nil }
	rpc := func(code int64) func(error) bool {
		return func(err error) bool {
			var e *jsonrpc.Error
			return errors.As(err, &e) && e.Code == code
		}
	}
	type test struct {
		name string
		call func(http.ResponseWriter, *http.Request, string)
		want func(error) bool // nil: the call succeeds
		seen bool             // and the exchange recorded it
	}
	tests := []test{
		{"json", json200(fine), nil, false},
		{"json error", json200(`{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"no"}}`), rpc(-32602), false},
		{"400 with json error", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"bad argument"}}`, id)
		}, rpc(-32602), false},
		{"404 with json error id null", func(w http.ResponseWriter, r *http.Request, id string) {
			w.WriteHeader(404)
			w.Write([]byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}`))
		}, as(&HTTPError{StatusCode: 404, SessionLost: true}), true},
		{"404 of python 1.26", func(w http.ResponseWriter, r *http.Request, id string) {
			w.WriteHeader(404)
			w.Write([]byte(`{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}`))
		}, as(&HTTPError{StatusCode: 404, SessionLost: true}), true},
		{"400 of python 1.12", status(400, "Bad Request: No valid session ID provided"), as(&HTTPError{StatusCode: 400, SessionLost: true}), true},
		{"json cut", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte(`{"jsonrpc":"2.0",`))
			panic(http.ErrAbortHandler)
		}, anything, false},
		{"no json", json200(`<html>`), as(&AnswerError{}), true},
		{"json of no message", json200(`{"ok":true}`), as(&AnswerError{}), true},
		{"json error without id", json200(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse"}}`), as(&AnswerError{}), true},
		{"json batch", json200(`[` + fine + `]`), as(&AnswerError{}), true},
		{"json too deep", json200(`{"jsonrpc":"2.0","id":ID,"result":` + strings.Repeat("[", 1200) + strings.Repeat("]", 1200) + `}`), as(&AnswerError{}), true},
		{"json too large", json200(`{"jsonrpc":"2.0","id":ID,"result":"` + strings.Repeat("a", 100_000) + `"}`), as(&TooLargeError{}), true},
		{"html", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte("<p>hello"))
		}, as(&ContentTypeError{}), true},
		{"202 to a call", func(w http.ResponseWriter, r *http.Request, id string) { w.WriteHeader(202) }, as(&ContentTypeError{}), true},
		{"204 to a call", func(w http.ResponseWriter, r *http.Request, id string) { w.WriteHeader(204) }, as(&ContentTypeError{}), true},
		{"redirect", func(w http.ResponseWriter, r *http.Request, id string) {
			http.Redirect(w, r, "http://elsewhere.example/?t=1", http.StatusTemporaryRedirect)
		}, as(&RedirectError{}), true},
		{"connection closed", func(http.ResponseWriter, *http.Request, string) { panic(http.ErrAbortHandler) }, anything, false},

		{"stream", stream200("data: " + fine + "\n\n"), nil, false},
		{"stream with comments, CRLF and a bare data line", stream200("\xef\xbb\xbf: hi\r\n\r\ndata\r\n\r\nevent: message\r\nfoo\r\ndata: " + fine + "\r\n\r\n"), nil, false},
		{"stream without the last empty line", stream200("data: " + fine), nil, false},
		{"stream of lone CRs", stream200("data: " + fine + "\r\r"), nil, false},
		{"stream cut within an event", stream200("data: " + fine[:40]), anything, false},
		{"stream cut by the connection", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Write([]byte("data: " + fine[:40]))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, anything, false},
		{"stream of no json", stream200("data: nonsense\n\n"), as(&AnswerError{}), true},
		{"stream of no json that could be resumed", stream200("id: 1\ndata: {}\n\ndata: nonsense\n\n"), as(&AnswerError{}), true},
		{"empty stream", stream200(""), anything, false},
		{"event too large", stream200("data: " + strings.Repeat("a", 100_000) + "\n\n"), as(&TooLargeError{}), true},
		{"event too large, resumable", stream200("id: 1\nretry: 1\ndata:\n\ndata: " + strings.Repeat("a", 100_000) + "\n\n"), as(&TooLargeError{}), true},
		{"stream cut, resuming refused", stream200("id: 1\nretry: 1\ndata:\n\n"), as(&ResumeError{}), true},
	}
	for _, code := range []int{401, 402, 403, 405, 408, 409, 411, 413, 415, 422, 425, 429, 500, 501, 502, 503, 504, 520} {
		tests = append(tests, test{fmt.Sprint(code), status(code, "no"), as(&HTTPError{StatusCode: code}), true})
	}
	tests = append(tests,
		test{"400", status(400, "bad argument"), as(&HTTPError{StatusCode: 400}), true},
		test{"404", status(404, "404 page not found"), as(&HTTPError{StatusCode: 404, SessionLost: true}), true},
		test{"410", status(410, ""), as(&HTTPError{StatusCode: 410, SessionLost: true}), true},
	)

	s := new(script)
	cs, _ := session(t, s, func(c *Config) { c.MaxBody = 64 << 10 }, nil, false)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.mu.Lock()
			s.call = tt.call
			s.mu.Unlock()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			res, err, x := callTool(ctx, cs, "faulty")
			if ctx.Err() != nil {
				t.Fatal("the call hung")
			}
			if !x.Sent() {
				t.Error("Sent() = false after the server had the request")
			}
			if tt.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				if text := res.Content[0].(*mcp.TextContent).Text; text != "fine" {
					t.Errorf("result %q, want fine", text)
				}
			} else {
				seen := err
				if tt.seen {
					seen = x.Err()
				} else if x.Err() != nil {
					t.Errorf("Exchange.Err() = %v, want nil", x.Err())
				}
				if !tt.want(seen) {
					t.Errorf("error %v (recorded %v) is not the one wanted", err, x.Err())
				}
			}
			alive(t, cs)
		})
	}
	if n := s.count("initialize"); n != 1 {
		t.Errorf("initialize was sent %d times", n)
	}
}

func TestSessionOutlivesACallThatIsCancelledDuringItsAnswer(t *testing.T) {
	for _, contentType := range []string{"application/json", "text/event-stream"} {
		t.Run(contentType, func(t *testing.T) {
			reading, ended := make(chan struct{}), make(chan struct{})
			s := &script{call: func(w http.ResponseWriter, r *http.Request, id string) {
				w.Header().Set("Content-Type", contentType)
				w.Write([]byte("{"))
				w.(http.Flusher).Flush()
				reading <- struct{}{}
				<-r.Context().Done()
				ended <- struct{}{}
			}}
			cs, c := session(t, s, nil, nil, false)
			for _, stream := range []bool{false, true} { // what is expected of the server
				c.habit.note(stream)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					<-reading
					cancel()
				}()
				if _, err, _ := callTool(ctx, cs, "slow"); !errors.Is(err, context.Canceled) {
					t.Errorf("error %v, want that of the context", err)
				}
				<-ended // the server learns of it
				alive(t, cs)
			}
		})
	}
}

func TestServerThatIsDownIsNoSentRequest(t *testing.T) {
	c, err := New(Config{Endpoint: "http://127.0.0.1:1/mcp"})
	if err != nil {
		t.Fatal(err)
	}
	_, err, x := do(t.Context(), t, c, "http://127.0.0.1:1/mcp", call)
	if err == nil || x.Sent() {
		t.Errorf("refused connection: error %v, Sent %v, want an error and false", err, x.Sent())
	}
}

func TestConnectionsSurviveStreamedAnswers(t *testing.T) {
	var mu sync.Mutex
	conns := make(map[string]bool)
	s := &script{call: func(w http.ResponseWriter, r *http.Request, id string) {
		mu.Lock()
		conns[r.RemoteAddr] = true
		mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\n", strings.ReplaceAll(fine, "ID", id))
		w.(http.Flusher).Flush()
		time.Sleep(2 * time.Millisecond) // the caller has the answer before the stream ends
	}}
	cs, _ := session(t, s, nil, nil, false)
	for range 20 {
		if _, err, _ := callTool(t.Context(), cs, "streamed"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	// The habit of the server is learnt from the first answer.
	mu.Lock()
	defer mu.Unlock()
	if len(conns) > 3 {
		t.Errorf("20 calls one after the other used %d connections", len(conns))
	}
}

func TestAnswerStreamIsResumed(t *testing.T) {
	s := &script{
		call: stream200("id: 1\nretry: 1\ndata:\n\n"),
		get: func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get(headerEventID) != "1" {
				t.Errorf("Last-Event-ID %q, want 1", r.Header.Get(headerEventID))
			}
			w.Header().Set("Content-Type", "text/event-stream")
			// The SDK numbers its requests: initialize 1, this call 2.
			fmt.Fprintf(w, "id: 2\ndata: %s\n\n", strings.ReplaceAll(fine, "ID", "2"))
		},
	}
	cs, _ := session(t, s, nil, nil, false)
	res, err, _ := callTool(t.Context(), cs, "polled")
	if err != nil {
		t.Fatal(err)
	}
	if text := res.Content[0].(*mcp.TextContent).Text; text != "fine" {
		t.Errorf("result %q, want fine", text)
	}
	alive(t, cs)
}

func TestAnswerStreamThatNeverProgressesFailsTheCallOnly(t *testing.T) {
	s := &script{
		call: stream200("id: 1\nretry: 1\ndata:\n\n"),
		get:  func(w http.ResponseWriter, r *http.Request) { stream200("id: 1\nretry: 1\ndata:\n\n")(w, r, "") },
	}
	cs, _ := session(t, s, nil, nil, false)
	_, err, x := callTool(t.Context(), cs, "stuck")
	var resume *ResumeError
	if err == nil || !errors.As(x.Err(), &resume) {
		t.Errorf("error %v, recorded %v, want a ResumeError", err, x.Err())
	}
	if n := s.count("GET"); n != maxResumes {
		t.Errorf("the stream was resumed %d times, want %d", n, maxResumes)
	}
	alive(t, cs)
}

func TestForgottenSessionOnResumeIsReportedButProvesNothing(t *testing.T) {
	lost := make(chan string, 1)
	s := &script{
		call: stream200("id: 1\nretry: 1\ndata:\n\n"),
		get:  func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotFound) },
	}
	cs, _ := session(t, s, func(c *Config) { c.OnSessionLost = func(_ context.Context, id string) { lost <- id } }, nil, false)
	_, err, x := callTool(t.Context(), cs, "cut")
	var status *HTTPError
	if err == nil || errors.As(x.Err(), &status) {
		t.Errorf("error %v, recorded %v: the call was executed, it must not look as if it had been refused", err, x.Err())
	}
	if id := <-lost; id != "SESSION-1234" {
		t.Errorf("OnSessionLost(%q)", id)
	}
	alive(t, cs)
}

func TestLegacyTransportWorksThroughTheChain(t *testing.T) {
	server := mcp.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "ok"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "ok"}}}, nil, nil
	})
	sse := mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return server }, nil)
	noisy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w = &noise{ResponseWriter: w}
		}
		sse.ServeHTTP(w, r)
	})
	c, url := serve(t, noisy, func(c *Config) { c.SelfHeal = true })
	client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil)
	cs, err := client.Connect(t.Context(), &mcp.SSEClientTransport{Endpoint: url, HTTPClient: c.Client(), MaxEventSize: c.MaxEvent()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	alive(t, cs)
}

// noise adds events after the first that the SDK's legacy transport does not survive.
type noise struct {
	http.ResponseWriter
	writes int
}

func (n *noise) Write(p []byte) (int, error) {
	if n.writes++; n.writes > 1 && strings.HasPrefix(string(p), "event: message") {
		n.ResponseWriter.Write([]byte("event: ping\ndata: 12:00\n\ndata\n\ndata: nonsense\n\n"))
	}
	return n.ResponseWriter.Write(p)
}

func (n *noise) Flush() { n.ResponseWriter.(http.Flusher).Flush() }

func TestLegacyConnectErrorIsTyped(t *testing.T) {
	c, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}), nil)
	client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil)
	_, err := client.Connect(t.Context(), &mcp.SSEClientTransport{Endpoint: url, HTTPClient: c.Client()}, nil)
	var status *HTTPError
	if !errors.As(err, &status) || len(status.WWWAuthenticate) != 1 {
		t.Errorf("Connect error %v, want an HTTPError with its challenge", err)
	}
}
