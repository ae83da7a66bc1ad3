package graph

import (
	"cmp"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// maxName bounds tenants and refs, in bytes. Documents have no longer Refs.
const maxName = 512

// Config bounds [Observations]. Every value that is not positive selects the default that its field names.
type Config struct {
	// HalfLife is the time in which an observation loses half of its weight. The default is 7 days.
	HalfLife time.Duration
	// Tenants is how many tenants are remembered; the one that has not been observed for longest is forgotten first. The
	// default is 256.
	Tenants int
	// Pairs is how many pairs of tools are remembered of a tenant, and how many tools; those with the least weight are
	// forgotten first. The default is 2,048, which is less than 0.5 MB.
	Pairs int
	// Sessions is how many sessions of a tenant can be under way. The default is 256.
	Sessions int
	// Window is how many different tools of a session a further tool is paired with. The default is 8.
	Window int
	// Idle is when a session is over. The default is 30 minutes.
	Idle time.Duration
}

func (c Config) withDefaults() Config {
	positive := func(n, otherwise int) int { return cmp.Or(max(n, 0), otherwise) }
	c.HalfLife = cmp.Or(max(c.HalfLife, 0), 7*24*time.Hour)
	c.Tenants = positive(c.Tenants, 256)
	c.Pairs = positive(c.Pairs, 2048)
	c.Sessions = positive(c.Sessions, 256)
	c.Window = positive(c.Window, 8)
	c.Idle = cmp.Or(max(c.Idle, 0), 30*time.Minute)
	return c
}

// Observations count which tools were used in the same session, for each tenant by itself: nothing that is read of one
// tenant depends on another, except that there is room for so many. They are safe for concurrent use. Reading takes read
// locks only, and one tenant's writers never hold up another's readers.
type Observations struct {
	cfg  Config
	seed maphash.Seed

	// mu guards tenants. Nothing but look-ups, and forgetting a tenant, runs while it is held. Order: mu > tenant.mu.
	mu      sync.RWMutex
	tenants map[string]*tenant

	observed atomic.Uint64 // counts observations; tells which tenant was observed last
}

// NewObservations returns observations without any. nil means the zero Config.
func NewObservations(cfg *Config) *Observations {
	if cfg == nil {
		cfg = new(Config)
	}
	return &Observations{cfg: cfg.withDefaults(), seed: maphash.MakeSeed(), tenants: make(map[string]*tenant)}
}

// Observe counts that ref was used by session of tenant at now. A session counts a tool once, however often it calls it, as
// long as the tool is among its last [Config.Window] different ones: an agent that polls is not a thousand observations. A
// time less than [Config.Idle] before that of the tenant's last observation counts as that one. One that is further back says
// that the clock was set back: observations keep the weight that they have then, and fade from there on.
//
// Without a session there is nothing that is used together: such an observation is ignored, as is one without a ref, and one
// whose tenant or ref is longer than 512 bytes or is not UTF-8. The session's name itself is not kept.
func (o *Observations) Observe(tenant, session, ref string, now time.Time) {
	if session == "" || ref == "" || !nameable(ref) || !nameable(tenant) {
		return
	}
	t := o.tenant(tenant)
	t.used.Store(o.observed.Add(1))
	t.observe(&o.cfg, maphash.String(o.seed, session), ref, now)
}

// Forget removes all that is known of a tenant.
func (o *Observations) Forget(tenant string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.tenants, tenant)
}

// nameable reports whether a name is one that a snapshot can hold. In JSON two names that are not UTF-8 may look the same, and
// then none of the snapshot could be restored.
func nameable(name string) bool { return len(name) <= maxName && utf8.ValidString(name) }

// find returns a tenant, or nil.
func (o *Observations) find(name string) *tenant {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.tenants[name]
}

// tenant returns a tenant, after making it and room for it if need be.
func (o *Observations) tenant(name string) *tenant {
	if t := o.find(name); t != nil {
		return t
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if t := o.tenants[name]; t != nil {
		return t
	}
	for len(o.tenants) >= o.cfg.Tenants {
		var oldest string
		least := uint64(math.MaxUint64)
		for name, t := range o.tenants {
			if used := t.used.Load(); used < least {
				oldest, least = name, used
			}
		}
		delete(o.tenants, oldest)
	}
	t := newTenant()
	t.used.Store(o.observed.Load())
	o.tenants[name] = t
	return t
}
