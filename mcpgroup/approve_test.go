package mcpgroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

func hints(readOnly bool, destructive *bool) *mcp.ToolAnnotations {
	return &mcp.ToolAnnotations{ReadOnlyHint: readOnly, DestructiveHint: destructive}
}

func toolOf(trusted bool, name string, a *mcp.ToolAnnotations) *Tool {
	return &Tool{
		Name: "exposed_" + name, OriginalName: name, Server: "bank", Annotations: a,
		group: &MCPFunctionGroup{cfg: ServerConfig{Name: "bank", Trusted: trusted}},
	}
}

// gated runs calls through an approval gate. asked counts the questions, sent holds the arguments that went on.
type gated struct {
	call  CallFunc
	asked atomic.Int32
	mu    sync.Mutex
	sent  []any
}

func newGated(t testing.TB, ask func(context.Context, ApprovalRequest) (bool, error), opts *ApprovalOptions) *gated {
	t.Helper()
	g := &gated{}
	counting := func(ctx context.Context, req ApprovalRequest) (bool, error) {
		g.asked.Add(1)
		return ask(ctx, req)
	}
	g.call = RequireApproval(counting, opts)(func(_ context.Context, req *CallRequest) (*Result, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.sent = append(g.sent, req.Args)
		return textResult("done"), nil
	})
	return g
}

func yes(context.Context, ApprovalRequest) (bool, error) { return true, nil }
func no(context.Context, ApprovalRequest) (bool, error)  { return false, nil }

var alice = session.Key{Tenant: "acme", User: "alice"}

func TestApprovalIsNeededUnlessATrustedServerSaysOtherwise(t *testing.T) {
	f, tr := false, true
	opts := &ApprovalOptions{Always: []string{"bank.read_secret", "*.audit_*"}, Never: []string{"bank.ping", "bank.re?d_[a-z]*", "other.*", "bank.audit_x"}}
	for _, tt := range []struct {
		name string
		tool *Tool
		opts *ApprovalOptions
		want bool
	}{
		{"no annotations", toolOf(false, "x", nil), nil, true},
		{"no annotations, trusted", toolOf(true, "x", nil), nil, true},
		{"no hint, trusted", toolOf(true, "x", hints(false, nil)), nil, true},
		{"read-only", toolOf(false, "x", hints(true, nil)), nil, true},
		{"read-only, trusted", toolOf(true, "x", hints(true, nil)), nil, false},
		{"not destructive", toolOf(false, "x", hints(false, &f)), nil, true},
		{"not destructive, trusted", toolOf(true, "x", hints(false, &f)), nil, false},
		{"destructive, trusted", toolOf(true, "x", hints(false, &tr)), nil, true},
		{"a tool of no group", &Tool{OriginalName: "x", Server: "bank", Annotations: hints(true, nil)}, nil, true},
		{"never, by name", toolOf(false, "ping", nil), opts, false},
		{"never, by glob", toolOf(false, "read_a", nil), opts, false},
		{"never does not match", toolOf(false, "read_1", nil), opts, true},
		{"never of another server", toolOf(false, "other.x", nil), opts, true},
		{"case matters", toolOf(false, "Ping", nil), opts, true},
		{"always beats never", toolOf(true, "read_secret", hints(true, nil)), opts, true},
		{"always by glob beats never by name", toolOf(true, "audit_x", hints(true, nil)), opts, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGated(t, func(_ context.Context, req ApprovalRequest) (bool, error) {
				if req.Reason == "" || req.Tool != tt.tool || req.Key != alice {
					t.Errorf("asked with %+v", req)
				}
				return true, nil
			}, tt.opts)
			if _, err := g.call(t.Context(), &CallRequest{Tool: tt.tool, Key: alice}); err != nil {
				t.Fatal(err)
			}
			if asked := g.asked.Load() == 1; asked != tt.want {
				t.Errorf("asked = %t, want %t", asked, tt.want)
			}
		})
	}
}

