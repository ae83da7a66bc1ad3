package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/internal/httptext"
)

// The formats of what is kept in the store. Each has a version, so that processes of two releases can share a store: a
// value of another version, or one that makes no sense, is taken for absent, and the user authorizes once more.
const wireVersion = 1

// A tokenRecord is a user's token with all that is needed to refresh and revoke it, so that it needs no other value and
// goes to no other server than the one it came from.
type tokenRecord struct {
	Version  int          `json:"v"`
	For      string       `json:"for"` // Config.Resource: a server that moves does not get the old one's tokens
	Access   string       `json:"access"`
	Refresh  string       `json:"refresh,omitempty"`
	Obtained time.Time    `json:"obtained"`
	Expiry   time.Time    `json:"expiry,omitzero"`
	Scopes   []string     `json:"scopes,omitempty"` // granted
	Asked    []string     `json:"asked,omitempty"`
	Healed   int          `json:"heals,omitempty"` // how many in a row took the place of one that the MCP server refused
	Resource string       `json:"resource"`        // the resource indicator it was asked for with
	Server   serverRecord `json:"server"`
	Client   clientRecord `json:"client"`
	Key      []byte       `json:"key,omitempty"`   // P-256, in the clear as the tokens are; Refresh may be bound to it (RFC 9449)
	Bound    bool         `json:"bound,omitempty"` // Access is bound to Key
}

// A serverRecord is what is kept of the metadata of an authorization server.
type serverRecord struct {
	Issuer     string   `json:"issuer"`
	Token      string   `json:"token"`
	Revocation string   `json:"revocation,omitempty"`
	Methods    []string `json:"methods,omitempty"`
	Algorithms []string `json:"algorithms,omitempty"`
}

func newServerRecord(m *oauthex.AuthServerMeta) serverRecord {
	return serverRecord{m.Issuer, m.TokenEndpoint, m.RevocationEndpoint, m.TokenEndpointAuthMethodsSupported, m.TokenEndpointAuthSigningAlgValuesSupported}
}

func (s serverRecord) meta() *oauthex.AuthServerMeta {
	return &oauthex.AuthServerMeta{
		Issuer: s.Issuer, TokenEndpoint: s.Token, RevocationEndpoint: s.Revocation,
		TokenEndpointAuthMethodsSupported: s.Methods, TokenEndpointAuthSigningAlgValuesSupported: s.Algorithms,
	}
}

// A clientRecord is a client as an authorization server knows it.
type clientRecord struct {
	Version  int       `json:"v,omitempty"`
	Kind     string    `json:"kind"` // "document", "configured" or "registered"
	ID       string    `json:"id"`
	Secret   string    `json:"secret,omitempty"` // of a registered one; the others' is in the configuration
	Method   string    `json:"method"`           // token_endpoint_auth_method
	Expiry   time.Time `json:"expiry,omitzero"`  // of Secret
	Redirect string    `json:"redirect"`
}

// A pendingRecord is the authorization that a user is asked for.
type pendingRecord struct {
	Version  int       `json:"v"`
	For      string    `json:"for"`
	URL      string    `json:"url"`
	State    string    `json:"state"` // the ID of its stateRecord
	Issuer   string    `json:"issuer"`
	Client   string    `json:"client"`
	Redirect string    `json:"redirect"`
	Resource string    `json:"resource"`
	Scopes   []string  `json:"scopes,omitempty"`
	Expiry   time.Time `json:"expiry"`
}

// A stateRecord is what any process needs to finish an authorization that was started.
type stateRecord struct {
	Version  int          `json:"v"`
	For      string       `json:"for"`
	Tenant   string       `json:"tenant,omitempty"`
	User     string       `json:"user"`
	Verifier string       `json:"verifier"`
	Server   serverRecord `json:"server"`
	Iss      bool         `json:"iss,omitempty"` // the server promised to name itself in its response (RFC 9207)
	Client   clientRecord `json:"client"`
	Resource string       `json:"resource"`
	Scopes   []string     `json:"scopes,omitempty"`
	Key      []byte       `json:"key,omitempty"` // what the token is to be bound to
	Expiry   time.Time    `json:"expiry"`
}

// A bindingRecord is the authorization server that a configured client secret is for.
type bindingRecord struct {
	Version int    `json:"v"`
	Issuer  string `json:"issuer"`
}

var errFormat = errors.New("the stored value is not of this version's format")

