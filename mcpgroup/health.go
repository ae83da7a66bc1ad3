package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// ServerState is what is known about a server of a registry.
type ServerState string

const (
	StateDisabled     ServerState = "disabled"      // by configuration
	StateIdle         ServerState = "idle"          // nobody has needed it yet
	StateReady        ServerState = "ready"         // the last contact went well
	StateAuthRequired ServerState = "auth required" // it answers, and a user must authorize first
	StateFailing      ServerState = "failing"       // the last contact failed; what it had before is still listed
)

// ServerStatus is a snapshot of one server of a registry.
type ServerStatus struct {
	Status
	State       ServerState
	Description string
	Category    string
	Labels      map[string]string
	Required    bool
}

// Status returns a snapshot of every server, in the order of the configuration. It asks the servers nothing.
func (r *Registry) Status() []ServerStatus {
	var all []ServerStatus
	for _, m := range r.fleet.Load().members {
		s := ServerStatus{
			Description: m.cfg.Description, Category: m.cfg.Category, Labels: maps.Clone(m.cfg.Labels), Required: m.cfg.Required,
			State: StateDisabled, Status: Status{Server: m.cfg.Name},
		}
		if m.group != nil {
			s.Status = m.group.Status()
			s.State = s.Status.state()
		}
		all = append(all, s)
	}
	return all
}

func (s *Status) state() ServerState {
	var required *auth.AuthRequiredError
	switch {
	case errors.As(s.LastError, &required):
		return StateAuthRequired
	case s.LastError != nil:
		return StateFailing
	case s.Connected || !s.LastSync.IsZero():
		return StateReady
	}
	return StateIdle
}

// HealthOptions bounds the checks of [Registry.Health]. nil selects the defaults.
type HealthOptions struct {
	Servers  []string      // which to check; none are all
	Timeout  time.Duration // of one attempt; the default is 5 s
	Attempts int           // the default is 3
	Backoff  time.Duration // before the second attempt, and twice as long before each further one; the default is 500 ms
}

// Health is the result of one check.
type Health struct {
	Server   string
	Healthy  bool
	Err      error // why not; nil if it is
	Attempts int
	Duration time.Duration // of all attempts
}

// Health asks servers for their tools and reports which of them answer, in the order of the configuration. Names that the
// registry does not have are reported as [ErrServerNotFound]. A server that wants a user to authorize first is healthy.
//
// The check is made for the user of ctx, or for [RegistryOptions.Service] if ctx names none.
func (r *Registry) Health(ctx context.Context, opts *HealthOptions) []Health {
	var o HealthOptions
	if opts != nil {
		o = *opts
	}
	setDefault(&o.Timeout, 5*time.Second)
	setDefault(&o.Attempts, 3)
	o.Attempts = max(o.Attempts, 1) // what was not asked is not healthy
	setDefault(&o.Backoff, 500*time.Millisecond)
	names := o.Servers
	if len(names) == 0 {
		names = r.Names()
	}
	results := make([]Health, len(names))
	var wg sync.WaitGroup
	slots := make(chan struct{}, r.opts.Concurrency)
	for i, name := range names {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = r.check(ctx, name, o)
		})
	}
	wg.Wait()
	return results
}

func (r *Registry) check(ctx context.Context, server string, o HealthOptions) Health {
	h := Health{Server: server}
	start := time.Now()
	for h.Attempts < o.Attempts {
		if h.Attempts > 0 && !sleepFor(ctx, o.Backoff<<(h.Attempts-1)) {
			break
		}
		h.Attempts++
		if h.Err = r.ping(ctx, server, o.Timeout); h.Err == nil || errors.Is(h.Err, ErrServerNotFound) || errors.Is(h.Err, ErrClosed) {
			break
		}
	}
	h.Healthy, h.Duration = h.Err == nil, time.Since(start)
	return h
}

// ping makes one real request: answers from the cache prove nothing, and servers need not know MCP's ping.
func (r *Registry) ping(ctx context.Context, server string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(r.known(ctx, server), timeout)
	defer cancel()
	m, err := r.enter(ctx, server)
	if err != nil {
		return &Error{Op: "check", Server: cleanText(server, 64), Outcome: NotSent, Err: err}
	}
	defer m.done()
	_, err = m.list(ctx, true)
	var required *auth.AuthRequiredError
	if errors.As(err, &required) {
		return nil
	}
	return err
}

