package mcpgroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/selector/tokens"
	"github.com/mcpfleet/mcpfleet/session"
)

type metaOwner interface {
	MetaTools(opts *MetaToolOptions) ([]*Tool, error)
}

func metaToolsOf(t testing.TB, o metaOwner, opts *MetaToolOptions) map[string]*Tool {
	t.Helper()
	list, err := o.MetaTools(opts)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*Tool{}
	for _, tool := range list {
		byName[tool.Name] = tool
	}
	return byName
}

func callMeta(t testing.TB, tool *Tool, ctx context.Context, args any, opts ...CallOption) *Result { //nolint:revive // t comes first
	t.Helper()
	res, err := tool.Call(ctx, args, opts...)
	if err != nil {
		t.Fatalf("%s(%v): %v", tool.Name, args, err)
	}
	if !res.IsError && res.StructuredContent != nil {
		var text any
		if err := json.Unmarshal([]byte(res.Text()), &text); err != nil {
			t.Fatalf("%s(%v) answers with a text that is not JSON: %.200q", tool.Name, args, res.Text())
		}
		if a, b := fmt.Sprint(text), fmt.Sprint(res.StructuredContent); a != b {
			t.Errorf("%s(%v): text and structured content differ: %s and %s", tool.Name, args, a, b)
		}
	}
	return res
}

// foundBy returns the names that a search found.
func foundBy(t testing.TB, res *Result) (names []string) {
	t.Helper()
	if res.IsError {
		t.Fatalf("the search failed: %s", res.Text())
	}
	for _, tool := range res.StructuredContent.(map[string]any)["tools"].([]any) {
		names = append(names, tool.(map[string]any)["name"].(string))
	}
	return names
}

