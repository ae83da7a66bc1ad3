package mcphttp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

// A recorder keeps what a server is asked, in the order in which it was.
type recorder struct {
	http.Handler

	mu       sync.Mutex
	requests []string
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	header := req.Header.Clone()
	if header.Get(headerSession) != "" {
		header.Set(headerSession, "(one that the server gave)")
	}
	if req.Method == http.MethodDelete { // see TestSessionEndsWithoutHeadersOfABody
		header.Del("Content-Type")
		header.Del("Accept")
	}
	line := fmt.Sprintf("%s %s %v %v\n", req.Method, req.URL, req.ContentLength, req.TransferEncoding)
	for _, name := range slices.Sorted(maps.Keys(header)) {
		line += fmt.Sprintf("%s: %q\n", name, header[name])
	}
	r.mu.Lock()
	r.requests = append(r.requests, line+string(body))
	r.mu.Unlock()
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	r.Handler.ServeHTTP(w, req)
}

func (r *recorder) count(text string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, request := range r.requests {
		if strings.Contains(request, text) {
			n++
		}
	}
	return n
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// mirroring is a tool whose parameters are sent as headers too.
var mirroring = &mcp.Tool{Name: "mirroring", InputSchema: map[string]any{"type": "object", "properties": map[string]any{
	"text":  map[string]any{"type": "string", "x-mcp-header": "Text"},
	"flag":  map[string]any{"type": "boolean", "x-mcp-header": "FLAG"},
	"count": map[string]any{"type": "integer", "x-mcp-header": "x-count"},
	"plain": map[string]any{"type": "string"},
	"deep": map[string]any{"type": "object", "properties": map[string]any{
		"text":   map[string]any{"type": "string", "x-mcp-header": "Deep"},
		"deeper": map[string]any{"type": "object", "properties": map[string]any{"n": map[string]any{"type": "integer", "x-mcp-header": "Deeper"}}},
	}},
}}}

// mirroredArguments are what it is called with.
var mirroredArguments = []string{
	`{}`,
	`{"text":"plain","flag":true,"count":7,"plain":"x","deep":{"text":"inner","deeper":{"n":-3}}}`,
	`{"text":"Grüße, 世界","flag":false,"count":0}`,
	`{"text":" leading","deep":{"text":"trailing\t"}}`,
	`{"text":"=?base64?eA==?=","deep":{"text":"=?base64?="}}`,
	`{"text":"two\r\nlines","deep":{"text":"\u007f"}}`,
	`{"text":""}`,
	`{"text":null,"flag":null,"count":null,"deep":null}`,
	`{"count":9007199254740991}`, `{"count":9007199254740992}`, `{"count":-9007199254740991}`, `{"count":-9007199254740992}`,
	`{"count":1.5}`, `{"count":1e3}`, `{"count":2.0}`, `{"count":-0}`, `{"count":1e300}`,
	`{"text":7,"flag":"yes","count":"8"}`,
	`{"text":["a"],"flag":{},"deep":"flat"}`,
	`{"deep":{"deeper":{}}}`, `{"deep":{"deeper":[]}}`,
	`{"Text":"of another name","text":"a \u0041"}`,
	`{"text":"first","text":"second"}`,
}

// A rival is a way to connect the SDK's client through a chain.
type rival func(c *Chain, url string) mcp.Transport

func TestServersSeeTheSameRequestsAsFromTheTransportOfTheSDK(t *testing.T) {
	for _, tt := range []struct {
		name            string
		stateless, json bool
		version         string
		heal            bool
	}{
		{"2025-11-25 with streams", false, false, "2025-11-25", false},
		{"2025-11-25 with JSON", false, true, "2025-11-25", false},
		{"2025-06-18", false, false, "2025-06-18", false},
		{"2026-07-28 with streams", true, false, "2026-07-28", false},
		{"2026-07-28 with JSON", true, true, "2026-07-28", false},
		{"2025-11-25 to a server without sessions", true, false, "2025-11-25", false},
		{"fallback from 2026-07-28", false, false, "", false},
		{"fallback from 2026-07-28 with JSON", false, true, "", false},
		{"2025-11-25 with streams that heal", false, false, "2025-11-25", true},
		{"2026-07-28 with streams that heal", true, false, "2026-07-28", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := func(connect rival) []string {
				return observe(t, connect, tt.version, tt.heal, &mcp.StreamableHTTPOptions{
					Stateless: tt.stateless, JSONResponse: tt.json, PropagateRequestCancellation: true,
				})
			}
			want := run(func(c *Chain, url string) mcp.Transport {
				return &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: c.Client(), MaxEventSize: c.MaxEvent()}
			})
			got := run(func(c *Chain, _ string) mcp.Transport { return &Transport{Chain: c, Listen: true} })
			for i := range max(len(want), len(got)) {
				if i >= len(want) || i >= len(got) || want[i] != got[i] {
					t.Fatalf("request %d is\n%s\nof the SDK's transport it is\n%s", i, strings.Join(got[i:min(i+1, len(got))], ""), strings.Join(want[i:min(i+1, len(want))], ""))
				}
			}
		})
	}
}

