package mcphttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
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

// A recorder keeps what a server is asked, in the order in which it was.
type recorder struct {
	http.Handler

	mu       sync.Mutex
	requests []string
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	header := req.Header.Clone()
	if header.Get(headerSession) != "" {
		header.Set(headerSession, "(one that the server gave)")
	}
	if req.Method == http.MethodDelete { // see TestSessionEndsWithoutHeadersOfABody
		header.Del("Content-Type")
		header.Del("Accept")
	}
	line := fmt.Sprintf("%s %s %v %v\n", req.Method, req.URL, req.ContentLength, req.TransferEncoding)
	for _, name := range slices.Sorted(maps.Keys(header)) {
		line += fmt.Sprintf("%s: %q\n", name, header[name])
	}
	r.mu.Lock()
	r.requests = append(r.requests, line+string(body))
	r.mu.Unlock()
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	r.Handler.ServeHTTP(w, req)
}

func (r *recorder) count(text string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, request := range r.requests {
		if strings.Contains(request, text) {
			n++
		}
	}
	return n
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// mirroring is a tool whose parameters are sent as headers too.
var mirroring = &mcp.Tool{Name: "mirroring", InputSchema: map[string]any{"type": "object", "properties": map[string]any{
	"text":  map[string]any{"type": "string", "x-mcp-header": "Text"},
	"flag":  map[string]any{"type": "boolean", "x-mcp-header": "FLAG"},
	"count": map[string]any{"type": "integer", "x-mcp-header": "x-count"},
	"plain": map[string]any{"type": "string"},
	"deep": map[string]any{"type": "object", "properties": map[string]any{
		"text":   map[string]any{"type": "string", "x-mcp-header": "Deep"},
		"deeper": map[string]any{"type": "object", "properties": map[string]any{"n": map[string]any{"type": "integer", "x-mcp-header": "Deeper"}}},
	}},
}}}

// mirroredArguments are what it is called with.
var mirroredArguments = []string{
	`{}`,
	`{"text":"plain","flag":true,"count":7,"plain":"x","deep":{"text":"inner","deeper":{"n":-3}}}`,
	`{"text":"Grüße, 世界","flag":false,"count":0}`,
	`{"text":" leading","deep":{"text":"trailing\t"}}`,
	`{"text":"=?base64?eA==?=","deep":{"text":"=?base64?="}}`,
	`{"text":"two\r\nlines","deep":{"text":"\u007f"}}`,
	`{"text":""}`,
	`{"text":null,"flag":null,"count":null,"deep":null}`,
	`{"count":9007199254740991}`, `{"count":9007199254740992}`, `{"count":-9007199254740991}`, `{"count":-9007199254740992}`,
	`{"count":1.5}`, `{"count":1e3}`, `{"count":2.0}`, `{"count":-0}`, `{"count":1e300}`,
	`{"text":7,"flag":"yes","count":"8"}`,
	`{"text":["a"],"flag":{},"deep":"flat"}`,
	`{"deep":{"deeper":{}}}`, `{"deep":{"deeper":[]}}`,
	`{"Text":"of another name","text":"a \u0041"}`,
	`{"text":"first","text":"second"}`,
}

// A rival is a way to connect the SDK's client through a chain.
type rival func(c *Chain, url string) mcp.Transport

func TestServersSeeTheSameRequestsAsFromTheTransportOfTheSDK(t *testing.T) {
	for _, tt := range []struct {
		name            string
		stateless, json bool
		version         string
		heal            bool
	}{
		{"2025-11-25 with streams", false, false, "2025-11-25", false},
		{"2025-11-25 with JSON", false, true, "2025-11-25", false},
		{"2025-06-18", false, false, "2025-06-18", false},
		{"2026-07-28 with streams", true, false, "2026-07-28", false},
		{"2026-07-28 with JSON", true, true, "2026-07-28", false},
		{"2025-11-25 to a server without sessions", true, false, "2025-11-25", false},
		{"fallback from 2026-07-28", false, false, "", false},
		{"fallback from 2026-07-28 with JSON", false, true, "", false},
		{"2025-11-25 with streams that heal", false, false, "2025-11-25", true},
		{"2026-07-28 with streams that heal", true, false, "2026-07-28", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := func(connect rival) []string {
				return observe(t, connect, tt.version, tt.heal, &mcp.StreamableHTTPOptions{
					Stateless: tt.stateless, JSONResponse: tt.json, PropagateRequestCancellation: true,
				})
			}
			want := run(func(c *Chain, url string) mcp.Transport {
				return &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: c.Client(), MaxEventSize: c.MaxEvent()}
			})
			got := run(func(c *Chain, _ string) mcp.Transport { return &Transport{Chain: c, Listen: true} })
			for i := range max(len(want), len(got)) {
				if i >= len(want) || i >= len(got) || want[i] != got[i] {
					t.Fatalf("request %d is\n%s\nof the SDK's transport it is\n%s", i, strings.Join(got[i:min(i+1, len(got))], ""), strings.Join(want[i:min(i+1, len(want))], ""))
				}
			}
		})
	}
}

