package langchaingo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tmc/langchaingo/tools"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

func TestNamesThatTheExecutorCannotTellApartAreRefused(t *testing.T) {
	tool := func(server, name string) *mcpgroup.Tool { return &mcpgroup.Tool{Server: server, Name: name} }
	for _, tt := range []struct {
		name  string
		tools []*mcpgroup.Tool
		want  []string // parts of the error; none means no error
		llm   bool     // LLMTools refuses it too
	}{
		{"fine", []*mcpgroup.Tool{tool("a", "get_user"), tool("b", "getUser")}, nil, false},
		{"none", nil, nil, false},
		{"case", []*mcpgroup.Tool{tool("a", "getUser"), tool("b", "getuser")}, []string{`"getUser"`, `"getuser"`, `"a"`, `"b"`, "case", "Overrides"}, false},
		{"case beyond ASCII", []*mcpgroup.Tool{tool("a", "straße"), tool("b", "STRAßE")}, []string{"case"}, false},
		{"twice", []*mcpgroup.Tool{tool("a", "get"), tool("b", "get")}, []string{`"get"`, `"a"`, `"b"`}, true},
		{"nil", []*mcpgroup.Tool{tool("a", "get"), nil}, []string{"tool 1 of 2 is nil"}, true},
		{"empty", []*mcpgroup.Tool{tool("a", "")}, []string{`""`}, true},
		{"blank", []*mcpgroup.Tool{tool("a", "get user")}, []string{`"get user"`}, true},
		{"line break", []*mcpgroup.Tool{tool("a", "get\nuser")}, []string{`"get\nuser"`}, true},
		{"not UTF-8", []*mcpgroup.Tool{tool("a", "get\xff")}, []string{`"get\xff"`}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Tools(tt.tools, nil)
			if (err != nil) != (tt.want != nil) {
				t.Fatalf("Tools: %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) || !strings.HasPrefix(err.Error(), "langchaingo: ") {
					t.Errorf("%q does not name %s", err, part)
				}
			}
			if _, err := LLMTools(tt.tools, nil); (err != nil) != tt.llm {
				t.Errorf("LLMTools: %v", err)
			}
		})
	}
}

func TestDescriptionTellsTextAgentsTheArguments(t *testing.T) {
	ctx, ts := newTools(t, nil, addTool, whoTool)
	_ = ctx
	lc, err := Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `Does add.
The input is a JSON object: {"properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"],"type":"object"}`
	if got := lc[0].Description(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := lc[1].Description(); got != "Does whoami." {
		t.Errorf("a tool without arguments describes itself as %q", got)
	}
}

func TestDescriptionKeepsTheLimitAndTheArguments(t *testing.T) {
	tool := &mcpgroup.Tool{Name: "t", Description: strings.Repeat("long ", 400), InputSchema: schemaOf(t, mainOfTwo)}
	for _, limit := range []int{0, 1024, 200, -1} {
		lc, err := Tools([]*mcpgroup.Tool{tool}, &Options{MaxDescriptionBytes: limit})
		if err != nil {
			t.Fatal(err)
		}
		got := lc[0].Description()
		switch {
		case limit == 0 && len(got) > 1024, limit > 0 && len(got) > limit:
			t.Errorf("limit %d: %d bytes", limit, len(got))
		case limit < 0 && !strings.HasPrefix(got, tool.Description):
			t.Errorf("without a limit the description is cut: %q", got)
		case !strings.Contains(got, `"query"`) || !strings.Contains(got, `"limit"`):
			t.Errorf("limit %d: the arguments are missing in %q", limit, got)
		}
	}
	var losses []string
	defs, err := LLMTools([]*mcpgroup.Tool{tool}, &Options{OnLoss: func(_ *mcpgroup.Tool, l []string) { losses = l }})
	if err != nil {
		t.Fatal(err)
	}
	if got := defs[0].Function.Description; len(got) != 1024 {
		t.Errorf("definition with a description of %d bytes", len(got))
	}
	if len(losses) != 1 || !strings.HasPrefix(losses[0], "description: ") {
		t.Errorf("losses %q", losses)
	}
}

func TestCallPassesWhatTheAgentMeantToTheServer(t *testing.T) {
	ctx, ts := newTools(t, nil, addTool, sayTool, whoTool)
	lc, err := Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]tools.Tool{}
	for _, tool := range lc {
		byName[tool.Name()] = tool
	}
	for _, tt := range []struct{ tool, input, want string }{
		{"add", `{"a":1,"b":2}`, "3"},
		{"add", `{"__arg1":"{\"a\":1,\"b\":2}"}`, "3"},
		{"add", "```json\n{\"a\":1,\"b\":2}\n```\nObservation: 4", "3"},
		{"say", `hello there`, "alice says hello there"},
		{"say", `{"__arg1":"hello"}`, "alice says hello"},
		{"whoami", "", "you are alice"},
		{"whoami", "null", "you are alice"},
		{"whoami", "None", "you are alice"},
	} {
		got, err := byName[tt.tool].Call(ctx, tt.input)
		if err != nil || got != tt.want {
			t.Errorf("%s(%s) = %q, %v; want %q", tt.tool, tt.input, got, err, tt.want)
		}
	}
}

