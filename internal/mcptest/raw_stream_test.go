package mcptest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

func TestListChangedReachesOpenStreams(t *testing.T) {
	for _, e := range eras {
		t.Run(e.era, func(t *testing.T) {
			raw := mcptest.NewRaw(&mcptest.RawOptions{Era: e.era})
			changed := make(chan struct{}, 10)
			session := dial(t, raw.Start(t).URL(), "", &mcp.ClientOptions{
				ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { changed <- struct{}{} }})
			eventually(t, "a stream", func() bool { return raw.Streams() == 1 })
			raw.SetTools(mcptest.ManyTools(3, 1)...)
			raw.ListChanged()
			select {
			case <-changed:
			case <-bounded(t).Done():
				t.Fatal("no notification")
			}
			if list, err := session.ListTools(bounded(t), nil); err != nil || len(list.Tools) != 3 {
				t.Errorf("ListTools = %v, %v", list, err)
			}
			session.Close()
			eventually(t, "the stream's end", func() bool { return raw.Streams() == 0 })
		})
	}
}

func TestNoNotificationIsMerged(t *testing.T) {
	raw := mcptest.NewRaw(&mcptest.RawOptions{Sessionless: true})
	req, _ := http.NewRequestWithContext(bounded(t), http.MethodGet, raw.Start(t).URL(), nil)
	resp, err := httpClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	const n = 1000
	for range n {
		raw.ListChanged()
	}
	lines, got := bufio.NewScanner(resp.Body), 0
	for got < n && lines.Scan() {
		if strings.Contains(lines.Text(), "notifications/tools/list_changed") {
			got++
		}
	}
	if got != n {
		t.Errorf("%d notifications arrived of %d, then %v", got, n, lines.Err())
	}
}

func TestListenStreamsNameTheirSubscription(t *testing.T) {
	raw := mcptest.NewRaw(&mcptest.RawOptions{Era: mcptest.Era2026})
	body := `{"jsonrpc":"2.0","id":"sub-9","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},` + modernMeta + `}}`
	resp, err := post(t, httpClient(t), raw.Start(t).URL(), body, "Mcp-Protocol-Version", mcptest.Era2026, "Mcp-Method", "subscriptions/listen")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got []string
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var msg struct {
			Method         string
			Params, Result struct {
				Meta map[string]any `json:"_meta"`
			}
		}
		unmarshal(t, data, &msg)
		const key = "io.modelcontextprotocol/subscriptionId"
		got = append(got, fmt.Sprint(msg.Method, " ", msg.Params.Meta[key], msg.Result.Meta[key]))
		switch len(got) {
		case 1:
			raw.ListChanged()
		case 2:
			raw.Restart() // ends the stream with the answer to the request
		}
	}
	want := []string{"notifications/subscriptions/acknowledged sub-9<nil>", "notifications/tools/list_changed sub-9<nil>", " <nil>sub-9"}
	if !slices.Equal(got, want) {
		t.Errorf("the stream had %q, want %q", got, want)
	}
}

func TestAListenStreamOfNothingEndsAtOnce(t *testing.T) {
	raw := mcptest.NewRaw(&mcptest.RawOptions{Era: mcptest.Era2026})
	body := `{"jsonrpc":"2.0","id":9,"method":"subscriptions/listen","params":{"notifications":{"promptsListChanged":true},` + modernMeta + `}}`
	_, got := mustPost(t, httpClient(t), raw.Start(t).URL(), body, "Mcp-Protocol-Version", mcptest.Era2026, "Mcp-Method", "subscriptions/listen")
	if strings.Count(got, "data: ") != 2 || !strings.Contains(got, "notifications/subscriptions/acknowledged") || !strings.Contains(got, `"resultType":"complete"`) {
		t.Errorf("the stream was %q", got)
	}
}

func TestRestartEndsStreams(t *testing.T) {
	raw := mcptest.NewRaw(nil)
	client, url := httpClient(t), raw.Start(t).URL()
	id := initialize(t, client, url)
	req, _ := http.NewRequestWithContext(bounded(t), http.MethodGet, url, nil)
	req.Header.Set("Mcp-Session-Id", id)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if raw.Streams() != 1 || raw.OpenSessions() != 1 {
		t.Errorf("%d streams and %d sessions, want 1 and 1", raw.Streams(), raw.OpenSessions())
	}
	raw.Restart()
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	if raw.OpenSessions() != 0 {
		t.Errorf("%d sessions after the restart", raw.OpenSessions())
	}
}
