package langchaingo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// maxSignature bounds the arguments shown in the text of an error, in bytes.
const maxSignature = 512

// An observation is what came of one call.
type observation struct {
	text   string // for the model; never empty
	result *mcpgroup.Result
	err    error // why there is no result
}

// observe calls t and turns whatever comes of it into an observation. parse reads the input.
func (o *Options) observe(ctx context.Context, t *mcpgroup.Tool, parse func() (json.RawMessage, error)) (obs observation) {
	args, err := parse()
	if err != nil {
		obs.err = &mcpgroup.ArgumentsError{Tool: t.Name, Violations: []mcpgroup.Violation{{Message: err.Error()}}}
	} else {
		var opts []mcpgroup.CallOption
		if o.Timeout > 0 {
			opts = append(opts, mcpgroup.WithTimeout(o.Timeout))
		}
		obs.result, obs.err = callSafely(ctx, t, args, opts)
	}
	if o.OnResult != nil {
		o.OnResult(ctx, t, obs.result, obs.err)
	}
	if obs.err != nil {
		obs.text = o.errorText(ctx, t, obs.err)
	} else {
		obs.text = Text(obs.result)
	}
	obs.text = middleOut(obs.text, o.MaxObservationBytes)
	return obs
}

// callSafely makes an error of a panic: a middleware's bug must not end the process from a goroutine of [Run].
func callSafely(ctx context.Context, t *mcpgroup.Tool, args json.RawMessage, opts []mcpgroup.CallOption) (res *mcpgroup.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			res, err = nil, fmt.Errorf("langchaingo: calling tool %q: %w", t.Name, &session.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	res, err = t.Call(ctx, args, opts...)
	if err == nil && res == nil {
		err = fmt.Errorf("langchaingo: calling tool %q: a middleware returned neither a result nor an error", t.Name)
	}
	return res, err
}

func (o *Options) errorText(ctx context.Context, t *mcpgroup.Tool, err error) string {
	if o.ErrorText != nil {
		if text := o.ErrorText(ctx, t, err); text != "" {
			if !strings.HasPrefix(text, errorPrefix) {
				text = errorPrefix + text
			}
			return text
		}
	}
	return errorPrefix + describe(t, err)
}

// describe tells a model what went wrong and what to do about it. It is made of what the model may know: names, what a
// schema asks for, what the server itself answered. The text of an error is for the log: that of a middleware may hold
// anything, and a server's standard error or address is not for everyone to read.
func describe(t *mcpgroup.Tool, err error) string {
	var (
		bad   *mcpgroup.ArgumentsError
		rpc   *mcpgroup.RPCError
		call  *mcpgroup.Error
		crash *session.PanicError
	)
	late := errors.Is(err, context.DeadlineExceeded)
	switch {
	case errors.As(err, &bad):
		return fmt.Sprintf("the arguments do not fit tool %q: %s. Nothing was run; mend the arguments and call again. Arguments: %s",
			t.Name, violations(bad), signature(t.InputSchema, maxSignature))
	case errors.Is(err, mcpgroup.ErrToolNotFound), errors.Is(err, mcpgroup.ErrClosed):
		return fmt.Sprintf("there is no tool %q any more. Nothing was run; use another tool", t.Name)
	case errors.Is(err, mcpgroup.ErrResultTooLarge):
		return fmt.Sprintf("the answer of tool %q was too large to read. The tool may have run; ask for less at a time", t.Name)
	case errors.Is(err, mcpgroup.ErrOutcomeUnknown):
		why := "gave no answer"
		if late {
			why = "did not answer in time"
		}
		return fmt.Sprintf("tool %q %s and may have run: do not repeat the call blindly, first check whether it took effect", t.Name, why)
	case errors.Is(err, mcpgroup.ErrUnauthorized):
		return fmt.Sprintf("server %q does not allow this user to call tool %q. Calling again does not help until they sign in or get the permission", t.Server, t.Name)
	case errors.Is(err, mcpgroup.ErrRateLimited):
		return fmt.Sprintf("server %q takes no more calls for now. Nothing was run; wait before calling tool %q again", t.Server, t.Name)
	case errors.Is(err, mcpgroup.ErrUnavailable):
		return fmt.Sprintf("server %q cannot be reached. Nothing was run; call tool %q later or go on without it", t.Server, t.Name)
	case errors.As(err, &rpc):
		return fmt.Sprintf("server %q refused the call of tool %q: %s (code %d)", t.Server, t.Name, rpc.Message, rpc.Code)
	case errors.As(err, &crash):
		return fmt.Sprintf("calling tool %q failed inside this application. The tool may have run: do not repeat the call blindly", t.Name)
	case errors.As(err, &call) && call.Outcome == mcpgroup.NotSent && late:
		return fmt.Sprintf("tool %q could not be called in time. Nothing was run", t.Name)
	case errors.As(err, &call) && call.Outcome == mcpgroup.NotSent:
		return fmt.Sprintf("tool %q could not be called. Nothing was run, and the arguments are not the reason", t.Name)
	case errors.As(err, &call):
		return fmt.Sprintf("the call of tool %q failed at server %q", t.Name, t.Server)
	}
	return fmt.Sprintf("the application did not let the call of tool %q through", t.Name)
}

func violations(e *mcpgroup.ArgumentsError) string {
	var parts []string
	for _, v := range e.Violations {
		if v.Path != "" {
			parts = append(parts, v.Path+": "+v.Message)
		} else {
			parts = append(parts, v.Message)
		}
	}
	return strings.Join(parts, "; ")
}
