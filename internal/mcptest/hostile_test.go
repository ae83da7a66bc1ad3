package mcptest_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

// attacked starts a server of the session era without sessions that suffers from f when its attack tool is called.
func attacked(t *testing.T, f mcptest.Fault) (*mcptest.Raw, string) {
	t.Helper()
	raw := mcptest.NewHostile(&mcptest.RawOptions{Sessionless: true}, mcptest.OnTool(mcptest.AttackTool, f))
	return raw, raw.Start(t).URL()
}

var attackBody = callBody(mcptest.AttackTool, `{"key":"k"}`)

// answerText is the text in a tools/call answer.
func answerText(t *testing.T, body string) string {
	t.Helper()
	var answer struct {
		ID     int
		Result struct{ Content []struct{ Text string } }
	}
	unmarshal(t, body, &answer)
	if answer.ID != 7 || len(answer.Result.Content) != 1 {
		t.Fatalf("not the answer: %.200s", body)
	}
	return answer.Result.Content[0].Text
}

func TestBigAnswersAreCorrectAndOfTheAskedSize(t *testing.T) {
	const size = 1<<20 + 17
	client := httpClient(t)
	_, url := attacked(t, mcptest.BigResult(size))
	_, body := mustPost(t, client, url, attackBody)
	if got := len(answerText(t, body)); got != size {
		t.Errorf("the JSON text has %d bytes, want %d", got, size)
	}

	_, url = attacked(t, mcptest.BigEvent(size))
	resp, body := mustPost(t, client, url, attackBody)
	data, ok := strings.CutPrefix(body, "event: message\ndata: ")
	if !ok || resp.Header.Get("Content-Type") != "text/event-stream" || len(answerText(t, strings.TrimSuffix(data, "\n\n"))) != size {
		t.Errorf("the event begins %.60q and has %d bytes", body, len(body))
	}

	_, url = attacked(t, mcptest.BigError(http.StatusBadRequest, size))
	if resp, body := mustPost(t, client, url, attackBody); resp.StatusCode != http.StatusBadRequest || len(body) != size {
		t.Errorf("the error is %s with %d bytes", resp.Status, len(body))
	}
}

func TestTheGzipBombIsSmallOnTheWire(t *testing.T) {
	const size = 4<<20 + 5
	_, url := attacked(t, mcptest.GzipBomb(size))
	client := httpClient(t)
	// With an own Accept-Encoding the transport leaves the body as it came.
	resp, wire := mustPost(t, client, url, attackBody, "Accept-Encoding", "gzip")
	if resp.Header.Get("Content-Encoding") != "gzip" || len(wire) > size/500 {
		t.Errorf("%d bytes on the wire, encoding %q", len(wire), resp.Header.Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(strings.NewReader(wire))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil || len(answerText(t, string(plain))) != size {
		t.Errorf("unpacked to %d bytes, %v", len(plain), err)
	}
}

func TestDeepJSONIsDeep(t *testing.T) {
	_, url := attacked(t, mcptest.DeepJSON(1_000_000))
	_, body := mustPost(t, httpClient(t), url, attackBody)
	if open, end := strings.Count(body, "["), strings.Count(body, "]"); open != end || open < 1_000_000 {
		t.Errorf("%d opening and %d closing brackets", open, end)
	}
	_, url = attacked(t, mcptest.DeepJSON(100))
	if _, body := mustPost(t, httpClient(t), url, attackBody); !json.Valid([]byte(body)) {
		t.Errorf("shallow enough, but no JSON: %s", body)
	}
}

func TestPingsFollowTheAnswerWithoutEnd(t *testing.T) {
	t.Run("JSON server", func(t *testing.T) { testPings(t, false) })
	t.Run("SSE server", func(t *testing.T) { testPings(t, true) })
}

func testPings(t *testing.T, sse bool) {
	raw := mcptest.NewHostile(&mcptest.RawOptions{Sessionless: true, SSE: sse},
		mcptest.OnTool(mcptest.AttackTool, mcptest.EndlessPings(time.Millisecond)))
	url := raw.Start(t).URL()
	resp, err := post(t, httpClient(t), url, attackBody)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	pings, answers := 0, 0
	for pings < 20 && lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && answerText(t, data) == "incremented k" {
			answers++
		}
		if lines.Text() == ": ping" {
			pings++
		}
	}
	if answers != 1 || pings < 20 || raw.Executions(mcptest.AttackTool) != 1 {
		t.Errorf("%d answers, %d pings, %d executions", answers, pings, raw.Executions(mcptest.AttackTool))
	}
}

func TestRetryThenEOFAsksForPatience(t *testing.T) {
	raw, url := attacked(t, mcptest.RetryThenEOF(time.Hour))
	if _, body := mustPost(t, httpClient(t), url, attackBody); body != "id: 1\nretry: 3600000\ndata:\n\n" {
		t.Errorf("stream %q", body)
	}
	if raw.Executions(mcptest.AttackTool) != 0 {
		t.Error("the tool ran")
	}
	session := dialTransport(t, &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: httpClient(t)}, mcptest.Era2025, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := session.CallTool(ctx, &mcp.CallToolParams{Name: mcptest.AttackTool}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the SDK's client gave %v, want its deadline", err)
	}
}

func TestDripSendsTheWholeAnswerByteByByte(t *testing.T) {
	_, url := attacked(t, mcptest.Drip(50*time.Microsecond))
	resp, err := post(t, httpClient(t), url, attackBody)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body []byte
	reads, buf := 0, make([]byte, 4096)
	for err == nil {
		var n int
		n, err = resp.Body.Read(buf)
		body = append(body, buf[:n]...)
		reads++
	}
	if answerText(t, string(body)) != "incremented k" || reads < 3 {
		t.Errorf("%d reads of %s", reads, body)
	}
}

func TestNeverAnswerSendsNotEvenHeaders(t *testing.T) {
	_, url := attacked(t, mcptest.NeverAnswer())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(attackBody))
	if resp, err := httpClient(t).Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v, want the deadline", resp, err)
	}
}