func TestArgumentsThatDoNotFitAreAnAnswerThatNamesThem(t *testing.T) {
	ctx, ts := newTools(t, nil, addTool)
	lc, err := Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	for input, names := range map[string][]string{
		`{"a":1}`:              {`"b"`, "integer"},
		`{"a":1,"b":"secret"}`: {"b", "integer"},
		`one and two`:          {`"a": integer`, `"b": integer`},
		`{"a":1,`:              {"cut off", `"a": integer`},
	} {
		got, err := lc[0].Call(ctx, input)
		if err != nil || !strings.HasPrefix(got, "Error: the arguments do not fit tool \"add\"") || strings.Contains(got, "secret") {
			t.Errorf("%s: %q, %v", input, got, err)
		}
		for _, name := range names {
			if !strings.Contains(got, name) {
				t.Errorf("%s: %q does not name %s", input, got, name)
			}
		}
	}
}

// Whatever an error says stays in this process; what a model may know of it is told in words of ours.
func TestFailureIsAnAnswerWithoutSecrets(t *testing.T) {
	const secret = "hunter2-token"
	failed := func(outcome mcpgroup.Outcome, err error) error {
		return fmt.Errorf("outer %s: %w", secret, &mcpgroup.Error{Op: "call", Server: "srv", Tool: "say", Outcome: outcome, Err: err})
	}
	cause := errors.New("GET https://u:" + secret + "@h/?key=" + secret)
	for _, tt := range []struct {
		name string
		err  error
		want []string
	}{
		{"not found", failed(mcpgroup.NotSent, mcpgroup.ErrToolNotFound), []string{`no tool "say"`}},
		{"closed", failed(mcpgroup.NotSent, mcpgroup.ErrClosed), []string{`no tool "say"`}},
		{"unknown outcome", failed(mcpgroup.Unknown, cause), []string{"may have run", "do not repeat", "check"}},
		{"too late", failed(mcpgroup.Unknown, context.DeadlineExceeded), []string{"in time", "may have run", "do not repeat"}},
		{"too late to be sent", failed(mcpgroup.NotSent, context.DeadlineExceeded), []string{"in time", "Nothing was run"}},
		{"too large", failed(mcpgroup.Unknown, fmt.Errorf("%w: %w", mcpgroup.ErrResultTooLarge, cause)), []string{"too large", "may have run"}},
		{"unavailable", failed(mcpgroup.NotSent, &mcpgroup.UnavailableError{Err: cause, Stderr: secret}), []string{`server "srv" cannot be reached`, "Nothing was run"}},
		{"unauthorized", failed(mcpgroup.Failed, fmt.Errorf("%w: %w", mcpgroup.ErrUnauthorized, cause)), []string{"does not allow", "sign in"}},
		{"rate limited", failed(mcpgroup.NotSent, fmt.Errorf("%w: %w", mcpgroup.ErrRateLimited, cause)), []string{"no more calls", "wait"}},
		{"refused by the server", failed(mcpgroup.Failed, &mcpgroup.RPCError{Code: -32000, Message: "quota used up"}), []string{"quota used up", "-32000"}},
		{"no identity", failed(mcpgroup.NotSent, cause), []string{"could not be called", "Nothing was run"}},
		{"failed", failed(mcpgroup.Failed, cause), []string{"failed at server"}},
		{"a middleware's own error", cause, []string{"the application did not let"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen error
			ctx, ts := newTools(t, answerWith(func(context.Context, *mcpgroup.CallRequest) (*mcpgroup.Result, error) { return nil, tt.err }), sayTool)
			lc, err := Tools(ts, &Options{OnResult: func(_ context.Context, _ *mcpgroup.Tool, _ *mcpgroup.Result, err error) { seen = err }})
			if err != nil {
				t.Fatal(err)
			}
			got, err := lc[0].Call(ctx, "hello")
			if err != nil || !strings.HasPrefix(got, "Error: ") {
				t.Fatalf("Call = %q, %v", got, err)
			}
			if strings.Contains(got, secret) {
				t.Errorf("the model is told the secret: %q", got)
			}
			for _, part := range append(tt.want, "say") {
				if !strings.Contains(got, part) {
					t.Errorf("%q lacks %q", got, part)
				}
			}
			if !errors.Is(seen, tt.err) {
				t.Errorf("OnResult got %v", seen)
			}
		})
	}
}

