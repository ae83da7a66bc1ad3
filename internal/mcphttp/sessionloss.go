package mcphttp

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/httptext"
)

// How servers say that they do not know a session. The revisions with sessions want a 404 (MCP 2025-11-25,
// basic/transports, "Session Management"), but what is deployed differs:
//
//	Python SDK 1.12 - 1.25     400, text "Bad Request: No valid session ID provided"
//	Python SDK 1.26 - 1.29     404, JSON-RPC error -32600 "Session not found" with the id "server-error"
//	Python SDK 2, TypeScript   404, JSON-RPC error -32001 or -32600 "Session not found" with the id null
//	server-everything (npm)    400, JSON-RPC error -32000 "Bad Request: No valid session ID provided", id null
//	TypeScript, restarted      400, JSON-RPC error -32000 "Bad Request: Server not initialized", id null
//	Go SDK                     404, text "session not found"
//	frameworks                 400 or 404, {"error": "..."} or {"detail": "..."}
//
// A server that runs a tool can say "session" too ("Session not found: tab 3" of a browser), so a text counts only if
// it begins with one of the phrases, and an error that answers the very request only with a code of the transport.

// lostPhrases are in lower case. What may stand before them is in lostPrefixes.
var lostPhrases = []string{
	"no valid session id",
	"invalid session id",
	"invalid mcp-session-id",
	"invalid or expired session",
	"invalid or missing session",
	"invalid session",
	"session id not found",
	"session not found",
	"session does not exist",
	"session terminated",
	"session has been terminated",
	"session expired",
	"session has expired",
	"unknown session",
	"server not initialized",
}

var lostPrefixes = []string{"error: ", "bad request: ", "not found: ", "invalid request: "}

// speaksOfLoss reports whether text says that the session is unknown.
func speaksOfLoss(text string) bool {
	text = strings.ToLower(strings.TrimSpace(text[:min(len(text), 256)]))
	for _, p := range lostPrefixes {
		text = strings.TrimPrefix(text, p)
	}
	for _, p := range lostPhrases {
		if rest, ok := strings.CutPrefix(text, p); ok && (rest == "" || !httptext.Alphanumeric(rest[0])) {
			return true
		}
	}
	return false
}

// sessionLost reports whether an answer to a request with a session id says that the session is gone.
func sessionLost(status int, body []byte) bool {
	if status != http.StatusNotFound && status != http.StatusGone && status != http.StatusBadRequest {
		return false
	}
	m := parse(body)
	if m.kind == failure && string(m.id) != `"server-error"` {
		// The answer to this very request: the session exists, unless the transport itself speaks.
		code, text, _ := rpcError(m.error)
		return (code == -32600 || code == -32001) && speaksOfLoss(text)
	}
	return status != http.StatusBadRequest || speaksOfLoss(errorText(body))
}

// errorText returns what a body of an unknown form says: the message of a JSON-RPC error without an id, the text of the
// usual members of a JSON object, or the body itself.
func errorText(body []byte) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return string(body)
	}
	for _, name := range []string{"error", "detail", "message", "error_description"} {
		value := members[name]
		var text string
		if len(value) == 0 {
			continue
		}
		if _, text, ok := rpcError(value); ok && text != "" {
			return text
		}
		if json.Unmarshal(value, &text) == nil && text != "" {
			return text
		}
	}
	return ""
}
