package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// callbackBug is what callbacks panic with.
const callbackBug = "callback bug"

// callbackResult is what became of one callback that did not return.
type callbackResult struct {
	Fired  bool          // the callback was called at all
	Told   bool          // the caller, or the log, was told
	Next   time.Duration // from its end to the next good call of the same user
	Leased int           // sessions still leased
}

// callbackCases are the callbacks of [mcpgroup.Options] and of the options of single operations. "cold" ones fail while
// the user's session is opened, "warm" ones on an open session.
var callbackCases = []string{
	"Headers cold", "Headers warm", "HTTPTransport cold", "HTTPTransport warm", "Fingerprint cold", "Fingerprint warm",
	"Filter warm", "Middleware cold", "Middleware warm", "Logger cold", "Logger warm", "WithFilter warm",
	"Env cold", "NewServer cold",
	"Elicit warm", "Sample warm", "Progress warm", "Log warm", "ResourceUpdated warm", "WithProgress warm",
}

// callbacks lets each callback panic and call runtime.Goexit, each in a process of its own: one that is not contained
// ends it.
func callbacks(t *figures.Table) {
	for _, how := range []string{"panic", "Goexit"} {
		var mu sync.Mutex
		var crashed, untold, slow, leased []string
		var slowest time.Duration
		slots := make(chan struct{}, 2)
		var wg sync.WaitGroup
		for _, name := range callbackCases {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				var r callbackResult
				stderr, crash := ask("callback", append(strings.Fields(name), how), &r)
				// A logger that fails can be told of nowhere else.
				r.Told = r.Told || strings.Contains(stderr, callbackBug) || strings.Contains(stderr, "Goexit")
				mu.Lock()
				defer mu.Unlock()
				switch {
				case crash != "":
					crashed = append(crashed, name+" ("+crash+")")
					return
				case !r.Fired:
					crashed = append(crashed, name+" (it was not called)")
					return
				}
				if !r.Told {
					untold = append(untold, name)
				}
				if r.Next > time.Second {
					slow = append(slow, name)
				}
				if r.Leased != 0 {
					leased = append(leased, name)
				}
				slowest = max(slowest, r.Next)
			})
		}
		wg.Wait()
		n := len(callbackCases)
		t.Row(fmt.Sprintf("R11: %s in a callback: the next call works within 1 s", how),
			fmt.Sprintf("%d of %d, at most %s", n-len(crashed)-len(slow), n, millis(slowest)), len(crashed)+len(slow) == 0)
		t.Row(fmt.Sprintf("R11: %s in a callback: it is told, and nothing stays leased", how),
			fmt.Sprintf("%d told, %d leased", n-len(crashed)-len(untold), len(leased)), len(crashed)+len(untold)+len(leased) == 0)
		for _, fault := range []struct {
			what  string
			names []string
		}{{"was not contained", crashed}, {"told nobody", untold}, {"held up the next call", slow}, {"left a lease", leased}} {
			if len(fault.names) > 0 {
				slices.Sort(fault.names)
				t.Note("R11: %s %s: %s", how, fault.what, strings.Join(fault.names, ", "))
			}
		}
	}
}

// trap is a callback's bug: it strikes once, in one place.
type trap struct {
	where string
	bug   func()
	armed atomic.Bool
	fired atomic.Bool
}

func (t *trap) pass(where string) {
	if where == t.where && t.armed.CompareAndSwap(true, false) {
		t.fired.Store(true)
		t.bug()
	}
}

// trapHandler is a log handler that keeps what it is given, and has a trap in it.
type trapHandler struct {
	slog.Handler
	trap *trap
}

func (h trapHandler) Handle(ctx context.Context, r slog.Record) error {
	h.trap.pass("Logger")
	return h.Handler.Handle(ctx, r)
}

func (h trapHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return trapHandler{h.Handler.WithAttrs(attrs), h.trap}
}

func (h trapHandler) WithGroup(name string) slog.Handler {
	return trapHandler{h.Handler.WithGroup(name), h.trap}
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// callbackRole runs one case: args are the callback, "cold" or "warm", and "panic" or "Goexit".
func callbackRole(args []string) {
	where, warm, how := args[0], args[1] == "warm", args[2]
	tr := &trap{where: where, bug: runtime.Goexit}
	if how == "panic" {
		tr.bug = func() { panic(callbackBug) }
	}
	logged := &logBuffer{}
	logger := slog.New(trapHandler{slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}), tr})
	g, provoke, end := trapped(tr, logger)
	ctx := user(1)
	if warm {
		check(provoke(ctx))
	}
	tr.armed.Store(true)
	told := make(chan bool, 1)
	go func() {
		normal := false
		defer func() {
			// A panic, or the end of the goroutine, that reaches the caller is told.
			told <- recover() != nil || !normal
		}()
		err := provoke(ctx)
		normal = err == nil
	}()
	var r callbackResult
	select {
	case r.Told = <-told:
	case <-time.After(10 * time.Second):
		log.Fatal("the call hung")
	}
	r.Fired = eventually(2*time.Second, tr.fired.Load)
	start := time.Now()
	for provoke(ctx) != nil && time.Since(start) < 5*time.Second {
		time.Sleep(5 * time.Millisecond)
	}
	r.Next = time.Since(start)
	eventually(time.Second, func() bool { return g.Status().Sessions.Leased == 0 })
	r.Leased = g.Status().Sessions.Leased
	text := logged.String()
	r.Told = r.Told || strings.Contains(text, callbackBug) || strings.Contains(text, "Goexit")
	check(g.Close())
	end()
	answer(r)
}

