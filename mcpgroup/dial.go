package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/internal/lines"
	"github.com/mcpfleet/mcpfleet/internal/mcphttp"
	"github.com/mcpfleet/mcpfleet/internal/stdio"
	"github.com/mcpfleet/mcpfleet/session"
)

// revisionLegacy is the newest MCP revision that opens with initialize; later ones have no protocol session.
const revisionLegacy = "2025-11-25"

// dial opens one connection: it is the session map's Dial.
//
// The first connect to a server asks for the newest revision, which costs a legacy server one refused request
// (server/discover). The revision that came of it is remembered and asked for at once by later connects. Some legacy
// servers do not survive the question: stdio servers that exit, and servers that never answer. They are asked again, a
// stdio server as a new process, in the newest legacy revision.
func (g *MCPFunctionGroup) dial(ctx context.Context, id session.ID) (*conn, error) {
	if !g.cfg.Shared {
		if err := id.Key.Validate(); err != nil {
			return nil, err
		}
	}
	if g.cfg.ProtocolVersion != "" || g.cfg.Transport == TransportSSE {
		revision := g.cfg.ProtocolVersion
		if revision == "" {
			revision = revisionLegacy // the transport of 2024-11-05 knows nothing newer
		}
		return g.open(ctx, id, revision)
	}
	if p := g.revision.Load(); p != nil {
		c, err := g.open(ctx, id, *p)
		if err == nil || ctx.Err() != nil || unreachable(err) {
			return c, err
		}
		// The server may have been replaced by one that speaks another revision.
		g.revision.CompareAndSwap(p, nil)
		g.log.Info("mcpgroup: connecting in the remembered revision failed; negotiating anew", "revision", *p, "error", redact(err))
	}

	probe, cancel := probeContext(ctx)
	defer cancel()
	c, err := g.open(probe, id, "")
	if err == nil {
		if c.doubtful {
			return c, nil
		}
		revision := c.cs.InitializeResult().ProtocolVersion
		g.revision.Store(&revision)
		return c, nil
	}
	var setup *setupError
	hung := errors.Is(probe.Err(), context.DeadlineExceeded)
	if ctx.Err() != nil || errors.As(err, &setup) || !hung && g.cfg.Transport != TransportStdio {
		return nil, err
	}
	c, legacyErr := g.open(ctx, id, revisionLegacy)
	if legacyErr != nil {
		return nil, err
	}
	revision := c.cs.InitializeResult().ProtocolVersion
	g.revision.Store(&revision)
	return c, nil
}

// abandonGrace is how long a connect goes on that nobody waits for any more.
const abandonGrace = 2 * time.Second

// patient returns a context for a connect that outlives its callers by abandonGrace. A connect that is cut short leaves
// a session on the server that nobody can end, if its id was on the way; one that is allowed to finish is closed in
// order. The time limit of ctx and the end of the group hold at once.
func (g *MCPFunctionGroup) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	patient, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if g.closed.Load() || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel(context.Cause(ctx))
			return
		}
		select {
		case <-time.After(abandonGrace):
		case <-g.done:
		case <-patient.Done():
		}
		cancel(context.Cause(ctx))
	})
	if deadline, ok := ctx.Deadline(); ok {
		timed, end := context.WithDeadline(patient, deadline)
		return timed, func() { stop(); end(); cancel(context.Canceled) }
	}
	return patient, func() { stop(); cancel(context.Canceled) }
}

// setupError is an error from before the first message: another revision would not help.
type setupError struct{ error }

func (e *setupError) Unwrap() error { return e.error }

// probeContext gives the first connect half of the time that is left, so that a server that never answers an unknown
// request can still be asked in its own revision.
func probeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if d, ok := ctx.Deadline(); ok {
		return context.WithTimeout(ctx, time.Until(d)/2)
	}
	return context.WithCancel(ctx)
}

