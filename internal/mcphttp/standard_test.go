package mcphttp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const discoverResult = `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}`

// modern is the _meta of requests of revision 2026-07-28.
const modern = `"_meta":{"` + mcp.MetaKeyProtocolVersion + `":"2026-07-28"}`

// standard returns those of the headers that repeat what is in the body, as lines.
func standard(h http.Header) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if name != headerSession && strings.HasPrefix(name, "Mcp-") {
			lines = append(lines, fmt.Sprintf("%s: %s", name[len("Mcp-"):], strings.Join(h[name], "|")))
		}
	}
	return strings.Join(lines, ", ")
}

func TestHeadersRepeatWhatIsInTheBody(t *testing.T) {
	list := `{"tools":[{"name":"x","inputSchema":{"properties":{"text":{"type":"string","x-mcp-header":"text"}}}}]}`
	for _, tt := range []struct {
		method, params string
		want           string // before Protocol-Version
	}{
		{"tools/list", `{` + modern + `}`, "Method: tools/list, "},
		{"tools/call", `{"name":"x","arguments":{"text":"a"},` + modern + `}`, "Method: tools/call, Name: x, Param-Text: a, "},
		{"tools/call", `{"name":"y","arguments":{"text":"a"},` + modern + `}`, "Method: tools/call, Name: y, "},
		{"tools/call", `{"name":"x","uri":"y"}`, "Method: tools/call, Name: x, "},
		{"tools/call", `{"name":"x","arguments":[]}`, "Method: tools/call, Name: x, "},
		{"tools/call", `{}`, "Method: tools/call, Name: , "},
		{"tools/call", ``, "Method: tools/call, "},
		{"prompts/get", `{"name":"x","arguments":{"text":"a"}}`, "Method: prompts/get, Name: x, "},
		{"resources/read", `{"name":"x","uri":"file:///a"}`, "Method: resources/read, Name: file:///a, "},
		{"resources/list", `{"name":"x"}`, "Method: resources/list, "},
		{"notifications/progress", `{"name":"x"}`, "Method: notifications/progress, "},
	} {
		t.Run(tt.method+tt.params, func(t *testing.T) {
			for version, want := range map[string]string{"2026-07-28": tt.want + "Protocol-Version: 2026-07-28", "2025-11-25": "Protocol-Version: 2025-11-25"} {
				d := &desk{results: map[string]string{"server/discover": discoverResult, "initialize": initializeResult, "tools/list": list}}
				conn := bare(t, &Transport{Chain: over(t, d.RoundTrip)})
				params := tt.params
				first := newCall(1, "server/discover", `{`+modern+`}`)
				if version == "2025-11-25" {
					first = newCall(1, "initialize", `{}`)
					params = strings.Replace(params, modern, `"_meta":{}`, 1)
				}
				for _, m := range []*jsonrpc.Request{first, newCall(2, "tools/list", `{}`), newCall(3, tt.method, params)} {
					if strings.HasPrefix(m.Method, "notifications/") {
						m.ID = jsonrpc.ID{}
					}
					if _, err := ask(t, conn, m); err != nil {
						t.Fatal(err)
					}
				}
				if got := standard(d.last()); got != want {
					t.Errorf("sent %q, want %q", got, want)
				}
			}
		})
	}
}