// trapped returns a group with tr in all of its callbacks, and what makes the group call the one it is about.
func trapped(tr *trap, logger *slog.Logger) (g *mcpgroup.MCPFunctionGroup, provoke func(context.Context) error, end func()) {
	opts := &mcpgroup.Options{
		Logger:      logger,
		Fingerprint: func(context.Context, session.Key) (string, error) { tr.pass("Fingerprint"); return "", nil },
		Filter: func(_ context.Context, tools []*mcpgroup.Tool) []*mcpgroup.Tool {
			tr.pass("Filter")
			return tools
		},
		Middleware: []func(mcpgroup.CallFunc) mcpgroup.CallFunc{func(next mcpgroup.CallFunc) mcpgroup.CallFunc {
			return func(ctx context.Context, req *mcpgroup.CallRequest) (*mcpgroup.Result, error) {
				tr.pass("Middleware")
				return next(ctx, req)
			}
		}},
	}
	provoke = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		return echo(ctx, g)
	}
	end = func() {}
	switch tr.where {
	case "Env":
		opts.Env = func(context.Context, session.Key) (map[string]string, error) { tr.pass("Env"); return nil, nil }
		g = newGroup(child("honest", nil), opts)
	case "NewServer", "Elicit", "Sample", "Progress", "Log", "ResourceUpdated", "WithProgress":
		inProcess(tr, opts)
		g = newGroup(mcpgroup.ServerConfig{ProtocolVersion: mcptest.Era2025}, opts)
		provoke = func(ctx context.Context) error { return provokeHandlers(ctx, g, tr) }
	default:
		opts.Headers = func(context.Context, session.Key) (http.Header, error) { tr.pass("Headers"); return nil, nil }
		opts.HTTPTransport = roundTripFunc(func(r *http.Request) (*http.Response, error) {
			tr.pass("HTTPTransport")
			return http.DefaultTransport.RoundTrip(r)
		})
		l := newLab(mcptest.NewRaw(nil), mcpgroup.ServerConfig{}, opts)
		g, end = l.group, func() { l.host.Close() }
		switch tr.where {
		case "WithFilter":
			provoke = func(ctx context.Context) error {
				_, err := g.Tools(ctx, mcpgroup.WithFilter(func(_ context.Context, tools []*mcpgroup.Tool) []*mcpgroup.Tool {
					tr.pass("WithFilter")
					return tools
				}))
				return err
			}
		case "Logger": // the group logs when a session opens
			warm := provoke
			provoke = func(ctx context.Context) error {
				g.CleanupSessions(ctx, 0)
				return warm(ctx)
			}
		}
	}
	return g, provoke, end
}

// inProcess gives opts a server that asks, tells and logs, and handlers for all of it.
func inProcess(tr *trap, opts *mcpgroup.Options) {
	opts.NewServer = func(context.Context, session.Key) (*mcp.Server, error) {
		tr.pass("NewServer")
		return talkingServer(), nil
	}
	opts.Handlers = mcpgroup.Handlers{
		Elicit: func(context.Context, session.Key, *mcp.ElicitParams) (*mcp.ElicitResult, error) {
			tr.pass("Elicit")
			return &mcp.ElicitResult{Action: "decline"}, nil
		},
		Sample: func(context.Context, session.Key, *mcp.CreateMessageWithToolsParams) (*mcp.CreateMessageWithToolsResult, error) {
			tr.pass("Sample")
			return &mcp.CreateMessageWithToolsResult{Role: "assistant", Model: "m", Content: []mcp.Content{&mcp.TextContent{Text: "hm"}}}, nil
		},
		Progress:        func(context.Context, session.Key, *mcp.ProgressNotificationParams) { tr.pass("Progress") },
		Log:             func(context.Context, session.Key, *mcp.LoggingMessageParams) { tr.pass("Log") },
		ResourceUpdated: func(context.Context, session.Key, *mcp.ResourceUpdatedNotificationParams) { tr.pass("ResourceUpdated") },
	}
}

// talkingServer has a tool that makes use of every handler of its client.
func talkingServer() *mcp.Server {
	const uri = "test://r"
	s := mcp.NewServer(&mcp.Implementation{Name: "talking", Version: "1"}, &mcp.ServerOptions{
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	})
	s.AddResource(&mcp.Resource{Name: "r", URI: uri}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: uri, Text: "r"}}}, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "talk"}, func(ctx context.Context, req *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		_, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: "?", RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}}})
		if err != nil {
			return nil, nil, err
		}
		_, err = req.Session.CreateMessage(ctx, &mcp.CreateMessageParams{MaxTokens: 10,
			Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "hm"}}}})
		if err != nil {
			return nil, nil, err
		}
		token := req.Params.GetProgressToken()
		if token == nil {
			token = 1e15 // nobody asked: it is for the group's handler
		}
		if err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token, Progress: 1}); err != nil {
			return nil, nil, err
		}
		if err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: "done"}); err != nil {
			return nil, nil, err
		}
		if err := s.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: uri}); err != nil {
			return nil, nil, err
		}
		return &mcp.CallToolResult{Content: []mcp.Content{}}, nil, nil
	})
	return s
}

func provokeHandlers(ctx context.Context, g *mcpgroup.MCPFunctionGroup, tr *trap) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	err := g.WithSession(ctx, func(cs *mcp.ClientSession) error {
		if err := cs.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: "debug"}); err != nil {
			return err
		}
		return cs.Subscribe(ctx, &mcp.SubscribeParams{URI: "test://r"})
	})
	if err != nil {
		return err
	}
	var options []mcpgroup.CallOption
	if tr.where == "WithProgress" {
		options = append(options, mcpgroup.WithProgress(func(context.Context, *mcp.ProgressNotificationParams) { tr.pass("WithProgress") }))
	}
	res, err := g.Call(ctx, "talk", nil, options...)
	if err != nil {
		return err
	}
	return res.Err()
}