func TestToolThatReportsAFailureIsAnAnswer(t *testing.T) {
	ctx, ts := newTools(t, nil, failTool)
	lc, err := Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := lc[0].Call(ctx, ""); err != nil || got != "Error: the disk is full" {
		t.Errorf("Call = %q, %v", got, err)
	}
}

func TestPanicInAMiddlewareIsAnAnswer(t *testing.T) {
	var seen error
	ctx, ts := newTools(t, answerWith(func(context.Context, *mcpgroup.CallRequest) (*mcpgroup.Result, error) { panic("hunter2") }), sayTool)
	lc, err := Tools(ts, &Options{OnResult: func(_ context.Context, _ *mcpgroup.Tool, _ *mcpgroup.Result, err error) { seen = err }})
	if err != nil {
		t.Fatal(err)
	}
	got, err := lc[0].Call(ctx, "hello")
	if err != nil || !strings.HasPrefix(got, "Error: ") || !strings.Contains(got, "may have run") || strings.Contains(got, "hunter2") {
		t.Errorf("Call = %q, %v", got, err)
	}
	var p *session.PanicError
	if !errors.As(seen, &p) || p.Value != "hunter2" || len(p.Stack) == 0 {
		t.Errorf("OnResult got %v", seen)
	}
}

func TestMiddlewareThatReturnsNothingIsAnAnswer(t *testing.T) {
	ctx, ts := newTools(t, answerWith(func(context.Context, *mcpgroup.CallRequest) (*mcpgroup.Result, error) { return nil, nil }), sayTool)
	lc, err := Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := lc[0].Call(ctx, "hello"); err != nil || !strings.HasPrefix(got, "Error: ") {
		t.Errorf("Call = %q, %v", got, err)
	}
}