func TestACallThatIsNotApprovedIsDeniedAndNotSent(t *testing.T) {
	cause := errors.New("the queue is down: https://example.com/?token=SECRET")
	for name, ask := range map[string]func(context.Context, ApprovalRequest) (bool, error){
		"no":             no,
		"an error":       func(context.Context, ApprovalRequest) (bool, error) { return false, cause },
		"yes, but error": func(context.Context, ApprovalRequest) (bool, error) { return true, cause },
		"a panic":        func(context.Context, ApprovalRequest) (bool, error) { panic("boom") },
		"Goexit":         func(context.Context, ApprovalRequest) (bool, error) { runtime.Goexit(); return true, nil },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGated(t, ask, &ApprovalOptions{Remember: time.Hour})
			for range 2 { // a refusal is not remembered
				_, err := g.call(t.Context(), &CallRequest{Tool: toolOf(true, "pay", nil), Key: alice})
				var denied *DeniedError
				if !errors.Is(err, ErrDenied) || !errors.As(err, &denied) || denied.Server != "bank" || denied.Tool != "pay" || denied.Reason == "" {
					t.Fatalf("err = %v", err)
				}
				var e *Error
				if !errors.As(err, &e) || e.Outcome != NotSent || e.Op != "call" || !strings.Contains(err.Error(), `mcpgroup: call "exposed_pay" on server "bank": denied: `) {
					t.Errorf("err = %v", err)
				}
				if strings.Contains(err.Error(), "SECRET") {
					t.Errorf("the error holds the query of a URL: %v", err)
				}
				if strings.Contains(name, "error") && !errors.Is(err, cause) {
					t.Errorf("%v does not wrap the cause", err)
				}
				var panicked *session.PanicError
				if name == "a panic" && !errors.As(err, &panicked) {
					t.Errorf("%v does not hold the panic", err)
				}
			}
			if len(g.sent) > 0 || g.asked.Load() != 2 {
				t.Errorf("sent %v, asked %d times", g.sent, g.asked.Load())
			}
		})
	}
}

func TestTheEndOfTheContextEndsTheWaitForApproval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := make(chan struct{})
		g := newGated(t, func(context.Context, ApprovalRequest) (bool, error) { <-deaf; return true, nil }, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := g.call(ctx, &CallRequest{Tool: toolOf(true, "pay", nil), Key: alice})
		var e *Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) || e.Outcome != NotSent || errors.Is(err, ErrDenied) {
			t.Errorf("err = %v", err)
		}
		close(deaf)
		synctest.Wait()
		if len(g.sent) > 0 {
			t.Error("an approval that came too late sent the call")
		}
	})
}

// Whoever holds the arguments while somebody thinks about them cannot change what is sent.
func TestWhatIsApprovedIsWhatIsSent(t *testing.T) {
	nested := map[string]any{"iban": "good"}
	args := map[string]any{"to": nested, "cents": json.Number("9007199254740993")}
	g := newGated(t, func(_ context.Context, req ApprovalRequest) (bool, error) {
		if string(req.Args) != `{"cents":9007199254740993,"to":{"iban":"good"}}` {
			t.Errorf("asked about %s", req.Args)
		}
		nested["iban"], args["cents"] = "evil", 1
		copy(req.Args, strings.Repeat("x", 100))
		return true, nil
	}, nil)
	req := &CallRequest{Tool: toolOf(true, "pay", nil), Key: alice, Args: args}
	if _, err := g.call(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if sent := fmt.Sprintf("%s", g.sent[0]); sent != `{"cents":9007199254740993,"to":{"iban":"good"}}` {
		t.Errorf("sent %s", sent)
	}

	buffer := json.RawMessage(`{"to":"good"}`)
	g = newGated(t, func(context.Context, ApprovalRequest) (bool, error) { copy(buffer, `{"to":"evil"}`); return true, nil }, nil)
	if _, err := g.call(t.Context(), &CallRequest{Tool: req.Tool, Args: buffer}); err != nil || fmt.Sprintf("%s", g.sent[0]) != `{"to":"good"}` {
		t.Errorf("sent %s, %v", g.sent, err)
	}
}

func TestArgumentsThatAreNoObjectAreNotAskedAbout(t *testing.T) {
	g := newGated(t, yes, nil)
	for _, args := range []any{"{", `[1]`, json.RawMessage(`{"a":1,"a":2}`), 5, func() {}, json.RawMessage(`{"a":1e9999999999999999999}`)} {
		_, err := g.call(t.Context(), &CallRequest{Tool: toolOf(true, "pay", nil), Args: args})
		if err == nil {
			continue // it means one thing only
		}
		if !errors.Is(err, ErrInvalidArguments) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if int(g.asked.Load()) != len(g.sent) || len(g.sent) > 1 {
		t.Errorf("asked %d times, sent %d", g.asked.Load(), len(g.sent))
	}
}

func TestApprovalsAreRememberedForTheSameCallOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(t, yes, &ApprovalOptions{Remember: time.Minute})
		call := func(key session.Key, tool *Tool, args any) bool {
			t.Helper()
			before := g.asked.Load()
			if _, err := g.call(t.Context(), &CallRequest{Tool: tool, Key: key, Args: args}); err != nil {
				t.Fatal(err)
			}
			return g.asked.Load() > before
		}
		pay := toolOf(true, "pay", nil)
		if !call(alice, pay, `{"a":1,"b":2}`) {
			t.Error("the first call was not asked about")
		}
		if call(alice, pay, map[string]any{"b": 2, "a": 1.0}) {
			t.Error("the same call was asked about again")
		}
		otherServer := toolOf(true, "pay", nil)
		otherServer.Server = "bankp"
		otherServer.OriginalName = "ay"
		for name, c := range map[string]struct {
			key  session.Key
			tool *Tool
			args any
		}{
			"other arguments":      {alice, pay, `{"a":1,"b":3}`},
			"no arguments":         {alice, pay, nil},
			"another tool":         {alice, toolOf(true, "pay2", nil), `{"a":1,"b":2}`},
			"another server":       {alice, otherServer, `{"a":1,"b":2}`},
			"another user":         {session.Key{Tenant: "acme", User: "bob"}, pay, `{"a":1,"b":2}`},
			"another tenant":       {session.Key{Tenant: "acm", User: "ealice"}, pay, `{"a":1,"b":2}`},
			"another conversation": {session.Key{Tenant: "acme", User: "alice", Conversation: "2"}, pay, `{"a":1,"b":2}`},
		} {
			if !call(c.key, c.tool, c.args) {
				t.Errorf("%s: not asked", name)
			}
		}
		time.Sleep(59 * time.Second)
		if call(alice, pay, `{"a":1,"b":2}`) {
			t.Error("asked again within the time")
		}
		time.Sleep(time.Second)
		if !call(alice, pay, `{"a":1,"b":2}`) {
			t.Error("an approval outlived its time, or using it made it longer")
		}
		nobody := session.Key{}
		for range 2 {
			if !call(nobody, pay, nil) {
				t.Error("an approval was remembered for nobody")
			}
		}
	})
	once := newGated(t, yes, nil)
	for range 3 {
		if _, err := once.call(t.Context(), &CallRequest{Tool: toolOf(true, "pay", nil), Key: alice}); err != nil {
			t.Fatal(err)
		}
	}
	if once.asked.Load() != 3 {
		t.Errorf("asked %d times about 3 calls without Remember", once.asked.Load())
	}
}

