package mcpgroup

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

func TestUnknownStaysUnknownWhenTheRepeatIsNotSent(t *testing.T) {
	tool := mcptest.RawTool{Def: map[string]any{"name": "idem", "inputSchema": map[string]any{"type": "object"}, "annotations": map[string]any{"idempotentHint": true}}}
	s, host, g := rawGroup(t, &mcptest.RawOptions{Tools: []mcptest.RawTool{tool}}, ServerConfig{Trusted: true, ReconnectWindow: 300 * time.Millisecond}, nil)
	ctx := userContext("alice")
	mustCall(t, g, ctx, "idem", nil)
	drop := mcptest.DropAfterExecution()
	s.Inject(mcptest.OnTool("idem", func(s *mcptest.Raw, w http.ResponseWriter, r *http.Request, hit mcptest.Hit) bool {
		go host.Stop()
		time.Sleep(50 * time.Millisecond)
		return drop(s, w, r, hit)
	}))
	_, err := g.Call(ctx, "idem", nil)
	if s.Executions("idem") == 2 && outcomeOf(t, err) != Unknown {
		t.Errorf("outcome = %v although the tool ran", outcomeOf(t, err))
	}
}

func TestCallThatAskedItsUserIsNotBegunAgain(t *testing.T) {
	var asked, round atomic.Int32
	s, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026}, ServerConfig{}, &Options{Handlers: Handlers{
		Elicit: func(context.Context, session.Key, *mcp.ElicitParams) (*mcp.ElicitResult, error) {
			asked.Add(1)
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"password": "x"}}, nil
		},
	}})
	ctx := userContext("alice")
	toolNames(t, g, ctx)
	ask := mcptest.InputRequired(true)
	s.Inject(mcptest.OnTool("echo", func(s *mcptest.Raw, w http.ResponseWriter, r *http.Request, hit mcptest.Hit) bool {
		switch round.Add(1) {
		case 1, 3:
			return ask(s, w, r, hit)
		case 2:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(429)
			return true
		}
		return false
	}))
	_, err := g.Call(ctx, "echo", map[string]any{"text": "x"})
	if asked.Load() != 1 || outcomeOf(t, err) != Unknown {
		t.Errorf("Call = %v", err)
		t.Errorf("the user was asked %d times, rounds %d", asked.Load(), round.Load())
	}
}

func TestLostCredentialInASecondRoundIsNotSaidToBeNotSent(t *testing.T) {
	var fail atomic.Bool
	s, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026}, ServerConfig{}, &Options{
		Headers: func(context.Context, session.Key) (http.Header, error) {
			if fail.Load() {
				return nil, errors.New("sealed")
			}
			return http.Header{}, nil
		},
		Handlers: Handlers{Elicit: func(context.Context, session.Key, *mcp.ElicitParams) (*mcp.ElicitResult, error) {
			fail.Store(true)
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"password": "x"}}, nil
		}},
	})
	toolNames(t, g, userContext("alice"))
	s.Inject(mcptest.OnTool("echo", mcptest.InputRequired(true)))
	_, err := g.Call(userContext("alice"), "echo", map[string]any{"text": "x"})
	if outcomeOf(t, err) == NotSent {
		t.Errorf("server got %d requests: %v", s.Calls("echo"), err)
	}
}

func TestChildThatDiedBeforeTheWriteGotNothing(t *testing.T) {
	command, args, env := mcptest.ChildCommand("honest")
	g := newGroup(t, ServerConfig{Command: command, Args: args, Env: env}, nil)
	ctx := userContext("alice")
	tools, err := g.Tools(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_ = tools
	bad := 0
	for range 10 {
		ref, err := g.acquire(ctx, session.ID{Key: session.Key{Tenant: "acme", User: "alice"}}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		p := ref.Value().proc
		// The child dies between the look whether it is alive and the write.
		v, ok := g.attempt(ctx, ref, time.Time{}, operation{"call", "x", false, runFunc(func(ctx context.Context, c *conn) error {
			p.Kill()
			<-p.Done()
			_, err := c.cs.CallTool(ctx, &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"text": "x"}})
			return err
		})})
		if !ok && v.outcome != NotSent {
			bad++
		}
	}
	if bad > 0 {
		t.Errorf("%d of 10 calls to a child that was dead before the write are not NotSent", bad)
	}
}

