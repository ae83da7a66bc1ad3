package mcptest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

// eras are the two kinds of server, with the number of requests of each kind that one default connect of the SDK costs.
var eras = []struct {
	era                    string
	initializes, discovers int
}{
	{mcptest.Era2025, 1, 1}, // the probe is refused
	{mcptest.Era2026, 0, 1},
}

func TestTheSDKClientUsesBothEras(t *testing.T) {
	for _, e := range eras {
		for _, sse := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/sse=%t", e.era, sse), func(t *testing.T) {
				raw := mcptest.NewRaw(&mcptest.RawOptions{Era: e.era, SSE: sse, Instructions: "be nice"})
				session := dial(t, raw.Start(t).URL(), "", nil)
				if got := session.InitializeResult(); got.ProtocolVersion != e.era || got.Instructions != "be nice" || got.ServerInfo.Name != "mcptest-raw" && e.era == mcptest.Era2025 {
					t.Errorf("InitializeResult = %+v", got)
				}
				if got := callText(t, session, "echo", map[string]any{"text": "a<b>&c"}); got != "a<b>&c" {
					t.Errorf("echo = %q", got)
				}
				if i, d := raw.Initializes(), raw.Discovers(); i != e.initializes || d != e.discovers {
					t.Errorf("connect cost %d initialize and %d discover, want %d and %d", i, d, e.initializes, e.discovers)
				}
				list, err := session.ListTools(bounded(t), nil)
				if err != nil || len(list.Tools) != len(mcptest.BasicTools()) {
					t.Errorf("ListTools = %v, %v", list, err)
				}
				if err := session.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				if raw.OpenSessions() != 0 || raw.Deletes() != e.initializes {
					t.Errorf("after Close: %d sessions, %d DELETEs", raw.OpenSessions(), raw.Deletes())
				}
			})
		}
	}
}

func TestEveryReadyMadeToolGivesItsKindOfResult(t *testing.T) {
	for _, e := range eras {
		t.Run(e.era, func(t *testing.T) {
			session := dial(t, mcptest.NewRaw(&mcptest.RawOptions{Era: e.era}).Start(t).URL(), "", nil)
			want := map[string]string{
				"image": "*mcp.ImageContent", "audio": "*mcp.AudioContent", "resource_link": "*mcp.ResourceLink",
				"resource": "*mcp.EmbeddedResource", "structured": "*mcp.TextContent", "mixed": "*mcp.TextContent",
			}
			for tool, kind := range want {
				result, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: tool})
				if err != nil {
					t.Errorf("%s: %v", tool, err)
				} else if got := fmt.Sprintf("%T", result.Content[0]); got != kind {
					t.Errorf("%s returned %s, want %s", tool, got, kind)
				} else if tool == "structured" && fmt.Sprint(result.StructuredContent) != "map[answer:42]" {
					t.Errorf("structured content = %v", result.StructuredContent)
				}
			}
			failed, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: "fail", Arguments: map[string]any{"text": "no"}})
			if err != nil || !failed.IsError || textOf(t, failed) != "no" {
				t.Errorf("fail = %+v, %v", failed, err)
			}
			for tool, text := range map[string]string{"badparams": "repo must be owner/name", "nosuch": "Unknown tool"} {
				if _, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: tool}); err == nil || !strings.Contains(err.Error(), text) {
					t.Errorf("%s: error %v, want one with %q", tool, err, text)
				}
			}
			if got := callText(t, session, "sleep", map[string]any{"ms": 1}); got != "slept 1 ms" {
				t.Errorf("sleep = %q", got)
			}
			if _, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: "sleep", Arguments: map[string]any{"ms": "long"}}); err == nil || !strings.Contains(err.Error(), "Invalid arguments") {
				t.Errorf("sleep with a text: %v", err)
			}
			if got := callText(t, session, "echo", map[string]any{"text": "still here"}); got != "still here" {
				t.Errorf("echo after the failures = %q", got)
			}
		})
	}
}

