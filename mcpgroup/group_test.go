package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

func userContext(user string) context.Context {
	return session.NewContext(context.Background(), session.Key{Tenant: "acme", User: user})
}

// newGroup makes a group that is closed at the end of the test.
func newGroup(t testing.TB, cfg ServerConfig, opts *Options) *MCPFunctionGroup {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "test"
	}
	g, err := New(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return g
}

type textArgs struct {
	Text string `json:"text,omitempty"`
}

// addTool gives s a tool that answers with what fn returns.
func addTool(s *mcp.Server, tool *mcp.Tool, fn func(ctx context.Context, text string) (string, error)) {
	mcp.AddTool(s, tool, func(ctx context.Context, _ *mcp.CallToolRequest, in textArgs) (*mcp.CallToolResult, any, error) {
		out, err := fn(ctx, in.Text)
		if err != nil {
			return nil, nil, err
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: out}}}, nil, nil
	})
}

// newServer makes an in-memory server with the tools ping (answers "pong <text>"), whoami and fail, and one for each
// further name.
func newServer(more ...string) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "inmem", Version: "1"}, nil)
	addTool(s, &mcp.Tool{Name: "ping", Description: "Answers pong."}, func(_ context.Context, text string) (string, error) {
		return "pong " + text, nil
	})
	addTool(s, &mcp.Tool{Name: "whoami", Description: "Says who calls."}, func(ctx context.Context, _ string) (string, error) {
		key, _ := session.FromContext(ctx)
		return key.User, nil
	})
	addTool(s, &mcp.Tool{Name: "fail", Description: "Fails."}, func(context.Context, string) (string, error) {
		return "", errors.New("throw_error: it did not work")
	})
	for _, name := range more {
		addTool(s, &mcp.Tool{Name: name, Description: "The tool " + name + "."}, func(context.Context, string) (string, error) {
			return name, nil
		})
	}
	return s
}

func mustCall(t testing.TB, g *MCPFunctionGroup, ctx context.Context, name string, args any, opts ...CallOption) *Result {
	t.Helper()
	res, err := g.Call(ctx, name, args, opts...)
	if err != nil {
		t.Fatalf("Call(%q) = %v", name, err)
	}
	return res
}

func toolNames(t testing.TB, g *MCPFunctionGroup, ctx context.Context, opts ...ListOption) []string {
	t.Helper()
	tools, err := g.Tools(ctx, opts...)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range tools {
		names = append(names, tool.Name)
	}
	return names
}

// Scenarios 2, 25, 34 to 37: every user has a client, and a call answers on it.
func TestEveryUserHasAClientOfTheirOwn(t *testing.T) {
	g := newGroup(t, ServerConfig{Server: newServer()}, nil)
	for _, user := range []string{"alice", "bob", "alice"} {
		if got := mustCall(t, g, userContext(user), "whoami", nil).Text(); got != user {
			t.Errorf("whoami as %s = %q", user, got)
		}
	}
	s := g.Status()
	if s.Sessions.Sessions != 2 || s.Sessions.Dials != 2 {
		t.Errorf("sessions = %d, dials = %d, want 2 of each", s.Sessions.Sessions, s.Sessions.Dials)
	}
	if got := mustCall(t, g, userContext("alice"), "ping", map[string]any{"text": "x"}).Text(); got != "pong x" {
		t.Errorf("ping = %q", got)
	}
}

// Scenario 1 inverted: there is no base client that a caller without identity could get.
func TestNobodyGetsNobodysSession(t *testing.T) {
	g := newGroup(t, ServerConfig{Server: newServer()}, nil)
	for _, ctx := range []context.Context{context.Background(), userContext(""), userContext("anonymous"), userContext("default")} {
		_, err := g.Call(ctx, "ping", nil)
		var identity *session.IdentityError
		if !errors.As(err, &identity) {
			t.Errorf("Call without an identity = %v, want an *session.IdentityError", err)
		}
	}
	if s := g.Status().Sessions; s.Sessions != 0 {
		t.Errorf("%d sessions were opened for nobody", s.Sessions)
	}
}

func TestFingerprintsSeparateSessions(t *testing.T) {
	type fp struct{}
	g := newGroup(t, ServerConfig{Server: newServer()}, &Options{
		Fingerprint: func(ctx context.Context, _ session.Key) (string, error) { return ctx.Value(fp{}).(string), nil },
	})
	for _, v := range []string{"a", "b", "a"} {
		mustCall(t, g, context.WithValue(userContext("alice"), fp{}, v), "ping", nil)
	}
	if n := g.Status().Sessions.Sessions; n != 2 {
		t.Errorf("sessions = %d, want one per fingerprint", n)
	}
}

