package mcpgroup

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// Transport names how a server is reached.
type Transport string

const (
	// TransportAuto chooses by the fields that are set: Command means stdio, URL means streamable HTTP, Server means in-memory.
	TransportAuto Transport = ""
	// TransportStdio starts the server as a child process per session (MCP, basic/transports).
	TransportStdio Transport = "stdio"
	// TransportStreamableHTTP is the HTTP transport of MCP 2025-03-26 and later.
	TransportStreamableHTTP Transport = "streamable-http"
	// TransportSSE is the HTTP+SSE transport of MCP 2024-11-05.
	TransportSSE Transport = "sse"
	// TransportInMemory connects to an [*mcp.Server] of the same process.
	TransportInMemory Transport = "in-memory"
)

// ServerConfig describes one MCP server. Exactly one of Command, URL and Server (or [Options.NewServer]) is set; every
// other zero value selects the default its field names. It holds plain data only, so that two configs can be compared.
type ServerConfig struct {
	// Name names the server in errors, logs and tool ids: 1 to 64 of [A-Za-z0-9_-].
	Name string
	// Tenant is the tenant the server belongs to. Users of other tenants are refused, as if they were nobody. The default
	// is that all tenants may use it, each with sessions, tool lists and credentials of its own.
	Tenant string

	// Transport is how the server is reached. The default follows from the fields below.
	Transport Transport

	// Command, Args, Dir and Env start a stdio server, one process per session, without a shell. The process inherits
	// HOME, LOGNAME, PATH, SHELL, TERM and USER, and gets Env; nothing else of this process's environment.
	Command string
	Args    []string
	Dir     string
	Env     map[string]string

	// URL is the endpoint of an HTTP server: absolute, http or https, without userinfo.
	URL string
	// Headers are sent with every request to the origin of URL, and to no other.
	Headers map[string]string

	// Server is a server of this process that all sessions share. Use [Options.NewServer] for one per session.
	Server *mcp.Server

	// ProtocolVersion pins the MCP revision, such as "2025-06-18". The default negotiates the newest both sides speak
	// and remembers it for later connects.
	ProtocolVersion string

	// Overrides changes how tools are shown, by original name. Names that the server does not have are reported in
	// [Status.Problems].
	Overrides map[string]Override
	// Include and Exclude choose tools by original name; an entry may be a glob ("read_*"). Only one of the two may be set.
	Include, Exclude []string
	// Names decides the names agents see.
	Names NamePolicy

	// Shared makes all users share one client; credentials are then resolved for every request, and lists that the
	// server marks private are still kept apart. It is refused for a server that keeps a protocol session (MCP up to
	// 2025-11-25 over stdio, or over HTTP with Mcp-Session-Id), since that would mix users. The default is one client
	// per user.
	Shared bool
	// Trusted says that the server's tool annotations may be believed: only then is a call with unknown outcome repeated,
	// and only if the tool is annotated read-only or idempotent.
	Trusted bool
	// PerUserTools keeps one tool list per session for servers whose list differs by user. The default is one list for
	// all users of a tenant, except where a 2026-07-28 server marks its list private.
	PerUserTools bool
	// Notifications keeps a notification stream open per session of an HTTP server, so that list changes arrive at
	// once. It costs a connection and about 20 KiB per session. Without it a list is refreshed when ToolsTTL passed.
	// Stdio and in-memory servers deliver notifications either way. [Handlers.Elicit] and [Handlers.Sample] imply it: up
	// to MCP 2025-11-25 servers may ask on that stream, and a call then waits for the answer.
	Notifications bool

	// Sessions bounds the sessions of this server.
	Sessions SessionLimits

	// CallTimeout bounds a call with all its attempts. The default is 60 s; negative means no bound other than the
	// caller's context.
	CallTimeout time.Duration
	// DialTimeout bounds one connect. The default is 30 s.
	DialTimeout time.Duration
	// ReconnectWindow is how long calls to a server that was reachable before keep trying to reach it again. The default
	// is 5 s; negative means one attempt.
	ReconnectWindow time.Duration
	// ToolsTTL is how long a tool list is served before it is fetched again where the server gives no time of its own
	// and nothing else would tell of changes. The default is 5 min; negative means until a notification. A 2026-07-28
	// server always gives a time; where that is 0, the list is served and looked at again in the background.
	ToolsTTL time.Duration
	// MaxResponseBytes caps one answer, after decompression. The default is 4 MiB. In-memory servers are not capped.
	MaxResponseBytes int64
	// Egress names the guard of an HTTP server, unless [Options.Egress] does. The default is [EgressOperator].
	Egress EgressPolicy

	// The rest is for a [Registry]; a group by itself does nothing with it.

	Description string            // for those who choose a server
	Category    string            // a word that tools are grouped by, such as "development"
	Labels      map[string]string // further words to choose by
	Disabled    bool              // the registry knows its name and does nothing else with it
	Required    bool              // the registry does not start without it
	// Credential is the id of the server's own credential in [RegistryOptions.Secrets].
	Credential string
	// OAuth says how the server's tokens are obtained, in words that [RegistryOptions.OAuth] understands.
	OAuth map[string]string
}

