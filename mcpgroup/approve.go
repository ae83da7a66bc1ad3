package mcpgroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/schema"
	"github.com/mcpfleet/mcpfleet/session"
)

// ErrDenied is wrapped when a policy or a person refused a call. Nothing was sent. errors.As finds a [*DeniedError].
var ErrDenied = errors.New("mcpgroup: denied")

// DeniedError reports a call that was refused before anything was sent.
type DeniedError struct {
	Server string
	Tool   string // the server's name of the tool
	Reason string // who or what refused
	Err    error  // the cause, such as what asking for approval failed with, or nil
}

// Error gives the reason and the cause.
func (e *DeniedError) Error() string {
	s := "mcpgroup: denied: " + e.Reason
	if e.Err != nil {
		s += ": " + strings.TrimPrefix(redact(e.Err), "mcpgroup: ")
	}
	return s
}

// Unwrap returns the cause.
func (e *DeniedError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrDenied) true.
func (e *DeniedError) Is(target error) bool { return target == ErrDenied }

// ApprovalRequest is a call that waits for somebody's consent.
type ApprovalRequest struct {
	Key  session.Key
	Tool *Tool
	// Args are the arguments as a JSON object in canonical form. What is approved is what is sent, except that the call
	// leaves out nulls for optional fields.
	Args   json.RawMessage
	Reason string // why this call needs approval, for people
}

// ApprovalOptions says which calls need approval. nil selects all defaults.
//
// By default a call needs approval unless its server is trusted ([ServerConfig.Trusted]) and says that the tool destroys
// nothing: a tool without annotations may, and what an untrusted server says counts for nothing.
//
// The entries of Always and Never are names of the form "server.tool", with the server's name of the tool, or globs of
// them, such as "github.list_*", in the syntax of [Policy]. Always beats Never, and both beat the annotations.
type ApprovalOptions struct {
	Always []string
	Never  []string
	// Remember is how long an approval also holds for further calls of the same user, in the same conversation, of the
	// same tool with the same arguments. The default is for that one call. Refusals are not remembered.
	Remember time.Duration
	// MaxRemembered bounds the approvals that are remembered; the oldest are forgotten first. The default is 10,000.
	MaxRemembered int
}

// RequireApproval is a middleware that asks before a tool runs. A call that is not approved fails with a [*DeniedError]:
// ask has returned false, or an error, or has panicked. A call whose context ends fails with the context's error at
// once, whether or not ask notices.
//
// ask may take its time and runs concurrently for concurrent calls. It must not change the request. RequireApproval
// panics if ask is nil or an option is invalid.
//
// Middleware behind this one sees approved calls only, and must not replace their arguments.
func RequireApproval(ask func(ctx context.Context, req ApprovalRequest) (approved bool, err error), opts *ApprovalOptions) func(next CallFunc) CallFunc {
	if ask == nil {
		panic("mcpgroup: RequireApproval needs a function that asks")
	}
	gate, err := newApprovalGate(ask, opts)
	if err != nil {
		panic(err)
	}
	return func(next CallFunc) CallFunc {
		return func(ctx context.Context, req *CallRequest) (*Result, error) {
			reason := gate.reason(req.Tool)
			if reason == "" {
				return next(ctx, req)
			}
			approved, err := gate.approve(ctx, req, reason)
			if err != nil {
				return nil, &Error{Op: "call", Server: req.Tool.Server, Tool: req.Tool.Name, Outcome: NotSent, Err: err}
			}
			return next(ctx, approved)
		}
	}
}

type approvalGate struct {
	ask           func(context.Context, ApprovalRequest) (bool, error)
	always, never *patternSet
	approvals     *approvals
}

func newApprovalGate(ask func(context.Context, ApprovalRequest) (bool, error), opts *ApprovalOptions) (*approvalGate, error) {
	var o ApprovalOptions
	if opts != nil {
		o = *opts
	}
	if o.Remember < 0 || o.MaxRemembered < 0 {
		return nil, errors.New("mcpgroup: ApprovalOptions: Remember and MaxRemembered must not be negative")
	}
	setDefault(&o.MaxRemembered, 10_000)
	pc := &policyCompiler{}
	g := &approvalGate{
		ask:       ask,
		always:    pc.patterns("Always", o.Always, ruleKind{false, "tool"}),
		never:     pc.patterns("Never", o.Never, ruleKind{true, "tool"}),
		approvals: newApprovals(o.Remember, o.MaxRemembered),
	}
	for i, e := range slices.Concat(o.Always, o.Never) {
		if !isGlob(e) && !strings.Contains(e, ".") {
			pc.mistake(fmt.Sprintf("entry %d", i), `%+.80q is not of the form "server.tool"`, e)
		}
	}
	if len(pc.mistakes) > 0 {
		m := pc.mistakes[0]
		return nil, fmt.Errorf("mcpgroup: ApprovalOptions: %s: %s", m.Path, m.Reason)
	}
	return g, nil
}

// reason says why a tool needs approval, or is empty if it needs none.
func (g *approvalGate) reason(t *Tool) string {
	id := t.Server + "." + t.OriginalName
	if _, ok := g.always.find(id); ok {
		return "calls of this tool always need approval"
	}
	if _, ok := g.never.find(id); ok {
		return ""
	}
	switch trusted := t.group != nil && t.group.cfg.Trusted; {
	case !trusted:
		return "the tool may be destructive: its server is not trusted to say otherwise"
	case t.Destructive():
		return "the tool may be destructive"
	}
	return ""
}

// approve returns the call that may go on: with arguments that nobody can change any more.
func (g *approvalGate) approve(ctx context.Context, req *CallRequest, reason string) (*CallRequest, error) {
	object, err := schema.Normalize(req.Args)
	if err != nil {
		return nil, &ArgumentsError{Tool: req.Tool.Name, Violations: []Violation{{Message: err.Error()}}}
	}
	args, err := json.Marshal(object)
	if err == nil {
		args, err = canonicalJSON(args)
	}
	if err != nil {
		return nil, &ArgumentsError{Tool: req.Tool.Name, Violations: []Violation{{Message: err.Error()}}}
	}
	approved := *req
	approved.Args = json.RawMessage(args)

	key := approvalKey(req.Key, req.Tool, args)
	if g.approvals.has(key) {
		return &approved, nil
	}
	ok, err := g.askFor(ctx, ApprovalRequest{Key: req.Key, Tool: req.Tool, Args: slices.Clone(args), Reason: reason})
	denied := &DeniedError{Server: req.Tool.Server, Tool: req.Tool.OriginalName, Reason: "the call was not approved"}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		denied.Reason, denied.Err = "asking for approval failed", err
		return nil, denied
	case !ok:
		return nil, denied
	}
	if req.Key.User != "" {
		g.approvals.add(key)
	}
	return &approved, nil
}

// askFor calls ask, but does not wait for it longer than ctx lasts.
func (g *approvalGate) askFor(ctx context.Context, req ApprovalRequest) (bool, error) {
	type answer struct {
		ok  bool
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		if err := protect("the function that asks for approval", func() { a.ok, a.err = g.ask(ctx, req) }); err != nil {
			a = answer{false, err}
		}
		answers <- a
	}()
	select {
	case a := <-answers:
		return a.ok, a.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
