package langchaingo

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/anthropic"
	"github.com/tmc/langchaingo/llms/openai"
)

// wire answers HTTP requests from a script and keeps their bodies.
type wire struct {
	answers []string
	bodies  []string
}

func (w *wire) Do(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	w.bodies = append(w.bodies, string(body))
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(strings.NewReader(w.answers[len(w.bodies)-1])),
	}, nil
}

// The provider drops all parts of a message but the first: without ReplaySplit the service sees answers to calls that
// nobody made, and refuses the request.
func TestAnthropicSeesACallForEveryAnswer(t *testing.T) {
	w := &wire{answers: []string{
		`{"id":"m","type":"message","role":"assistant","model":"x","stop_reason":"tool_use","usage":{},"content":[
			{"type":"text","text":"Let me see."},
			{"type":"tool_use","id":"t1","name":"say","input":{"text":"a"}},
			{"type":"tool_use","id":"t2","name":"whoami","input":{}}]}`,
		`{"id":"m","type":"message","role":"assistant","model":"x","stop_reason":"end_turn","usage":{},"content":[{"type":"text","text":"You are alice."}]}`,
	}}
	model, err := anthropic.New(anthropic.WithToken("k"), anthropic.WithModel("x"), anthropic.WithHTTPClient(w))
	if err != nil {
		t.Fatal(err)
	}
	ctx, ts := newTools(t, nil, sayTool, whoTool)
	res, err := Run(ctx, model, ts, question("who am I?"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Content != "You are alice." || len(res.Calls) != 2 {
		t.Errorf("%q after %d calls", res.Content, len(res.Calls))
	}
	// In its own form the transcript has one message with everything.
	if len(res.Messages) != 5 || len(res.Messages[1].Parts) != 3 {
		t.Errorf("transcript\n%s", show(res.Messages))
	}
	var sent struct {
		Messages []struct {
			Role    string
			Content []struct {
				Type, Text, ID, Name, Content string
				ToolUseID                     string `json:"tool_use_id"`
			}
		}
		Tools []struct {
			Name   string
			Schema map[string]any `json:"input_schema"`
		}
	}
	if err := json.Unmarshal([]byte(w.bodies[1]), &sent); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range sent.Messages {
		for _, c := range m.Content {
			got = append(got, strings.Join(strings.Fields(m.Role+" "+c.Type+" "+c.ID+c.ToolUseID+" "+c.Text+c.Content), " "))
		}
	}
	want := []string{"user text who am I?", "assistant text Let me see.", "assistant tool_use t1", "assistant tool_use t2",
		"user tool_result t1 alice says a", "user tool_result t2 you are alice"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(sent.Tools) != 2 || asJSON(t, sent.Tools[0].Schema) != asJSON(t, schemaOf(t, sayTool.schema)) {
		t.Errorf("tools %+v", sent.Tools)
	}
}

func TestOpenAISeesOneMessageWithAllCalls(t *testing.T) {
	w := &wire{answers: []string{
		`{"choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":"Let me see.","tool_calls":[
			{"id":"t1","type":"function","function":{"name":"say","arguments":"{\"text\":\"a\"}"}},
			{"id":"t2","type":"function","function":{"name":"whoami","arguments":""}}]}}]}`,
		`{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"You are alice."}}]}`,
	}}
	model, err := openai.New(openai.WithToken("k"), openai.WithModel("x"), openai.WithHTTPClient(w))
	if err != nil {
		t.Fatal(err)
	}
	ctx, ts := newTools(t, nil, sayTool, whoTool)
	res, err := Run(ctx, model, ts, question("who am I?"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Content != "You are alice." || len(res.Calls) != 2 {
		t.Errorf("%q after %d calls", res.Content, len(res.Calls))
	}
	var sent struct {
		Messages []struct {
			Role       string
			Content    any
			ToolCallID string `json:"tool_call_id"`
			ToolCalls  []struct {
				ID, Type string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
	}
	if err := json.Unmarshal([]byte(w.bodies[1]), &sent); err != nil {
		t.Fatal(err)
	}
	if len(sent.Messages) != 4 {
		t.Fatalf("sent %s", w.bodies[1])
	}
	calls := sent.Messages[1].ToolCalls
	if len(calls) != 2 || calls[0].ID != "t1" || calls[1].Function.Arguments != "{}" || calls[1].Type != "function" {
		t.Errorf("calls %+v", calls)
	}
	for i, want := range []string{"t1 alice says a", "t2 you are alice"} {
		m := sent.Messages[2+i]
		if got := m.ToolCallID + " " + asText(m.Content); m.Role != "tool" || got != want {
			t.Errorf("answer %d: %s %q, want %q", i, m.Role, got, want)
		}
	}
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}

// Gemini refuses answers that are spread over several messages.
func TestReplayJoinedPutsAllAnswersInOneMessage(t *testing.T) {
	call := func(id string) llms.ToolCall {
		return llms.ToolCall{ID: id, FunctionCall: &llms.FunctionCall{Name: "f"}}
	}
	answer := func(ids ...string) llms.MessageContent {
		m := llms.MessageContent{Role: llms.ChatMessageTypeTool}
		for _, id := range ids {
			m.Parts = append(m.Parts, llms.ToolCallResponse{ToolCallID: id, Name: "f"})
		}
		return m
	}
	asked := func(ids ...string) llms.MessageContent {
		m := llms.MessageContent{Role: llms.ChatMessageTypeAI, Parts: []llms.ContentPart{llms.TextContent{Text: "x"}}}
		for _, id := range ids {
			m.Parts = append(m.Parts, call(id))
		}
		return m
	}
	whole := []llms.MessageContent{question("q")[0], asked("1", "2"), answer("1"), answer("2"), asked("3"), answer("3")}
	before := show(whole)
	for _, tt := range []struct {
		replay Replay
		want   []llms.MessageContent
	}{
		{ReplayAuto, whole},
		{ReplayWhole, whole},
		{ReplayJoined, []llms.MessageContent{whole[0], whole[1], answer("1", "2"), whole[4], whole[5]}},
		{ReplaySplit, []llms.MessageContent{whole[0],
			{Role: llms.ChatMessageTypeAI, Parts: whole[1].Parts[:1]}, {Role: llms.ChatMessageTypeAI, Parts: whole[1].Parts[1:2]}, {Role: llms.ChatMessageTypeAI, Parts: whole[1].Parts[2:]},
			whole[2], whole[3],
			{Role: llms.ChatMessageTypeAI, Parts: whole[4].Parts[:1]}, {Role: llms.ChatMessageTypeAI, Parts: whole[4].Parts[1:]}, whole[5]}},
	} {
		if got := show(tt.replay.Messages(nil, whole)); got != show(tt.want) {
			t.Errorf("Replay %d:\n%s", tt.replay, got)
		}
		if show(whole) != before {
			t.Fatalf("Replay %d changed the messages", tt.replay)
		}
	}
}
