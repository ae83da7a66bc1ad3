package mcphttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// bare opens a connection of a transport over c, without the SDK's client.
func bare(t testing.TB, tr *Transport) mcp.Connection {
	t.Helper()
	conn, err := tr.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// after returns base behind an initialize that succeeds.
func after(base func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	begun := false
	return func(r *http.Request) (*http.Response, error) {
		if begun {
			return base(r)
		}
		begun = true
		return respond(200, "application/json", `{"jsonrpc":"2.0","id":0,"result":`+initializeResult+`}`)
	}
}

// over returns a chain whose requests are answered in memory.
func over(t testing.TB, base func(*http.Request) (*http.Response, error)) *Chain {
	t.Helper()
	c, err := New(Config{Endpoint: "https://h.example/mcp", Base: roundTripper(base)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newCall(id float64, method, params string) *jsonrpc.Request {
	made, err := jsonrpc.MakeID(id)
	if err != nil {
		panic(err)
	}
	return &jsonrpc.Request{ID: made, Method: method, Params: json.RawMessage(params)}
}

// begin sends initialize, as the call 0.
func begin(t testing.TB, conn mcp.Connection) {
	t.Helper()
	if _, err := ask(t, conn, newCall(0, "initialize", `{}`)); err != nil {
		t.Fatal(err)
	}
}

// ask sends a message and returns the answer to it, which Write has handed over when it returns. A notification has none.
func ask(t testing.TB, conn mcp.Connection, m *jsonrpc.Request) (*jsonrpc.Response, error) {
	t.Helper()
	if err := conn.Write(t.Context(), m); err != nil || !m.IsCall() {
		return nil, err
	}
	read, err := conn.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer, ok := read.(*jsonrpc.Response)
	if !ok || answer.ID != m.ID {
		t.Fatalf("Read() = %v, want the answer to %v", read, m.ID)
	}
	return answer, answer.Error
}

// A desk answers messages in memory, calls with an empty result unless it has another one, and keeps the headers they had.
type desk struct {
	results map[string]string      // by method
	edit    func(r *http.Response) // of the next answer

	headers []http.Header
}

func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	d.headers = append(d.headers, r.Header.Clone())
	if r.Method != http.MethodPost {
		return respond(http.StatusMethodNotAllowed, "text/plain", "")
	}
	var m struct {
		ID     json.RawMessage
		Method string
	}
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		return nil, err
	}
	resp, err := respond(http.StatusAccepted, "", "")
	if m.ID != nil && m.Method != "" {
		result := d.results[m.Method]
		if result == "" {
			result = "{}"
		}
		resp, err = respond(http.StatusOK, "application/json", fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result))
	}
	if edit := d.edit; edit != nil {
		d.edit = nil
		edit(resp)
	}
	return resp, err
}

// last returns the header of the last request.
func (d *desk) last() http.Header { return d.headers[len(d.headers)-1] }

const initializeResult = `{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`

func TestSessionAndVersionAreSentOnceTheyAreAgreedOn(t *testing.T) {
	d := &desk{results: map[string]string{"initialize": initializeResult}}
	conn := bare(t, &Transport{Chain: over(t, d.RoundTrip)})
	for _, tt := range []struct {
		name, method, gives, session, version string
	}{
		{"before all", "ping", "", "", ""},
		{"the first initialize", "initialize", "S1", "", ""},
		{"after it", "ping", "", "S1", "2025-11-25"},
		{"an answer that repeats the session", "tools/call", "S1", "S1", "2025-11-25"},
		{"initialize once more", "initialize", "S1", "", ""},
		{"after all", "ping", "", "S1", "2025-11-25"},
	} {
		d.edit = func(r *http.Response) {
			if tt.gives != "" {
				r.Header.Set(headerSession, tt.gives)
			}
		}
		if _, err := ask(t, conn, newCall(1, tt.method, `{}`)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		h := d.last()
		if h.Get(headerSession) != tt.session || h.Get(headerVersion) != tt.version {
			t.Errorf("%s: sent session %q and version %q, want %q and %q", tt.name, h.Get(headerSession), h.Get(headerVersion), tt.session, tt.version)
		}
	}
	if id := conn.SessionID(); id != "S1" {
		t.Errorf("SessionID() = %q, want S1", id)
	}
	// What the client answers and tells belongs to the session as well.
	if err := conn.Write(t.Context(), &jsonrpc.Response{ID: newCall(1, "", "").ID, Result: json.RawMessage(`{}`)}); err != nil {
		t.Error(err)
	}
	if h := d.last(); h.Get(headerSession) != "S1" || h.Get(headerVersion) != "2025-11-25" {
		t.Errorf("an answer was sent with %v", h)
	}
}

func TestAnswerFromAnotherSessionFailsThatCallOnly(t *testing.T) {
	s := &script{call: func(w http.ResponseWriter, _ *http.Request, id string) {
		w.Header().Set(headerSession, "ANOTHER")
		answer(w, id, `{"content":[]}`)
	}}
	cs, _ := session(t, s, nil, nil, false)
	var send *SendError
	if _, err, _ := callTool(t.Context(), cs, "elsewhere"); !errors.As(err, &send) || send.Method != "tools/call" {
		t.Errorf("error %v, want a SendError", err)
	}
	alive(t, cs)
	if id := cs.ID(); id != "SESSION-1234" {
		t.Errorf("the session is %q now", id)
	}
}

func TestMessageThatDoesNotAnswerTheCallFailsTheCallOnly(t *testing.T) {
	var body string
	s := &script{call: func(w http.ResponseWriter, r *http.Request, id string) { json200(body)(w, r, id) }}
	cs, _ := session(t, s, nil, nil, false)
	for _, body = range []string{
		`{"jsonrpc":"2.0","id":4711,"result":{}}`,
		`{"jsonrpc":"2.0","id":"ID","result":{}}`,
		`{"jsonrpc":"2.0","id":ID,"method":"ping"}`,
		`{"jsonrpc":"2.0","method":"notifications/message","params":{}}`,
		`{"jsonrpc":"2.0","id":4711,"error":{"code":-1,"message":"no"}}`,
		`{"jsonrpc":"2.0"}`,
		`{}`, `null`, `[]`, ``, `{"jsonrpc":"2.0","id":ID`,
	} {
		var fault *AnswerError
		if _, err, _ := callUncancelled(t.Context(), cs, "odd"); !errors.As(err, &fault) {
			t.Errorf("%q: error %v, want an AnswerError", body, err)
		}
		alive(t, cs)
	}
}

func TestErrorStatusAnswersTheCallWhateverItsID(t *testing.T) {
	s := &script{call: func(w http.ResponseWriter, r *http.Request, _ string) {
		w.WriteHeader(http.StatusBadRequest)
		w.Write([]byte(`{"jsonrpc":"2.0","id":"server-error","error":{"code":-32602,"message":"no such argument"}}`))
	}}
	cs, _ := session(t, s, nil, nil, false)
	var wire *jsonrpc.Error
	if _, err, _ := callTool(t.Context(), cs, "odd"); !errors.As(err, &wire) || wire.Code != -32602 {
		t.Errorf("error %v, want the server's", err)
	}
	alive(t, cs)
}

func TestNotificationThatFailsDoesNotEndTheSession(t *testing.T) {
	var answer atomic.Pointer[http.HandlerFunc]
	s := new(script)
	cs, _ := session(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := answer.Swap(nil); h != nil {
			(*h)(w, r)
			return
		}
		s.ServeHTTP(w, r)
	}), nil, nil, false)
	for name, fault := range map[string]http.HandlerFunc{
		"400":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) },
		"404":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"500":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"session":    func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(headerSession, "ANOTHER") },
	} {
		answer.Store(&fault)
		err := cs.NotifyProgress(t.Context(), &mcp.ProgressNotificationParams{ProgressToken: "p"})
		var send *SendError
		if !errors.As(err, &send) || send.Method != "notifications/progress" {
			t.Errorf("%s: error %v, want a SendError", name, err)
		}
		alive(t, cs)
	}
	// Nobody waits for an answer to a notification, so it may be anything.
	for _, contentType := range []string{"application/json", "text/html", "text/event-stream", ""} {
		hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Write([]byte("hello"))
		})
		answer.Store(&hello)
		if err := cs.NotifyProgress(t.Context(), &mcp.ProgressNotificationParams{ProgressToken: "p"}); err != nil {
			t.Errorf("answer in %q: %v", contentType, err)
		}
		alive(t, cs)
	}
}

