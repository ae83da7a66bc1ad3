package mcpgroup

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

func jsonObject(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

func TestTextsOfSchemasAreCleaned(t *testing.T) {
	for in, want := range map[string]string{
		`{"title":"T\u202e","description":"a\u001b[31mb\u200b","$comment":"c\udb40\udc41"}`:                    `{"title":"T","description":"ab","$comment":"c"}`,
		`{"properties":{"description":{"description":"a\u2066"},"enum":{"title":"b\u2060"}}}`:                  `{"properties":{"description":{"description":"a"},"enum":{"title":"b"}}}`,
		`{"properties":{"a":{"items":[{"title":"b\u200b"},true]},"c":false}}`:                                  `{"properties":{"a":{"items":[{"title":"b"},true]},"c":false}}`,
		`{"$defs":{"a":{"anyOf":[{"description":"b\u200e"}]}},"definitions":{"b":{"not":{"title":"\ue000"}}}}`: `{"$defs":{"a":{"anyOf":[{"description":"b"}]}},"definitions":{"b":{"not":{"title":""}}}}`,
		`{"dependencies":{"a":["b"],"c":{"description":"d\u200b"}}}`:                                           `{"dependencies":{"a":["b"],"c":{"description":"d"}}}`,
		`{"examples":["a\u200b",{"b":"c\u202e"}],"x-more":{"y":["\u200bz"]},"errorMessage":"no\u200b"}`:        `{"examples":["a",{"b":"c"}],"x-more":{"y":["z"]},"errorMessage":"no"}`,
		`{"title":"T\u200b","minimum":1,"default":null,"enum":["\r\n","\n","می\u200cخ"],"const":1.5}`:          `{"title":"T","minimum":1,"default":null,"enum":["\r\n","\n","می\u200cخ"],"const":1.5}`,
	} {
		schema := jsonObject(t, in)
		got, err := cleanSchema(schema)
		if err != nil || !reflect.DeepEqual(got, jsonObject(t, want)) {
			text, _ := toJSON(got)
			t.Errorf("%s\n got %+q, %v\nwant %s", in, text, err, want)
		}
		if !reflect.DeepEqual(schema, jsonObject(t, in)) {
			t.Errorf("%s was changed", in)
		}
	}
}

func TestLongTextsOfSchemasAreNotCut(t *testing.T) {
	long := strings.Repeat("It says more than it has to. ", 4000)
	got, err := cleanSchema(map[string]any{"description": long + "\u200b"})
	if err != nil || got["description"] != long {
		t.Errorf("%d bytes became %d, %v", len(long), len(fmt.Sprint(got["description"])), err)
	}
}

// Thousands of tools are held once, as the SDK decoded them.
func TestASchemaThatNeedsNoCleaningIsNotCopied(t *testing.T) {
	s := jsonObject(t, `{"description":"a","properties":{"b":{"description":"c","examples":["d"]},"e":{"description":"f\u200b"}}}`)
	clean, err := cleanSchema(s)
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b any) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }
	before, after := s["properties"].(map[string]any), clean["properties"].(map[string]any)
	if same(s, clean) || !same(before["b"], after["b"]) || same(before["e"], after["e"]) {
		t.Error("what needs no cleaning is copied, or what is cleaned is changed in place")
	}
	if again, err := cleanSchema(clean); err != nil || !same(again, clean) {
		t.Error("a clean schema is copied")
	}
}

func TestNamesAndValuesThatNobodySeesAreRefused(t *testing.T) {
	for in, want := range map[string]string{
		`{"properties":{"us\u200ber":{}}}`:                        `the name "us\u200ber"`,
		`{"properties":{"a":{"enum":["ok","\u202eko"]}}}`:         `the value "\u202eko"`,
		`{"properties":{"a":{"const":{"b":["\u001b[2J"]}}}}`:      `the value "\x1b[2J"`,
		`{"properties":{"a":{"const":{"\u2060b":1}}}}`:            `the name "\u2060b"`,
		`{"properties":{"a":{"default":"\udb40\udc68"}}}`:         `the value "\U000e0068"`,
		`{"properties":{"a":{"pattern":"^[^\u200b]$"}}}`:          `the value "^[^\u200b]$"`,
		`{"patternProperties":{"^\u200b":{}}}`:                    `the name "^\u200b"`,
		`{"required":["a\u200b"]}`:                                `the value "a\u200b"`,
		`{"dependentRequired":{"a":["b\u200b"]}}`:                 `the value "b\u200b"`,
		`{"dependencies":{"a":["b\u200b"]}}`:                      `the value "b\u200b"`,
		`{"$ref":"#/$defs/a\u200b","$defs":{"a\u200b":{}}}`:       `the name "a\u200b"`,
		`{"x-more":{"\u200b":1}}`:                                 `the name "\u200b"`,
		`{"properties":{"c\u200b":{},"a\u200b":{},"b\u200b":{}}}`: `the name "a\u200b"`,
	} {
		for range 5 { // whatever the order of the members
			if got, err := cleanSchema(jsonObject(t, in)); err == nil || !strings.HasPrefix(err.Error(), want+" ") || got != nil {
				t.Errorf("%s is made %v, error %v; want one about %s", in, got, err, want)
			}
		}
	}
	if _, err := cleanSchema(map[string]any{"properties": map[string]any{strings.Repeat("\u200b", 100_000): true}}); err == nil || len(err.Error()) > 1000 {
		t.Errorf("a long name: %.2000v", err)
	}
}

