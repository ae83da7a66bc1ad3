package mcptest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// JSON-RPC error codes: the standard ones, and those of MCP 2026-07-28 (basic, error codes).
const (
	codeParse              = -32700
	codeInvalidRequest     = -32600
	codeMethodNotFound     = -32601
	codeInvalidParams      = -32602
	codeHeaderMismatch     = -32020
	codeUnsupportedVersion = -32022
)

// The header and _meta names of MCP 2026-07-28, basic/transports.
const (
	headerSession = "Mcp-Session-Id"
	headerVersion = "Mcp-Protocol-Version"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"

	metaVersion      = "io.modelcontextprotocol/protocolVersion"
	metaCapabilities = "io.modelcontextprotocol/clientCapabilities"
	metaServerInfo   = "io.modelcontextprotocol/serverInfo"
	metaSubscription = "io.modelcontextprotocol/subscriptionId"
)

// legacyVersions are the revisions with an initialize handshake, newest first.
var legacyVersions = []string{Era2025, "2025-06-18", "2025-03-26", "2024-11-05"}

// serverInfo is what Raw calls itself.
var serverInfo = map[string]any{"name": "mcptest-raw", "version": "1.0.0"}

// RawError is a JSON-RPC error object.
type RawError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// message is a JSON-RPC message as far as the server looks into it.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name            string                     `json:"name"`
		Arguments       json.RawMessage            `json:"arguments"`
		Cursor          string                     `json:"cursor"`
		ProtocolVersion string                     `json:"protocolVersion"`
		Meta            map[string]json.RawMessage `json:"_meta"`
		Notifications   map[string]any             `json:"notifications"`
	} `json:"params"`
}

// isRequest reports whether an answer is expected: responses have no method and notifications no id.
func (m *message) isRequest() bool { return m.Method != "" && len(m.ID) > 0 }

// Reply is an HTTP answer that is not written yet. Status 0 means that there is none: the client left before.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

func (a Reply) write(w http.ResponseWriter) {
	a.writeHeader(w)
	w.Write(a.Body)
}

func (a Reply) writeHeader(w http.ResponseWriter) {
	if a.Status != 0 {
		maps.Copy(w.Header(), a.Header)
		w.WriteHeader(a.Status)
	}
}

// Answer handles the POSTed JSON-RPC message body as if nothing intercepted it, tool executions included, and returns
// the answer instead of writing it. It does not count the request again. Streams (GET, subscriptions/listen) have no
// such answer: listen is answered with "method not found".
func (s *Raw) Answer(r *http.Request, body []byte) Reply {
	var msg message
	if err := json.Unmarshal(body, &msg); err != nil {
		return rpcReply(http.StatusBadRequest, nil, &RawError{Code: codeParse, Message: "Parse error"})
	}
	if reply := s.checkPost(r, &msg); reply != nil {
		return *reply
	}
	return s.answer(r, &msg)
}

// checkPost refuses what the transport chapter of the specification says must be refused; nil means that all is well.
func (s *Raw) checkPost(r *http.Request, msg *message) *Reply {
	refuse := func(status, code int, format string, args ...any) *Reply {
		reply := rpcReply(status, nil, &RawError{Code: code, Message: fmt.Sprintf(format, args...)})
		return &reply
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, -32000, "Unsupported Media Type: Content-Type must be application/json")
	}
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if !strings.Contains(accept, "application/json") || !strings.Contains(accept, "text/event-stream") {
		return refuse(http.StatusNotAcceptable, -32000, "Not Acceptable: Client must accept both application/json and text/event-stream")
	}
	if s.modern() {
		return s.checkModern(r, msg)
	}
	if msg.Method == "initialize" {
		return nil
	}
	switch id := r.Header.Get(headerSession); {
	case s.opts.Sessionless:
	case id == "":
		return refuse(http.StatusBadRequest, -32000, "Bad Request: Mcp-Session-Id header is required")
	case !s.knows(id):
		reply := s.opts.SessionLoss.reply()
		return &reply
	}
	if v := r.Header.Get(headerVersion); v != "" && !slices.Contains(legacyVersions, v) {
		return refuse(http.StatusBadRequest, -32000, "Bad Request: Unsupported protocol version")
	}
	return nil
}

