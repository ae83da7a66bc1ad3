package oauth

import (
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/session"
)

// BenchmarkTokenFor compares a token that is bound to a key with a bearer token, for one request. It reports how many
// microseconds more the proof takes.
func BenchmarkTokenFor(b *testing.B) {
	bound, plain := newBoundWorld(b), newWorld(b)
	with, without := bound.client(), plain.client()
	bound.logIn(with, alice)
	plain.login(without, alice)
	u, err := url.Parse(mcpURL)
	if err != nil {
		b.Fatal(err)
	}
	measure := func(c *Client, proofs bool) time.Duration {
		start := time.Now()
		for range b.N {
			if _, proof, err := c.TokenFor(b.Context(), alice, "POST", u); err != nil || proof.IsZero() == proofs {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
	bearer := measure(without, false)
	b.ResetTimer()
	b.ReportMetric(float64(measure(with, true)-bearer)/float64(b.N)/1000, "µs-more")
}

// BenchmarkToken compares a token of this package with one of x/oauth2 behind a map and a mutex, which is what a host
// would write. It reports how many times faster, with 100 users and all cores.
func BenchmarkToken(b *testing.B) {
	w := newWorld(b)
	c := w.client()
	keys := make([]session.Key, 100)
	var mu sync.Mutex
	sources := make(map[session.Key]oauth2.TokenSource)
	for i := range keys {
		keys[i] = session.Key{Tenant: "acme", User: fmt.Sprintf("user-%d", i)}
		w.login(c, keys[i])
		sources[keys[i]] = oauth2.ReuseTokenSource(&oauth2.Token{AccessToken: "x", Expiry: time.Now().Add(time.Hour)}, nil)
	}
	run := func(get func(session.Key) error) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if err := get(keys[i%len(keys)]); err != nil {
						b.Error(err)
					}
				}
			})
		}
	}
	ours := func(k session.Key) error { _, err := c.Token(b.Context(), k); return err }
	theirs := func(k session.Key) error {
		mu.Lock()
		s := sources[k]
		mu.Unlock()
		_, err := s.Token()
		return err
	}
	b.Run("client", run(ours))
	b.Run("mutex", run(theirs))
	b.Run("ratio", func(b *testing.B) {
		measure := func(f func(*testing.B)) float64 {
			start := time.Now()
			f(b)
			return float64(time.Since(start))
		}
		client := measure(run(ours))
		b.ReportMetric(measure(run(theirs))/client, "x-faster")
	})
}
