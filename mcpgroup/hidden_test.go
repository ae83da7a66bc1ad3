package mcpgroup

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/selector"
)

// hiddenTool is a tool that somebody may not see, of a server that they may use.
const hiddenTool = "delete_repository"

// withHidden is the office with one more tool of github, or without it.
func withHidden(there bool) []ServerConfig {
	servers := office()
	if there {
		describe(servers[0].Server, "github", hiddenTool, "Deletes a repository with its branches, issues and pull requests.")
		servers[0].Server.AddTool(&mcp.Tool{Name: "delete_all", InputSchema: map[string]any{"type": "object", "required": []any{"\u200b"}}}, // left out
			func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return &mcp.CallToolResult{}, nil
			})
	}
	return servers
}

// hiddenEdges tie the hidden tool to others in every way there is.
var hiddenEdges = []selector.Edge{
	{From: "github.create_pull_request", To: "github." + hiddenTool, Kind: selector.DependsOn},
	{From: "github." + hiddenTool, To: "github.list_issues", Kind: selector.DependsOn},
	{From: "github." + hiddenTool, To: "github.fork_repository", Kind: selector.AlternativeOf},
	{From: "mail.send_email", To: "github." + hiddenTool, Kind: selector.Precedes},
}

// hiders are the ways in which a tool is hidden from an agent.
func hiders(t testing.TB) map[string]struct {
	filter  func(context.Context, []*Tool) []*Tool
	mapping AgentMapping
} {
	policy, err := Policy{Agents: map[string]AgentRules{"reader": {
		Allow: RuleSet{Servers: []string{"*"}}, Deny: RuleSet{Tools: map[string][]string{"*": {"delete_*"}}},
	}}}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]struct {
		filter  func(context.Context, []*Tool) []*Tool
		mapping AgentMapping
	}{
		"filter": {func(_ context.Context, tools []*Tool) []*Tool {
			return slices.DeleteFunc(slices.Clone(tools), func(t *Tool) bool { return t.OriginalName == hiddenTool })
		}, AgentMapping{ID: "reader"}},
		"policy":  {nil, AgentMapping{ID: "reader", Policy: policy}},
		"mapping": {nil, AgentMapping{ID: "reader", Servers: []AgentServer{{Server: "github", Exclude: []string{hiddenTool}}, {Server: "mail"}, {Server: "weather"}}}},
	}
}

// told is everything that an agent can find out, by what it did for it.
func told(t testing.TB, v *AgentView) map[string]string {
	ctx := userContext("alice")
	told := map[string]string{}
	l, err := v.List(ctx, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	told["List"] = fmt.Sprint(namesOf(l.Tools), l.Total, l.Hash, l.Next, l.Unavailable, l.Problems)
	for _, s := range v.Status() {
		if v.policy != nil || v.servers != nil { // it is about no user, so that no filter decides about it
			told["Status "+s.Server] = fmt.Sprint(s.State, s.Tools, s.Problems, s.LastError)
		}
	}
	for _, query := range []string{"delete a repository", "open a pull request and send an e-mail", "branches"} {
		for name, opts := range map[string]*SelectOptions{
			"by default": {Explain: true},
			"pinned":     {Explain: true, Pinned: []string{hiddenTool, "github." + hiddenTool, "github.list_issues"}, MaxTools: 3},
			"narrowed":   {Servers: []string{"github"}, PerServer: map[string]int{"github": 10}, TokenBudget: 300},
		} {
			res := selected(t, v, ctx, query, opts)
			text := fmt.Sprint(res, idsOf(res.Tools), res.Unmatched, res.Missing, res.Unavailable)
			for _, d := range res.Details {
				text += fmt.Sprint(d.Score, d.Tokens, d.Reason, d.Step, d.Lost, d.Parts)
			}
			told["Select "+query+" "+name] = text
		}
	}
	meta := metaToolsOf(t, v, nil)
	for _, call := range [][2]string{
		{"search_tools", `{"queries":["delete a repository","delete_repository"]}`},
		{"search_tools", `{"queries":["branches"],"servers":["github"]}`},
		{"describe_tool", `{"name":"delete_repository"}`},
		{"describe_tool", `{"name":"github.delete_repository"}`},
		{"describe_tool", `{"name":"delete_repositories"}`},
		{"call_tool", `{"name":"delete_repository"}`},
		{"call_tool", `{"name":"github.delete_repository","arguments":{"title":"x"}}`},
		{"call_tool", `{"name":"github.delete_repository","arguments":{"no such argument":1}}`},
		{"call_tool", `{"name":"github__delete_repository"}`},
		{"list_servers", `{}`},
	} {
		res, err := meta[call[0]].Call(ctx, call[1])
		if err != nil {
			told[call[0]+call[1]] = fmt.Sprintf("%T %v", err, err)
			continue
		}
		told[call[0]+call[1]] = fmt.Sprint(res.IsError, res.Text())
	}
	return told
}

// Whatever hides a tool from an agent: all that the agent is told is what it would be told if there were no such tool.
func TestAHiddenToolLeavesNoTrace(t *testing.T) {
	for name, hide := range hiders(t) {
		t.Run(name, func(t *testing.T) {
			world := func(there bool) map[string]string {
				r := newRegistry(t, &RegistryOptions{
					Patience: time.Minute,
					Selector: &selector.Options{LexicalOnly: true, Edges: hiddenEdges},
					Options:  func(ServerConfig) (*Options, error) { return &Options{Filter: hide.filter}, nil },
				}, withHidden(there)...)
				v, err := r.ForAgent(hide.mapping)
				if err != nil {
					t.Fatal(err)
				}
				return told(t, v)
			}
			with, without := world(true), world(false)
			for what, want := range without {
				if got := with[what]; got != want {
					t.Errorf("%s tells\n%s\nand without the tool\n%s", what, got, want)
				}
			}
		})
	}
}
