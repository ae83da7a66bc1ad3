package session

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A twin is the least that a keyed pool of counted values can do: it neither opens nor closes anything.
type twin struct {
	mu      sync.RWMutex
	entries map[ID]*twinEntry
}

type twinEntry struct {
	refs  atomic.Int64
	value *conn
}

func (t *twin) acquire(id ID) *twinEntry {
	t.mu.RLock()
	e := t.entries[id]
	if e != nil {
		e.refs.Add(1)
	}
	t.mu.RUnlock()
	return e
}

func (e *twinEntry) release() { e.refs.Add(-1) }

// BenchmarkAcquireAgainstTwin takes and returns sessions of a Map and of a twin by turns, and reports the median of the ratios of
// both times. Neighbours on the same machine slow both down.
func BenchmarkAcquireAgainstTwin(b *testing.B) {
	const round = 20_000
	for _, sessions := range []int{10, 10_000} {
		for _, goroutines := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("sessions=%d/goroutines=%d", sessions, goroutines), func(b *testing.B) {
				w := newWorld(b, Config[*conn]{MaxSessions: -1, Close: func(*conn, ID, Reason) {}})
				tw := &twin{entries: make(map[ID]*twinEntry)}
				ids := make([]ID, sessions)
				for i := range ids {
					ids[i] = of(numbered(i))
					w.use(numbered(i))
					tw.entries[ids[i]] = &twinEntry{value: new(conn)}
				}
				spread := func(f func(ids []ID, from, n int)) time.Duration {
					var wg sync.WaitGroup
					start := time.Now()
					for g := range goroutines {
						wg.Go(func() { f(ids, g*7919, round/goroutines) })
					}
					wg.Wait()
					return time.Since(start)
				}
				ctx := context.Background()
				var ratios []float64
				var total time.Duration
				for b.Loop() {
					mine := spread(func(ids []ID, from, n int) {
						for i := range n {
							r, err := w.m.Acquire(ctx, ids[(from+i)%len(ids)])
							if err != nil {
								b.Error(err)
								return
							}
							r.Release()
						}
					})
					twins := spread(func(ids []ID, from, n int) {
						for i := range n {
							tw.acquire(ids[(from+i)%len(ids)]).release()
						}
					})
					total += mine
					ratios = append(ratios, float64(mine)/float64(twins))
				}
				slices.Sort(ratios)
				b.ReportMetric(ratios[len(ratios)/2], "x-twin")
				b.ReportMetric(float64(total.Nanoseconds())/float64(len(ratios)*round), "ns/acquire")
			})
		}
	}
}

// BenchmarkEvict opens a session at the limit, where another has to go for it.
func BenchmarkEvict(b *testing.B) {
	for _, limit := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("sessions=%d", limit), func(b *testing.B) {
			w := newWorld(b, Config[*conn]{MaxSessions: limit, Close: func(*conn, ID, Reason) {}})
			for i := range limit {
				w.use(numbered(i))
			}
			n := limit
			for b.Loop() {
				n++
				w.use(numbered(n))
			}
		})
	}
}
