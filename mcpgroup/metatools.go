package mcpgroup

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/schema"
	"github.com/mcpfleet/mcpfleet/selector/tokens"
)

// Names of the tools of [Registry.MetaTools], after [MetaToolOptions.Prefix].
const (
	searchToolsName  = "search_tools"
	describeToolName = "describe_tool"
	callToolName     = "call_tool"
	listServersName  = "list_servers"
)

const (
	defaultSearchBudget = 4000
	minSearchBudget     = 200
	maxSearchQueries    = 16
	maxSearchQuery      = 1000 // characters
	maxServerText       = 200  // bytes of what list_servers says of a server
	maxShownSchema      = 4 << 10
	maxShownWord        = maxNameLen // bytes of a word or name in the answer of a search
	maxDescribed        = 16_000     // tokens of the answer of describe_tool; four of several thousand published tools need more
	maxShownDescription = 2 << 10    // bytes of the description of a tool whose schema is too large to be shown
	maxShownLoss        = 200        // bytes of what describe_tool says of one thing that it left out
	maxShownLosses      = 20
	maxShownMistakes    = 4 << 10 // bytes of what is wrong with arguments
)

// MetaToolOptions changes the tools of [Registry.MetaTools]. nil selects all defaults.
type MetaToolOptions struct {
	// Prefix is put in front of the names, for agents that have other tools of these names: letters, digits, "_" and "-", at
	// most 32. The tool that reads long results keeps the name that its results tell.
	Prefix string
	// MaxTools bounds the tools that one search finds. The model may ask for fewer. The default is 10; at most 1,000.
	MaxTools int
	// TokenBudget bounds the answer of one search, in tokens as [RegistryOptions.Selector] counts them. Where a list of servers
	// is longer it says less of each, down to the name. The default is 4,000; at least 200.
	TokenBudget int
}

// MetaTools returns the few tools by which a model finds and calls all others, so that an agent carries those instead of
// thousands:
//
//	search_tools   the tools that fit some short queries, with their schemas, as in [Registry.Select]
//	call_tool      runs a tool by name or id
//	describe_tool  everything about one tool, in at most 16,000 tokens; it says what it leaves out of a larger one
//	list_servers   the servers and what they are for
//
// and with [RegistryOptions.Results] the tool that reads what was left out of a result. They are tools like those of a
// server, for any adapter and for [Tool.Call]; their Server is "mcpfleet". They act as the user of the context they are
// called with, find what that user may see, and follow the registry.
//
// call_tool goes the way of [Registry.Call]: credentials, policies, approval, argument checks and bounds of results are those
// of the tool that it calls, and so are result and error, but for mistakes that the model can mend: of a name or of
// arguments it is told in a result with isError set. Answers are JSON, as text and as structured content.
func (r *Registry) MetaTools(opts *MetaToolOptions) ([]*Tool, error) { return r.metaTools(opts, nil) }

// MetaTools is [Registry.MetaTools] for the agent: it finds and calls the agent's tools only.
func (v *AgentView) MetaTools(opts *MetaToolOptions) ([]*Tool, error) { return v.r.metaTools(opts, v) }

// metaSet is what the tools of one MetaTools have in common.
type metaSet struct {
	r     *Registry
	scope *AgentView
	opts  MetaToolOptions
	count tokens.Counter
	names []string
}

func (r *Registry) metaTools(opts *MetaToolOptions, scope *AgentView) ([]*Tool, error) {
	s := &metaSet{r: r, scope: scope, count: r.counter()}
	if opts != nil {
		s.opts = *opts
	}
	setDefault(&s.opts.MaxTools, defaultSelection)
	setDefault(&s.opts.TokenBudget, defaultSearchBudget)
	switch o := &s.opts; {
	case len(o.Prefix) > 32 || strings.ContainsFunc(o.Prefix, notNameRune):
		return nil, fmt.Errorf("mcpgroup: meta-tools: Prefix %+.40q must be at most 32 of [a-zA-Z0-9_-]", o.Prefix)
	case o.MaxTools < 0 || o.MaxTools > maxSelection:
		return nil, fmt.Errorf("mcpgroup: meta-tools: MaxTools is %d; it must be 1 to %d, or 0 for %d", o.MaxTools, maxSelection, defaultSelection)
	case o.TokenBudget < minSearchBudget:
		return nil, fmt.Errorf("mcpgroup: meta-tools: TokenBudget is %d; it must be at least %d, or 0 for %d", o.TokenBudget, minSearchBudget, defaultSearchBudget)
	}
	metas := []*metaTool{s.search(), s.call(), s.describe(), s.servers()}
	for _, m := range metas {
		m.definition.Name = s.opts.Prefix + m.definition.Name
	}
	if r.results != nil {
		definition, read := r.results.readResultTool(r.opts.Results)
		metas = append(metas, &metaTool{definition: definition, run: func(ctx context.Context, args map[string]any, _ []CallOption) (*Result, error) {
			return read(ctx, args)
		}})
	}
	list := make([]*Tool, len(metas))
	for i, m := range metas {
		var err error
		if list[i], err = m.tool(r); err != nil {
			return nil, err
		}
		s.names = append(s.names, list[i].Name)
	}
	return list, nil
}

