package mcpgroup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/session"
)

// perUser is a server that lists for each user what tools says.
func perUser(name string, tools func(user string) [][2]string) (ServerConfig, func(ServerConfig) (*Options, error)) {
	return ServerConfig{Name: name, PerUserTools: true}, func(cfg ServerConfig) (*Options, error) {
		if cfg.Name != name {
			return nil, nil
		}
		return &Options{NewServer: func(_ context.Context, key session.Key) (*mcp.Server, error) {
			return described(name, tools(key.User)...).Server, nil
		}}, nil
	}
}

// What one user sees is what they would see if there were nobody else: order, scores and costs.
func TestNoUsersSelectionDependsOnWhatOthersSee(t *testing.T) {
	common := [][2]string{
		{"list_invoices", "Lists the invoices of a customer."},
		{"create_invoice", "Creates an invoice for a customer."},
		{"refund_payment", "Pays a customer back."},
		{"export_ledger", "Exports the ledger as a file."},
	}
	var extra [][2]string
	for i := range 200 { // words that are rare for Alice are common for Bob
		extra = append(extra, [2]string{fmt.Sprintf("create_invoice_variant_%d", i), "Creates an invoice, a customer, a ledger and a refund."})
	}
	tools := func(user string) [][2]string {
		switch user {
		case "alice":
			return common
		case "bob":
			return append(slices.Clone(extra), common...)
		}
		return [][2]string{{"list_invoices", "Something else under the same name."}}
	}
	cfg, opts := perUser("billing", tools)
	shared := newRegistry(t, &RegistryOptions{Options: opts}, cfg)
	for _, user := range []string{"bob", "carol"} { // first, so that their tools are there
		selected(t, shared, userContext(user), "create an invoice", nil)
	}
	alone := newRegistry(t, &RegistryOptions{Options: opts}, cfg)
	for _, query := range []string{"create an invoice for a customer", "export ledger", "pay back", "lists invoices"} {
		got := selected(t, shared, userContext("alice"), query, &SelectOptions{Explain: true})
		want := selected(t, alone, userContext("alice"), query, &SelectOptions{Explain: true})
		if got.String() != want.String() || !slices.Equal(idsOf(got.Tools), idsOf(want.Tools)) || !slices.Equal(got.Unmatched, want.Unmatched) {
			t.Errorf("%q: %v %q %q, and alone %v %q %q", query, got, idsOf(got.Tools), got.Unmatched, want, idsOf(want.Tools), want.Unmatched)
			continue
		}
		for i := range got.Details {
			g, w := got.Details[i], want.Details[i]
			if g.Score != w.Score || g.Tokens != w.Tokens || g.Parts != nil && *g.Parts != *w.Parts {
				t.Errorf("%q: %s has %+v %+v, and alone %+v %+v", query, got.Tools[i].ID(), g, g.Parts, w, w.Parts)
			}
		}
		if got.Of != len(common) {
			t.Errorf("%q: chosen of %d tools, want %d", query, got.Of, len(common))
		}
	}
	res := selected(t, shared, userContext("carol"), "list invoices", nil)
	if len(res.Tools) != 1 || res.Tools[0].Description != "Something else under the same name." {
		t.Errorf("carol gets %q %v", idsOf(res.Tools), res)
	}
}

