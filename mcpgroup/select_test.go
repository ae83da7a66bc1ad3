package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/selector"
)

// described is a server of this process whose tools have the given descriptions and one parameter.
func described(name string, tools ...[2]string) ServerConfig {
	s := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, nil)
	for _, tool := range tools {
		describe(s, name, tool[0], tool[1])
	}
	return ServerConfig{Name: name, Server: s}
}

func describe(s *mcp.Server, server, tool, description string) {
	schema := map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{
		"title": map[string]any{"type": "string", "description": "The title."},
	}}
	s.AddTool(&mcp.Tool{Name: tool, Description: description, InputSchema: schema},
		func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: server + "/" + tool + " " + string(req.Params.Arguments)}}}, nil
		})
}

// office is three servers with tools that are easy to tell apart.
func office() []ServerConfig {
	github := described("github",
		[2]string{"create_pull_request", "Opens a pull request that proposes to merge one branch into another."},
		[2]string{"list_issues", "Lists the issues of a repository."},
		[2]string{"fork_repository", "Copies a repository to another owner."})
	github.Category, github.Labels = "Development", map[string]string{"team": "core", "tier": "1"}
	mail := described("mail",
		[2]string{"send_email", "Sends an e-mail message to a recipient."},
		[2]string{"search_mailbox", "Finds messages in the mailbox by sender or subject."})
	mail.Category, mail.Labels = "communication", map[string]string{"team": "core"}
	weather := described("weather",
		[2]string{"get_forecast", "Tells the weather forecast of a city: temperature, rain and wind."},
		[2]string{"get_alerts", "Lists the storm warnings of a region."})
	weather.Category = "data"
	return []ServerConfig{github, mail, weather}
}

type selecter interface {
	Select(ctx context.Context, query string, opts *SelectOptions) (*Selection, error)
}

func selected(t testing.TB, s selecter, ctx context.Context, query string, opts *SelectOptions) *Selection { //nolint:revive // t comes first
	t.Helper()
	res, err := s.Select(ctx, query, opts)
	if err != nil {
		t.Fatalf("Select(%.80q): %v", query, err)
	}
	if len(res.Tools) != len(res.Details) {
		t.Fatalf("Select(%.80q): %d tools and %d details", query, len(res.Tools), len(res.Details))
	}
	tokens := 0
	for _, d := range res.Details {
		tokens += d.Tokens
	}
	if tokens != res.Tokens {
		t.Errorf("Select(%.80q): tools of %d tokens cost %d", query, tokens, res.Tokens)
	}
	return res
}

func idsOf(tools []*Tool) (ids []string) {
	for _, t := range tools {
		ids = append(ids, t.ID())
	}
	return ids
}

func TestTheToolsThatFitARequestAreSelectedAndCanBeCalled(t *testing.T) {
	r := newRegistry(t, nil, office()...)
	ctx := userContext("alice")
	for query, want := range map[string]string{
		"open a pull request for my branch":      "github.create_pull_request",
		"send an email to Bob":                   "mail.send_email",
		"what will the weather be like in Paris": "weather.get_forecast",
		"list storm warnings":                    "weather.get_alerts",
	} {
		res := selected(t, r, ctx, query, &SelectOptions{MaxTools: 2, TokenBudget: 500})
		if len(res.Tools) == 0 || len(res.Tools) > 2 || res.Tools[0].ID() != want {
			t.Errorf("Select(%q) = %q, want %q first", query, idsOf(res.Tools), want)
			continue
		}
		if res.Of != 7 || res.Tokens > 500 || res.OfTokens <= res.Tokens || len(res.Unavailable) != 0 || res.Degraded != nil {
			t.Errorf("Select(%q): %v, unavailable %v, degraded %v", query, res, res.Unavailable, res.Degraded)
		}
		answer, err := res.Tools[0].Call(ctx, map[string]any{"title": "x"})
		if err != nil || !strings.HasPrefix(answer.Text(), strings.Replace(want, ".", "/", 1)) {
			t.Errorf("%s answers %v, %v", want, answer, err)
		}
	}
	for i := range 2 {
		if s := selected(t, r, ctx, "weather", nil).String(); !strings.HasPrefix(s, fmt.Sprintf("%d of 7 tools, ", len(selected(t, r, ctx, "weather", nil).Tools))) {
			t.Errorf("%d: String is %q", i, s)
		}
	}
}

