package oauth

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/session"
	"golang.org/x/oauth2"
)

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
