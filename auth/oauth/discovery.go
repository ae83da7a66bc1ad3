package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfleet/mcpfleet/internal/httptext"
)

const (
	maxServers = 5   // authorization servers that are tried
	maxScopes  = 200 // scopes of one challenge or document
)

// A discovery is what an MCP server says about who may issue tokens for it. It does not change.
type discovery struct {
	server   *oauthex.AuthServerMeta
	resource string   // as the server spells it
	scopes   []string // scopes_supported of the resource

	proofs     bool // both servers take tokens that are bound to a key, as far as they say so (RFC 9449 section 5.1)
	proofsOnly bool // dpop_bound_access_tokens_required (RFC 9728 section 2)
}

// stepUpLife is for how long what was discovered for a step-up serves the next ones of the same owner. A server may name
// scopes that are not to be had as often as it likes, and others each time.
const stepUpLife = time.Minute

// A recentDiscovery is that of the last step-up of an owner.
type recentDiscovery struct {
	*discovery
	until time.Time
}

// discoverFor is discover for a refusal.
func (c *Client) discoverFor(ctx context.Context, o owner, ref refusal, known string) (*discovery, error) {
	e := c.cache.entry(o)
	if !ref.stepUp || e == nil {
		return c.discover(ctx, ref.challenges, known)
	}
	if d := e.stepUp.Load(); d != nil && time.Now().Before(d.until) && (known == "" || sameIssuer(known, d.server.Issuer)) {
		return d.discovery, nil
	}
	d, err := c.discover(ctx, ref.challenges, known)
	if err == nil {
		e.stepUp.Store(&recentDiscovery{d, time.Now().Add(stepUpLife)})
	}
	return d, err
}

// discover finds the authorization server of the MCP server: from the metadata that the challenge points to or that lies
// at a well-known place (RFC 9728), or, for a server that has none, at its own origin (MCP 2025-03-26). Of several that
// are named it prefers the one of the token that is there, so that users are not asked again when a list is reordered.
func (c *Client) discover(ctx context.Context, challenges challenges, known string) (*discovery, error) {
	if f, ok := c.grant.(fixed); ok {
		if server := f.fixed(&c.cfg); server != nil {
			return &discovery{server: server, resource: c.cfg.Resource, proofs: true}, nil
		}
	}
	found, err := c.web.resource(ctx, c.resource, challenges.metadata())
	if err != nil {
		return nil, newError("discovery", c.cfg.Server, "", err)
	}
	if found == nil {
		return c.discoverWithout(ctx)
	}
	servers := slices.Clone(found.AuthorizationServers)
	if pin := c.cfg.Issuer; pin != "" {
		if !slices.ContainsFunc(servers, func(s string) bool { return sameIssuer(s, pin) }) {
			return nil, newError("discovery", c.cfg.Server, pin, fmt.Errorf("the MCP server does not name it: %w", ErrIssuerMismatch))
		}
		servers = []string{pin}
	}
	if i := slices.IndexFunc(servers, func(s string) bool { return sameIssuer(s, known) }); i > 0 {
		servers[0], servers[i] = servers[i], servers[0]
	}
	var first error
	for _, issuer := range servers[:min(len(servers), maxServers)] {
		meta, err := c.web.issuer(ctx, issuer)
		if err == nil {
			takes := found.DPOPSigningAlgValuesSupported
			return &discovery{
				&meta.AuthServerMeta, found.Resource, found.ScopesSupported,
				meta.proofs() && (len(takes) == 0 || slices.Contains(takes, proofAlgorithm)), found.DPOPBoundAccessTokensRequired,
			}, nil
		}
		if first == nil {
			first = newError("discovery", c.cfg.Server, issuer, err)
		}
		if !errors.Is(err, ErrMetadata) {
			break // another server does not make this one better
		}
	}
	return nil, first
}