// observe runs a program of the SDK's client and returns what it sent. Two runs are equal, as what the client does on its
// own is waited for, but for
//
//   - the ids of sessions, which are replaced;
//   - Content-Type and Accept of DELETE, a known fault, which are left out;
//   - cancellations that Close sends for streams that are still open: it does not wait for them, and they are left out.
func observe(t *testing.T, connect rival, version string, heal bool, opts *mcp.StreamableHTTPOptions) []string {
	t.Helper()
	server := mcptest.NewSDKServer("s")
	started := make(chan struct{})
	server.AddTool(mirroring, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "mirrored"}}}, nil
	})
	server.AddTool(&mcp.Tool{Name: "hang", InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		started <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	rec := &recorder{Handler: mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, opts)}
	c, url := serve(t, rec, func(c *Config) { c.SelfHeal = heal })

	var changes atomic.Int32
	client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { changes.Add(1) },
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Ada"}}, nil
		},
	})
	cs, err := client.Connect(t.Context(), connect(c, url), &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	legacy := cs.InitializeResult().ProtocolVersion < "2026-07-28"

	// How it goes is noted too: that it is in vain is as good.
	var outcomes []string
	note := func(what string, err error) {
		outcomes = append(outcomes, fmt.Sprintf("%s: failed %v", what, err != nil))
	}
	run := func(name, arguments string) {
		res, err := cs.CallTool(t.Context(), &mcp.CallToolParams{
			Meta: mcp.Meta{"progressToken": "p"}, Name: name, Arguments: json.RawMessage(arguments),
		})
		note(name+arguments, err)
		if err == nil {
			text, err := json.Marshal(res)
			note(string(text), err)
		}
	}
	run("regional", `{"region":"before it was listed"}`)
	if _, err := cs.ListTools(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	run("echo", `{"text":"hello"}`)
	run("fail", `{}`)
	run("unknown", `{}`)
	run("progress", `{"steps":3}`)
	run("regional", `{"region":"eu","text":"x"}`)
	for _, arguments := range mirroredArguments {
		run("mirroring", arguments)
	}
	if !legacy || !opts.JSONResponse && !opts.Stateless { // elsewhere a server of the SDK cannot ask
		run("ask", `{"question":"who?"}`)
	}
	_, err = cs.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "greet", Arguments: map[string]string{"name": "Ada"}})
	note("prompt", err)
	_, err = cs.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "unknown"})
	note("unknown prompt", err)
	for _, uri := range []string{"file:///notes.txt", "file:///a%20b", "file:///", ""} {
		_, err = cs.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
		note(uri, err)
	}
	_, err = cs.ListResources(t.Context(), nil)
	note("resources", err)
	note("subscription", cs.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "file:///notes.txt"}))
	note("notification", cs.NotifyProgress(t.Context(), &mcp.ProgressNotificationParams{ProgressToken: "p", Progress: 1}))
	if legacy {
		note("ping", cs.Ping(t.Context(), nil))
	}

	if !legacy || !opts.Stateless { // a cancellation would reach nobody
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-started
			cancel()
		}()
		_, err = cs.CallTool(ctx, &mcp.CallToolParams{Name: "hang"})
		note("cancelled call", err)
		eventually(t, "the cancellation", func() bool { return rec.count("notifications/cancelled") == 1 })
		run("add_tool", `{"name":"added"}`)
		eventually(t, "the change", func() bool { return changes.Load() > 0 })
		if _, err := cs.ListTools(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}

	before := len(rec.all())
	if err := cs.Close(); err != nil {
		t.Fatal(err)
	}
	requests := rec.all()
	return append(append(requests[:before:before], slices.DeleteFunc(requests[before:], func(r string) bool {
		return strings.Contains(r, "notifications/cancelled")
	})...), outcomes...)
}

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