func TestAModelFindsAndCallsAToolItWasNotGiven(t *testing.T) {
	r := newRegistry(t, nil, office()...)
	ctx := userContext("alice")
	list, err := r.MetaTools(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := namesOf(list); !slices.Equal(got, []string{"search_tools", "call_tool", "describe_tool", "list_servers"}) {
		t.Fatalf("the tools are %q", got)
	}
	meta := metaToolsOf(t, r, nil)
	res := callMeta(t, meta["search_tools"], ctx, `{"queries":["list the issues of a repository","send an e-mail message"]}`)
	found := foundBy(t, res)
	if !slices.Contains(found, "list_issues") || !slices.Contains(found, "send_email") {
		t.Fatalf("found %q", found)
	}
	first := res.StructuredContent.(map[string]any)["tools"].([]any)[0].(map[string]any)
	if first["server"] == "" || first["description"] == "" || first["input_schema"].(map[string]any)["type"] != "object" {
		t.Errorf("the first one is %v", first)
	}
	for _, args := range []any{
		map[string]any{"name": "send_email", "arguments": map[string]any{"title": "x"}},
		map[string]any{"name": "mail.send_email", "arguments": map[string]any{"title": "x"}},
		json.RawMessage(`{"name":"send_email","arguments":"{\"title\":\"x\"}"}`), // as some models write it
	} {
		if res := callMeta(t, meta["call_tool"], ctx, args); res.IsError || res.Text() != `mail/send_email {"title":"x"}` {
			t.Errorf("call_tool(%s) answers %q", args, res.Text())
		}
	}
	if res := callMeta(t, meta["call_tool"], ctx, map[string]any{"name": "send_email"}); res.Text() != "mail/send_email {}" || res.Attempts != 1 || res.Duration <= 0 {
		t.Errorf("without arguments: %q, %d attempts, %v", res.Text(), res.Attempts, res.Duration)
	}
	described := callMeta(t, meta["describe_tool"], ctx, map[string]any{"name": "weather.get_alerts"}).StructuredContent.(map[string]any)
	if described["name"] != "get_alerts" || described["id"] != "weather.get_alerts" || described["destructive"] != true || described["input_schema"] == nil {
		t.Errorf("described as %v", described)
	}
	servers := callMeta(t, meta["list_servers"], ctx, nil)
	if want := `{"servers":[{"name":"github","category":"Development","tools":3},{"name":"mail","category":"communication","tools":2},{"name":"weather","category":"data","tools":2}]}`; servers.Text() != want {
		t.Errorf("the servers are %s, want %s", servers.Text(), want)
	}
}

func TestSearchTakesWhatModelsWrite(t *testing.T) {
	r := newRegistry(t, nil, office()...)
	ctx := userContext("alice")
	search := metaToolsOf(t, r, &MetaToolOptions{MaxTools: 5})["search_tools"]
	for _, args := range []string{
		`{"queries":["weather forecast of a city"],"max_tools":1}`,
		`{"queries":"weather forecast of a city","max_tools":1}`,
		`{"queries":["weather forecast of a city"],"max_tools":1.0}`,
		`{"queries":["weather forecast of a city"],"max_tools":10e-1}`,
		`{"queries":"[\"weather forecast of a city\"]","max_tools":1,"servers":["weather","mail"]}`,
	} {
		if got := foundBy(t, callMeta(t, search, ctx, args)); !slices.Equal(got, []string{"get_forecast"}) {
			t.Errorf("%s finds %q", args, got)
		}
	}
	given := map[string]any{"queries": "weather"}
	callMeta(t, search, ctx, given)
	if given["queries"] != "weather" {
		t.Error("the caller's arguments were changed")
	}
	for args, field := range map[string]string{
		`{}`:                               "queries",
		`{"queries":[]}`:                   "queries",
		`{"queries":[""]}`:                 "/queries/0",
		`{"queries":[1]}`:                  "/queries/0",
		`{"queries":["x"],"max_tools":6}`:  "/max_tools",
		`{"queries":["x"],"max_tools":0}`:  "/max_tools",
		`{"queries":["x"],"top_k":3}`:      "top_k",
		`{"queries":["x"],"servers":[""]}`: "/servers/0",
		`{"queries":["` + strings.Repeat("x", 1001) + `"]}`:   "/queries/0",
		`{"queries":[` + strings.Repeat(`"x",`, 16) + `"x"]}`: "/queries",
		`[]`:                       "",
		`{"queries":["x"]`:         "",
		`{"queries":{"a":"b"}}`:    "/queries",
		`{"queries":["x"],"a":{}}`: "a",
	} {
		_, err := search.Call(ctx, args)
		if !errors.Is(err, ErrInvalidArguments) || !strings.Contains(err.Error(), field) || outcomeOf(t, err) != NotSent {
			t.Errorf("%.60s: error %v, want one about %q", args, err, field)
		}
	}
	// A query of blanks fits the schema and means nothing.
	if res := callMeta(t, search, ctx, `{"queries":[" "]}`); !res.IsError {
		t.Errorf("an empty query finds %s", res.Text())
	}
	if res := callMeta(t, search, ctx, `{"queries":["weather"],"servers":["none"]}`); len(foundBy(t, res)) != 0 || !strings.Contains(res.Text(), "list_servers") {
		t.Errorf("a search without results answers %s", res.Text())
	}
}

func TestAnAnswerOfSearchFitsItsBudget(t *testing.T) {
	var tools [][2]string
	for i := range 60 {
		tools = append(tools, [2]string{fmt.Sprintf("report_%d", i), fmt.Sprintf("Writes report %d. ", i) + strings.Repeat("It is <long> & says more than it has to. ", i)})
	}
	r := newRegistry(t, nil, described("reports", tools...))
	for _, budget := range []int{200, 500, 1000, 4000} {
		search := metaToolsOf(t, r, &MetaToolOptions{MaxTools: 60, TokenBudget: budget})["search_tools"]
		res := callMeta(t, search, userContext("alice"), map[string]any{"queries": []any{"write a report"}})
		if n := tokens.Estimate().Count(res.Text()); n > budget || len(foundBy(t, res)) == 0 {
			t.Errorf("with a budget of %d: %d tools in %d tokens", budget, len(foundBy(t, res)), n)
		}
	}
}

// Words that nothing has are told, and do not take the place of tools.
func TestWordsOfAQueryDoNotFillTheAnswerOfSearch(t *testing.T) {
	var tools [][2]string
	for i := range 10 {
		tools = append(tools, [2]string{fmt.Sprintf("report_%d", i), fmt.Sprintf("Writes report %d.", i)})
	}
	r := newRegistry(t, nil, described("reports", tools...))
	var queries []any
	for i := range maxSearchQueries {
		queries = append(queries, "report "+strings.Repeat(string(rune('a'+i))+"qzx", 240))
	}
	for _, budget := range []int{200, 4000} {
		search := metaToolsOf(t, r, &MetaToolOptions{TokenBudget: budget})["search_tools"]
		res := callMeta(t, search, userContext("alice"), map[string]any{"queries": queries})
		if n := tokens.Estimate().Count(res.Text()); n > budget || len(foundBy(t, res)) < 3 {
			t.Errorf("with a budget of %d: %d tools in %d tokens", budget, len(foundBy(t, res)), n)
		}
	}
	res := callMeta(t, metaToolsOf(t, r, nil)["search_tools"], userContext("alice"), `{"queries":["report quixotry"]}`)
	if !strings.Contains(res.Text(), `"words_not_found":["quixotry"]`) {
		t.Errorf("answers %s", res.Text())
	}
}

// A tool for which there is no room is named, or a model would never hear of it.
func TestSearchNamesToolsThatAreTooLargeToShow(t *testing.T) {
	properties := map[string]any{}
	for i := range 200 {
		properties[fmt.Sprintf("parameter_%d", i)] = map[string]any{"type": "string"}
	}
	wide := described("wide")
	wide.Server.AddTool(&mcp.Tool{Name: "tune_engine", Description: "Tunes the engine.", InputSchema: map[string]any{"type": "object", "properties": properties}},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{}, nil
		})
	r := newRegistry(t, nil, append(office(), wide)...)
	meta := metaToolsOf(t, r, &MetaToolOptions{TokenBudget: 1000})
	res := callMeta(t, meta["search_tools"], userContext("alice"), `{"queries":["tune the engine"]}`)
	if slices.Contains(foundBy(t, res), "tune_engine") || !strings.Contains(res.Text(), `"too_large_to_show":["tune_engine"]`) || !strings.Contains(res.Text(), "describe_tool") {
		t.Errorf("answers %s", res.Text())
	}
	if res := callMeta(t, meta["search_tools"], userContext("alice"), `{"queries":["send an e-mail"],"servers":["mail"]}`); strings.Contains(res.Text(), "too_large") {
		t.Errorf("answers %s", res.Text())
	}
}