func TestErrorTextSaysWhatTheApplicationWants(t *testing.T) {
	ctx, ts := newTools(t, answerWith(func(context.Context, *mcpgroup.CallRequest) (*mcpgroup.Result, error) {
		return nil, errors.New("policy 7")
	}), sayTool)
	lc, err := Tools(ts, &Options{ErrorText: func(_ context.Context, _ *mcpgroup.Tool, err error) string {
		if err.Error() == "policy 7" {
			return "ask the user for approval first"
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := lc[0].Call(ctx, "hello"); got != "Error: ask the user for approval first" {
		t.Errorf("Call = %q", got)
	}
	if got, _ := lc[0].Call(ctx, "{"); !strings.HasPrefix(got, "Error: the arguments do not fit") {
		t.Errorf("an empty ErrorText must give the default text, got %q", got)
	}
}

func TestOnlyTheEndOfTheContextIsAnError(t *testing.T) {
	ctx, ts := newTools(t, answerWith(func(ctx context.Context, req *mcpgroup.CallRequest) (*mcpgroup.Result, error) {
		<-ctx.Done()
		return nil, &mcpgroup.Error{Op: "call", Server: "srv", Tool: req.Tool.Name, Outcome: mcpgroup.Unknown, Err: ctx.Err()}
	}), sayTool)
	lc, err := Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	go cancel()
	if got, err := lc[0].Call(ctx, "hello"); !errors.Is(err, context.Canceled) || got != "" {
		t.Errorf("Call while the context ends = %q, %v", got, err)
	}
	if got, err := lc[0].Call(ctx, "hello"); !errors.Is(err, context.Canceled) || got != "" {
		t.Errorf("Call after the context ended = %q, %v", got, err)
	}
}

func TestAnAnswerThatCameInTimeIsNotLostWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, ts := newTools(t, answerWith(func(context.Context, *mcpgroup.CallRequest) (*mcpgroup.Result, error) {
		cancel()
		return &mcpgroup.Result{CallToolResult: text("done")}, nil
	}), sayTool)
	lc, err := Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := lc[0].Call(asUser(ctx, "alice"), "hello"); err != nil || got != "done" {
		t.Errorf("Call = %q, %v", got, err)
	}
}

func TestTimeoutBoundsEachCall(t *testing.T) {
	stuck := serverTool{"stuck", `{"type":"object"}`, nil}
	release := make(chan struct{})
	stuck.run = func(string, map[string]any) *mcp.CallToolResult { <-release; return text("late") }
	ctx, ts := newTools(t, nil, stuck)
	defer close(release)
	lc, err := Tools(ts, &Options{Timeout: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := lc[0].Call(ctx, ""); err != nil || !strings.Contains(got, "in time") {
		t.Errorf("Call = %q, %v", got, err)
	}
}

func TestLongAnswersAreCutInTheMiddle(t *testing.T) {
	ctx, ts := newTools(t, nil, sayTool)
	lc, err := Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := lc[0].Call(ctx, strings.Repeat("ä", 100_000)+"!")
	if err != nil || len(got) > 64<<10 || !strings.HasPrefix(got, "alice says ä") || !strings.HasSuffix(got, "ä!") || !strings.Contains(got, "left out") {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestToolsServeTwoUsersAtOnce(t *testing.T) {
	group := newGroup(t, nil, sayTool)
	ts, err := group.Tools(asUser(t.Context(), "alice"))
	if err != nil {
		t.Fatal(err)
	}
	lc, err := Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 40 {
		user := []string{"alice", "bob"}[i%2]
		wg.Go(func() {
			word := fmt.Sprintf("word %d", i)
			if got, err := lc[0].Call(asUser(t.Context(), user), word); err != nil || got != user+" says "+word {
				t.Errorf("%s said %q and heard %q, %v", user, word, got, err)
			}
		})
	}
	wg.Wait()
}

// langgraphgo's agents ask tools for their schema in this form, without an import.
func TestToolGivesItsSchemaStructurally(t *testing.T) {
	_, ts := newTools(t, nil, sayTool)
	lc, err := Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := lc[0].(interface{ Schema() map[string]any })
	if !ok || asJSON(t, s.Schema()) != asJSON(t, schemaOf(t, sayTool.schema)) {
		t.Errorf("Schema: %v, %v", ok, s)
	}
	if lc[0].(*Tool).Unwrap() != ts[0] {
		t.Error("Unwrap returns another tool")
	}
}