func TestEachStepGetsItsTool(t *testing.T) {
	r := newRegistry(t, nil, office()...)
	res := selected(t, r, userContext("alice"), "", &SelectOptions{MaxTools: 2, Steps: []string{"weather forecast of a city", " send an e-mail message\n"}})
	if got := idsOf(res.Tools); !slices.Contains(got, "weather.get_forecast") || !slices.Contains(got, "mail.send_email") {
		t.Fatalf("selected %q", got)
	}
	for i, tool := range res.Tools {
		if want := map[string]int{"weather": 0, "mail": 1}[tool.Server]; res.Details[i].Step != want {
			t.Errorf("%s is for step %d, want %d", tool.ID(), res.Details[i].Step, want)
		}
	}
	res = selected(t, r, userContext("alice"), "weather forecast", &SelectOptions{MaxTools: 1})
	if len(res.Details) != 1 || res.Details[0].Step != -1 {
		t.Errorf("the query is step %+v, want -1", res.Details)
	}
}

// Scenario 137: what cannot be meant is refused before anything is asked, with the field that has to be mended.
func TestSelectRefusesWhatCannotBeMeant(t *testing.T) {
	r := newRegistry(t, nil, office()...)
	view, err := r.ForAgent(AgentMapping{ID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	many := slices.Repeat([]string{"x"}, 1001)
	tooMany := map[string]int{}
	for i := range 1001 {
		tooMany[fmt.Sprint(i)] = 1
	}
	for _, test := range []struct {
		query string
		opts  *SelectOptions
		field string
	}{
		{"", nil, "query"},
		{" \n\t", nil, "query"},
		{strings.Repeat("x", 100_001), nil, "query"},
		{"x", &SelectOptions{MaxTools: -1}, "MaxTools"},
		{"x", &SelectOptions{MaxTools: 1001}, "MaxTools"},
		{"x", &SelectOptions{TokenBudget: -1}, "TokenBudget"},
		{"x", &SelectOptions{MinScore: -0.1}, "MinScore"},
		{"x", &SelectOptions{MinScore: 1.1}, "MinScore"},
		{"x", &SelectOptions{MinScore: math.NaN()}, "MinScore"},
		{"x", &SelectOptions{Steps: []string{"a", " "}}, "Steps[1]"},
		{"x", &SelectOptions{Steps: many[:65]}, "Steps"},
		{"", &SelectOptions{Steps: []string{strings.Repeat("x", 100_001)}}, "Steps"},
		{"x", &SelectOptions{Servers: []string{""}}, "Servers[0]"},
		{"x", &SelectOptions{Servers: many}, "Servers"},
		{"x", &SelectOptions{Categories: []string{"a", ""}}, "Categories[1]"},
		{"x", &SelectOptions{Pinned: many}, "Pinned"},
		{"x", &SelectOptions{Pinned: []string{""}}, "Pinned[0]"},
		{"x", &SelectOptions{PerServer: map[string]int{"github": -1}}, "PerServer"},
		{"x", &SelectOptions{PerServer: map[string]int{"github": math.MaxInt}}, "PerServer"},
		{"x", &SelectOptions{PerCategory: map[string]int{"data": -1}}, "PerCategory"},
		{"x", &SelectOptions{PerCategory: map[string]int{"data": 1001}}, "PerCategory"},
		{"x", &SelectOptions{PerCategory: tooMany}, "PerCategory"},
	} {
		for _, s := range []selecter{r, view} {
			_, err := s.Select(userContext("alice"), test.query, test.opts)
			var e *SelectError
			if !errors.As(err, &e) || e.Field != test.field || !strings.HasPrefix(err.Error(), "mcpgroup: select: "+test.field+" ") {
				t.Errorf("Select(%.20q, %+v): error %v, want one about %s", test.query, test.opts, err, test.field)
			}
		}
	}
}

func TestSelectionsAreNarrowed(t *testing.T) {
	r := newRegistry(t, nil, office()...)
	ctx := userContext("alice")
	for _, test := range []struct {
		opts    SelectOptions
		servers []string
	}{
		{SelectOptions{Servers: []string{"mail"}}, []string{"mail"}},
		{SelectOptions{Servers: []string{"mail", "weather", "none"}}, []string{"mail", "weather"}},
		{SelectOptions{Servers: []string{"none"}}, nil},
		{SelectOptions{Categories: []string{"DATA"}}, []string{"weather"}},
		{SelectOptions{Categories: []string{"none"}}, nil},
		{SelectOptions{Labels: map[string]string{"team": "core"}}, []string{"github", "mail"}},
		{SelectOptions{Labels: map[string]string{"team": "core", "tier": "1"}}, []string{"github"}},
		{SelectOptions{Labels: map[string]string{"team": "core"}, Categories: []string{"communication"}}, []string{"mail"}},
		{SelectOptions{Labels: map[string]string{"team": "core"}, Servers: []string{"weather"}}, nil},
	} {
		res := selected(t, r, ctx, "list the issues, messages and warnings of a repository, mailbox and region", &test.opts)
		seen := map[string]bool{}
		for _, tool := range res.Tools {
			seen[tool.Server] = true
			if !slices.Contains(test.servers, tool.Server) {
				t.Errorf("%+v selects %s", test.opts, tool.ID())
			}
		}
		if len(seen) != len(test.servers) || res.Of != 7 {
			t.Errorf("%+v selects of servers %v of %d tools, want %q of 7", test.opts, seen, res.Of, test.servers)
		}
	}
	// What is pinned is there all the same.
	res := selected(t, r, ctx, "list", &SelectOptions{Servers: []string{"none"}, Pinned: []string{"mail.send_email"}})
	if got := idsOf(res.Tools); !slices.Equal(got, []string{"mail.send_email"}) {
		t.Errorf("selected %q", got)
	}
}

func TestPinnedToolsAreAlwaysSelected(t *testing.T) {
	r := newRegistry(t, nil, office()...)
	ctx := userContext("alice")
	pins := []string{"mail.send_email", "get_alerts", "mail.none", "none", "none.get_alerts", "weather.get_alerts"}
	res := selected(t, r, ctx, "fork a repository", &SelectOptions{MaxTools: 3, Pinned: pins})
	if got := idsOf(res.Tools); len(got) != 3 || !slices.Contains(got, "mail.send_email") || !slices.Contains(got, "weather.get_alerts") || got[2] != "github.fork_repository" {
		t.Errorf("selected %q", got)
	}
	if want := []string{"mail.none", "none", "none.get_alerts"}; !slices.Equal(res.Missing, want) {
		t.Errorf("missing %q, want %q", res.Missing, want)
	}
	for i, tool := range res.Tools {
		if want := tool.Server != "github"; (res.Details[i].Reason == selector.Pinned) != want {
			t.Errorf("%s was chosen as %q", tool.ID(), res.Details[i].Reason)
		}
	}
}

// A tool that was made smaller is called like any other: its arguments are checked against the server's schema.
func TestCompactedToolsCheckArgumentsAgainstTheWholeSchema(t *testing.T) {
	long := strings.Repeat("This sentence says little about what is archived. ", 200)
	properties := map[string]any{"id": map[string]any{"type": "integer", "description": long}}
	s := mcp.NewServer(&mcp.Implementation{Name: "store", Version: "1"}, nil)
	s.AddTool(&mcp.Tool{Name: "archive_document", Description: "Archives a document. " + long, InputSchema: map[string]any{
		"type": "object", "required": []any{"id"}, "additionalProperties": false, "properties": properties,
	}}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "archived"}}}, nil
	})
	r := newRegistry(t, nil, ServerConfig{Name: "store", Server: s})
	ctx := userContext("alice")
	whole := selected(t, r, ctx, "archive a document", nil)
	if len(whole.Tools) != 1 || whole.Details[0].Lost != nil {
		t.Fatalf("without a budget: %+v", whole)
	}
	opts := &SelectOptions{TokenBudget: whole.Tokens * 3 / 4}
	res := selected(t, r, ctx, "archive a document", opts)
	if len(res.Tools) != 1 || len(res.Details[0].Lost) == 0 || res.Tokens > opts.TokenBudget {
		t.Fatalf("with a budget of %d: %v, %+v", opts.TokenBudget, res, res.Details)
	}
	tool := res.Tools[0]
	if len(tool.Description) >= len(whole.Tools[0].Description) || tool.ID() != "store.archive_document" {
		t.Errorf("%s has %d bytes of description, and had %d", tool.ID(), len(tool.Description), len(whole.Tools[0].Description))
	}
	if res, err := tool.Call(ctx, map[string]any{"id": 1}); err != nil || res.Text() != "archived" {
		t.Errorf("called: %v, %v", res, err)
	}
	if _, err := tool.Call(ctx, map[string]any{"id": "one"}); !errors.Is(err, ErrInvalidArguments) {
		t.Errorf("with a string for an integer: %v", err)
	}
	listed, err := r.Tools(ctx)
	if err != nil || listed[0].Description != whole.Tools[0].Description {
		t.Error("the listing is changed")
	}
	opts.Whole = true
	if res := selected(t, r, ctx, "archive a document", opts); len(res.Tools) != 0 {
		t.Errorf("whole tools only: %v", res)
	}
}

