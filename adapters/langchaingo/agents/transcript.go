package agents

import (
	"fmt"
	"strings"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/schema"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo/internal/chat"
)

// A round is one answer of the model that asked for tools. The executor hands back steps, which know nothing of each
// other, so every action of a round carries it in its log: that keeps the agent free of state, and callback handlers
// print it.
type round struct {
	start int    // index of the round's first step
	calls int    // how many steps it has
	text  string // what the model said besides
}

const roundFormat = "[calls %d to %d] "

// String is the form for the log, with calls counted from 1: "[calls 3 to 4] Let me look."
func (r round) String() string {
	return fmt.Sprintf(roundFormat, r.start+1, r.start+r.calls) + r.text
}

// roundOf reads the round that the step at index i begins. A step that no Plan of this agent made is a round of its own.
func roundOf(log string, i int) round {
	var first, last int
	if n, err := fmt.Sscanf(log, roundFormat, &first, &last); err == nil && n == 2 && last >= first {
		r := round{start: i, calls: last - first + 1}
		if header := r.String(); strings.HasPrefix(log, header) {
			r.text = log[len(header):]
			return r
		}
	}
	return round{start: i, calls: 1, text: log}
}

// transcript makes messages of the steps done so far.
func transcript(steps []schema.AgentStep) []llms.MessageContent {
	var messages []llms.MessageContent
	for i := 0; i < len(steps); {
		if steps[i].Action.Tool == "" && steps[i].Action.ToolID == "" {
			// The executor's own word, about an answer it could not parse.
			messages = append(messages, llms.TextParts(llms.ChatMessageTypeHuman, steps[i].Observation))
			i++
			continue
		}
		r := roundOf(steps[i].Action.Log, i)
		done := steps[i:min(i+r.calls, len(steps))]
		calls := make([]llms.ToolCall, len(done))
		for j, step := range done {
			id := step.Action.ToolID
			if id == "" {
				id = fmt.Sprintf("call_%d", i+j+1)
			}
			calls[j] = llms.ToolCall{ID: id, Type: "function", FunctionCall: &llms.FunctionCall{
				Name: step.Action.Tool, Arguments: step.Action.ToolInput,
			}}
		}
		messages = append(messages, chat.Assistant(r.text, calls))
		for j, step := range done {
			messages = append(messages, chat.Response(calls[j], step.Observation))
		}
		i += len(done)
	}
	return messages
}
