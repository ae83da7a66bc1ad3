package mcpgroup

import (
	"context"
	"maps"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

// CallFunc runs one call. Middleware wraps it; the innermost one is the group itself.
type CallFunc func(ctx context.Context, req *CallRequest) (*Result, error)

// CallRequest is one call on its way through the middleware. A middleware may replace Args before it calls next, may
// answer without calling next, and may call next more than once, also concurrently, only if it wants the tool to run more
// than once.
type CallRequest struct {
	Tool *Tool
	Args any // as given to Call; checked against the schema after all middleware
	Key  session.Key

	options callOptions
	checked map[string]any      // Args as they are sent
	answer  *mcp.CallToolResult // of the last attempt
}

// CallOption changes one call. Options are made by the With functions of this package.
type CallOption interface{ apply(*callOptions) }

type callOptions struct {
	timeout  time.Duration
	meta     mcp.Meta
	progress func(context.Context, *mcp.ProgressNotificationParams)
	inputs   mcp.InputResponseMap
	state    string
}

type callOptionFunc func(*callOptions)

func (f callOptionFunc) apply(o *callOptions) { f(o) }

// WithTimeout bounds this call, with all its attempts, instead of [ServerConfig.CallTimeout]. Zero or less means that
// only the context bounds it.
func WithTimeout(d time.Duration) CallOption {
	return callOptionFunc(func(o *callOptions) {
		if d <= 0 {
			d = -1
		}
		o.timeout = d
	})
}

// WithMeta adds entries to the _meta of this call's request. The map is copied.
func WithMeta(meta map[string]any) CallOption {
	return callOptionFunc(func(o *callOptions) {
		if o.meta == nil {
			o.meta = make(mcp.Meta, len(meta))
		}
		maps.Copy(o.meta, meta)
	})
}

// WithProgress asks the server for progress notifications of this call and hands them to fn, one at a time and in
// order of arrival. The last ones may arrive up to 5 s after the call returned.
func WithProgress(fn func(context.Context, *mcp.ProgressNotificationParams)) CallOption {
	return callOptionFunc(func(o *callOptions) { o.progress = fn })
}

// WithInput continues a call whose result asked for input (MCP 2026-07-28, input_required): it carries the responses to
// [mcp.CallToolResult.InputRequests] and the result's RequestState, with the same tool and arguments.
func WithInput(responses mcp.InputResponseMap, requestState string) CallOption {
	return callOptionFunc(func(o *callOptions) { o.inputs, o.state = responses, requestState })
}

// ListOption changes one listing.
type ListOption interface{ applyList(*listOptions) }

type listOptions struct {
	filter  func(context.Context, []*Tool) []*Tool
	refresh bool
}

type listOptionFunc func(*listOptions)

func (f listOptionFunc) applyList(o *listOptions) { f(o) }

// WithFilter takes the place of [Options.Filter] for this listing. Include and Exclude still apply before it. Calls
// obey [Options.Filter] all the same.
func WithFilter(filter func(ctx context.Context, tools []*Tool) []*Tool) ListOption {
	return listOptionFunc(func(o *listOptions) { o.filter = filter })
}

// WithRefresh fetches the list from the server even if the known one is fresh.
func WithRefresh() ListOption {
	return listOptionFunc(func(o *listOptions) { o.refresh = true })
}
