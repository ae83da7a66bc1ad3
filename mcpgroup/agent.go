package mcpgroup

import (
	"context"
	"fmt"
	"slices"

	"github.com/mcpfleet/mcpfleet/auth"
)

// AgentMapping says what one agent may use of a registry.
type AgentMapping struct {
	// ID names the agent, in the policy and in the reasons of decisions.
	ID string
	// Servers are the servers of the agent. With none it has all that Policy lets it use.
	Servers []AgentServer
	// Policy decides about servers and tools; nil lets the agent use all of Servers. An agent that the policy does not
	// know may use nothing.
	Policy Decider
}

// A Decider is a policy: [*CompiledPolicy], or [*LivePolicy] for one that is replaced while agents run.
type Decider interface {
	Decide(agent, server, tool string) Decision
	DecideServer(agent, server string) Decision
}

// AgentServer is one server of an agent.
type AgentServer struct {
	Server string // its name in the registry
	// Credential is the id of the credential that the agent uses it with, in [RegistryOptions.Secrets]. It comes before
	// the server's own and after what a request brings.
	Credential string
	// Include and Exclude choose tools by original name, as in [ServerConfig]. Only one of the two may be set.
	Include, Exclude []string
}

// AgentView is a registry as one agent sees it. What it lets the agent call is listed, unless another tool has the name
// ([Listing.Problems]), and what cannot be called is not. It follows the registry and is safe for concurrent use.
type AgentView struct {
	r           *Registry
	id          string
	servers     map[string]*matcher // nil: all
	credentials map[string]auth.Credential
	policy      Decider
}

// ForAgent returns the part of the registry that mapping lets an agent use. Servers that the registry does not have yet
// may be named.
func (r *Registry) ForAgent(mapping AgentMapping) (*AgentView, error) {
	fail := func(format string, args ...any) (*AgentView, error) {
		return nil, fmt.Errorf("mcpgroup: agent %q: %s", mapping.ID, fmt.Sprintf(format, args...))
	}
	if mapping.ID == "" {
		return fail("AgentMapping.ID is empty; give the agent a name")
	}
	v := &AgentView{r: r, id: mapping.ID, policy: mapping.Policy, credentials: map[string]auth.Credential{}}
	if len(mapping.Servers) > 0 {
		v.servers = make(map[string]*matcher, len(mapping.Servers))
	}
	for i, s := range mapping.Servers {
		if !validServerName(s.Server) {
			return fail("Servers[%d].Server must be 1 to 64 of [A-Za-z0-9_-]", i)
		}
		if v.servers[s.Server] != nil {
			return fail("Servers[%d]: the server %q is listed twice", i, s.Server)
		}
		m, err := newMatcher(s.Include, s.Exclude)
		if err != nil {
			return fail("Servers[%d]: %v", i, err)
		}
		v.servers[s.Server] = m
		if s.Credential != "" {
			if r.opts.Secrets == nil {
				return fail("Servers[%d].Credential names a secret, and RegistryOptions.Secrets is not set", i)
			}
			v.credentials[s.Server] = auth.Reference(s.Credential)
		}
	}
	return v, nil
}

// ID returns the agent's name.
func (v *AgentView) ID() string { return v.id }

// Names returns the names of the agent's servers, in the order of the registry's configuration.
func (v *AgentView) Names() []string {
	return slices.DeleteFunc(v.r.Names(), func(name string) bool { return !v.knows(name) })
}

// List is [Registry.List] for the agent.
func (v *AgentView) List(ctx context.Context, f Filter) (*Listing, error) { return v.r.list(ctx, f, v) }

// Tools is [Registry.Tools] for the agent.
func (v *AgentView) Tools(ctx context.Context) ([]*Tool, error) {
	l, err := v.List(ctx, Filter{})
	if err != nil {
		return nil, err
	}
	return l.Tools, nil
}

// Call is [Registry.Call] for the agent. A tool that the policy withholds is a [*DeniedError] that says why, for the program
// and its log: what models are told by [AgentView.MetaTools] does not tell it from one that does not exist. A server that is
// not the agent's is [ErrServerNotFound], as one that does not exist.
func (v *AgentView) Call(ctx context.Context, name string, args any, opts ...CallOption) (*Result, error) {
	return v.r.call(ctx, name, args, opts, v)
}

// Status is [Registry.Status] of the agent's servers. It counts the tools that the agent may use, and has no problems:
// which tools are left out is not for the agent to know.
func (v *AgentView) Status() []ServerStatus {
	all := slices.DeleteFunc(v.r.Status(), func(s ServerStatus) bool { return !v.knows(s.Server) })
	members := v.r.fleet.Load().byName
	for i := range all {
		s := &all[i]
		s.Problems = nil
		if m := members[s.Server]; m != nil && m.group != nil {
			s.Tools = m.group.catalogue.shared(v.allows)
		}
	}
	return all
}

// Explain says whether the agent may use a tool of a server, by the server's own name for it, and why. It does not say
// whether there is such a tool.
func (v *AgentView) Explain(server, tool string) Decision {
	if !v.knows(server) {
		return Decision{Reason: fmt.Sprintf("agent %q has no server %q", v.id, cleanText(server, 64))}
	}
	return v.decide(&Tool{Server: server, OriginalName: tool})
}

func (v *AgentView) policyOn(server, tool string) Decision {
	if v.policy == nil {
		return Decision{Allowed: true, Reason: fmt.Sprintf("server %q belongs to agent %q, which has no policy", server, v.id)}
	}
	return v.policy.Decide(v.id, server, tool)
}

// All of the following hold for a nil view too, which is the registry itself.

// knows reports whether the agent may know of a server.
func (v *AgentView) knows(server string) bool {
	if v == nil || server == serviceName && v.r.service != nil {
		return true
	}
	if v.servers != nil && v.servers[server] == nil {
		return false
	}
	return v.policy == nil || v.policy.DecideServer(v.id, server).Allowed
}

// decide says whether the agent may use a tool: the one answer for listings and calls.
func (v *AgentView) decide(t *Tool) Decision {
	if v == nil {
		return Decision{Allowed: true}
	}
	if v.r.service != nil && t.Server == serviceName {
		return Decision{Allowed: true, Reason: "the registry's own tools are about what the agent was given before"}
	}
	if m := v.servers[t.Server]; m != nil && !m.match(t.OriginalName) {
		return Decision{Reason: fmt.Sprintf("agent %q has the server %q without this tool", v.id, t.Server)}
	}
	return v.policyOn(t.Server, t.OriginalName)
}

// allows is decide without the reason, which takes most of the time where there are thousands of tools.
func (v *AgentView) allows(t *Tool) bool {
	if v != nil && v.policy == nil {
		m := v.servers[t.Server]
		return m == nil || m.match(t.OriginalName)
	}
	return v.decide(t).Allowed
}

// adopt returns t so that its calls are the agent's.
func (v *AgentView) adopt(t *Tool) *Tool {
	if v == nil {
		return t
	}
	own := *t
	own.via = v
	return &own
}

// context returns ctx with the agent's credentials.
func (v *AgentView) context(ctx context.Context) context.Context {
	if v == nil {
		return ctx
	}
	return auth.WithAgentCredentials(ctx, v.credentials)
}

func (v *AgentView) callTool(ctx context.Context, t *Tool, args any, opts []CallOption) (*Result, error) {
	return v.r.run(ctx, t.Server, t.base.Name, args, opts, v)
}