// EgressPolicy names one of the guards of package auth.
type EgressPolicy string

const (
	// EgressOperator is [auth.Operator], for servers that the operator of this process has configured.
	EgressOperator EgressPolicy = ""
	// EgressPublic is [auth.Public], for servers that users add.
	EgressPublic EgressPolicy = "public"
)

// Override changes how one tool is shown.
type Override struct {
	Alias       string // exposed name; empty keeps the original one
	Description string // empty keeps the server's
}

// SessionLimits bounds the sessions of one server. See [session.Config].
type SessionLimits struct {
	Max         int           // open sessions; the default is 1,000 (100 for stdio, where each is a process)
	MaxPerUser  int           // per tenant and user; the default is no bound
	Wait        bool          // wait for a session to become idle when the limit is reached, instead of failing
	IdleTimeout time.Duration // the default is 30 min; negative means for ever
	MaxLifetime time.Duration // the default is no bound
}

// Options are the parts of a group that are code. nil selects all defaults; the struct is copied by [New].
type Options struct {
	// Logger receives what happens in the background. nil is silent. Secrets and session ids are never logged.
	Logger *slog.Logger

	// NewServer makes the in-memory server of one session, for servers that serve one user each.
	NewServer func(ctx context.Context, key session.Key) (*mcp.Server, error)
	// Egress says where the requests of an HTTP server may go. The default is what [ServerConfig.Egress] names.
	Egress *auth.Egress
	// HTTPTransport replaces the http.RoundTripper below the group's own chain, and with it Egress. The default is a
	// transport of this group behind Egress.
	HTTPTransport http.RoundTripper

	// Auth finds the credential of every request, and another when the server refuses it. It takes the place of Headers,
	// Env and Fingerprint, which are there for hosts that have a way of their own. An in-memory server is sent nothing: it
	// only gets a session per principal, whose context [auth.Chain.Resolve] can be asked with, except for values that a
	// request brings.
	Auth *auth.Chain

	// Headers gives the headers, such as Authorization, of one HTTP request of a user. It runs for every request, so a
	// rotated token is used at once. An error fails the request before anything is sent.
	Headers func(ctx context.Context, key session.Key) (http.Header, error)
	// Env gives additional environment variables of a user's stdio server. It runs once per session.
	Env func(ctx context.Context, key session.Key) (map[string]string, error)
	// Fingerprint names the principal behind a call. Calls of one user with different fingerprints never share a
	// session. It must not be, or reveal, a secret.
	Fingerprint func(ctx context.Context, key session.Key) (string, error)

	// Filter narrows the tools a context may see and call. It gets tools in catalogue order, must not change them and
	// must decide each tool by itself: calls pass the one tool they are about.
	Filter func(ctx context.Context, tools []*Tool) []*Tool
	// Middleware wraps every tool call, the first listed outermost.
	Middleware []func(next CallFunc) CallFunc

	// Handlers answers what servers ask of and tell the client.
	Handlers Handlers
	// Capabilities is what the client offers to servers. The default offers only what Handlers implements, in
	// particular no roots.
	Capabilities *mcp.ClientCapabilities
	// ClientInfo is the name and version the client gives. The default is mcpfleet's own.
	ClientInfo *mcp.Implementation
}

