package vault

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

const (
	defaultMount        = "secret"
	defaultPrefix       = "mcpfleet"
	defaultAppRoleMount = "approle"
	defaultTimeout      = 5 * time.Second
	defaultMaxRetries   = 3
)

// Config configures a [Store]. Address and Auth are required; every other zero value selects the default that its field
// names. Nothing is taken from the environment: see [FromEnv].
type Config struct {
	// Address is the URL of the server, such as "https://vault.example.com:8200". It may have a path.
	Address string
	// Namespace is sent with every request, for Vault Enterprise and OpenBao. The default is the root namespace.
	Namespace string
	// Mount is where the secrets engine is mounted, which must be of type KV version 2. The default is "secret".
	Mount string
	// Prefix is the path below Mount that belongs to this library. The default is "mcpfleet".
	Prefix string
	// Auth is how the store authenticates: a [Token] or an [AppRole].
	Auth Auth
	// HTTPClient sends the requests. The default is auth.Operator().Client(), which reaches public and private networks
	// but no link-local or metadata address. Redirects are not followed, whatever its CheckRedirect says, and its cookie
	// jar is not used.
	HTTPClient *http.Client
	// Timeout bounds one HTTP request. The default is 5 seconds. What a caller waits is bounded by the context it brings.
	Timeout time.Duration
	// MaxRetries is how many more times a request is sent if there is no answer, or one with the status 429, 412 or from
	// 500 on. The default is 3; a negative value is none. The waits are random, up to 100 ms at first, twice as much with
	// each retry, and at most 2 s, but no shorter than the server asks for (Retry-After).
	MaxRetries int
	// Logger is told when a token cannot be renewed. The default is silent.
	Logger *slog.Logger
}

// Auth is a [Token] or an [AppRole].
type Auth interface{ isAuth() }

// Token authenticates with a token that was issued elsewhere. The store renews it as long as the server allows, and does not
// revoke it.
type Token struct{ Secret auth.Secret }

// AppRole logs in with the auth method of that name. [Store.Close] revokes the token that is in use then; those before it
// are left to expire, because requests under way may still use them.
type AppRole struct {
	RoleID auth.Secret
	// SecretID may be zero for a role with bind_secret_id=false. It must be usable as often as the store logs in.
	SecretID auth.Secret
	// Mount is where the auth method is mounted. The default is "approle".
	Mount string
}

func (Token) isAuth()   {}
func (AppRole) isAuth() {}

func orDefault[T comparable](v, byDefault T) T { return cmp.Or(v, byDefault) }

// withDefaults returns a copy that is complete, and the parsed Address. Its errors hold no secret: an address may have a
// password in it.
func (c Config) withDefaults() (Config, *url.URL, error) {
	c.Mount = strings.Trim(orDefault(c.Mount, defaultMount), "/")
	c.Prefix = strings.Trim(orDefault(c.Prefix, defaultPrefix), "/")
	c.Namespace = strings.Trim(c.Namespace, "/")
	c.Timeout = orDefault(c.Timeout, defaultTimeout)
	c.MaxRetries = max(orDefault(c.MaxRetries, defaultMaxRetries), 0)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	base, err := parseAddress(c.Address)
	if err != nil {
		return c, nil, err
	}
	switch a := c.Auth.(type) {
	case Token:
		if !sendable(a.Secret.Reveal()) {
			return c, nil, errors.New("auth/vault: Config.Auth has a Token that is empty or has a byte that no token has")
		}
	case AppRole:
		a.Mount = strings.Trim(orDefault(a.Mount, defaultAppRoleMount), "/")
		if a.RoleID.IsZero() {
			return c, nil, errors.New("auth/vault: Config.Auth has an AppRole without RoleID")
		}
		if !isPath(a.Mount) {
			return c, nil, fmt.Errorf("auth/vault: AppRole.Mount %q is not a path of ASCII letters, digits and \"-_.~@\"", a.Mount)
		}
		c.Auth = a
	default:
		return c, nil, errors.New("auth/vault: Config.Auth is not set; set it to a Token or an AppRole")
	}
	switch {
	case !isPath(c.Mount):
		return c, nil, fmt.Errorf("auth/vault: Config.Mount %q is not a path of ASCII letters, digits and \"-_.~@\"", c.Mount)
	case !isPath(c.Prefix):
		return c, nil, fmt.Errorf("auth/vault: Config.Prefix %q is not a path of ASCII letters, digits and \"-_.~@\"", c.Prefix)
	case c.Namespace != "" && !isPath(c.Namespace):
		return c, nil, fmt.Errorf("auth/vault: Config.Namespace %q is not a path of ASCII letters, digits and \"-_.~@\"", c.Namespace)
	case c.Timeout < 0:
		return c, nil, fmt.Errorf("auth/vault: Config.Timeout is %v", c.Timeout)
	}
	return c, base, nil
}

func parseAddress(address string) (*url.URL, error) {
	base, err := url.Parse(address)
	switch {
	case address == "":
		return nil, errors.New("auth/vault: Config.Address is empty; set it to the URL of the server")
	case err != nil:
		return nil, errors.New("auth/vault: Config.Address is not a URL")
	case base.Scheme != "https" && base.Scheme != "http":
		return nil, errors.New("auth/vault: Config.Address must begin with https:// or http://")
	case base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("auth/vault: Config.Address must have a host, and no user, query or fragment")
	}
	base.Path, base.RawPath = strings.TrimRight(base.Path, "/"), ""
	return base, nil
}

// isPath reports whether p is a path that neither a server nor a proxy could take for another one, or a policy for many.
func isPath(p string) bool {
	for s := range strings.SplitSeq(p, "/") {
		if s == "" || s == "." || s == ".." {
			return false
		}
		for i := range len(s) {
			if s[i] != '~' && s[i] != '@' && !unreserved(s[i]) {
				return false
			}
		}
	}
	return true
}

// sendable reports whether a token can be the value of a header field.
func sendable(token string) bool {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return false
		}
	}
	return token != ""
}
