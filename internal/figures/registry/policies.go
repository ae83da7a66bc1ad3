package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

const (
	policyServers = 10
	policyTools   = 10 // per server
)

// policies: what an agent is shown is what it may call, whatever its policy says. Every triple of agent, policy and tool
// is a call.
func policies(t *figures.Table) {
	const each = policyServers * policyTools
	names := toolNames()
	var servers []mcpgroup.ServerConfig
	for i := range policyServers {
		cfg := inMemory(serverNames[i], "", names...)
		cfg.Overrides = map[string]mcpgroup.Override{names[1]: {Alias: fmt.Sprint("alias_", i)}, names[2]: {Alias: fmt.Sprint("list_", i)}}
		servers = append(servers, cfg)
	}
	// A middleware answers in the place of the servers: what is measured is who gets that far.
	answer := func(mcpgroup.CallFunc) mcpgroup.CallFunc {
		return func(context.Context, *mcpgroup.CallRequest) (*mcpgroup.Result, error) { return &mcpgroup.Result{}, nil }
	}
	reg := newRegistry(servers, &mcpgroup.RegistryOptions{Options: func(mcpgroup.ServerConfig) (*mcpgroup.Options, error) {
		return &mcpgroup.Options{Middleware: []func(mcpgroup.CallFunc) mcpgroup.CallFunc{answer}}, nil
	}})
	ctx := user(1)
	full, err := reg.Tools(ctx)
	check(err)
	if len(full) != each {
		check(fmt.Errorf("figures-registry: %d tools are there to decide on, want %d", len(full), each))
	}

	var triples, allowed, disagree, unexplained, misnamed, misspelt, passed int
	var example error
	start := time.Now()
	for triples < scaled(1_000_000) {
		view, err := reg.ForAgent(randomMapping())
		check(err)
		l, err := view.List(ctx, mcpgroup.Filter{})
		check(err)
		shown := map[string]bool{}
		for _, tool := range l.Tools {
			shown[tool.ID()] = true
		}
		for _, tool := range full {
			_, err := view.Call(ctx, tool.ID(), nil)
			var denied *mcpgroup.DeniedError
			if err != nil && !errors.As(err, &denied) && !errors.Is(err, mcpgroup.ErrServerNotFound) {
				check(err)
			}
			triples++
			if err == nil {
				allowed++
			}
			if shown[tool.ID()] != (err == nil) {
				disagree++
				example = err
			}
			if view.Explain(tool.Server, tool.OriginalName).Allowed != (err == nil) {
				unexplained++
			}
		}
		for _, id := range misspell(full[rand.IntN(len(full))]) {
			misspelt++
			if _, err := view.Call(ctx, id, nil); err == nil {
				passed++
			}
		}
		for _, tool := range l.Tools {
			if _, err := view.Call(ctx, tool.Name, nil); err != nil {
				misnamed++
			}
			if _, err := tool.Call(ctx, nil); err != nil {
				misnamed++
			}
		}
	}
	took := time.Since(start)
	check(reg.Close())
	t.Row(fmt.Sprintf("policy: what is listed is what may be called, %d triples", scaled(1_000_000)),
		fmt.Sprintf("%d disagree of %d, %d %% allowed", disagree, triples, 100*allowed/triples),
		disagree == 0 && triples >= scaled(1_000_000) && allowed > triples/20 && allowed < triples*19/20)
	t.Row("policy: what is listed can be called by that name and as that tool", fmt.Sprintf("%d of %d cannot", misnamed, 2*allowed), misnamed == 0)
	t.Row("policy: ids in another spelling reach nothing", fmt.Sprintf("%d of %d do", passed, misspelt), passed == 0 && misspelt > 0)
	t.Row("policy: the explanation agrees with the call", fmt.Sprintf("%d do not", unexplained), unexplained == 0)
	if example != nil {
		t.Note("policy: for example: %v", example)
	}
	t.Note("policy: a triple is a real call through AgentView.Call, %d random policies, each for one agent and %d tools, in %.0f s", triples/each, each, took.Seconds())
}

// misspell returns ids that a careless comparison takes for that of tool.
func misspell(tool *mcpgroup.Tool) []string {
	server, name, _ := strings.Cut(tool.ID(), ".")
	ids := []string{strings.ToUpper(tool.ID()), tool.ID() + " ", " " + tool.ID(), server + ".." + name, server + ".*", server + "." + name + "\x00", "*." + name}
	if tool.OriginalName != name { // it has an alias, and no other name
		ids = append(ids, server+"."+tool.OriginalName)
	}
	return ids
}

var serverNames = []string{"db", "db-old", "wiki", "wikis", "mail", "files", "ci", "ci_2", "a", "zz"}

func toolNames() []string {
	return []string{"read", "read_rows", "read_secret", "list", "drop", "drop_table", "write", "writer", "x", "wiki"}
}

var serverPatterns = append([]string{"*", "db*", "wiki?", "?", "ci*", "[!d]*", "*i*", "none"}, serverNames...)

func toolPatterns() []string {
	return append([]string{"*", "read_*", "*_*", "drop*", "writ[a-f]*", "?", "?ead", "[^r]*", "none"}, toolNames()...)
}

// pick returns some of all, each once.
func pick(all []string, most int) []string {
	var picked []string
	for _, i := range rand.Perm(len(all))[:rand.IntN(most+1)] {
		picked = append(picked, all[i])
	}
	return picked
}

func randomRules(servers, tools int) mcpgroup.RuleSet {
	r := mcpgroup.RuleSet{Servers: pick(serverPatterns, servers), Tools: map[string][]string{}}
	for _, server := range pick(serverPatterns, tools) {
		r.Tools[server] = pick(toolPatterns(), 4)
	}
	return r
}

// randomMapping is an agent with or without a policy, servers and tools of its own. Its policy may not know it.
func randomMapping() mcpgroup.AgentMapping {
	agents := []string{"reader", "writer", "nobody"}
	m := mcpgroup.AgentMapping{ID: agents[rand.IntN(len(agents))]}
	if rand.IntN(4) > 0 {
		p := mcpgroup.Policy{Agents: map[string]mcpgroup.AgentRules{}}
		for _, agent := range agents[:2] {
			p.Agents[agent] = mcpgroup.AgentRules{Allow: randomRules(5, 3), Deny: randomRules(1, 2)}
		}
		if rand.IntN(4) == 0 {
			p.Default = agents[0]
		}
		compiled, err := p.Compile()
		check(err)
		m.Policy = compiled
	}
	if m.Policy == nil || rand.IntN(3) == 0 {
		for _, i := range rand.Perm(len(serverNames))[:1+rand.IntN(6)] {
			s := mcpgroup.AgentServer{Server: serverNames[i]}
			switch rand.IntN(3) {
			case 0:
				s.Include = pick(toolPatterns(), 3)
			case 1:
				s.Exclude = pick(toolPatterns(), 3)
			}
			m.Servers = append(m.Servers, s)
		}
	}
	return m
}
