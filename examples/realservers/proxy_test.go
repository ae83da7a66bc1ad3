package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// post sends one JSON-RPC request through p and returns the status, or 0 if the connection was cut.
func post(t *testing.T, p *proxy, body string) (status int, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(userHeader, "trusted/alice")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header
}

func callOf(tool, marker string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{"marker":%q}}}`, tool, marker)
}

func proxyTo(t *testing.T, handler http.HandlerFunc) (*proxy, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	p, err := startProxy(port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return p, server
}

func TestProxyTellsCallsThatMayHaveRunFromRefusedOnes(t *testing.T) {
	p, server := proxyTo(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), "refused"):
			w.WriteHeader(http.StatusBadRequest)
		case strings.Contains(string(body), "cut"):
			panic(http.ErrAbortHandler)
		}
		if r.Header.Get(userHeader) != "" {
			t.Error("the server saw the header that is for the proxy")
		}
	})
	for _, marker := range []string{"once", "refused", "cut", "twice", "twice"} {
		post(t, p, callOf("echo", marker))
	}
	server.Close()
	status, header := post(t, p, callOf("echo", "away"))
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("status with the server away = %d, Retry-After %q, want 503 with Retry-After", status, header.Get("Retry-After"))
	}

	want := map[string]passage{
		"once": {Tool: "echo", Ran: 1}, "refused": {Tool: "echo", Refused: 1}, "cut": {Tool: "echo", Ran: 1}, "twice": {Tool: "echo", Ran: 2},
	}
	got := p.ledger()
	for marker, w := range want {
		if got[marker] != w {
			t.Errorf("ledger of %q = %+v, want %+v", marker, got[marker], w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("ledger = %v, want only %d markers: what never reached the server is not in it", got, len(want))
	}
}

func TestProxyCutsItsClientOffWhereTheServerDid(t *testing.T) {
	p, _ := proxyTo(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if status, _ := post(t, p, callOf("echo", "x")); status != 0 {
		t.Errorf("status = %d, want a cut connection", status)
	}
}

func TestProxyCountsSessionsPerGeneration(t *testing.T) {
	p, _ := proxyTo(t, func(http.ResponseWriter, *http.Request) {})
	const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`
	post(t, p, initialize)
	p.nextGeneration()
	post(t, p, initialize)
	post(t, p, initialize)
	got := p.openings()
	for generation, want := range []int{1, 2} {
		if n := got[sessionOpening{"trusted/alice", generation}]; n != want {
			t.Errorf("sessions with generation %d = %d, want %d", generation, n, want)
		}
	}
}

func TestFreePortIsFree(t *testing.T) {
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address(port))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
