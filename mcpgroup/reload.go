package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
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
//
// Changes wait for each other. One in a callback of another one would wait for itself: it panics in what connects to a
// required server, whose context tells, and waits until its own context ends in [RegistryOptions.Options].
func (r *Registry) Reload(ctx context.Context, cfg *Config) (Diff, error) {
	h, err := r.lock(ctx, "Reload")
	if err != nil {
		return Diff{}, err
	}
	defer r.unlock()
	return r.apply(ctx, h, cfg.Servers)
}

// Add adds a server, as the last in the order of precedence. It fails if there is one of that name.
func (r *Registry) Add(ctx context.Context, cfg ServerConfig) error {
	h, err := r.lock(ctx, "Add")
	if err != nil {
		return err
	}
	defer r.unlock()
	if r.fleet.Load().byName[cfg.Name] != nil {
		return &ConfigError{Server: cleanText(cfg.Name, 64), Field: "Name", Reason: "there is a server of this name; remove it first, or use Reload"}
	}
	_, err = r.apply(ctx, h, append(r.configs(), cfg))
	return err
}

// Remove removes a server. Calls under way end as after [Registry.Reload]. Credentials that the server owns in
// [RegistryOptions.Secrets] are deleted; those it only refers to stay.
func (r *Registry) Remove(ctx context.Context, server string) error {
	h, err := r.lock(ctx, "Remove")
	if err != nil {
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
	if _, err := r.apply(ctx, h, configs); err != nil {
		return err
	}
	if m.chain != nil && r.opts.Secrets != nil {
		if err := m.chain.Remove(h.within(ctx)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("mcpgroup: the server %q is removed, but not the credentials it owns: %w", server, err)
		}
	}
	return nil
}

// configs returns what the registry is made of. The caller holds change.
func (r *Registry) configs() []ServerConfig {
	members := r.fleet.Load().members
	configs := make([]ServerConfig, len(members), len(members)+1)
	for i, m := range members {
		configs[i] = m.cfg
	}
	return configs
}

// apply is Reload. The caller holds change, as h.
func (r *Registry) apply(ctx context.Context, h *holder, configs []ServerConfig) (diff Diff, err error) {
	old := r.fleet.Load()
	next := &fleet{byName: make(map[string]*member, len(configs))}
	var built, replaced []*member
	applied := false
	drop := sync.OnceFunc(func() {
		if !applied {
			discard(built)
		}
	})
	defer drop() // also if RegistryOptions.Options panics
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
	// From here on Close waits for the end of this; not before, since the host may close the registry in a callback, and
	// nothing is connected until now.
	if !r.begin() {
		return Diff{}, ErrClosed
	}
	defer r.tasks.Done()
	defer drop() // before the end
	if err := r.connect(h.within(ctx), built); err != nil {
		return Diff{}, err
	}
	for _, m := range built {
		m.live.Store(true)
	}
	if applied = r.install(next); !applied {
		return Diff{}, ErrClosed
	}
	if r.opts.WarmUp {
		for _, m := range built {
			if m.group != nil && !m.cfg.Required {
				r.keepTrying(m)
			}
		}
	}
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

// connect connects to the required servers, and fails if one cannot be reached.
func (r *Registry) connect(ctx context.Context, built []*member) error {
	var required []*member
	for _, m := range built {
		if m.group != nil && m.cfg.Required {
			required = append(required, m)
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
	if err != nil && r.life.Err() != nil {
		return ErrClosed
	}
	return err
}

// install makes next what the registry consists of. It reports false if the registry is closed.
func (r *Registry) install(next *fleet) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return false
	}
	r.fleet.Store(next)
	return true
}

// farewell is how long whoever reloads or closes a registry waits for servers that were not wanted after all. One that hangs
// takes longer to end a session, which is bounded: see closeBound.
const farewell = time.Second

// discard closes members that have never been part of a registry.
func discard(members []*member) {
	var wg sync.WaitGroup
	for _, m := range members {
		if m.group != nil {
			m.retire()
			wg.Go(func() { _ = m.group.Close() }) // nobody has used it
		}
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	enough := time.NewTimer(farewell)
	defer enough.Stop()
	select {
	case <-ended:
	case <-enough.C:
	}
}

// drain closes a member when the last operation on it has ended.
func (r *Registry) drain(m *member) {
	unused := m.retire()
	if m.group == nil {
		return
	}
	closing := func() {
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
	}
	if !r.background(closing) { // the registry is closed, so that nothing is waited for
		closing()
	}
}
