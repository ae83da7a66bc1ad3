package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Diff is what a reload changed, by server name, in the order of the configuration.
type Diff struct {
	Added, Removed, Updated, Unchanged []string
}

// Empty reports whether nothing changed.
func (d Diff) Empty() bool { return len(d.Added)+len(d.Removed)+len(d.Updated) == 0 }

// Reload makes the servers of cfg those of the registry. Everything new is built first, and required servers among it are
// connected to; then all of it takes effect at once. On an error nothing has changed.
//
// Servers whose configuration is the same, after defaults, keep their group with its sessions. Calls that are under way on
// a server that was replaced or removed go on to their end, for at most [RegistryOptions.DrainTimeout]; then its sessions
// are closed. Tools that were listed before go to the new server of that name.
func (r *Registry) Reload(ctx context.Context, cfg *Config) (Diff, error) {
	if err := r.lock(ctx); err != nil {
		return Diff{}, err
	}
	defer r.unlock()
	return r.apply(ctx, cfg.Servers)
}

// Add adds a server, as the last in the order of precedence. It fails if there is one of that name.
func (r *Registry) Add(ctx context.Context, cfg ServerConfig) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	if r.fleet.Load().byName[cfg.Name] != nil {
		return &ConfigError{Server: cleanText(cfg.Name, 64), Field: "Name", Reason: "there is a server of this name; remove it first, or use Reload"}
	}
	_, err := r.apply(ctx, append(r.configs(), cfg))
	return err
}

// Remove removes a server. Calls under way end as after [Registry.Reload]. Credentials that the server owns in
// [RegistryOptions.Secrets] are deleted; those it only refers to stay.
func (r *Registry) Remove(ctx context.Context, server string) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	m := r.fleet.Load().byName[server]
	if m == nil {
		return noServer("remove", server)
	}
	configs := r.configs()
	for i := range configs {
		if configs[i].Name == server {
			configs = append(configs[:i], configs[i+1:]...)
			break
		}
	}
	if _, err := r.apply(ctx, configs); err != nil {
		return err
	}
	if m.chain != nil && r.opts.Secrets != nil {
		if err := m.chain.Remove(ctx); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("mcpgroup: the server %q is removed, but not the credentials it owns: %w", server, err)
		}
	}
	return nil
}

func (r *Registry) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil { // select would choose at random
		return err
	}
	select {
	case r.change <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.closed.Load() {
		<-r.change
		return ErrClosed
	}
	return nil
}

func (r *Registry) unlock() { <-r.change }

// configs returns what the registry is made of. The caller holds change.
func (r *Registry) configs() []ServerConfig {
	members := r.fleet.Load().members
	configs := make([]ServerConfig, len(members), len(members)+1)
	for i, m := range members {
		configs[i] = m.cfg
	}
	return configs
}

// apply is Reload. The caller holds change.
func (r *Registry) apply(ctx context.Context, configs []ServerConfig) (diff Diff, err error) {
	old := r.fleet.Load()
	next := &fleet{byName: make(map[string]*member, len(configs))}
	var built, replaced []*member
	applied := false
	defer func() {
		if applied { // and not if RegistryOptions.Options panics
			return
		}
		for _, m := range built {
			if m.group != nil {
				m.group.Close()
			}
		}
	}()
	var errs []error
	folded := make(map[string]bool, len(configs)) // names of tools differ by more than case, and may begin with their server's
	for _, cfg := range configs {
		if cfg.Name == serviceName && r.service != nil {
			errs = append(errs, &ConfigError{Server: cfg.Name, Field: "Name", Reason: "is the name of the registry's own tools; choose another"})
			continue
		}
		if folded[strings.ToLower(cfg.Name)] {
			errs = append(errs, &ConfigError{Server: cfg.Name, Field: "Name", Reason: "two servers have this name, or one that differs in case only"})
			continue
		}
		folded[strings.ToLower(cfg.Name)] = true
		before := old.byName[cfg.Name]
		m := before
		switch {
		case before == nil:
			diff.Added = append(diff.Added, cfg.Name)
		case sameServer(before.cfg, cfg):
			diff.Unchanged = append(diff.Unchanged, cfg.Name)
		default:
			diff.Updated = append(diff.Updated, cfg.Name)
			replaced = append(replaced, before)
			m = nil
		}
		if m == nil {
			var err error
			if m, err = r.build(cfg); err != nil {
				errs = append(errs, err)
				continue
			}
			built = append(built, m)
		}
		next.members = append(next.members, m)
		next.byName[cfg.Name] = m
	}
	for _, m := range old.members {
		if next.byName[m.cfg.Name] == nil {
			diff.Removed = append(diff.Removed, m.cfg.Name)
			replaced = append(replaced, m)
		}
	}
	if len(errs) > 0 {
		return Diff{}, errors.Join(errs...)
	}
	if err := r.warmUp(ctx, built); err != nil {
		return Diff{}, err
	}

	for _, m := range built {
		m.live.Store(true)
	}
	applied = true
	r.fleet.Store(next)
	for _, m := range replaced {
		if r.pins != nil && next.byName[m.cfg.Name] == nil {
			r.pins.forget(m.cfg.Name)
		}
		r.drain(m)
	}
	if !diff.Empty() || !slices.Equal(old.members, next.members) { // names depend on the order
		r.changed()
	}
	return diff, nil
}

// sameServer reports whether two configs describe the same server: also if one spells a default out.
func sameServer(a, b ServerConfig) bool {
	if a.Server != b.Server {
		return false
	}
	a.Server, b.Server = nil, nil // which must not be looked into
	if reflect.DeepEqual(a, b) {
		return true
	}
	return reflect.DeepEqual(a.normal(), b.normal())
}

// normal returns c with the defaults of its limits filled in, and empty maps and slices as nil.
func (c ServerConfig) normal() ServerConfig {
	c.fillDefaults()
	for _, m := range []*map[string]string{&c.Env, &c.Headers, &c.Labels, &c.OAuth} {
		if len(*m) == 0 {
			*m = nil
		}
	}
	for _, s := range []*[]string{&c.Args, &c.Include, &c.Exclude} {
		if len(*s) == 0 {
			*s = nil
		}
	}
	if len(c.Overrides) == 0 {
		c.Overrides = nil
	}
	return c
}

// warmUp connects to the required servers, and fails if one cannot be reached. With WarmUp it connects to the others as
// well, in the background.
func (r *Registry) warmUp(ctx context.Context, built []*member) error {
	var required, others []*member
	for _, m := range built {
		switch {
		case m.group == nil:
		case m.cfg.Required:
			required = append(required, m)
		default:
			others = append(others, m)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	err := r.each(required, func(m *member) error {
		if err := r.reach(ctx, m); err != nil {
			return fmt.Errorf("mcpgroup: the required server %q cannot be reached: %w", m.cfg.Name, err)
		}
		return nil
	})
	if err != nil || !r.opts.WarmUp {
		return err
	}
	for _, m := range others {
		r.keepTrying(m)
	}
	return nil
}

// drain closes a member when the last operation on it has ended.
func (r *Registry) drain(m *member) {
	unused := m.retire()
	if m.group == nil {
		return
	}
	r.background(func() {
		limit := time.NewTimer(r.opts.DrainTimeout)
		defer limit.Stop()
		select {
		case <-unused:
		case <-limit.C:
			r.log.Warn("mcpgroup: closing a replaced server with calls still running", "server", m.cfg.Name)
		case <-r.life.Done():
		}
		if err := m.group.Close(); err != nil {
			r.log.Warn("mcpgroup: a replaced server was not closed in order", "server", m.cfg.Name, "error", redact(err))
		}
	})
}