// open connects once, asking for revision, or for the newest if it is empty.
func (g *MCPFunctionGroup) open(ctx context.Context, id session.ID, revision string) (_ *conn, err error) {
	c := &conn{id: id}
	c.life, c.end = newLifetime(ctx, id.Key, g.cfg.Shared)
	dial := c.life.dialling.Load()
	// Giving the dial up ends the connection, however far it got.
	stop := context.AfterFunc(ctx, c.end)
	defer func() {
		if err == nil {
			return
		}
		stop()
		if e := dial.credential.Load(); e != nil {
			err = *e // the cause, whatever the SDK made of it
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		if c.proc != nil {
			c.proc.Close()
			if exit := c.proc.Err(); exit != nil {
				err = fmt.Errorf("%w: %w", err, exit)
			}
			if junk := c.proc.Junk(); len(junk) > 0 {
				err = fmt.Errorf("%w; it wrote to stdout what is not JSON: %q", err, junk[0])
			}
			if tail := c.proc.StderrTail(); tail != "" {
				err = &UnavailableError{Stderr: tail, Err: err}
			}
		}
		if c.pipe != nil {
			c.pipe.Close()
		}
		c.end()
	}()

	t, err := g.transport(ctx, c)
	if err != nil {
		return nil, &setupError{err}
	}
	c.cs, err = g.client.Connect(c.life, t, &mcp.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		return nil, err
	}
	if !stop() { // the dial was given up while the last answer came in
		go c.cs.Close()
		return nil, errors.New("connected too late")
	}
	c.life.dialling.Store(nil)
	c.doubtful = unreachable(dial.exchange.Err())
	if dial.credential.Load() != nil {
		go c.cs.Close()
		return nil, errors.New("connected without a credential")
	}
	if g.cfg.Shared && g.protocolSession(c) {
		go c.cs.Close()
		return nil, &ConfigError{Server: g.cfg.Name, Field: "Shared",
			Reason: fmt.Sprintf("the server keeps a protocol session (MCP %s): sharing one client would mix users; unset Shared", c.cs.InitializeResult().ProtocolVersion)}
	}
	return c, nil
}

// protocolSession reports whether the server keeps state between c's requests (MCP 2026-07-28, basic: it has none).
func (g *MCPFunctionGroup) protocolSession(c *conn) bool {
	if c.stateless() {
		return false
	}
	return g.chain == nil || g.cfg.Transport == TransportSSE || c.cs.ID() != ""
}

// stateless reports whether c speaks a revision without protocol sessions.
func (c *conn) stateless() bool {
	return mcphttp.Stateless(c.cs.InitializeResult().ProtocolVersion)
}

// transport makes the SDK's transport for c, and starts the server where it is ours to start.
func (g *MCPFunctionGroup) transport(ctx context.Context, c *conn) (mcp.Transport, error) {
	switch g.cfg.Transport {
	case TransportStdio:
		env, err := g.environment(ctx, c.id.Key)
		if err != nil {
			return nil, err
		}
		proc, err := stdio.Start(stdio.Config{
			Command: g.cfg.Command, Args: g.cfg.Args, Dir: g.cfg.Dir, Env: env,
			MaxLine: int(g.cfg.MaxResponseBytes), Logger: g.log,
		})
		if err != nil {
			return nil, err
		}
		c.proc = proc
		c.pipe = &pipe{r: proc.Stdout(), w: proc.Stdin()}
		return g.observed(lines.Transport{Stream: c.pipe}), nil

	case TransportInMemory:
		server := g.cfg.Server
		if g.opts.NewServer != nil {
			var err error
			if server, err = g.opts.NewServer(ctx, c.id.Key); err != nil {
				return nil, fmt.Errorf("making the server: %w", err)
			}
			if server == nil {
				return nil, errors.New("making the server: Options.NewServer returned nil")
			}
		}
		if g.opts.Auth != nil && !g.cfg.Shared { // or requests of other principals would be under way too
			c.lends, c.life.lend = g.cfg.Name, c.lend
		}
		var far mcp.Transport
		c.pipe, far = inMemory()
		// The server's session ends when the pipe is closed.
		if _, err := server.Connect(c.life, far, nil); err != nil {
			return nil, err
		}
		return g.observed(lines.Transport{Stream: c.pipe}), nil

	case TransportSSE:
		return g.observed(&mcp.SSEClientTransport{Endpoint: g.cfg.URL, HTTPClient: g.chain.Client(), MaxEventSize: g.chain.MaxEvent()}), nil

	default:
		c.http = &mcphttp.Transport{Chain: g.chain, RoundTripper: &identified{g.chain.RoundTripper(), c.life}, Listen: g.streams()}
		return g.observed(c.http), nil
	}
}

// observed returns t so that lists can be seen as they come over the wire, if they are pinned.
func (g *MCPFunctionGroup) observed(t mcp.Transport) mcp.Transport {
	if g.pins == nil {
		return t
	}
	return wireTransport{t}
}

// identified sends the requests of a connection. Streams outlive the calls that open them, so their contexts name no user;
// they get what the connection has kept, which on a shared one is nobody.
type identified struct {
	next http.RoundTripper
	life *lifetime
}

func (t *identified) RoundTrip(r *http.Request) (*http.Response, error) {
	if !hasUser(r.Context()) {
		ctx := r.Context()
		if key, ok := session.FromContext(t.life.Context); ok {
			ctx = session.NewContext(ctx, key)
		}
		r = r.WithContext(auth.Detach(t.life.kept, ctx))
	}
	return t.next.RoundTrip(r)
}

// unreachable reports whether err says nothing about the protocol: the server was not there, or refused the credential.
func unreachable(err error) bool {
	var h *mcphttp.HTTPError
	if errors.As(err, &h) {
		return h.StatusCode == http.StatusUnauthorized || h.StatusCode == http.StatusForbidden ||
			h.StatusCode == http.StatusTooManyRequests || h.StatusCode >= 500
	}
	return neverConnected(err)
}

// newClient makes the SDK client that all sessions of the group share.
func (g *MCPFunctionGroup) newClient() *mcp.Client {
	info := g.opts.ClientInfo
	if info == nil {
		info = &mcp.Implementation{Name: "mcpfleet", Version: version()}
	}
	caps := g.opts.Capabilities
	if caps == nil {
		caps = &mcp.ClientCapabilities{} // nil would offer roots
	}
	h := &g.opts.Handlers
	o := &mcp.ClientOptions{
		Capabilities: caps,
		// Without a handler the request for input goes to the caller instead of failing the call.
		MultiRoundTrip:              &mcp.MultiRoundTripOptions{Disabled: h.Elicit == nil && h.Sample == nil},
		ProgressNotificationHandler: g.onProgress,
	}
	if g.log.Enabled(context.Background(), -4) {
		o.Logger = g.log
	}
	if h.Elicit != nil {
		o.ElicitationHandler = g.onElicit
	}
	if h.Sample != nil {
		o.CreateMessageWithToolsHandler = g.onSample
	}
	if h.Log != nil {
		o.LoggingMessageHandler = g.onLog
	}
	// On HTTP a handler for changes makes a 2026-07-28 session open a stream of its own.
	if g.chain == nil || g.streams() {
		o.ToolListChangedHandler = g.onToolsChanged
		if h.ResourceUpdated != nil {
			o.ResourceUpdatedHandler = g.onResourceUpdated
		}
	}
	c := mcp.NewClient(info, o)
	c.AddSendingMiddleware(captureLists)
	c.AddReceivingMiddleware(g.recoverHandler)
	return c
}
