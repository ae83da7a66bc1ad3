package mcpgroup

import (
	"context"
	"errors"
	"strings"
)

// Call runs a tool for the user of ctx. name is the tool's id, such as "github.create_issue", or its name in the listings
// of this registry. A name means the tool that it meant when the user last listed or selected tools, also if that has gone
// and another one has its name by now. See [Tool.Call] for args and errors; a server that is not there is
// [ErrServerNotFound].
func (r *Registry) Call(ctx context.Context, name string, args any, opts ...CallOption) (*Result, error) {
	return r.call(ctx, name, args, opts, nil)
}

func (r *Registry) call(ctx context.Context, name string, args any, opts []CallOption, scope *AgentView) (*Result, error) {
	id, remembered := name, false
	if !strings.Contains(name, ".") {
		id = r.names.find(readerOf(ctx, scope), name)
		if remembered = id != ""; !remembered {
			t, err := r.find(ctx, name, scope)
			if err != nil {
				return nil, err
			}
			id = t.ID()
		}
	}
	server, tool, _ := strings.Cut(id, ".")
	res, err := r.run(ctx, server, tool, args, opts, scope)
	if remembered && errors.Is(err, ErrToolNotFound) { // it may be hidden, and then the name is as one that nobody has
		if _, unknown := r.find(ctx, name, scope); unknown != nil {
			err = unknown
		}
	}
	return res, err
}

// find returns the tool that the listings call name.
func (r *Registry) find(ctx context.Context, name string, scope *AgentView) (*Tool, error) {
	if r.closed.Load() {
		return nil, &Error{Op: "call", Tool: cleanText(name, 128), Outcome: NotSent, Err: ErrClosed}
	}
	v, unavailable := r.gatherUnseen(ctx, scope)
	if t := v.byName[name]; t != nil && v.members[t.Server].group.visible(ctx, t) {
		return t, nil
	}
	err := ErrToolNotFound
	for _, e := range unavailable { // whose tool it may be
		err = errors.Join(err, e)
	}
	return nil, &Error{Op: "call", Tool: cleanText(name, 128), Outcome: NotSent, Err: err}
}

// run calls a tool of a server by the name it has there.
func (r *Registry) run(ctx context.Context, server, tool string, args any, opts []CallOption, scope *AgentView) (*Result, error) {
	fail := func(err error) (*Result, error) {
		return nil, &Error{Op: "call", Server: cleanText(server, 64), Tool: cleanText(tool, 128), Outcome: NotSent, Err: err}
	}
	ctx = scope.context(ctx)
	if !scope.knows(server) {
		return fail(ErrServerNotFound)
	}
	m, err := r.enter(ctx, server)
	if err != nil {
		return fail(err)
	}
	defer m.done()
	t, err := m.group.lookup(ctx, tool)
	if err != nil {
		return nil, err
	}
	if d := scope.decide(t); !d.Allowed {
		return fail(&DeniedError{Server: server, Tool: tool, Reason: d.Reason})
	}
	res, err := t.run(ctx, args, opts)
	if r.opts.Learn && err == nil && !res.IsError {
		r.index.observe(ctx, t)
	}
	return res, err
}

// callTool runs a tool that was listed before on the server that now has its name.
func (r *Registry) callTool(ctx context.Context, t *Tool, args any, opts []CallOption) (*Result, error) {
	return r.run(ctx, t.Server, t.base.Name, args, opts, nil)
}
