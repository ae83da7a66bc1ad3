package mcptest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

// BenchmarkEcho compares a call over loopback, without a client library, to a Raw server and to one built on the SDK. The
// metric sdk/raw is how many times longer the latter takes: what a figure measured against Raw leaves out.
func BenchmarkEcho(b *testing.B) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	raw := mcptest.Listen(mcptest.NewRaw(&mcptest.RawOptions{Era: mcptest.Era2026, NoJournal: true}))
	defer raw.Close()
	sdk := mcptest.Listen(mcptest.HTTPHandler(mcptest.NewSDKServer("bench"), true))
	defer sdk.Close()
	body := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"},` + modernMeta + `}}`
	header := map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": mcptest.Era2026, "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
	echo := func(url string) time.Duration {
		start := time.Now()
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		for name, value := range header {
			req.Header.Set(name, value)
		}
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status)
		}
		return time.Since(start)
	}
	var onRaw, onSDK time.Duration
	for b.Loop() {
		onRaw += echo(raw.URL())
		onSDK += echo(sdk.URL())
	}
	b.ReportMetric(float64(onRaw.Nanoseconds())/float64(b.N), "raw-ns/op")
	b.ReportMetric(float64(onSDK)/float64(onRaw), "sdk/raw")
}
