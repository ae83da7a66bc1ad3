package mcpgroup

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// exactTool is a tool with a number that float64 does not have.
func exactServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, &mcp.ServerOptions{PageSize: 2})
	for i := range 5 {
		s.AddTool(&mcp.Tool{
			Name: fmt.Sprint("t", i), Title: "T", Description: "Tool <&> \u2028 of " + strings.Repeat("many words ", 2000),
			InputSchema:  json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer","maximum":9007199254740993}}}`),
			OutputSchema: json.RawMessage(`{"type":"object","x":{"b":1.50,"a":null}}`),
			Annotations:  &mcp.ToolAnnotations{ReadOnlyHint: true},
			Icons:        []mcp.Icon{{Source: "https://example.com/i.png", Sizes: []string{"any"}}},
			Meta:         mcp.Meta{"k": "v"},
		}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{}, nil
		})
	}
	return s
}

// The raw tools of every page are captured on every transport, under the newest and the newest legacy revision.
func TestRawToolsAreCapturedOnEveryTransport(t *testing.T) {
	httpClient := &http.Client{Transport: wireTripper{http.DefaultTransport}}
	serve := func(t *testing.T, h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
		return s.URL
	}
	server := func(*http.Request) *mcp.Server { return exactServer() }
	transports := map[string]func(t *testing.T) mcp.Transport{
		"pipe": func(t *testing.T) mcp.Transport { // as stdio and in-memory servers use it
			near, far := inMemory()
			if _, err := exactServer().Connect(t.Context(), far, nil); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { near.Close() })
			return wireTransport{near.transport()}
		},
		"streamable HTTP, events": func(t *testing.T) mcp.Transport {
			return &mcp.StreamableClientTransport{Endpoint: serve(t, mcp.NewStreamableHTTPHandler(server, nil)), HTTPClient: httpClient}
		},
		"streamable HTTP, JSON": func(t *testing.T) mcp.Transport {
			h := mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{JSONResponse: true, Stateless: true})
			return &mcp.StreamableClientTransport{Endpoint: serve(t, h), HTTPClient: httpClient, DisableStandaloneSSE: true}
		},
		"HTTP+SSE": func(t *testing.T) mcp.Transport {
			return wireTransport{&mcp.SSEClientTransport{Endpoint: serve(t, mcp.NewSSEHandler(server, nil))}}
		},
	}
	for name, transport := range transports {
		for _, revision := range []string{"", revisionLegacy} {
			t.Run(name+" "+revision, func(t *testing.T) {
				client := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, nil)
				client.AddSendingMiddleware(captureLists)
				cs, err := client.Connect(t.Context(), transport(t), &mcp.ClientSessionOptions{ProtocolVersion: revision})
				if err != nil {
					t.Fatal(err)
				}
				defer cs.Close()
				var tools []rawTool
				for cursor, more := "", true; more; more = cursor != "" {
					ctx, cancel := context.WithCancel(t.Context())
					ctx, got := capture(ctx)
					ctx, wire := captureWire(ctx)
					if _, err := cs.ListTools(ctx, &mcp.ListToolsParams{Cursor: cursor}); err != nil {
						t.Fatal(err)
					}
					page := got.result.(*mcp.ListToolsResult)
					tools = append(tools, rawTools(page.Tools, wire.Result())...)
					cursor = page.NextCursor
					cancel()
				}
				if len(tools) != 5 {
					t.Fatalf("%d raw tools, want 5", len(tools))
				}
				for i, tool := range tools {
					if tool.Err != nil || tool.Name != fmt.Sprint("t", i) || !strings.Contains(string(tool.JSON), "9007199254740993") {
						t.Errorf("tool %d: %s, %v, %.200s", i, tool.Name, tool.Err, tool.JSON)
					}
				}
			})
		}
	}
}

