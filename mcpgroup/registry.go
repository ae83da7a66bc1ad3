package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/session"
)

// Registry is many MCP servers as one: their tools are listed together, called by id ("github.create_issue") or by name,
// and configured together. Servers connect when somebody first needs them. A registry is safe for concurrent use; it is
// closed by [Registry.Close].
//
// What a user may see of it is for [Registry.ForAgent] to narrow.
type Registry struct {
	opts RegistryOptions
	log  *slog.Logger

	fleet  atomic.Pointer[fleet]  // replaced as a whole, under change and mu
	change chan struct{}          // held by whoever changes the fleet: a change can take as long as a connect
	holder atomic.Pointer[holder] // of change; nil while nobody holds it
	closed atomic.Bool
	down   chan struct{}   // closed when Close has ended
	life   context.Context // ends with Close
	end    context.CancelFunc

	mu    sync.Mutex     // guards that nothing is added to tasks once they are waited for, and no fleet comes after the last
	ended bool           // tasks are waited for
	tasks sync.WaitGroup // changes, retries, listings in the background, and members on their way out

	subscribers subscribers
	names       lastNames

	index   *index
	pins    *pinner // nil unless RegistryOptions.Pins is on
	results *ResultStore
	service *member // the registry's own tools; nil if it has none
}

// fleet is one configuration of a registry. It is immutable but for its views, which are gone with it: they hold servers
// and their tools.
type fleet struct {
	members []*member // in the order of the configuration, which is the order of precedence
	byName  map[string]*member
	views   views
}

// RegistryOptions are the parts of a registry that are code. nil selects all defaults; the struct is copied.
type RegistryOptions struct {
	// Logger receives what happens in the background. nil is silent.
	Logger *slog.Logger

	// Options gives the code parts of a server's group. The default is none. Where it sets no Logger the registry's is
	// used, and where it sets no Auth the one that follows from Secrets and OAuth. It may close the registry, but neither it
	// nor OAuth may change the servers of the registry, whose change waits for it: that would wait until its context ends.
	Options func(ServerConfig) (*Options, error)
	// Secrets has the credentials that are referred to by id: of servers ([ServerConfig.Credential]), of agents and of
	// requests.
	Secrets auth.SecretStore
	// OAuth makes the token provider of a server that has [ServerConfig.OAuth], for example with package auth/oauth.
	OAuth func(ServerConfig) (auth.TokenProvider, error)

	// Names decides the names of tools in [Registry.List] and [Registry.Tools], where those of several servers meet. Its
	// default here is [CollisionPrefix]. Ids do not depend on it.
	Names *NamePolicy

	// Pins says what to do about tools that change after they were first seen. The default is nothing.
	Pins PinOptions
	// Results bounds how much of a result reaches the model. What is left out can be read with the tool that it names,
	// which then is among the registry's tools, and with [Registry.ReadResult]. The default is no bound.
	Results ResultPolicy
	// ResultStore bounds what is kept of such results. nil selects its defaults.
	ResultStore *ResultStoreOptions
	// Selector says how [Registry.Select] ranks tools and counts tokens. nil selects the defaults of package selector, which
	// need no service and no network.
	Selector *selector.Options
	// Learn notes which tools are called in the same conversation, so that [Registry.Select] finds them together for other
	// users of the tenant. What one tenant calls has no influence on another. The default is not to learn: the same request
	// then selects the same tools as long as these are the same.
	Learn bool

	// WarmUp connects to every server when it is configured, and goes on trying in the background where that fails. The
	// default is to connect on demand.
	WarmUp bool
	// Service is the user on whose behalf the registry itself connects: to warm up, to look at required servers and for
	// [Registry.Health]. The default is the user "mcpfleet" without a tenant.
	Service session.Key
	// Patience is how long a listing waits for servers whose tools are not known. The others are listed then, and nobody
	// waits for such a server again until it has answered. The default is 2 s.
	Patience time.Duration
	// Concurrency is how many servers are asked at once. The default is 16.
	Concurrency int
	// DrainTimeout is how long calls may go on on a server that was replaced or removed. The default is 2 min.
	DrainTimeout time.Duration
}

