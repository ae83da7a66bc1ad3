package mcptest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

// ask sends one message to a server without sessions, and without a socket.
func ask(h http.Handler, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A server counts what reached it and what was executed, which differ when it refuses.
func ExampleRaw() {
	raw := mcptest.NewRaw(&mcptest.RawOptions{Sessionless: true})
	raw.FailNext(http.StatusServiceUnavailable, 1, http.Header{"Retry-After": {"1"}}, "busy")
	call := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"inc","arguments":{"key":"a"}}}`
	for range 2 {
		w := ask(raw, call)
		fmt.Println(w.Code, w.Body)
	}
	fmt.Println(raw.Calls("inc"), "calls,", raw.Executions("inc"), "execution")
	// Output:
	// 503 busy
	// 200 {"id":1,"jsonrpc":"2.0","result":{"content":[{"text":"incremented a","type":"text"}]}}
	// 2 calls, 1 execution
}

// A tool is its entry in tools/list and what it does.
func ExampleRawTool() {
	raw := mcptest.NewRaw(&mcptest.RawOptions{Sessionless: true, Tools: []mcptest.RawTool{{
		JSON: json.RawMessage(`{"name":"shout","inputSchema":{"type":"object"}}`),
		Run: func(_ context.Context, c mcptest.RawCall) (map[string]any, *mcptest.RawError) {
			return mcptest.Text(strings.ToUpper(string(c.Args))), nil
		},
	}}})
	fmt.Println(ask(raw, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"shout","arguments":["hey"]}}`).Body)
	// Output:
	// {"id":1,"jsonrpc":"2.0","result":{"content":[{"text":"[\"HEY\"]","type":"text"}]}}
}

// Every second call of the attack tool is answered with an error; all else is honest.
func ExampleNewHostile() {
	raw := mcptest.NewHostile(&mcptest.RawOptions{Sessionless: true},
		mcptest.OnTool(mcptest.AttackTool, mcptest.EveryNth(2, mcptest.BigError(http.StatusBadRequest, 10))))
	for range 4 {
		fmt.Println(ask(raw, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"attack","arguments":{"key":"a"}}}`).Code)
	}
	// Output:
	// 200
	// 400
	// 200
	// 400
}

// A stopped host comes back where it was.
func ExampleListen() {
	host := mcptest.Listen(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "up") }))
	defer host.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func() string {
		resp, err := client.Get(host.URL())
		if err != nil {
			return "down"
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	fmt.Println(get())
	host.Stop()
	fmt.Println(get())
	if err := host.Start(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(get())
	// Output:
	// up
	// down
	// up
}
