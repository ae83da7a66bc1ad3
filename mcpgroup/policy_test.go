package mcpgroup

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

func mustCompile(t testing.TB, p Policy) *CompiledPolicy {
	t.Helper()
	c, err := p.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// one is a policy with the agent "a".
func one(allow, deny RuleSet) Policy {
	return Policy{Agents: map[string]AgentRules{"a": {Allow: allow, Deny: deny}}}
}

type byServer = map[string][]string

func TestPolicyDecides(t *testing.T) {
	all := RuleSet{Servers: []string{"*"}}
	tests := []struct {
		name                string
		policy              Policy
		agent, server, tool string
		want                bool
		rule, reason        string // reason: a part of it
	}{
		// Scenario 110.
		{"a deny by name beats an allow by glob", one(RuleSet{[]string{"db"}, byServer{"db": {"*"}}}, RuleSet{Tools: byServer{"db": {"drop"}}}),
			"a", "db", "drop", false, "agents.a.deny.tools.db[0]", "a rule denies the tool by name"},
		// Scenario 111.
		{"a deny by glob beats an allow by name", one(RuleSet{[]string{"db"}, byServer{"db": {"drop_all"}}}, RuleSet{Tools: byServer{"db": {"drop_*"}}}),
			"a", "db", "drop_all", false, "agents.a.deny.tools.db[0]", `the pattern "drop_*" denies the tool`},
		// Scenario 112.
		{"a server without an allow list is allowed as a whole", one(RuleSet{Servers: []string{"db"}}, RuleSet{}),
			"a", "db", "anything", true, "agents.a.allow.servers[0]", "no allow list limits"},
		// Scenario 113.
		{"a deny filters the server it is for", one(RuleSet{Servers: []string{"db", "fs"}}, RuleSet{Tools: byServer{"db": {"drop_*"}}}),
			"a", "db", "drop_x", false, "agents.a.deny.tools.db[0]", "denies"},
		{"and no other server", one(RuleSet{Servers: []string{"db", "fs"}}, RuleSet{Tools: byServer{"db": {"drop_*"}}}),
			"a", "fs", "drop_x", true, "agents.a.allow.servers[1]", "no allow list limits"},
		// Scenarios 114 to 116.
		{"a prefix", one(RuleSet{[]string{"db"}, byServer{"db": {"get_*"}}}, RuleSet{}), "a", "db", "get_x", true, "agents.a.allow.tools.db[0]", `"get_*" allows`},
		{"not a prefix", one(RuleSet{[]string{"db"}, byServer{"db": {"get_*"}}}, RuleSet{}), "a", "db", "xget_x", false, "agents.a.allow.tools.db", "does not name"},
		{"a suffix", one(RuleSet{[]string{"db"}, byServer{"db": {"*_user"}}}, RuleSet{}), "a", "db", "get_user", true, "agents.a.allow.tools.db[0]", "allows"},
		{"not a suffix", one(RuleSet{[]string{"db"}, byServer{"db": {"*_user"}}}, RuleSet{}), "a", "db", "get_users", false, "agents.a.allow.tools.db", "does not name"},
		{"a star", one(RuleSet{[]string{"db"}, byServer{"db": {"*"}}}, RuleSet{}), "a", "db", "x", true, "agents.a.allow.tools.db[0]", "allows"},
		// Scenario 117.
		{"an unknown agent is denied", one(all, RuleSet{}), "zzz", "db", "x", false, "", "does not know the agent"},
		{"also with a default agent", Policy{Agents: one(all, RuleSet{}).Agents, Default: "a"}, "zzz", "db", "x", false, "", "does not know the agent"},
		// Scenario 118.
		{"a tool needs its server", one(RuleSet{Tools: byServer{"db": {"*"}}}, RuleSet{}), "a", "db", "x", false, "", "no rule allows the server"},
		// Scenario 119.
		{"tools are case-sensitive", one(RuleSet{[]string{"db"}, byServer{"db": {"Read"}}}, RuleSet{}), "a", "db", "read", false, "agents.a.allow.tools.db", "does not name"},
		{"servers are case-sensitive", one(RuleSet{Servers: []string{"DB"}}, RuleSet{}), "a", "db", "x", false, "", "no rule allows the server"},
		{"agents are case-sensitive", one(all, RuleSet{}), "A", "db", "x", false, "", "does not know"},
		// Scenario 120.
		{"an agent with nothing but denials has nothing", one(RuleSet{}, RuleSet{Tools: byServer{"db": {"x"}}}), "a", "db", "y", false, "", "no rule allows the server"},
		// Scenario 122.
		{"the default agent is an ordinary one", Policy{Agents: one(RuleSet{Servers: []string{"db"}}, RuleSet{}).Agents, Default: "a"}, "a", "db", "x", true, "agents.a.allow.servers[0]", ""},
		// Scenario 123: a server denied by name or by glob is denied although all are allowed.
		{"a server denied by name", one(all, RuleSet{Servers: []string{"secret-db"}}), "a", "secret-db", "x", false, "agents.a.deny.servers[0]", "a rule denies the server by name"},
		{"a server denied by glob", one(RuleSet{Servers: []string{"secret-db"}}, RuleSet{Servers: []string{"secret-*"}}), "a", "secret-db", "x", false, "agents.a.deny.servers[0]", `the pattern "secret-*" denies the server`},
		// Scenario 124: globs with ? and [] are globs.
		{"?", one(all, RuleSet{Tools: byServer{"db": {"drop_?"}}}), "a", "db", "drop_x", false, "agents.a.deny.tools.db[0]", `"drop_?" denies`},
		{"[]", one(all, RuleSet{Tools: byServer{"db": {"delete_[ab]"}}}), "a", "db", "delete_a", false, "agents.a.deny.tools.db[0]", "denies"},
		{"[] elsewhere", one(all, RuleSet{Tools: byServer{"db": {"delete_[ab]"}}}), "a", "db", "delete_c", true, "agents.a.allow.servers[0]", ""},
		{"? of a server", one(RuleSet{Servers: []string{"db?"}}, RuleSet{}), "a", "db1", "x", true, "agents.a.allow.servers[0]", ""},
		// Scenario 125: an empty list allows nothing.
		{"an empty list", one(RuleSet{[]string{"db"}, byServer{"db": {}}}, RuleSet{}), "a", "db", "x", false, "agents.a.allow.tools.db", "is empty"},
		{"a null list", one(RuleSet{[]string{"db"}, byServer{"db": nil}}, RuleSet{}), "a", "db", "x", false, "agents.a.allow.tools.db", "is empty"},
		{"an empty list for all servers", one(RuleSet{[]string{"db"}, byServer{"*": {}}}, RuleSet{}), "a", "db", "x", false, `agents.a.allow.tools["*"]`, "is empty"},

		{"a name beats a glob in the reason", one(all, RuleSet{Tools: byServer{"*": {"drop"}, "db": {"d*"}}}), "a", "db", "drop", false, `agents.a.deny.tools["*"][0]`, "by name"},
		{"a server's own list takes the place of globs", one(RuleSet{[]string{"db"}, byServer{"*": {"list"}, "db": {"query"}}}, RuleSet{}), "a", "db", "list", false, "agents.a.allow.tools.db", "does not name"},
		{"globs of servers add up", one(RuleSet{[]string{"db"}, byServer{"*": {"list"}, "d*": {"query"}}}, RuleSet{}), "a", "db", "query", true, `agents.a.allow.tools["d*"][0]`, "by name"},
		{"no server", one(all, RuleSet{}), "a", "", "x", false, "", "is empty"},
		{"no tool", one(all, RuleSet{}), "a", "db", "", false, "", "is empty"},
		{"a name without end", one(all, RuleSet{}), "a", "db", strings.Repeat("x", 1<<20), false, "", "longer than 1 KiB"},
		{"no agents at all", Policy{}, "a", "db", "x", false, "", "does not know"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := mustCompile(t, tt.policy).Decide(tt.agent, tt.server, tt.tool)
			if d.Allowed != tt.want || d.Rule != tt.rule || !strings.Contains(d.Reason, tt.reason) || d.Reason == "" {
				t.Errorf("Decide(%q, %q, %.20q) = %+v, want %t by %q since %q", tt.agent, tt.server, tt.tool, d, tt.want, tt.rule, tt.reason)
			}
		})
	}
}

