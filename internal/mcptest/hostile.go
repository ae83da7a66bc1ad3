package mcptest

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"
)

// A Hit is a request that a [Fault] may strike.
type Hit struct {
	Method string          // JSON-RPC method, "" for GET and DELETE
	Tool   string          // the tool of a tools/call
	Cursor string          // the cursor of a tools/list
	ID     json.RawMessage // nil for notifications
	Body   []byte
}

// A Fault answers a request as a broken or hostile server would and reports true, or reports false to leave it to the
// honest server. Faults are called concurrently. They strike everything they are asked; [OnTool], [OnMethod],
// [FirstTimes] and [EveryNth] narrow them.
type Fault func(s *Raw, w http.ResponseWriter, r *http.Request, hit Hit) (handled bool)

// AttackTool is the tool that [Attacks] and [NewHostile] concern; all other tools stay honest.
const AttackTool = "attack"

// NewHostile returns a server that is honest but for one fault. Next to its other tools it has [AttackTool]{key}, which
// honestly is an inc. opts may be nil.
func NewHostile(opts *RawOptions, f Fault) *Raw {
	s := NewRaw(opts)
	attack := RawTool{Def: define(AttackTool, "The tool that is attacked", map[string]any{"key": prop("string", "Journaled")}), Run: increment}
	s.SetTools(append([]RawTool{attack}, s.opts.Tools...)...)
	s.Inject(f)
	return s
}

// Inject makes the server suffer from f instead of any earlier interceptor; SetIntercept(nil) heals it.
func (s *Raw) Inject(f Fault) {
	s.SetIntercept(func(w http.ResponseWriter, r *http.Request, method string, id json.RawMessage, body []byte) bool {
		var msg message
		_ = json.Unmarshal(body, &msg) // it was parsed before
		return f(s, w, r, Hit{Method: method, Tool: msg.Params.Name, Cursor: msg.Params.Cursor, ID: id, Body: body})
	})
}

// OnTool limits f to calls of one tool.
func OnTool(tool string, f Fault) Fault {
	return func(s *Raw, w http.ResponseWriter, r *http.Request, hit Hit) bool {
		return hit.Method == "tools/call" && hit.Tool == tool && f(s, w, r, hit)
	}
}

// OnMethod limits f to requests of one JSON-RPC method.
func OnMethod(method string, f Fault) Fault {
	return func(s *Raw, w http.ResponseWriter, r *http.Request, hit Hit) bool {
		return hit.Method == method && f(s, w, r, hit)
	}
}

// FirstTimes limits f to the first n requests that reach it. FirstTimes(1, OnTool(t, f)) counts all requests;
// OnTool(t, FirstTimes(1, f)) counts calls of t.
func FirstTimes(n int, f Fault) Fault {
	var seen atomic.Int64
	return func(s *Raw, w http.ResponseWriter, r *http.Request, hit Hit) bool {
		return seen.Add(1) <= int64(n) && f(s, w, r, hit)
	}
}

// EveryNth limits f to the nth, 2nth, 3nth ... request that reaches it.
func EveryNth(n int, f Fault) Fault {
	var seen atomic.Int64
	return func(s *Raw, w http.ResponseWriter, r *http.Request, hit Hit) bool {
		return seen.Add(1)%int64(n) == 0 && f(s, w, r, hit)
	}
}

// Attack is a fault with a name, for tests that hold for each.
type Attack struct {
	Name   string
	Method string // what to do to be attacked: "tools/call" of AttackTool, or "tools/list"
	Runs   bool   // whether the tool runs although the client gets no good answer
	Fault  Fault
}

// Attacks lists the faults of this package, each limited to its method and to [AttackTool]. size is how big the big ones
// are, in bytes, and foreign the URL that redirects lead to.
func Attacks(size int, foreign string) []Attack {
	call := func(name string, runs bool, f Fault) Attack {
		return Attack{Name: name, Method: "tools/call", Runs: runs, Fault: OnTool(AttackTool, f)}
	}
	list := func(name string, f Fault) Attack {
		return Attack{Name: name, Method: "tools/list", Fault: OnMethod("tools/list", f)}
	}
	return []Attack{
		call("big JSON result", false, BigResult(size)),
		call("gzip bomb", false, GzipBomb(size)),
		call("big event", false, BigEvent(size)),
		call("big error body", false, BigError(http.StatusBadRequest, size)),
		call("deep JSON", false, DeepJSON(1_000_000)),
		call("endless pings after the answer", true, EndlessPings(time.Millisecond)),
		call("retry in an hour", false, RetryThenEOF(time.Hour)),
		call("one byte per second", true, Drip(time.Second)),
		call("headers never flushed", false, NeverAnswer()),
		call("cut after execution", true, DropAfterExecution()),
		call("cut before execution", false, DropBeforeExecution()),
		call("cut JSON", true, CutJSON()),
		call("cut event", true, CutEvent()),
		call("malformed event", true, MalformedEvent()),
		call("no JSON", true, NotJSON()),
		call("wrong content type", true, WrongContentType("text/html")),
		call("answer to another id", true, WrongID()),
		call("input required", false, InputRequired(true)),
		call("input required, but not which", false, InputRequired(false)),
		call("redirect 302", false, Redirect(http.StatusFound, foreign)),
		call("redirect 307", false, Redirect(http.StatusTemporaryRedirect, foreign)),
		call("redirect 308", false, Redirect(http.StatusPermanentRedirect, foreign)),
		list("endless cursors", EndlessCursor()),
		list("cyclic cursors", CyclicCursor(3)),
	}
}

// Flood sends perSecond tools/list_changed notifications per second to every open stream until ctx ends.
func (s *Raw) Flood(ctx context.Context, perSecond int) {
	for range pace(ctx, perSecond) {
		s.ListChanged()
	}
}