// Scenario 5: the limit counts, but only when no session is idle.
func TestLimitEvictsIdleSessionsAndSparesUsedOnes(t *testing.T) {
	s := newServer()
	release := make(chan struct{})
	entered := make(chan struct{}, 10)
	addTool(s, &mcp.Tool{Name: "block"}, func(context.Context, string) (string, error) {
		entered <- struct{}{}
		<-release
		return "", nil
	})
	g := newGroup(t, ServerConfig{Server: s, Sessions: SessionLimits{Max: 5}}, nil)
	for i := range 8 { // idle ones make room
		mustCall(t, g, userContext(fmt.Sprint("u", i)), "ping", nil)
	}
	if n := g.Status().Sessions.Sessions; n != 5 {
		t.Errorf("sessions = %d, want 5", n)
	}
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() { mustCall(t, g, userContext(fmt.Sprint("b", i)), "block", nil) })
		<-entered
	}
	_, err := g.Call(userContext("late"), "ping", nil)
	var limit *session.LimitError
	if !errors.As(err, &limit) || !strings.Contains(err.Error(), "maximum concurrent sessions (5) exceeded") {
		t.Errorf("sixth user = %v, want a *session.LimitError that names the limit", err)
	}
	close(release)
	wg.Wait()
}

// Scenarios 7, 11, 16 and 17.
func TestCleanupSparesSessionsInUse(t *testing.T) {
	s := newServer()
	release, entered := make(chan struct{}), make(chan struct{})
	addTool(s, &mcp.Tool{Name: "block"}, func(context.Context, string) (string, error) {
		close(entered)
		<-release
		return "", nil
	})
	g := newGroup(t, ServerConfig{Server: s}, nil)
	if n := g.CleanupSessions(context.Background(), 0); n != 0 {
		t.Errorf("cleanup of an empty group = %d", n)
	}
	mustCall(t, g, userContext("idle"), "ping", nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		mustCall(t, g, userContext("busy"), "block", nil)
	}()
	<-entered
	if n := g.CleanupSessions(context.Background(), time.Hour); n != 0 {
		t.Errorf("cleanup of sessions idle for an hour = %d, want 0", n)
	}
	if n := g.CleanupSessions(context.Background(), 0); n != 1 {
		t.Errorf("cleanup = %d, want the idle session only", n)
	}
	close(release)
	<-done
}

// Scenario 38: the session is leased while the call runs.
func TestSessionIsLeasedDuringACall(t *testing.T) {
	s := newServer()
	var g *MCPFunctionGroup
	addTool(s, &mcp.Tool{Name: "look"}, func(context.Context, string) (string, error) {
		return fmt.Sprint(g.Status().Sessions.Leased), nil
	})
	g = newGroup(t, ServerConfig{Server: s}, nil)
	if got := mustCall(t, g, userContext("alice"), "look", nil).Text(); got != "1" {
		t.Errorf("leased during the call = %s, want 1", got)
	}
	if n := g.Status().Sessions.Leased; n != 0 {
		t.Errorf("leased after the call = %d, want 0", n)
	}
}

func TestFailureOfAToolIsAResult(t *testing.T) { // scenario 55
	g := newGroup(t, ServerConfig{Server: newServer()}, nil)
	res := mustCall(t, g, userContext("alice"), "fail", nil)
	if !res.IsError || !errors.Is(res.Err(), ErrToolFailed) || !strings.Contains(res.Err().Error(), "throw_error") {
		t.Errorf("result = %+v, Err = %v", res, res.Err())
	}
}

func TestUnknownToolIsNotFound(t *testing.T) { // scenarios 32 and 49
	g := newGroup(t, ServerConfig{Server: newServer()}, nil)
	_, err := g.Call(userContext("alice"), "nope", nil)
	var e *Error
	if !errors.Is(err, ErrToolNotFound) || !errors.As(err, &e) || e.Outcome != NotSent || e.Tool != "nope" || e.Server != "test" {
		t.Errorf("Call(nope) = %v", err)
	}
}

func TestToolWithoutGroupPanics(t *testing.T) { // scenario 49: a programmer's error
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	(&Tool{Name: "x"}).Call(context.Background(), nil)
}

