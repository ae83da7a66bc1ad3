// The program session measures the session map: what a warm session costs next to a plain map, and whether anything is lost when
// many callers come, give up and are swept at the same time.
package main

import (
	"context"
	"log"
	"sync/atomic"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/session"
)

func main() {
	log.SetFlags(0)
	t := figures.New("session")
	allocations(t)
	ratios(t)
	oneDial(t)
	cancelled(t)
	cleanup(t)
	suite(t)
	t.Exit()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// A client is a session that knows whether it has been closed.
type client struct {
	closed atomic.Bool
}

// counts is what happened to the clients of one map.
type counts struct {
	opened, closed, twice atomic.Int64
}

// newMap returns a map of clients that are opened by dial, or at once if it is nil.
func newMap(c *counts, dial func(context.Context) error) *session.Map[*client] {
	return session.New(session.Config[*client]{
		MaxSessions: -1,
		Dial: func(ctx context.Context, _ session.ID) (*client, error) {
			if dial != nil {
				if err := dial(ctx); err != nil {
					return nil, err
				}
			}
			c.opened.Add(1)
			return new(client), nil
		},
		Close: func(v *client, _ session.ID, _ session.Reason) {
			if v.closed.Swap(true) {
				c.twice.Add(1)
			}
			c.closed.Add(1)
		},
	})
}

func idOf(user string) session.ID {
	return session.ID{Key: session.Key{Tenant: "acme", User: user}, Fingerprint: "0123456789abcdef0123456789abcdef"}
}
