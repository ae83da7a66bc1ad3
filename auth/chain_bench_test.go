package auth

import (
	"context"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/session"
)

// benchCases are the sources on the hot path, with all that may be known already known.
func benchCases(tb testing.TB) map[string]struct {
	c   *Chain
	ctx context.Context
} {
	store := newFakeStore()
	store.has(tb, "acme", "id", Bearer("stored-token"))
	c := mustChain(tb, ChainConfig{Server: "s", Secrets: store, Credential: Bearer("server-token")})
	type bench = struct {
		c   *Chain
		ctx context.Context
	}
	ctx := context.Background()
	return map[string]bench{
		"value":  {c, request(ctx, Bearer("request-token"))},
		"id":     {c, request(ctx, Reference("id"))},
		"agent":  {c, agent(ctx, Reference("id"))},
		"server": {c, ctx},
		"oauth":  {mustChain(tb, ChainConfig{Server: "s", OAuth: tokenIs("oauth-token")}), ctx},
		"cached": {mustChain(tb, ChainConfig{Server: "s", OAuth: boundProvider{cached: NewSecret("oauth-token")}}), ctx},
		"none":   {mustChain(tb, ChainConfig{Server: "s"}), ctx},
	}
}

var benchRequest = httptest.NewRequest("POST", "https://h/mcp", nil)

// hot is what the call path asks of a chain for every call.
func hot(tb testing.TB, ctx context.Context, c *Chain, key session.Key) { //nolint:revive // tb comes first
	if _, err := c.Principal(ctx, key); err != nil {
		tb.Fatal(err)
	}
	r, err := c.ResolveFor(ctx, key, benchRequest)
	if err != nil {
		tb.Fatal(err)
	}
	_ = r.Header()
}

func TestTheHotPathHardlyAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for what, b := range benchCases(t) {
		limit := 2.0
		switch what {
		case "oauth":
			limit = 6 // a goroutine, so that a provider cannot end the caller's
		case "cached":
			limit = 0
		}
		if got := testing.AllocsPerRun(100, func() { hot(t, b.ctx, b.c, alice) }); got > limit {
			t.Errorf("%s: Principal and Resolve allocate %v times, want at most %v", what, got, limit)
		}
	}
}

// BenchmarkChain measures Principal and Resolve together.
//
//	go test ./auth -run - -bench Chain -benchmem
func BenchmarkChain(b *testing.B) {
	for what, bench := range benchCases(b) {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				hot(b, bench.ctx, bench.c, alice)
			}
		})
	}
	b.Run("new value", func(b *testing.B) { // a context per request, as behind an HTTP handler
		c := mustChain(b, ChainConfig{Server: "s"})
		token := Bearer("request-token")
		b.ReportAllocs()
		for b.Loop() {
			hot(b, WithCredentials(context.Background(), map[string]Credential{"s": token}), c, alice)
		}
	})
	b.Run("new secret", func(b *testing.B) { // and a Secret made of the request's text
		c := mustChain(b, ChainConfig{Server: "s"})
		b.ReportAllocs()
		for b.Loop() {
			hot(b, WithCredentials(context.Background(), map[string]Credential{"s": Bearer("request-token")}), c, alice)
		}
	})
}

// BenchmarkCachedID resolves an id by turns with a chain that knows it and with one that asks a store in memory each time,
// and reports the median of the ratios of their times.
func BenchmarkCachedID(b *testing.B) {
	const round = 100
	store := newFakeStore()
	store.has(b, "acme", "id", Bearer("stored-token"))
	ctx := request(context.Background(), Reference("id"))
	spend := func(c *Chain) time.Duration {
		start := time.Now()
		for range round {
			if _, err := c.Resolve(ctx, alice); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
	cached := mustChain(b, ChainConfig{Server: "s", Secrets: store})
	asking := mustChain(b, ChainConfig{Server: "s", Secrets: store, SecretTTL: -1})
	var ratios []float64
	for b.Loop() {
		ratios = append(ratios, float64(spend(asking))/float64(spend(cached)))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-asking")
}