func TestArgumentsAreCheckedBeforeAnythingIsSent(t *testing.T) {
	s := mcp.NewServer(&mcp.Implementation{Name: "s"}, nil)
	var ran atomic.Int32
	s.AddTool(&mcp.Tool{Name: "order", InputSchema: map[string]any{
		"type": "object", "required": []any{"item"},
		"properties": map[string]any{
			"item":  map[string]any{"type": "string"},
			"count": map[string]any{"type": "integer", "minimum": 1},
			"note":  map[string]any{"type": "string"},
		},
	}}, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		ran.Add(1)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(req.Params.Arguments)}}}, nil
	})
	g := newGroup(t, ServerConfig{Server: s}, nil)
	ctx := userContext("alice")
	_, err := g.Call(ctx, "order", map[string]any{"item": "tea", "count": 0})
	var bad *ArgumentsError
	if !errors.As(err, &bad) || !errors.Is(err, ErrInvalidArguments) || bad.Violations[0].Path != "/count" {
		t.Errorf("count 0 = %v, want a violation at /count", err)
	}
	if _, err := g.Call(ctx, "order", nil); !errors.Is(err, ErrInvalidArguments) || !strings.Contains(err.Error(), "item") {
		t.Errorf("missing item = %v", err)
	}
	if _, err := g.Call(ctx, "order", `["not", "an object"]`); !errors.Is(err, ErrInvalidArguments) {
		t.Errorf("array = %v", err)
	}
	if n := ran.Load(); n != 0 {
		t.Errorf("the tool ran %d times on bad arguments", n)
	}
	// A null for an optional field is dropped, and the caller's map stays as it was.
	args := map[string]any{"item": "tea", "note": nil}
	if got := mustCall(t, g, ctx, "order", args).Text(); got != `{"item":"tea"}` {
		t.Errorf("arguments on the wire = %s", got)
	}
	if !maps.Equal(args, map[string]any{"item": "tea", "note": nil}) {
		t.Errorf("the caller's arguments were changed: %v", args)
	}
}

// Scenarios 26, 28, 29, 31.
func TestOverridesAndFiltersShapeTheList(t *testing.T) {
	server := newServer("read_a", "read_b", "write_a")
	for _, tt := range []struct {
		name string
		cfg  ServerConfig
		want []string
	}{
		{"everything without an include", ServerConfig{}, []string{"fail", "ping", "read_a", "read_b", "whoami", "write_a"}},
		{"alias", ServerConfig{Include: []string{"ping"}, Overrides: map[string]Override{"ping": {Alias: "are_you_there"}}}, []string{"are_you_there"}},
		{"include", ServerConfig{Include: []string{"ping", "read_*"}}, []string{"ping", "read_a", "read_b"}},
		{"exclude", ServerConfig{Exclude: []string{"*_a", "fail"}}, []string{"ping", "read_b", "whoami"}},
		{"prefix", ServerConfig{Include: []string{"ping"}, Names: NamePolicy{Prefix: "inmem__"}}, []string{"inmem__ping"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := tt.cfg
			cfg.Server = server
			if got := toolNames(t, newGroup(t, cfg, nil), userContext("alice")); !slices.Equal(got, tt.want) {
				t.Errorf("tools = %v, want %v", got, tt.want)
			}
		})
	}

	g := newGroup(t, ServerConfig{Server: server, Include: []string{"ping"},
		Overrides: map[string]Override{"ping": {Alias: "probe", Description: "Is anybody there?"}}}, nil)
	tools, err := g.Tools(userContext("alice"))
	if err != nil {
		t.Fatal(err)
	}
	if tools[0].Description != "Is anybody there?" || tools[0].OriginalName != "ping" {
		t.Errorf("tool = %+v", tools[0])
	}
	if got := mustCall(t, g, userContext("alice"), "probe", nil).Text(); got != "pong " {
		t.Errorf("call by alias = %q", got)
	}
	for _, hidden := range []string{"ping", "whoami"} {
		if _, err := g.Call(userContext("alice"), hidden, nil); !errors.Is(err, ErrToolNotFound) {
			t.Errorf("Call(%s) = %v, want not found", hidden, err)
		}
	}
}

