package mcpgroup

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/recovery"
	"github.com/mcpfleet/mcpfleet/session"
)

// keyOf names the user a message of the server belongs to: the user of the call it came with, else the user of the
// connection it came on. A shared connection has no user.
func keyOf(ctx context.Context) (session.Key, error) {
	key, ok := session.FromContext(ctx)
	if !ok {
		return session.Key{}, errors.New("mcpgroup: the request came on a shared connection outside of any user's call")
	}
	return key, nil
}

// noteAsked tells the call that ctx belongs to, if it does, that the server has got it: what fails from here on was sent.
func noteAsked(ctx context.Context) {
	if a, ok := ctx.Value(attemptKey{}).(*attempt); ok {
		a.asked.Store(true)
	}
}

func (g *MCPFunctionGroup) onElicit(ctx context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
	key, err := keyOf(ctx)
	if err != nil {
		return nil, err
	}
	noteAsked(ctx)
	var res *mcp.ElicitResult
	if e := g.protect("Handlers.Elicit", func() { res, err = g.opts.Handlers.Elicit(ctx, key, req.Params) }); e != nil {
		return nil, e
	}
	return res, err
}

func (g *MCPFunctionGroup) onSample(ctx context.Context, req *mcp.CreateMessageWithToolsRequest) (*mcp.CreateMessageWithToolsResult, error) {
	key, err := keyOf(ctx)
	if err != nil {
		return nil, err
	}
	noteAsked(ctx)
	var res *mcp.CreateMessageWithToolsResult
	if e := g.protect("Handlers.Sample", func() { res, err = g.opts.Handlers.Sample(ctx, key, req.Params) }); e != nil {
		return nil, e
	}
	return res, err
}

func (g *MCPFunctionGroup) onLog(ctx context.Context, req *mcp.LoggingMessageRequest) {
	if key, err := keyOf(ctx); err == nil {
		g.protect("Handlers.Log", func() { g.opts.Handlers.Log(ctx, key, req.Params) })
	}
}

func (g *MCPFunctionGroup) onResourceUpdated(ctx context.Context, req *mcp.ResourceUpdatedNotificationRequest) {
	if key, err := keyOf(ctx); err == nil {
		g.protect("Handlers.ResourceUpdated", func() { g.opts.Handlers.ResourceUpdated(ctx, key, req.Params) })
	}
}

func (g *MCPFunctionGroup) onToolsChanged(ctx context.Context, _ *mcp.ToolListChangedRequest) {
	g.toolsChanged(ctx)
}

// toolsChanged is told that tools have changed, or may have unnoticed, by the connection behind ctx. It only marks the lists:
// they are fetched again when somebody asks for them, so a server that floods notifications costs one atomic store each.
func (g *MCPFunctionGroup) toolsChanged(ctx context.Context) {
	g.catalogue.changed()
	if g.notified != nil {
		g.notified(ctx)
	}
}

// onProgress hands a notification to the call that asked for it, else to the group's handler.
func (g *MCPFunctionGroup) onProgress(ctx context.Context, req *mcp.ProgressNotificationClientRequest) {
	if token, ok := progressToken(req.Params.ProgressToken); ok {
		if fn, ok := g.progress.Load(token); ok {
			g.protect("WithProgress", func() { fn.(func(context.Context, *mcp.ProgressNotificationParams))(ctx, req.Params) })
			return
		}
	}
	if h := g.opts.Handlers.Progress; h != nil {
		if key, err := keyOf(ctx); err == nil {
			g.protect("Handlers.Progress", func() { h(ctx, key, req.Params) })
		}
	}
}

// expectProgress registers the receiver of a call's progress and returns the token to ask for it with. The receivers are
// those of all users: what serves one of them must not guess the tokens of another's calls.
func (g *MCPFunctionGroup) expectProgress(fn func(context.Context, *mcp.ProgressNotificationParams)) (token int64) {
	var b [8]byte
	_, _ = rand.Read(b[:])                                // it never fails
	token = int64(binary.LittleEndian.Uint64(b[:]) >> 11) // exact in a float64, so that two do not meet
	g.progress.Store(token, fn)
	return token
}

// progressToken reads a token of ours back from JSON, where every number is a float64.
func progressToken(v any) (int64, bool) {
	switch v := v.(type) {
	case float64:
		return int64(v), v == math.Trunc(v)
	case int64:
		return v, true
	}
	return 0, false
}

// recoverHandler keeps a panic in the SDK's own handling of a message from ending the process.
func (g *MCPFunctionGroup) recoverHandler(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (res mcp.Result, err error) {
		defer func() {
			if v := recover(); v != nil {
				g.log.Error("mcpgroup: panic while handling a message of the server", "method", method, "panic", v)
				res, err = nil, fmt.Errorf("mcpgroup: panic while handling %s", method)
			}
		}()
		return next(ctx, method, req)
	}
}

// protect runs a callback of the host on a goroutine of its own and waits for it, so that neither a panic nor
// runtime.Goexit in it takes a goroutine of the SDK along. It returns an error if fn did not return normally.
func (g *MCPFunctionGroup) protect(what string, fn func()) error {
	err := protect(what, fn)
	if err != nil {
		var stack string
		if p := (*session.PanicError)(nil); errors.As(err, &p) {
			stack = string(p.Stack)
		}
		g.log.Error("mcpgroup: a callback did not return", "callback", what, "error", err, "stack", stack)
	}
	return err
}

func protect(what string, fn func()) error {
	_, err := recovery.Call(func() (struct{}, error) { fn(); return struct{}{}, nil }, func(value any, stack []byte) error {
		if value == nil {
			return fmt.Errorf("mcpgroup: %s called runtime.Goexit", what)
		}
		return fmt.Errorf("mcpgroup: %s: %w", what, &session.PanicError{Value: value, Stack: stack})
	})
	return err
}
