package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

// long makes the short variants of the reliability tests long.
var long = os.Getenv("MCPFLEET_LONG") != ""

// S5 and S12: every attack ends in an error or a right answer, within its deadline and a bounded heap; other sessions,
// and this one afterwards, work.
func TestAttacksEndBoundedAndHarmNobodyElse(t *testing.T) {
	const limit = 4 << 20
	size := 24 << 20
	if long {
		size = 256 << 20
	}
	foreign := httptest.NewServer(mcptest.NewRaw(nil))
	t.Cleanup(foreign.Close)
	for _, attack := range mcptest.Attacks(size, foreign.URL) {
		t.Run(attack.Name, func(t *testing.T) {
			s := mcptest.NewHostile(nil, attack.Fault)
			host := s.Start(t)
			g := newGroup(t, ServerConfig{URL: host.URL() + "/mcp", ReconnectWindow: -1, MaxResponseBytes: limit,
				Overrides: map[string]Override{mcptest.AttackTool: {Alias: "attacked"}}}, nil)
			s.SetIntercept(nil)
			mustCall(t, g, userContext("bystander"), "echo", map[string]any{"text": "x"})
			mustCall(t, g, userContext("victim"), "echo", map[string]any{"text": "x"})
			s.Inject(attack.Fault)

			heap := mcptest.HeapInUse()
			var peak uint64
			stop, sampled := make(chan struct{}), make(chan struct{})
			go func() { // the client's share cannot be told from the server's here: the figure is for both
				defer close(sampled)
				for {
					select {
					case <-stop:
						return
					case <-time.After(5 * time.Millisecond):
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						peak = max(peak, m.HeapInuse)
					}
				}
			}()
			deadline := time.Now().Add(2 * time.Second)
			ctx, cancel := context.WithDeadline(userContext("victim"), deadline)
			defer cancel()
			_, err := g.Call(ctx, "attacked", map[string]any{"key": "k"})
			mustCall(t, g, userContext("bystander"), "echo", map[string]any{"text": "x"})
			if _, listErr := g.Tools(ctx, WithRefresh()); listErr != nil {
				t.Logf("list: %v", listErr)
			}
			close(stop)
			<-sampled
			var typed *Error
			if err != nil && !errors.As(err, &typed) {
				t.Errorf("Call = %v, want an *Error", err)
			}
			if err != nil && len(err.Error()) > 4096 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			t.Logf("error: %v; heap grew by %d KiB", err, (int64(peak)-int64(heap))>>10)
			if n := s.Keys()["k"]; n > 1 {
				t.Errorf("the tool ran %d times", n)
			}
			s.SetIntercept(nil)
			toolNames(t, g, userContext("victim"), WithRefresh())
			mustCall(t, g, userContext("victim"), "echo", map[string]any{"text": "x"})
		})
	}
}

func TestOversizedResultIsATypedError(t *testing.T) {
	for name, fault := range map[string]mcptest.Fault{
		"JSON":  mcptest.BigResult(8 << 20),
		"gzip":  mcptest.GzipBomb(64 << 20),
		"event": mcptest.BigEvent(8 << 20),
	} {
		t.Run(name, func(t *testing.T) {
			s, _, g := rawGroup(t, nil, ServerConfig{}, nil)
			ctx := userContext("alice")
			mustCall(t, g, ctx, "echo", map[string]any{"text": "x"})
			s.Inject(mcptest.OnTool("inc", fault))
			_, err := g.Call(ctx, "inc", map[string]any{"key": "k"})
			if !errors.Is(err, ErrResultTooLarge) || outcomeOf(t, err) != Unknown {
				t.Errorf("Call = %v, want too large", err)
			}
		})
	}
}

// S12: endless streams after the answer leave nothing behind.
func TestStreamsThatNeverEndLeaveNoGoroutines(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{}, nil)
	ctx := userContext("alice")
	mustCall(t, g, ctx, "echo", map[string]any{"text": "x"})
	s.Inject(mcptest.OnTool("echo", mcptest.EndlessPings(10*time.Millisecond)))
	mustCall(t, g, ctx, "echo", map[string]any{"text": "x"})
	calls := 100
	if long {
		calls = 1000
	}
	before := mcptest.Goroutines()
	for range calls {
		mustCall(t, g, ctx, "echo", map[string]any{"text": "x"})
	}
	eventually(t, func() bool { return mcptest.Goroutines() <= before+10 })
}

