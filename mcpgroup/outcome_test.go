package mcpgroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

// rawGroup starts a raw server and a group of it.
func rawGroup(t testing.TB, raw *mcptest.RawOptions, cfg ServerConfig, opts *Options) (*mcptest.Raw, *mcptest.Host, *MCPFunctionGroup) {
	t.Helper()
	s := mcptest.NewRaw(raw)
	host := s.Start(t)
	cfg.URL = host.URL() + "/mcp"
	return s, host, newGroup(t, cfg, opts)
}

func outcomeOf(t testing.TB, err error) Outcome {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is not an *Error", err)
	}
	return e.Outcome
}

// Whatever a server answers to a session it has forgotten, the caller does not notice and the tool runs once.
func TestLostSessionIsReplacedWhateverTheServerAnswers(t *testing.T) {
	for _, style := range mcptest.LossStyles {
		t.Run(style.String(), func(t *testing.T) {
			s, _, g := rawGroup(t, &mcptest.RawOptions{SessionLoss: style}, ServerConfig{}, nil)
			ctx := userContext("alice")
			for i := range 3 {
				key := fmt.Sprint("k", i)
				res := mustCall(t, g, ctx, "inc", map[string]any{"key": key})
				if want := 1 + min(i, 1); res.Attempts != want {
					t.Errorf("attempts = %d, want %d", res.Attempts, want)
				}
				if n := s.Keys()[key]; n != 1 {
					t.Errorf("%s ran %d times", key, n)
				}
				s.Restart()
			}
			if n := s.Initializes(); n != 3 {
				t.Errorf("%d initializes for 2 restarts, want 3", n)
			}
		})
	}
}

// R7, scenario 46: one reconnect per generation, not per caller.
func TestOneReconnectServesAllCallers(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{}, nil)
	ctx := userContext("alice")
	mustCall(t, g, ctx, "echo", map[string]any{"text": "warm"})
	before := s.Initializes()
	const restarts, callers = 5, 64
	for r := range restarts {
		s.Restart()
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				if _, err := g.Call(ctx, "inc", map[string]any{"key": fmt.Sprint(r, "/", i)}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := s.Initializes() - before; n != restarts {
		t.Errorf("%d reconnects for %d restarts under %d callers", n, restarts, callers)
	}
	for key, n := range s.Keys() {
		if n != 1 {
			t.Errorf("%s ran %d times", key, n)
		}
	}
}

// Scenarios 40 and 134: a server that is away for a moment is waited for; scenario 41: not for ever.
func TestServerThatIsAwayIsWaitedForWithinTheWindow(t *testing.T) {
	s, host, g := rawGroup(t, nil, ServerConfig{ReconnectWindow: 10 * time.Second}, nil)
	ctx := userContext("alice")
	mustCall(t, g, ctx, "echo", map[string]any{"text": "warm"})
	host.Stop()
	s.Restart()
	time.Sleep(50 * time.Millisecond) // a request on a connection that is just being closed would be unknown
	done := make(chan error)
	go func() {
		_, err := g.Call(ctx, "inc", map[string]any{"key": "k"})
		done <- err
	}()
	time.Sleep(300 * time.Millisecond)
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("call across the restart = %v", err)
	}
	if n := s.Keys()["k"]; n != 1 {
		t.Errorf("the tool ran %d times", n)
	}

	s, host, g = rawGroup(t, nil, ServerConfig{ReconnectWindow: 200 * time.Millisecond}, nil)
	mustCall(t, g, ctx, "echo", map[string]any{"text": "warm"})
	host.Stop()
	time.Sleep(50 * time.Millisecond)
	_, err := g.Call(ctx, "inc", map[string]any{"key": "k"})
	if !errors.Is(err, ErrUnavailable) || outcomeOf(t, err) != NotSent {
		t.Errorf("call of a server that is gone = %v, want unavailable and not sent", err)
	}
	if n := s.Keys()["k"]; n != 0 {
		t.Errorf("%d executions", n)
	}
}

func TestServerThatWasNeverThereFailsAtOnce(t *testing.T) {
	s := mcptest.NewRaw(nil)
	host := s.Start(t)
	host.Stop()
	g := newGroup(t, ServerConfig{URL: host.URL() + "/mcp?token=secret", ReconnectWindow: time.Hour}, nil)
	_, err := g.Call(userContext("alice"), "echo", nil)
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("Call = %v", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error %q holds the URL's query", err)
	}
}