func TestListeningStreamIsOpenedOnceByTheOneWhoAsksForIt(t *testing.T) {
	for _, tt := range []struct {
		version string
		listen  bool
		want    int
	}{
		{"2025-11-25", true, 1},
		{"2025-03-26", true, 1},
		{"2025-11-25", false, 0},
		{"2026-07-28", true, 0},
	} {
		t.Run(fmt.Sprint(tt.version, tt.listen), func(t *testing.T) {
			var order []string
			d := &desk{results: map[string]string{"initialize": `{"protocolVersion":"` + tt.version + `"}`}}
			conn := bare(t, &Transport{Listen: tt.listen, Chain: over(t, func(r *http.Request) (*http.Response, error) {
				order = append(order, r.Method)
				return d.RoundTrip(r)
			})})
			var opened []http.Header
			for _, m := range []*jsonrpc.Request{
				newCall(1, "initialize", `{}`), {Method: "notifications/initialized"}, {Method: "notifications/progress"}, newCall(2, "ping", `{}`),
			} {
				if _, err := ask(t, conn, m); err != nil {
					t.Fatal(err)
				}
			}
			for i, method := range order {
				if method == http.MethodGet {
					opened = append(opened, d.headers[i])
				}
			}
			if len(opened) != tt.want {
				t.Fatalf("sent %v, want %d streams", order, tt.want)
			}
			if tt.want == 0 {
				return
			}
			if order[1] != http.MethodGet {
				t.Errorf("sent %v, want the stream before the server learns that the client is ready", order)
			}
			if h := opened[0]; h.Get("Accept") != "text/event-stream" || h.Get("Content-Type") != "" || h.Get(headerVersion) != tt.version {
				t.Errorf("the stream was opened with %v", h)
			}
		})
	}
}

func TestListeningStreamBringsWhatTheServerSendsOnItsOwn(t *testing.T) {
	s := &script{get: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\n", changed)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}}
	notified := make(chan struct{})
	cs, _ := session(t, s, nil, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { close(notified) },
	}, true)
	<-notified
	alive(t, cs)
}

