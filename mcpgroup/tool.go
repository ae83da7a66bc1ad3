package mcpgroup

import (
	"context"
	"crypto/sha256"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/schema"
	"github.com/mcpfleet/mcpfleet/session"
)

// Tool is one tool as agents see it. A Tool belongs to the group that listed it and is shared by all users: it is
// immutable, and whoever calls it acts as the [session.Key] of the call's context. It is safe for concurrent use.
type Tool struct {
	Name         string // exposed name: unique in its group without regard to case, and fit for every provider
	OriginalName string // the server's name
	Server       string // [ServerConfig.Name]
	Title        string // for people; may be empty
	Description  string // for the model, freed of control and invisible characters

	// InputSchema is the JSON Schema of the arguments; its top level is an object. Its texts (title, description, comments,
	// examples and what JSON Schema does not define) are cleaned as Description is, all else is as the server sent it:
	// arguments are checked and sent by the same names and values. A tool whose names or values have characters that nobody
	// sees is left out ([Status.Problems]). It must not be changed.
	InputSchema map[string]any
	// OutputSchema is the JSON Schema of the structured result, cleaned as InputSchema is, or nil: also where it could not
	// be shown ([Status.Problems]). It must not be changed.
	OutputSchema map[string]any

	// Annotations are the server's hints, or nil. They are claims of the server: see [ServerConfig.Trusted].
	Annotations *mcp.ToolAnnotations
	Icons       []mcp.Icon
	Meta        mcp.Meta

	group   *MCPFunctionGroup
	base    *Tool  // the tool as its group lists it; nil if it is that one
	via     router // what listed the tool, if not the group itself
	id      string
	sum     [sha256.Size]byte // of what an agent sees of the tool
	input   *schema.Schema
	headers *headerTools // nil unless a parameter travels as an HTTP header too (x-mcp-header)
}

// router finds the present tool for one that was listed before.
type router interface {
	callTool(ctx context.Context, t *Tool, args any, opts []CallOption) (*Result, error)
}

// ID returns the server's name and the tool's name in it, with a dot between: "github.create_issue". Unlike Name it does
// not depend on what other servers there are.
func (t *Tool) ID() string {
	if t.id != "" {
		return t.id
	}
	return t.Server + "." + t.Name
}

// Call runs the tool for the user of ctx and returns the server's result, which may itself report a failure of the
// tool: see [Result.Err]. args is nil, a map[string]any, a json.RawMessage, a []byte or string holding a JSON object, or
// any value that encodes to one; it is not changed.
//
// Errors wrap the sentinels of this package. A tool never runs twice for one Call unless its outcome is unknown, it is
// annotated read-only or idempotent, and the server is trusted.
func (t *Tool) Call(ctx context.Context, args any, opts ...CallOption) (*Result, error) {
	if t.via != nil {
		return t.via.callTool(ctx, t, args, opts)
	}
	if t.group == nil {
		panic("mcpgroup: Call on a Tool that no group listed")
	}
	if !t.group.visible(ctx, t) { // it was listed for somebody else, and no middleware is told of it
		return nil, &Error{Op: "call", Server: t.Server, Tool: t.Name, Outcome: NotSent, Err: ErrToolNotFound}
	}
	return t.run(ctx, args, opts)
}

// run is Call of a tool of a group, which ctx may see.
func (t *Tool) run(ctx context.Context, args any, opts []CallOption) (*Result, error) {
	req := &CallRequest{Tool: t, Args: args}
	req.Key, _ = session.FromContext(ctx)
	for _, o := range opts {
		o.apply(&req.options)
	}
	return t.group.call(ctx, req)
}

// ReadOnly reports whether the tool is annotated as changing nothing.
func (t *Tool) ReadOnly() bool { return t.Annotations != nil && t.Annotations.ReadOnlyHint }

// Idempotent reports whether the tool is annotated as safe to repeat with the same arguments: read-only tools are.
func (t *Tool) Idempotent() bool {
	return t.Annotations != nil && (t.Annotations.IdempotentHint || t.Annotations.ReadOnlyHint)
}

// Destructive reports whether the tool may destroy something. Without an annotation it may (MCP, server/tools).
func (t *Tool) Destructive() bool {
	if t.Annotations == nil {
		return true
	}
	if t.Annotations.ReadOnlyHint {
		return false
	}
	return t.Annotations.DestructiveHint == nil || *t.Annotations.DestructiveHint
}
