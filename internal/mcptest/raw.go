package mcptest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// The protocol revisions that [RawOptions.Era] is usually set to.
const (
	Era2025 = "2025-11-25" // initialize, protocol sessions, GET streams
	Era2026 = "2026-07-28" // server/discover, no sessions, _meta in every request, subscriptions/listen
)

// RawOptions configures a [Raw] server. The zero value is an honest server of [Era2025] with the tools of [BasicTools].
type RawOptions struct {
	// Era is the newest protocol revision that the server speaks; the default is Era2025. An older one ("2024-11-05") is
	// negotiated as such servers do it: they answer initialize with their own revision.
	Era string
	// SessionLoss is how a request that names an unknown session is answered. Without effect in Era2026.
	SessionLoss LossStyle
	// Sessionless makes a server of the session era hand out no Mcp-Session-Id and ask for none.
	Sessionless bool
	// Tools is what tools/list shows; nil means BasicTools(), an empty slice none.
	Tools []RawTool
	// PageSize is the number of tools per tools/list page; 0 means all in one page.
	PageSize int
	// TTLMs and CacheScope are the cache hints of Era2026 lists, in milliseconds and "public" (the default) or "private".
	TTLMs      int
	CacheScope string
	// Instructions is the server's text for the model.
	Instructions string
	// SSE answers tools/call with an event stream instead of a JSON body.
	SSE bool
	// NoJournal keeps no [Entry] per execution; benchmarks of millions of calls set it. The counters stay.
	NoJournal bool
}

// An Interceptor may answer a request in the server's stead and then reports true. It runs after the request was counted
// and before anything else. method, id and body are the JSON-RPC method, the id (nil for a notification) and the whole
// POST body; all three are empty for GET and DELETE. [Raw.Answer] gives the answer that the honest server would give.
type Interceptor func(w http.ResponseWriter, r *http.Request, method string, id json.RawMessage, body []byte) (handled bool)

// Raw is a scriptable MCP server over streamable HTTP at whatever path it is asked. It is an [http.Handler], safe for
// concurrent use, and all of its knobs may be turned while it runs.
type Raw struct {
	opts RawOptions
	rec  record

	// mu guards the fields below. No tool runs and no byte is written while it is held.
	mu           sync.Mutex
	tools        []listedTool
	instructions string
	sessions     map[string]struct{}
	streams      map[*stream]struct{}
	connectDelay time.Duration
	hang         chan struct{} // non-nil while handshakes hang; closed to let them go on
	intercept    Interceptor
	failures     failure
}

// failure is the answer to the next n requests.
type failure struct {
	n      int
	status int
	header http.Header
	body   string
}

// NewRaw returns a server that listens nowhere yet; see [Raw.Start] and [Listen]. opts may be nil. It panics if a tool
// definition has no name or is no JSON.
func NewRaw(opts *RawOptions) *Raw {
	s := &Raw{sessions: make(map[string]struct{}), streams: make(map[*stream]struct{})}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.Era == "" {
		s.opts.Era = Era2025
	}
	if s.opts.CacheScope == "" {
		s.opts.CacheScope = "public"
	}
	if s.opts.Tools == nil {
		s.opts.Tools = BasicTools()
	}
	s.instructions = s.opts.Instructions
	s.tools = listTools(s.opts.Tools)
	return s
}

// Start serves s on a free loopback port until the test ends. See [Serve].
func (s *Raw) Start(t TB) *Host { t.Helper(); return Serve(t, s) }

// modern reports whether the server speaks the revision without sessions.
func (s *Raw) modern() bool { return s.opts.Era >= Era2026 }

// SetTools replaces the tools. It notifies nobody; see [Raw.ListChanged].
func (s *Raw) SetTools(tools ...RawTool) {
	listed := listTools(tools)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tools = listed
}

// SetInstructions replaces the text that later handshakes get.
func (s *Raw) SetInstructions(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instructions = text
}

// SetConnectDelay makes the handshake (initialize, or server/discover in Era2026) take d from now on.
func (s *Raw) SetConnectDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connectDelay = d
}

// SetHangInitialize makes handshakes wait until it is turned off again or the client goes away.
func (s *Raw) SetHangInitialize(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on == (s.hang != nil) {
		return
	}
	if on {
		s.hang = make(chan struct{})
		return
	}
	close(s.hang)
	s.hang = nil
}

// SetIntercept replaces the interceptor; nil removes it.
func (s *Raw) SetIntercept(f Interceptor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// FailNext answers the next n JSON-RPC requests (not notifications, GET or DELETE) with the given status, header and
// body instead of handling them. It replaces what an earlier FailNext left over.
func (s *Raw) FailNext(status, n int, header http.Header, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = failure{n: n, status: status, header: header.Clone(), body: body}
}

// Restart forgets all sessions and ends all open streams, as a restarted process would. Calls in flight go on.
func (s *Raw) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
	for st := range s.streams {
		st.end()
	}
	clear(s.streams)
}

// maxRequest bounds what is read of one request, in bytes.
const maxRequest = 64 << 20

// ServeHTTP implements [http.Handler].
func (s *Raw) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	var msg message
	switch r.Method {
	case http.MethodPost:
		var err error
		// Reading the whole body also arms the cancellation of r.Context() when the client goes away.
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest)); err != nil {
			http.Error(w, "cannot read the request", http.StatusBadRequest)
			return
		}
		if err := json.Unmarshal(body, &msg); err != nil {
			rpcReply(http.StatusBadRequest, nil, &RawError{Code: codeParse, Message: "Parse error"}).write(w)
			return
		}
		s.rec.request(msg.Method, msg.Params.Name)
	case http.MethodDelete:
		s.rec.request(http.MethodDelete, "")
	}

	s.mu.Lock()
	intercept := s.intercept
	s.mu.Unlock()
	if intercept != nil && intercept(w, r, msg.Method, msg.ID, body) {
		return
	}
	if reply := s.nextFailure(&msg); reply != nil {
		reply.write(w)
		return
	}
	switch r.Method {
	case http.MethodPost:
		if reply := s.checkPost(r, &msg); reply != nil {
			reply.write(w)
		} else if s.modern() && msg.Method == "subscriptions/listen" {
			s.serveListen(w, r, &msg)
		} else {
			s.answer(r, &msg).write(w)
		}
	case http.MethodGet:
		s.serveGet(w, r)
	case http.MethodDelete:
		s.serveDelete(w, r)
	default:
		s.methodNotAllowed(w)
	}
}

// nextFailure returns the answer that FailNext prescribes for msg, if any.
func (s *Raw) nextFailure(msg *message) *Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !msg.isRequest() || s.failures.n <= 0 {
		return nil
	}
	s.failures.n--
	return &Reply{Status: s.failures.status, Header: s.failures.header, Body: []byte(s.failures.body)}
}

func (s *Raw) methodNotAllowed(w http.ResponseWriter) {
	allow := "GET, POST, DELETE"
	if s.modern() {
		allow = "POST"
	}
	w.Header().Set("Allow", allow)
	http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
}

// handshake waits as SetConnectDelay and SetHangInitialize demand. It reports false if the client left meanwhile.
func (s *Raw) handshake(ctx context.Context) bool {
	s.mu.Lock()
	delay, hang := s.connectDelay, s.hang
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return false
		}
	}
	return pause(ctx, delay)
}

// pause waits for d and reports whether ctx outlived it.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
