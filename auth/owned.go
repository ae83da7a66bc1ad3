package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

var (
	errNoSecrets = errors.New("auth: there is no secret store; set ChainConfig.Secrets")
	errRemoved   = errors.New("auth: the server has been removed")
)

// ownedID is the id under which a server owns a credential.
const ownedID = "authorization"

// A serverCredential is the credential of the server's own configuration for one tenant. It does not change.
type serverCredential struct {
	*presented        // a value or a reference; nil if there is none, or it is owned
	owned      bool   // it is in the secret store, under a key that belongs to the server
	principal  string // of an owned one
}

// serverCredentials are those of all tenants. It does not change.
type serverCredentials struct {
	byTenant map[string]*serverCredential // what the methods below made of rest
	rest     *serverCredential            // of the tenants that are not in byTenant: ChainConfig.Credential
}

func (s *serverCredentials) of(tenant string) *serverCredential {
	if one, ok := s.byTenant[tenant]; ok {
		return one
	}
	return s.rest
}

// An owner changes what a server owns, one change at a time. Its lock is one that a caller can stop waiting for, since the
// secret store is asked while it is held.
type owner struct {
	lock    chan struct{}
	removed bool // guarded by lock
}

func (o *owner) change(ctx context.Context, f func() error) error {
	select {
	case o.lock <- struct{}{}:
		defer func() { <-o.lock }()
		return f()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Chain) ownedKey(tenant string) SecretKey {
	return SecretKey{Tenant: tenant, Server: c.server, ID: ownedID}
}

// publish makes one the server's own credential for tenant. The caller holds c.owner.lock.
func (c *Chain) publish(tenant string, one *serverCredential) {
	old := c.own.Load()
	byTenant := make(map[string]*serverCredential, len(old.byTenant)+1)
	maps.Copy(byTenant, old.byTenant)
	byTenant[tenant] = one
	c.own.Store(&serverCredentials{byTenant, old.rest})
}

// serverPrincipal is the principal of a server's own credential: one for all values, so that they can be rotated.
func serverPrincipal(c Credential) string {
	switch {
	case c.Principal != "":
		return "server-principal:" + c.Principal
	case c.ID != "":
		return "server-id:" + c.ID
	}
	return "server"
}

// SetServerCredential makes cred the server's own credential for tenant, in the place of the one it had. A value is put
// into [ChainConfig.Secrets] under a key that the server owns: it is deleted from there when another call replaces it, by
// [Chain.ClearServerCredential] and by [Chain.Remove]. A reference leaves the credential that it names to whoever put it
// there; it is kept in memory only. Requests under way use the old credential or the new one. After an error they use the
// old one, except that a reference is in use although the value before it could not be deleted.
func (c *Chain) SetServerCredential(ctx context.Context, tenant string, cred Credential) error {
	if cred.IsZero() {
		return errors.New("auth: SetServerCredential without a credential; use ClearServerCredential to have none")
	}
	p := present(cred)
	return c.changeOwned(ctx, "setting", func() error {
		if _, err := c.check(choice{presented: p}); err != nil {
			return err
		}
		if p.reference() {
			return c.disown(ctx, tenant, &serverCredential{presented: p})
		}
		if err := c.setSecret(ctx, tenant, p.Credential); err != nil {
			return err
		}
		c.secrets.put(c.ownedKey(tenant), p)
		c.publish(tenant, &serverCredential{owned: true, principal: serverPrincipal(cred)})
		return nil
	})
}

// LoadServerCredential takes up the value that [Chain.SetServerCredential] of an earlier process, or of another one, put
// into the secret store for tenant. The error wraps [ErrNotFound] if there is none.
func (c *Chain) LoadServerCredential(ctx context.Context, tenant string) error {
	return c.changeOwned(ctx, "loading", func() error {
		if c.secrets == nil {
			return errNoSecrets
		}
		c.secrets.drop(c.ownedKey(tenant))
		p, err := c.secrets.get(ctx, c.ownedKey(tenant))
		if err != nil {
			return err
		}
		c.publish(tenant, &serverCredential{owned: true, principal: serverPrincipal(p.Credential)})
		return nil
	})
}

// ClearServerCredential leaves tenant without a credential of the server's own, also where [ChainConfig.Credential] is one,
// and deletes the value that the server owns. After an error it is no longer used, and may not be deleted: try again.
func (c *Chain) ClearServerCredential(ctx context.Context, tenant string) error {
	return c.changeOwned(ctx, "clearing", func() error { return c.disown(ctx, tenant, &serverCredential{}) })
}

// Remove deletes every value that the server owns, of the tenants that this chain was told of, and leaves the chain without
// a server credential for good. It is for a server that is removed. After an error some may not be deleted: try again.
func (c *Chain) Remove(ctx context.Context) error {
	return c.owner.change(ctx, func() error {
		c.owner.removed = true
		old := c.own.Load()
		c.own.Store(&serverCredentials{old.byTenant, &serverCredential{}})
		var errs []error
		for tenant := range old.byTenant {
			errs = append(errs, c.disown(ctx, tenant, &serverCredential{}))
		}
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("auth: removing the credentials of server %q: %w", c.server, err)
		}
		return nil
	})
}

func (c *Chain) changeOwned(ctx context.Context, doing string, f func() error) error {
	err := c.owner.change(ctx, func() error {
		if c.owner.removed {
			return errRemoved
		}
		return f()
	})
	if err != nil {
		return fmt.Errorf("auth: %s the credential of server %q: %w", doing, c.server, err)
	}
	return nil
}

// disown makes s the server's own credential for tenant and deletes the one that the server owned, also one that only an
// earlier process knew of. The caller holds c.owner.lock.
func (c *Chain) disown(ctx context.Context, tenant string, s *serverCredential) error {
	owned := c.own.Load().of(tenant).owned
	c.publish(tenant, s)
	if c.secrets == nil {
		return nil
	}
	err := c.setSecret(ctx, tenant, Credential{})
	c.secrets.drop(c.ownedKey(tenant)) // after the deletion: until then a request under way may still find it
	if errors.Is(err, errors.ErrUnsupported) && !owned {
		return nil // a store that cannot be written holds nothing that a server owns
	}
	return err
}

func (c *Chain) setSecret(ctx context.Context, tenant string, cred Credential) error {
	if c.secrets == nil {
		return errNoSecrets
	}
	_, err := recovered("SecretStore.SetSecret", func() (struct{}, error) {
		return struct{}{}, c.secrets.store.SetSecret(ctx, c.ownedKey(tenant), cred)
	})
	return err
}
