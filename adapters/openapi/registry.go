package openapi

import (
	"context"
	"net/http"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// Add reads the document at source, a path or an https URL, and adds it to reg as the server cfg.Name: its operations are
// tools like any other. cfg.Server is set by Add; everything else of cfg holds as for other servers. opts may be nil; its
// Progress is told how far the server is built.
//
// Without Options.Authorize requests carry the credential that the registry has for the server: of the agent, of
// cfg.Credential or cfg.OAuth, or one that the call's request names by id. A value that a request brings itself cannot reach
// an in-memory server: such calls fail with [auth.ErrRequestEnded] in the result.
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
	if o.Authorize == nil {
		o.Authorize = func(ctx context.Context, r *http.Request) error {
			chain, err := reg.Auth(cfg.Name)
			if err != nil || chain == nil {
				return err
			}
			return authorizeFrom(ctx, chain, r)
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
	return reg.Add(ctx, cfg)
}

// authorizeFrom adds what chain has for the user of ctx.
func authorizeFrom(ctx context.Context, chain *auth.Chain, r *http.Request) error {
	key, _ := session.FromContext(ctx)
	resolution, err := chain.Resolve(ctx, key)
	if err != nil {
		return err
	}
	for name, values := range resolution.Header() {
		r.Header[name] = append([]string(nil), values...)
	}
	return nil
}
