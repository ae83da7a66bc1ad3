package mcpgroup

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
)

// Policy says which agents may use which servers and tools. It is plain data, as a JSON file holds it:
//
//	{
//	  "agents": {
//	    "reader": {
//	      "allow": {"servers": ["db", "wiki"], "tools": {"db": ["read_*", "list_?"]}},
//	      "deny":  {"tools": {"*": ["*_secret"]}}
//	    }
//	  },
//	  "default": "reader"
//	}
//
// Entries are names as the server spells them, or globs, whose syntax is that of [path.Match] except that / is an
// ordinary character and that a class may be negated by ! as well as by ^. An entry with one of *, ?, [ and \ in it is a
// glob. Case matters everywhere.
//
// Servers choose the names of their tools. Deny keeps an agent from what an honest server offers; against a server that is
// not trusted, list what is allowed.
//
// The zero Policy has no agents and so denies everything.
type Policy struct {
	// Agents are the rules by agent id. An id that is not among them may do nothing.
	Agents map[string]AgentRules `json:"agents,omitempty"`
	// Default is the agent whose rules hold for callers without an id, and for no one else. It must be one of Agents.
	// Without it such callers may do nothing.
	Default string `json:"default,omitempty"`
}

// AgentRules are the rules of one agent. Deny beats Allow, and what neither names is denied:
//
//	server  denied, by name or glob > allowed, by name or glob > denied
//	tool    its server is denied > denied by name > denied by glob > allowed by name > allowed by glob >
//	        allowed because Allow.Tools has no entry for its server > denied
type AgentRules struct {
	Allow RuleSet `json:"allow,omitzero"`
	Deny  RuleSet `json:"deny,omitzero"`
}

// RuleSet names servers and tools.
type RuleSet struct {
	Servers []string `json:"servers,omitempty"`
	// Tools are the original names of tools, by server. The servers too are names or globs.
	//
	// In Allow an entry limits the servers it is for to the tools it lists, and an empty list means none; a server that
	// is entered by name is subject to that entry alone, any other to all globs that match it together. Neither makes a
	// server allowed that Servers does not. In Deny all entries that match a server count.
	Tools map[string][]string `json:"tools,omitempty"`
}

// UnmarshalJSON refuses members that it does not know, also in another case, and members that occur twice: a misspelt
// "deny" must not turn into a permission.
func (p *Policy) UnmarshalJSON(data []byte) error {
	parsed, err := parseJSON(data)
	if err == nil {
		err = knownMembers(parsed, policyMembers)
	}
	type plain Policy
	var v plain
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		return fmt.Errorf("mcpgroup: policy: %w", err)
	}
	*p = Policy(v)
	return nil
}

// policyMembers are the members of the objects of a policy, from the top down; nil is any.
var policyMembers = [][]string{{"agents", "default"}, nil, {"allow", "deny"}, {"servers", "tools"}}

// knownMembers checks the names of members letter by letter: encoding/json takes "Deny" for "deny", and of both the last.
func knownMembers(v jsonValue, levels [][]string) error {
	if len(levels) == 0 {
		return nil
	}
	for _, m := range v.members {
		if levels[0] != nil && !slices.Contains(levels[0], m.name) {
			return fmt.Errorf("there is no member %+.80q; it may have %q", m.name, levels[0])
		}
		if err := knownMembers(m.value, levels[1:]); err != nil {
			return err
		}
	}
	return nil
}

// Decision is the answer of a policy. Reason and Rule always speak of the same rule that decided.
type Decision struct {
	Allowed bool
	Reason  string // for people: why, such as `the pattern "drop_?" denies the tool`
	Rule    string // the rule that decided, such as `agents.reader.deny.tools.db[1]`; empty if none applies
}

// Decisions that no rule makes.
var (
	decidedNoAgent      = Decision{Reason: "the caller has no agent id, and the policy has no default agent"}
	decidedUnknownAgent = Decision{Reason: "the policy does not know the agent"}
	decidedNoServer     = Decision{Reason: "no rule allows the server"}
	decidedBadName      = Decision{Reason: "the name is empty or longer than 1 KiB"}
	decidedNoPolicy     = Decision{Reason: "no policy has been loaded"}
)

// CompiledPolicy is a [Policy] made ready to decide. It is immutable and safe for concurrent use. A nil one denies
// everything.
type CompiledPolicy struct {
	agents      map[string]*agentRules
	withoutID   *agentRules    // nil: callers without an id are denied
	serverNames []namedInRules // of all agents
}

// Decide reports whether agent may see and call the tool with the original name tool. An empty agent is a caller without
// an id. Lists and calls must both ask this, so that no agent is shown what it may not call.
func (c *CompiledPolicy) Decide(agent, server, tool string) Decision {
	rules, refused := c.rulesFor(agent)
	if rules == nil {
		return refused
	}
	if d := rules.server(server); !d.Allowed {
		return d
	}
	return rules.tool(server, tool)
}

// DecideServer reports whether agent may use the server, with whatever tools.
func (c *CompiledPolicy) DecideServer(agent, server string) Decision {
	rules, refused := c.rulesFor(agent)
	if rules == nil {
		return refused
	}
	return rules.server(server)
}

func (c *CompiledPolicy) rulesFor(agent string) (*agentRules, Decision) {
	switch {
	case c == nil:
		return nil, decidedNoPolicy
	case agent == "" && c.withoutID == nil:
		return nil, decidedNoAgent
	case agent == "":
		return c.withoutID, Decision{}
	}
	if rules := c.agents[agent]; rules != nil {
		return rules, Decision{}
	}
	return nil, decidedUnknownAgent
}

// LivePolicy is a policy that can be replaced while it is in use. Its zero value denies everything. It is safe for
// concurrent use, and deciding takes no lock. It must not be copied.
type LivePolicy struct {
	current atomic.Pointer[CompiledPolicy]
}

// Replace puts p in force for all decisions that begin from now on. If p is invalid the error says why, and the policy
// in force stays.
func (l *LivePolicy) Replace(p Policy) error {
	c, err := p.Compile()
	if err != nil {
		return err
	}
	l.current.Store(c)
	return nil
}

// Current returns the policy in force, or nil before the first Replace. Decisions that must agree with each other, such
// as those of one listing, are made by one Current.
func (l *LivePolicy) Current() *CompiledPolicy { return l.current.Load() }

// Decide is [CompiledPolicy.Decide] of the policy in force.
func (l *LivePolicy) Decide(agent, server, tool string) Decision {
	return l.Current().Decide(agent, server, tool)
}