// checkModern holds a request to MCP 2026-07-28: the per-request _meta fields and the headers that repeat the body.
func (s *Raw) checkModern(r *http.Request, msg *message) *Reply {
	refuse := func(err *RawError) *Reply {
		reply := rpcReply(http.StatusBadRequest, msg.ID, err)
		return &reply
	}
	if !msg.isRequest() {
		return nil // _meta is required of requests only
	}
	var version string
	_ = json.Unmarshal(msg.Params.Meta[metaVersion], &version) // absent and not a string are the same to us
	header := r.Header.Get(headerVersion)
	switch {
	case version == "" && msg.Method == "initialize":
		return refuse(s.unsupported(msg.Params.ProtocolVersion))
	case version == "" && header != "":
		return refuse(&RawError{Code: codeInvalidParams, Message: "missing or invalid _meta field " + metaVersion})
	case version != header || header == "":
		return refuse(&RawError{Code: codeHeaderMismatch, Message: headerVersion + " header is missing or does not match _meta"})
	case version != s.opts.Era:
		return refuse(s.unsupported(version))
	case r.Header.Get(headerMethod) != msg.Method:
		return refuse(&RawError{Code: codeHeaderMismatch, Message: headerMethod + " header does not match the method"})
	case msg.Method == "tools/call" && r.Header.Get(headerName) != msg.Params.Name:
		return refuse(&RawError{Code: codeHeaderMismatch, Message: headerName + " header does not match the tool"})
	case !bytes.HasPrefix(bytes.TrimSpace(msg.Params.Meta[metaCapabilities]), []byte("{")):
		return refuse(&RawError{Code: codeInvalidParams, Message: "missing or invalid _meta field " + metaCapabilities})
	}
	return nil
}

func (s *Raw) unsupported(requested string) *RawError {
	return &RawError{Code: codeUnsupportedVersion, Message: "unsupported protocol version",
		Data: map[string]any{"supported": []string{s.opts.Era}, "requested": requested}}
}

// answer handles a message that passed checkPost.
func (s *Raw) answer(r *http.Request, msg *message) Reply {
	if !msg.isRequest() {
		return Reply{Status: http.StatusAccepted}
	}
	switch {
	case msg.Method == "initialize" && !s.modern():
		return s.initialize(r.Context(), msg)
	case msg.Method == "server/discover" && s.modern():
		return s.discover(r.Context(), msg)
	case msg.Method == "ping" && !s.modern():
		return s.result(msg.ID, map[string]any{})
	case msg.Method == "tools/list":
		return s.list(msg)
	case msg.Method == "tools/call":
		return s.call(r, msg)
	}
	return s.fail(msg.ID, &RawError{Code: codeMethodNotFound, Message: "Method not found"})
}

func (s *Raw) initialize(ctx context.Context, msg *message) Reply {
	if !s.handshake(ctx) {
		return Reply{}
	}
	version := s.opts.Era
	if want := msg.Params.ProtocolVersion; want <= version && slices.Contains(legacyVersions, want) {
		version = want
	}
	reply := s.result(msg.ID, s.introduction(map[string]any{"protocolVersion": version, "serverInfo": serverInfo}))
	if !s.opts.Sessionless {
		id := rand.Text()
		s.mu.Lock()
		s.sessions[id] = struct{}{}
		s.mu.Unlock()
		reply.Header.Set(headerSession, id)
	}
	return reply
}

func (s *Raw) discover(ctx context.Context, msg *message) Reply {
	if !s.handshake(ctx) {
		return Reply{}
	}
	return s.result(msg.ID, s.introduction(map[string]any{
		"supportedVersions": []string{s.opts.Era}, "ttlMs": s.opts.TTLMs, "cacheScope": s.opts.CacheScope,
	}))
}

// introduction adds what both handshakes tell to fields.
func (s *Raw) introduction(fields map[string]any) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	fields["capabilities"] = map[string]any{"tools": map[string]any{"listChanged": true}}
	if s.instructions != "" {
		fields["instructions"] = s.instructions
	}
	return fields
}