func TestCloseDeletesTheSessionOnce(t *testing.T) {
	for _, session := range []string{"", "S1"} {
		t.Run(session, func(t *testing.T) {
			var deleted []http.Header
			d := &desk{results: map[string]string{"initialize": initializeResult}, edit: func(r *http.Response) {
				if session != "" {
					r.Header.Set(headerSession, session)
				}
			}}
			conn := bare(t, &Transport{Chain: over(t, func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodDelete {
					deleted = append(deleted, r.Header)
				}
				return d.RoundTrip(r)
			})})
			if _, err := ask(t, conn, newCall(1, "initialize", `{}`)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := conn.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
			if session == "" && len(deleted) > 0 {
				t.Fatalf("%d DELETE without a session", len(deleted))
			}
			if session != "" && (len(deleted) != 1 || deleted[0].Get(headerSession) != session || deleted[0].Get(headerVersion) != "2025-11-25") {
				t.Errorf("DELETE was sent with %v, want it once, with the session and the version", deleted)
			}
			if _, err := conn.Read(t.Context()); err != io.EOF {
				t.Errorf("Read after Close: %v, want EOF", err)
			}
			if err := conn.Write(t.Context(), newCall(2, "ping", `{}`)); err == nil {
				t.Error("Write after Close succeeded")
			}
		})
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bare(t, &Transport{Chain: over(t, new(desk).RoundTrip)}).Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Read() = %v, want the context's error", err)
	}
}

