package openapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// NewServer returns an MCP server with one tool per operation that the options keep. It sends nothing. Making a second
// server of a document is cheap: the tools' schemas are made once.
//
// It fails if the base URL is unknown, if a pattern is malformed, or if no operation is left.
func NewServer(d *Document, opts *Options) (*mcp.Server, error) {
	o := opts.withDefaults()
	base, err := d.baseURL(o.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("openapi: making a server: %w", err)
	}
	selected, err := d.choose(o)
	if err != nil {
		return nil, fmt.Errorf("openapi: making a server: %w", err)
	}
	for _, err := range d.skipped {
		o.Logger.Warn("an operation is left out", slog.Any("error", err))
	}
	client := within(o.Client)
	name, version := spell(d.title), d.version
	if name == "" {
		name = "openapi"
	}
	if version == "" {
		version = "0"
	}
	server := mcp.NewServer(&mcp.Implementation{Name: name, Title: d.title, Version: version}, &mcp.ServerOptions{
		Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}},
	})
	for i, s := range selected {
		e := &endpoint{op: s.op, base: base, client: client, opts: &o}
		if s.op.servers != nil && o.BaseURL == "" {
			if e.base, err = d.serverURL(s.op.servers); err != nil {
				o.Logger.Warn("an operation is left out", slog.String("operation", s.op.key()), slog.Any("error", err))
				continue
			}
		}
		if e.authorize = o.Authorize; origin(e.base) != origin(base) {
			e.authorize = nil
		}
		if e.authorize != nil && s.op.authorized != nil {
			e.op = s.op.authorized
		}
		schemas := e.op.schemas(o.MaxSchemaBytes)
		e.wrap = schemas.wrap
		if o.OmitOutputSchemas {
			schemas.output, e.wrap = nil, false
		}
		server.AddTool(e.op.tool(s.name, schemas), e.handle)
		if o.Progress != nil {
			o.Progress(i+1, len(selected))
		}
	}
	return server, nil
}

// A selection is an operation and the name of its tool.
type selection struct {
	op   *operation
	name string
}

func (d *Document) choose(o Options) ([]selection, error) {
	for _, pattern := range append(slices.Clone(o.Include), o.Exclude...) {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("the pattern %q is malformed", bound(pattern, 100))
		}
	}
	matches := func(patterns []string, name string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, name); return ok })
	}
	tagged := func(tags []string, op *operation) bool {
		return slices.ContainsFunc(op.tags, func(t string) bool { return slices.Contains(tags, t) })
	}
	if len(d.operations) == 0 {
		return nil, errors.New("the document has no operation that can become a tool")
	}
	// All are named before some are left out, so that a filter never changes a name.
	wanted, keys := make([]string, len(d.operations)), make([]string, len(d.operations))
	for i, op := range d.operations {
		wanted[i], keys[i] = op.name, op.key()
		if o.Names != nil {
			wanted[i] = o.Names(op.public())
		}
	}
	var out []selection
	for i, name := range toolNames(wanted, keys) {
		op := d.operations[i]
		switch {
		case op.deprecated && !o.IncludeDeprecated,
			len(o.IncludeTags) > 0 && !tagged(o.IncludeTags, op), tagged(o.ExcludeTags, op),
			len(o.Include) > 0 && !matches(o.Include, name), matches(o.Exclude, name):
			continue
		}
		out = append(out, selection{op, name})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the options leave out all %d operations", len(d.operations))
	}
	return out, nil
}

// within returns a client that does what c does, except that it stays at the origin of each request.
func within(c *http.Client) *http.Client {
	out := *c
	out.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if origin(r.URL) != origin(via[0].URL) {
			return http.ErrUseLastResponse
		}
		return checkRedirect(c.CheckRedirect, r, via)
	}
	return &out
}

// An endpoint calls one operation.
type endpoint struct {
	op        *operation
	base      *url.URL
	client    *http.Client
	authorize func(context.Context, *http.Request) error // nil: the request goes without credentials
	wrap      bool                                       // the tool's output schema is one of {"result": ...}
	opts      *Options
}