func TestAListOfManyServersSaysLessOfEach(t *testing.T) {
	var servers []ServerConfig
	for i := range 50 {
		cfg := described(fmt.Sprintf("server%d", i), [2]string{fmt.Sprintf("tool%d", i), "Works."})
		cfg.Description = strings.Repeat("It is for one thing and another. ", 5)
		servers = append(servers, cfg)
	}
	r := newRegistry(t, nil, servers...)
	size := 0
	for _, budget := range []int{200, 1500, 4000} {
		res := callMeta(t, metaToolsOf(t, r, &MetaToolOptions{TokenBudget: budget})["list_servers"], userContext("alice"), nil)
		if n := strings.Count(res.Text(), `"tools":1`); n != len(servers) {
			t.Errorf("with a budget of %d: %d servers", budget, n)
		}
		if n := tokens.Estimate().Count(res.Text()); n <= size || budget > 200 && n > budget {
			t.Errorf("with a budget of %d: %d tokens, and %d with less", budget, n, size)
		} else {
			size = n
		}
	}
}

// Scenario 97: a name that no tool has is answered with those that it may stand for.
func TestAnUnknownNameIsAnsweredWithSimilarOnes(t *testing.T) {
	r := newRegistry(t, nil, office()...)
	ctx := userContext("alice")
	meta := metaToolsOf(t, r, &MetaToolOptions{Prefix: "x_"})
	for _, tool := range []string{"x_call_tool", "x_describe_tool"} {
		for _, name := range []string{"send_emails", "mail.send_mail", "none.send_email"} {
			res := callMeta(t, meta[tool], ctx, map[string]any{"name": name})
			if text := res.Text(); !res.IsError || !strings.Contains(text, `no tool "`+name+`"`) || !strings.Contains(text, `"send_email"`) || !strings.Contains(text, "x_search_tools") {
				t.Errorf("%s(%q) answers %v %q", tool, name, res.IsError, text)
			}
		}
	}
	for _, name := range []string{"", "zzzz", strings.Repeat("x", 1024), "a\u202eb", "..."} {
		res, err := meta["x_call_tool"].Call(ctx, map[string]any{"name": name})
		if name == "" {
			if !errors.Is(err, ErrInvalidArguments) {
				t.Errorf("an empty name: %v", err)
			}
		} else if err != nil || !res.IsError || len(res.Text()) > 500 || strings.Contains(res.Text(), "\u202e") {
			t.Errorf("%.20q answers %v, %v", name, res, err)
		}
	}
}