const (
	defaultPatience     = 2 * time.Second
	defaultConcurrency  = 16
	defaultDrainTimeout = 2 * time.Minute
)

// NewRegistry makes a registry without servers.
func NewRegistry(opts *RegistryOptions) (*Registry, error) {
	r := &Registry{change: make(chan struct{}, 1), down: make(chan struct{})}
	r.life, r.end = context.WithCancel(context.Background())
	if opts != nil {
		r.opts = *opts
	}
	r.log = quietLogger(r.opts.Logger)
	names := NamePolicy{Collision: CollisionPrefix}
	if r.opts.Names != nil {
		names = *r.opts.Names
	}
	r.opts.Names = &names
	if err := names.validate(); err != nil {
		return nil, fmt.Errorf("mcpgroup: RegistryOptions.Names: %w", err)
	}
	if r.opts.Service == (session.Key{}) {
		r.opts.Service = session.Key{User: "mcpfleet"}
	}
	if err := r.opts.Service.Validate(); err != nil {
		return nil, fmt.Errorf("mcpgroup: RegistryOptions.Service: %w", err)
	}
	if r.opts.Pins.Mode != "" && r.opts.Pins.Mode != PinOff {
		var err error
		if r.pins, err = newPinner(r.opts.Pins, r.log); err != nil {
			return nil, err
		}
	}
	if err := r.opts.Results.Validate(); err != nil {
		return nil, err
	}
	if r.opts.Results.limit() > 0 {
		r.results = NewResultStore(r.opts.ResultStore)
		var err error
		if r.service, err = r.newService(); err != nil {
			return nil, err
		}
	}
	if r.opts.Selector != nil {
		own := *r.opts.Selector
		r.opts.Selector = &own
	}
	r.index = newIndex(r.opts.Selector)
	if r.opts.Selector != nil { // the defaults are good, and take a moment to load
		if _, err := r.index.start(); err != nil {
			return nil, fmt.Errorf("mcpgroup: RegistryOptions.Selector: %w", err)
		}
	}
	if o := &r.opts; o.Patience < 0 || o.Concurrency < 0 || o.DrainTimeout < 0 {
		return nil, errors.New("mcpgroup: RegistryOptions: Patience, Concurrency and DrainTimeout must not be negative; 0 selects the default")
	}
	setDefault(&r.opts.Patience, defaultPatience)
	setDefault(&r.opts.Concurrency, defaultConcurrency)
	setDefault(&r.opts.DrainTimeout, defaultDrainTimeout)
	r.fleet.Store(&fleet{})
	return r, nil
}

// LoadFile makes a registry of the servers in a configuration file: see [ReadConfig] and [LoadConfig].
func LoadFile(ctx context.Context, path string, opts *RegistryOptions) (*Registry, error) {
	cfg, err := ReadConfigFile(path, nil)
	if err != nil {
		return nil, err
	}
	return LoadConfig(ctx, cfg, opts)
}

// Load makes a registry of the servers in a configuration document: see [ReadConfig] and [LoadConfig].
func Load(ctx context.Context, document io.Reader, opts *RegistryOptions) (*Registry, error) {
	cfg, err := ReadConfig(document, nil)
	if err != nil {
		return nil, err
	}
	return LoadConfig(ctx, cfg, opts)
}