func TestRawToolsMustBeWhatTheSDKShows(t *testing.T) {
	decode := func(text string) []*mcp.Tool {
		var page mcp.ListToolsResult
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			t.Fatal(err)
		}
		return page.Tools
	}
	good := `{"tools":[` + pinnedTool + `,` + otherTool + `],"nextCursor":"x"}`
	for _, tool := range rawTools(decode(good), json.RawMessage(good)) {
		if tool.Err != nil {
			t.Errorf("%s: %v", tool.Name, tool.Err)
		}
	}
	shown := decode(good)
	for name, wire := range map[string]string{
		"nothing captured":     ``,
		"not JSON":             `{`,
		"another page":         `{"tools":[]}`,
		"no page":              `{}`,
		"two lists":            `{"tools":[],"tools":[` + pinnedTool + `,` + otherTool + `]}`,
		"another description":  strings.Replace(strings.Replace(good, "Ask first", "Never ask", 1), "Lists", "Drops", 1),
		"another schema":       strings.ReplaceAll(good, `"type":"object"`, `"type":"object","x":1`),
		"the other way around": `{"tools":[` + otherTool + `,` + pinnedTool + `]}`,
		"other case":           strings.ReplaceAll(good, `"description"`, `"Description"`),
		"wrong types":          strings.ReplaceAll(good, `"name":`, `"title":5,"name":`),
	} {
		tools := rawTools(shown, json.RawMessage(wire))
		if len(tools) != 2 || tools[0].Err == nil || tools[1].Err == nil {
			t.Errorf("%s: %+v", name, tools)
		}
	}
	if tools := rawTools([]*mcp.Tool{nil, shown[1]}, json.RawMessage(`{"tools":[null,`+otherTool+`]}`)); len(tools) != 1 || tools[0].Err != nil {
		t.Errorf("null in a list: %+v", tools)
	}
}

// A server that answers one request in the stream of another gets nothing captured for it, whoever waits.
func TestOnlyTheAnswerToTheRequestIsCaptured(t *testing.T) {
	for name, body := range map[string]string{
		"another id":    `{"jsonrpc":"2.0","id":8,"result":{"tools":[]}}`,
		"an error":      `{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}`,
		"a request":     `{"jsonrpc":"2.0","id":7,"method":"ping"}`,
		"not a message": `[1]`,
		"nothing":       ``,
	} {
		for _, contentType := range []string{"application/json", "text/event-stream; charset=utf-8", "text/plain"} {
			if got := captureFrom(t, contentType, body); got != nil {
				t.Errorf("%s as %s: captured %s", name, contentType, got)
			}
		}
	}
	answer := `{"jsonrpc":"2.0","id":7,"result":{"a":1}}`
	if got := captureFrom(t, "application/json", answer); string(got) != `{"a":1}` {
		t.Errorf("captured %s", got)
	}
	for _, stream := range []string{
		"event: message\ndata: " + answer + "\n\n",
		"id: 1\r\ndata:" + answer + "\r\n\r\n",
		": ping\n\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":7,\"result\":{\"a\":1}}\n\ndata: " + strings.Replace(answer, `"a"`, `"b"`, 1) + "\n\n",
		"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\ndata: " + answer + "\n\n",
	} {
		if got := captureFrom(t, "text/event-stream", stream); string(got) != `{"a":1}` {
			t.Errorf("captured %s from %q", got, stream)
		}
	}
	if got := captureFrom(t, "text/event-stream", "data: "+answer+"\n"); got != nil {
		t.Errorf("captured %s from an event that was cut off", got)
	}
}

// captureFrom returns what is captured of an answer that is read in small pieces.
func captureFrom(t *testing.T, contentType, body string) json.RawMessage {
	t.Helper()
	tripper := wireTripper{tripFunc(func(*http.Request) (*http.Response, error) {
		rec := httptest.NewRecorder()
		rec.Header().Set("Content-Type", contentType)
		rec.WriteString(body)
		return rec.Result(), nil
	})}
	ctx, wire := captureWire(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://example.com", strings.NewReader(`{"jsonrpc":"2.0","id":7,"method":"tools/list"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tripper.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var read strings.Builder
	for buf := make([]byte, 3); ; {
		n, err := resp.Body.Read(buf)
		read.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if read.String() != body {
		t.Fatalf("read %q, want %q", read.String(), body)
	}
	return wire.Result()
}

type tripFunc func(*http.Request) (*http.Response, error)

func (f tripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
