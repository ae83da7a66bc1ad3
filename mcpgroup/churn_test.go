package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

// churn is a registry whose servers come, go, fail, hang and panic, and users who do not mind.
type churn struct {
	t    *testing.T
	r    *Registry
	rand *lockedRand
}

// lockedRand is a source of chance for many goroutines.
type lockedRand struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (l *lockedRand) n(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.IntN(n)
}

// one is true once in n times.
func (l *lockedRand) one(n int) bool { return l.n(n) == 0 }

func (c *churn) options(cfg ServerConfig) (*Options, error) {
	switch {
	case c.rand.one(40):
		panic("Options in a mood")
	case c.rand.one(40):
		return nil, errors.New("no options today")
	}
	return &Options{
		NewServer: func(ctx context.Context, _ session.Key) (*mcp.Server, error) {
			switch {
			case c.rand.one(12):
				return nil, errors.New("no server today")
			case c.rand.one(20):
				panic("NewServer in a mood")
			case c.rand.one(15):
				<-ctx.Done()
				return nil, ctx.Err()
			}
			s := local(cfg.Name, "search", "own_"+cfg.Name).Server
			for range c.rand.n(3) {
				time.AfterFunc(time.Duration(c.rand.n(5000))*time.Millisecond, func() {
					describe(s, cfg.Name, fmt.Sprint("later", c.rand.n(4)), fmt.Sprint("version ", c.rand.n(3)))
				})
			}
			return s, nil
		},
		Filter: func(_ context.Context, tools []*Tool) []*Tool {
			if c.rand.one(500) {
				return nil
			}
			return tools
		},
	}, nil
}

func (c *churn) server() ServerConfig {
	return ServerConfig{
		Name: fmt.Sprint("s", c.rand.n(5)), PerUserTools: c.rand.one(3), Required: c.rand.one(10), Disabled: c.rand.one(15),
		CallTimeout: time.Duration(10+c.rand.n(2)) * time.Second, DialTimeout: 20 * time.Second, Shared: false,
	}
}

// context ends at any step, or with the test.
func (c *churn) context(user string) (context.Context, context.CancelFunc) {
	ctx := userContext(user)
	if c.rand.one(3) {
		return context.WithTimeout(ctx, time.Duration(c.rand.n(400))*time.Millisecond)
	}
	return context.WithTimeout(ctx, 30*time.Second)
}

// change changes the servers in some way.
func (c *churn) change(ctx context.Context) {
	defer func() {
		if v := recover(); v != nil && v != "Options in a mood" {
			panic(v)
		}
	}()
	switch c.rand.n(3) {
	case 0:
		cfg := &Config{}
		seen := map[string]bool{}
		for range 1 + c.rand.n(5) {
			if s := c.server(); !seen[s.Name] {
				seen[s.Name] = true
				cfg.Servers = append(cfg.Servers, s)
			}
		}
		_, _ = c.r.Reload(ctx, cfg)
	case 1:
		_ = c.r.Add(ctx, c.server())
	case 2:
		_ = c.r.Remove(ctx, fmt.Sprint("s", c.rand.n(5)))
	}
}

// use lists or selects tools and calls one of them. Whatever happens meanwhile, an answer is the listed tool's.
func (c *churn) use(ctx context.Context, user string) {
	var tools []*Tool
	if c.rand.one(4) {
		if s, err := c.r.Select(ctx, "search later", nil); err == nil {
			tools = s.Tools
		}
	} else if l, err := c.r.List(ctx, Filter{}); err == nil {
		tools = l.Tools
		for server, err := range l.Unavailable {
			if err == nil || server == "" {
				c.t.Errorf("%q is unavailable for %v", server, err)
			}
		}
	}
	if len(tools) == 0 {
		return
	}
	for range c.rand.n(4) {
		tool := tools[c.rand.n(len(tools))]
		time.Sleep(time.Duration(c.rand.n(300)) * time.Millisecond)
		var res *Result
		var err error
		switch c.rand.n(3) {
		case 0:
			res, err = tool.Call(ctx, nil)
		case 1:
			res, err = c.r.Call(ctx, tool.ID(), nil)
		case 2:
			res, err = c.r.Call(ctx, tool.Name, nil)
		}
		var e *Error
		switch {
		case err == nil && !strings.HasPrefix(res.Text(), tool.Server+"/"):
			c.t.Errorf("%s was shown %s of %s, and got an answer of %q", user, tool.Name, tool.Server, res.Text())
		case err != nil && !errors.As(err, &e):
			c.t.Errorf("an error of another type: %v", err)
		}
	}
}

func (c *churn) user(user string) {
	for range 60 {
		time.Sleep(time.Duration(c.rand.n(200)) * time.Millisecond)
		ctx, cancel := c.context(user)
		switch c.rand.n(10) {
		case 0, 1, 2:
			c.change(ctx)
		case 3:
			c.r.Health(ctx, &HealthOptions{Timeout: 100 * time.Millisecond, Attempts: 2})
		case 4:
			_ = c.r.Approve(c.r.Withheld()...)
			_ = c.r.ApproveServer(fmt.Sprint("s", c.rand.n(5)))
		case 5:
			changes, end := c.r.Subscribe()
			select {
			case <-changes:
			case <-ctx.Done():
			}
			end()
		default:
			c.use(ctx, user)
		}
		cancel()
		c.r.Status()
		c.r.Names()
	}
}

// Whatever servers and users do, no call ends at another tool than was shown, nothing hangs, and nothing is left.
func TestServersComeAndGoUnderUsersWhoListAndCall(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &churn{t: t, rand: &lockedRand{r: rand.New(rand.NewPCG(seed, 1))}}
				policy := []CollisionPolicy{CollisionPriority, CollisionPrefix, CollisionError}[seed%3]
				r, err := NewRegistry(&RegistryOptions{
					Options: c.options, Names: &NamePolicy{Collision: policy}, WarmUp: seed%2 == 0, Learn: true,
					Pins: PinOptions{Mode: PinEnforce, TrustNewTools: true}, Results: ResultPolicy{MaxBytes: 4096},
				})
				if err != nil {
					t.Fatal(err)
				}
				c.r = r
				var users sync.WaitGroup
				for i := range 5 {
					users.Go(func() { c.user(fmt.Sprint("user", i)) })
				}
				if seed%2 == 1 { // under its users
					time.Sleep(5 * time.Second)
				} else {
					users.Wait()
				}
				generation := r.Generation()
				if generation == 0 {
					t.Error("nothing has changed")
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				if len(r.Names()) != 0 {
					t.Errorf("a closed registry has the servers %q", r.Names())
				}
				users.Wait()
				time.Sleep(time.Minute) // what is bounded ends
			})
		})
	}
}