// Scenarios 65, 70, 71 and 74: what is wrong with names in a config is said, not ignored.
func TestNamesThatFitNothingAreReported(t *testing.T) {
	for _, cfg := range []ServerConfig{
		{Include: []string{"a"}, Exclude: []string{"b"}},
		{Include: []string{"a", "a"}},
		{Exclude: []string{"[a"}},
		{Name: "no spaces please"},
	} {
		if cfg.Name == "" {
			cfg.Name = "s"
		}
		cfg.Server = newServer()
		_, err := New(cfg, nil)
		var c *ConfigError
		if !errors.As(err, &c) {
			t.Errorf("New(%+v) = %v, want a *ConfigError", cfg, err)
		}
	}
	g := newGroup(t, ServerConfig{Server: newServer(), Include: []string{"ping", "func2", "func1"},
		Overrides: map[string]Override{"gone": {Alias: "x"}}}, nil)
	toolNames(t, g, userContext("alice"))
	problems := fmt.Sprint(g.Status().Problems)
	for _, want := range []string{"func1", "func2", "gone"} {
		if !strings.Contains(problems, want) {
			t.Errorf("problems %s do not name %s", problems, want)
		}
	}
}

// Scenarios 67, 68 and 73.
func TestFilterNarrowsByContext(t *testing.T) {
	only := func(names ...string) func(context.Context, []*Tool) []*Tool {
		return func(_ context.Context, tools []*Tool) []*Tool {
			return slices.DeleteFunc(tools, func(t *Tool) bool { return !slices.Contains(names, t.OriginalName) })
		}
	}
	g := newGroup(t, ServerConfig{Server: newServer("a", "b"), Exclude: []string{"b"}}, &Options{
		Filter: func(ctx context.Context, tools []*Tool) []*Tool {
			if key, _ := session.FromContext(ctx); key.User == "admin" {
				return tools
			}
			return only("ping", "b")(ctx, tools)
		},
	})
	if got := toolNames(t, g, userContext("alice")); !slices.Equal(got, []string{"ping"}) {
		t.Errorf("alice sees %v", got)
	}
	if got := toolNames(t, g, userContext("admin")); !slices.Equal(got, []string{"a", "fail", "ping", "whoami"}) {
		t.Errorf("admin sees %v", got)
	}
	if got := toolNames(t, g, userContext("alice"), WithFilter(only("whoami", "b"))); !slices.Equal(got, []string{"whoami"}) {
		t.Errorf("a filter of the listing gives %v, want it in place of the group's, after exclude", got)
	}
	if _, err := g.Call(userContext("alice"), "a", nil); !errors.Is(err, ErrToolNotFound) {
		t.Errorf("alice calls a = %v, want not found", err)
	}
	tools, err := g.Tools(userContext("admin"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tools[0].Call(userContext("alice"), nil); !errors.Is(err, ErrToolNotFound) {
		t.Errorf("alice calls admin's tool = %v, want not found", err)
	}
}

// Scenarios 10 and 50.
func TestConfigOfTheWrongTransportIsRefused(t *testing.T) {
	for _, tt := range []struct {
		cfg   ServerConfig
		opts  Options
		field string
	}{
		{ServerConfig{}, Options{}, "Command, URL, Server"},
		{ServerConfig{Command: "x", URL: "http://h/"}, Options{}, "Command, URL, Server"},
		{ServerConfig{Command: "x", Transport: "carrier-pigeon"}, Options{}, "Transport"},
		{ServerConfig{Command: "x", Transport: TransportSSE}, Options{}, "Transport"},
		{ServerConfig{Command: "x", Headers: map[string]string{"X-Key": "1"}}, Options{}, "Headers"},
		{ServerConfig{URL: "http://h/", Args: []string{"x"}}, Options{}, "Args, Env, Dir"},
		{ServerConfig{URL: "ftp://h/"}, Options{}, "URL"},
		{ServerConfig{URL: "http://user:pw@h/"}, Options{}, "URL"},
		{ServerConfig{URL: "http://h/", ProtocolVersion: "1999-01-01"}, Options{}, "ProtocolVersion"},
		{ServerConfig{URL: "http://h/", DialTimeout: -1}, Options{}, "MaxResponseBytes, DialTimeout"},
		{ServerConfig{URL: "http://h/", Sessions: SessionLimits{MaxLifetime: -1}}, Options{}, "Sessions"},
	} {
		tt.cfg.Name = "s"
		_, err := New(tt.cfg, &tt.opts)
		var c *ConfigError
		if !errors.As(err, &c) || c.Field != tt.field {
			t.Errorf("New(%+v) = %v, want a *ConfigError of %s", tt.cfg, err, tt.field)
		}
		if err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("error %q holds the password", err)
		}
	}
}

func TestMiddlewareWrapsEveryCall(t *testing.T) {
	var order []string
	wrap := func(name string) func(CallFunc) CallFunc {
		return func(next CallFunc) CallFunc {
			return func(ctx context.Context, req *CallRequest) (*Result, error) {
				order = append(order, name+" "+req.Tool.Name+" as "+req.Key.User)
				if req.Tool.Name == "whoami" {
					return &Result{CallToolResult: &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "nobody"}}}}, nil
				}
				req.Args = map[string]any{"text": "changed"}
				return next(ctx, req)
			}
		}
	}
	g := newGroup(t, ServerConfig{Server: newServer()}, &Options{Middleware: []func(CallFunc) CallFunc{wrap("outer"), wrap("inner")}})
	if got := mustCall(t, g, userContext("alice"), "ping", nil).Text(); got != "pong changed" {
		t.Errorf("ping = %q", got)
	}
	if got := mustCall(t, g, userContext("alice"), "whoami", nil).Text(); got != "nobody" {
		t.Errorf("whoami = %q", got)
	}
	want := []string{"outer ping as alice", "inner ping as alice", "outer whoami as alice"}
	if !slices.Equal(order, want) {
		t.Errorf("order = %v, want %v", order, want)
	}
}