func TestSlowAnswersAreHonest(t *testing.T) {
	raw, url := attacked(t, mcptest.SlowAnswer(time.Millisecond))
	if _, body := mustPost(t, httpClient(t), url, attackBody); answerText(t, body) != "incremented k" {
		t.Errorf("answer %s", body)
	}
	if raw.Executions(mcptest.AttackTool) != 1 {
		t.Errorf("%d executions", raw.Executions(mcptest.AttackTool))
	}
}

func TestDropsDifferInWhetherTheToolRan(t *testing.T) {
	for _, test := range []struct {
		name       string
		fault      mcptest.Fault
		executions int
	}{
		{"after", mcptest.DropAfterExecution(), 1},
		{"before", mcptest.DropBeforeExecution(), 0},
	} {
		raw, url := attacked(t, test.fault)
		if _, err := post(t, httpClient(t), url, attackBody); err == nil {
			t.Errorf("%s: an answer arrived", test.name)
		}
		if got := raw.Executions(mcptest.AttackTool); got != test.executions || raw.Calls(mcptest.AttackTool) != 1 {
			t.Errorf("%s: %d executions of %d calls, want %d of 1", test.name, got, raw.Calls(mcptest.AttackTool), test.executions)
		}
	}
}

func TestSpoiledAnswersAreSpoiledInOneWay(t *testing.T) {
	client := httpClient(t)
	for _, test := range []struct {
		name  string
		fault mcptest.Fault
		check func(resp *http.Response, body string, err error) bool
	}{
		{"wrong content type", mcptest.WrongContentType("text/html"), func(resp *http.Response, body string, err error) bool {
			return err == nil && resp.Header.Get("Content-Type") == "text/html" && answerText(t, body) == "incremented k"
		}},
		{"wrong id", mcptest.WrongID(), func(_ *http.Response, body string, err error) bool {
			return err == nil && strings.Contains(body, `"id":987654321`) && strings.Contains(body, "incremented k")
		}},
		{"cut JSON", mcptest.CutJSON(), func(_ *http.Response, body string, err error) bool {
			return errors.Is(err, io.ErrUnexpectedEOF) && strings.HasPrefix(body, "{")
		}},
		{"no JSON", mcptest.NotJSON(), func(resp *http.Response, body string, err error) bool {
			return err == nil && resp.Header.Get("Content-Type") == "application/json" && strings.HasPrefix(body, "<html>")
		}},
		{"cut event", mcptest.CutEvent(), func(resp *http.Response, body string, err error) bool {
			return err == nil && resp.Header.Get("Content-Type") == "text/event-stream" && strings.Contains(body, "data: {") && !strings.HasSuffix(body, "\n")
		}},
		{"malformed event", mcptest.MalformedEvent(), func(resp *http.Response, body string, err error) bool {
			return err == nil && resp.Header.Get("Content-Type") == "text/event-stream" && strings.Contains(body, "\ndata\n")
		}},
	} {
		raw, url := attacked(t, test.fault)
		resp, err := post(t, client, url, attackBody)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !test.check(resp, string(body), err) {
			t.Errorf("%s: %s, %q, %v", test.name, resp.Status, body, err)
		}
		if raw.Executions(mcptest.AttackTool) != 1 {
			t.Errorf("%s: %d executions, want 1", test.name, raw.Executions(mcptest.AttackTool))
		}
	}
}

