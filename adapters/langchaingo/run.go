package langchaingo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tmc/langchaingo/llms"
	"golang.org/x/sync/errgroup"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo/internal/chat"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// RunOptions changes a [Run]. nil selects all defaults; the struct is copied.
type RunOptions struct {
	Options

	// MaxSteps bounds how often the model is asked. The default is 10.
	MaxSteps int
	// MaxParallel bounds how many calls of one answer run at the same time; 1 runs them in order. The default is 8.
	MaxParallel int
	// Replay is the form in which calls are sent back to the model. The default fits the model's provider.
	Replay Replay
	// CallOptions are passed to the model, before the tools. Run acts on a single answer: [llms.WithN] and
	// [llms.WithCandidateCount] have no effect.
	CallOptions []llms.CallOption
}

// RunResult is what came of a [Run], also of one that failed: as far as it got.
type RunResult struct {
	// Content is the text of the model's last answer, the one without tool calls.
	Content string
	// Messages is the whole conversation, beginning with the messages given to Run. Every tool call in it has its
	// answer, so it can be given to another Run to go on.
	Messages []llms.MessageContent
	// Steps is how often the model answered.
	Steps int
	// Calls are the tool calls in the order in which the model asked for them.
	Calls []CallRecord
}

// CallRecord is one tool call of a [Run].
type CallRecord struct {
	Step        int              // in which answer the model asked for it, from 1
	ID          string           // the call's id, as in the messages
	Name        string           // as the model gave it
	Arguments   string           // as the model gave them
	Tool        *mcpgroup.Tool   // nil if there is no tool of this name
	Result      *mcpgroup.Result // nil if Err is set
	Err         error            // why there is no result
	Observation string           // what the model was told
	Duration    time.Duration
}

// StepsError reports a [Run] in which the model asked for tools to the last step. The calls of that step were not made.
type StepsError struct {
	Steps    int                   // [RunOptions.MaxSteps]
	Messages []llms.MessageContent // [RunResult.Messages]
}

// Error names the limit.
func (e *StepsError) Error() string {
	return fmt.Sprintf("langchaingo: the model still asked for tools after %d steps; raise RunOptions.MaxSteps or go on from the transcript", e.Steps)
}

// Run lets a model use tools until it answers without asking for one. It sends the messages with the definitions of the
// tools (see [LLMTools]), runs the calls of each answer in parallel for the user of ctx, and sends back the answers in the
// order of the calls.
//
// Whatever goes wrong with a call, from arguments that are no JSON to a server that is gone, is told to the model, which
// can mend it. Errors are those of the model, the end of ctx, a [*StepsError], and tools that [LLMTools] refuses. The
// result is never nil and holds what happened until then. messages is not changed. Run panics on a nil model.
func Run(ctx context.Context, model llms.Model, ts []*mcpgroup.Tool, messages []llms.MessageContent, opts *RunOptions) (*RunResult, error) {
	if model == nil {
		panic("langchaingo: Run with a nil model")
	}
	r := &runner{tools: make(map[string]*mcpgroup.Tool, len(ts))}
	if opts != nil {
		r.opts = *opts
	}
	r.opts.Options = r.opts.resolved()
	if r.opts.MaxSteps <= 0 {
		r.opts.MaxSteps = 10
	}
	if r.opts.MaxParallel <= 0 {
		r.opts.MaxParallel = 8
	}
	res := &RunResult{Messages: slices.Clone(messages)}
	definitions, err := LLMTools(ts, &r.opts.Options)
	if err != nil {
		return res, err
	}
	for _, t := range ts {
		r.tools[t.Name] = t
		r.names = append(r.names, t.Name)
	}
	callOptions := slices.Clone(r.opts.CallOptions)
	if len(definitions) > 0 { // providers refuse an empty list
		callOptions = append(callOptions, llms.WithTools(definitions))
	}
	callOptions = append(callOptions, chat.OneAnswer)

	for {
		if err := ctx.Err(); err != nil {
			return res, fmt.Errorf("langchaingo: run ended after %d steps: %w", res.Steps, err)
		}
		resp, err := model.GenerateContent(ctx, r.opts.Replay.Messages(model, res.Messages), callOptions...)
		if err != nil {
			if end := ctx.Err(); end != nil && !errors.Is(err, end) {
				err = errors.Join(end, err) // providers do not all wrap it
			}
			return res, fmt.Errorf("langchaingo: asking the model, step %d: %w", res.Steps+1, err)
		}
		text, calls, err := chat.Read(resp, res.Steps+1)
		if err != nil {
			return res, fmt.Errorf("langchaingo: asking the model, step %d: %w", res.Steps+1, err)
		}
		res.Steps++
		if m := chat.Assistant(text, calls); len(m.Parts) > 0 {
			res.Messages = append(res.Messages, m)
		}
		if len(calls) == 0 {
			res.Content = text
			return res, nil
		}
		if res.Steps == r.opts.MaxSteps {
			for _, call := range calls {
				res.Messages = append(res.Messages, chat.Response(call, errorPrefix+"not run, the limit of steps was reached"))
			}
			return res, &StepsError{Steps: res.Steps, Messages: res.Messages}
		}
		for i, record := range r.callAll(ctx, res.Steps, calls) {
			res.Calls = append(res.Calls, record)
			res.Messages = append(res.Messages, chat.Response(calls[i], record.Observation))
		}
	}
}

