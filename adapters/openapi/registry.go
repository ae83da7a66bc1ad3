package openapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// Add reads the document at source, a path or an https URL, and adds it to reg as the server cfg.Name: its operations are
// tools like any other. cfg.Server is set by Add; everything else of cfg holds as for other servers. opts may be nil; its
// Progress is told how far the server is built.
//
// Without Options.Authorize requests carry the credential that the registry has for the server: of the agent, of
// cfg.Credential or cfg.OAuth, or one that the call's request names by id. If the API answers 401, the credential is renewed,
// once for all callers of a principal, and the request is sent once more; so it is if the answer is 403 and names the scope that
// is lacking. A user who must authorize first is asked by the provider, as package auth/oauth does with
// AuthorizationCode.Prompt: the [auth.AuthRequiredError] itself gets no further than Options.Logger. A value that a request
// brings itself is used while that request runs, except where cfg.Shared is set: then such calls send nothing, and the log says
// [auth.ErrRequestEnded].
func Add(ctx context.Context, reg *mcpgroup.Registry, cfg mcpgroup.ServerConfig, source string, parse *ParseOptions, opts *Options) error {
	doc, err := Load(ctx, source, parse)
	if err != nil {
		return err
	}
	return AddDocument(ctx, reg, cfg, doc, opts)
}

// AddDocument is [Add] for a document that was read before.
func AddDocument(ctx context.Context, reg *mcpgroup.Registry, cfg mcpgroup.ServerConfig, doc *Document, opts *Options) error {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	// The chain of this server and no other: once another has its name, a call that is under way must not bring this API
	// what is for that one.
	chain := sync.OnceValues(func() (*auth.Chain, error) { return reg.Auth(cfg.Name) })
	if o.Authorize == nil {
		o.Authorize = func(ctx context.Context, r *http.Request) error {
			chain, err := chain()
			if err != nil || chain == nil {
				return err
			}
			return authorizeFrom(ctx, chain, cfg.Name, r)
		}
		o.refused = func(ctx context.Context, r *http.Request, res *http.Response) (bool, error) {
			chain, err := chain()
			if err != nil || chain == nil {
				return false, err
			}
			key, _ := session.FromContext(ctx)
			return chain.Refused(ctx, key, auth.Refusal{
				StatusCode: res.StatusCode, Challenges: res.Header.Values("WWW-Authenticate"),
				DPoPNonce: res.Header.Get("DPoP-Nonce"), Sent: r.Header,
			})
		}
	}
	server, err := NewServer(doc, &o)
	if err != nil {
		return err
	}
	cfg.Server = server
	if cfg.Description == "" {
		cfg.Description, _ = doc.Title()
	}
	if err := reg.Add(ctx, cfg); err != nil {
		return err
	}
	_, _ = chain() // if it has been removed again, its calls are told
	return nil
}

// authorizeFrom adds what chain has for the user of ctx. A credential without header fields is an error: the request would
// go without any.
func authorizeFrom(ctx context.Context, chain *auth.Chain, server string, r *http.Request) error {
	key, _ := session.FromContext(ctx)
	resolution, err := chain.ResolveFor(ctx, key, r)
	if err != nil {
		return err
	}
	header := resolution.Header()
	if source := resolution.Source; len(header) == 0 && source != auth.SourceNone && source != auth.SourceOAuth {
		return &auth.SourceError{Server: server, Source: source, ID: resolution.ID, Err: errors.New("it has no header fields, which is what an API takes")}
	}
	for name, values := range header {
		r.Header[name] = slices.Clone(values)
	}
	return nil
}