// The statuses of a working server's front door, and what they mean for a call that changes something.
func TestStatusDecidesWhetherACallIsRepeated(t *testing.T) {
	for _, tt := range []struct {
		status  int
		header  http.Header
		outcome Outcome // 0: the call succeeds on a later attempt
		is      error
	}{
		{429, http.Header{"Retry-After": {"0"}}, 0, nil},
		{503, http.Header{"Retry-After": {"0"}}, 0, nil},
		{503, nil, Unknown, ErrOutcomeUnknown},
		{500, nil, Unknown, ErrOutcomeUnknown},
		{502, nil, Unknown, ErrOutcomeUnknown},
		{504, nil, Unknown, ErrOutcomeUnknown},
		{408, nil, Unknown, ErrOutcomeUnknown},
		{400, nil, Failed, nil},
		{401, nil, Failed, ErrUnauthorized},
		{403, nil, Failed, ErrUnauthorized},
		{413, nil, Failed, nil},
	} {
		t.Run(fmt.Sprint(tt.status, tt.header), func(t *testing.T) {
			s, _, g := rawGroup(t, nil, ServerConfig{}, nil)
			ctx := userContext("alice")
			mustCall(t, g, ctx, "inc", map[string]any{"key": "warm"})
			before := s.Initializes()
			s.FailNext(tt.status, 1, tt.header, "not now")
			_, err := g.Call(ctx, "inc", map[string]any{"key": "k"})
			ran := s.Keys()["k"]
			if tt.outcome == 0 {
				if err != nil || ran != 1 {
					t.Errorf("Call = %v, ran %d times; want success and once", err, ran)
				}
			} else {
				if got := outcomeOf(t, err); got != tt.outcome || tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("Call = %v, outcome %v, want %v and %v", err, got, tt.outcome, tt.is)
				}
				if ran != 0 {
					t.Errorf("the call was repeated: ran %d times", ran)
				}
			}
			mustCall(t, g, ctx, "inc", map[string]any{"key": "after"})
			if n := s.Initializes() - before; n != 0 {
				t.Errorf("the status cost the session: %d reconnects", n)
			}
		})
	}
}

// cutAfter makes s execute the next n calls of tool and cut the connection instead of answering.
func cutAfter(s *mcptest.Raw, tool string, n int32) {
	var left atomic.Int32
	left.Store(n)
	s.SetIntercept(func(w http.ResponseWriter, r *http.Request, method string, _ json.RawMessage, body []byte) bool {
		if method != "tools/call" || !strings.Contains(string(body), `"`+tool+`"`) || left.Add(-1) < 0 {
			return false
		}
		s.Answer(r, body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
		return true
	})
}

// R6 in small: what ran and was not acknowledged is unknown; only what is safe is repeated.
func TestConnectionCutAfterExecutionIsUnknown(t *testing.T) {
	for _, tt := range []struct {
		tool    string
		trusted bool
		ran     int
		ok      bool
	}{
		{"inc", false, 1, false},
		{"inc", true, 1, false},
		{"idempotent_inc", false, 1, false},
		{"idempotent_inc", true, 2, true},
		{"readonly_inc", true, 2, true},
	} {
		t.Run(fmt.Sprint(tt.tool, " trusted ", tt.trusted), func(t *testing.T) {
			s, _, g := rawGroup(t, nil, ServerConfig{Trusted: tt.trusted}, nil)
			ctx := userContext("alice")
			mustCall(t, g, ctx, "echo", map[string]any{"text": "warm"})
			before := s.Initializes()
			cutAfter(s, tt.tool, 1)
			_, err := g.Call(ctx, tt.tool, map[string]any{"key": "k"})
			if ok := err == nil; ok != tt.ok {
				t.Errorf("Call = %v", err)
			}
			if err != nil && !errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("Call = %v, want outcome unknown", err)
			}
			if n := s.Keys()["k"]; n != tt.ran {
				t.Errorf("ran %d times, want %d", n, tt.ran)
			}
			mustCall(t, g, ctx, "echo", map[string]any{"text": "after"})
			if n := s.Initializes() - before; n != 0 {
				t.Errorf("%d reconnects", n)
			}
		})
	}
}