func TestRedirectsLeadElsewhere(t *testing.T) {
	foreign := mcptest.NewRaw(&mcptest.RawOptions{Sessionless: true})
	there := foreign.Start(t).URL()
	for _, status := range []int{302, 307, 308} {
		_, url := attacked(t, mcptest.Redirect(status, there))
		resp, _ := mustPost(t, httpClient(t), url, attackBody)
		if resp.StatusCode != status || resp.Header.Get("Location") != there {
			t.Errorf("%s to %q, want %d to %q", resp.Status, resp.Header.Get("Location"), status, there)
		}
	}
}

func TestInputIsRequiredAgainAndAgain(t *testing.T) {
	for _, ask := range []bool{false, true} {
		raw := mcptest.NewHostile(&mcptest.RawOptions{Era: mcptest.Era2026}, mcptest.OnTool(mcptest.AttackTool, mcptest.InputRequired(ask)))
		url := raw.Start(t).URL()
		session := dial(t, url, "", &mcp.ClientOptions{MultiRoundTrip: &mcp.MultiRoundTripOptions{Disabled: true}})
		result, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: mcptest.AttackTool})
		if err != nil || !result.NeedsInput() || result.RequestState == "" || (len(result.InputRequests) > 0) != ask {
			t.Errorf("ask %t: %+v, %v", ask, result, err)
		}
		if !ask {
			continue
		}
		asked := 0 // the SDK answers one question after the other
		session = dial(t, url, "", &mcp.ClientOptions{ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			asked++
			return &mcp.ElicitResult{Action: "decline"}, nil
		}})
		before := raw.Calls(mcptest.AttackTool)
		_, err = session.CallTool(bounded(t), &mcp.CallToolParams{Name: mcptest.AttackTool})
		if calls := raw.Calls(mcptest.AttackTool) - before; err == nil || asked == 0 || calls != asked+1 {
			t.Errorf("the SDK asked %d times in %d calls and ended with %v", asked, calls, err)
		}
	}
}

func TestCursorsNeverEndOrComeBack(t *testing.T) {
	for _, era := range []string{mcptest.Era2025, mcptest.Era2026} {
		for name, test := range map[string]struct {
			fault         mcptest.Fault
			names, pages  int
			repeatedAfter int // pages until a cursor comes back, 0 for never
		}{
			"endless": {mcptest.EndlessCursor(), 30, 30, 0},
			"cyclic":  {mcptest.CyclicCursor(3), 4, 30, 4},
		} {
			raw := mcptest.NewHostile(&mcptest.RawOptions{Era: era}, mcptest.OnMethod("tools/list", test.fault))
			session := dial(t, raw.Start(t).URL(), "", nil)
			names, cursors, repeated := make(map[string]bool), make(map[string]bool), 0
			params := &mcp.ListToolsParams{}
			for page := 1; page <= test.pages; page++ {
				list, err := session.ListTools(bounded(t), params)
				if err != nil || list.NextCursor == "" {
					t.Fatalf("%s: page %d: %+v, %v", name, page, list, err)
				}
				names[list.Tools[0].Name] = true
				if cursors[list.NextCursor] && repeated == 0 {
					repeated = page
				}
				cursors[list.NextCursor] = true
				params.Cursor = list.NextCursor
			}
			if len(names) != test.names || repeated != test.repeatedAfter || raw.Lists() != test.pages {
				t.Errorf("%s: %d names in %d requests, first repeated cursor on page %d; want %+v", name, len(names), raw.Lists(), repeated, test)
			}
		}
	}
}

func TestHostileNamesArriveAsTheyAre(t *testing.T) {
	names := mcptest.HostileNames()
	if len(names) != 11 {
		t.Errorf("%d names, want 11", len(names))
	}
	for _, era := range []string{mcptest.Era2025, mcptest.Era2026} {
		session := dial(t, mcptest.NewRaw(&mcptest.RawOptions{Era: era, Tools: mcptest.HostileTools()}).Start(t).URL(), "", nil)
		var got []string
		for tool, err := range session.Tools(bounded(t), nil) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, tool.Name)
		}
		if !slices.Equal(got, names) {
			t.Errorf("%s: listed %.300q", era, got)
		}
	}
	for _, name := range names {
		if !utf8.ValidString(name) {
			t.Errorf("%q is no UTF-8 and would be replaced on the wire", name)
		}
	}
}

