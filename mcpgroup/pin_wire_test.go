package mcpgroup

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/lines"
	"github.com/mcpfleet/mcpfleet/internal/mcphttp"
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
	serve := func(t *testing.T, h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
		return s.URL
	}
	streamable := func(t *testing.T, h http.Handler) mcp.Transport {
		chain, err := mcphttp.New(mcphttp.Config{Endpoint: serve(t, h), Base: http.DefaultTransport})
		if err != nil {
			t.Fatal(err)
		}
		return wireTransport{&mcphttp.Transport{Chain: chain}}
	}
	server := func(*http.Request) *mcp.Server { return exactServer() }
	transports := map[string]func(t *testing.T) mcp.Transport{
		"pipe": func(t *testing.T) mcp.Transport { // as stdio and in-memory servers use it
			near, far := inMemory()
			if _, err := exactServer().Connect(t.Context(), far, nil); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { near.Close() })
			return wireTransport{lines.Transport{Stream: near}}
		},
		"streamable HTTP, events": func(t *testing.T) mcp.Transport {
			return streamable(t, mcp.NewStreamableHTTPHandler(server, nil))
		},
		"streamable HTTP, JSON": func(t *testing.T) mcp.Transport {
			return streamable(t, mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{JSONResponse: true, Stateless: true}))
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

func TestOnlyTheFirstAnswerToTheRequestIsCaptured(t *testing.T) {
	for _, c := range []struct{ name, answers, want string }{
		{"the answer", `{"jsonrpc":"2.0","id":7,"result":{"a":1}}`, `{"a":1}`},
		{"two answers", `{"jsonrpc":"2.0","id":7,"result":{"a":1}}` + "\n" + `{"jsonrpc":"2.0","id":7,"result":{"b":1}}`, `{"a":1}`},
		{"after others", `{"jsonrpc":"2.0","id":8,"result":{"b":1}}` + "\n" + `{"jsonrpc":"2.0","method":"x"}` + "\n" + `{"jsonrpc":"2.0","id":7,"result":{"a":1}}`, `{"a":1}`},
		{"another id", `{"jsonrpc":"2.0","id":8,"result":{"tools":[]}}`, ``},
		{"an error", `{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}` + "\n" + `{"jsonrpc":"2.0","id":7,"result":{"b":1}}`, ``},
		{"a request", `{"jsonrpc":"2.0","id":7,"method":"ping"}`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			near, far := net.Pipe()
			conn, err := wireTransport{lines.Transport{Stream: near}}.Connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() {
				defer far.Close()
				bufio.NewReader(far).ReadString('\n')
				far.Write([]byte(c.answers + "\n"))
			}()
			ctx, wire := captureWire(t.Context())
			asked, err := jsonrpc.DecodeMessage([]byte(`{"jsonrpc":"2.0","id":7,"method":"tools/list"}`))
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Write(ctx, asked); err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, err = conn.Read(t.Context())
			}
			if got := string(wire.Result()); got != c.want {
				t.Errorf("captured %s, want %s", got, c.want)
			}
		})
	}
}
