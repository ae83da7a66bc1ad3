package mcptest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

// sdkTransports are all ways in which an SDK server is reached, with the revision that is negotiated by default.
var sdkTransports = []struct {
	name, version string
	start         func(t *testing.T, server *mcp.Server) mcp.Transport
}{
	{"stateful", mcptest.Era2025, func(t *testing.T, server *mcp.Server) mcp.Transport {
		return &mcp.StreamableClientTransport{Endpoint: mcptest.Serve(t, mcptest.HTTPHandler(server, false)).URL(), HTTPClient: httpClient(t)}
	}},
	{"stateless", mcptest.Era2026, func(t *testing.T, server *mcp.Server) mcp.Transport {
		return &mcp.StreamableClientTransport{Endpoint: mcptest.Serve(t, mcptest.HTTPHandler(server, true)).URL(), HTTPClient: httpClient(t)}
	}},
	{"sse", mcptest.Era2025, func(t *testing.T, server *mcp.Server) mcp.Transport {
		return &mcp.SSEClientTransport{Endpoint: mcptest.Serve(t, mcptest.SSEHandler(server)).URL(), HTTPClient: httpClient(t)}
	}},
	{"memory", mcptest.Era2026, func(t *testing.T, server *mcp.Server) mcp.Transport {
		here, there := mcp.NewInMemoryTransports()
		if _, err := server.Connect(t.Context(), there, nil); err != nil {
			t.Fatal(err)
		}
		return here
	}},
}

func TestTheSDKServerHasEveryFeatureOverEveryTransport(t *testing.T) {
	for _, transport := range sdkTransports {
		t.Run(transport.name, func(t *testing.T) {
			server := mcptest.NewSDKServer("features")
			t.Cleanup(func() { mcptest.CloseSessions(server) })
			progress, changed := make(chan string, 10), make(chan struct{}, 10)
			client := &mcp.ClientOptions{
				ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "alice, asked " + req.Params.Message}}, nil
				},
				// deprecated in the protocol, but the server still samples
				CreateMessageHandler: func(_ context.Context, req *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
					prompt := req.Params.Messages[0].Content.(*mcp.TextContent).Text
					return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "re: " + prompt}}, nil
				},
				ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) { progress <- req.Params.Message },
				ToolListChangedHandler:      func(context.Context, *mcp.ToolListChangedRequest) { changed <- struct{}{} },
			}
			session := dialTransport(t, transport.start(t, server), "", client)
			if got := session.InitializeResult(); got.ProtocolVersion != transport.version || got.ServerInfo.Name != "features" {
				t.Errorf("negotiated %s with %q, want %s", got.ProtocolVersion, got.ServerInfo.Name, transport.version)
			}
			for tool, test := range map[string]struct {
				args map[string]any
				want string
			}{
				"echo":       {map[string]any{"text": "hi"}, "hi"},
				"sleep":      {map[string]any{"ms": 1}, "slept 1 ms"},
				"ask":        {map[string]any{"question": "who?"}, "hello alice, asked who?"},
				"sample":     {map[string]any{"prompt": "hm"}, "re: hm"},
				"log":        {map[string]any{"text": "x"}, "logged"},
				"structured": {nil, `{"answer":42}`},
				"mixed":      {nil, "mixed"},
			} {
				if got := callText(t, session, tool, test.args); got != test.want {
					t.Errorf("%s = %q, want %q", tool, got, test.want)
				}
			}
			for tool, kind := range map[string]string{"image": "*mcp.ImageContent", "audio": "*mcp.AudioContent",
				"resource_link": "*mcp.ResourceLink", "resource": "*mcp.EmbeddedResource"} {
				result, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: tool})
				if err != nil || fmt.Sprintf("%T", result.Content[0]) != kind {
					t.Errorf("%s = %+v, %v", tool, result, err)
				}
			}
			failed, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: "fail"})
			if err != nil || !failed.IsError {
				t.Errorf("fail = %+v, %v", failed, err)
			}

			params := &mcp.CallToolParams{Name: "progress", Arguments: map[string]any{"steps": 3}}
			params.SetProgressToken("p")
			if _, err := session.CallTool(bounded(t), params); err != nil {
				t.Errorf("progress: %v", err)
			}
			for i := range 3 {
				select {
				case got := <-progress:
					if got != fmt.Sprintf("step %d", i+1) {
						t.Errorf("progress %d = %q", i, got)
					}
				case <-bounded(t).Done():
					t.Fatalf("progress %d never came", i)
				}
			}

			read, err := session.ReadResource(bounded(t), &mcp.ReadResourceParams{URI: "file:///notes.txt"})
			if err != nil || read.Contents[0].Text != "notes" {
				t.Errorf("the resource = %+v, %v", read, err)
			}
			read, err = session.ReadResource(bounded(t), &mcp.ReadResourceParams{URI: "file:///other"})
			if err != nil || read.Contents[0].Text != "contents of other" {
				t.Errorf("the template = %+v, %v", read, err)
			}
			prompt, err := session.GetPrompt(bounded(t), &mcp.GetPromptParams{Name: "greet", Arguments: map[string]string{"name": "bob"}})
			if err != nil || !strings.Contains(prompt.Messages[0].Content.(*mcp.TextContent).Text, "bob") {
				t.Errorf("the prompt = %+v, %v", prompt, err)
			}

			callText(t, session, "add_tool", map[string]any{"name": "later"})
			select {
			case <-changed:
			case <-bounded(t).Done():
				t.Fatal("no notification about the new tool")
			}
			if got := callText(t, session, "later", map[string]any{"text": "new"}); got != "new" {
				t.Errorf("the new tool = %q", got)
			}
			callText(t, session, "remove_tool", map[string]any{"name": "later"})
			if _, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: "later"}); err == nil {
				t.Error("the removed tool still runs")
			}
		})
	}
}

