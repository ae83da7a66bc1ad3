package mcpgroup

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/internal/mcphttp"
	"github.com/mcpfleet/mcpfleet/session"
)

// MCPFunctionGroup is one MCP server as seen by all of its users: a client per user, opened when it is first needed and
// closed when it is idle, a list of tools under the names agents see, and calls that survive a lost connection without
// running a tool twice.
//
// The user of every operation is the [session.Key] of its context. A group is safe for concurrent use; it is closed by
// [MCPFunctionGroup.Close].
type MCPFunctionGroup struct {
	cfg    ServerConfig // resolved
	opts   Options
	log    *slog.Logger
	match  *matcher
	client *mcp.Client
	chain  *mcphttp.Chain // nil unless HTTP
	call   CallFunc       // the middleware around invoke

	// What a registry wants to know; nil outside of one.
	listed   func()                    // told of every list that differs from the one before
	notified func(ctx context.Context) // told when lists may have changed, with the context of the connection that says so

	pins *pinner // judges every list; nil unless the registry pins tools

	sessions  *session.Map[*conn]
	catalogue *catalogue
	deadlines deadlines

	revision atomic.Pointer[string] // what the server was last found to speak
	reached  atomic.Bool            // a connect has succeeded before
	closed   atomic.Bool
	done     chan struct{} // closed by Close
	progress sync.Map      // progress token (int64) -> func(context.Context, *mcp.ProgressNotificationParams)

	// mu guards conns and state. Nothing that can block runs while it is held.
	mu    sync.Mutex
	conns map[*conn]struct{} // all that are open, also those the session map no longer hands out
	state syncState
}

// syncState is what the last contact with the server came to.
type syncState struct {
	lastError  error
	lastSync   time.Time
	serverInfo *mcp.Implementation
	revision   string
}

// New makes a group for one server. It connects to nothing: that happens when a user first needs it. It returns a
// [*ConfigError] for a config that cannot work.
func New(cfg ServerConfig, opts *Options) (*MCPFunctionGroup, error) {
	g := &MCPFunctionGroup{conns: map[*conn]struct{}{}, done: make(chan struct{})}
	if opts != nil {
		g.opts = *opts
	}
	var err error
	if g.cfg, err = cfg.resolved(&g.opts); err != nil {
		return nil, err
	}
	g.log = quietLogger(g.opts.Logger)
	if g.match, err = newMatcher(g.cfg.Include, g.cfg.Exclude); err != nil {
		return nil, &ConfigError{Server: cfg.Name, Field: "Include, Exclude", Reason: err.Error()}
	}
	if g.cfg.Transport == TransportStreamableHTTP || g.cfg.Transport == TransportSSE {
		if g.chain, err = g.newChain(); err != nil {
			return nil, &ConfigError{Server: cfg.Name, Field: "URL, Headers", Reason: err.Error()}
		}
	}
	g.client = g.newClient()
	g.catalogue = &catalogue{g: g, lists: map[session.ID]*tracker{}, known: map[[sha256.Size]byte]weak.Pointer[toolList]{}}
	g.call = g.invoke
	for _, m := range slices.Backward(g.opts.Middleware) {
		g.call = m(g.call)
	}
	limits := g.cfg.Sessions
	onLimit := session.LimitFail
	if limits.Wait {
		onLimit = session.LimitWait
	}
	g.sessions = session.New(session.Config[*conn]{
		Dial: func(ctx context.Context, id session.ID) (*conn, error) {
			ctx, cancel := g.patient(ctx)
			defer cancel()
			c, err := g.dial(ctx, id)
			if err != nil {
				err = &redactedError{err} // it is logged, and kept for Status
				g.noteSync(err)
				var credential *CredentialError
				if errors.As(err, &credential) { // the next caller may bring one
					err = session.NoBackoff(err)
				}
				return nil, err
			}
			g.opened(c)
			return c, nil
		},
		Close: func(c *conn, id session.ID, reason session.Reason) {
			g.mu.Lock()
			delete(g.conns, c)
			last := len(g.conns) == 0
			g.mu.Unlock()
			g.catalogue.deaf(id, last)
			if reason != session.ReasonKilled { // whose user is about to come back
				g.catalogue.forget(id)
			}
			c.close()
		},
		MaxSessions: limits.Max, MaxPerUser: limits.MaxPerUser, OnLimit: onLimit,
		IdleTimeout: limits.IdleTimeout, MaxLifetime: limits.MaxLifetime, DialTimeout: g.cfg.DialTimeout,
		Logger: g.log,
	})
	return g, nil
}

// opened notes a new connection.
func (g *MCPFunctionGroup) opened(c *conn) {
	g.reached.Store(true)
	init := c.cs.InitializeResult()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[c] = struct{}{}
	g.state.lastError = nil
	g.state.serverInfo, g.state.revision = init.ServerInfo, init.ProtocolVersion
	if g.closed.Load() { // Close has not seen c
		c.interrupt()
	}
}

