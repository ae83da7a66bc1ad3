package chat

import (
	"strings"
	"testing"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/anthropic"
	"github.com/tmc/langchaingo/llms/openai"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestShapeFollowsTheProvider(t *testing.T) {
	for _, tt := range []struct {
		model llms.Model
		want  Shape
	}{
		{&anthropic.LLM{}, ShapeSplit}, {&openai.LLM{}, ShapeWhole}, {struct{ llms.Model }{&anthropic.LLM{}}, ShapeWhole}, {nil, ShapeWhole},
	} {
		if got := ShapeOf(tt.model); got != tt.want {
			t.Errorf("ShapeOf(%T) = %d, want %d", tt.model, got, tt.want)
		}
	}
}

func TestWhatIsSentBackIsFitForEveryProvider(t *testing.T) {
	for name, want := range map[string]string{
		"get_user": "get_user", "a.b-C9": "a.b-C9", "": "unnamed", "get user!": "get_user_", "größe": "gr__e",
		strings.Repeat("x", 100): strings.Repeat("x", 64),
	} {
		if got := replayName(name); got != want {
			t.Errorf("name %q is sent back as %q, want %q", name, got, want)
		}
	}
	for args, want := range map[string]string{
		`{"a":1}`: `{"a":1}`, ` {"a":1} `: ` {"a":1} `, ``: `{}`, `null`: `{}`, `[1]`: `{}`, `{"a":`: `{}`, `"x"`: `{}`,
	} {
		if got := replayArguments(args); got != want {
			t.Errorf("arguments %q are sent back as %q, want %q", args, got, want)
		}
	}
}

func TestTextOfAllChoicesIsOneAnswer(t *testing.T) {
	text, calls, err := Read(&llms.ContentResponse{Choices: []*llms.ContentChoice{{Content: "a"}, {Content: " "}, {Content: "b"}}}, 1)
	if text != "a\nb" || calls != nil || err != nil {
		t.Errorf("Read = %q, %v, %v", text, calls, err)
	}
	for _, resp := range []*llms.ContentResponse{nil, {}, {Choices: []*llms.ContentChoice{nil}}} {
		if _, _, err := Read(resp, 1); err == nil {
			t.Errorf("Read(%+v) gives no error", resp)
		}
	}
}