func TestWithSessionGivesTheUsersRawSession(t *testing.T) {
	g := newGroup(t, ServerConfig{Server: newServer()}, nil)
	err := g.WithSession(userContext("alice"), func(cs *mcp.ClientSession) error {
		if n := g.Status().Sessions.Leased; n != 1 {
			t.Errorf("leased = %d, want 1", n)
		}
		res, err := cs.CallTool(context.Background(), &mcp.CallToolParams{Name: "whoami"})
		if err == nil && res.Content[0].(*mcp.TextContent).Text != "alice" {
			t.Errorf("whoami = %v", res.Content[0])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	own := errors.New("mine")
	if err := g.WithSession(userContext("alice"), func(*mcp.ClientSession) error { return own }); err != own {
		t.Errorf("error of fn = %v, want it unchanged", err)
	}
}

func nopSession(*mcp.ClientSession) error { return nil }

// deafTool is a tool that nobody could list, on a server that answers nothing.
func deafTool(g *MCPFunctionGroup) *Tool {
	l := g.build(&rawList{tools: []*mcp.Tool{{Name: "echo", InputSchema: map[string]any{"type": "object"}}}})
	return l.tools[0]
}

func TestCloseEndsTheWaitForARateLimit(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{}, nil)
	ctx := userContext("alice")
	mustCall(t, g, ctx, "echo", map[string]any{"text": "x"})
	s.FailNext(429, 100, http.Header{"Retry-After": {"6"}}, "")
	done := make(chan error, 1)
	go func() { _, err := g.Call(ctx, "echo", map[string]any{"text": "x"}); done <- err }()
	eventually(t, func() bool { return s.Calls("echo") > 1 })
	g.Close()
	select {
	case err := <-done:
		if !errors.Is(err, ErrClosed) {
			t.Errorf("Call = %v, want that the group is closed", err)
		}
	case <-time.After(5 * time.Second): // the server asked for 6
		t.Error("the call still waits after Close")
	}
}

func TestWithSessionTellsItsOwnErrors(t *testing.T) {
	g := newGroup(t, ServerConfig{Server: newServer()}, nil)
	err := g.WithSession(context.Background(), func(*mcp.ClientSession) error { return nil })
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("%v is no *Error", err)
	}
}

func TestTwoSpellingsOfAHeaderAreRefused(t *testing.T) {
	_, err := New(ServerConfig{Name: "x", URL: "http://127.0.0.1:1/", Headers: map[string]string{"Authorization": "Bearer a", "authorization": "Bearer b"}}, nil)
	if err == nil {
		t.Error("two spellings accepted")
	}
}

func TestMiddlewareMayCallTwiceAtOnce(t *testing.T) {
	g := newGroup(t, ServerConfig{Server: newServer()}, &Options{Middleware: []func(CallFunc) CallFunc{func(next CallFunc) CallFunc {
		return func(ctx context.Context, req *CallRequest) (*Result, error) {
			var wg sync.WaitGroup
			var res *Result
			var err error
			wg.Go(func() { next(ctx, req) })
			wg.Go(func() { res, err = next(ctx, req) })
			wg.Wait()
			return res, err
		}
	}}})
	mustCall(t, g, userContext("alice"), "ping", map[string]any{"text": "a"})
}