// Handlers are the callbacks of servers to the host. Each gets the key of the user on whose session it arrived. They
// run on their own goroutines; a panic fails the one request and is logged.
type Handlers struct {
	Elicit   func(ctx context.Context, key session.Key, req *mcp.ElicitParams) (*mcp.ElicitResult, error)
	Sample   func(ctx context.Context, key session.Key, req *mcp.CreateMessageWithToolsParams) (*mcp.CreateMessageWithToolsResult, error)
	Progress func(ctx context.Context, key session.Key, p *mcp.ProgressNotificationParams)
	Log      func(ctx context.Context, key session.Key, p *mcp.LoggingMessageParams)
	// ResourceUpdated needs [ServerConfig.Notifications] on HTTP servers.
	ResourceUpdated func(ctx context.Context, key session.Key, p *mcp.ResourceUpdatedNotificationParams)
}

// streams reports whether an HTTP server's notification stream is to be kept open.
func (g *MCPFunctionGroup) streams() bool {
	return g.cfg.Notifications || g.opts.Handlers.Elicit != nil || g.opts.Handlers.Sample != nil
}

// guard returns the guard of the group's own transport.
func (c *ServerConfig) guard(opts *Options) *auth.Egress {
	switch {
	case opts.Egress != nil:
		return opts.Egress
	case c.Egress == EgressPublic:
		return auth.Public()
	}
	return auth.Operator()
}

const (
	defaultCallTimeout     = 60 * time.Second
	defaultDialTimeout     = 30 * time.Second
	defaultReconnectWindow = 5 * time.Second
	defaultToolsTTL        = 5 * time.Minute
	defaultMaxResponse     = 4 << 20
	defaultMaxSessions     = 1000
	defaultMaxProcesses    = 100
)

