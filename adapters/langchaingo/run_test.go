package langchaingo

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/tmc/langchaingo/llms"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo/internal/modeltest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

func question(s string) []llms.MessageContent {
	return []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, s)}
}

func TestRunSendsRealSchemasAndAnswersEveryCallInOrder(t *testing.T) {
	ctx, ts := newTools(t, nil, addTool, failTool, sayTool)
	model := modeltest.New(
		modeltest.Calls("Let me see.", modeltest.ToolCall("c1", "say", `{"text":"hi"}`), modeltest.ToolCall("c2", "add", `{"a":1,"b":2}`), modeltest.ToolCall("c3", "fail", "")),
		modeltest.Text("All done."),
	)
	res, err := Run(ctx, model, ts, question("go"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Content != "All done." || res.Steps != 2 {
		t.Errorf("Content %q after %d steps", res.Content, res.Steps)
	}
	reqs := model.Requests()

	// The trap of OpenAIFunctionsAgent: it tells models that every tool takes {"__arg1": string}.
	var names []string
	for i, def := range reqs[0].Options.Tools {
		names = append(names, def.Function.Name)
		if want, _ := Parameters(ts[i], SchemaFull); def.Type != "function" || !reflect.DeepEqual(def.Function.Parameters, want) {
			t.Errorf("definition %+v, want the schema %v", def.Function, want)
		}
	}
	if want := []string{"add", "fail", "say"}; !slices.Equal(names, want) {
		t.Errorf("tools %v, want %v", names, want)
	}

	want := []llms.MessageContent{
		llms.TextParts(llms.ChatMessageTypeHuman, "go"),
		{Role: llms.ChatMessageTypeAI, Parts: []llms.ContentPart{
			llms.TextContent{Text: "Let me see."},
			modeltest.ToolCall("c1", "say", `{"text":"hi"}`), modeltest.ToolCall("c2", "add", `{"a":1,"b":2}`), modeltest.ToolCall("c3", "fail", "{}"),
		}},
		{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{llms.ToolCallResponse{ToolCallID: "c1", Name: "say", Content: "alice says hi"}}},
		{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{llms.ToolCallResponse{ToolCallID: "c2", Name: "add", Content: "3"}}},
		{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{llms.ToolCallResponse{ToolCallID: "c3", Name: "fail", Content: "Error: the disk is full"}}},
	}
	if !reflect.DeepEqual(reqs[1].Messages, want) {
		t.Errorf("sent back\n%s\nwant\n%s", show(reqs[1].Messages), show(want))
	}
	if want := append(want, llms.TextParts(llms.ChatMessageTypeAI, "All done.")); !reflect.DeepEqual(res.Messages, want) {
		t.Errorf("transcript\n%s", show(res.Messages))
	}
	if len(res.Calls) != 3 || res.Calls[1].Name != "add" || res.Calls[1].Tool != ts[0] || res.Calls[1].Result.Text() != "3" || res.Calls[1].Step != 1 || res.Calls[1].Err != nil {
		t.Errorf("records %+v", res.Calls)
	}
}

func show(messages []llms.MessageContent) string {
	var b strings.Builder
	llms.ShowMessageContents(&b, messages)
	return b.String()
}

// The trap of the executor: one failing call ends the run.
func TestRunTellsTheModelWhatWentWrongWithACall(t *testing.T) {
	ctx, ts := newTools(t, nil, addTool, sayTool)
	model := modeltest.New(
		modeltest.Calls("",
			modeltest.ToolCall("1", "Say", `{"text":"x"}`), modeltest.ToolCall("2", "shout", `{}`), modeltest.ToolCall("3", "say", `{"text":`),
			modeltest.ToolCall("4", "say", ``), modeltest.ToolCall("5", "say", `{"txet":1}`), modeltest.ToolCall("6", "add", `"{\"a\":1,\"b\":1}"`),
			llms.ToolCall{}, modeltest.ToolCall("8", "say", "not json")),
		modeltest.Text("ok"),
	)
	res, err := Run(ctx, model, ts, question("go"), nil)
	if err != nil {
		t.Fatal(err)
	}
	wants := []string{
		`Error: there is no tool "Say". Did you mean say?`,
		`Error: there is no tool "shout". The tools are: add, say`,
		"Error: the arguments do not fit tool \"say\": the JSON object is cut off",
		"Error: the arguments do not fit tool \"say\": ",
		"Error: the arguments do not fit tool \"say\": ",
		"2",
		`Error: there is no tool "". The tools are: add, say`,
		`Error: the arguments do not fit tool "say": the input is not a JSON object`,
	}
	for i, r := range modeltest.Responses(model.Requests()[1].Messages) {
		if !strings.HasPrefix(r.Content, wants[i]) {
			t.Errorf("answer %d: %q, want %q", i+1, r.Content, wants[i])
		}
		if r.ToolCallID == "" || r.Name == "" {
			t.Errorf("answer %d has id %q and name %q", i+1, r.ToolCallID, r.Name)
		}
	}
	if !errors.Is(res.Calls[0].Err, mcpgroup.ErrToolNotFound) || !errors.Is(res.Calls[2].Err, mcpgroup.ErrInvalidArguments) {
		t.Errorf("errors %v, %v", res.Calls[0].Err, res.Calls[2].Err)
	}
	// What goes back must be JSON objects: providers decode them, and one that is not fails the whole request.
	for _, p := range res.Messages[1].Parts {
		call := p.(llms.ToolCall)
		if _, err := parseArguments(call.FunctionCall.Arguments); err != nil || call.FunctionCall.Arguments == "" || call.FunctionCall.Name == "" || call.Type != "function" {
			t.Errorf("sent back %+v", call.FunctionCall)
		}
	}
}

func TestRunUnderstandsEveryFormOfAnAnswer(t *testing.T) {
	say := &llms.FunctionCall{Name: "say", Arguments: `{"text":"x"}`}
	for _, tt := range []struct {
		name   string
		answer modeltest.Answer
		calls  int
	}{
		{"legacy function call", modeltest.Choices(&llms.ContentChoice{FuncCall: say}), 1},
		{"legacy function call that repeats the tool call", modeltest.Choices(&llms.ContentChoice{FuncCall: say, ToolCalls: []llms.ToolCall{{ID: "1", FunctionCall: say}}}), 1},
		{"no ids, as googleai", modeltest.Calls("", llms.ToolCall{FunctionCall: say}, llms.ToolCall{FunctionCall: say}), 2},
		{"one id twice", modeltest.Calls("", llms.ToolCall{ID: "1", FunctionCall: say}, llms.ToolCall{ID: "1", FunctionCall: say}), 2},
		{"one choice per part, as anthropic", modeltest.Choices(&llms.ContentChoice{Content: "hm"}, nil,
			&llms.ContentChoice{ToolCalls: []llms.ToolCall{{ID: "1", FunctionCall: say}}}, &llms.ContentChoice{ToolCalls: []llms.ToolCall{{ID: "2", FunctionCall: say}}}), 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, ts := newTools(t, nil, sayTool)
			model := modeltest.New(tt.answer, modeltest.Text("end"))
			res, err := Run(ctx, model, ts, question("go"), nil)
			if err != nil {
				t.Fatal(err)
			}
			responses := modeltest.Responses(model.Requests()[1].Messages)
			if len(responses) != tt.calls || len(res.Calls) != tt.calls {
				t.Fatalf("%d answers to %d calls, want %d", len(responses), len(res.Calls), tt.calls)
			}
			ids := map[string]bool{}
			for _, p := range res.Messages[1].Parts {
				if call, ok := p.(llms.ToolCall); ok {
					ids[call.ID] = true
				}
			}
			for _, r := range responses {
				if !ids[r.ToolCallID] || r.Name != "say" || r.Content != "alice says x" {
					t.Errorf("answer %+v to the calls %v", r, ids)
				}
				delete(ids, r.ToolCallID) // each call is answered once
			}
		})
	}
}

func TestRunLeavesTheCallersMessagesAlone(t *testing.T) {
	ctx, ts := newTools(t, nil, sayTool)
	messages := make([]llms.MessageContent, 1, 8) // room that an append would write into
	messages[0] = llms.TextParts(llms.ChatMessageTypeHuman, "go")
	model := modeltest.New(modeltest.Calls("", modeltest.ToolCall("1", "say", `{"text":"x"}`)), modeltest.Text("end"))
	if _, err := Run(ctx, model, ts, messages, nil); err != nil {
		t.Fatal(err)
	}
	for i, m := range messages[:cap(messages)][1:] {
		if m.Role != "" {
			t.Errorf("message %d behind the caller's was written: %v", i+1, m)
		}
	}
}

func TestRunStopsAtTheLastStepWithATranscriptToGoOnFrom(t *testing.T) {
	var ran atomic.Int32
	ctx, ts := newTools(t, answerWith(func(context.Context, *mcpgroup.CallRequest) (*mcpgroup.Result, error) {
		ran.Add(1)
		return &mcpgroup.Result{CallToolResult: text("more")}, nil
	}), sayTool)
	again := modeltest.Calls("", modeltest.ToolCall("", "say", `{"text":"x"}`), modeltest.ToolCall("", "say", `{"text":"y"}`))
	res, err := Run(ctx, modeltest.New(again, again, again), ts, question("go"), &RunOptions{MaxSteps: 3})
	var steps *StepsError
	if !errors.As(err, &steps) || steps.Steps != 3 || !reflect.DeepEqual(steps.Messages, res.Messages) || !strings.HasPrefix(err.Error(), "langchaingo: ") {
		t.Fatalf("err = %v", err)
	}
	if got := ran.Load(); got != 4 || len(res.Calls) != 4 {
		t.Errorf("%d calls ran, %d are recorded, want those of two steps: 4", got, len(res.Calls))
	}
	open := map[string]bool{}
	for _, m := range res.Messages {
		for _, p := range m.Parts {
			switch p := p.(type) {
			case llms.ToolCall:
				if open[p.ID] {
					t.Errorf("the id %q is used twice", p.ID)
				}
				open[p.ID] = true
			case llms.ToolCallResponse:
				delete(open, p.ToolCallID)
			}
		}
	}
	if len(open) > 0 {
		t.Errorf("calls without an answer: %v", open)
	}
	model := modeltest.New(modeltest.Text("end"))
	if res, err := Run(ctx, model, ts, res.Messages, nil); err != nil || res.Content != "end" {
		t.Errorf("going on: %v, %v", res, err)
	}
}

func TestRunAsksTenTimesByDefault(t *testing.T) {
	ctx, ts := newTools(t, nil, whoTool)
	script := slices.Repeat([]modeltest.Answer{modeltest.Calls("", modeltest.ToolCall("", "whoami", ""))}, 20)
	res, err := Run(ctx, modeltest.New(script...), ts, question("go"), nil)
	if err == nil || res.Steps != 10 {
		t.Errorf("%d steps, %v", res.Steps, err)
	}
}

func TestErrorOfTheModelComesWithWhatHappenedBefore(t *testing.T) {
	ctx, ts := newTools(t, nil, whoTool)
	down := errors.New("model down")
	res, err := Run(ctx, modeltest.New(modeltest.Calls("", modeltest.ToolCall("1", "whoami", "")), modeltest.Fail(down)), ts, question("go"), nil)
	if !errors.Is(err, down) || res == nil || len(res.Calls) != 1 || len(res.Messages) != 3 || res.Steps != 1 {
		t.Errorf("res %+v, err %v", res, err)
	}
	res, err = Run(ctx, modeltest.New(modeltest.Choices()), ts, question("go"), nil)
	if err == nil || !strings.Contains(err.Error(), "no choice") || len(res.Messages) != 1 {
		t.Errorf("an answer without a choice: %+v, %v", res, err)
	}
	res, err = Run(ctx, modeltest.New(), []*mcpgroup.Tool{nil}, question("go"), nil)
	if err == nil || res == nil || len(res.Messages) != 1 {
		t.Errorf("a nil tool: %+v, %v", res, err)
	}
}

func TestEndOfTheContextEndsTheRunWithEveryCallAnswered(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, ts := newTools(t, answerWith(func(ctx context.Context, req *mcpgroup.CallRequest) (*mcpgroup.Result, error) {
		cancel()
		<-ctx.Done()
		return nil, &mcpgroup.Error{Op: "call", Server: "srv", Tool: req.Tool.Name, Outcome: mcpgroup.Unknown, Err: ctx.Err()}
	}), sayTool)
	call := modeltest.ToolCall("", "say", `{"text":"x"}`)
	res, err := Run(asUser(ctx, "alice"), modeltest.New(modeltest.Calls("", call, call, call)), ts, question("go"), &RunOptions{MaxParallel: 1})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v", err)
	}
	responses := modeltest.Responses(res.Messages)
	if len(responses) != 3 {
		t.Fatalf("%d answers to 3 calls", len(responses))
	}
	if !strings.Contains(responses[0].Content, "may have run") || !strings.Contains(responses[1].Content, "not run") {
		t.Errorf("answers %q", responses)
	}
	if !errors.Is(res.Calls[2].Err, context.Canceled) {
		t.Errorf("record %+v", res.Calls[2])
	}
}

