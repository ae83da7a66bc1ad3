package mcpgroup

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var policyTriples = flag.Int("policytriples", 100_000, "triples of agent, policy and tool that are compared with the oracle")

// naiveMatch matches a pattern by trying everything. It knows of classes what randomPattern writes.
func naiveMatch(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	switch pattern[0] {
	case '*':
		return naiveMatch(pattern[1:], s) || s != "" && naiveMatch(pattern, s[1:])
	case '?':
		return s != "" && naiveMatch(pattern[1:], s[1:])
	case '[':
		class, rest, _ := strings.Cut(pattern[1:], "]")
		set, negated := strings.CutPrefix(class, "!")
		return s != "" && strings.Contains(set, s[:1]) != negated && naiveMatch(rest, s[1:])
	}
	return s != "" && pattern[0] == s[0] && naiveMatch(pattern[1:], s[1:])
}

// naiveDecide is the policy as its documentation words it, one sentence after the other.
func naiveDecide(p Policy, agent, server, tool string) bool {
	if agent == "" {
		agent = p.Default
	}
	rules, known := p.Agents[agent]
	if !known {
		return false
	}
	anyOf := func(patterns []string, s string) bool {
		for _, p := range patterns {
			if naiveMatch(p, s) {
				return true
			}
		}
		return false
	}
	if anyOf(rules.Deny.Servers, server) || !anyOf(rules.Allow.Servers, server) {
		return false
	}
	for s, patterns := range rules.Deny.Tools {
		if naiveMatch(s, server) && anyOf(patterns, tool) {
			return false
		}
	}
	if own, limited := rules.Allow.Tools[server]; limited {
		return anyOf(own, tool)
	}
	limited := false
	for s, patterns := range rules.Allow.Tools {
		if naiveMatch(s, server) {
			limited = true
			if anyOf(patterns, tool) {
				return true
			}
		}
	}
	return !limited
}

func randomName(r *rand.Rand) string {
	b := make([]byte, 1+r.IntN(3))
	for i := range b {
		b[i] = "abA"[r.IntN(3)]
	}
	return string(b)
}

func randomPattern(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(3) {
		b.WriteString([]string{"a", "b", "A", "a", "b", "*", "?", "[ab]", "[!a]"}[r.IntN(9)])
	}
	return b.String()
}

func randomRules(r *rand.Rand) RuleSet {
	patterns := func() []string {
		list := []string{}
		for range r.IntN(3) {
			if p := randomPattern(r); !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
		return list
	}
	rules := RuleSet{Servers: patterns(), Tools: byServer{}}
	for range r.IntN(3) {
		rules.Tools[randomPattern(r)] = patterns()
	}
	return rules
}

func randomPolicy(r *rand.Rand) Policy {
	p := Policy{Agents: map[string]AgentRules{}}
	for _, id := range []string{"x", "y"}[:1+r.IntN(2)] {
		p.Agents[id] = AgentRules{Allow: randomRules(r), Deny: randomRules(r)}
	}
	if r.IntN(2) == 0 {
		p.Default = "x"
	}
	return p
}

// A decision is what the oracle says, its reason is about its own outcome, and a list of tools is those that may be
// called.
func TestPolicyAgreesWithTheOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	allowed, done := 0, 0
	for done < *policyTriples {
		p := randomPolicy(r)
		c := mustCompile(t, p)
		for range 50 {
			agent := []string{"x", "y", "z", ""}[r.IntN(4)]
			server := randomName(r)
			var tools []string
			for range 4 {
				tools = append(tools, randomName(r))
			}
			var list, calls []string
			for _, tool := range tools {
				d := c.Decide(agent, server, tool)
				done++
				if want := naiveDecide(p, agent, server, tool); d.Allowed != want {
					text, _ := json.Marshal(p)
					t.Fatalf("Decide(%q, %q, %q) = %+v, the oracle says %t\n%s", agent, server, tool, d, want, text)
				}
				if err := reasonAgrees(d); err != nil {
					t.Fatalf("Decide(%q, %q, %q) = %+v: %v", agent, server, tool, d, err)
				}
				if d.Allowed {
					allowed++
					list = append(list, tool)
				}
				if again := c.Decide(agent, server, tool); again.Allowed {
					calls = append(calls, tool)
				}
			}
			if !slices.Equal(list, calls) {
				t.Fatalf("listed %q, may call %q", list, calls)
			}
			if len(list) > 0 && !c.DecideServer(agent, server).Allowed {
				t.Fatalf("tools of a server that is hidden are shown: %q", list)
			}
		}
	}
	if share := float64(allowed) / float64(done); share < 0.03 || share > 0.5 {
		t.Errorf("%.2f of the decisions allow: the policies are not random enough to prove anything", share)
	}
}

// reasonAgrees reports a decision whose words contradict it.
func reasonAgrees(d Decision) error {
	if d.Reason == "" {
		return fmt.Errorf("there is no reason")
	}
	if from, to := strings.Index(d.Reason, `"`), strings.LastIndex(d.Reason, `"`); from >= 0 {
		d.Reason = d.Reason[:from] + d.Reason[to+1:] // a pattern may hold any words
	}
	allows := strings.Contains(d.Reason, "allows the") && !strings.HasPrefix(d.Reason, "no rule") || strings.HasPrefix(d.Reason, "the server is allowed, and")
	switch {
	case d.Allowed != allows:
		return fmt.Errorf("the reason contradicts the decision")
	case d.Allowed && !strings.Contains(d.Rule, ".allow."):
		return fmt.Errorf("it is allowed by a rule that does not allow")
	case strings.Contains(d.Reason, "denies") != strings.Contains(d.Rule, ".deny."):
		return fmt.Errorf("the rule is another than the reason's")
	}
	return nil
}

// Compile takes what JSON can hold without a panic, and what it takes decides like the same policy after a round trip.
func FuzzPolicyCompile(f *testing.F) {
	f.Add(`{"agents":{"a":{"allow":{"servers":["db","w*"],"tools":{"db":["read_?","[!a]*"]}},"deny":{"tools":{"*":["x"]}}}},"default":"a"}`, "a", "db", "read_x")
	f.Add(`{"agents":{"":{"allow":{"servers":["["]}}},"default":"b"}`, "", "", "")
	f.Add(`{"agents":{"a":{"allow":{"servers":["*"],"tools":{"*":[]}}}}}`, "a", "x", "y")
	f.Fuzz(func(t *testing.T, text, agent, server, tool string) {
		var p Policy
		if json.Unmarshal([]byte(text), &p) != nil {
			return
		}
		c, err := p.Compile()
		if err != nil {
			if len(err.(*PolicyError).Mistakes) == 0 {
				t.Fatal("an error without a mistake")
			}
			return
		}
		d := c.Decide(agent, server, tool)
		if err := reasonAgrees(d); err != nil && !strings.Contains(d.Rule, `"`) { // names in quotes may hold any words
			t.Fatalf("%+v: %v", d, err)
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var q Policy
		if err := json.Unmarshal(again, &q); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if e := mustCompile(t, q).Decide(agent, server, tool); e != d {
			t.Fatalf("decides %+v, after a round trip %+v", d, e)
		}
	})
}
