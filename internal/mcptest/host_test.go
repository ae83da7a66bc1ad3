package mcptest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

func TestAStoppedHostRefusesAndComesBackOnItsPort(t *testing.T) {
	host := mcptest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }))
	url := host.URL()
	for round := range 3 {
		if _, body := mustPost(t, httpClient(t), url, ""); body != "here" {
			t.Errorf("round %d: %q", round, body)
		}
		host.Stop()
		host.Stop() // idempotent
		// A client of its own, for one with a pooled connection may first learn that it was cut.
		_, err := post(t, httpClient(t), url, "")
		if opErr := (*net.OpError)(nil); !errors.As(err, &opErr) || opErr.Op != "dial" {
			t.Errorf("round %d: a stopped host gave %v, want a refused dial", round, err)
		}
		if err := host.Start(); err != nil {
			t.Fatal(err)
		}
		if err := host.Start(); err != nil || host.URL() != url {
			t.Errorf("a second Start: %v, %s", err, host.URL())
		}
	}
	if _, body := mustPost(t, httpClient(t), url, ""); body != "here" {
		t.Errorf("at last: %q", body)
	}
}

func TestStopEndsTheRequestsInFlight(t *testing.T) {
	for name, cut := range map[string]func(*mcptest.Host){"Stop": (*mcptest.Host).Stop, "CutConnections": (*mcptest.Host).CutConnections} {
		t.Run(name, func(t *testing.T) {
			started, ended := make(chan struct{}), make(chan struct{})
			host := mcptest.Serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				close(started)
				<-r.Context().Done()
				close(ended)
			}))
			client := httpClient(t)
			failed := make(chan error, 1)
			go func() {
				req, _ := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, host.URL(), nil)
				_, err := client.Do(req)
				failed <- err
			}()
			<-started
			if host.Connections() != 1 {
				t.Errorf("%d connections, want 1", host.Connections())
			}
			cut(host)
			if err := <-failed; err == nil {
				t.Error("the request succeeded")
			}
			<-ended
			eventually(t, "no connections", func() bool { return host.Connections() == 0 })
		})
	}
}

func TestCloseWaitsForHandlersAndIsFinal(t *testing.T) {
	var running atomic.Int32
	host := mcptest.Listen(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		running.Add(1)
		<-r.Context().Done()
		time.Sleep(50 * time.Millisecond) // so that a Close that does not wait returns before
		running.Add(-1)
	}))
	client := httpClient(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if resp, err := client.Get(host.URL()); err == nil {
				resp.Body.Close()
			}
		})
	}
	eventually(t, "8 handlers", func() bool { return running.Load() == 8 })
	host.Close()
	if got := running.Load(); got != 0 {
		t.Errorf("%d handlers run after Close", got)
	}
	wg.Wait()
	if err := host.Start(); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Start after Close = %v, want http.ErrServerClosed", err)
	}
	host.Close()
}

func TestASessionSurvivesARestartOfAServerWithoutSessions(t *testing.T) {
	raw := mcptest.NewRaw(&mcptest.RawOptions{Era: mcptest.Era2026})
	host := raw.Start(t)
	session := dial(t, host.URL(), "", nil)
	host.Stop()
	if _, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: "echo"}); err == nil {
		t.Error("a call to a stopped server succeeded")
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	if got := callText(t, session, "echo", map[string]any{"text": "back"}); got != "back" {
		t.Errorf("echo = %q", got)
	}
}