func TestCallToolDoesNotCallItself(t *testing.T) {
	r := newRegistry(t, nil, append(office(), described("odd", [2]string{"call_tool", "A server's own tool of this name."}))...)
	ctx := userContext("alice")
	meta := metaToolsOf(t, r, nil)
	for _, name := range []string{"call_tool", "mcpfleet.call_tool", "search_tools"} {
		res := callMeta(t, meta["call_tool"], ctx, map[string]any{"name": name, "arguments": map[string]any{"name": name}})
		if !res.IsError || !strings.Contains(res.Text(), "by itself") {
			t.Errorf("call_tool(%q) answers %v %q", name, res.IsError, res.Text())
		}
	}
	// A server's own tool of such a name is found by one that leads to it.
	found := foundBy(t, callMeta(t, meta["search_tools"], ctx, `{"queries":["a server's own tool of this name"],"servers":["odd"]}`))
	if !slices.Equal(found, []string{"odd.call_tool"}) {
		t.Fatalf("found %q", found)
	}
	if res := callMeta(t, meta["call_tool"], ctx, map[string]any{"name": found[0]}); res.Text() != "odd/call_tool {}" {
		t.Errorf("a server's tool of this name answers %q", res.Text())
	}
}

// Whatever holds for a call of the registry holds for one that a model makes of it.
func TestCallToolGoesTheWayOfEveryCall(t *testing.T) {
	var seen []string
	opts := &RegistryOptions{
		Results: ResultPolicy{MaxBytes: 4096},
		Options: func(cfg ServerConfig) (*Options, error) {
			return &Options{Middleware: []func(CallFunc) CallFunc{RequireApproval(func(_ context.Context, req ApprovalRequest) (bool, error) {
				seen = append(seen, req.Key.User+" "+req.Tool.ID())
				return req.Tool.OriginalName != "send_email", nil
			}, nil)}}, nil
		},
	}
	long := local("long")
	long.Server.AddTool(&mcp.Tool{Name: "dump", InputSchema: map[string]any{"type": "object"}},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.Repeat("line of text\n", 2000)}}}, nil
		})
	r := newRegistry(t, opts, append(office(), long)...)
	ctx := userContext("alice")
	meta := metaToolsOf(t, r, nil)
	call := meta["call_tool"]
	if _, err := call.Call(ctx, map[string]any{"name": "send_email"}); !errors.Is(err, ErrDenied) {
		t.Errorf("without approval: %v", err)
	}
	if res := callMeta(t, call, ctx, map[string]any{"name": "list_issues"}); res.IsError {
		t.Errorf("with approval: %q", res.Text())
	}
	if want := []string{"alice mail.send_email", "alice github.list_issues"}; !slices.Equal(seen, want) {
		t.Errorf("approval was asked for %q, want %q", seen, want)
	}
	// Arguments are checked against the tool's schema, which the model is told.
	res := callMeta(t, call, ctx, map[string]any{"name": "list_issues", "arguments": map[string]any{"title": 7}})
	if !res.IsError || !strings.Contains(res.Text(), "/title") || !strings.Contains(res.Text(), `"additionalProperties":false`) || !strings.Contains(res.Text(), `"list_issues"`) {
		t.Errorf("with bad arguments: %q", res.Text())
	}
	// Results are bounded, and the rest is read with the tool that comes along.
	res = callMeta(t, call, ctx, map[string]any{"name": "dump"})
	if len(res.Text()) > 4096 {
		t.Errorf("the result has %d bytes", len(res.Text()))
	}
	if meta["read_result"] == nil {
		t.Fatal("there is no tool to read the rest with")
	}
	handle := regexp.MustCompile(`[A-Z2-7]{26}`).FindString(res.Text())
	for user, ok := range map[string]bool{"alice": true, "bob": false} {
		page := callMeta(t, meta["read_result"], userContext(user), map[string]any{"handle": handle, "first_line": 1, "last_line": 1})
		if page.IsError == ok || strings.HasPrefix(page.Text(), "line of text") != ok {
			t.Errorf("%s reads %q", user, page.Text())
		}
	}
	// So are the answers of the meta-tools themselves, which say nothing of the registry's own tools.
	if servers := callMeta(t, meta["list_servers"], ctx, nil); strings.Contains(servers.Text(), serviceName) {
		t.Errorf("the servers are %s", servers.Text())
	}
	if found := foundBy(t, callMeta(t, meta["search_tools"], ctx, map[string]any{"queries": []any{"read a long result"}, "max_tools": 3})); slices.Contains(found, "read_result") {
		t.Errorf("found %q", found)
	}
}

