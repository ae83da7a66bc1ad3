package mcpgroup_test

import (
	"encoding/json"
	"fmt"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

func ExamplePolicy() {
	var policy mcpgroup.Policy
	err := json.Unmarshal([]byte(`{
		"agents": {
			"reader": {
				"allow": {"servers": ["db", "wiki"], "tools": {"db": ["read_*"]}},
				"deny":  {"tools": {"*": ["*_secret"]}}
			}
		}
	}`), &policy)
	if err != nil {
		fmt.Println(err)
		return
	}
	compiled, err := policy.Compile()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, tool := range []string{"read_table", "read_secret", "drop_table"} {
		d := compiled.Decide("reader", "db", tool)
		fmt.Printf("%s: %t, %s (%s)\n", tool, d.Allowed, d.Reason, d.Rule)
	}
	fmt.Println(compiled.Decide("stranger", "wiki", "search").Reason)
	// Output:
	// read_table: true, the pattern "read_*" allows the tool (agents.reader.allow.tools.db[0])
	// read_secret: false, the pattern "*_secret" denies the tool (agents.reader.deny.tools["*"][0])
	// drop_table: false, the allow list of the server does not name the tool (agents.reader.allow.tools.db)
	// the policy does not know the agent
}

func ExamplePolicy_Compile() {
	_, err := mcpgroup.Policy{
		Default: "writer",
		Agents: map[string]mcpgroup.AgentRules{
			"reader": {Allow: mcpgroup.RuleSet{Servers: []string{"db", "wiki["}}},
		},
	}.Compile()
	for _, m := range err.(*mcpgroup.PolicyError).Mistakes {
		fmt.Printf("%s: %s\n", m.Path, m.Reason)
	}
	// Output:
	// agents.reader.allow.servers[1]: bad pattern "wiki[": a [ is not closed
	// default: there is no agent "writer"; name one of agents, or leave it empty
}

func ExampleLivePolicy() {
	readers := func(server string) mcpgroup.Policy {
		return mcpgroup.Policy{Agents: map[string]mcpgroup.AgentRules{
			"reader": {Allow: mcpgroup.RuleSet{Servers: []string{server}}},
		}}
	}
	var live mcpgroup.LivePolicy
	fmt.Println(live.Decide("reader", "db", "query").Reason)
	if err := live.Replace(readers("db")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(live.Replace(readers("[")))
	fmt.Println(live.Decide("reader", "db", "query").Allowed)
	// Output:
	// no policy has been loaded
	// mcpgroup: invalid policy: agents.reader.allow.servers[0]: bad pattern "[": a [ is not closed
	// true
}
