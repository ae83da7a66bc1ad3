package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

// Call runs the tool with the exposed name for the user of ctx. See [Tool.Call].
func (g *MCPFunctionGroup) Call(ctx context.Context, name string, args any, opts ...CallOption) (*Result, error) {
	t, err := g.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	return t.run(ctx, args, opts)
}

// invoke is the innermost CallFunc: from here a call reads top to bottom.
func (g *MCPFunctionGroup) invoke(ctx context.Context, req *CallRequest) (*Result, error) {
	start := time.Now()
	if len(g.opts.Middleware) > 0 { // which may call this twice at once with one request
		own := *req
		req = &own
	}
	t := req.Tool
	fail := func(outcome Outcome, err error) (*Result, error) {
		return nil, &Error{Op: "call", Server: g.cfg.Name, Tool: t.Name, Outcome: outcome, Err: err}
	}

	// 1. Who calls? They may see the tool, unless a middleware has changed who they are.
	id, err := g.identify(ctx)
	if err != nil {
		return fail(NotSent, err)
	}
	if len(g.opts.Middleware) > 0 && !g.visible(ctx, t) {
		return fail(NotSent, ErrToolNotFound)
	}

	// 2. Do the arguments fit? A connect or a round trip would be wasted on arguments that do not.
	if req.checked, err = checkArguments(t, req.Args); err != nil {
		return fail(NotSent, err)
	}

	// 3. One deadline for connecting and all attempts.
	timeout := g.cfg.CallTimeout
	if req.options.timeout != 0 {
		timeout = req.options.timeout
	}
	var deadline time.Time
	if timeout > 0 {
		deadline = start.Add(timeout)
	}
	if fn := req.options.progress; fn != nil {
		token := g.expectProgress(fn)
		req.options.meta = maps.Clone(req.options.meta)
		if req.options.meta == nil {
			req.options.meta = make(mcp.Meta, 1)
		}
		req.options.meta["progressToken"] = token
		// The SDK hands over answers before the notifications that came ahead of them.
		defer time.AfterFunc(progressGrace, func() { g.progress.Delete(token) })
	}

	// 4. Lease, send, and repeat as far as the outcome allows.
	attempts, err := g.do(ctx, id, deadline, operation{"call", t.Name, g.cfg.Trusted && t.Idempotent(), req})
	if err != nil {
		return nil, err
	}
	return &Result{CallToolResult: req.answer, Attempts: attempts, Duration: time.Since(start)}, nil
}

// run sends the call once. The params are new for every attempt: the SDK writes into them.
func (req *CallRequest) run(ctx context.Context, c *conn) (err error) {
	if set := req.Tool.headers; set != nil {
		c.mirror(set)
	}
	req.answer, err = c.cs.CallTool(ctx, &mcp.CallToolParams{
		Meta: maps.Clone(req.options.meta), Name: req.Tool.OriginalName, Arguments: req.checked,
		InputResponses: req.options.inputs, RequestState: req.options.state,
	})
	return err
}

// progressGrace is how long after its call a progress notification still finds its receiver.
const progressGrace = 5 * time.Second

// checkArguments makes an object of args, drops nulls the schema does not know and validates the rest.
func checkArguments(t *Tool, args any) (map[string]any, error) {
	object, err := schema.Normalize(args)
	if err != nil {
		return nil, &ArgumentsError{Tool: t.Name, Violations: []Violation{{Message: err.Error()}}}
	}
	object = t.input.Prune(object)
	if err := t.input.Validate(object); err != nil {
		var invalid *schema.ValidationError
		if !errors.As(err, &invalid) {
			return nil, fmt.Errorf("%w: %w", ErrInvalidArguments, err)
		}
		e := &ArgumentsError{Tool: t.Name}
		for _, v := range invalid.Violations {
			e.Violations = append(e.Violations, Violation(v))
		}
		return nil, e
	}
	return object, nil
}
