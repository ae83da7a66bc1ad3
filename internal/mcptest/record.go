package mcptest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Entry is one execution of a tool, written before the tool runs.
type Entry struct {
	Tool          string
	Args          json.RawMessage // as sent
	Session       string          // the Mcp-Session-Id header, "" without sessions
	Authorization string          // the Authorization header
	Time          time.Time
}

// record counts what reached a server.
type record struct {
	// mu guards all fields.
	mu         sync.Mutex
	methods    map[string]int
	calls      map[string]int
	executions map[string]int
	keys       map[string]int
	journal    []Entry
}

func (r *record) request(method, tool string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.methods == nil {
		r.methods, r.calls = make(map[string]int), make(map[string]int)
	}
	r.methods[method]++
	if method == "tools/call" {
		r.calls[tool]++
	}
}

func (r *record) execution(tool string, c RawCall, journal bool) {
	var args struct {
		Key *string `json:"key"`
	}
	if journal {
		_ = json.Unmarshal(c.Args, &args) // tools without a key are not counted by key
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.executions == nil {
		r.executions, r.keys = make(map[string]int), make(map[string]int)
	}
	r.executions[tool]++
	if !journal {
		return
	}
	if args.Key != nil {
		r.keys[*args.Key]++
	}
	r.journal = append(r.journal, Entry{Tool: tool, Args: c.Args, Session: c.SessionID,
		Authorization: c.Header.Get("Authorization"), Time: time.Now()})
}

// Requests returns how many messages of a JSON-RPC method were received, notifications and refused ones included.
func (s *Raw) Requests(method string) int {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return s.rec.methods[method]
}

// Initializes returns how many initialize requests were received, hung and refused ones included.
func (s *Raw) Initializes() int { return s.Requests("initialize") }

// Discovers returns how many server/discover requests were received, those that a server of the session era refused
// included.
func (s *Raw) Discovers() int { return s.Requests("server/discover") }

// Lists returns how many tools/list requests were received, one per page.
func (s *Raw) Lists() int { return s.Requests("tools/list") }

// Deletes returns how many DELETE requests were received.
func (s *Raw) Deletes() int { return s.Requests(http.MethodDelete) }

// Calls returns how many tools/call requests for a tool were received, whatever became of them.
func (s *Raw) Calls(tool string) int {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return s.rec.calls[tool]
}

// Executions returns how often a tool ran. Calls that were refused, failed or intercepted before are not in it.
func (s *Raw) Executions(tool string) int {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return s.rec.executions[tool]
}

// Keys returns, for each "key" argument that a tool ran with, how often it did: a value above 1 is a double execution
// if the test used the key once. Empty with [RawOptions.NoJournal].
func (s *Raw) Keys() map[string]int {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return maps.Clone(s.rec.keys)
}

// Journal returns the executions in the order in which they began.
func (s *Raw) Journal() []Entry {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return slices.Clone(s.rec.journal)
}

// OpenSessions returns how many sessions the server knows: initialized, and neither deleted nor lost by a Restart.
func (s *Raw) OpenSessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Streams returns how many event streams for notifications are open.
func (s *Raw) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}