func TestFaultsStrikeAsOftenAsTold(t *testing.T) {
	for name, test := range map[string]struct {
		narrow func(mcptest.Fault) mcptest.Fault
		want   string // of 9 calls, "x" for a struck one
	}{
		"first two":   {func(f mcptest.Fault) mcptest.Fault { return mcptest.FirstTimes(2, f) }, "xx......."},
		"every third": {func(f mcptest.Fault) mcptest.Fault { return mcptest.EveryNth(3, f) }, "..x..x..x"},
		"none":        {func(f mcptest.Fault) mcptest.Fault { return mcptest.FirstTimes(0, f) }, "........."},
	} {
		_, url := attacked(t, test.narrow(mcptest.BigError(http.StatusTeapot, 0)))
		client := httpClient(t)
		var got strings.Builder
		for range 9 {
			mustPost(t, client, url, callBody("echo", "{}")) // another tool is neither struck nor counted
			resp, _ := mustPost(t, client, url, attackBody)
			got.WriteString(map[bool]string{true: "x", false: "."}[resp.StatusCode == http.StatusTeapot])
		}
		if got.String() != test.want {
			t.Errorf("%s: struck %s, want %s", name, &got, test.want)
		}
	}
}

func TestEveryNthIsExactUnderConcurrency(t *testing.T) {
	raw, url := attacked(t, mcptest.EveryNth(10, mcptest.DropAfterExecution()))
	client := httpClient(t)
	var mu sync.Mutex
	failed := 0
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 20 {
				resp, err := post(t, client, url, attackBody)
				if err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					continue
				}
				mu.Lock()
				failed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if failed != 20 || raw.Executions(mcptest.AttackTool) != 200 {
		t.Errorf("%d of 200 calls failed, %d executions; want 20 and 200", failed, raw.Executions(mcptest.AttackTool))
	}
}

// Whatever the attack, the rest of the server is honest: another session goes on, and the tool ran exactly if the table
// says so.
func TestAttackedServersAreHonestOtherwise(t *testing.T) {
	for _, era := range []string{mcptest.Era2025, mcptest.Era2026} {
		for _, attack := range mcptest.Attacks(1<<20, "http://127.0.0.1:1/") {
			t.Run(fmt.Sprintf("%s/%s", era, attack.Name), func(t *testing.T) {
				raw := mcptest.NewHostile(&mcptest.RawOptions{Era: era}, attack.Fault)
				url := raw.Start(t).URL()
				victim, bystander := dial(t, url, era, nil), dial(t, url, era, nil)
				if attack.Method == "tools/list" {
					if list, err := victim.ListTools(bounded(t), nil); err != nil || list.NextCursor == "" {
						t.Errorf("ListTools = %+v, %v", list, err)
					}
				} else {
					ctx, cancel := context.WithCancel(bounded(t))
					defer cancel()
					done := make(chan struct{})
					go func() {
						defer close(done)
						_, err := victim.CallTool(ctx, &mcp.CallToolParams{Name: mcptest.AttackTool, Arguments: map[string]any{"key": "k"}})
						t.Logf("the SDK's client: %.200v", err)
					}()
					want := map[bool]int{true: 1, false: 0}[attack.Runs]
					eventually(t, "the attack", func() bool {
						return raw.Calls(mcptest.AttackTool) >= 1 && raw.Executions(mcptest.AttackTool) >= want
					})
					select {
					case <-done:
					case <-time.After(100 * time.Millisecond): // it hangs, as some attacks mean it to
						cancel()
						<-done
					}
					if runs := raw.Executions(mcptest.AttackTool); runs != want {
						t.Errorf("the tool ran %d times, the table says %t", runs, attack.Runs)
					}
				}
				if got := callText(t, bystander, "echo", map[string]any{"text": "fine"}); got != "fine" {
					t.Errorf("the other session got %q", got)
				}
			})
		}
	}
}

func TestFloodSendsManyNotifications(t *testing.T) {
	for _, era := range []string{mcptest.Era2025, mcptest.Era2026} {
		raw := mcptest.NewRaw(&mcptest.RawOptions{Era: era})
		got := make(chan struct{}, 1000)
		session := dial(t, raw.Start(t).URL(), "", &mcp.ClientOptions{ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) {
			select {
			case got <- struct{}{}:
			default:
			}
		}})
		eventually(t, "a stream", func() bool { return raw.Streams() == 1 })
		ctx, stop := context.WithCancel(t.Context())
		var flood sync.WaitGroup
		flood.Go(func() { raw.Flood(ctx, 10_000) })
		for range 500 {
			select {
			case <-got:
			case <-bounded(t).Done():
				t.Fatal("the flood dried up")
			}
		}
		stop()
		flood.Wait()
		session.Close()
	}
}
