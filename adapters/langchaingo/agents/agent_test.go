package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	lcagents "github.com/tmc/langchaingo/agents"
	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/memory"
	"github.com/tmc/langchaingo/schema"
	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo"
	"github.com/mcpfleet/mcpfleet/adapters/langchaingo/internal/modeltest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTools returns the tools of a server that knows its user: say(text, loud) and fail().
func newTools(t testing.TB) (context.Context, []*mcpgroup.Tool) {
	t.Helper()
	type args struct {
		Text string `json:"text"`
		Loud bool   `json:"loud,omitempty"`
	}
	group, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "srv"}, &mcpgroup.Options{
		NewServer: func(_ context.Context, key session.Key) (*mcp.Server, error) {
			s := mcp.NewServer(&mcp.Implementation{Name: "srv", Version: "1"}, nil)
			mcp.AddTool(s, &mcp.Tool{Name: "say", Description: "Says something."},
				func(_ context.Context, _ *mcp.CallToolRequest, in args) (*mcp.CallToolResult, any, error) {
					said := fmt.Sprintf("%s says %s", key.User, in.Text)
					if in.Loud {
						said = strings.ToUpper(said)
					}
					return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: said}}}, nil, nil
				})
			mcp.AddTool(s, &mcp.Tool{Name: "fail", Description: "Fails."},
				func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
					return nil, nil, errors.New("the disk is full")
				})
			return s, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := group.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := asUser(t.Context(), "alice")
	ts, err := group.Tools(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, ts
}

func asUser(ctx context.Context, user string) context.Context {
	return session.NewContext(ctx, session.Key{Tenant: "acme", User: user})
}