func TestPagesAreAllSeenAndNothingElse(t *testing.T) {
	for _, e := range eras {
		for _, size := range []int{0, 1, 7, 119, 120, 121} {
			raw := mcptest.NewRaw(&mcptest.RawOptions{Era: e.era, Tools: mcptest.ManyTools(120, 3), PageSize: size})
			session := dial(t, raw.Start(t).URL(), "", nil)
			names := make(map[string]bool)
			for tool, err := range session.Tools(bounded(t), nil) {
				if err != nil {
					t.Fatal(err)
				}
				names[tool.Name] = true
			}
			pages := 1
			if size > 0 {
				pages = (120 + size - 1) / size
			}
			if len(names) != 120 || raw.Lists() != pages {
				t.Errorf("%s, page size %d: %d names in %d pages, want 120 in %d", e.era, size, len(names), raw.Lists(), pages)
			}
		}
	}
}

func TestModernListsCarryTheirTTL(t *testing.T) {
	for ttl, want := range map[int]int{0: 2, 60_000: 1} {
		raw := mcptest.NewRaw(&mcptest.RawOptions{Era: mcptest.Era2026, TTLMs: ttl, CacheScope: "private"})
		session := dial(t, raw.Start(t).URL(), "", nil)
		for range 2 {
			list, err := session.ListTools(bounded(t), nil)
			if err != nil || list.CacheScope != "private" || list.TTLMs != ttl {
				t.Errorf("ListTools = %+v, %v", list, err)
			}
		}
		if got := raw.Lists(); got != want {
			t.Errorf("with a TTL of %d ms two lists made %d requests, want %d", ttl, got, want)
		}
	}
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func TestModernRequestsAreHeldToTheirHeadersAndMeta(t *testing.T) {
	raw := mcptest.NewRaw(&mcptest.RawOptions{Era: mcptest.Era2026})
	client, url := httpClient(t), raw.Start(t).URL()
	call := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"},` + modernMeta + `}}`
	old := strings.ReplaceAll(call, mcptest.Era2026, "2027-01-01")
	version, method, name := "Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name"
	for _, test := range []struct {
		what, body string
		header     []string
		status     int
		code       string // in the answer
	}{
		{"all well", call, []string{version, mcptest.Era2026, method, "tools/call", name, "echo"}, 200, `"resultType":"complete"`},
		{"no version header", call, []string{method, "tools/call", name, "echo"}, 400, "-32020"},
		{"no version at all", callBody("echo", "{}"), []string{method, "tools/call", name, "echo"}, 400, "-32020"},
		{"another version header", call, []string{version, "2025-11-25", method, "tools/call", name, "echo"}, 400, "-32020"},
		{"no method header", call, []string{version, mcptest.Era2026, name, "echo"}, 400, "-32020"},
		{"another tool's header", call, []string{version, mcptest.Era2026, method, "tools/call", name, "inc"}, 400, "-32020"},
		{"no meta", callBody("echo", "{}"), []string{version, mcptest.Era2026, method, "tools/call", name, "echo"}, 400, "-32602"},
		{"no capabilities", strings.Replace(call, "clientCapabilities", "x", 1), []string{version, mcptest.Era2026, method, "tools/call", name, "echo"}, 400, "-32602"},
		{"a version to come", old, []string{version, "2027-01-01", method, "tools/call", name, "echo"}, 400, "-32022"},
		{"initialize", initializeBody, nil, 400, "-32022"},
		{"unknown method", strings.Replace(call, "tools/call", "tools/x", 1), []string{version, mcptest.Era2026, method, "tools/x"}, 404, "-32601"},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/cancelled"}`, nil, 202, ""},
	} {
		resp, body := mustPost(t, client, url, test.body, test.header...)
		if resp.StatusCode != test.status || !strings.Contains(body, test.code) {
			t.Errorf("%s: %d %s, want %d with %s", test.what, resp.StatusCode, body, test.status, test.code)
		}
	}
	for _, verb := range []string{http.MethodGet, http.MethodDelete} {
		if resp := do(t, client, verb, url, ""); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %s, Allow %q", verb, resp.Status, resp.Header.Get("Allow"))
		}
	}
}