func TestWithoutAProgressTokenNobodyIsTold(t *testing.T) {
	server := mcptest.NewSDKServer("s")
	session := dial(t, mcptest.Serve(t, mcptest.HTTPHandler(server, true)).URL(), "", &mcp.ClientOptions{
		ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) { t.Error("told") }})
	if got := callText(t, session, "progress", map[string]any{"steps": 2}); got != "done in 2 steps" {
		t.Errorf("progress = %q", got)
	}
}

// userHeader adds what a caller's identity looks like on the wire.
type userHeader struct{ base http.RoundTripper }

func (u userHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer tok")
	r.Header.Set("X-User", "alice")
	return u.base.RoundTrip(r)
}

func TestSDKToolsSeeTheHeader(t *testing.T) {
	server := mcptest.NewSDKServer("s")
	client := httpClient(t)
	client.Transport = userHeader{client.Transport}
	url := mcptest.Serve(t, mcptest.HTTPHandler(server, true)).URL()
	session := dialTransport(t, &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: client}, "", nil)
	var who struct{ Authorization, User string }
	unmarshal(t, callText(t, session, "whoami", nil), &who)
	if who.Authorization != "Bearer tok" || who.User != "alice" {
		t.Errorf("whoami = %+v", who)
	}
	// The SDK's client knows which header to send only after it listed the tools; without it the server refuses.
	regional := &mcp.CallToolParams{Name: "regional", Arguments: map[string]any{"region": "eu", "text": "x"}}
	if _, err := session.CallTool(bounded(t), regional); err == nil {
		t.Error("regional without its header succeeded")
	}
	if _, err := session.ListTools(bounded(t), nil); err != nil {
		t.Fatal(err)
	}
	if got := callText(t, session, "regional", map[string]any{"region": "eu", "text": "x"}); got != "eu" {
		t.Errorf("regional saw the header %q, want eu", got)
	}
}

func TestADeclinedQuestionIsNotAnError(t *testing.T) {
	server := mcptest.NewSDKServer("s")
	session := dial(t, mcptest.Serve(t, mcptest.HTTPHandler(server, true)).URL(), "", &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "decline"}, nil
		}})
	if got := callText(t, session, "ask", map[string]any{"question": "who?"}); got != "the user chose decline" {
		t.Errorf("ask = %q", got)
	}
}

func TestCloseSessionsIsARestart(t *testing.T) {
	server := mcptest.NewSDKServer("s")
	url := mcptest.Serve(t, mcptest.HTTPHandler(server, false)).URL()
	session := dialTransport(t, &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: httpClient(t), DisableStandaloneSSE: true}, mcptest.Era2025, nil)
	callText(t, session, "echo", map[string]any{"text": "x"})
	mcptest.CloseSessions(server)
	if _, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"text": "x"}}); err == nil {
		t.Error("the session survived")
	}
}
