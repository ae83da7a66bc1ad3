package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/session"
)

// ChainConfig configures a [Chain]. Server is required; every other zero value leaves a source out or selects the default
// that its field names.
type ChainConfig struct {
	// Server is the name that [WithCredentials] and [WithAgentCredentials] know the server by.
	Server string
	// Credential is the server's own: a value, or a reference to one that every tenant has under that id. It is the
	// [SourceServer] of the tenants that [Chain.SetServerCredential] has not given another.
	Credential Credential
	// OAuth obtains the tokens of [SourceOAuth].
	OAuth TokenProvider
	// Secrets has what credentials refer to by id. Without it such a credential cannot be used. It is asked on behalf of
	// a tenant: its context names no user, since its answer is used for all users of the tenant.
	Secrets SecretStore
	// SecretTTL is how long a credential from Secrets is used without asking again. The default is 1 minute; with a
	// negative value Secrets is asked for every request.
	SecretTTL time.Duration
	// StaleFor is how much longer it is used while Secrets is unavailable ([ErrStoreUnavailable], an error of the
	// network, no answer within 30 seconds). The default is 10 minutes; a negative value turns it off. [ErrNotFound] and
	// [ErrDenied] end its use at once.
	StaleFor time.Duration
	// Headers returns additional header fields for every request of a user, such as a service token. They do not take
	// part in the order of sources: Authorization, and a field that the credential sets, are errors. A credential that has
	// nothing but variables of a process gets none. It must be safe for concurrent use.
	Headers func(ctx context.Context, key session.Key) (map[string]Secret, error)
	// Logger is told when Secrets is unavailable and a known credential serves on. The default is silent.
	Logger *slog.Logger
}

// A Chain says what each request to one server is authorized with. It is safe for concurrent use, has no goroutine and
// needs no Close. The order of its sources is the one that the package documentation lists.
type Chain struct {
	server  string
	oauth   TokenProvider
	headers func(ctx context.Context, key session.Key) (map[string]Secret, error)
	secrets *secretCache // nil: there is no store

	own   atomic.Pointer[serverCredentials] // the server's own; replaced as a whole, under owner
	owner owner
}

// NewChain returns a chain for one server. It fails if cfg has no Server, or a Credential that could never be used: that
// error wraps [ErrInvalidCredential].
func NewChain(cfg ChainConfig) (*Chain, error) {
	if cfg.Server == "" {
		return nil, errors.New("auth: ChainConfig.Server is empty; set the name by which requests call the server")
	}
	c := &Chain{server: cfg.Server, oauth: cfg.OAuth, headers: cfg.Headers, owner: owner{lock: make(chan struct{}, 1)}}
	own := &serverCredentials{rest: &serverCredential{}}
	if cfg.Secrets != nil {
		if cfg.Logger == nil {
			cfg.Logger = slog.New(slog.DiscardHandler)
		}
		ttl, stale := orDefault(cfg.SecretTTL, time.Minute), orDefault(cfg.StaleFor, 10*time.Minute)
		c.secrets = newSecretCache(cfg.Secrets, ttl, stale, cfg.Logger)
	}
	if !cfg.Credential.IsZero() {
		p := present(cfg.Credential)
		if _, err := c.check(choice{presented: p, source: SourceServer}); err != nil {
			return nil, fmt.Errorf("auth: ChainConfig.Credential: %w", err)
		}
		own.rest = &serverCredential{presented: p}
	}
	c.own.Store(own)
	return c, nil
}

// orDefault returns d, the default for 0, or 0 for a negative d.
func orDefault(d, byDefault time.Duration) time.Duration {
	if d == 0 {
		return byDefault
	}
	return max(d, 0)
}

// A choice is the source that is present and comes first.
type choice struct {
	*presented
	source Source
	owned  *serverCredential // the server's own, if it is kept in the secret store
}

// choose returns the source for ctx. It does no I/O.
func (c *Chain) choose(ctx context.Context, key session.Key) choice {
	carried := carriedBy(ctx)
	if p := carried.request[c.server]; p != nil {
		if p.reference() {
			return choice{presented: p, source: SourceRequestID}
		}
		return choice{presented: p, source: SourceRequest}
	}
	if p := carried.agent[c.server]; p != nil {
		return choice{presented: p, source: SourceAgent}
	}
	if s := c.own.Load().of(key.Tenant); s.owned {
		return choice{source: SourceServer, owned: s}
	} else if s.presented != nil {
		return choice{presented: s.presented, source: SourceServer}
	}
	if c.oauth != nil {
		return choice{source: SourceOAuth}
	}
	return choice{source: SourceNone}
}

// check returns what ch, which holds a credential, puts into a request, or nil if that is in the secret store.
func (c *Chain) check(ch choice) (**material, error) {
	if !ch.reference() {
		return ch.values()
	}
	switch {
	case c.secrets == nil:
		return nil, errNoSecrets
	case len(ch.ID) > maxIDBytes:
		return nil, invalid("its id is longer than %d bytes", maxIDBytes)
	}
	return nil, nil
}

