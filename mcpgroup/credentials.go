package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/internal/mcphttp"
	"github.com/mcpfleet/mcpfleet/session"
)

// identify returns whose session ctx may use. The key is checked when the session is opened: no session exists for a
// key that may not have one.
func (g *MCPFunctionGroup) identify(ctx context.Context) (session.ID, error) {
	if g.closed.Load() {
		return session.ID{}, ErrClosed
	}
	key, ok := session.FromContext(ctx)
	if g.cfg.Tenant != "" && key.Tenant != g.cfg.Tenant {
		return session.ID{}, &session.IdentityError{Field: "Tenant", Reason: "is not the one that the server belongs to"}
	}
	if g.cfg.Shared {
		return session.ID{}, g.shareable(ctx, key)
	}
	if !ok {
		return session.ID{}, &session.IdentityError{Reason: "the context names no user; put one in with session.NewContext or session.Middleware, or set ServerConfig.Shared"}
	}
	return g.fingerprinted(ctx, key)
}

// shareable returns an error for a request that brings a credential of its own, or its agent's, to a connection of all users
// that carries none: it would be served with what comes after that in order.
func (g *MCPFunctionGroup) shareable(ctx context.Context, key session.Key) error {
	if g.opts.Auth == nil || g.chain != nil {
		return nil
	}
	source := g.opts.Auth.Explain(ctx, key)
	if source > auth.SourceAgent {
		return nil
	}
	return &CredentialError{Err: &auth.SourceError{Server: g.cfg.Name, Source: source,
		Err: errors.New("all users share the server, which cannot have the credential of one; unset ServerConfig.Shared")}}
}

// listID names whose list it is. Sharing a client does not mean sharing private lists.
func (g *MCPFunctionGroup) listID(ctx context.Context) (session.ID, error) {
	id, err := g.identify(ctx)
	if err != nil || !g.cfg.Shared {
		return id, err
	}
	key, _ := session.FromContext(ctx)
	return g.fingerprinted(ctx, key)
}

// fingerprinted returns key together with the principal behind ctx.
func (g *MCPFunctionGroup) fingerprinted(ctx context.Context, key session.Key) (id session.ID, err error) {
	id.Key = key
	switch {
	case g.opts.Auth != nil:
		id.Fingerprint, err = g.opts.Auth.Principal(ctx, key)
	case g.opts.Fingerprint != nil:
		id.Fingerprint, err = g.opts.Fingerprint(ctx, key)
	}
	if err != nil {
		return session.ID{}, &CredentialError{Err: err}
	}
	return id, nil
}

// environment returns the variables of a stdio server of one user.
func (g *MCPFunctionGroup) environment(ctx context.Context, key session.Key) (map[string]string, error) {
	env := maps.Clone(g.cfg.Env)
	var more map[string]string
	var err error
	switch {
	case g.opts.Auth != nil:
		var r auth.Resolution
		if r, err = g.opts.Auth.Resolve(ctx, key); err == nil {
			more = r.Env()
			if err = g.fits(r, len(more) > 0); err == nil && g.cfg.Shared && r.Source <= auth.SourceAgent {
				err = &auth.SourceError{Server: g.cfg.Name, Source: r.Source, ID: r.ID,
					Err: errors.New("all users share the process, which cannot have the variables of one; unset ServerConfig.Shared")}
			}
		}
	case g.opts.Env != nil:
		more, err = g.opts.Env(ctx, key)
	}
	if err != nil {
		return nil, &CredentialError{Err: err}
	}
	if env == nil {
		env = make(map[string]string, len(more))
	}
	maps.Copy(env, more)
	return env, nil
}

// headers returns the header fields of the request req of a user.
func (g *MCPFunctionGroup) headers(ctx context.Context, key session.Key, req *http.Request) (http.Header, error) {
	if g.opts.Auth == nil {
		return g.opts.Headers(ctx, key)
	}
	r, err := g.opts.Auth.ResolveFor(ctx, key, req)
	if err != nil {
		return nil, err
	}
	h := r.Header()
	return h, g.fits(r, len(h) > 0)
}