func TestErrorTextDoesNotDenyRepeats(t *testing.T) {
	tool := mcptest.RawTool{Def: map[string]any{"name": "idem", "inputSchema": map[string]any{"type": "object"}, "annotations": map[string]any{"idempotentHint": true}}}
	s, _, g := rawGroup(t, &mcptest.RawOptions{Tools: []mcptest.RawTool{tool}}, ServerConfig{Trusted: true}, nil)
	s.Inject(mcptest.OnTool("idem", mcptest.DropAfterExecution()))
	_, err := g.Call(userContext("alice"), "idem", nil)
	if s.Executions("idem") == 3 && strings.Contains(err.Error(), "not repeated") {
		t.Error("ran 3 times:", err)
	}
}

func TestRateLimitAtConnectIsSaid(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{CallTimeout: 2 * time.Second}, nil)
	s.FailNext(429, 100, http.Header{"Retry-After": {"1"}}, "")
	_, err := g.Call(userContext("alice"), "echo", map[string]any{"text": "x"})
	if !errors.Is(err, ErrRateLimited) {
		t.Errorf("%v", err)
	}
}

func TestCodesTheSDKGivesAMeaningAreTheServersOwn(t *testing.T) {
	for code, want := range map[int]Outcome{-32005: Failed, -32022: Failed, -32003: Unknown} { // -32003 is flattened on its way
		tool := mcptest.RawTool{
			Def: map[string]any{"name": "bad", "inputSchema": map[string]any{"type": "object"}, "annotations": map[string]any{"idempotentHint": true}},
			Run: func(context.Context, mcptest.RawCall) (map[string]any, *mcptest.RawError) {
				return nil, &mcptest.RawError{Code: code, Message: "quota"}
			}}
		s, _, g := rawGroup(t, &mcptest.RawOptions{Tools: []mcptest.RawTool{tool}}, ServerConfig{ReconnectWindow: time.Second}, nil)
		_, err := g.Call(userContext("alice"), "bad", nil)
		if s.Executions("bad") != 1 || outcomeOf(t, err) != want || errors.Is(err, ErrUnavailable) {
			t.Errorf("code %d: ran %d times, %v; want once and %v", code, s.Executions("bad"), err, want)
		}
	}
}

// The SDK takes any failure of its question for the revision for a no.
func TestFailureDuringTheFirstConnectDoesNotDecideTheRevision(t *testing.T) {
	t.Run("credential", func(t *testing.T) {
		var refused atomic.Bool
		_, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026}, ServerConfig{}, &Options{
			Headers: func(context.Context, session.Key) (http.Header, error) {
				if refused.CompareAndSwap(false, true) {
					return nil, errors.New("not yet")
				}
				return nil, nil
			},
		})
		_, err := g.Call(userContext("alice"), "echo", map[string]any{"text": "x"})
		var credential *CredentialError
		if !errors.As(err, &credential) {
			t.Errorf("Call = %v, want the callback's error", err)
		}
		mustCall(t, g, userContext("bob"), "echo", map[string]any{"text": "x"})
		if v := g.Status().ProtocolVersion; v != mcptest.Era2026 {
			t.Errorf("revision %s", v)
		}
	})
	t.Run("status", func(t *testing.T) {
		s, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026}, ServerConfig{}, nil)
		s.FailNext(http.StatusServiceUnavailable, 1, nil, "")
		if _, err := g.Call(userContext("alice"), "echo", map[string]any{"text": "x"}); err != nil {
			t.Logf("first call: %v", err)
		}
		mustCall(t, g, userContext("bob"), "echo", map[string]any{"text": "x"})
		if v := g.Status().ProtocolVersion; v != mcptest.Era2026 {
			t.Errorf("revision %s", v)
		}
	})
}