// A metaTool is a tool that runs in this process, with the context of its call.
type metaTool struct {
	definition *mcp.Tool
	// run gets arguments that fit the schema.
	run func(ctx context.Context, args map[string]any, opts []CallOption) (*Result, error)
	// mend puts arguments right that models get wrong often, before they are checked. It may change args. nil does nothing.
	mend func(args map[string]any)
	r    *Registry
}

func (m *metaTool) tool(r *Registry) (*Tool, error) {
	m.r = r
	d := m.definition
	in, err := schema.Compile(d.InputSchema, nil)
	if err != nil {
		return nil, fmt.Errorf("mcpgroup: meta-tools: the schema of %s: %w", d.Name, err)
	}
	t := &Tool{
		Name: d.Name, OriginalName: d.Name, Server: serviceName, Title: d.Title, Description: d.Description,
		InputSchema: d.InputSchema.(map[string]any), Annotations: d.Annotations,
		via: m, id: serviceName + "." + d.Name, input: in,
	}
	t.sum = sumOf(t)
	return t, nil
}

// callTool checks the arguments and runs the tool.
func (m *metaTool) callTool(ctx context.Context, t *Tool, args any, opts []CallOption) (*Result, error) {
	start := time.Now()
	fail := func(err error) (*Result, error) {
		return nil, &Error{Op: "call", Server: t.Server, Tool: t.Name, Outcome: NotSent, Err: err}
	}
	if m.r.closed.Load() {
		return fail(ErrClosed)
	}
	if object, err := schema.Normalize(args); err == nil && m.mend != nil {
		object = maps.Clone(object)
		m.mend(object)
		args = object
	}
	checked, err := checkArguments(t, args)
	if err != nil {
		return fail(err)
	}
	res, err := m.run(ctx, checked, opts)
	if err != nil {
		return nil, err
	}
	if res.Duration == 0 {
		res.Duration = time.Since(start)
	}
	return res, nil
}

// answer is a result with JSON as its text and as its structured content, shortened as those of all tools are.
func (s *metaSet) answer(ctx context.Context, text string) (*Result, error) {
	var structured map[string]any
	if err := json.Unmarshal([]byte(text), &structured); err != nil {
		return nil, fmt.Errorf("mcpgroup: meta-tools: %w", err)
	}
	res := &Result{Attempts: 1, CallToolResult: &mcp.CallToolResult{
		Content: []mcp.Content{&mcp.TextContent{Text: text}}, StructuredContent: structured,
	}}
	if s.r.results != nil {
		res = s.r.opts.Results.Apply(ctx, res, s.r.results)
	}
	return res, nil
}

// mistake is a result that tells a model what to mend.
func mistake(format string, args ...any) *Result {
	return &Result{Attempts: 1, CallToolResult: &mcp.CallToolResult{
		IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}},
	}}
}

func toJSON(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // a "<" costs a model six characters otherwise
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("mcpgroup: meta-tools: %w", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func decodeArguments(args map[string]any, v any) error {
	data, err := json.Marshal(args)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return fmt.Errorf("mcpgroup: meta-tools: %w", err)
	}
	return nil
}

// withTimeoutOf bounds ctx as [WithTimeout] says.
func withTimeoutOf(ctx context.Context, opts []CallOption) (context.Context, context.CancelFunc) {
	var o callOptions
	for _, opt := range opts {
		opt.apply(&o)
	}
	if o.timeout > 0 {
		return context.WithTimeout(ctx, o.timeout)
	}
	return ctx, func() {}
}

func lookOnly() *mcp.ToolAnnotations {
	no := false
	return &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: &no}
}

func strictObject(required []any, properties map[string]any) map[string]any {
	o := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func nameSchema() map[string]any {
	return map[string]any{"type": "string", "minLength": 1, "maxLength": maxOriginalLen, "description": "The name of the tool, or its id: server, dot, name."}
}