// decodeRecord reads a stored value. Records are structs of the kinds above; valid says whether one is complete.
func decodeRecord[T interface{ valid() bool }](data []byte) (T, error) {
	var r T
	if json.Unmarshal(data, &r) != nil || !r.valid() {
		var zero T
		return zero, errFormat
	}
	return r, nil
}

func (r tokenRecord) valid() bool {
	return r.Version == wireVersion && httptext.B64Token(r.Access) && r.For != "" && r.Server.Issuer != "" && r.Server.Token != "" &&
		validProofKey(r.Key) && (!r.Bound || len(r.Key) > 0)
}
func (r clientRecord) valid() bool {
	return r.Version == wireVersion && r.ID != "" && r.Kind != "" && r.Method != ""
}
func (r pendingRecord) valid() bool { return r.Version == wireVersion && r.URL != "" && r.State != "" }
func (r stateRecord) valid() bool {
	return r.Version == wireVersion && r.User != "" && r.Verifier != "" && r.Server.Issuer != "" && r.Server.Token != "" && r.Client.ID != "" &&
		validProofKey(r.Key)
}
func (r bindingRecord) valid() bool { return r.Version == wireVersion && r.Issuer != "" }

func (c *Client) tokenKey(o owner) auth.TokenKey {
	return auth.TokenKey{Kind: "token", Tenant: o.tenant, User: o.user, Server: c.cfg.Server}
}

func (c *Client) pendingKey(o owner) auth.TokenKey {
	return auth.TokenKey{Kind: "pending", Tenant: o.tenant, User: o.user, Server: c.cfg.Server}
}

// stateKey names the stateRecord with an ID of [stateID]. It cannot name the user: who that is, is in the record.
func (c *Client) stateKey(id string) auth.TokenKey {
	return auth.TokenKey{Kind: "state", Server: c.cfg.Server, ID: id}
}

// stateID keeps the state itself out of keys, which stores may show in file names and logs.
func stateID(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:])
}

// load reads a value; nil says that there is none that is of use.
func load[T interface{ valid() bool }](ctx context.Context, c *Client, key auth.TokenKey) (*T, error) {
	data, err := c.cfg.Store.Load(ctx, key)
	switch {
	case errors.Is(err, auth.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("loading the %s: %w", key.Kind, err)
	}
	r, err := decodeRecord[T](data)
	if err != nil {
		c.log.Warn("oauth: a stored value is taken for absent", "kind", key.Kind, "tenant", key.Tenant, "user", key.User, "err", err)
		return nil, nil
	}
	return &r, nil
}

// store writes a value that may be forgotten at expiry; the zero time keeps it.
func store(ctx context.Context, c *Client, key auth.TokenKey, record any, expiry time.Time) error {
	data, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("saving the %s: %w", key.Kind, err)
	}
	var ttl time.Duration
	if !expiry.IsZero() {
		ttl = max(time.Until(expiry), time.Second) // 0 would keep it
	}
	if err := c.cfg.Store.Save(ctx, key, data, ttl); err != nil {
		return fmt.Errorf("saving the %s: %w", key.Kind, err)
	}
	return nil
}

func (c *Client) remove(ctx context.Context, key auth.TokenKey) error {
	if err := c.cfg.Store.Save(ctx, key, nil, 0); err != nil {
		return fmt.Errorf("deleting the %s: %w", key.Kind, err)
	}
	return nil
}

// loadToken returns the token of o that is for this server and of an issuer that is accepted, or nil.
func (c *Client) loadToken(ctx context.Context, o owner) (*tokenRecord, error) {
	r, err := load[tokenRecord](ctx, c, c.tokenKey(o))
	if r == nil || err != nil {
		return nil, err
	}
	if r.For != c.cfg.Resource || c.cfg.Issuer != "" && !sameIssuer(r.Server.Issuer, c.cfg.Issuer) {
		c.log.Warn("oauth: the stored token belongs to another address or issuer of the server and is not used", "tenant", o.tenant, "user", o.user)
		return nil, nil
	}
	return r, nil
}

// recall brings the token of o from the store to memory, without the lock of o.
func (c *Client) recall(ctx context.Context, o owner) (*token, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	r, err := c.loadToken(ctx, o)
	if err != nil {
		return nil, err
	}
	return c.cache.learn(o, c.token(r)), nil
}