// Scenario 127: the server is judged before the tool.
func TestPolicyDecidesServersAsItDecidesTheirTools(t *testing.T) {
	c := mustCompile(t, one(RuleSet{Servers: []string{"*"}}, RuleSet{Servers: []string{"secret-db"}, Tools: byServer{"db": {"drop"}}}))
	for server, want := range map[string]bool{"db": true, "secret-db": false, "": false} {
		if d := c.DecideServer("a", server); d.Allowed != want {
			t.Errorf("DecideServer(%q) = %+v", server, d)
		}
	}
	server, tool := c.DecideServer("a", "secret-db"), c.Decide("a", "secret-db", "drop")
	if server != tool {
		t.Errorf("a denied server is denied by %+v, its tool by %+v", server, tool)
	}
	if d := c.DecideServer("zzz", "db"); d.Allowed {
		t.Errorf("an unknown agent may use a server: %+v", d)
	}
}

// Scenario 130.
func TestCallersWithoutAnIDGetTheDefaultAgentOrNothing(t *testing.T) {
	agents := map[string]AgentRules{
		"default": {Allow: RuleSet{Servers: []string{"wiki"}}},
		"reader":  {Allow: RuleSet{Servers: []string{"db"}}},
	}
	without := mustCompile(t, Policy{Agents: agents})
	with := mustCompile(t, Policy{Agents: agents, Default: "reader"})
	for _, tt := range []struct {
		name          string
		policy        *CompiledPolicy
		agent, server string
		want          bool
	}{
		{"an id counts", with, "default", "wiki", true},
		{"an id counts, and the default does not add to it", with, "default", "db", false},
		{"no id gets the default", with, "", "db", true},
		{"no id gets no more than the default", with, "", "wiki", false},
		{"no id and no default is denied, whatever an agent is called", without, "", "wiki", false},
		{"an unknown id does not get the default", with, "unknown", "db", false},
		{"no policy", nil, "reader", "db", false},
	} {
		if d := tt.policy.Decide(tt.agent, tt.server, "x"); d.Allowed != tt.want || d.Reason == "" {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
	if _, err := (Policy{Agents: agents, Default: "gone"}).Compile(); err == nil || !strings.Contains(err.Error(), "default: there is no agent") {
		t.Errorf("a default agent that is not there: %v", err)
	}
}

func TestCompileReportsEveryMistake(t *testing.T) {
	_, err := Policy{
		Default: "nobody",
		Agents: map[string]AgentRules{
			"":      {},
			"a\x00": {},
			"b": {
				Allow: RuleSet{Servers: []string{"", "x", "x"}, Tools: byServer{"db": {"[", "ok"}, "[": {"fine"}}},
				Deny:  RuleSet{Servers: []string{`a\`}, Tools: byServer{"d b": {strings.Repeat("y", 2000), "\xff"}}},
			},
		},
	}.Compile()
	var e *PolicyError
	if !errors.As(err, &e) {
		t.Fatalf("Compile = %v", err)
	}
	var got []string
	for _, m := range e.Mistakes {
		got = append(got, m.Path)
	}
	want := []string{
		`agents.b.allow.servers[0]`, `agents.b.allow.servers[2]`, `agents.b.allow.tools.db[0]`, `agents.b.allow.tools["["]`,
		`agents.b.deny.servers[0]`, `agents.b.deny.tools["d b"][0]`, `agents.b.deny.tools["d b"][1]`,
		`agents[""]`, `agents["a\x00"]`, `default`,
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("mistakes at\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, path := range want {
		if !strings.Contains(err.Error(), path+": ") {
			t.Errorf("the error does not name %s: %v", path, err)
		}
	}
	if strings.Contains(err.Error(), "\x00") || !utf8.ValidString(err.Error()) || len(err.Error()) > 4096 {
		t.Errorf("the error holds what was wrong as it was: %q", err)
	}
}

func TestPolicyJSONIsStrict(t *testing.T) {
	var p Policy
	text := `{"agents":{"a":{"allow":{"servers":["db"],"tools":{"db":[],"x":null}},"deny":{"servers":["y"]}}},"default":"a"}`
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	if d := mustCompile(t, p).Decide("", "db", "x"); d.Allowed || d.Rule != "agents.a.allow.tools.db" {
		t.Errorf("an empty list read from JSON: %+v", d)
	}
	again, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != text {
		t.Errorf("the policy was %s, is written as %s", text, again)
	}
	for _, bad := range []string{
		`{"agents":{"a":{"dney":{"servers":["db"]}}}}`,
		`{"agents":{"a":{"deny":{"servers":["db"]},"deny":{}}}}`,
		`{"agents":{"a":{"deny":{"servers":["db"]}},"a":{}}}`,
		`{"agents":{"a":{"deny":{"servers":["db"]},"Deny":{"servers":[]}}}}`, `{"Agents":{}}`,
		`{"agents":{"a":{"deny":{"servers":["db"],"\u017fervers":[]}}}}`, // which encoding/json takes for an s
		`{"agents":[]}`, `{"deny_on_missing_agent":false}`, `[]`, `"x"`,
	} {
		kept := p
		if err := json.Unmarshal([]byte(bad), &kept); err == nil || !strings.HasPrefix(err.Error(), "mcpgroup: policy: ") {
			t.Errorf("%s: %v", bad, err)
		}
		if len(kept.Agents) != 1 {
			t.Errorf("%s changed the policy it was read into", bad)
		}
	}
}

func TestUnknownServersAreReportedAndHarmless(t *testing.T) {
	c := mustCompile(t, one(RuleSet{[]string{"db", "wkii", "x*"}, byServer{"db": {"a"}, "gone": nil}}, RuleSet{Servers: []string{"old"}}))
	var got []string
	for _, m := range c.UnknownServers([]string{"db", "wiki"}) {
		got = append(got, m.Path)
	}
	want := []string{"agents.a.allow.servers[1]", "agents.a.allow.tools.gone", "agents.a.deny.servers[0]"}
	if !slices.Equal(got, want) {
		t.Errorf("UnknownServers = %q, want %q", got, want)
	}
}

// Scenario 121.
func TestAnInvalidPolicyLeavesTheOneInForce(t *testing.T) {
	var live LivePolicy
	if d := live.Decide("a", "db", "x"); d.Allowed {
		t.Errorf("before any policy: %+v", d)
	}
	if err := live.Replace(one(RuleSet{Servers: []string{"db"}}, RuleSet{})); err != nil {
		t.Fatal(err)
	}
	before := live.Current()
	if err := live.Replace(one(RuleSet{Servers: []string{"["}}, RuleSet{})); err == nil {
		t.Fatal("an invalid policy was taken")
	}
	if live.Current() != before || !live.Decide("a", "db", "x").Allowed {
		t.Error("an invalid policy changed the one in force")
	}
}

// Scenario 109: a reader sees one policy or the other, never a mixture.
func TestDecisionsDuringReloadsAreWhole(t *testing.T) {
	policies := [2]Policy{
		one(RuleSet{[]string{"db"}, byServer{"db": {"read"}}}, RuleSet{}),
		one(RuleSet{Servers: []string{"db"}}, RuleSet{Tools: byServer{"db": {"read"}}}),
	}
	var live LivePolicy
	if err := live.Replace(policies[0]); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5000 {
				c := live.Current()
				read, write := c.Decide("a", "db", "read").Allowed, c.Decide("a", "db", "write").Allowed
				if read == write { // each policy allows exactly one of them
					t.Errorf("read = write = %t", read)
					return
				}
			}
		})
	}
	for i := range 500 {
		if err := live.Replace(policies[i%2]); err != nil {
			t.Error(err)
		}
		_ = live.Replace(one(RuleSet{Servers: []string{"["}}, RuleSet{}))
	}
	wg.Wait()
}

func BenchmarkPolicyDecide(b *testing.B) {
	c := mustCompile(b, one(RuleSet{[]string{"*"}, byServer{"db": {"read_*", "list_?", "query"}}}, RuleSet{Tools: byServer{"*": {"*_secret"}}}))
	b.ReportAllocs()
	for b.Loop() {
		c.Decide("a", "db", "read_table")
	}
}