func TestListeningStreamThatCannotBeReachedFailsTheConnect(t *testing.T) {
	c, _ := serve(t, &script{get: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}, nil)
	client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil)
	_, err := client.Connect(t.Context(), &Transport{Chain: c, Listen: true}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	var send *SendError
	if !errors.As(err, &send) || send.Method != "notifications/initialized" {
		t.Errorf("error %v, want a SendError", err)
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

func TestCloseEndsStreamsThatHang(t *testing.T) {
	hanging := make(chan struct{}, 2)
	ended := make(chan struct{}, 2)
	hang := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Write([]byte("id: 1\n\n"))
		w.(http.Flusher).Flush()
		hanging <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	}
	s := &script{get: hang, call: func(w http.ResponseWriter, r *http.Request, _ string) { hang(w, r) }}
	c, _ := serve(t, s, nil)
	conn := bare(t, &Transport{Chain: c, Listen: true})
	for _, m := range []*jsonrpc.Request{newCall(1, "initialize", `{}`), {Method: "notifications/initialized"}} {
		if _, err := ask(t, conn, m); err != nil {
			t.Fatal(err)
		}
	}
	written := make(chan error)
	go func() { written <- conn.Write(t.Context(), newCall(2, "tools/call", `{"name":"x"}`)) }()
	<-hanging
	<-hanging
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := <-written; err != nil {
		t.Errorf("Write of the call that hung: %v", err)
	}
	<-ended
	<-ended
	if _, err := conn.Read(t.Context()); err != io.EOF {
		t.Errorf("Read after Close: %v, want EOF", err)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bare(t, &Transport{Chain: over(t, new(desk).RoundTrip)}).Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Read() = %v, want the context's error", err)
	}
}

func TestStreamedAnswerIsThereBeforeItsStreamEnds(t *testing.T) {
	answered := make(chan struct{})
	s := &script{call: func(w http.ResponseWriter, r *http.Request, id string) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\n", strings.ReplaceAll(fine, "ID", id))
		w.(http.Flusher).Flush()
		<-answered
	}}
	var dials atomic.Int32
	conn := bare(t, &Transport{Chain: func() *Chain {
		c, _ := serve(t, s, func(c *Config) {
			base := newTransport()
			dial := base.DialContext
			base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				dials.Add(1)
				return dial(ctx, network, addr)
			}
			c.Base = base
		})
		return c
	}()})
	for i := range 5 {
		idle := make(chan error, 1)
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{PutIdleConn: func(err error) { idle <- err }})
		if err := conn.Write(ctx, newCall(float64(i), "tools/call", `{"name":"x"}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		answered <- struct{}{}
		if err := <-idle; err != nil {
			t.Errorf("the connection was not kept: %v", err)
		}
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("5 calls took %d connections, want 1", n)
	}
}

func TestStreamBringsWhatComesBeforeTheAnswerInOrder(t *testing.T) {
	conn := bare(t, &Transport{Chain: over(t, func(*http.Request) (*http.Response, error) {
		return respond(200, "text/event-stream", strings.Join([]string{
			"event: ping\ndata: 12:00", "data: " + changed, `data: {"jsonrpc":"2.0","id":"s1","method":"ping"}`, "id: 3\ndata:",
			"data: " + strings.ReplaceAll(fine, "ID", "1"), "data: " + changed, "",
		}, "\n\n"))
	})})
	written := make(chan error)
	go func() { written <- conn.Write(t.Context(), newCall(1, "tools/call", `{"name":"x"}`)) }()
	var methods []string
	for range 3 {
		m, err := conn.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if req, ok := m.(*jsonrpc.Request); ok {
			methods = append(methods, req.Method)
		} else {
			methods = append(methods, "answer")
		}
	}
	if want := []string{"notifications/tools/list_changed", "ping", "answer"}; !slices.Equal(methods, want) {
		t.Errorf("read %q, want %q", methods, want)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestCutStreamIsResumedAfterThePauseTheServerAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const cuts = 2 * maxResumes // progress is never held against the server
		var start time.Time
		var gets int
		conn := bare(t, &Transport{Chain: over(t, after(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				gets++
				if id := r.Header.Get(headerEventID); id != fmt.Sprint(gets-1) {
					t.Errorf("resumption %d is after event %q", gets, id)
				}
				if waited := time.Since(start); waited != time.Duration(gets)*3*time.Second {
					t.Errorf("resumption %d comes after %v", gets, waited)
				}
			}
			if gets == cuts {
				return respond(200, "text/event-stream", "data: "+strings.ReplaceAll(fine, "ID", "1")+"\n\n")
			}
			return respond(200, "text/event-stream", fmt.Sprintf("id: %d\nretry: 3000\ndata:\n\n", gets))
		}))})
		begin(t, conn)
		start = time.Now()
		if _, err := ask(t, conn, newCall(1, "tools/call", `{"name":"x"}`)); err != nil {
			t.Error(err)
		}
		if gets != cuts {
			t.Errorf("resumed %d times, want %d", gets, cuts)
		}
		conn.Close()
	})
}

func TestStreamIsResumedOverFailuresOfTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var gets int
		conn := bare(t, &Transport{Chain: over(t, after(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost {
				return respond(200, "text/event-stream", "id: 1\ndata:\n\n")
			}
			if gets++; gets < maxResumes {
				return nil, errors.New("unreachable")
			}
			return respond(200, "text/event-stream", "data: "+strings.ReplaceAll(fine, "ID", "1")+"\n\n")
		}))})
		begin(t, conn)
		if _, err := ask(t, conn, newCall(1, "tools/call", `{"name":"x"}`)); err != nil {
			t.Error(err)
		}
		conn.Close()
	})
}

func TestStreamWithoutAnIDCannotBeResumed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start := time.Now()
		conn := bare(t, &Transport{Chain: over(t, after(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPost {
				t.Errorf("%s was sent", r.Method)
			}
			return respond(200, "text/event-stream", "retry: 3000\ndata: "+changed+"\n\n")
		}))})
		begin(t, conn)
		written := make(chan error)
		go func() { written <- conn.Write(t.Context(), newCall(1, "tools/call", `{"name":"x"}`)) }()
		if _, err := conn.Read(t.Context()); err != nil { // the notification
			t.Fatal(err)
		}
		m, err := conn.Read(t.Context())
		if answer, ok := m.(*jsonrpc.Response); err != nil || !ok || !errors.Is(answer.Error, errNoAnswer) {
			t.Errorf("Read() = %v, %v, want an answer that fails", m, err)
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the call failed after %v, want at once", waited)
		}
		conn.Close()
	})
}

func TestStreamThatNeverProgressesFailsTheCallOnly(t *testing.T) {
	for _, x := range []*Exchange{nil, new(Exchange)} {
		t.Run(fmt.Sprint(x != nil), func(t *testing.T) {
			stuck := func(w http.ResponseWriter, r *http.Request) { stream200("id: 1\nretry: 1\ndata:\n\n")(w, r, "") }
			s := &script{get: stuck, call: func(w http.ResponseWriter, r *http.Request, _ string) { stuck(w, r) }}
			cs, _ := session(t, s, nil, nil, false)
			ctx := t.Context()
			if x != nil {
				ctx = WithExchange(ctx, x)
			}
			var resume *ResumeError
			if _, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: "stuck"}); err == nil {
				t.Error("the call succeeded")
			}
			if x != nil && !errors.As(x.Err(), &resume) {
				t.Errorf("recorded %v, want a ResumeError", x.Err())
			}
			if n := s.count("GET"); n != maxResumes {
				t.Errorf("the stream was resumed %d times, want %d", n, maxResumes)
			}
			alive(t, cs)
		})
	}
}

func TestCallThatIsCancelledBetweenTwoStreamsEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var requests int
		conn := bare(t, &Transport{Chain: over(t, after(func(*http.Request) (*http.Response, error) {
			requests++
			return respond(200, "text/event-stream", "id: 1\nretry: 30000\ndata:\n\n")
		}))})
		begin(t, conn)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := conn.Write(ctx, newCall(1, "tools/call", `{"name":"x"}`)); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if requests != 1 {
			t.Errorf("%d requests, want no other after the call's context has ended", requests)
		}
		conn.Close()
	})
}

func TestSubscriptionDoesNotBlockAndEndsWithItsContext(t *testing.T) {
	for _, heal := range []bool{false, true} {
		t.Run(fmt.Sprint(heal), func(t *testing.T) {
			ended := make(chan struct{})
			c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get(headerMethod) != "subscriptions/listen" {
					answer(w, "2", `{}`)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprintf(w, "data: %s\n\n", changed)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				close(ended)
			}), func(c *Config) { c.SelfHeal = heal })
			conn := bare(t, &Transport{Chain: c})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			meta := `{"_meta":{"` + mcp.MetaKeyProtocolVersion + `":"2026-07-28"}}`
			if err := conn.Write(ctx, newCall(1, "subscriptions/listen", meta)); err != nil {
				t.Fatal(err)
			}
			if m, err := conn.Read(t.Context()); err != nil || m.(*jsonrpc.Request).Method != "notifications/tools/list_changed" {
				t.Fatalf("Read() = %v, %v, want the notification", m, err)
			}
			if _, err := ask(t, conn, newCall(2, "tools/list", meta)); err != nil {
				t.Errorf("a call next to the subscription: %v", err)
			}
			cancel()
			<-ended
		})
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

// Faults that once were.

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

func TestCloseDoesNotWaitForAResumptionThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		resuming := make(chan struct{})
		conn := bare(t, &Transport{Chain: over(t, func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost {
				return respond(200, "text/event-stream", "id: 1\ndata:\n\n")
			}
			close(resuming)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		if err := conn.Write(t.Context(), newCall(1, "subscriptions/listen", `{`+modern+`}`)); err != nil {
			t.Fatal(err)
		}
		<-resuming
		conn.Close() // the bubble is dead if this waits
	})
}

func TestStreamOfInitializeIsResumedMoreThanOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var gets int
		conn := bare(t, &Transport{Chain: over(t, func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				gets++
			}
			if gets == 2 {
				return respond(200, "text/event-stream", `data: {"jsonrpc":"2.0","id":0,"result":`+initializeResult+"}\n\n")
			}
			return respond(200, "text/event-stream", fmt.Sprintf("id: %d\ndata:\n\n", gets))
		})})
		begin(t, conn)
		conn.Close()
	})
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

func TestStreamThatIsCutBeforeItBringsAnythingIsResumedAtTheSameEvent(t *testing.T) {
	var resumed []string
	answerTo := make(chan string, 1)
	s := &script{call: func(w http.ResponseWriter, _ *http.Request, id string) {
		answerTo <- id
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "id: 1\nretry: 1\ndata:\n\n")
	}, get: func(w http.ResponseWriter, r *http.Request) {
		resumed = append(resumed, r.Header.Get(headerEventID))
		w.Header().Set("Content-Type", "text/event-stream")
		if len(resumed) == 2 {
			fmt.Fprintf(w, "data: %s\n\n", strings.ReplaceAll(fine, "ID", <-answerTo))
		}
	}}
	cs, _ := session(t, s, nil, nil, false)
	if _, err, _ := callTool(t.Context(), cs, "x"); err != nil || !slices.Equal(resumed, []string{"1", "1"}) {
		t.Errorf("resumed at %q: %v", resumed, err)
	}
}