// runner is what one Run needs for its calls. It does not change while it is used.
type runner struct {
	opts  RunOptions
	tools map[string]*mcpgroup.Tool
	names []string
}

// callAll makes all calls of one answer and returns their records in the order of the calls.
func (r *runner) callAll(ctx context.Context, step int, calls []llms.ToolCall) []CallRecord {
	records := make([]CallRecord, len(calls))
	var g errgroup.Group
	g.SetLimit(r.opts.MaxParallel)
	for i, call := range calls {
		g.Go(func() error {
			records[i] = r.call(ctx, step, call)
			return nil
		})
	}
	_ = g.Wait() // calls do not fail: see CallRecord.Err
	return records
}

func (r *runner) call(ctx context.Context, step int, call llms.ToolCall) CallRecord {
	start := time.Now()
	record := CallRecord{Step: step, ID: call.ID, Name: call.FunctionCall.Name, Arguments: call.FunctionCall.Arguments}
	record.Tool = r.tools[record.Name]
	switch {
	case ctx.Err() != nil:
		record.Err = ctx.Err()
		record.Observation = errorPrefix + "not run, the run was ended"
	case record.Tool == nil:
		record.Err = fmt.Errorf("langchaingo: no tool %q: %w", headOnly(record.Name, 128), mcpgroup.ErrToolNotFound)
		record.Observation = middleOut(errorPrefix+unknownTool(record.Name, r.names), r.opts.MaxObservationBytes)
	default:
		obs := r.opts.observe(ctx, record.Tool, func() (json.RawMessage, error) { return parseArguments(record.Arguments) })
		record.Result, record.Err, record.Observation = obs.result, obs.err, obs.text
	}
	record.Duration = time.Since(start)
	return record
}

// unknownTool tells a model that a tool does not exist and which one it may have meant. It is not run in its place: names
// that differ in case may be two tools.
func unknownTool(name string, names []string) string {
	text := fmt.Sprintf("there is no tool %q. ", headOnly(name, 128))
	var similar []string
	for _, n := range names {
		if strings.EqualFold(n, strings.TrimSpace(name)) {
			similar = append(similar, n)
		}
	}
	const most = 50
	switch {
	case len(similar) > 0:
		return text + "Did you mean " + strings.Join(similar, " or ") + "?"
	case len(names) == 0:
		return text + "There are no tools"
	case len(names) > most:
		return text + fmt.Sprintf("The tools are: %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return text + "The tools are: " + strings.Join(names, ", ")
}
