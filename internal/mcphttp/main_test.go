package mcphttp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs h and returns a chain to it. Everything is closed when the test ends.
func serve(t testing.TB, h http.Handler, edit func(*Config)) (*Chain, string) {
	t.Helper()
	srv := httptest.NewServer(h)
	cfg := Config{Endpoint: srv.URL + "/mcp", Logger: slog.New(slog.DiscardHandler)}
	if edit != nil {
		edit(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.CloseIdleConnections()
		srv.CloseClientConnections()
		srv.Close()
	})
	return c, srv.URL + "/mcp"
}

const call = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x"}}`

// newPost returns a request as the SDK sends it within a session.
func newPost(ctx context.Context, t testing.TB, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set(headerVersion, "2025-11-25")
	req.Header.Set(headerSession, "SESSION-1234")
	return req
}

// do posts a call and returns the answer's body, the error and what the exchange saw.
func do(ctx context.Context, t testing.TB, c *Chain, url, body string) (string, error, *Exchange) {
	t.Helper()
	x := new(Exchange)
	resp, err := c.Client().Do(newPost(WithExchange(ctx, x), t, url, body))
	if err != nil {
		return "", err, x
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err, x
}

// script is an MCP server of revision 2025-11-25 with a protocol session, whose tools/call is the test's.
type script struct {
	get http.HandlerFunc // nil answers 405

	// mu guards all below.
	mu       sync.Mutex
	call     func(w http.ResponseWriter, r *http.Request, id string) // nil answers "ok"
	requests []string                                                // methods of HTTP and JSON-RPC
}

func (s *script) log(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, line)
}

func (s *script) count(line string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if r == line {
			n++
		}
	}
	return n
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		s.log(r.Method)
		if r.Method == http.MethodGet && s.get != nil {
			s.get(w, r)
		} else {
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
		return
	}
	var m struct {
		ID     json.RawMessage
		Method string
		Params struct{ Name string }
	}
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.log(m.Method)
	s.mu.Lock()
	call := s.call
	s.mu.Unlock()
	switch {
	case m.ID == nil:
		w.WriteHeader(http.StatusAccepted)
	case m.Method == "initialize":
		w.Header().Set(headerSession, "SESSION-1234")
		answer(w, string(m.ID), `{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"s","version":"1"}}`)
	case m.Params.Name != "ok" && call != nil:
		call(w, r, string(m.ID))
	default:
		answer(w, string(m.ID), `{"content":[{"type":"text","text":"ok"}]}`)
	}
}

func answer(w http.ResponseWriter, id, result string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, id, result)
}

// session connects the SDK's client to h through a chain.
func session(t testing.TB, h http.Handler, edit func(*Config), opts *mcp.ClientOptions, sse bool) (*mcp.ClientSession, *Chain) {
	t.Helper()
	c, _ := serve(t, h, edit)
	c.openWait, c.backoffBase = 200*time.Millisecond, 5*time.Millisecond
	client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, opts)
	cs, err := client.Connect(t.Context(), &Transport{Chain: c, Listen: sse}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cs.Close() })
	return cs, c
}

// callTool calls the tool under ctx as mcpgroup does: with an exchange, and cancelled when the result is in.
func callTool(ctx context.Context, cs *mcp.ClientSession, name string) (*mcp.CallToolResult, error, *Exchange) {
	x := new(Exchange)
	ctx, cancel := context.WithCancel(WithExchange(ctx, x))
	defer cancel()
	res, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: name})
	return res, err, x
}

// callUncancelled is callTool as a program without mcpgroup may do it.
func callUncancelled(ctx context.Context, cs *mcp.ClientSession, name string) (*mcp.CallToolResult, error, *Exchange) {
	x := new(Exchange)
	res, err := cs.CallTool(WithExchange(ctx, x), &mcp.CallToolParams{Name: name})
	return res, err, x
}

// bubble runs f in virtual time.
func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// alive fails the test unless cs works.
func alive(t testing.TB, cs *mcp.ClientSession) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	res, err, _ := callTool(ctx, cs, "ok")
	if err != nil {
		t.Fatalf("the session is dead: %v", err)
	}
	if text := res.Content[0].(*mcp.TextContent).Text; text != "ok" {
		t.Fatalf("a call after the fault = %q, want ok", text)
	}
}

// eventually waits for cond. It fails only after so long that something hangs.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for range 2000 {
		if cond() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never happened: %s", what)
}

func mustNotContain(t testing.TB, text string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%q shows up in %q", s, text)
		}
	}
}