func (c *Chain) failed(ch choice, err error) error {
	e := &SourceError{Server: c.server, Source: ch.source, Err: err}
	if ch.presented != nil && len(ch.ID) <= maxIDBytes {
		e.ID = ch.ID
	}
	return e
}

// Explain returns the source that a request of ctx and key would use, and does no I/O. It does not say whether the
// credential is valid.
func (c *Chain) Explain(ctx context.Context, key session.Key) Source {
	return c.choose(ctx, key).source
}

// Principal names on whose behalf a request of ctx and key speaks, for [session.ID.Fingerprint]: requests with the same
// principal may share a session of their user. It is no secret, does not change when a credential is rotated that is
// referred to by id or that names its Principal, and is empty if there is no credential. It does no I/O. Its error is a
// [*SourceError] for a credential that can be seen to be unusable.
func (c *Chain) Principal(ctx context.Context, key session.Key) (string, error) {
	ch := c.choose(ctx, key)
	switch {
	case ch.source == SourceNone:
		return "", nil
	case ch.source == SourceOAuth:
		return "oauth", nil
	case ch.owned != nil:
		return ch.owned.principal, nil
	}
	if _, err := c.check(ch); err != nil && !ch.ended {
		return "", c.failed(ch, err)
	}
	if ch.source == SourceServer {
		return serverPrincipal(ch.Credential), nil
	}
	return ch.principal(), nil
}

// Resolve returns what a request of ctx and key is to be sent with. It is called for every HTTP request and asks the
// secret store or the OAuth provider only when what is known has run out. Its error is a [*SourceError] if the source that
// comes first cannot be used; then nothing may be sent. An OAuth token that is bound to a key cannot: see
// [Chain.ResolveFor].
func (c *Chain) Resolve(ctx context.Context, key session.Key) (Resolution, error) {
	return c.ResolveFor(ctx, key, nil)
}

// ResolveFor is [Chain.Resolve] for the HTTP request req, of which it reads the method and the URL. If the OAuth token is
// bound to a key ([ProofProvider]), the result is good for sending req once. With a nil req it is Resolve.
func (c *Chain) ResolveFor(ctx context.Context, key session.Key, req *http.Request) (Resolution, error) {
	ch := c.choose(ctx, key)
	r, err := c.resolve(ctx, key, ch, req)
	for err != nil && ch.source == SourceServer && ctx.Err() == nil {
		// The server's credential may have been replaced between the choice and the look-up.
		now := c.choose(ctx, key)
		if now == ch {
			break
		}
		ch = now
		r, err = c.resolve(ctx, key, ch, req)
	}
	if err != nil {
		return Resolution{}, c.failed(ch, err)
	}
	if c.headers == nil {
		return r, nil
	}
	return c.withHeaders(ctx, key, r)
}

func (c *Chain) resolve(ctx context.Context, key session.Key, ch choice, req *http.Request) (Resolution, error) {
	r := Resolution{Source: ch.source}
	switch {
	case ch.source == SourceNone:
		return r, nil
	case ch.source == SourceOAuth:
		token, proof, err := c.token(ctx, key, req)
		switch {
		case err != nil || token.IsZero():
			return r, err
		case !proof.IsZero():
			r.material, err = proven(token, proof).values()
		default:
			r.material, err = token.asBearer().values()
		}
		return r, err
	}
	stored, id, err := c.locate(ch, key)
	if err != nil {
		return r, err
	}
	if !stored {
		r.material, err = ch.values()
		return r, err
	}
	if ch.owned == nil {
		r.ID = ch.ID
	}
	p, err := c.secrets.get(ctx, id)
	if err != nil {
		return r, err
	}
	r.material, err = p.values()
	return r, err
}

// token returns the OAuth token of a user, and the proof with which it goes into req, if it needs one. req may be nil.
func (c *Chain) token(ctx context.Context, key session.Key, req *http.Request) (token, proof Secret, err error) {
	if cache, ok := c.oauth.(TokenCache); ok {
		if token, ok := cache.Cached(key); ok {
			return token, Secret{}, nil
		}
	}
	if p, ok := c.oauth.(ProofProvider); ok && req != nil {
		both, err := recovered("ProofProvider.TokenFor", func() (both [2]Secret, err error) {
			both[0], both[1], err = p.TokenFor(ctx, key, req.Method, req.URL)
			return both, err
		})
		return both[0], both[1], err
	}
	token, err = recovered("TokenProvider.Token", func() (Secret, error) { return c.oauth.Token(ctx, key) })
	return token, Secret{}, err
}

// locate says under which key the secret store has the credential of ch, and whether it is there at all.
func (c *Chain) locate(ch choice, key session.Key) (stored bool, _ SecretKey, err error) {
	if ch.owned != nil {
		return true, c.ownedKey(key.Tenant), nil
	}
	if _, err := c.check(ch); err != nil {
		return false, SecretKey{}, err
	}
	return ch.reference(), SecretKey{Tenant: key.Tenant, ID: ch.ID}, nil
}