func do(t *testing.T, client *http.Client, method, url, session string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(bounded(t), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

func TestSessionLossIsByteExact(t *testing.T) {
	want := map[mcptest.LossStyle]struct {
		status    int
		mediaType string
		body      string
	}{
		mcptest.LossGo404Text:   {404, "text/plain; charset=utf-8", "session not found\n"},
		mcptest.LossTS404NullID: {404, "application/json", `{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}`},
		mcptest.LossPython126:   {404, "application/json", `{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}`},
		mcptest.LossPython112:   {400, "text/plain; charset=utf-8", "Bad Request: No valid session ID provided"},
		mcptest.LossNPM400:      {400, "application/json; charset=utf-8", `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}`},
		mcptest.Loss410:         {410, "text/plain; charset=utf-8", "Gone\n"},
	}
	for _, style := range mcptest.LossStyles {
		t.Run(style.String(), func(t *testing.T) {
			raw := mcptest.NewRaw(&mcptest.RawOptions{SessionLoss: style})
			client, url := httpClient(t), raw.Start(t).URL()
			id := initialize(t, client, url)
			if resp, body := mustPost(t, client, url, callBody("echo", "{}"), "Mcp-Session-Id", id); resp.StatusCode != 200 {
				t.Fatalf("before the loss: %s %s", resp.Status, body)
			}
			raw.Restart()
			resp, body := mustPost(t, client, url, callBody("echo", "{}"), "Mcp-Session-Id", id)
			if w := want[style]; resp.StatusCode != w.status || resp.Header.Get("Content-Type") != w.mediaType || body != w.body {
				t.Errorf("after the loss: %d %q %q, want %+v", resp.StatusCode, resp.Header.Get("Content-Type"), body, w)
			}
			for _, verb := range []string{http.MethodGet, http.MethodDelete} {
				if resp := do(t, client, verb, url, id); resp.StatusCode != want[style].status {
					t.Errorf("%s after the loss: %s", verb, resp.Status)
				}
			}
			if raw.Calls("echo") != 2 || raw.Executions("echo") != 1 {
				t.Errorf("%d calls and %d executions, want 2 and 1", raw.Calls("echo"), raw.Executions("echo"))
			}
		})
	}
}

// What the SDK's client makes of each style is why a manager of sessions cannot rely on one error.
func TestTheSDKClientSeesSomeLosses(t *testing.T) {
	seen := map[mcptest.LossStyle]bool{mcptest.LossGo404Text: true, mcptest.LossTS404NullID: true}
	for _, style := range mcptest.LossStyles {
		raw := mcptest.NewRaw(&mcptest.RawOptions{SessionLoss: style})
		// Without the standalone stream, whose end would be what kills the session.
		session := dialTransport(t, &mcp.StreamableClientTransport{
			Endpoint: raw.Start(t).URL(), HTTPClient: httpClient(t), DisableStandaloneSSE: true}, mcptest.Era2025, nil)
		raw.Restart()
		_, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: "echo"})
		if err == nil || errors.Is(err, mcp.ErrSessionMissing) != seen[style] {
			t.Errorf("%v: error %v, ErrSessionMissing %t wanted", style, err, seen[style])
		}
	}
}

func TestSessionsAreAskedForUnlessThereAreNone(t *testing.T) {
	for _, sessionless := range []bool{false, true} {
		raw := mcptest.NewRaw(&mcptest.RawOptions{Sessionless: sessionless})
		client, url := httpClient(t), raw.Start(t).URL()
		id := initialize(t, client, url)
		if (id == "") != sessionless {
			t.Errorf("sessionless %t: the session id is %q", sessionless, id)
		}
		resp, _ := mustPost(t, client, url, callBody("echo", "{}"))
		if (resp.StatusCode == 200) != sessionless {
			t.Errorf("sessionless %t: a call without a session got %s", sessionless, resp.Status)
		}
		session := dial(t, url, mcptest.Era2025, nil)
		if got := callText(t, session, "echo", map[string]any{"text": "x"}); got != "x" {
			t.Errorf("sessionless %t: echo = %q", sessionless, got)
		}
	}
}