// save keeps a token that was just obtained, and only then gives it out. If the store fails, the token is kept in memory
// and saved by the next attempt: with its refresh token the authorization would be lost, as the one before is used up.
// The lock of o must be held.
func (c *Client) save(ctx context.Context, o owner, r *tokenRecord) (*token, error) {
	var expiry time.Time
	if r.Refresh == "" {
		expiry = r.Expiry
	}
	c.mu.Lock()
	c.unsaved[o] = r // first: a store that panics must not cost the token either
	c.mu.Unlock()
	err := store(ctx, c, c.tokenKey(o), r, expiry)
	if err == nil || errors.Is(err, auth.ErrLockLost) { // then somebody else has saved since: the next call finds theirs
		c.mu.Lock()
		delete(c.unsaved, o)
		c.mu.Unlock()
	}
	if err != nil {
		return nil, newError("store", c.cfg.Server, r.Server.Issuer, err)
	}
	c.failures.forget(o)
	return c.adopt(o, r), nil
}

// settle saves what save could not, unless somebody else has got a newer token since. The lock of o must be held.
func (c *Client) settle(ctx context.Context, o owner) error {
	c.mu.Lock()
	r := c.unsaved[o]
	c.mu.Unlock()
	if r == nil {
		return nil
	}
	stored, err := load[tokenRecord](ctx, c, c.tokenKey(o))
	if err != nil {
		return err
	}
	if stored == nil || !stored.Obtained.After(r.Obtained) {
		_, err = c.save(ctx, o, r)
		return err
	}
	c.mu.Lock()
	delete(c.unsaved, o)
	c.mu.Unlock()
	return nil
}

// adopt gives out a token that is in the store, or keeps in mind that there is none. The lock of o must be held.
func (c *Client) adopt(o owner, r *tokenRecord) *token {
	t := c.token(r)
	c.cache.put(o, t)
	if t != nil {
		c.rooms.wake(o, nil)
	}
	return t
}

// drop deletes the token of o. The lock of o must be held.
func (c *Client) drop(ctx context.Context, o owner) error {
	c.mu.Lock()
	delete(c.unsaved, o)
	c.mu.Unlock()
	if err := c.remove(ctx, c.tokenKey(o)); err != nil {
		return newError("store", c.cfg.Server, "", err)
	}
	c.cache.put(o, nil)
	return nil
}

func (c *Client) token(r *tokenRecord) *token {
	if r == nil {
		return nil
	}
	t := &token{access: auth.NewSecret(r.Access), end: r.Expiry, renewable: r.Refresh != "" || !c.grant.interactive()}
	if !r.Expiry.IsZero() {
		t.due = r.Expiry.Add(-min(c.cfg.RefreshAhead, r.Expiry.Sub(r.Obtained)/5))
	}
	if r.Bound {
		t.key, _ = parseProofKey(r.Key) // which is valid
	}
	return t
}

func (r *tokenRecord) expired() bool { return !r.Expiry.IsZero() && !time.Now().Before(r.Expiry) }

// newToken checks what an authorization server issued, and makes the record of it.
func (c *Client) newToken(t *oauth2.Token, want request, client clientRecord) (*tokenRecord, error) {
	bound := t != nil && len(want.key) > 0 && strings.EqualFold(t.TokenType, "dpop")
	switch {
	case t == nil || !httptext.B64Token(t.AccessToken) || len(t.AccessToken) > 64<<10:
		return nil, fmt.Errorf("the access_token is malformed (RFC 6750 section 2.1): %w", ErrTokenResponse)
	case !bound && t.TokenType != "" && !strings.EqualFold(t.TokenType, "bearer"):
		return nil, fmt.Errorf("the token_type is not one that was asked for: %w", ErrTokenResponse)
	}
	r := &tokenRecord{
		Version: wireVersion, For: c.cfg.Resource, Access: t.AccessToken, Obtained: time.Now(), Expiry: t.Expiry,
		Asked: want.scopes, Scopes: want.scopes, Resource: want.resource, Server: newServerRecord(want.server), Client: client,
		Key: want.key, Bound: bound,
	}
	r.Client.Version = 0
	if scope, ok := t.Extra("scope").(string); ok {
		r.Scopes = slices.DeleteFunc(strings.Fields(scope), func(s string) bool { return !isScope(s) })
	}
	if c.grant.interactive() { // the other grants ask anew, with authentication of their own
		r.Refresh = t.RefreshToken
	}
	return r, nil
}
