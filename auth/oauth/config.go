package oauth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

const (
	defaultRefreshAhead = time.Minute
	defaultTimeout      = 30 * time.Second
	defaultPromptTTL    = 10 * time.Minute
)

// Config configures a [Client]. Server, Resource and Grant are required; every other zero value selects the default its
// field names.
type Config struct {
	// Server is the name of the MCP server, as in [auth.ChainConfig]. Tokens are stored under it.
	Server string
	// Resource is the URL of the MCP server. Its metadata must name the same resource (RFC 9728 section 3.3, but for a
	// slash at the end), and every token is asked for with it as the resource indicator (RFC 8707).
	Resource string
	// Grant is how tokens are obtained.
	Grant Grant
	// Issuer is the issuer identifier of the only authorization server that is accepted. The default is the first one
	// that the MCP server names. Set it where a client secret is configured: otherwise the first server that is named
	// gets the secret.
	Issuer string
	// Scopes are asked for in place of those that the server names in its challenge or else its metadata.
	//
	// Where no user is asked, that is for every grant but [AuthorizationCode], they are also the ceiling: a refusal that
	// names other scopes stands. If they are empty and ScopeFilter is nil, such a grant asks for what a refusal names only
	// if the server's metadata lists all of that.
	//
	// With AuthorizationCode, a refusal with the error "insufficient_scope" adds what it names, and the user sees it and
	// decides. What servers name is added up to 64 scopes and 4 KiB in all.
	Scopes []string
	// ScopeFilter returns which of the scopes that the server names are asked for. It is not called for Scopes, nor where
	// these are the ceiling. The default is all, but for what the comment of Scopes says.
	ScopeFilter func(discovered []string) []string
	// Store keeps tokens, registrations and authorizations under way. Clients that share one, in one process or
	// several, act as one; it should then be an [auth.Locker]. The default is a new [auth.MemoryStore].
	Store auth.TokenStore
	// HTTPClient makes the requests for metadata and to the authorization server, to URLs that the MCP server names. Its
	// Transport and CheckRedirect are used.
	//
	// The default is for servers that the operator of the process has configured. It is that of [auth.Operator], which
	// reaches private networks, but reaches the host itself only if Resource, Issuer or a URL of Grant has a loopback
	// address or the name localhost. For a server that a user has added give it auth.Public().Client(): otherwise the
	// server can find out what there is in the private network.
	HTTPClient *http.Client
	// RefreshAhead is how long before its end a token is refreshed, while callers go on with it. It is at most a fifth
	// of the life of the token. The default is 1 minute.
	RefreshAhead time.Duration
	// Timeout bounds one round of requests: discovery and registration, or one for a token. The default is 30 seconds.
	Timeout time.Duration
	// Logger gets what happens to tokens, and never a token. Nil is silent.
	Logger *slog.Logger
}

// complete returns cfg with its defaults, or what is wrong with it.
func (cfg Config) complete() (Config, error) {
	if cfg.Server == "" {
		return cfg, errors.New("oauth: Config.Server is empty; set the name of the MCP server")
	}
	u, err := url.Parse(cfg.Resource)
	switch {
	case err != nil:
		return cfg, fmt.Errorf("oauth: Config.Resource of server %q is not a URL", cfg.Server)
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return cfg, fmt.Errorf("oauth: Config.Resource of server %q must be an absolute http or https URL", cfg.Server)
	case u.User != nil:
		return cfg, fmt.Errorf("oauth: Config.Resource of server %q holds a user or password; remove it", cfg.Server)
	case u.Fragment != "":
		return cfg, fmt.Errorf("oauth: Config.Resource of server %q holds a fragment, which RFC 8707 forbids; remove it", cfg.Server)
	}
	if cfg.Issuer != "" {
		if err := (guard{loopback: isLoopback(u.Hostname())}).endpoint("Config.Issuer", cfg.Issuer); err != nil {
			return cfg, fmt.Errorf("oauth: server %q: %w", cfg.Server, err)
		}
	}
	if cfg.RefreshAhead < 0 || cfg.Timeout < 0 {
		return cfg, fmt.Errorf("oauth: Config.RefreshAhead and Config.Timeout of server %q must not be negative", cfg.Server)
	}
	for _, s := range cfg.Scopes {
		if !isScope(s) {
			return cfg, fmt.Errorf("oauth: Config.Scopes of server %q holds %q, which is no scope (RFC 6749 section 3.3)", cfg.Server, s)
		}
	}
	cfg.Scopes = slices.Clone(cfg.Scopes)
	if cfg.Store == nil {
		cfg.Store = auth.NewMemoryStore()
	}
	if cfg.RefreshAhead == 0 {
		cfg.RefreshAhead = defaultRefreshAhead
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Grant == nil {
		return cfg, fmt.Errorf("oauth: Config.Grant of server %q is nil; set one, such as &oauth.AuthorizationCode{}", cfg.Server)
	}
	grant, err := cfg.Grant.prepare(&cfg)
	if err != nil {
		return cfg, fmt.Errorf("oauth: server %q: %w", cfg.Server, err)
	}
	cfg.Grant = grant
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = cfg.egress().Client()
	}
	return cfg, nil
}

// egress returns the guard of the default HTTPClient. A server elsewhere has no business on this machine, and could tell
// from our errors which of its ports are open.
func (cfg *Config) egress() *auth.Egress {
	named := []string{cfg.Resource, cfg.Issuer}
	if f, ok := cfg.Grant.(fixed); ok {
		if server := f.fixed(cfg); server != nil {
			named = append(named, server.TokenEndpoint)
		}
	}
	if g, ok := cfg.Grant.(*Enterprise); ok {
		named = append(named, g.IDPIssuer, g.IDPTokenURL)
	}
	e := auth.Operator()
	e.AllowLoopback = slices.ContainsFunc(named, func(raw string) bool {
		u, err := url.Parse(raw)
		return err == nil && isLoopback(u.Hostname())
	})
	return e
}