// A server that is down is known by its last tools, and one that never was there is named.
func TestSelectionsNameServersWhoseToolsAreNotKnown(t *testing.T) {
	r := newRegistry(t, nil, append(office(), ServerConfig{Name: "dead", URL: "http://127.0.0.1:1/mcp", Category: "dead"})...)
	ctx := userContext("alice")
	if res := selected(t, r, ctx, "send an email", nil); len(res.Unavailable) != 1 || !errors.Is(res.Unavailable["dead"], ErrUnavailable) || len(res.Tools) == 0 {
		t.Errorf("%v, unavailable %v", res, res.Unavailable)
	}
	if res := selected(t, r, ctx, "send an email", &SelectOptions{Categories: []string{"communication"}}); len(res.Unavailable) != 0 {
		t.Errorf("unavailable %v, and nobody asked for it", res.Unavailable)
	}
}

func TestTheSameRequestSelectsTheSame(t *testing.T) {
	var first string
	for i := range 4 {
		servers := office()
		if i%2 == 1 { // in another order, and known for longer
			slices.Reverse(servers)
		}
		r := newRegistry(t, nil, servers...)
		if i > 1 {
			selected(t, r, userContext("bob"), "warm", nil)
		}
		var b strings.Builder
		for _, query := range []string{"list", "send an e-mail about the weather", "repository", "zzz"} {
			res := selected(t, r, userContext("alice"), query, &SelectOptions{TokenBudget: 400, Explain: true})
			for i, tool := range res.Tools {
				fmt.Fprintln(&b, query, tool.ID(), res.Details[i].Score, res.Details[i].Tokens, res.Details[i].Reason)
			}
		}
		if first == "" {
			first = b.String()
		} else if b.String() != first {
			t.Errorf("run %d:\n%s\nand at first\n%s", i, b.String(), first)
		}
	}
}

func TestSelectOnAClosedRegistryFails(t *testing.T) {
	r := newRegistry(t, nil, office()...)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Select(userContext("alice"), "x", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
	if _, err := NewRegistry(&RegistryOptions{Selector: &selector.Options{Edges: []selector.Edge{{}}}}); err == nil {
		t.Error("a selector that cannot work is accepted")
	}
}

// What was left out of a result can be read by an agent that has selected tools only.
func TestTheToolThatReadsLongResultsIsSelectedToo(t *testing.T) {
	r := newRegistry(t, &RegistryOptions{Results: ResultPolicy{MaxBytes: 4096}}, office()...)
	ctx := userContext("alice")
	for _, opts := range []*SelectOptions{{MaxTools: 2}, {MaxTools: 2, Servers: []string{"mail"}}} {
		res := selected(t, r, ctx, "send an e-mail message", opts)
		if got := namesOf(res.Tools); len(got) != 3 || got[0] != "send_email" || got[2] != "read_result" {
			t.Errorf("%+v selects %q", opts, got)
		}
	}
	if res := selected(t, r, ctx, "x", &SelectOptions{Servers: []string{"none"}}); len(res.Tools) != 0 {
		t.Errorf("selected %q", namesOf(res.Tools))
	}
}