func newAgent(t testing.TB, model llms.Model, ts []*mcpgroup.Tool, opts *Options) *Agent {
	t.Helper()
	a, err := New(model, ts, opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Trap: OpenAIFunctionsAgent tells models that every tool takes {"__arg1": string}, whatever the tool.
// Trap: it sends answers back without the name of the tool.
// Trap: it sends parallel calls back as separate messages of the model.
func TestAgentSendsRealSchemasAndReplaysARoundAsOneMessage(t *testing.T) {
	ctx, ts := newTools(t)
	model := modeltest.New(
		modeltest.Calls("Let me speak.", modeltest.ToolCall("c1", "say", `{"text":"a"}`), modeltest.ToolCall("c2", "say", `{"text":"b","loud":true}`)),
		modeltest.Calls("Let me speak.", modeltest.ToolCall("c3", "say", `{"text":"a"}`)), // the same words again: a round of its own
		modeltest.Text("Done."),
	)
	executor := lcagents.NewExecutor(newAgent(t, model, ts, &Options{SystemMessage: "Be brief."}))
	got, err := chains.Run(ctx, executor, "speak")
	if err != nil || got != "Done." {
		t.Fatalf("Run = %q, %v", got, err)
	}
	reqs := model.Requests()
	want, _ := langchaingo.LLMTools(ts, nil)
	if !reflect.DeepEqual(reqs[0].Options.Tools, want) || len(want) != 2 {
		t.Errorf("definitions %+v", reqs[0].Options.Tools)
	}
	if reqs[0].Options.Functions != nil {
		t.Errorf("legacy definitions %+v", reqs[0].Options.Functions)
	}
	response := func(id, content string) llms.MessageContent {
		return llms.MessageContent{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{llms.ToolCallResponse{ToolCallID: id, Name: "say", Content: content}}}
	}
	messages := []llms.MessageContent{
		llms.TextParts(llms.ChatMessageTypeSystem, "Be brief."),
		llms.TextParts(llms.ChatMessageTypeHuman, "speak"),
		{Role: llms.ChatMessageTypeAI, Parts: []llms.ContentPart{llms.TextContent{Text: "Let me speak."},
			modeltest.ToolCall("c1", "say", `{"text":"a"}`), modeltest.ToolCall("c2", "say", `{"text":"b","loud":true}`)}},
		response("c1", "alice says a"), response("c2", "ALICE SAYS B"),
		{Role: llms.ChatMessageTypeAI, Parts: []llms.ContentPart{llms.TextContent{Text: "Let me speak."}, modeltest.ToolCall("c3", "say", `{"text":"a"}`)}},
		response("c3", "alice says a"),
	}
	if !reflect.DeepEqual(reqs[2].Messages, messages) {
		t.Errorf("sent\n%+v\nwant\n%+v", reqs[2].Messages, messages)
	}
}

// Trap: the executor ends the run on the first error of a tool.
func TestFailuresOfToolsDoNotEndTheRun(t *testing.T) {
	ctx, ts := newTools(t)
	model := modeltest.New(
		modeltest.Calls("", modeltest.ToolCall("1", "fail", "{}"), modeltest.ToolCall("2", "say", `{"loud":"very"}`), modeltest.ToolCall("3", "shout", "{}"), modeltest.ToolCall("4", "say", `{"text":`)),
		modeltest.Text("sorry"),
	)
	got, err := chains.Run(ctx, lcagents.NewExecutor(newAgent(t, model, ts, nil)), "go")
	if err != nil || got != "sorry" {
		t.Fatalf("Run = %q, %v", got, err)
	}
	wants := []string{"Error: the disk is full", `Error: the arguments do not fit tool "say"`, "shout is not a valid tool", `Error: the arguments do not fit tool "say": the JSON object is cut off`}
	for i, r := range modeltest.Responses(model.Requests()[1].Messages) {
		if !strings.HasPrefix(r.Content, wants[i]) || r.Name == "" || r.ToolCallID != fmt.Sprint(i+1) {
			t.Errorf("answer %+v, want %q", r, wants[i])
		}
	}
}

// Trap: the executor looks names up in upper case and runs whichever tool comes last.
func TestNamesThatDifferInCaseOnlyAreRefused(t *testing.T) {
	ts := []*mcpgroup.Tool{{Server: "a", Name: "getUser"}, {Server: "b", Name: "getuser"}}
	if a, err := New(modeltest.New(), ts, nil); err == nil || a != nil || !strings.Contains(err.Error(), "getUser") {
		t.Errorf("New = %v, %v", a, err)
	}
}

// langchaingo's own agents work with the same tools: with what OpenAIFunctionsAgent lets a model send ...
func TestToolsUnderstandOpenAIFunctionsAgent(t *testing.T) {
	ctx, ts := newTools(t)
	lc, err := langchaingo.Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	call := func(id, args string) llms.ToolCall {
		data, err := json.Marshal(map[string]string{"__arg1": args})
		if err != nil {
			t.Fatal(err)
		}
		return modeltest.ToolCall(id, "say", string(data))
	}
	model := modeltest.New(
		modeltest.Calls("", call("1", `{"text":"a","loud":true}`), call("2", "just text"), modeltest.ToolCall("3", "say", `{"text":"raw"}`), modeltest.ToolCall("4", "fail", `{"__arg1":""}`)),
		modeltest.Text("end"),
	)
	executor := lcagents.NewExecutor(lcagents.NewOpenAIFunctionsAgent(model, lc))
	if got, err := chains.Run(ctx, executor, "go"); err != nil || got != "end" {
		t.Fatalf("Run = %q, %v", got, err)
	}
	wants := []string{"ALICE SAYS A", "alice says just text", "alice says raw", "Error: the disk is full"}
	for i, r := range modeltest.Responses(model.Requests()[1].Messages) {
		if r.Content != wants[i] {
			t.Errorf("answer %d: %q, want %q", i, r.Content, wants[i])
		}
	}
}

// ... and with what models write for a text agent.
func TestToolsUnderstandAReActAgent(t *testing.T) {
	ctx, ts := newTools(t)
	lc, err := langchaingo.Tools(ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	model := modeltest.New(
		modeltest.Text("Thought: speak\nAction: say\nAction Input: ```json\n{\"text\":\"a\",\"loud\":true}\n```\nObservation: invented"),
		modeltest.Text("Thought: again\nAction: say\nAction Input: plain words"),
		modeltest.Text("Final Answer: end"),
	)
	executor := lcagents.NewExecutor(lcagents.NewOneShotAgent(model, lc))
	if got, err := chains.Run(ctx, executor, "go"); err != nil || got != "end" {
		t.Fatalf("Run = %q, %v", got, err)
	}
	reqs := model.Requests()
	if p := fmt.Sprint(reqs[0].Messages); !strings.Contains(p, `"text":{"type":"string"}`) {
		t.Errorf("the prompt does not tell the arguments: %s", p)
	}
	last := fmt.Sprint(reqs[2].Messages)
	for _, want := range []string{"Observation: ALICE SAYS A", "Observation: alice says plain words"} {
		if !strings.Contains(last, want) {
			t.Errorf("%q is missing in %s", want, last)
		}
	}
}

func TestErrorOfTheModelEndsTheRun(t *testing.T) {
	ctx, ts := newTools(t)
	down := errors.New("model down")
	if _, err := chains.Run(ctx, lcagents.NewExecutor(newAgent(t, modeltest.New(modeltest.Fail(down)), ts, nil)), "go"); !errors.Is(err, down) {
		t.Errorf("err = %v", err)
	}
	if _, err := chains.Run(ctx, lcagents.NewExecutor(newAgent(t, modeltest.New(modeltest.Choices()), ts, nil)), "go"); err == nil {
		t.Error("an answer without a choice is no error")
	}
}

func TestEndOfTheContextEndsTheRun(t *testing.T) {
	ctx, ts := newTools(t)
	ctx, cancel := context.WithCancel(ctx)
	model := modeltest.New(func(context.Context, modeltest.Request) (*llms.ContentResponse, error) {
		cancel()
		return &llms.ContentResponse{Choices: []*llms.ContentChoice{{ToolCalls: []llms.ToolCall{modeltest.ToolCall("1", "say", `{"text":"a"}`)}}}}, nil
	})
	if _, err := chains.Run(ctx, lcagents.NewExecutor(newAgent(t, model, ts, nil)), "go"); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestOptionsReachTheModel(t *testing.T) {
	ctx, ts := newTools(t)
	model := modeltest.New(modeltest.Text("a"), modeltest.Text("b"))
	chunk := func(context.Context, []byte) error { return nil }
	a := newAgent(t, model, ts, &Options{CallOptions: []llms.CallOption{llms.WithStreamingFunc(chunk), llms.WithTemperature(0.1), llms.WithN(4)}, OutputKey: "answer"})
	out, err := chains.Call(ctx, lcagents.NewExecutor(a), map[string]any{"input": "go"}, chains.WithTemperature(0.9))
	if err != nil || out["answer"] != "a" {
		t.Fatalf("Call = %v, %v", out, err)
	}
	got := model.Requests()[0].Options
	if got.StreamingFunc == nil || got.Temperature != 0.9 || got.N != 1 || len(got.Tools) != 2 {
		t.Errorf("options %+v", got)
	}
}

func TestMemoryIsPartOfTheConversation(t *testing.T) {
	ctx, ts := newTools(t)
	model := modeltest.New(modeltest.Text("Hello Ann."), modeltest.Text("Ann."))
	executor := lcagents.NewExecutor(newAgent(t, model, ts, nil), lcagents.WithMemory(memory.NewConversationBuffer()))
	for _, question := range []string{"I am Ann.", "Who am I?"} {
		if _, err := chains.Run(ctx, executor, question); err != nil {
			t.Fatal(err)
		}
	}
	want := []llms.MessageContent{
		llms.TextParts(llms.ChatMessageTypeSystem, "The conversation so far:\nHuman: I am Ann.\nAI: Hello Ann."),
		llms.TextParts(llms.ChatMessageTypeHuman, "Who am I?"),
	}
	if got := model.Requests()[1].Messages; !reflect.DeepEqual(got, want) {
		t.Errorf("sent %+v", got)
	}
}

func TestPromptReplacesTheDefaultMessages(t *testing.T) {
	ctx, ts := newTools(t)
	model := modeltest.New(modeltest.Text("a"))
	a := newAgent(t, model, ts, &Options{SystemMessage: "unused", Prompt: func(in map[string]string) []llms.MessageContent {
		return []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "<"+in["input"]+">")}
	}})
	if _, err := chains.Run(ctx, lcagents.NewExecutor(a), "go"); err != nil {
		t.Fatal(err)
	}
	if got := model.Requests()[0].Messages; len(got) != 1 || fmt.Sprint(got[0].Parts[0]) != "<go>" {
		t.Errorf("sent %+v", got)
	}
}

func TestOneAgentServesManyRunsAtOnce(t *testing.T) {
	ctx, ts := newTools(t)
	_ = ctx
	// The model answers by what it sees, so that the order of the runs does not matter.
	answer := func(_ context.Context, req modeltest.Request) (*llms.ContentResponse, error) {
		choice := &llms.ContentChoice{ToolCalls: []llms.ToolCall{modeltest.ToolCall("1", "say", `{"text":"x"}`), modeltest.ToolCall("2", "say", `{"text":"y"}`)}}
		if r := modeltest.Responses(req.Messages); len(r) == 2 {
			choice = &llms.ContentChoice{Content: r[0].Content + ", " + r[1].Content}
		}
		return &llms.ContentResponse{Choices: []*llms.ContentChoice{choice}}, nil
	}
	script := make([]modeltest.Answer, 40)
	for i := range script {
		script[i] = answer
	}
	executor := lcagents.NewExecutor(newAgent(t, modeltest.New(script...), ts, nil))
	var wg sync.WaitGroup
	for i := range 20 {
		user := []string{"alice", "bob"}[i%2]
		wg.Go(func() {
			out, err := executor.Call(asUser(t.Context(), user), map[string]any{"input": "go"})
			if want := fmt.Sprintf("%s says x, %s says y", user, user); err != nil || out["output"] != want {
				t.Errorf("%s: %v, %v", user, out, err)
			}
		})
	}
	wg.Wait()
}

func TestNewPanicsOnANilModel(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = New(nil, nil, nil)
}

func TestStepsOfOthersAreReplayedOneByOne(t *testing.T) {
	step := func(tool, id, log, observation string) schema.AgentStep {
		return schema.AgentStep{Action: schema.AgentAction{Tool: tool, ToolID: id, ToolInput: "{}", Log: log}, Observation: observation}
	}
	got := transcript([]schema.AgentStep{
		step("a", "", "Invoking: a", "1"),
		step("", "", "", "could not parse"),
		step("b", "x", "[calls 1 to 9] a header that is not this step's", "2"),
	})
	var parts []string
	for _, m := range got {
		for _, p := range m.Parts {
			switch p := p.(type) {
			case llms.ToolCall:
				parts = append(parts, fmt.Sprintf("%s call %s %s", m.Role, p.ID, p.FunctionCall.Name))
			case llms.ToolCallResponse:
				parts = append(parts, fmt.Sprintf("%s answer %s %s %s", m.Role, p.ToolCallID, p.Name, p.Content))
			case llms.TextContent:
				parts = append(parts, fmt.Sprintf("%s %s", m.Role, p.Text))
			}
		}
	}
	want := []string{"ai Invoking: a", "ai call call_1 a", "tool answer call_1 a 1", "human could not parse",
		"ai [calls 1 to 9] a header that is not this step's", "ai call x b", "tool answer x b 2"}
	if !reflect.DeepEqual(parts, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(parts, "\n"), strings.Join(want, "\n"))
	}
}

func FuzzRoundSurvivesTheLog(f *testing.F) {
	f.Add(0, 1, "")
	f.Add(3, 2, "Let me see.\n[calls 1 to 2] x")
	f.Add(7, 1, "  spaces")
	f.Fuzz(func(t *testing.T, start, calls int, text string) {
		if start < 0 || start > 1<<30 || calls < 1 || calls > 1<<30 {
			return
		}
		want := round{start: start, calls: calls, text: text}
		if got := roundOf(want.String(), start); got != want {
			t.Errorf("%+v came back as %+v", want, got)
		}
		_ = roundOf(text, start) // must not panic
	})
}