// discoverWithout is discovery for servers that know nothing of RFC 9728: MCP 2025-03-26, basic/authorization, sections
// 2.3.2 (metadata at the server's origin) and 2.3.3 (default endpoints).
func (c *Client) discoverWithout(ctx context.Context) (*discovery, error) {
	if pin := c.cfg.Issuer; pin != "" {
		meta, err := c.web.issuer(ctx, pin)
		if err != nil {
			return nil, newError("discovery", c.cfg.Server, pin, err)
		}
		return &discovery{server: &meta.AuthServerMeta, resource: c.cfg.Resource, proofs: meta.proofs()}, nil
	}
	origin := originOf(c.resource)
	meta, err := c.web.issuer(ctx, origin)
	if errors.Is(err, errAbsent) {
		meta = &serverMeta{AuthServerMeta: oauthex.AuthServerMeta{
			Issuer:                        origin,
			AuthorizationEndpoint:         origin + "/authorize",
			TokenEndpoint:                 origin + "/token",
			RegistrationEndpoint:          origin + "/register",
			CodeChallengeMethodsSupported: []string{"S256"}, // which that revision demands
		}}
		err = c.web.endpoints(meta)
	}
	if err != nil {
		return nil, newError("discovery", c.cfg.Server, origin, err)
	}
	return &discovery{server: &meta.AuthServerMeta, resource: c.cfg.Resource, proofs: meta.proofs()}, nil
}

// resource returns the metadata of a protected resource, or nil if the server has none.
func (w *web) resource(ctx context.Context, resource *url.URL, advertised string) (*oauthex.ProtectedResourceMetadata, error) {
	if advertised != "" {
		u, err := url.Parse(advertised)
		if err != nil || !httptext.SameOrigin(u, resource) || u.User != nil {
			if err := w.endpoint("resource_metadata", advertised); err != nil {
				return nil, err
			}
		}
		prm := new(oauthex.ProtectedResourceMetadata)
		err = w.get(ctx, advertised, prm)
		if err == nil {
			return w.checkResource(prm, advertised, resource)
		}
		if !errors.Is(err, errAbsent) {
			return nil, err
		}
	}
	var unusable error
	for _, address := range wellKnown(resource) {
		prm := new(oauthex.ProtectedResourceMetadata)
		err := w.get(ctx, address, prm)
		switch {
		case err == nil:
			return w.checkResource(prm, address, resource)
		case errors.Is(err, errAbsent):
		case errors.Is(err, ErrMetadata):
			unusable = errors.Join(unusable, err)
		default:
			return nil, err
		}
	}
	switch {
	case advertised != "":
		return nil, fmt.Errorf("%s, which the MCP server points to, is not there: %w", place(advertised), ErrMetadata)
	case unusable != nil:
		return nil, unusable
	}
	return nil, nil
}

// wellKnown returns where the metadata of a resource may lie (RFC 9728 section 3.1): for its path, then for the origin.
func wellKnown(resource *url.URL) []string {
	const place = "/.well-known/oauth-protected-resource"
	origin := originOf(resource)
	path := resource.EscapedPath()
	if path == "/" {
		path = ""
	}
	if resource.RawQuery != "" {
		path += "?" + resource.RawQuery
	}
	if path == "" {
		return []string{origin + place}
	}
	return []string{origin + place + path, origin + place}
}

// checkResource checks that prm, which was found at address, is about the resource. What lies at the root speaks for the
// origin, and what lies elsewhere only for the very resource: several may share a host, and must not get each other's
// tokens.
func (w *web) checkResource(prm *oauthex.ProtectedResourceMetadata, address string, resource *url.URL) (*oauthex.ProtectedResourceMetadata, error) {
	origin := originOf(resource)
	ok := oauthex.MatchesResource([]string{prm.Resource}, resource.String()) ||
		address == origin+"/.well-known/oauth-protected-resource" && oauthex.MatchesResource([]string{prm.Resource}, origin)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: %w", place(address), ErrResourceMismatch)
	case len(prm.AuthorizationServers) == 0:
		return nil, fmt.Errorf("%s names no authorization server: %w", place(address), ErrMetadata)
	}
	for _, s := range prm.AuthorizationServers {
		if err := w.endpoint("authorization_servers", s); err != nil {
			return nil, fmt.Errorf("%s: %w", place(address), err)
		}
	}
	var err error
	if prm.ScopesSupported, err = checkScopes(prm.ScopesSupported); err != nil {
		return nil, fmt.Errorf("%s: %w", place(address), err)
	}
	return prm, nil
}

