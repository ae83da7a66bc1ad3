package mcphttp

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// cannedBase answers from memory, so that only the chain's own cost is left.
type cannedBase struct{ body []byte }

func (c cannedBase) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(c.body)), Body: io.NopCloser(bytes.NewReader(c.body)), Request: r,
	}, nil
}

var benchAnswer = []byte(`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"The answer is 42."}]}}`)

// poster sends one POST after the other.
type poster struct {
	client *http.Client
	header http.Header // what the client does not add by itself
	best   time.Duration
	allocs float64 // of one POST
}

// run sends n requests and keeps the best time.
func (p *poster) run(b *testing.B, url string, n int) {
	ctx := WithExchange(context.Background(), new(Exchange))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range n {
		req := newPost(ctx, b, url, call)
		maps.Copy(req.Header, p.header)
		resp, err := p.client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	took := time.Since(start) / time.Duration(n)
	runtime.ReadMemStats(&after)
	if p.best == 0 || took < p.best {
		p.best = took
	}
	p.allocs = float64(after.Mallocs-before.Mallocs) / float64(n)
}

// BenchmarkChainAgainstBareClient measures what the chain adds to a JSON POST: in memory, where only its own work
// counts, and over a loopback connection.
func BenchmarkChainAgainstBareClient(b *testing.B) {
	headers := func(context.Context, *http.Request) (http.Header, error) { return benchHeader, nil }
	report := func(b *testing.B, base http.RoundTripper, url string, n int) {
		c, err := New(Config{Endpoint: url, Headers: headers, Base: base})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			bare, chain := poster{client: &http.Client{Transport: base}, header: benchHeader}, poster{client: c.Client()}
			for range 30 { // in turns, as other work on the machine comes and goes
				bare.run(b, url, n)
				chain.run(b, url, n)
			}
			b.ReportMetric(float64(chain.best)/float64(bare.best), "chain/bare")
			b.ReportMetric(float64(chain.best-bare.best)/1e3, "added-µs/call")
			b.ReportMetric(chain.allocs-bare.allocs, "added-allocs/call")
		}
		b.ReportMetric(0, "ns/op")
	}
	b.Run("memory", func(b *testing.B) { report(b, cannedBase{benchAnswer}, "https://h.example/mcp", 2000) })
	b.Run("loopback", func(b *testing.B) {
		_, url := serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			w.Write(benchAnswer)
		}), nil)
		tr := newTransport()
		defer tr.CloseIdleConnections()
		report(b, tr, url, 500)
	})
}

var benchHeader = http.Header{"Authorization": {"Bearer abcdefghijklmnopqrstuvwxyz0123456789"}}

func BenchmarkParse(b *testing.B) {
	text := append(append([]byte(`{"jsonrpc":"2.0","id":7,"result":{"text":"`), bytes.Repeat([]byte("some text "), 10_000)...), `"}}`...)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		parse(text)
	}
}

func TestChainAddsFewAllocations(t *testing.T) {
	base := cannedBase{benchAnswer}
	c, err := New(Config{Endpoint: "https://h.example/mcp", Base: base,
		Headers: func(context.Context, *http.Request) (http.Header, error) { return benchHeader, nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx := WithExchange(t.Context(), new(Exchange))
	allocs := func(rt http.RoundTripper) float64 {
		return testing.AllocsPerRun(200, func() {
			resp, err := rt.RoundTrip(newPost(ctx, t, "https://h.example/mcp", call))
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		})
	}
	if added := allocs(tripper{c}) - allocs(base); added > 8 {
		t.Errorf("the chain adds %v allocations to a JSON POST, want at most 8", added)
	}
}