// hiding is a server with tools whose schemas hide what they can.
func hiding(name string) ServerConfig {
	s := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, nil)
	answer := func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(req.Params.Arguments)}}}, nil
	}
	object := func(properties map[string]any) map[string]any {
		return map[string]any{"type": "object", "properties": properties}
	}
	s.AddTool(&mcp.Tool{Name: "texts", Annotations: &mcp.ToolAnnotations{Title: "T\u202e"},
		InputSchema:  object(map[string]any{"city": map[string]any{"type": "string", "description": "A city.\u200b\U000e0068\U000e0069", "pattern": "^P"}}),
		OutputSchema: object(map[string]any{"degrees": map[string]any{"type": "number", "description": "Cels\u200bius"}})}, answer)
	s.AddTool(&mcp.Tool{Name: "names", InputSchema: object(map[string]any{"t\u200bo": map[string]any{"type": "string"}})}, answer)
	s.AddTool(&mcp.Tool{Name: "values", InputSchema: object(map[string]any{"to": map[string]any{"enum": []any{"\u202emoc.evil"}}})}, answer)
	s.AddTool(&mcp.Tool{Name: "results", InputSchema: object(nil), OutputSchema: object(map[string]any{"\u2060": true})}, answer)
	return ServerConfig{Name: name, Server: s}
}

func TestWhatAModelReadsOfASchemaIsWhatAPersonSees(t *testing.T) {
	g := newGroup(t, hiding("odd"), nil)
	ctx := userContext("alice")
	tools, err := g.Tools(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := namesOf(tools); !slices.Equal(got, []string{"results", "texts"}) {
		t.Fatalf("listed %q", got)
	}
	for _, tool := range tools {
		text, err := toJSON([]any{tool.Title, tool.Description, tool.InputSchema, tool.OutputSchema, tool.Annotations})
		if err != nil || cleanText(text, math.MaxInt) != text || strings.Contains(text, `\u`) {
			t.Errorf("%s is shown as %+q, %v", tool.Name, text, err)
		}
	}
	if got := tools[1].InputSchema["properties"].(map[string]any)["city"].(map[string]any); got["description"] != "A city." || got["pattern"] != "^P" {
		t.Errorf("the parameter is shown as %q", got)
	}
	if tools[0].OutputSchema != nil || tools[1].OutputSchema == nil {
		t.Errorf("the output schemas are %v and %v", tools[0].OutputSchema, tools[1].OutputSchema)
	}
	if res := mustCall(t, g, ctx, "texts", map[string]any{"city": "Paris"}); res.Text() != `{"city":"Paris"}` {
		t.Errorf("the server got %s", res.Text())
	}
	var about []string
	for _, p := range g.Status().Problems {
		about = append(about, p.Tool)
		if cleanText(p.Reason, math.MaxInt) != p.Reason || !strings.Contains(p.Reason, "nobody sees") {
			t.Errorf("%s: %+q", p.Tool, p.Reason)
		}
	}
	if !slices.Equal(about, []string{"names", "results", "values"}) {
		t.Errorf("problems are about %q", about)
	}
}

// A schema of results is bounded as that of arguments is: models read both.
func TestAHugeOutputSchemaIsLeftOut(t *testing.T) {
	properties := map[string]any{}
	for i := range 40_000 {
		properties[fmt.Sprint("p", i)] = true
	}
	s := newServer()
	s.AddTool(&mcp.Tool{Name: "wide", InputSchema: map[string]any{"type": "object"}, OutputSchema: map[string]any{"type": "object", "properties": properties}},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{}, nil
		})
	g := newGroup(t, ServerConfig{Server: s, Include: []string{"wide"}}, nil)
	tools, err := g.Tools(userContext("alice"))
	if err != nil || len(tools) != 1 || tools[0].OutputSchema != nil {
		t.Fatalf("listed %d tools, %v", len(tools), err)
	}
	if p := g.Status().Problems; len(p) != 1 || p[0].Tool != "wide" || !strings.Contains(p[0].Reason, "output schema") {
		t.Errorf("problems %v", p)
	}
}