func TestContextErrorIsFoundInAModelErrorThatHidesIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	model := modeltest.New(func(context.Context, modeltest.Request) (*llms.ContentResponse, error) {
		cancel()
		return nil, errors.New("request aborted")
	})
	if _, err := Run(ctx, model, nil, question("go"), nil); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "request aborted") {
		t.Errorf("err = %v", err)
	}
}

func TestCallsOfOneAnswerRunAtTheSameTimeUpToTheBound(t *testing.T) {
	for bound, want := range map[int]int32{0: 8, 1: 1, 3: 3} {
		synctest.Test(t, func(t *testing.T) {
			var running, most atomic.Int32
			release := make(chan struct{})
			group := newGroup(t, answerWith(func(_ context.Context, req *mcpgroup.CallRequest) (*mcpgroup.Result, error) {
				most.Store(max(most.Load(), running.Add(1)))
				<-release
				running.Add(-1)
				return &mcpgroup.Result{CallToolResult: text("%s", req.Args)}, nil
			}), sayTool)
			defer group.Close() // inside the bubble
			ctx := asUser(t.Context(), "alice")
			ts, err := group.Tools(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var calls []llms.ToolCall
			for i := range 20 {
				calls = append(calls, modeltest.ToolCall(fmt.Sprint(i), "say", fmt.Sprintf(`{"text":"%d"}`, i)))
			}
			done := make(chan *RunResult)
			go func() {
				res, err := Run(ctx, modeltest.New(modeltest.Calls("", calls...), modeltest.Text("end")), ts, question("go"), &RunOptions{MaxParallel: bound})
				if err != nil {
					t.Error(err)
				}
				done <- res
			}()
			synctest.Wait()
			if got := running.Load(); got != want {
				t.Errorf("MaxParallel %d: %d calls run, want %d", bound, got, want)
			}
			close(release)
			res := <-done
			if got := most.Load(); got > want {
				t.Errorf("MaxParallel %d: %d calls ran at once", bound, got)
			}
			for i, r := range modeltest.Responses(res.Messages) {
				if want := fmt.Sprintf(`{"text":"%d"}`, i); r.Content != want {
					t.Errorf("answer %d is %s", i, r.Content)
				}
			}
		})
	}
}

func TestRunServesTwoUsersAtOnceWithTheSameTools(t *testing.T) {
	group := newGroup(t, nil, sayTool, whoTool)
	ts, err := group.Tools(asUser(t.Context(), "alice"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, user := range []string{"alice", "bob", "alice", "bob"} {
		wg.Go(func() {
			model := modeltest.New(modeltest.Calls("", modeltest.ToolCall("1", "whoami", "{}"), modeltest.ToolCall("2", "say", `{"text":"me"}`)), modeltest.Text("end"))
			res, err := Run(asUser(t.Context(), user), model, ts, question("who am I?"), nil)
			if err != nil {
				t.Error(err)
				return
			}
			if a, b := res.Calls[0].Observation, res.Calls[1].Observation; a != "you are "+user || b != user+" says me" {
				t.Errorf("%s was told %q and %q", user, a, b)
			}
		})
	}
	wg.Wait()
}

func TestRunAsksForOneAnswerAndItsOwnTools(t *testing.T) {
	ctx, ts := newTools(t, nil, whoTool)
	model := modeltest.New(modeltest.Text("a"), modeltest.Text("b"))
	opts := &RunOptions{CallOptions: []llms.CallOption{llms.WithN(3), llms.WithCandidateCount(2), llms.WithTemperature(0.5), llms.WithTools([]llms.Tool{{Type: "x"}})}}
	if _, err := Run(ctx, model, ts, question("go"), opts); err != nil {
		t.Fatal(err)
	}
	got := model.Requests()[0].Options
	if got.N != 1 || got.CandidateCount != 1 || got.Temperature != 0.5 || len(got.Tools) != 1 || got.Tools[0].Type != "function" {
		t.Errorf("options %+v", got)
	}
	if _, err := Run(ctx, model, nil, question("go"), nil); err != nil {
		t.Fatal(err)
	}
	if got := model.Requests()[1].Options; got.Tools != nil {
		t.Errorf("no tools are sent as %v", got.Tools)
	}
}

func TestRunPanicsOnANilModel(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = Run(t.Context(), nil, nil, nil, nil)
}

func TestUnknownToolListIsBounded(t *testing.T) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("tool%d", i)
	}
	if got := unknownTool("x", names); len(got) > 1000 || !strings.HasSuffix(got, "and 950 more") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