func TestRememberedApprovalsAreBounded(t *testing.T) {
	a := newApprovals(time.Hour, 3)
	key := func(i int) [32]byte { return approvalKey(alice, toolOf(true, "pay", nil), []byte(fmt.Sprint(i))) }
	for i := range 10 {
		a.add(key(i))
		a.add(key(i))
	}
	for i := range 10 {
		if got := a.has(key(i)); got != (i >= 7) {
			t.Errorf("approval %d is remembered = %t", i, got)
		}
	}
	if len(a.byKey) != 3 || a.order.Len() != 3 {
		t.Errorf("%d keys, %d in order", len(a.byKey), a.order.Len())
	}
}

func TestConcurrentCallsAreAskedAboutEach(t *testing.T) {
	g := newGated(t, yes, &ApprovalOptions{Remember: time.Hour, MaxRemembered: 10})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				args := map[string]any{"n": n % 20}
				if _, err := g.call(t.Context(), &CallRequest{Tool: toolOf(true, "pay", nil), Key: session.Key{User: fmt.Sprint("u", i%2)}, Args: args}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(g.sent) != 400 {
		t.Errorf("%d of 400 calls were sent", len(g.sent))
	}
}

func TestInvalidApprovalOptionsPanic(t *testing.T) {
	mustPanicWith(t, "needs a function", func() { RequireApproval(nil, nil) })
	for _, o := range []ApprovalOptions{
		{Never: []string{"["}}, {Always: []string{""}}, {Always: []string{"ping"}}, {Never: []string{"a.b", "a.b"}}, {Remember: -1}, {MaxRemembered: -1},
	} {
		mustPanicWith(t, "mcpgroup: ApprovalOptions: ", func() { RequireApproval(yes, &o) })
	}
}

// The gate holds in front of a real group, and what passes it is checked and sent as usual.
func TestApprovalInFrontOfAGroup(t *testing.T) {
	server := mcp.NewServer(&mcp.Implementation{Name: "bank", Version: "1"}, nil)
	var ran atomic.Int32
	mcp.AddTool(server, &mcp.Tool{Name: "pay"}, func(_ context.Context, _ *mcp.CallToolRequest, in struct {
		Cents int64 `json:"cents"`
	}) (*mcp.CallToolResult, any, error) {
		ran.Add(1)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(in.Cents)}}}, nil, nil
	})
	approve := true
	g, err := New(ServerConfig{Name: "bank", Server: server}, &Options{Middleware: []func(CallFunc) CallFunc{
		RequireApproval(func(context.Context, ApprovalRequest) (bool, error) { return approve, nil }, nil),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ctx := userContext("alice")
	if res, err := g.Call(ctx, "pay", map[string]any{"cents": 5}); err != nil || res.Text() != "5" {
		t.Errorf("%v, %v", res, err)
	}
	if _, err := g.Call(ctx, "pay", map[string]any{"cents": "five"}); !errors.Is(err, ErrInvalidArguments) {
		t.Errorf("approved arguments that do not fit: %v", err)
	}
	approve = false
	if _, err := g.Call(ctx, "pay", map[string]any{"cents": 5}); !errors.Is(err, ErrDenied) || ran.Load() != 1 {
		t.Errorf("%v after %d runs", err, ran.Load())
	}
}