func (g *MCPFunctionGroup) noteSync(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state.lastError = forOthers(err)
	if err == nil {
		g.state.lastSync = time.Now()
	}
}

// forOthers returns err without what is for the eyes of one user: a status is shown to others.
func forOthers(err error) error {
	var required *auth.AuthRequiredError
	if !errors.As(err, &required) {
		return err
	}
	shown := error(&CredentialError{Err: &auth.AuthRequiredError{Server: required.Server, User: required.User}})
	var e *Error
	if errors.As(err, &e) {
		shown = &Error{Op: e.Op, Server: e.Server, Tool: e.Tool, Outcome: e.Outcome, Err: shown}
	}
	return shown
}

// Name returns the server's name.
func (g *MCPFunctionGroup) Name() string { return g.cfg.Name }

// Tools returns the tools that the user of ctx may see, sorted by name. The slice is the caller's; the tools are shared
// and immutable. While the server cannot be reached the last known tools are returned.
func (g *MCPFunctionGroup) Tools(ctx context.Context, opts ...ListOption) ([]*Tool, error) {
	o := listOptions{filter: g.opts.Filter}
	for _, opt := range opts {
		opt.applyList(&o)
	}
	l, err := g.list(ctx, o.refresh)
	if err != nil {
		return nil, err
	}
	tools := slices.Clone(l.tools)
	if o.filter != nil {
		tools = o.filter(ctx, tools)
	}
	return tools, nil
}

func (g *MCPFunctionGroup) list(ctx context.Context, refresh bool) (*toolList, error) {
	id, err := g.listID(ctx)
	if err != nil {
		return nil, &Error{Op: "list tools", Server: g.cfg.Name, Outcome: NotSent, Err: err}
	}
	return g.catalogue.get(ctx, id, refresh)
}

// peek returns the tools that are known for the user of ctx, or nil, and whether they are good enough for now. It waits
// for nothing.
func (g *MCPFunctionGroup) peek(ctx context.Context) (t *tracker, l *toolList, good bool, err error) {
	id, err := g.listID(ctx)
	if err != nil {
		return nil, nil, false, &Error{Op: "list tools", Server: g.cfg.Name, Outcome: NotSent, Err: err}
	}
	t, l, good = g.catalogue.peek(ctx, id)
	return t, l, good, nil
}

// lookup finds a tool by exposed name. One that the group's filter hides from ctx is as one that does not exist. A known
// list answers whatever its age; a name it does not have is looked for in a fresh one.
func (g *MCPFunctionGroup) lookup(ctx context.Context, name string) (*Tool, error) {
	find := func(l *toolList) *Tool {
		if t := l.byName[name]; t != nil && g.visible(ctx, t) {
			return t
		}
		return nil
	}
	id, err := g.listID(ctx)
	if err == nil {
		if l := g.catalogue.tracker(id).current.Load(); l != nil {
			if t := find(l.toolList); t != nil {
				return t, nil
			}
		}
		var l *toolList
		if l, err = g.catalogue.get(ctx, id, false); err == nil {
			if t := find(l); t != nil {
				return t, nil
			}
			err = ErrToolNotFound
		}
	}
	var e *Error
	if errors.As(err, &e) {
		return nil, err
	}
	return nil, &Error{Op: "call", Server: g.cfg.Name, Tool: cleanText(name, 128), Outcome: NotSent, Err: err}
}

// visible reports whether the group's filter lets ctx see t.
func (g *MCPFunctionGroup) visible(ctx context.Context, t *Tool) bool {
	if g.opts.Filter == nil {
		return true
	}
	if t.base != nil {
		t = t.base
	}
	return len(g.opts.Filter(ctx, []*Tool{t})) > 0
}

// CleanupSessions closes the sessions that nobody uses and nobody used for maxAge (0: all unused ones) and returns how
// many. It does not wait for them to be closed.
func (g *MCPFunctionGroup) CleanupSessions(_ context.Context, maxAge time.Duration) int {
	return g.sessions.CleanupSessions(maxAge)
}

// CloseSessions closes the sessions of the keys that match, for example of a user who logged out: unused ones at once,
// used ones when their last call is done. It returns how many matched.
func (g *MCPFunctionGroup) CloseSessions(match func(session.Key) bool) int {
	return g.sessions.Retire(func(id session.ID) bool { return match(id.Key) })
}

// drainBound is how long Close waits for connections to end, after all calls were cancelled.
const drainBound = 10 * time.Second

// Close cancels every running call and closes every session. It returns when all are closed, or after a bound of 10 s
// with an error that says how many are not. It may be called more than once.
func (g *MCPFunctionGroup) Close() error {
	if g.closed.CompareAndSwap(false, true) {
		close(g.done)
	}
	g.mu.Lock()
	open := slices.Collect(maps.Keys(g.conns))
	g.mu.Unlock()
	for _, c := range open {
		c.interrupt()
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainBound)
	defer cancel()
	err := g.sessions.Drain(ctx)
	if g.chain != nil {
		g.chain.CloseIdleConnections()
	}
	return err
}