func (s *Raw) list(msg *message) Reply {
	s.mu.Lock()
	tools := s.tools
	s.mu.Unlock()
	first, size := 0, len(tools)
	if s.opts.PageSize > 0 {
		size = s.opts.PageSize
	}
	if cursor := msg.Params.Cursor; cursor != "" {
		var err error
		if first, err = strconv.Atoi(strings.TrimPrefix(cursor, "tool-")); err != nil || first < 0 || first > len(tools) {
			return s.fail(msg.ID, &RawError{Code: codeInvalidParams, Message: "Invalid cursor"})
		}
	}
	last := min(first+size, len(tools))
	const hole = "\x00"
	result := map[string]any{"tools": hole}
	if last < len(tools) {
		result["nextCursor"] = fmt.Sprintf("tool-%d", last)
	}
	if s.modern() {
		result["ttlMs"], result["cacheScope"] = s.opts.TTLMs, s.opts.CacheScope
	}
	reply := s.result(msg.ID, result)
	// The definitions go in afterwards: the JSON encoder would rewrite their blanks.
	head, tail, _ := bytes.Cut(reply.Body, encode(hole))
	page := bytes.NewBuffer(slices.Clone(head))
	page.WriteByte('[')
	for i, tool := range tools[first:last] {
		if i > 0 {
			page.WriteByte(',')
		}
		page.Write(tool.def)
	}
	page.WriteByte(']')
	page.Write(tail)
	reply.Body = page.Bytes()
	return reply
}

func (s *Raw) call(r *http.Request, msg *message) Reply {
	tool, ok := s.tool(msg.Params.Name)
	if !ok {
		return s.fail(msg.ID, &RawError{Code: codeInvalidParams, Message: fmt.Sprintf("Unknown tool: %.100q", msg.Params.Name)})
	}
	c := RawCall{Args: msg.Params.Arguments, Meta: msg.Params.Meta, Header: r.Header, SessionID: r.Header.Get(headerSession)}
	s.rec.execution(tool.name, c, !s.opts.NoJournal)
	result, rpcErr := tool.run(r.Context(), c)
	reply := s.result(msg.ID, result)
	if rpcErr != nil {
		reply = s.fail(msg.ID, rpcErr)
	}
	if s.opts.SSE && reply.Status == http.StatusOK {
		reply.Header.Set("Content-Type", "text/event-stream")
		reply.Body = event(reply.Body)
	}
	return reply
}

// tool finds a tool by name. Of tools that share one, the first is called.
func (s *Raw) tool(name string) (listedTool, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.tools, func(t listedTool) bool { return t.name == name })
	if i < 0 {
		return listedTool{}, false
	}
	return s.tools[i], true
}

// result wraps a result, which is not changed: Run may return the same map every time.
func (s *Raw) result(id json.RawMessage, result map[string]any) Reply {
	if s.modern() {
		result = maps.Clone(result)
		if result == nil {
			result = make(map[string]any)
		}
		if _, ok := result["resultType"]; !ok {
			result["resultType"] = "complete"
		}
		meta, _ := result["_meta"].(map[string]any)
		meta = maps.Clone(meta)
		if meta == nil {
			meta = make(map[string]any)
		}
		meta[metaServerInfo] = serverInfo
		result["_meta"] = meta
	}
	return jsonReply(http.StatusOK, map[string]any{"jsonrpc": "2.0", "id": id, "result": result})
}

// fail wraps a JSON-RPC error. MCP 2026-07-28 gives some codes a status of their own; before, all of them were 200.
func (s *Raw) fail(id json.RawMessage, err *RawError) Reply {
	status := http.StatusOK
	if s.modern() {
		switch err.Code {
		case codeMethodNotFound:
			status = http.StatusNotFound
		case codeInvalidParams, codeUnsupportedVersion:
			status = http.StatusBadRequest
		}
	}
	return rpcReply(status, id, err)
}

// rpcReply is a JSON-RPC error answer; a nil id is sent as null.
func rpcReply(status int, id json.RawMessage, err *RawError) Reply {
	return jsonReply(status, map[string]any{"jsonrpc": "2.0", "id": id, "error": err})
}

func jsonReply(status int, v any) Reply {
	return Reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: encode(v)}
}

// encode marshals as other servers do, without escaping <, > and &. It panics on what is no JSON: a bug of a test.
func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("mcptest: a scripted answer is no JSON: %v", err))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