func TestAnswersOfTheClientHaveNoMethod(t *testing.T) {
	d := &desk{results: map[string]string{"server/discover": discoverResult}}
	conn := bare(t, &Transport{Chain: over(t, d.RoundTrip)})
	if _, err := ask(t, conn, newCall(1, "server/discover", `{`+modern+`}`)); err != nil {
		t.Fatal(err)
	}
	if err := conn.Write(t.Context(), &jsonrpc.Response{ID: newCall(1, "", "").ID, Result: json.RawMessage(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if got := standard(d.last()); got != "Protocol-Version: 2026-07-28" {
		t.Errorf("sent %q", got)
	}
}

func TestVersionOfARequestIsItsOwnOne(t *testing.T) {
	for params, want := range map[string]string{
		``:                 "",
		`null`:             "",
		`[]`:               "",
		`{}`:               "",
		`{"_meta":{}}`:     "",
		`{"_meta":[]}`:     "",
		`{` + modern + `}`: "2026-07-28",
		`{"_meta":{"` + mcp.MetaKeyProtocolVersion + `":7}}`:                                                  "",
		`{"_meta":{"` + mcp.MetaKeyProtocolVersion + `":null}}`:                                               "",
		`{"arguments":{` + modern + `}}`:                                                                      "",
		`{"arguments":"` + mcp.MetaKeyProtocolVersion + `","_meta":{"a":1,` + modern[len(`"_meta":{`):] + `}`: "2026-07-28",
	} {
		if got := versionIn(json.RawMessage(params)); got != want {
			t.Errorf("versionIn(%s) = %q, want %q", params, got, want)
		}
	}
}

// toolX returns a list of one tool with these properties.
func toolX(properties string) string {
	return `{"tools":[{"name":"x","inputSchema":{"type":"object","properties":{` + properties + `}}}]}`
}

// listed calls the tool x after it was listed in each of the ways, and returns the headers that repeat its parameters.
func listed(t *testing.T, connect rival, lists []string, arguments string) string {
	t.Helper()
	d := &desk{results: map[string]string{"server/discover": discoverResult, "tools/call": `{"content":[]}`}}
	c := over(t, d.RoundTrip)
	cs, err := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil).Connect(t.Context(), connect(c, c.endpoint.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	for _, list := range lists {
		d.results["tools/list"] = list
		if _, err := cs.ListTools(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: "x", Arguments: json.RawMessage(arguments)}); err != nil {
		t.Fatal(err)
	}
	var params []string
	for line := range strings.SplitSeq(standard(d.last()), ", ") {
		if strings.HasPrefix(line, "Param-") {
			params = append(params, line)
		}
	}
	return strings.Join(params, ", ")
}

func TestToolListsAreReadAsTheSDKReadsThem(t *testing.T) {
	const a = `"a":{"type":"string","x-mcp-header":"A"}`
	for _, tt := range []struct {
		name  string
		lists []string
		want  string
	}{
		{"never listed", nil, ""},
		{"listed", []string{toolX(a)}, "Param-A: 1"},
		{"replaced", []string{toolX(a), toolX(`"b":{"type":"string","x-mcp-header":"B"}`)}, "Param-B: 2"},
		{"removed while another has some", []string{toolX(a), `{"tools":[{"name":"x","inputSchema":{"type":"object"}},{"name":"y","inputSchema":{"type":"object","properties":{` + a + `}}}]}`}, ""},
		{"removed from all", []string{toolX(a), toolX(`"a":{"type":"string"}`)}, ""},
		{"null among the tools", []string{`{"tools":[null,` + toolX(a)[len(`{"tools":[`):]}, "Param-A: 1"},
		{"in another case", []string{toolX(`"a":{"type":"string","X-MCP-Header":"A"}`)}, ""},
		{"no text", []string{toolX(`"a":{"type":"string","x-mcp-header":7}`)}, ""},
		{"empty text", []string{toolX(`"a":{"type":"string","x-mcp-header":""}`)}, ""},
		{"a name that is none", []string{toolX(`"a":{"type":"string","x-mcp-header":"A B"}`)}, ""},
		{"a name that breaks the line", []string{toolX(`"a":{"type":"string","x-mcp-header":"A\r\nB"}`)}, ""},
		{"on an object", []string{toolX(`"deep":{"type":"object","x-mcp-header":"D"}`)}, ""},
		{"on a number", []string{toolX(`"n":{"type":"number","x-mcp-header":"N"}`)}, ""},
		{"without a type", []string{toolX(`"a":{"x-mcp-header":"A"}`)}, ""},
		{"twice", []string{toolX(a + `,"b":{"type":"string","x-mcp-header":"a"}`)}, ""},
		{"next to one that is wrong", []string{toolX(a + `,"b":{"type":"string","x-mcp-header":"A B"}`)}, ""},
		{"on a list", []string{toolX(`"list":{"type":"array","x-mcp-header":"L"}`)}, ""},
		{"within items", []string{toolX(`"list":{"type":"array","items":{"type":"object","properties":{` + a + `}}}`)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			arguments := `{"a":"1","b":"2","n":3,"deep":{"a":"4"},"list":[{"a":"5"}]}`
			sdk := listed(t, func(c *Chain, url string) mcp.Transport {
				return &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: c.Client()}
			}, tt.lists, arguments)
			got := listed(t, func(c *Chain, _ string) mcp.Transport { return &Transport{Chain: c} }, tt.lists, arguments)
			if sdk != tt.want || got != sdk {
				t.Errorf("the headers are %q, want %q; of the SDK's transport they are %q", got, tt.want, sdk)
			}
		})
	}
}

// The SDK gives up on a schema that its Go type does not fit. A server that knows JSON Schema wants the header all the same.
func TestSchemasThatTheSDKCannotReadAreMirrored(t *testing.T) {
	const a = `"a":{"type":"string","x-mcp-header":"A"}`
	for name, list := range map[string]string{
		"next to a schema that is a boolean": toolX(a + `,"b":true`),
		"next to several types":              toolX(a + `,"b":{"type":["string","null"]}`),
		"next to properties that are none":   toolX(a + `,"b":{"type":"object","properties":[]}`),
	} {
		got := listed(t, func(c *Chain, _ string) mcp.Transport { return &Transport{Chain: c} }, []string{list}, `{"a":"1"}`)
		if got != "Param-A: 1" {
			t.Errorf("%s: the headers are %q, want Param-A", name, got)
		}
	}
}

func TestMirrorKnowsToolsOfAnotherSession(t *testing.T) {
	d := &desk{results: map[string]string{"server/discover": discoverResult}}
	tr := &Transport{Chain: over(t, d.RoundTrip)}
	conn := bare(t, tr)
	schema := func(header string) map[string]any {
		return map[string]any{"properties": map[string]any{"a": map[string]any{"type": "string", "x-mcp-header": header}}}
	}
	for _, tt := range []struct {
		name  string
		tools []*mcp.Tool
		want  string
	}{
		{"none", nil, ""},
		{"of another name", []*mcp.Tool{{Name: "y", InputSchema: schema("A")}}, ""},
		{"known", []*mcp.Tool{{Name: "x", InputSchema: schema("A")}}, ", Param-A: 1"},
		{"still known", []*mcp.Tool{{Name: "y"}}, ", Param-A: 1"},
		{"replaced", []*mcp.Tool{{Name: "x", InputSchema: schema("another")}}, ", Param-Another: 1"},
		{"the last of two", []*mcp.Tool{{Name: "x"}, {Name: "x", InputSchema: schema("last")}}, ", Param-Last: 1"},
		{"removed", []*mcp.Tool{{Name: "x", InputSchema: map[string]any{}}}, ""},
		{"without a schema", []*mcp.Tool{{Name: "x"}}, ""},
	} {
		tr.Mirror(tt.tools)
		if _, err := ask(t, conn, newCall(1, "tools/call", `{"name":"x","arguments":{"a":"1"},`+modern+`}`)); err != nil {
			t.Fatal(err)
		}
		if got, want := standard(d.last()), "Method: tools/call, Name: x"+tt.want+", Protocol-Version: 2026-07-28"; got != want {
			t.Errorf("%s: sent %q, want %q", tt.name, got, want)
		}
	}
}

func TestMirrorsAreSafeForConcurrentUse(t *testing.T) {
	tr := &Transport{Chain: over(t, new(desk).RoundTrip)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			tr.Mirror([]*mcp.Tool{mirroring})
			tr.mirrored.learn(json.RawMessage(toolX(`"a":{"x-mcp-header":"A"}`)))
		}
	}()
	for range 100 {
		h := make(http.Header)
		tr.mirrored.set(h, "mirroring", json.RawMessage(mirroredArguments[1]))
		if n := len(h); n != 0 && n != 5 {
			t.Errorf("%d headers, want none or all 5", n)
		}
	}
	<-done
}

func TestHeaderText(t *testing.T) {
	for value, want := range map[string]string{
		`"plain"`:             "plain",
		`"in  between"`:       "in  between",
		`""`:                  "",
		`"~!\"\\"`:            `~!"\`,
		`" leading"`:          "=?base64?IGxlYWRpbmc=?=",
		`"trailing\t"`:        "=?base64?dHJhaWxpbmcJ?=",
		`"ü"`:                 "=?base64?w7w=?=",
		`"\u0000"`:            "=?base64?AA==?=",
		`"\u007f"`:            "=?base64?fw==?=",
		`"=?base64?eA==?="`:   "=?base64?PT9iYXNlNjQ/ZUE9PT89?=",
		`"=?base64?="`:        "=?base64?PT9iYXNlNjQ/PQ==?=",
		`"=?base64?eA=="`:     "=?base64?eA==",
		`"=?BASE64?eA==?="`:   "=?BASE64?eA==?=",
		`true`:                "true",
		`false`:               "false",
		`0`:                   "0",
		`-0`:                  "0",
		`-7`:                  "-7",
		`1e3`:                 "1000",
		`10.0`:                "10",
		`9007199254740991`:    "9007199254740991",
		`-9007199254740991.0`: "-9007199254740991",
	} {
		if got, ok := headerText(json.RawMessage(value)); !ok || got != want {
			t.Errorf("headerText(%s) = %q, %v, want %q", value, got, ok, want)
		}
	}
	for _, value := range []string{
		``, `null`, `{}`, `[]`, `["a"]`, `1.5`, `1e-3`, `9007199254740992`, `-9007199254740992`, `1e300`, `1e999`, `"cut`,
	} {
		if got, ok := headerText(json.RawMessage(value)); ok {
			t.Errorf("headerText(%s) = %q, want none", value, got)
		}
	}
}

// FuzzHeaderText compares headerText with the rules of SEP-2243, written down a second time:
//
//   - strings stand as they are if all of their characters are visible ASCII or inner blanks, and are wrapped in base64
//     otherwise, as are those that look wrapped;
//   - booleans are "true" or "false";
//   - integers that a double holds exactly are decimal, without fraction and exponent;
//   - nothing else is sent.
func FuzzHeaderText(f *testing.F) {
	for _, s := range []string{
		`"a"`, `" a"`, `"a "`, `"\t"`, `"ü"`, `"\ud800"`, `"=?base64?="`, `"=?base64??="`, `"=?base64?YQ==?="`, "\"\xff\"", `"a\nb"`, `""`,
		`true`, `false`, `null`, `0`, `-0`, `-0.0`, `1`, `1.0`, `1e2`, `1.5`, `9007199254740991`, `9007199254740992`, `1e-400`, `1e400`, `[]`, `{"a":1}`, ` 1 `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if !json.Valid(value) {
			t.Skip("arguments are decoded before")
		}
		got, ok := headerText(value)
		want, wanted := ruledText(value)
		if got != want || ok != wanted {
			t.Fatalf("headerText(%q) = %q, %v, want %q, %v", value, got, ok, want, wanted)
		}
		if !ok {
			return
		}
		for _, b := range []byte(got) {
			if b < 0x20 || b > 0x7e {
				t.Fatalf("headerText(%q) = %q, which is not visible ASCII", value, got)
			}
		}
		if got != strings.TrimSpace(got) {
			t.Errorf("headerText(%q) = %q, whose blanks HTTP takes away", value, got)
		}
		var text string
		if json.Unmarshal(value, &text) != nil {
			return // no string
		}
		read := got
		if inner, wrapped := strings.CutPrefix(got, "=?base64?"); wrapped && strings.HasSuffix(inner, "?=") {
			b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(inner, "?="))
			if err != nil {
				t.Fatalf("headerText(%q) = %q: %v", value, got, err)
			}
			read = string(b)
		}
		if read != text {
			t.Errorf("headerText(%q) = %q, which reads as %q", value, got, read)
		}
	})
}

func ruledText(value []byte) (string, bool) {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return "", false // a number that is too large
	}
	switch v := v.(type) {
	case bool:
		return map[bool]string{true: "true", false: "false"}[v], true
	case float64:
		if v != math.Trunc(v) || math.Abs(v) >= 1<<53 {
			return "", false
		}
		return strconv.FormatFloat(v+0, 'f', -1, 64), true // of which -0 is 0
	case string:
		plain := !(len(v) >= 10 && v[:9] == "=?base64?" && v[len(v)-2:] == "?=")
		for i := range len(v) {
			blank := v[i] == ' ' && i > 0 && i < len(v)-1
			plain = plain && (blank || v[i] > ' ' && v[i] < 0x7f)
		}
		if !plain {
			return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(v)) + "?=", true
		}
		return v, true
	}
	return "", false
}