// Scenarios 44, 134 and D: the deadline reaches the server, and a call that outlives it is not repeated.
func TestDeadlineEndsTheCallAndNothingIsRepeated(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{CallTimeout: time.Minute, Trusted: true}, nil)
	ctx := userContext("alice")
	mustCall(t, g, ctx, "echo", map[string]any{"text": "warm"})
	_, err := g.Call(ctx, "readonly_inc", map[string]any{"key": "k", "delayMs": 5000}, WithTimeout(100*time.Millisecond))
	if !errors.Is(err, context.DeadlineExceeded) || outcomeOf(t, err) != Unknown {
		t.Errorf("Call = %v, want a deadline and unknown outcome", err)
	}
	if n := s.Keys()["k"]; n != 1 {
		t.Errorf("ran %d times", n)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := g.Call(cancelled, "inc", map[string]any{"key": "never"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Call with a cancelled context = %v", err)
	}
	if n := s.Keys()["never"]; n != 0 {
		t.Errorf("a cancelled call ran %d times", n)
	}
}

func TestErrorOfTheServerIsReturnedOnce(t *testing.T) { // scenario E
	s, _, g := rawGroup(t, nil, ServerConfig{Trusted: true}, nil)
	_, err := g.Call(userContext("alice"), "badparams", nil)
	var rpc *RPCError
	if !errors.As(err, &rpc) || rpc.Code != -32602 || outcomeOf(t, err) != Failed {
		t.Errorf("Call = %v", err)
	}
	if n := s.Calls("badparams"); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// Server-defined codes that the SDK takes for a closed connection are what they are: answers.
func TestErrorCodesThatLookLikeAClosedConnectionCostNoExecution(t *testing.T) {
	for _, code := range []int{-32003, -32004} {
		s, _, g := rawGroup(t, nil, ServerConfig{}, nil)
		ctx := userContext("alice")
		mustCall(t, g, ctx, "echo", map[string]any{"text": "warm"})
		var asked atomic.Int32
		s.SetIntercept(func(w http.ResponseWriter, _ *http.Request, method string, id json.RawMessage, _ []byte) bool {
			if method != "tools/call" {
				return false
			}
			asked.Add(1)
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"quota"}}`, id, code)
			return true
		})
		_, err := g.Call(ctx, "inc", map[string]any{"key": "k"})
		if err == nil || asked.Load() != 1 {
			t.Errorf("code %d: Call = %v after %d requests, want an error after one", code, err, asked.Load())
		}
	}
}

// Scenarios 52 and 53: what goes wrong with the credential is told, and costs no reconnect.
func TestFailureToGetACredentialSendsNothing(t *testing.T) {
	var fail atomic.Pointer[error]
	s, _, g := rawGroup(t, nil, ServerConfig{}, &Options{
		Headers: func(_ context.Context, key session.Key) (http.Header, error) {
			if err := fail.Load(); err != nil {
				return nil, *err
			}
			return http.Header{"Authorization": {"Bearer t-" + key.User}}, nil
		},
	})
	ctx := userContext("alice")
	mustCall(t, g, ctx, "inc", map[string]any{"key": "warm"})
	before := s.Initializes()
	own := errors.New("the vault is sealed")
	for _, cause := range []error{own, fmt.Errorf("waiting for the user: %w", context.DeadlineExceeded)} {
		fail.Store(&cause)
		_, err := g.Call(ctx, "inc", map[string]any{"key": "k"})
		var credential *CredentialError
		if !errors.Is(err, cause) || !errors.As(err, &credential) || outcomeOf(t, err) != NotSent {
			t.Errorf("Call = %v, want the callback's error", err)
		}
		if errors.Is(cause, context.DeadlineExceeded) && !strings.Contains(err.Error(), "authentication timed out") {
			t.Errorf("error %q does not say that authentication timed out", err)
		}
	}
	fail.Store(nil)
	mustCall(t, g, ctx, "inc", map[string]any{"key": "after"})
	if n := s.Initializes() - before; n != 0 || s.Keys()["k"] != 0 {
		t.Errorf("%d reconnects, %d executions", n, s.Keys()["k"])
	}
}

// Scenario 50: headers are sent, and every user's are their own.
func TestHeadersOfTheirUserTravelWithEveryCall(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{Headers: map[string]string{"X-Api-Key": "static"}}, &Options{
		Headers: func(_ context.Context, key session.Key) (http.Header, error) {
			return http.Header{"Authorization": {"Bearer t-" + key.User}}, nil
		},
	})
	var wg sync.WaitGroup
	for _, user := range []string{"alice", "bob"} {
		for i := range 20 {
			wg.Go(func() { mustCall(t, g, userContext(user), "inc", map[string]any{"key": fmt.Sprint(user, i)}) })
		}
	}
	wg.Wait()
	for _, e := range s.Journal() {
		var args struct{ Key string }
		if err := json.Unmarshal(e.Args, &args); err != nil {
			t.Fatal(err)
		}
		user := strings.TrimRight(args.Key, "0123456789")
		if e.Authorization != "Bearer t-"+user {
			t.Errorf("%s was called with %q", args.Key, e.Authorization)
		}
	}
}

// Scenario 43: the wait grows to its cap and no further; the jitter is full.
func TestBackoffIsCappedAndJittered(t *testing.T) {
	want := []time.Duration{50, 100, 200, 400, 800, 1600, 2000, 2000}
	for n, ms := range want {
		if got := backoffCeiling(n); got != ms*time.Millisecond {
			t.Errorf("backoffCeiling(%d) = %v, want %v", n, got, ms*time.Millisecond)
		}
	}
	low, high := 0, 0
	for range 1000 {
		switch d := backoff(3); {
		case d < 200*time.Millisecond:
			low++
		case d <= 401*time.Millisecond:
			high++
		default:
			t.Fatalf("backoff(3) = %v", d)
		}
	}
	if low < 400 || high < 400 {
		t.Errorf("%d waits in the lower half, %d in the upper: not full jitter", low, high)
	}
}

func TestRevisionIsRememberedAndForgottenWhenItNoLongerFits(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{}, nil)
	for i := range 3 {
		mustCall(t, g, userContext(fmt.Sprint("u", i)), "echo", map[string]any{"text": "x"})
	}
	if s.Discovers() != 1 || s.Initializes() != 3 {
		t.Errorf("%d discovers and %d initializes, want 1 and 3: later connects know the revision", s.Discovers(), s.Initializes())
	}
	if v := g.Status().ProtocolVersion; v != mcptest.Era2025 {
		t.Errorf("revision %s", v)
	}
}

func TestSharedServesAllUsersOfASessionlessServer(t *testing.T) {
	s, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026}, ServerConfig{Shared: true}, &Options{
		Headers: func(_ context.Context, key session.Key) (http.Header, error) {
			return http.Header{"Authorization": {"Bearer t-" + key.User}}, nil
		},
	})
	for _, user := range []string{"alice", "bob"} {
		if got := mustCall(t, g, userContext(user), "whoami", nil).Text(); !strings.Contains(got, "t-"+user) {
			t.Errorf("whoami as %s = %s", user, got)
		}
	}
	if n := g.Status().Sessions.Sessions; n != 1 {
		t.Errorf("%d sessions, want one for all", n)
	}
	if n := s.Discovers(); n != 1 {
		t.Errorf("%d connects", n)
	}

	_, _, refused := rawGroup(t, nil, ServerConfig{Shared: true}, nil)
	_, err := refused.Call(userContext("alice"), "echo", map[string]any{"text": "x"})
	var config *ConfigError
	if !errors.As(err, &config) || config.Field != "Shared" {
		t.Errorf("Shared on a server with sessions = %v, want a *ConfigError", err)
	}
	_, _, sessionless := rawGroup(t, &mcptest.RawOptions{Sessionless: true}, ServerConfig{Shared: true}, nil)
	mustCall(t, sessionless, userContext("alice"), "echo", map[string]any{"text": "x"})
}

// Lists that a server marks as its user's own are never shown to another, also on a shared client.
func TestPrivateListsAreNotShared(t *testing.T) {
	s, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026, CacheScope: "private", TTLMs: 60_000}, ServerConfig{Shared: true}, nil)
	for _, user := range []string{"alice", "bob", "alice", "bob"} {
		toolNames(t, g, userContext(user))
	}
	if n := s.Lists(); n != 2 {
		t.Errorf("%d fetches, want one for each user", n)
	}
	public, _, g := rawGroup(t, &mcptest.RawOptions{Era: mcptest.Era2026, TTLMs: 60_000}, ServerConfig{Shared: true}, nil)
	for _, user := range []string{"alice", "bob"} {
		toolNames(t, g, userContext(user))
	}
	if n := public.Lists(); n != 1 {
		t.Errorf("%d fetches of a public list, want 1", n)
	}
}

func TestResultKeepsEverythingTheServerSent(t *testing.T) {
	_, _, g := rawGroup(t, nil, ServerConfig{}, nil)
	ctx := userContext("alice")
	res := mustCall(t, g, ctx, "mixed", nil)
	if len(res.Content) != 3 {
		t.Fatalf("content = %v", res.Content)
	}
	if _, ok := res.Content[1].(*mcp.ImageContent); !ok || res.Text() != "mixed" {
		t.Errorf("content = %T, text %q", res.Content[1], res.Text())
	}
	if res := mustCall(t, g, ctx, "structured", nil); res.StructuredContent == nil {
		t.Error("structured content was lost")
	}
	if res := mustCall(t, g, ctx, "fail", nil); !res.IsError || !errors.Is(res.Err(), ErrToolFailed) {
		t.Errorf("isError = %v, Err = %v", res.IsError, res.Err())
	}
}