func TestConcurrentCallsGetTheirOwnAnswers(t *testing.T) {
	echo := `{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"ID"}]}}`
	var calls atomic.Int32
	s := &script{call: func(w http.ResponseWriter, r *http.Request, id string) {
		if calls.Add(1)%2 == 0 {
			json200(echo)(w, r, id)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\ndata: %s\n\n", changed, strings.ReplaceAll(echo, "ID", id))
	}}
	cs, _ := session(t, s, nil, nil, false)
	var mu sync.Mutex
	texts := make(map[string]bool)
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 25 {
				res, err, _ := callTool(t.Context(), cs, "echo")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				texts[res.Content[0].(*mcp.TextContent).Text] = true
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	if len(texts) != 200 {
		t.Errorf("200 calls got %d different answers", len(texts))
	}
}

// streaming answers every call by a stream.
func streaming(r *http.Request) (*http.Response, error) {
	var m struct{ ID json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		return nil, err
	}
	switch {
	case m.ID == nil:
		return respond(202, "", "")
	case r.Header.Get(headerMethod) == "server/discover":
		return respond(200, "application/json", fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, discoverResult))
	}
	return respond(200, "text/event-stream", "data: "+strings.ReplaceAll(fine, "ID", string(m.ID))+"\n\n")
}

// The SDK closes the connection as soon as Read has handed over the last answer, while Write still runs.
func TestSessionsAreClosedWhileTheirLastCallsReturn(t *testing.T) {
	for range 200 {
		cs, err := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil).Connect(t.Context(), &Transport{Chain: over(t, streaming)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { cs.CallTool(t.Context(), &mcp.CallToolParams{Name: "x"}) }) // it may be too late
		}
		all.Go(func() { cs.Close() })
		all.Wait()
	}
}

func TestSessionEndsWithoutHeadersOfABody(t *testing.T) {
	d := &desk{results: map[string]string{"initialize": initializeResult}, edit: func(r *http.Response) { r.Header.Set(headerSession, "S1") }}
	conn := bare(t, &Transport{Chain: over(t, d.RoundTrip)})
	begin(t, conn)
	conn.Close()
	if h := d.last(); len(h) != 2 || h.Get(headerSession) != "S1" || h.Get(headerVersion) != "2025-11-25" {
		t.Errorf("DELETE was sent with %v, want session and version", h)
	}
}

func TestSessionOfARefusedDiscoveryDoesNotCount(t *testing.T) {
	for status, id := range map[int]string{400: `"server-error"`, 200: `1`} {
		s, first := new(script), true
		c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !first {
				s.ServeHTTP(w, r)
				return
			}
			first = false
			w.Header().Set(headerSession, "OF-THE-REFUSAL")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32600,"message":"Bad Request: Missing session ID"}}`, id)
		}), nil)
		client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil)
		cs, err := client.Connect(t.Context(), &Transport{Chain: c}, nil)
		if err != nil {
			t.Errorf("%d: %v", status, err)
			continue
		}
		if id := cs.ID(); id != "SESSION-1234" {
			t.Errorf("%d: the session is %q, want that of initialize", status, id)
		}
		cs.Close()
	}
}

func TestConnectionsAreClosedWhileAnswersAreRead(t *testing.T) {
	for range 200 {
		conn := bare(t, &Transport{Chain: over(t, streaming)})
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				for conn.Write(t.Context(), newCall(float64(i), "tools/call", `{}`)) == nil {
				}
			})
		}
		all.Go(func() {
			for range 20 {
				if _, err := conn.Read(t.Context()); err != nil {
					t.Error(err)
				}
			}
			conn.Close()
		})
		all.Wait()
	}
}

func TestHostHasNoEmptyPort(t *testing.T) {
	c, err := New(Config{Endpoint: "https://h.example:/mcp", Base: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Host != "h.example" {
			t.Errorf("Host is %q, want h.example", r.Host)
		}
		return respond(202, "", "")
	})})
	if err != nil {
		t.Fatal(err)
	}
	if err := bare(t, &Transport{Chain: c}).Write(t.Context(), &jsonrpc.Request{Method: "notifications/progress"}); err != nil {
		t.Fatal(err)
	}
}

func TestErrorStatusCountsWhateverTheContentType(t *testing.T) {
	s := &script{call: func(w http.ResponseWriter, _ *http.Request, id string) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"bad argument"}}`, id)
	}}
	cs, _ := session(t, s, nil, nil, false)
	var e *jsonrpc.Error
	if _, err, _ := callTool(t.Context(), cs, "x"); !errors.As(err, &e) || e.Code != -32602 {
		t.Errorf("got %v, want the server's error", err)
	}
}