func TestOldServersNegotiateTheirOwnRevision(t *testing.T) {
	for server, cases := range map[string]map[string]string{ // server's newest -> asked for -> answered
		"2024-11-05": {"2025-11-25": "2024-11-05", "2024-11-05": "2024-11-05"},
		"2025-11-25": {"2025-11-25": "2025-11-25", "2025-03-26": "2025-03-26", "1999-01-01": "2025-11-25"},
	} {
		raw := mcptest.NewRaw(&mcptest.RawOptions{Era: server})
		client, url := httpClient(t), raw.Start(t).URL()
		for asked, want := range cases {
			_, body := mustPost(t, client, url, strings.Replace(initializeBody, "2025-11-25", asked, 1))
			var answer struct {
				Result struct{ ProtocolVersion string }
			}
			unmarshal(t, body, &answer)
			if answer.Result.ProtocolVersion != want {
				t.Errorf("server %s asked for %s answered %s, want %s", server, asked, answer.Result.ProtocolVersion, want)
			}
		}
	}
}

func TestMalformedPostsAreRefused(t *testing.T) {
	raw := mcptest.NewRaw(nil)
	client, url := httpClient(t), raw.Start(t).URL()
	for _, test := range []struct {
		what, body string
		header     []string
		status     int
	}{
		{"no JSON", "{", nil, 400},
		{"text", initializeBody, []string{"Content-Type", "text/plain"}, 415},
		{"no event streams", initializeBody, []string{"Accept", "application/json"}, 406},
	} {
		if resp, body := mustPost(t, client, url, test.body, test.header...); resp.StatusCode != test.status {
			t.Errorf("%s: %s %s, want %d", test.what, resp.Status, body, test.status)
		}
	}
	if resp := do(t, client, http.MethodPut, url, ""); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %s", resp.Status)
	}
	id := initialize(t, client, url)
	if resp, _ := mustPost(t, client, url, callBody("echo", "{}"), "Mcp-Session-Id", id, "Mcp-Protocol-Version", "2099-01-01"); resp.StatusCode != 400 {
		t.Errorf("an unknown protocol version: %s", resp.Status)
	}
	if _, body := mustPost(t, client, url, `{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"cursor":"tool-99999"}}`, "Mcp-Session-Id", id); !strings.Contains(body, "-32602") {
		t.Errorf("a cursor out of range: %s", body)
	}
}

func TestTheJournalKnowsWhoDidWhatHowOften(t *testing.T) {
	raw := mcptest.NewRaw(nil)
	client, url := httpClient(t), raw.Start(t).URL()
	id := initialize(t, client, url)
	for _, key := range []string{"a", "b", "a"} {
		mustPost(t, client, url, callBody("inc", `{"key":"`+key+`"}`), "Mcp-Session-Id", id, "Authorization", "Bearer "+key)
	}
	if got := raw.Keys(); got["a"] != 2 || got["b"] != 1 || len(got) != 2 {
		t.Errorf("Keys() = %v", got)
	}
	journal := raw.Journal()
	if len(journal) != 3 {
		t.Fatalf("%d entries, want 3", len(journal))
	}
	if e := journal[1]; e.Tool != "inc" || string(e.Args) != `{"key":"b"}` || e.Session != id || e.Authorization != "Bearer b" || e.Time.IsZero() {
		t.Errorf("entry 1 = %+v", e)
	}
	_, body := mustPost(t, client, url, callBody("whoami", "{}"), "Mcp-Session-Id", id, "Authorization", "Bearer w", "X-User", "alice")
	if !strings.Contains(body, `\"authorization\":\"Bearer w\"`) || !strings.Contains(body, `\"user\":\"alice\"`) {
		t.Errorf("whoami = %s", body)
	}
}

func TestWithoutAJournalTheCountersStay(t *testing.T) {
	raw := mcptest.NewRaw(&mcptest.RawOptions{NoJournal: true, Sessionless: true})
	mustPost(t, httpClient(t), raw.Start(t).URL(), callBody("inc", `{"key":"a"}`))
	if raw.Executions("inc") != 1 || len(raw.Journal()) != 0 || len(raw.Keys()) != 0 {
		t.Errorf("executions %d, journal %v, keys %v", raw.Executions("inc"), raw.Journal(), raw.Keys())
	}
}