// What is pinned is what the server sent: a change that cleaning makes unseen is a change.
func TestPinsNoticeWhatCleaningHides(t *testing.T) {
	var description atomic.Value
	description.Store("A city.")
	s := mcp.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, nil)
	s.AddTool(&mcp.Tool{Name: "x", InputSchema: map[string]any{"type": "object"}}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{}, nil
	})
	s.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if method != "tools/list" {
				return next(ctx, method, req)
			}
			return &mcp.ListToolsResult{Tools: []*mcp.Tool{{Name: "x", InputSchema: map[string]any{
				"type": "object", "properties": map[string]any{"city": map[string]any{"description": description.Load()}},
			}}}}, nil
		}
	})
	r := newRegistry(t, &RegistryOptions{Pins: PinOptions{Mode: PinEnforce}}, ServerConfig{Name: "s", Server: s})
	ctx := userContext("alice")
	group, _ := r.Get("s")
	if got := toolNames(t, group, ctx); !slices.Equal(got, []string{"x"}) {
		t.Fatalf("listed %q", got)
	}
	description.Store("A city.\u200b")
	if got := toolNames(t, group, ctx, WithRefresh()); len(got) != 0 {
		t.Errorf("with a hidden character in a parameter's description, listed %q", got)
	}
	if w := r.Withheld(); len(w) != 1 || !slices.Equal(w[0].Diff, []string{"inputSchema"}) {
		t.Errorf("withheld %+v", w)
	}
}

// Cleaning changes texts and nothing else: the cleaned schema takes what the server's takes, and can be read by a person.
func FuzzCleanSchema(f *testing.F) {
	for _, seed := range []string{
		`{"type":"object","properties":{"title":{"type":"string","title":"a\u200b"}},"required":["title"]}`,
		`{"description":"a\u202e","enum":["b",{"description":"c"}],"x":[{"description":"\u200b"}],"$defs":{"y":{"default":1}}}`,
		`{"dependencies":{"a":["b"],"c":{"title":"\u200b"}},"properties":{"a\u200b":1}}`,
	} {
		f.Add(seed, `{"title":"x"}`)
	}
	f.Fuzz(func(t *testing.T, text, args string) {
		var s, again, value map[string]any
		if json.Unmarshal([]byte(text), &s) != nil || s == nil {
			return
		}
		compiled, err := schema.Compile(s, nil)
		if err != nil {
			return
		}
		clean, err := cleanSchema(s)
		if json.Unmarshal([]byte(text), &again) != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%q was changed", text)
		}
		if err != nil {
			return
		}
		if shown := mapStrings(clean, withoutReturns); !reflect.DeepEqual(mapStrings(shown, visibleOnly), shown) {
			t.Fatalf("%q became %q, of which a part is invisible", text, clean)
		}
		seen := func(s string) string { return visibleOnly(withoutReturns(s)) }
		if !reflect.DeepEqual(mapStrings(s, seen), mapStrings(clean, seen)) {
			t.Fatalf("%q became %q, of which more than the invisible part is gone", text, clean)
		}
		recompiled, err := schema.Compile(clean, nil)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if json.Unmarshal([]byte(args), &value) == nil && (compiled.Validate(value) == nil) != (recompiled.Validate(value) == nil) {
			t.Fatalf("%q and %q do not agree on %q", text, clean, args)
		}
	})
}

func visibleOnly(s string) string { return cleanText(s, math.MaxInt) }

// withoutReturns takes away what names and values may hold although texts may not.
func withoutReturns(s string) string { return strings.ReplaceAll(s, "\r", "") }

// mapStrings is v with every string, names too, as fn makes it.
func mapStrings(v any, fn func(string) string) any {
	switch v := v.(type) {
	case string:
		return fn(v)
	case []any:
		own := make([]any, len(v))
		for i, item := range v {
			own[i] = mapStrings(item, fn)
		}
		return own
	case map[string]any:
		own := map[string]any{}
		for name, member := range v {
			own[fn(name)] = mapStrings(member, fn)
		}
		return own
	}
	return v
}
