package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

// mirror is an MCP server that asks for nothing, notes the canaries it is sent, and fails; if the book says so, by sending
// them back.
type mirror struct {
	host *mcptest.Host
	mode atomic.Pointer[string] // how it fails; "" is not at all
	book *book
}

// failures are the ways in which a mirror fails.
var failures = []string{"401", "403", "404", "500", "500 JSON-RPC", "JSON-RPC error", "redirect", "not JSON", "cut", "gone"}

func newMirror(b *book) *mirror {
	m := &mirror{book: b}
	m.fail("")
	honest := mcptest.HTTPHandler(mcptest.NewSDKServer("mirror"), true)
	m.host = mcptest.Listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		canaries := b.arriveRequest(r)
		if mode := *m.mode.Load(); mode != "" && len(canaries) > 0 {
			m.reflect(w, r, mode, b.echo(strings.Join(canaries, " ")))
			return
		}
		honest.ServeHTTP(w, r)
	}))
	return m
}

func (m *mirror) url() string { return m.host.URL() + "/mcp" }

func (m *mirror) fail(mode string) { m.mode.Store(&mode) }

// reflect fails with a text.
func (m *mirror) reflect(w http.ResponseWriter, r *http.Request, mode, canary string) {
	body, _ := io.ReadAll(r.Body)
	var call struct {
		ID     json.RawMessage
		Method string
	}
	json.NewDecoder(bytes.NewReader(body)).Decode(&call)
	rpc := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":%q,"data":{"token":%q}}}`, orNull(call.ID), "bad token "+canary, canary)
	switch mode {
	case "401":
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer error="invalid_token", error_description=%q`, canary))
		http.Error(w, "not "+canary, http.StatusUnauthorized)
	case "403":
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer error="insufficient_scope", scope=%q`, canary))
		http.Error(w, "not "+canary, http.StatusForbidden)
	case "404":
		http.Error(w, "no session for "+canary, http.StatusNotFound)
	case "500":
		http.Error(w, "panic: token "+canary, http.StatusInternalServerError)
	case "500 JSON-RPC", "JSON-RPC error":
		w.Header().Set("Content-Type", "application/json")
		if mode != "JSON-RPC error" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		io.WriteString(w, rpc)
	case "redirect":
		http.Redirect(w, r, "https://elsewhere.example/login?token="+strings.ReplaceAll(canary, " ", "+"), http.StatusTemporaryRedirect)
	case "not JSON":
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, canary+" {")
	case "cut":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"token\":%q,", canary)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "gone":
		panic(http.ErrAbortHandler)
	}
}

func orNull(id json.RawMessage) json.RawMessage {
	if len(id) == 0 {
		return json.RawMessage("null")
	}
	return id
}

func (m *mirror) close() { m.host.Close() }
