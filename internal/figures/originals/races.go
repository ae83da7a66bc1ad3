package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// acquire: lease and release a warm session, from one goroutine and from sixteen users'.
func acquire(t *figures.Table) {
	l := newLab(nil, mcpgroup.ServerConfig{ProtocolVersion: mcptest.Era2025}, nil)
	defer l.close()
	const users, each = 16, 100_000
	contexts := make([]context.Context, users)
	for i := range contexts {
		contexts[i] = user(i)
		check(l.group.WithSession(contexts[i], touch))
	}
	start := time.Now()
	for range each {
		check(l.group.WithSession(contexts[0], touch))
	}
	sequential := time.Since(start) / each
	start = time.Now()
	var wg sync.WaitGroup
	for _, ctx := range contexts {
		wg.Go(func() {
			for range each {
				check(l.group.WithSession(ctx, touch))
			}
		})
	}
	wg.Wait()
	parallel := time.Since(start) / (users * each)
	row(t, "L", "acquire + release takes < 1 µs", fmt.Sprintf("%v sequential, %v parallel", sequential, parallel),
		sequential < time.Microsecond && parallel < time.Microsecond)
}

// cancelled: a thousand callers give up while their session is being created, at all stages of it.
func cancelled(t *figures.Table) {
	const callers = 1000
	l := newLab(nil, mcpgroup.ServerConfig{Sessions: mcpgroup.SessionLimits{Max: callers}, ProtocolVersion: mcptest.Era2025}, nil)
	l.SetConnectDelay(150 * time.Millisecond)
	before := mcptest.Goroutines()
	var wg sync.WaitGroup
	var gaveUp atomic.Int64
	for i := range callers {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(user(i), rand.N(time.Second))
			defer cancel()
			if l.group.WithSession(ctx, touch) != nil {
				gaveUp.Add(1)
			}
		})
	}
	wg.Wait()
	leaked := func() int { return l.OpenSessions() - l.group.Status().Sessions.Sessions }
	for range 100 {
		if leaked() == 0 && l.group.Status().Sessions.Dialing == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	orphans := leaked()
	check(l.group.Close())
	open := l.OpenSessions()
	l.close()
	goroutines := mcptest.Goroutines() - before
	row(t, "M", fmt.Sprintf("0 sessions leak when up to %d callers give up", callers),
		fmt.Sprintf("%d gave up: %d leaked, %d open after Close, %d goroutines more", gaveUp.Load(), orphans, open, max(goroutines, 0)),
		gaveUp.Load() > 100 && orphans == 0 && open == 0 && goroutines <= 2)
}

// races: five users take their session while everything idle is closed, over and over.
func races(t *figures.Table) {
	unavailable, uses := 0, 0
	var closed atomic.Int64
	m := session.New(session.Config[*atomic.Bool]{
		Dial: func(context.Context, session.ID) (*atomic.Bool, error) { return &atomic.Bool{}, nil },
		Close: func(v *atomic.Bool, _ session.ID, _ session.Reason) {
			v.Store(true)
			closed.Add(1)
		},
	})
	const users, each = 5, 200_000
	stop := make(chan struct{})
	var sweeper, wg sync.WaitGroup
	sweeper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				m.CleanupSessions(0)
			}
		}
	})
	var mu sync.Mutex
	for i := range users {
		wg.Go(func() {
			failed := 0
			id := session.ID{Key: session.Key{User: fmt.Sprint("user-", i)}}
			for range each {
				ref, err := m.Acquire(context.Background(), id)
				if err != nil {
					failed++
					continue
				}
				if ref.Value().Load() { // closed under its user
					failed++
				}
				ref.Release()
			}
			mu.Lock()
			unavailable += failed
			uses += each
			mu.Unlock()
		})
	}
	wg.Wait()
	close(stop)
	sweeper.Wait()
	check(m.Close())

	// The same with real connections, which take longer to make.
	l := newLab(nil, mcpgroup.ServerConfig{ProtocolVersion: mcptest.Era2025}, nil)
	stop = make(chan struct{})
	sweeper.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				l.group.CleanupSessions(context.Background(), 0)
			}
		}
	})
	for i := range users {
		wg.Go(func() {
			failed := 0
			for range 400 {
				if _, err := l.group.Call(user(i), "echo", map[string]any{"text": "x"}); err != nil {
					failed++
				}
			}
			mu.Lock()
			unavailable += failed
			uses += 400
			mu.Unlock()
		})
	}
	wg.Wait()
	close(stop)
	sweeper.Wait()
	l.close()
	row(t, "N", "0 unavailable in 1e6 uses against constant cleanup",
		fmt.Sprintf("%d of %d unavailable, %d sessions closed meanwhile", unavailable, uses, closed.Load()), unavailable == 0)
}