func TestFailNextFailsRequestsAndNothingElse(t *testing.T) {
	raw := mcptest.NewRaw(nil)
	client, url := httpClient(t), raw.Start(t).URL()
	id := initialize(t, client, url)
	raw.FailNext(http.StatusServiceUnavailable, 2, http.Header{"Retry-After": {"7"}}, "busy")
	if resp, _ := mustPost(t, client, url, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, "Mcp-Session-Id", id); resp.StatusCode != http.StatusAccepted {
		t.Errorf("a notification: %s", resp.Status)
	}
	for i, want := range []int{503, 503, 200} {
		resp, body := mustPost(t, client, url, callBody("echo", "{}"), "Mcp-Session-Id", id)
		if resp.StatusCode != want {
			t.Errorf("call %d: %s, want %d", i, resp.Status, want)
		}
		if want == 503 && (body != "busy" || resp.Header.Get("Retry-After") != "7") {
			t.Errorf("call %d: %q, Retry-After %q", i, body, resp.Header.Get("Retry-After"))
		}
	}
	if raw.Calls("echo") != 3 || raw.Executions("echo") != 1 {
		t.Errorf("%d calls, %d executions", raw.Calls("echo"), raw.Executions("echo"))
	}
}

func TestAnInterceptorMayAnswerInTheServersStead(t *testing.T) {
	raw := mcptest.NewRaw(&mcptest.RawOptions{Sessionless: true})
	client, url := httpClient(t), raw.Start(t).URL()
	raw.SetIntercept(func(w http.ResponseWriter, r *http.Request, method string, id json.RawMessage, body []byte) bool {
		if method != "tools/call" {
			return false
		}
		honest := raw.Answer(r, body)
		fmt.Fprintf(w, "%s %s %s", id, method, honest.Body)
		return true
	})
	_, body := mustPost(t, client, url, callBody("echo", `{"text":"hi"}`))
	if !strings.HasPrefix(body, "7 tools/call {") || !strings.Contains(body, "hi") {
		t.Errorf("intercepted: %s", body)
	}
	raw.SetIntercept(nil)
	if _, body := mustPost(t, client, url, callBody("echo", `{"text":"hi"}`)); !strings.HasPrefix(body, "{") {
		t.Errorf("healed: %s", body)
	}
	if raw.Executions("echo") != 2 || raw.Calls("echo") != 2 {
		t.Errorf("%d executions of %d calls, want 2 of 2", raw.Executions("echo"), raw.Calls("echo"))
	}
}