// LoadConfig makes a registry of the servers in cfg. It connects to the required ones, and fails if one of them cannot be
// reached; the others may be down, which their status then says.
func LoadConfig(ctx context.Context, cfg *Config, opts *RegistryOptions) (*Registry, error) {
	r, err := NewRegistry(opts)
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings {
		r.log.Warn("mcpgroup: the configuration holds what is not known", "where", w.Path)
	}
	if _, err := r.Reload(ctx, cfg); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Names returns the names of the servers, in the order of the configuration, without those that are disabled.
func (r *Registry) Names() []string {
	var names []string
	for _, m := range r.fleet.Load().members {
		if m.group != nil {
			names = append(names, m.cfg.Name)
		}
	}
	return names
}

func noServer(op, server string) error {
	return &Error{Op: op, Server: cleanText(server, 64), Outcome: NotSent, Err: ErrServerNotFound}
}

// Get returns the group of a server, for what a registry does not offer. The group is closed when the server is replaced
// or removed; who keeps it must be ready for [ErrClosed].
func (r *Registry) Get(server string) (*MCPFunctionGroup, error) {
	m := r.fleet.Load().byName[server]
	if m == nil || m.group == nil {
		return nil, noServer("get", server)
	}
	return m.group, nil
}

// Auth returns the chain that a server's credentials come from, for example to rotate the server's own. It is nil for a
// server that takes none.
func (r *Registry) Auth(server string) (*auth.Chain, error) {
	m := r.fleet.Load().byName[server]
	if m == nil {
		return nil, noServer("get", server)
	}
	return m.chain, nil
}

// enter returns the member of a server that the user of ctx may know of, and counts an operation on it, which ends with
// member.done.
func (r *Registry) enter(ctx context.Context, server string) (*member, error) {
	for {
		if r.closed.Load() {
			return nil, ErrClosed
		}
		m := r.fleet.Load().byName[server]
		if m == nil && r.service != nil && server == serviceName {
			m = r.service
		}
		if m == nil || m.group == nil || !m.open(ctx) {
			return nil, ErrServerNotFound
		}
		if m.use() {
			return m, nil
		}
		// It was replaced after the fleet was looked at: its successor is there by now.
	}
}

// build makes the member of a server. It connects to nothing. The caller holds change.
func (r *Registry) build(cfg ServerConfig) (*member, error) {
	cfg = cfg.clone() // the caller may change a map, and reload
	m := newMember(cfg)
	if !validServerName(cfg.Name) {
		return nil, &ConfigError{Server: cleanText(cfg.Name, 64), Field: "Name", Reason: "must be 1 to 64 of [A-Za-z0-9_-]"}
	}
	if cfg.Disabled {
		return m, nil
	}
	var opts Options
	if r.opts.Options != nil {
		o, err := r.opts.Options(cfg.clone())
		if err != nil {
			return nil, &ConfigError{Server: cfg.Name, Field: "Options", Reason: redact(err)}
		}
		if o != nil {
			opts = *o
		}
	}
	if opts.Logger == nil {
		opts.Logger = r.opts.Logger
	}
	if err := r.authorize(cfg, &opts); err != nil {
		return nil, err
	}
	m.chain = opts.Auth
	if r.results != nil {
		// Innermost but for the host's own: what a middleware of the host looks at is what the model gets.
		opts.Middleware = append(slices.Clone(opts.Middleware), LimitResults(r.opts.Results, r.results))
	}
	var err error
	if m.group, err = New(cfg, &opts); err != nil {
		return nil, err
	}
	m.group.pins = r.pins
	m.group.notified = func(ctx context.Context) {
		m.note(ctx, r.subscribers.any())
		r.look(m)
	}
	m.group.listed = func() {
		if m.live.Load() {
			r.changed()
		}
	}
	return m, nil
}

// authorize gives a server its chain.
func (r *Registry) authorize(cfg ServerConfig, opts *Options) error {
	own := cfg.Credential != "" || len(cfg.OAuth) > 0
	if opts.Auth != nil || opts.Headers != nil || opts.Env != nil || opts.Fingerprint != nil {
		if own {
			return &ConfigError{Server: cfg.Name, Field: "Credential, OAuth", Reason: "RegistryOptions.Options already says where this server's credentials come from"}
		}
		return nil
	}
	chain := auth.ChainConfig{Server: cfg.Name, Secrets: r.opts.Secrets, Logger: opts.Logger}
	if cfg.Credential != "" {
		if r.opts.Secrets == nil {
			return &ConfigError{Server: cfg.Name, Field: "Credential", Reason: "names a secret, and RegistryOptions.Secrets is not set"}
		}
		chain.Credential = auth.Reference(cfg.Credential)
	}
	if len(cfg.OAuth) > 0 {
		if r.opts.OAuth == nil {
			return &ConfigError{Server: cfg.Name, Field: "OAuth", Reason: "is set, and RegistryOptions.OAuth is not"}
		}
		var err error
		if chain.OAuth, err = r.opts.OAuth(cfg.clone()); err != nil {
			return &ConfigError{Server: cfg.Name, Field: "OAuth", Reason: redact(err)}
		}
	}
	var err error
	if opts.Auth, err = auth.NewChain(chain); err != nil {
		return &ConfigError{Server: cfg.Name, Field: "Credential", Reason: redact(err)}
	}
	return nil
}

// asService returns a context of the registry itself.
func (r *Registry) asService(ctx context.Context, tenant string) context.Context {
	key := r.opts.Service
	if tenant != "" {
		key.Tenant = tenant
	}
	return session.NewContext(ctx, key)
}

// reach connects to a server and lists its tools. That a user would have to authorize first shows that it is there.
func (r *Registry) reach(ctx context.Context, m *member) error {
	_, err := m.list(r.asService(ctx, m.cfg.Tenant), false) // past the host's filter: nobody looks at them
	var required *auth.AuthRequiredError
	if errors.As(err, &required) {
		return nil
	}
	return err
}

// each runs fn for members, at most Concurrency at once.
func (r *Registry) each(members []*member, fn func(*member) error) error {
	var g errgroup.Group
	g.SetLimit(r.opts.Concurrency)
	for _, m := range members {
		g.Go(func() error { return fn(m) })
	}
	return g.Wait()
}

const (
	retryBase = time.Second
	retryCap  = time.Minute
)

// keepTrying connects to a server in the background until it answers, is taken out of the registry, or the registry is
// closed.
func (r *Registry) keepTrying(m *member) {
	r.background(func() {
		for n := 0; ; n++ {
			err := r.reach(r.life, m)
			if err == nil || errors.Is(err, ErrClosed) || r.life.Err() != nil {
				return
			}
			r.log.Warn("mcpgroup: a server cannot be reached; trying again", "server", m.cfg.Name, "error", redact(err))
			// Full jitter, so that many servers behind one proxy, or many processes, do not come back together.
			wait := time.NewTimer(rand.N(min(retryBase<<min(n, 10), retryCap)) + time.Millisecond)
			select {
			case <-wait.C:
			case <-m.left:
				wait.Stop()
				return
			case <-r.life.Done():
				wait.Stop()
				return
			}
		}
	})
}

// begin counts work that Close waits for, until tasks.Done. It reports false if the registry is closed.
func (r *Registry) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return false
	}
	r.tasks.Add(1)
	return true
}

// background runs fn on a goroutine that Close waits for. It reports false if the registry is closed. A panic in what the
// host brought to it must not end the process.
func (r *Registry) background(fn func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.tasks.Go(func() {
		if err := protect("work in the background", fn); err != nil {
			r.log.Error("mcpgroup: work in the background ended", "error", err)
		}
	})
	return true
}

// Close ends every call and every session, and a change of the servers that is under way. It returns the errors of servers
// that could not be closed in order. It may be called more than once.
func (r *Registry) Close() error {
	if !r.closed.CompareAndSwap(false, true) {
		<-r.down
		return nil
	}
	defer close(r.down)
	r.end()
	r.mu.Lock()
	old := r.fleet.Swap(&fleet{}) // the last: see install
	r.mu.Unlock()
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	all := slices.Clone(old.members)
	if r.service != nil {
		all = append(all, r.service)
	}
	for _, m := range all {
		if m.group == nil {
			continue
		}
		wg.Go(func() {
			m.retire()
			if err := m.group.Close(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("mcpgroup: closing server %q: %w", m.cfg.Name, err))
			}
		})
	}
	wg.Wait()
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.tasks.Wait()
	r.subscribers.close()
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