// observe runs a program of the SDK's client and returns what it sent. Two runs are equal, as what the client does on its
// own is waited for, but for
//
//   - the ids of sessions, which are replaced;
//   - Content-Type and Accept of DELETE, a known fault, which are left out;
//   - cancellations that Close sends for streams that are still open: it does not wait for them, and they are left out.
func observe(t *testing.T, connect rival, version string, heal bool, opts *mcp.StreamableHTTPOptions) []string {
	t.Helper()
	server := mcptest.NewSDKServer("s")
	started := make(chan struct{})
	server.AddTool(mirroring, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "mirrored"}}}, nil
	})
	server.AddTool(&mcp.Tool{Name: "hang", InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		started <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	rec := &recorder{Handler: mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, opts)}
	c, url := serve(t, rec, func(c *Config) { c.SelfHeal = heal })

	var changes atomic.Int32
	client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { changes.Add(1) },
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Ada"}}, nil
		},
	})
	cs, err := client.Connect(t.Context(), connect(c, url), &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	legacy := cs.InitializeResult().ProtocolVersion < "2026-07-28"

	// How it goes is noted too: that it is in vain is as good.
	var outcomes []string
	note := func(what string, err error) {
		outcomes = append(outcomes, fmt.Sprintf("%s: failed %v", what, err != nil))
	}
	run := func(name, arguments string) {
		res, err := cs.CallTool(t.Context(), &mcp.CallToolParams{
			Meta: mcp.Meta{"progressToken": "p"}, Name: name, Arguments: json.RawMessage(arguments),
		})
		note(name+arguments, err)
		if err == nil {
			text, err := json.Marshal(res)
			note(string(text), err)
		}
	}
	run("regional", `{"region":"before it was listed"}`)
	if _, err := cs.ListTools(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	run("echo", `{"text":"hello"}`)
	run("fail", `{}`)
	run("unknown", `{}`)
	run("progress", `{"steps":3}`)
	run("regional", `{"region":"eu","text":"x"}`)
	for _, arguments := range mirroredArguments {
		run("mirroring", arguments)
	}
	if !legacy || !opts.JSONResponse && !opts.Stateless { // elsewhere a server of the SDK cannot ask
		run("ask", `{"question":"who?"}`)
	}
	_, err = cs.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "greet", Arguments: map[string]string{"name": "Ada"}})
	note("prompt", err)
	_, err = cs.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "unknown"})
	note("unknown prompt", err)
	for _, uri := range []string{"file:///notes.txt", "file:///a%20b", "file:///", ""} {
		_, err = cs.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
		note(uri, err)
	}
	_, err = cs.ListResources(t.Context(), nil)
	note("resources", err)
	note("subscription", cs.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "file:///notes.txt"}))
	note("notification", cs.NotifyProgress(t.Context(), &mcp.ProgressNotificationParams{ProgressToken: "p", Progress: 1}))
	if legacy {
		note("ping", cs.Ping(t.Context(), nil))
	}

	if !legacy || !opts.Stateless { // a cancellation would reach nobody
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-started
			cancel()
		}()
		_, err = cs.CallTool(ctx, &mcp.CallToolParams{Name: "hang"})
		note("cancelled call", err)
		eventually(t, "the cancellation", func() bool { return rec.count("notifications/cancelled") == 1 })
		run("add_tool", `{"name":"added"}`)
		eventually(t, "the change", func() bool { return changes.Load() > 0 })
		if _, err := cs.ListTools(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}

	before := len(rec.all())
	if err := cs.Close(); err != nil {
		t.Fatal(err)
	}
	requests := rec.all()
	return append(append(requests[:before:before], slices.DeleteFunc(requests[before:], func(r string) bool {
		return strings.Contains(r, "notifications/cancelled")
	})...), outcomes...)
}
