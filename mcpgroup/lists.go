package mcpgroup

import (
	"context"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Bounds of one listing. A server that pages without end, or in a circle, costs no more than this.
const (
	maxPages = 100
	maxItems = 10_000
)

var (
	errTooManyPages = fmt.Errorf("the list has more than %d pages; the rest is left out", maxPages)
	errTooManyItems = fmt.Errorf("the list has more than %d entries; the rest is left out", maxItems)
	errCursorCycle  = errors.New("the server repeated a page cursor; the list ends there")
)

// pages collects the pages of a listing. next fetches one page and returns its items and the cursor of the following
// page, empty after the last. A listing that runs into a bound returns what it has together with a truncation error.
func pages[T any](next func(cursor string) (items []T, following string, err error)) (all []T, truncated, err error) {
	seen := map[string]bool{}
	cursor := ""
	for range maxPages {
		items, following, err := next(cursor)
		if err != nil {
			return nil, nil, err
		}
		if len(all)+len(items) > maxItems {
			return append(all, items[:maxItems-len(all)]...), errTooManyItems, nil
		}
		all = append(all, items...)
		if following == "" {
			return all, nil, nil
		}
		if seen[following] {
			return all, errCursorCycle, nil
		}
		seen[following] = true
		cursor = following
	}
	return all, errTooManyPages, nil
}

// captured receives the answer to a list or read request past the SDK's cache.
//
// From 2026-07-28 on the SDK keeps every such answer in its session for as long as the session lives, even with a time
// to live of zero: 629 KiB per session for 101 tools. It also serves them from there. A request whose context carries a
// captured gets the answer itself, and the SDK an empty one to keep.
type captured struct{ result mcp.Result }

type capturedKey struct{}

func capture(ctx context.Context) (context.Context, *captured) {
	c := &captured{}
	return context.WithValue(ctx, capturedKey{}, c), c
}

// captureLists is the sending middleware behind captured.
func captureLists(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		if method == "tools/call" {
			return next(ctx, method, req)
		}
		res, err := next(ctx, method, req)
		c, ok := ctx.Value(capturedKey{}).(*captured)
		if err != nil || !ok {
			return res, err
		}
		c.result = res
		switch r := res.(type) {
		case *mcp.ListToolsResult:
			return &mcp.ListToolsResult{Tools: withHeaderParams(r.Tools)}, nil // the SDK checks the annotations
		case *mcp.ListPromptsResult:
			return &mcp.ListPromptsResult{}, nil
		case *mcp.ListResourcesResult:
			return &mcp.ListResourcesResult{}, nil
		case *mcp.ListResourceTemplatesResult:
			return &mcp.ListResourceTemplatesResult{}, nil
		case *mcp.ReadResourceResult:
			return &mcp.ReadResourceResult{}, nil
		}
		return res, nil
	}
}

// headerTools are the tools of a list whose parameters travel as HTTP headers too (SEP-2243, x-mcp-header).
type headerTools struct{ tools []*mcp.Tool }

// mirror tells c's transport of the tools in set, which another session may have listed.
func (c *conn) mirror(set *headerTools) {
	if c.http != nil && c.stateless() && c.headerTools.Load() != set {
		c.http.Mirror(set.tools)
		c.headerTools.Store(set)
	}
}

func withHeaderParams(tools []*mcp.Tool) (with []*mcp.Tool) {
	for _, t := range tools {
		if t != nil && hasHeaderParams(t.InputSchema) {
			with = append(with, t)
		}
	}
	return with
}

// hasHeaderParams looks for x-mcp-header where the SDK does: in properties, and in their properties.
func hasHeaderParams(schema any) bool {
	s, _ := schema.(map[string]any)
	properties, _ := s["properties"].(map[string]any)
	for _, p := range properties {
		if p, ok := p.(map[string]any); ok {
			if _, ok := p["x-mcp-header"]; ok || hasHeaderParams(p) {
				return true
			}
		}
	}
	return false
}
