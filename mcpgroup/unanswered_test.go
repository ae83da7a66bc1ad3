package mcpgroup

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

// asking is a group whose server asks for something, as the message says, within each call, and then answers the call if
// answers is set. What is said to the message it keeps waiting, until that is given up.
func asking(t *testing.T, message string, answers bool, cfg ServerConfig, opts *Options) (g *MCPFunctionGroup, said, gaveUp chan struct{}) {
	t.Helper()
	s := mcptest.NewRaw(&mcptest.RawOptions{})
	host := s.Start(t)
	said, gaveUp = make(chan struct{}, 100), make(chan struct{}, 100)
	s.SetIntercept(func(w http.ResponseWriter, r *http.Request, method string, id json.RawMessage, body []byte) bool {
		switch {
		case method == "" && strings.Contains(string(body), `"asked"`):
			said <- struct{}{}
			<-r.Context().Done()
			gaveUp <- struct{}{}
		case method == "tools/call":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":\"asked\",%s}\n\n", message)
			w.(http.Flusher).Flush()
			if !answers {
				<-r.Context().Done()
				break
			}
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[]}}\n\n", id)
		default:
			return false
		}
		return true
	})
	cfg.Name, cfg.URL = "test", host.URL()+"/mcp"
	g, err := New(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g, said, gaveUp
}

// A request that the SDK refuses is answered where it reads: nothing else is read meanwhile.
func TestCallsEndInTimeWhateverTheServerMakesUsSay(t *testing.T) {
	g, _, _ := asking(t, `"method":"notifications/cancelled","params":7`, true, ServerConfig{CallTimeout: 100 * time.Millisecond}, nil)
	for i := range 4 {
		done := make(chan error, 1)
		go func() {
			_, err := g.Call(userContext("alice"), "echo", map[string]any{"text": "x"})
			done <- err
		}()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatalf("call %d goes on past its deadline of 100 ms", i)
		}
	}
}

func TestCloseGivesUpWhatTheServerDoesNotTake(t *testing.T) {
	g, said, gaveUp := asking(t, `"method":"ping"`, true, ServerConfig{}, nil)
	if _, err := g.Call(userContext("alice"), "echo", map[string]any{"text": "x"}); err != nil {
		t.Fatal(err)
	}
	<-said
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-gaveUp:
	case <-time.After(20 * time.Second):
		t.Error("the answer to a ping is still on its way after Close")
	}
}

func TestHandlersAreToldOfClose(t *testing.T) {
	began, told := make(chan struct{}), make(chan struct{})
	g, _, _ := asking(t, `"method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}`, false, ServerConfig{},
		&Options{Handlers: Handlers{Elicit: func(ctx context.Context, _ session.Key, _ *mcp.ElicitParams) (*mcp.ElicitResult, error) {
			close(began)
			<-ctx.Done()
			close(told)
			return nil, ctx.Err()
		}}})
	go g.Call(userContext("alice"), "echo", map[string]any{"text": "x"})
	<-began
	go g.Close()
	select {
	case <-told:
	case <-time.After(20 * time.Second):
		t.Error("a handler still waits after Close")
	}
}
