package mcpgroup

import (
	"context"
	"errors"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Resources returns the server's resources for the user of ctx, all pages. Nothing is cached.
func (g *MCPFunctionGroup) Resources(ctx context.Context) ([]*mcp.Resource, error) {
	return listAll(ctx, g, "list resources", func(ctx context.Context, cs *mcp.ClientSession, cursor string) ([]*mcp.Resource, string, error) {
		r, err := captureResult[*mcp.ListResourcesResult](ctx, func(ctx context.Context) (mcp.Result, error) {
			return cs.ListResources(ctx, &mcp.ListResourcesParams{Cursor: cursor})
		})
		if err != nil {
			return nil, "", err
		}
		return r.Resources, r.NextCursor, nil
	})
}

// ResourceTemplates returns the server's resource templates for the user of ctx, all pages. Nothing is cached.
func (g *MCPFunctionGroup) ResourceTemplates(ctx context.Context) ([]*mcp.ResourceTemplate, error) {
	return listAll(ctx, g, "list resource templates", func(ctx context.Context, cs *mcp.ClientSession, cursor string) ([]*mcp.ResourceTemplate, string, error) {
		r, err := captureResult[*mcp.ListResourceTemplatesResult](ctx, func(ctx context.Context) (mcp.Result, error) {
			return cs.ListResourceTemplates(ctx, &mcp.ListResourceTemplatesParams{Cursor: cursor})
		})
		if err != nil {
			return nil, "", err
		}
		return r.ResourceTemplates, r.NextCursor, nil
	})
}

// Prompts returns the server's prompts for the user of ctx, all pages. Nothing is cached.
func (g *MCPFunctionGroup) Prompts(ctx context.Context) ([]*mcp.Prompt, error) {
	return listAll(ctx, g, "list prompts", func(ctx context.Context, cs *mcp.ClientSession, cursor string) ([]*mcp.Prompt, string, error) {
		r, err := captureResult[*mcp.ListPromptsResult](ctx, func(ctx context.Context) (mcp.Result, error) {
			return cs.ListPrompts(ctx, &mcp.ListPromptsParams{Cursor: cursor})
		})
		if err != nil {
			return nil, "", err
		}
		return r.Prompts, r.NextCursor, nil
	})
}

// ReadResource reads one resource for the user of ctx.
func (g *MCPFunctionGroup) ReadResource(ctx context.Context, uri string) (*mcp.ReadResourceResult, error) {
	var res *mcp.ReadResourceResult
	err := g.request(ctx, "read resource", func(ctx context.Context, c *conn) (err error) {
		res, err = captureResult[*mcp.ReadResourceResult](ctx, func(ctx context.Context) (mcp.Result, error) {
			return c.cs.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
		})
		return err
	})
	return res, err
}

// GetPrompt fills in one prompt for the user of ctx.
func (g *MCPFunctionGroup) GetPrompt(ctx context.Context, name string, args map[string]string) (*mcp.GetPromptResult, error) {
	var res *mcp.GetPromptResult
	err := g.request(ctx, "get prompt", func(ctx context.Context, c *conn) (err error) {
		res, err = c.cs.GetPrompt(ctx, &mcp.GetPromptParams{Name: name, Arguments: args})
		return err
	})
	return res, err
}

// request runs a request that changes nothing on the server, so that it may always be repeated.
func (g *MCPFunctionGroup) request(ctx context.Context, name string, run func(context.Context, *conn) error) error {
	id, err := g.identify(ctx)
	if err != nil {
		return &Error{Op: name, Server: g.cfg.Name, Outcome: NotSent, Err: err}
	}
	var deadline time.Time
	if g.cfg.CallTimeout > 0 {
		deadline = time.Now().Add(g.cfg.CallTimeout)
	}
	_, err = g.do(ctx, id, deadline, operation{name, "", true, runFunc(run)})
	return err
}

func listAll[T any](ctx context.Context, g *MCPFunctionGroup, name string,
	page func(ctx context.Context, cs *mcp.ClientSession, cursor string) ([]T, string, error)) (all []T, err error) {
	err = g.request(ctx, name, func(ctx context.Context, c *conn) error {
		var truncated, err error
		all, truncated, err = pages(func(cursor string) ([]T, string, error) { return page(ctx, c.cs, cursor) })
		if truncated != nil {
			g.log.Warn("mcpgroup: "+name, "server", g.cfg.Name, "problem", truncated)
		}
		return err
	})
	return all, err
}

// captureResult runs send, which must make one request of the SDK, and returns the server's answer past the SDK's cache.
func captureResult[R mcp.Result](ctx context.Context, send func(context.Context) (mcp.Result, error)) (R, error) {
	var none R
	ctx, got := capture(ctx)
	if _, err := send(ctx); err != nil {
		return none, err
	}
	r, ok := got.result.(R)
	if !ok {
		return none, errors.New("the SDK returned no result")
	}
	return r, nil
}
