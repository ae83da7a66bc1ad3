package mcptest

import (
	"encoding/json"
	"net/http"
	"sync"
)

// stream is an open event stream to a client: a GET of the session era, or a subscriptions/listen request.
type stream struct {
	session string          // "" for listen streams
	listen  json.RawMessage // the id of the listen request, nil for GET streams

	wake chan struct{} // capacity 1: a notification is due
	done chan struct{}
	once sync.Once

	// mu guards due, the number of notifications to write.
	mu  sync.Mutex
	due int
}

func (st *stream) end() { st.once.Do(func() { close(st.done) }) }

func (st *stream) notify(n int) {
	st.mu.Lock()
	st.due += n
	st.mu.Unlock()
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

func (st *stream) take() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	n := st.due
	st.due = 0
	return n
}

// ListChanged sends notifications/tools/list_changed to every open GET stream, or in Era2026 to every listen stream
// that asked for it. It does not wait until they are written.
func (s *Raw) ListChanged() { s.listChanged(1) }

func (s *Raw) listChanged(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.streams {
		st.notify(n)
	}
}

// serveGet opens the standalone stream of the session era (MCP 2025-11-25, basic/transports, listening for messages).
func (s *Raw) serveGet(w http.ResponseWriter, r *http.Request) {
	if s.modern() {
		s.methodNotAllowed(w)
		return
	}
	id := r.Header.Get(headerSession)
	if reply := s.checkSession(id); reply != nil {
		reply.write(w)
		return
	}
	s.serveStream(w, r, &stream{session: id}, nil)
}

// serveListen answers subscriptions/listen: first what was agreed to, then notifications until one side ends it.
func (s *Raw) serveListen(w http.ResponseWriter, r *http.Request, msg *message) {
	if msg.Params.Notifications == nil {
		s.fail(msg.ID, &RawError{Code: codeInvalidParams, Message: "missing notifications"}).write(w)
		return
	}
	agreed := map[string]any{}
	if msg.Params.Notifications["toolsListChanged"] == true {
		agreed["toolsListChanged"] = true
	}
	ack := event(encode(map[string]any{"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
		"params": map[string]any{"notifications": agreed, "_meta": map[string]any{metaSubscription: msg.ID}}}))
	if len(agreed) == 0 {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Write(append(ack, event(s.listenResult(msg.ID))...))
		return
	}
	s.serveStream(w, r, &stream{listen: msg.ID}, ack)
}

func (s *Raw) listenResult(id json.RawMessage) []byte {
	return s.result(id, map[string]any{"_meta": map[string]any{metaSubscription: id}}).Body
}

func (s *Raw) serveStream(w http.ResponseWriter, r *http.Request, st *stream, first []byte) {
	st.wake, st.done = make(chan struct{}, 1), make(chan struct{})
	params := map[string]any{}
	if st.listen != nil {
		params["_meta"] = map[string]any{metaSubscription: st.listen}
	}
	changed := event(encode(map[string]any{"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": params}))

	s.mu.Lock()
	s.streams[st] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.streams, st)
		s.mu.Unlock()
	}()

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	w.Write(first)
	flush := http.NewResponseController(w).Flush
	if flush() != nil {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case <-st.done:
			if st.listen != nil {
				w.Write(event(s.listenResult(st.listen)))
			}
			return
		case <-st.wake:
			for range st.take() {
				if _, err := w.Write(changed); err != nil {
					return
				}
			}
			if flush() != nil {
				return
			}
		}
	}
}

// serveDelete ends a session.
func (s *Raw) serveDelete(w http.ResponseWriter, r *http.Request) {
	if s.modern() || s.opts.Sessionless {
		s.methodNotAllowed(w)
		return
	}
	id := r.Header.Get(headerSession)
	if reply := s.checkSession(id); reply != nil {
		reply.write(w)
		return
	}
	s.mu.Lock()
	delete(s.sessions, id)
	for st := range s.streams {
		if st.session == id {
			st.end()
		}
	}
	s.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// checkSession refuses a GET or DELETE without a known session.
func (s *Raw) checkSession(id string) *Reply {
	if s.opts.Sessionless || s.knows(id) {
		return nil
	}
	reply := s.opts.SessionLoss.reply()
	if id == "" {
		reply = Reply{Status: http.StatusBadRequest, Body: []byte("Bad Request: Mcp-Session-Id header is required")}
	}
	return &reply
}

func (s *Raw) knows(session string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.sessions[session]
	return ok
}

// event frames data, which has no line breaks, as a server-sent event.
func event(data []byte) []byte {
	framed := append([]byte("event: message\ndata: "), data...)
	return append(framed, "\n\n"...)
}