// S11 over the wire.
func TestEndlessAndCyclicListsEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		fault mcptest.Fault
		want  error
		lists int
	}{
		"endless": {mcptest.EndlessCursor(), errTooManyPages, maxPages},
		"cyclic":  {mcptest.CyclicCursor(3), errCursorCycle, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, g := rawGroup(t, nil, ServerConfig{}, nil)
			s.Inject(mcptest.OnMethod("tools/list", tt.fault))
			tools, err := g.Tools(userContext("alice"))
			if err != nil || len(tools) == 0 {
				t.Fatalf("Tools() = %d tools, %v", len(tools), err)
			}
			if p := fmt.Sprint(g.Status().Problems); !strings.Contains(p, tt.want.Error()) {
				t.Errorf("problems %s do not say that %v", p, tt.want)
			}
			if n := s.Lists(); n > tt.lists+1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestHostileNamesAreRepairedOrLeftOut(t *testing.T) {
	_, _, g := rawGroup(t, &mcptest.RawOptions{Tools: mcptest.HostileTools()}, ServerConfig{}, nil)
	tools, err := g.Tools(userContext("alice"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, tool := range tools {
		if !validServerName(tool.Name) || seen[strings.ToLower(tool.Name)] {
			t.Errorf("name %q reached the agent", tool.Name)
		}
		seen[strings.ToLower(tool.Name)] = true
	}
	if len(g.Status().Problems) == 0 {
		t.Error("nothing was reported")
	}
}

// R7: the other servers of a process do not feel one server's restarts.
func TestRestartsOfOneServerLeaveOthersAlone(t *testing.T) {
	a, _, bad := rawGroup(t, nil, ServerConfig{Name: "a"}, nil)
	b, _, good := rawGroup(t, nil, ServerConfig{Name: "b"}, nil)
	ctx := userContext("alice")
	mustCall(t, good, ctx, "echo", map[string]any{"text": "x"})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				a.Restart()
				if _, err := bad.Call(ctx, "echo", map[string]any{"text": "x"}); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for range 200 {
		mustCall(t, good, ctx, "echo", map[string]any{"text": "x"})
	}
	close(stop)
	<-done
	if n := b.Initializes(); n != 1 {
		t.Errorf("the other server saw %d initializes", n)
	}
}

func TestCloseEndsCallsAndRefusesNewOnes(t *testing.T) { // R9
	s, _, g := rawGroup(t, nil, ServerConfig{}, nil)
	ctx := userContext("alice")
	mustCall(t, g, ctx, "echo", map[string]any{"text": "x"})
	errs := make(chan error, 64)
	for i := range cap(errs) {
		go func() {
			_, err := g.Call(ctx, "inc", map[string]any{"key": fmt.Sprint(i), "delayMs": 60_000})
			errs <- err
		}()
	}
	eventually(t, func() bool { return len(s.Keys()) == cap(errs) })
	if err := g.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, ErrClosed) {
			t.Errorf("call during Close = %v", err)
		}
	}
	if _, err := g.Call(ctx, "inc", map[string]any{"key": "late"}); !errors.Is(err, ErrClosed) {
		t.Errorf("call after Close = %v", err)
	}
	if s.Keys()["late"] != 0 || s.OpenSessions() != 0 {
		t.Errorf("late ran %d times, %d sessions open", s.Keys()["late"], s.OpenSessions())
	}
	if err := g.Close(); err != nil {
		t.Errorf("second Close() = %v", err)
	}
}

func TestRefreshOverHTTPFollowsNotifications(t *testing.T) {
	for _, era := range []string{mcptest.Era2025, mcptest.Era2026} {
		t.Run(era, func(t *testing.T) {
			s, _, g := rawGroup(t, &mcptest.RawOptions{Era: era, TTLMs: 3_600_000}, ServerConfig{Notifications: true}, nil)
			ctx := userContext("alice")
			before := len(toolNames(t, g, ctx))
			eventually(t, func() bool { return s.Streams() > 0 })
			s.SetTools(append(mcptest.BasicTools(), mcptest.ManyTools(1, 1)...)...)
			s.ListChanged()
			eventually(t, func() bool { return len(toolNames(t, g, ctx)) == before+1 })
		})
	}
}

// A parameter that travels as a header too does so on every session, also on one that never listed the tools.
func TestHeaderParametersTravelOnEverySession(t *testing.T) {
	tool := mcptest.RawTool{
		Def: map[string]any{"name": "routed", "inputSchema": map[string]any{"type": "object", "properties": map[string]any{
			"region": map[string]any{"type": "string", "x-mcp-header": "Region"}}}},
		Run: func(_ context.Context, c mcptest.RawCall) (map[string]any, *mcptest.RawError) {
			return mcptest.Text(c.Header.Get("Mcp-Param-Region")), nil
		},
	}
	_, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026, Tools: []mcptest.RawTool{tool}}, ServerConfig{}, nil)
	for _, user := range []string{"alice", "bob"} {
		for range 2 {
			if got := mustCall(t, g, userContext(user), "routed", map[string]any{"region": "eu-" + user}).Text(); got != "eu-"+user {
				t.Errorf("header of %s = %q", user, got)
			}
		}
		g.CleanupSessions(context.Background(), 0)
	}
}

func TestNamesStayInOrderWhateverTheServerSends(t *testing.T) {
	tools := mcptest.ManyTools(50, 1)
	_, _, g := rawGroup(t, &mcptest.RawOptions{Tools: tools}, ServerConfig{}, nil)
	slices.Reverse(tools)
	_, _, r := rawGroup(t, &mcptest.RawOptions{Tools: tools}, ServerConfig{}, nil)
	a, b := toolNames(t, g, userContext("alice")), toolNames(t, r, userContext("alice"))
	if !slices.IsSorted(a) || !slices.Equal(a, b) {
		t.Error("the order depends on the server")
	}
}