// resolved returns a copy of c with every default filled in, or a *ConfigError.
func (c ServerConfig) resolved(opts *Options) (ServerConfig, error) {
	fail := func(field, format string, args ...any) (ServerConfig, error) {
		return ServerConfig{}, &ConfigError{Server: c.Name, Field: field, Reason: fmt.Sprintf(format, args...)}
	}
	if !validServerName(c.Name) {
		return fail("Name", "must be 1 to 64 of [A-Za-z0-9_-]")
	}
	c = c.clone()

	if c.Egress != EgressOperator && c.Egress != EgressPublic {
		return fail("Egress", "must be %q or empty", EgressPublic)
	}

	inMemory := c.Server != nil || opts.NewServer != nil
	if n := btoi(c.Command != "") + btoi(c.URL != "") + btoi(inMemory); n != 1 {
		return fail("Command, URL, Server", "exactly one must be set, %d are", n)
	}
	if c.Server != nil && opts.NewServer != nil {
		return fail("Server", "cannot be set together with Options.NewServer")
	}
	kind := TransportInMemory
	switch {
	case c.Command != "":
		kind = TransportStdio
	case c.URL != "":
		kind = TransportStreamableHTTP
		if c.Transport == TransportSSE {
			kind = TransportSSE
		}
	}
	if c.Transport != TransportAuto && c.Transport != kind {
		return fail("Transport", "unsupported transport %q for the fields that are set; use %q or leave it empty", c.Transport, kind)
	}
	c.Transport = kind

	if opts.Auth != nil && (opts.Headers != nil || opts.Env != nil || opts.Fingerprint != nil) {
		return fail("Auth", "takes the place of Headers, Env and Fingerprint; set Auth or those")
	}
	if kind != TransportStdio {
		if len(c.Args) > 0 || len(c.Env) > 0 || c.Dir != "" || opts.Env != nil {
			return fail("Args, Env, Dir", "only a stdio server takes them")
		}
	}
	isHTTP := kind == TransportStreamableHTTP || kind == TransportSSE
	if isHTTP {
		if u, err := url.Parse(c.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fail("URL", "must be an absolute http or https URL")
		} else if u.User != nil {
			return fail("URL", "must not hold a user name or password; use Options.Auth or Options.Headers")
		} else if opts.HTTPTransport == nil {
			if err := c.guard(opts).CheckURL(u); err != nil {
				return fail("URL", "%v", err)
			}
		} else if opts.Egress != nil {
			return fail("Egress", "has no effect on Options.HTTPTransport; set one of the two, or put Egress.Transport into the other")
		}
	} else if len(c.Headers) > 0 || opts.Headers != nil || opts.HTTPTransport != nil || opts.Egress != nil {
		return fail("Headers", "only an HTTP server takes custom headers, a transport or an egress guard, not %s", kind)
	}
	if len(c.Include) > 0 && len(c.Exclude) > 0 {
		return fail("Include, Exclude", "include and exclude cannot be used together")
	}
	if _, err := newMatcher(c.Include, c.Exclude); err != nil {
		return fail("Include, Exclude", "%v", err)
	}
	if err := c.Names.validate(); err != nil {
		return fail("Names", "%v", err)
	}
	if c.ProtocolVersion != "" && !slices.Contains(mcp.SupportedProtocolVersions(), c.ProtocolVersion) {
		return fail("ProtocolVersion", "%q is not supported; supported are %s", c.ProtocolVersion,
			strings.Join(mcp.SupportedProtocolVersions(), ", "))
	}
	if c.MaxResponseBytes < 0 || c.DialTimeout < 0 {
		return fail("MaxResponseBytes, DialTimeout", "must not be negative; 0 selects the default")
	}
	if l := c.Sessions; l.Max < 0 || l.MaxPerUser < 0 || l.MaxLifetime < 0 {
		return fail("Sessions", "Max, MaxPerUser and MaxLifetime must not be negative; 0 selects the default")
	}

	c.fillDefaults()
	return c, nil
}

// clone returns a copy of c that shares no map and no slice with it.
func (c ServerConfig) clone() ServerConfig {
	c.Args, c.Include, c.Exclude = slices.Clone(c.Args), slices.Clone(c.Include), slices.Clone(c.Exclude)
	c.Env, c.Headers, c.Labels, c.OAuth = maps.Clone(c.Env), maps.Clone(c.Headers), maps.Clone(c.Labels), maps.Clone(c.OAuth)
	c.Overrides = maps.Clone(c.Overrides)
	return c
}

// fillDefaults sets what has a default and is zero.
func (c *ServerConfig) fillDefaults() {
	setDefault(&c.CallTimeout, defaultCallTimeout)
	setDefault(&c.DialTimeout, defaultDialTimeout)
	setDefault(&c.ReconnectWindow, defaultReconnectWindow)
	setDefault(&c.ToolsTTL, defaultToolsTTL)
	setDefault(&c.MaxResponseBytes, defaultMaxResponse)
	if c.Command != "" {
		setDefault(&c.Sessions.Max, defaultMaxProcesses)
	}
	setDefault(&c.Sessions.Max, defaultMaxSessions)
	switch {
	case c.Transport != TransportAuto:
	case c.Command != "":
		c.Transport = TransportStdio
	case c.URL != "":
		c.Transport = TransportStreamableHTTP
	default:
		c.Transport = TransportInMemory
	}
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func validServerName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}