// A serverMeta is the metadata of an authorization server with the field that package oauthex leaves out.
type serverMeta struct {
	oauthex.AuthServerMeta
	ProofAlgorithms []string `json:"dpop_signing_alg_values_supported"` // RFC 9449 section 5.1
}

func (m *serverMeta) proofs() bool { return slices.Contains(m.ProofAlgorithms, proofAlgorithm) }

// issuer returns the metadata of an authorization server. The error wraps errAbsent and [ErrMetadata] if all places where
// it could lie answer that it is not there.
func (w *web) issuer(ctx context.Context, issuer string) (*serverMeta, error) {
	if err := w.endpoint("the issuer", issuer); err != nil {
		return nil, err
	}
	u, _ := url.Parse(issuer) // endpoint has done so too
	if u.RawQuery != "" {
		return nil, fmt.Errorf("the issuer holds a query: %w", ErrInsecureURL)
	}
	var unusable error
	for _, address := range metadataPlaces(u) {
		meta := new(serverMeta)
		err := w.get(ctx, address, meta)
		switch {
		case err == nil:
			return meta, w.checkServer(meta, issuer)
		case errors.Is(err, errAbsent):
		case errors.Is(err, ErrMetadata):
			unusable = errors.Join(unusable, err)
		default:
			return nil, err
		}
	}
	if unusable != nil {
		return nil, unusable
	}
	return nil, fmt.Errorf("there is no metadata (RFC 8414): %w (%w)", ErrMetadata, errAbsent)
}

// metadataPlaces returns where the metadata of an issuer may lie, in the order of MCP 2025-11-25, basic/authorization,
// "Authorization Server Metadata Discovery".
func metadataPlaces(issuer *url.URL) []string {
	const oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	origin := originOf(issuer)
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	if path == "" {
		return []string{origin + oauth, origin + openid}
	}
	return []string{origin + oauth + path, origin + openid + path, origin + path + openid}
}

// checkServer checks the metadata of the authorization server issuer.
func (w *web) checkServer(meta *serverMeta, issuer string) error {
	if !sameIssuer(meta.Issuer, issuer) {
		return fmt.Errorf("the metadata names another: %w", ErrIssuerMismatch)
	}
	return w.endpoints(meta)
}

// endpoints checks the URLs of meta that this package uses. Whether the ones that a grant needs are there is for the
// grant to say.
func (w *web) endpoints(meta *serverMeta) error {
	for _, e := range []struct{ field, address string }{
		{"authorization_endpoint", meta.AuthorizationEndpoint},
		{"token_endpoint", meta.TokenEndpoint},
		{"registration_endpoint", meta.RegistrationEndpoint},
		{"revocation_endpoint", meta.RevocationEndpoint},
	} {
		if e.address == "" {
			continue
		}
		if err := w.endpoint(e.field, e.address); err != nil {
			return err
		}
	}
	if meta.TokenEndpoint == "" {
		return fmt.Errorf("there is no token_endpoint: %w", ErrMetadata)
	}
	return nil
}

// checkScopes refuses what cannot be asked for, as what a server names ends up in a URL that a browser opens.
func checkScopes(scopes []string) ([]string, error) {
	if len(scopes) > maxScopes {
		return nil, fmt.Errorf("it names more than %d scopes: %w", maxScopes, ErrMetadata)
	}
	for _, s := range scopes {
		if !isScope(s) || len(s) > 1<<10 {
			return nil, fmt.Errorf("it names a scope that is none (RFC 6749 section 3.3): %w", ErrMetadata)
		}
	}
	return scopes, nil
}

// originOf returns the scheme, host and port of u, as u spells them.
func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }
