package mcphttp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/httptext"
)

// Methods that the transport looks at.
const (
	methodInitialize = "initialize"
	methodDiscover   = "server/discover"
	methodListen     = "subscriptions/listen"
	methodListTools  = "tools/list"
	methodCallTool   = "tools/call"
)

// Values that all requests have in common.
var (
	contentType = []string{"application/json"}
	accept      = []string{"application/json, text/event-stream"}
)

// Stateless reports whether an MCP revision has no protocol sessions, and its version in each request.
func Stateless(version string) bool { return version >= "2026-07-28" }

// header returns the header of a message and the revision that it is in. From 2026-07-28 on the header repeats what is in the
// body, for those on the way that do not read bodies (SEP-2243).
func (c *conn) header(m *jsonrpc.Request) (_ http.Header, version string) {
	s := c.state.Load()
	if m.Method == methodInitialize {
		s = &state{} // it begins a session, whatever went before
	}
	h := s.header()
	h["Content-Type"], h["Accept"] = contentType, accept
	version = s.version
	if own := versionIn(m.Params); own != "" {
		version = own
	}
	if !Stateless(version) || m.Method == "" {
		return h, version
	}
	h[headerVersion] = []string{version}
	h[headerMethod] = []string{m.Method}
	var params struct {
		Name, URI string
		Arguments json.RawMessage
	}
	switch m.Method {
	case methodCallTool, "prompts/get", "resources/read":
		if json.Unmarshal(m.Params, &params) != nil {
			return h, version
		}
		name := params.Name
		if m.Method == "resources/read" {
			name = params.URI
		}
		h[headerName] = []string{name}
	}
	if m.Method == methodCallTool {
		c.t.mirrored.set(h, params.Name, params.Arguments)
	}
	return h, version
}

// versionIn returns the revision that the params of a request name.
func versionIn(params json.RawMessage) string {
	if !bytes.Contains(params, []byte(mcp.MetaKeyProtocolVersion)) {
		return ""
	}
	var p struct {
		Meta map[string]json.RawMessage `json:"_meta"`
	}
	var version string
	if json.Unmarshal(params, &p) == nil && p.Meta[mcp.MetaKeyProtocolVersion] != nil {
		if json.Unmarshal(p.Meta[mcp.MetaKeyProtocolVersion], &version) != nil {
			return ""
		}
	}
	return version
}

// mirrored are the parameters of tools that are sent as headers too.
type mirrored struct {
	mu    sync.RWMutex // nothing that can block runs while it is held
	tools map[string][]mirror
}

// maxMirrored bounds the tools that a server can have us remember.
const maxMirrored = 10_000

// A mirror is one of them.
type mirror struct {
	path   []string // within the arguments
	header string
}

// learn looks for mirrors in an answer to tools/list.
func (m *mirrored) learn(result json.RawMessage) {
	if !m.any() && !bytes.Contains(result, []byte("x-mcp-header")) { // the common case
		return
	}
	var list struct {
		Tools []*struct {
			Name        string
			InputSchema any
		}
	}
	if json.Unmarshal(result, &list) != nil {
		return
	}
	var tools []*mcp.Tool
	for _, t := range list.Tools {
		if t != nil {
			tools = append(tools, &mcp.Tool{Name: t.Name, InputSchema: t.InputSchema})
		}
	}
	m.add(tools)
}

func (m *mirrored) any() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.tools) > 0
}

func (m *mirrored) add(tools []*mcp.Tool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range tools {
		schema, _ := t.InputSchema.(map[string]any)
		mirrors, ok := mirrorsIn(nil, schema, nil)
		if !ok || mirrors == nil {
			delete(m.tools, t.Name)
			continue
		}
		if m.tools == nil || len(m.tools) >= maxMirrored { // those still wanted are listed again, or named again by Mirror
			m.tools = make(map[string][]mirror)
		}
		m.tools[t.Name] = mirrors
	}
}

// mirrorsIn adds the mirrors of an object's properties, and of their properties, to found. It reports false if one is not as
// SEP-2243 demands; the SDK does not list such tools.
func mirrorsIn(found []mirror, schema map[string]any, path []string) (_ []mirror, ok bool) {
	properties, _ := schema["properties"].(map[string]any)
	for name, p := range properties {
		p, _ := p.(map[string]any)
		path := append(path[:len(path):len(path)], name)
		if annotation, annotated := p["x-mcp-header"]; annotated {
			header, _ := annotation.(string)
			key := http.CanonicalHeaderKey("Mcp-Param-" + header)
			if !httptext.Token(header) || !slices.Contains([]any{"string", "integer", "boolean"}, p["type"]) ||
				slices.ContainsFunc(found, func(m mirror) bool { return m.header == key }) {
				return nil, false
			}
			found = append(found, mirror{path, key})
		}
		if found, ok = mirrorsIn(found, p, path); !ok {
			return nil, false
		}
	}
	return found, true
}

// set writes the headers of a call to h.
func (m *mirrored) set(h http.Header, tool string, arguments json.RawMessage) {
	m.mu.RLock()
	mirrors := m.tools[tool]
	m.mu.RUnlock()
	for _, mirror := range mirrors {
		value := arguments
		for _, name := range mirror.path {
			var object map[string]json.RawMessage
			if json.Unmarshal(value, &object) != nil {
				value = nil
				break
			}
			value = object[name]
		}
		if text, ok := headerText(value); ok {
			h[mirror.header] = []string{text}
		}
	}
}

// headerText returns the form in which a string, integer or boolean of JSON stands in a header.
func headerText(value json.RawMessage) (string, bool) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return "", false
	}
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return integer(v)
	case string:
		if plain(v) {
			return v, true
		}
		return base64Prefix + base64.StdEncoding.EncodeToString([]byte(v)) + base64Suffix, true
	}
	return "", false
}

// integer writes n without fraction and exponent. Those that JavaScript cannot hold are left out.
func integer(n json.Number) (string, bool) {
	const safe = 1<<53 - 1
	f, err := n.Float64()
	if i := int64(f); err == nil && f >= -safe && f <= safe && float64(i) == f {
		return strconv.FormatInt(i, 10), true
	}
	return "", false
}

const (
	base64Prefix = "=?base64?"
	base64Suffix = "?="
)

// plain reports whether a text can stand in a header as it is, and be told from one in base64.
func plain(s string) bool {
	if s != strings.Trim(s, " \t") || strings.HasPrefix(s, base64Prefix) && strings.HasSuffix(s, base64Suffix) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