// handshake performs one initialize or discover without a socket, so that it may run in a bubble.
func handshake(ctx context.Context, raw *mcptest.Raw, era string) *httptest.ResponseRecorder {
	body := initializeBody
	if era == mcptest.Era2026 {
		body = `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + modernMeta + `}}`
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if era == mcptest.Era2026 {
		r.Header.Set("Mcp-Protocol-Version", era)
		r.Header.Set("Mcp-Method", "server/discover")
	}
	w := httptest.NewRecorder()
	raw.ServeHTTP(w, r)
	return w
}

func TestHandshakesTakeTheConnectDelay(t *testing.T) {
	for _, e := range eras {
		synctest.Test(t, func(t *testing.T) {
			raw := mcptest.NewRaw(&mcptest.RawOptions{Era: e.era})
			for _, delay := range []time.Duration{0, 2 * time.Hour} {
				raw.SetConnectDelay(delay)
				start := time.Now()
				if w := handshake(t.Context(), raw, e.era); w.Code != 200 || time.Since(start) != delay {
					t.Errorf("%s: %d after %v, want 200 after %v: %s", e.era, w.Code, time.Since(start), delay, w.Body)
				}
			}
		})
	}
}

func TestHungHandshakesGoOnWhenReleased(t *testing.T) {
	for _, e := range eras {
		synctest.Test(t, func(t *testing.T) {
			raw := mcptest.NewRaw(&mcptest.RawOptions{Era: e.era})
			raw.SetHangInitialize(true)
			raw.SetHangInitialize(true) // idempotent
			left, leave := context.WithTimeout(t.Context(), time.Minute)
			defer leave()
			if w := handshake(left, raw, e.era); w.Body.Len() != 0 || raw.OpenSessions() != 0 {
				t.Errorf("%s: the client that left got %q", e.era, w.Body)
			}
			var wg sync.WaitGroup
			start := time.Now()
			for range 5 {
				wg.Go(func() {
					if w := handshake(t.Context(), raw, e.era); w.Code != 200 || time.Since(start) != time.Hour {
						t.Errorf("%s: %d after %v", e.era, w.Code, time.Since(start))
					}
				})
			}
			time.Sleep(time.Hour)
			raw.SetHangInitialize(false)
			wg.Wait()
		})
	}
}

func TestInstructionsMayChange(t *testing.T) {
	raw := mcptest.NewRaw(&mcptest.RawOptions{Instructions: "before"})
	url := raw.Start(t).URL()
	raw.SetInstructions("after")
	if got := dial(t, url, mcptest.Era2025, nil).InitializeResult().Instructions; got != "after" {
		t.Errorf("instructions = %q", got)
	}
}

func TestRawIsSafeForConcurrentUse(t *testing.T) {
	for _, e := range eras {
		raw := mcptest.NewRaw(&mcptest.RawOptions{Era: e.era})
		url := raw.Start(t).URL()
		const users, calls = 8, 25
		var wg sync.WaitGroup
		for user := range users {
			session := dial(t, url, e.era, nil)
			wg.Go(func() {
				for i := range calls {
					key := fmt.Sprintf("%d/%d", user, i)
					if got := callText(t, session, "inc", map[string]any{"key": key}); got != "incremented "+key {
						t.Errorf("inc = %q", got)
					}
					raw.ListChanged()
					raw.SetInstructions(key)
					raw.FailNext(0, 0, nil, "")
				}
			})
		}
		wg.Wait()
		if raw.Executions("inc") != users*calls || raw.Calls("inc") != users*calls || len(raw.Keys()) != users*calls {
			t.Errorf("%s: %d calls, %d executions, %d keys; want %d of each", e.era, raw.Calls("inc"), raw.Executions("inc"), len(raw.Keys()), users*calls)
		}
	}
}

func TestNewRawPanicsOnANamelessTool(t *testing.T) {
	for _, tool := range []mcptest.RawTool{{}, {JSON: json.RawMessage(`{"name":`)}, {Def: map[string]any{"name": func() {}}}} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "mcptest: ") {
					t.Errorf("%+v: panic %q", tool, text)
				}
			}()
			mcptest.NewRaw(&mcptest.RawOptions{Tools: []mcptest.RawTool{tool}})
		}()
	}
}

func TestDefinitionsAreSentVerbatim(t *testing.T) {
	verbatim := `{"name":"v",  "inputSchema":{"type":"object","z":9007199254740993,"a":"<&>"}}`
	raw := mcptest.NewRaw(&mcptest.RawOptions{Sessionless: true, Tools: []mcptest.RawTool{{JSON: json.RawMessage(verbatim)}}})
	_, body := mustPost(t, httpClient(t), raw.Start(t).URL(), `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	if !strings.Contains(body, `"tools":[`+verbatim+`]`) {
		t.Errorf("listed as %s", body)
	}
}

// Whatever is posted, the server answers with a status of its own and with JSON where it says so.
func FuzzServeHTTP(f *testing.F) {
	for _, seed := range []string{initializeBody, callBody("echo", `{"text":"x"}`), callBody("", "null"), "[]", "{", "null",
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"tool--1"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + modernMeta + `}}`,
		`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{},` + modernMeta + `}}`} {
		f.Add(seed, "tools/call", "echo")
	}
	servers := []*mcptest.Raw{
		mcptest.NewRaw(&mcptest.RawOptions{Sessionless: true, PageSize: 2, Tools: mcptest.ManyTools(5, 2), NoJournal: true}),
		mcptest.NewRaw(&mcptest.RawOptions{Era: mcptest.Era2026, PageSize: 2, Tools: mcptest.ManyTools(5, 2), NoJournal: true}),
	}
	f.Fuzz(func(t *testing.T, body, method, name string) {
		for _, raw := range servers {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond) // a listen stream ends no other way
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json, text/event-stream")
			r.Header.Set("Mcp-Method", method)
			r.Header.Set("Mcp-Name", name)
			if raw == servers[1] {
				r.Header.Set("Mcp-Protocol-Version", mcptest.Era2026)
			}
			w := httptest.NewRecorder()
			raw.ServeHTTP(w, r)
			cancel()
			if w.Code < 200 || w.Code > 499 {
				t.Errorf("status %d for %q", w.Code, body)
			}
			if w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
				t.Errorf("no JSON: %q for %q", w.Body, body)
			}
		}
	})
}