func TestMetaToolsActAsTheirCaller(t *testing.T) {
	cfg, opts := perUser("mine", func(user string) [][2]string {
		return [][2]string{{"list_" + user, "Lists what belongs to its owner."}}
	})
	tenants := described("acme", [2]string{"acme_ledger", "Opens the ledger."})
	tenants.Tenant = "acme"
	r := newRegistry(t, &RegistryOptions{Options: opts}, cfg, tenants)
	meta := metaToolsOf(t, r, nil)
	for _, user := range []string{"alice", "bob"} {
		other := map[string]string{"alice": "bob", "bob": "alice"}[user]
		ctx := session.NewContext(t.Context(), session.Key{Tenant: map[string]string{"alice": "acme", "bob": "other"}[user], User: user})
		found := foundBy(t, callMeta(t, meta["search_tools"], ctx, map[string]any{"queries": []any{"list what belongs to its owner", "open the ledger"}}))
		slices.Sort(found)
		want := []string{"list_" + user}
		if user == "alice" {
			want = []string{"acme_ledger", "list_alice"}
		}
		if !slices.Equal(found, want) {
			t.Errorf("%s finds %q, want %q", user, found, want)
		}
		if res := callMeta(t, meta["call_tool"], ctx, map[string]any{"name": "mine.list_" + user}); res.IsError {
			t.Errorf("%s: %s", user, res.Text())
		}
		for _, tool := range []string{"call_tool", "describe_tool"} {
			res := callMeta(t, meta[tool], ctx, map[string]any{"name": "mine.list_" + other})
			if hint := strings.TrimPrefix(res.Text(), fmt.Sprintf("There is no tool %q.", "mine.list_"+other)); !res.IsError || strings.Contains(hint, other) {
				t.Errorf("%s is told of %s's tool by %s: %q", user, other, tool, res.Text())
			}
		}
		if servers := callMeta(t, meta["list_servers"], ctx, nil).Text(); strings.Contains(servers, "acme") != (user == "alice") {
			t.Errorf("%s sees the servers %s", user, servers)
		}
	}
}