func TestAgentsSelectFromTheirToolsOnly(t *testing.T) {
	hidden := func(_ context.Context, tools []*Tool) []*Tool {
		return slices.DeleteFunc(slices.Clone(tools), func(t *Tool) bool { return t.OriginalName == "get_alerts" })
	}
	opts := &RegistryOptions{Options: func(cfg ServerConfig) (*Options, error) {
		if cfg.Name == "weather" {
			return &Options{Filter: hidden}, nil
		}
		return nil, nil
	}}
	r := newRegistry(t, opts, office()...)
	ctx := userContext("alice")
	query := "open a pull request, list the issues and warnings, send messages"
	if got := selected(t, r, ctx, query, &SelectOptions{Pinned: []string{"weather.get_alerts"}}); slices.Contains(idsOf(got.Tools), "weather.get_alerts") || got.Of != 6 || len(got.Missing) != 1 {
		t.Errorf("a hidden tool is selected: %q, %v", idsOf(got.Tools), got)
	}

	policy, err := Policy{Agents: map[string]AgentRules{"reader": {
		Allow: RuleSet{Servers: []string{"github", "weather"}, Tools: map[string][]string{"github": {"list_*"}, "weather": {"*"}}},
	}}}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	view, err := r.ForAgent(AgentMapping{ID: "reader", Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		res := selected(t, view, ctx, query, nil)
		for _, tool := range res.Tools {
			if id := tool.ID(); id != "github.list_issues" && id != "weather.get_forecast" {
				t.Errorf("the agent is given %s", id)
			}
		}
		if res.Of != 2 || len(res.Tools) == 0 || res.Tools[0].ID() != "github.list_issues" {
			t.Errorf("selected %q, %v", idsOf(res.Tools), res)
		}
		if res := selected(t, r, ctx, query, nil); res.Of != 6 {
			t.Errorf("the registry chooses of %d tools", res.Of)
		}
	}
	// A tool that was selected for an agent stays the agent's.
	res := selected(t, view, ctx, "list issues", nil)
	if _, err := res.Tools[0].Call(ctx, nil); err != nil {
		t.Error(err)
	}
	if _, ok := res.Tools[0].via.(*AgentView); !ok {
		t.Error("the tool is called past the agent's policy")
	}
}

// What is asked of thousands of tools at once is what is asked of one.
func TestAllowsAgreesWithDecide(t *testing.T) {
	r := newRegistry(t, nil, office()...)
	policy, err := Policy{Agents: map[string]AgentRules{"a": {
		Allow: RuleSet{Servers: []string{"*"}}, Deny: RuleSet{Tools: map[string][]string{"github": {"fork_*"}}},
	}}}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	tools, err := r.Tools(userContext("alice"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := 0
	servers := []AgentServer{{Server: "github", Exclude: []string{"list_*"}}, {Server: "mail", Include: []string{"send_email"}}, {Server: "weather"}}
	for _, mapping := range []AgentMapping{{ID: "a"}, {ID: "a", Servers: servers}, {ID: "a", Policy: policy}, {ID: "a", Servers: servers, Policy: policy}, {ID: "b", Policy: policy}} {
		view, err := r.ForAgent(mapping)
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range tools {
			want := view.decide(tool).Allowed
			if got := view.allows(tool); got != want {
				t.Errorf("%+v: allows(%s) = %t, want %t", mapping, tool.ID(), got, want)
			}
			if want {
				allowed++
			}
		}
	}
	if want := 7 + 5 + 6 + 4 + 0; allowed != want {
		t.Errorf("%d tools are allowed, want %d", allowed, want)
	}
}

// What is called together is found together, by the users of the tenant and by nobody else.
func TestCallsAreLearntFromIfThatIsWanted(t *testing.T) {
	for _, learn := range []bool{false, true} {
		r := newRegistry(t, &RegistryOptions{Learn: learn}, office()...)
		user := func(tenant, name string) context.Context {
			return session.NewContext(t.Context(), session.Key{Tenant: tenant, User: name})
		}
		query := "open a pull request for my branch"
		rank := func(ctx context.Context) int {
			return slices.Index(idsOf(selected(t, r, ctx, query, nil).Tools), "weather.get_alerts")
		}
		before := rank(user("acme", "bob"))
		for i := range 20 {
			ctx := user("acme", fmt.Sprint("user", i))
			for _, id := range []string{"github.create_pull_request", "weather.get_alerts"} {
				if _, err := r.Call(ctx, id, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if after := rank(user("acme", "bob")); (after < before) != learn {
			t.Errorf("learn %t: a tool that is used with the best one was in place %d and is in place %d", learn, before, after)
		}
		if other := rank(user("other", "bob")); other != before {
			t.Errorf("learn %t: for another tenant it is in place %d, and was in place %d", learn, other, before)
		}
	}
}

// What a server says of itself helps to find its tools, unless the configuration says it.
func TestServersAreFoundByTheirDescriptionOrInstructions(t *testing.T) {
	server := func() *mcp.Server {
		s := mcp.NewServer(&mcp.Implementation{Name: "x", Version: "1"}, &mcp.ServerOptions{Instructions: "Use this to plan a zoo visit."})
		describe(s, "x", "book", "Books a ticket.")
		return s
	}
	others := described("train", [2]string{"book", "Books a ticket."})
	words := &RegistryOptions{Selector: &selector.Options{LexicalOnly: true}}
	r := newRegistry(t, words, ServerConfig{Name: "zoo1", Server: server()}, ServerConfig{Name: "other", Server: server(), Description: "For museums."}, others)
	ctx := userContext("alice")
	if res := selected(t, r, ctx, "plan a visit and book a ticket", &SelectOptions{MaxTools: 1}); len(res.Tools) != 1 || res.Tools[0].Server != "zoo1" {
		t.Errorf("selected %q", idsOf(res.Tools))
	}
	if res := selected(t, r, ctx, "museums", &SelectOptions{MaxTools: 1}); len(res.Tools) != 1 || res.Tools[0].Server != "other" {
		t.Errorf("selected %q", idsOf(res.Tools))
	}
}

// Ten thousand words do not make a tool fit everything: what a word counts depends on how many others there are.
func TestAToolStuffedWithWordsDoesNotWinEveryQuery(t *testing.T) {
	queries := map[string]string{
		"open a pull request":               "github.create_pull_request",
		"list the issues of a repository":   "github.list_issues",
		"fork a repository":                 "github.fork_repository",
		"send an e-mail message":            "mail.send_email",
		"find messages in the mailbox":      "mail.search_mailbox",
		"weather forecast of a city":        "weather.get_forecast",
		"list storm warnings of the region": "weather.get_alerts",
	}
	var asked []string // the words of all queries: nobody who stuffs knows better
	for query := range queries {
		asked = append(asked, strings.Fields(query)...)
	}
	slices.Sort(asked)
	for _, test := range []struct {
		others, wins int // further words, and how many queries the tool may win at most
	}{{0, 3}, {300, 0}} {
		words := slices.Compact(slices.Clone(asked))
		for i := range test.others {
			words = append(words, fmt.Sprintf("%s%d", words[i%len(words)], i))
		}
		var stuffed strings.Builder
		for i := range 10_000 {
			stuffed.WriteString(words[i%len(words)])
			stuffed.WriteByte(' ')
		}
		r := newRegistry(t, nil, append(office(), described("evil", [2]string{"do_everything", stuffed.String()}))...)
		wins := 0
		for query, want := range queries {
			res := selected(t, r, userContext("alice"), query, &SelectOptions{MaxTools: 2})
			if got := idsOf(res.Tools); !slices.Contains(got, want) {
				t.Errorf("with %d words: Select(%q) = %q, want %s among them", len(words), query, got, want)
			} else if got[0] != want {
				wins++
			}
		}
		if wins > test.wins {
			t.Errorf("with %d words the tool wins %d queries of %d", len(words), wins, len(queries))
		}
	}
}
