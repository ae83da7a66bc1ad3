package agents

import (
	"context"
	"fmt"
	"slices"

	"github.com/tmc/langchaingo/agents"
	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/schema"
	"github.com/tmc/langchaingo/tools"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo"
	"github.com/mcpfleet/mcpfleet/adapters/langchaingo/internal/chat"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

const (
	inputKey   = "input"
	historyKey = "history" // what langchaingo's memories call the conversation so far
	outputKey  = "output"
)

// Options changes an [Agent]. nil selects all defaults; the struct is copied.
type Options struct {
	langchaingo.Options

	// SystemMessage begins every conversation. The default is none.
	SystemMessage string
	// Prompt makes the messages that a conversation begins with from the inputs of the executor: what the user gave
	// and what its memory adds. It replaces SystemMessage. The default is SystemMessage, the conversation so far
	// (input "history") if there is one, and input "input" as the user's message. It may be called concurrently.
	Prompt func(inputs map[string]string) []llms.MessageContent
	// OutputKey is the key of the answer in the executor's outputs. The default is "output".
	OutputKey string
	// Replay is the form in which calls are sent back to the model. The default fits the model's provider.
	Replay langchaingo.Replay
	// CallOptions are passed to the model, before the options of the executor's caller and the tools. The agent acts on
	// a single answer: [llms.WithN] and [llms.WithCandidateCount] have no effect.
	CallOptions []llms.CallOption
}

// Agent is an [agents.Agent]. It keeps no state between calls and is safe for concurrent use, by several executors too.
// Tools act for the user of the context that the executor is called with.
type Agent struct {
	model       llms.Model
	opts        Options
	tools       []tools.Tool
	definitions []llms.Tool
	streaming   func(ctx context.Context, chunk []byte) error // from Options.CallOptions
}

var _ agents.Agent = (*Agent)(nil)

// New makes an agent of a model and the tools it may use. Like [langchaingo.Tools], it returns an error if the executor
// could not tell two tools apart: it ignores case in names. New panics on a nil model.
func New(model llms.Model, ts []*mcpgroup.Tool, opts *Options) (*Agent, error) {
	if model == nil {
		panic("agents: New with a nil model")
	}
	a := &Agent{model: model}
	if opts != nil {
		a.opts = *opts
	}
	a.opts.CallOptions = slices.Clone(a.opts.CallOptions)
	if a.opts.OutputKey == "" {
		a.opts.OutputKey = outputKey
	}
	if a.opts.Prompt == nil {
		system := a.opts.SystemMessage
		a.opts.Prompt = func(inputs map[string]string) []llms.MessageContent { return prompt(system, inputs) }
	}
	var err error
	if a.tools, err = langchaingo.Tools(ts, &a.opts.Options); err != nil {
		return nil, err
	}
	if a.definitions, err = langchaingo.LLMTools(ts, &a.opts.Options); err != nil {
		return nil, err
	}
	var o llms.CallOptions
	for _, option := range a.opts.CallOptions {
		option(&o)
	}
	a.streaming = o.StreamingFunc
	return a, nil
}

func prompt(system string, inputs map[string]string) []llms.MessageContent {
	var messages []llms.MessageContent
	if history := inputs[historyKey]; history != "" {
		if system != "" {
			system += "\n\n"
		}
		system += "The conversation so far:\n" + history
	}
	if system != "" {
		messages = append(messages, llms.TextParts(llms.ChatMessageTypeSystem, system))
	}
	return append(messages, llms.TextParts(llms.ChatMessageTypeHuman, inputs[inputKey]))
}

// Plan asks the model what to do next: one action per tool call of its answer, or the end. steps is what was done so far;
// it is sent back as the model's own messages, each with all calls of one answer, and the answers to them.
func (a *Agent) Plan(
	ctx context.Context, steps []schema.AgentStep, inputs map[string]string, options ...chains.ChainCallOption,
) ([]schema.AgentAction, *schema.AgentFinish, error) {
	messages := append(slices.Clone(a.opts.Prompt(inputs)), transcript(steps)...)
	resp, err := a.model.GenerateContent(ctx, a.opts.Replay.Messages(a.model, messages), a.callOptions(options)...)
	if err != nil {
		return nil, nil, fmt.Errorf("agents: asking the model after %d calls: %w", len(steps), err)
	}
	text, calls, err := chat.Read(resp, len(steps)+1)
	if err != nil {
		return nil, nil, fmt.Errorf("agents: asking the model after %d calls: %w", len(steps), err)
	}
	if len(calls) == 0 {
		return nil, &schema.AgentFinish{ReturnValues: map[string]any{a.opts.OutputKey: text}, Log: text}, nil
	}
	log := round{start: len(steps), calls: len(calls), text: text}.String()
	actions := make([]schema.AgentAction, len(calls))
	for i, call := range calls {
		actions[i] = schema.AgentAction{
			Tool: call.FunctionCall.Name, ToolInput: call.FunctionCall.Arguments, ToolID: call.ID, Log: log,
		}
	}
	return actions, nil, nil
}

func (a *Agent) callOptions(options []chains.ChainCallOption) []llms.CallOption {
	all := slices.Clone(a.opts.CallOptions)
	all = append(all, chains.GetLLMCallOptions(options...)...)
	return append(all, func(o *llms.CallOptions) {
		if o.StreamingFunc == nil { // chains set it to nil where their caller says nothing
			o.StreamingFunc = a.streaming
		}
		if len(a.definitions) > 0 {
			o.Tools = a.definitions
		}
		chat.OneAnswer(o)
	})
}

// GetInputKeys returns the inputs that the executor must be given: "input".
func (a *Agent) GetInputKeys() []string { return []string{inputKey} }

// GetOutputKeys returns the key of the answer.
func (a *Agent) GetOutputKeys() []string { return []string{a.opts.OutputKey} }

// GetTools returns the tools for the executor to run. Each is a [*langchaingo.Tool].
func (a *Agent) GetTools() []tools.Tool { return slices.Clone(a.tools) }