func TestMetaToolsOfAnAgentObeyItsPolicy(t *testing.T) {
	r := newRegistry(t, nil, office()...)
	policy, err := Policy{Agents: map[string]AgentRules{"reader": {
		Allow: RuleSet{Servers: []string{"github"}, Tools: map[string][]string{"github": {"list_*"}}},
	}}}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	view, err := r.ForAgent(AgentMapping{ID: "reader", Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	ctx := userContext("alice")
	meta := metaToolsOf(t, view, nil)
	if found := foundBy(t, callMeta(t, meta["search_tools"], ctx, `{"queries":["create a pull request","send an e-mail","list issues"]}`)); !slices.Equal(found, []string{"list_issues"}) {
		t.Errorf("found %q", found)
	}
	if servers := callMeta(t, meta["list_servers"], ctx, nil).Text(); servers != `{"servers":[{"name":"github","category":"Development","tools":1}]}` {
		t.Errorf("the servers are %s", servers)
	}
	if res := callMeta(t, meta["call_tool"], ctx, `{"name":"github.list_issues"}`); res.IsError {
		t.Errorf("an allowed tool: %q", res.Text())
	}
	if res := callMeta(t, meta["call_tool"], ctx, `{"name":"github.create_pull_request"}`); !res.IsError || !strings.HasPrefix(res.Text(), `There is no tool "github.create_pull_request".`) {
		t.Errorf("a tool that is denied: %q", res.Text())
	}
	for _, args := range []string{`{"name":"github.create_pull_request"}`, `{"name":"mail.send_email"}`} {
		if res := callMeta(t, meta["describe_tool"], ctx, args); !res.IsError {
			t.Errorf("describe_tool(%s) answers %q", args, res.Text())
		}
	}
	if res := callMeta(t, meta["call_tool"], ctx, `{"name":"mail.send_email"}`); !res.IsError || strings.Contains(strings.TrimPrefix(res.Text(), `There is no tool "mail.send_email".`), "email") {
		t.Errorf("a tool of another server: %q", res.Text())
	}
}

// With the servers of another tenant or without them, a model is told the same of everything.
func TestMetaToolsDoNotTellOfOtherTenants(t *testing.T) {
	tenant := func(name string) context.Context {
		return session.NewContext(t.Context(), session.Key{Tenant: name, User: "alice"})
	}
	secret := described("vault", [2]string{"open_vault", "Opens the vault, and sends an e-mail message."}, [2]string{"send_email", "Sends from the vault."})
	secret.Tenant = "other"
	with, without := newRegistry(t, nil, append([]ServerConfig{secret}, office()...)...), newRegistry(t, nil, office()...)
	if res := selected(t, with, tenant("other"), "open the vault", nil); res.Of != 9 {
		t.Fatalf("the tenant selects %v", res)
	}
	got, want := metaToolsOf(t, with, nil), metaToolsOf(t, without, nil)
	for _, call := range [][2]string{
		{"search_tools", `{"queries":["open the vault","send an e-mail"]}`},
		{"search_tools", `{"queries":["open the vault"],"servers":["vault"]}`},
		{"describe_tool", `{"name":"open_vault"}`}, {"describe_tool", `{"name":"vault.open_vault"}`}, {"describe_tool", `{"name":"send_email"}`},
		{"call_tool", `{"name":"open_vault"}`}, {"call_tool", `{"name":"vault.open_vault"}`}, {"call_tool", `{"name":"vault__send_email"}`},
		{"call_tool", `{"name":"send_email"}`}, {"list_servers", `{}`},
	} {
		a, errA := got[call[0]].Call(tenant("acme"), call[1])
		b, errB := want[call[0]].Call(tenant("acme"), call[1])
		if errA != nil || errB != nil || a.IsError != b.IsError || a.Text() != b.Text() {
			t.Errorf("%s(%s) answers\n%v, %v, and without the other tenant\n%v, %v", call[0], call[1], a.Text(), errA, b.Text(), errB)
		}
	}
}

// The context of the call goes all the way: a credential that a request brings is there for the tool.
func TestCallToolCarriesTheContextOfItsCall(t *testing.T) {
	type mark struct{}
	var got []any
	opts := &RegistryOptions{Options: func(ServerConfig) (*Options, error) {
		return &Options{Middleware: []func(CallFunc) CallFunc{func(next CallFunc) CallFunc {
			return func(ctx context.Context, req *CallRequest) (*Result, error) {
				_, bound := ctx.Deadline()
				got = append(got, ctx.Value(mark{}), req.Key.User, bound, req.options.timeout)
				return next(ctx, req)
			}
		}}}, nil
	}}
	r := newRegistry(t, opts, office()...)
	ctx := context.WithValue(userContext("alice"), mark{}, "marked")
	meta := metaToolsOf(t, r, nil)
	callMeta(t, meta["call_tool"], ctx, `{"name":"list_issues"}`, WithTimeout(time.Minute))
	if want := []any{"marked", "alice", false, time.Minute}; !slices.Equal(got, want) {
		t.Errorf("the tool was called with %v, want %v", got, want)
	}
	if _, err := meta["search_tools"].Call(ctx, `{"queries":["x"]}`, WithTimeout(time.Nanosecond)); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a search out of time: %v", err)
	}
}

func TestMetaToolOptionsAreChecked(t *testing.T) {
	r := newRegistry(t, &RegistryOptions{Selector: &selector.Options{LexicalOnly: true}}, office()...)
	for _, opts := range []MetaToolOptions{
		{Prefix: "a b"}, {Prefix: "a.b"}, {Prefix: strings.Repeat("x", 33)},
		{MaxTools: -1}, {MaxTools: 1001}, {TokenBudget: -1}, {TokenBudget: 199},
	} {
		if _, err := r.MetaTools(&opts); err == nil || !strings.HasPrefix(err.Error(), "mcpgroup: meta-tools: ") {
			t.Errorf("%+v: error %v", opts, err)
		}
	}
	list, err := r.MetaTools(&MetaToolOptions{Prefix: "all-"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list {
		if !strings.HasPrefix(tool.Name, "all-") || tool.Server != serviceName || tool.Description == "" || tool.InputSchema["additionalProperties"] != false {
			t.Errorf("%+v", tool)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tool := range list {
		if _, err := tool.Call(userContext("alice"), nil); !errors.Is(err, ErrClosed) {
			t.Errorf("%s on a closed registry: %v", tool.Name, err)
		}
	}
}

// A server that cannot be reached is an error of the call, which the host may act on, and not a mistake of the model.
func TestCallToolHandsErrorsOfServersOver(t *testing.T) {
	r := newRegistry(t, nil, append(office(), ServerConfig{Name: "dead", URL: "http://127.0.0.1:1/mcp"})...)
	ctx := userContext("alice")
	meta := metaToolsOf(t, r, nil)
	if _, err := meta["call_tool"].Call(ctx, `{"name":"dead.tool"}`); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a tool of a dead server: %v", err)
	}
	if servers := callMeta(t, meta["list_servers"], ctx, nil).Text(); !strings.Contains(servers, `{"name":"dead","tools":0,"unavailable":true}`) {
		t.Errorf("the servers are %s", servers)
	}
	if res := callMeta(t, meta["search_tools"], ctx, `{"queries":["send an e-mail"]}`); !strings.Contains(res.Text(), `"unavailable_servers":["dead"]`) {
		t.Errorf("the search answers %s", res.Text())
	}
	// Whether a tool is unknown or its server is down cannot be told by a name alone.
	if res := callMeta(t, meta["call_tool"], ctx, `{"name":"send_emial"}`); !res.IsError || !strings.Contains(res.Text(), "cannot be reached") || !strings.Contains(res.Text(), `"send_email"`) {
		t.Errorf("an unknown name answers %q", res.Text())
	}
}

// Whatever a model writes as arguments, it gets an answer or is told what does not fit.
func FuzzMetaToolArguments(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", `{"queries":["x"]}`, `{"queries":"[]"}`, `{"queries":"[1,\"x\"]","max_tools":1e0}`, `{"name":"a.b","arguments":"{}"}`,
		`{"name":"list_issues","arguments":"not JSON"}`, `{"name":"\u0000"}`, `{"queries":["` + strings.Repeat("ab ", 300) + `"],"servers":["mail"]}`,
	} {
		f.Add(seed)
	}
	r := newRegistry(f, &RegistryOptions{Selector: &selector.Options{LexicalOnly: true}}, office()...)
	list, err := r.MetaTools(nil)
	if err != nil {
		f.Fatal(err)
	}
	ctx := userContext("alice")
	f.Fuzz(func(t *testing.T, args string) {
		for _, tool := range list {
			res, err := tool.Call(ctx, args)
			switch {
			case err != nil && !errors.Is(err, ErrInvalidArguments):
				t.Errorf("%s(%q): error %v", tool.Name, args, err)
			case err == nil && res.Text() == "":
				t.Errorf("%s(%q) answers nothing", tool.Name, args)
			}
		}
	})
}