// fits returns an error for a credential that has nothing for this server's transport. The request would go without any.
func (g *MCPFunctionGroup) fits(r auth.Resolution, some bool) error {
	if some || r.Source == auth.SourceNone || r.Source == auth.SourceOAuth {
		return nil
	}
	want := "header fields"
	if g.chain == nil {
		want = "environment variables"
	}
	return &auth.SourceError{Server: g.cfg.Name, Source: r.Source, ID: r.ID, Err: fmt.Errorf("it has no %s, which is what a server over %s takes", want, g.cfg.Transport)}
}

func (g *MCPFunctionGroup) newChain() (*mcphttp.Chain, error) {
	h := make(http.Header, len(g.cfg.Headers))
	for k, v := range g.cfg.Headers {
		h[k] = []string{v} // not Set: two spellings of one name are a mistake that is found below
	}
	cfg := mcphttp.Config{
		Endpoint: g.cfg.URL, Header: h, Base: g.opts.HTTPTransport,
		MaxBody: g.cfg.MaxResponseBytes, SelfHeal: g.streams(),
		// Whatever was notified while the stream was down is lost: look again.
		OnResume:      g.toolsChanged,
		OnSessionLost: func(ctx context.Context, _ string) { g.toolsChanged(ctx) },
		Logger:        g.log,
	}
	if cfg.Base == nil {
		cfg.Base = g.cfg.guard(&g.opts).Transport()
	}
	if g.opts.Auth != nil || g.opts.Headers != nil {
		cfg.Headers = func(ctx context.Context, req *http.Request) (h http.Header, err error) {
			defer g.uncredited(ctx, &err)
			if err := lacking(ctx); err != nil {
				return nil, err
			}
			key, _ := session.FromContext(ctx)
			return g.headers(ctx, key, req)
		}
	}
	if g.opts.Auth != nil {
		cfg.Hopeless = func(err error) bool {
			// Nobody waits for a stream: neither does a request come back, nor is a user to be asked for it again and again.
			var required *auth.AuthRequiredError
			return errors.Is(err, auth.ErrRequestEnded) || errors.As(err, &required)
		}
		cfg.Refused = func(ctx context.Context, resp *http.Response) (again bool, err error) {
			defer g.uncredited(ctx, &err)
			key, _ := session.FromContext(ctx)
			return g.opts.Auth.Refused(ctx, key, auth.Refusal{
				StatusCode: resp.StatusCode, Challenges: resp.Header.Values("WWW-Authenticate"),
				DPoPNonce: resp.Header.Get("DPoP-Nonce"), Sent: resp.Request.Header,
			})
		}
	}
	return mcphttp.New(cfg)
}

// lacking returns why an earlier request of the same connect had no credential: the SDK takes any failure of its first
// request for a no and goes on, where nothing is to be gained, and the user would be asked again.
func lacking(ctx context.Context) error {
	if d, ok := ctx.Value(diallingKey{}).(*dialling); ok {
		if kept := d.credential.Load(); kept != nil {
			return *kept
		}
	}
	return nil
}

// uncredited, deferred, makes what a callback for credentials failed with a *CredentialError, and keeps it for the
// connection that is being made. The transport's own goroutines call such callbacks too: a panic there would end the
// process.
func (g *MCPFunctionGroup) uncredited(ctx context.Context, err *error) {
	if v := recover(); v != nil {
		*err = &session.PanicError{Value: v, Stack: debug.Stack()}
	}
	if *err == nil {
		return
	}
	var known *CredentialError
	if errors.As(*err, &known) {
		return
	}
	*err = &CredentialError{Err: *err}
	g.log.Warn("mcpgroup: no credential for a request", "server", g.cfg.Name, "error", redact(*err))
	if d, ok := ctx.Value(diallingKey{}).(*dialling); ok {
		kept := *err
		d.credential.CompareAndSwap(nil, &kept)
	}
}

func hasUser(ctx context.Context) bool {
	_, ok := session.FromContext(ctx)
	return ok
}