// known returns ctx, as the registry itself if it names no user.
func (r *Registry) known(ctx context.Context, server string) context.Context {
	if hasUser(ctx) {
		return ctx
	}
	tenant := ""
	if m := r.fleet.Load().byName[server]; m != nil {
		tenant = m.cfg.Tenant
	}
	return r.asService(ctx, tenant)
}

func sleepFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// WaitOptions bounds [Registry.WaitReady]. nil selects the defaults.
type WaitOptions struct {
	Timeout  time.Duration // of all; the default is 5 min
	Interval time.Duration // between two looks at a server that is not ready; the default is 2 s
	// OnProgress is told of every server as it becomes ready, and of all that are waited for at the start, one call at a
	// time.
	OnProgress func(Progress)
}

// Progress is how far [Registry.WaitReady] has come.
type Progress struct {
	Server       string // the one that has become ready; empty at the start
	Ready, Total int
	Elapsed      time.Duration
}

// A NotReadyError reports servers that did not become ready in time.
type NotReadyError struct {
	Servers map[string]error // by name, with what the last attempt failed with
}

// Error names the servers.
func (e *NotReadyError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mcpgroup: %d servers are not ready:", len(e.Servers))
	for i, name := range e.names() {
		if i > 0 {
			b.WriteString(";")
		}
		fmt.Fprintf(&b, " %s: %s", name, redact(e.Servers[name]))
	}
	return b.String()
}

// Unwrap returns what the last attempts failed with.
func (e *NotReadyError) Unwrap() []error {
	var errs []error
	for _, name := range e.names() {
		errs = append(errs, e.Servers[name])
	}
	return errs
}

func (e *NotReadyError) names() []string {
	names := make([]string, 0, len(e.Servers))
	for name := range e.Servers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// slowPing is when a server that hangs makes room for the others to be asked. It is asked again.
const slowPing = 30 * time.Second

// WaitReady connects to the named servers, or to all, and returns when each has listed its tools. Its error is a
// [*NotReadyError] if some have not in time.
//
// Servers are reached for the user of ctx, or for [RegistryOptions.Service] if ctx names none.
func (r *Registry) WaitReady(ctx context.Context, names []string, opts *WaitOptions) error {
	var o WaitOptions
	if opts != nil {
		o = *opts
	}
	setDefault(&o.Timeout, 5*time.Minute)
	setDefault(&o.Interval, 2*time.Second)
	if len(names) == 0 {
		names = r.Names()
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()

	start := time.Now()
	var mu sync.Mutex // guards all below, and makes OnProgress calls one at a time
	ready := 0
	failed := map[string]error{}
	tell := func(server string) {
		if o.OnProgress == nil {
			return
		}
		p := Progress{Server: server, Ready: ready, Total: len(names), Elapsed: time.Since(start)}
		if err := protect("OnProgress", func() { o.OnProgress(p) }); err != nil {
			r.log.Error("mcpgroup: waiting goes on without a word of it", "error", err)
		}
	}
	tell("")
	var wg sync.WaitGroup
	slots := make(chan struct{}, r.opts.Concurrency)
	for _, name := range names {
		wg.Go(func() {
			for {
				slots <- struct{}{}
				err := r.ping(ctx, name, min(o.Timeout, slowPing))
				<-slots
				mu.Lock()
				if err == nil {
					ready++
					delete(failed, name)
					tell(name)
					mu.Unlock()
					return
				}
				if failed[name] == nil || ctx.Err() == nil { // the end of ctx says less than what came before
					failed[name] = err
				}
				mu.Unlock()
				if errors.Is(err, ErrServerNotFound) || errors.Is(err, ErrClosed) || !sleepFor(ctx, o.Interval) {
					return
				}
			}
		})
	}
	wg.Wait()
	if len(failed) > 0 {
		return &NotReadyError{Servers: failed}
	}
	return nil
}
