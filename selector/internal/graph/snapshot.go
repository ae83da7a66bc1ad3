package graph

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// snapshotVersion is the version of the JSON below. A change that an older program would misread gets a new number.
const snapshotVersion = 1

// A SnapshotError reports that a snapshot cannot be restored. Nothing has changed then.
type SnapshotError struct {
	Reason string
	Err    error // from package encoding/json, or nil
}

func (e *SnapshotError) Error() string {
	text := "selector: restoring observations: " + e.Reason
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *SnapshotError) Unwrap() error { return e.Err }

func badSnapshot(format string, args ...any) error {
	return &SnapshotError{Reason: fmt.Sprintf(format, args...)}
}

type snapshot struct {
	Version int              `json:"version"`
	Tenants []tenantSnapshot `json:"tenants"` // the one that has not been observed for longest first
}

type tenantSnapshot struct {
	Tenant string             `json:"tenant"`
	At     time.Time          `json:"at"`   // when the weights below were right
	Uses   map[string]float64 `json:"uses"` // sessions by Ref
	Pairs  []pairSnapshot     `json:"pairs"`
}

// A pairSnapshot has the sessions that used First first and then Then.
type pairSnapshot struct {
	First  string  `json:"first"`
	Then   string  `json:"then"`
	Weight float64 `json:"weight"`
}

// Snapshot returns the observations as JSON. Sessions that are under way are not part of it. Equal observations have equal
// snapshots. The error is about a time of which JSON knows no form, such as one in the year 10,000.
func (o *Observations) Snapshot() ([]byte, error) {
	o.mu.RLock()
	names := slices.Collect(maps.Keys(o.tenants))
	tenants := maps.Clone(o.tenants)
	used := make(map[string]uint64, len(names))
	for name, t := range tenants {
		used[name] = t.used.Load()
	}
	o.mu.RUnlock()
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(used[a], used[b]), cmp.Compare(a, b))
	})
	s := snapshot{Version: snapshotVersion, Tenants: []tenantSnapshot{}}
	for _, name := range names {
		s.Tenants = append(s.Tenants, tenants[name].snapshot(name, &o.cfg))
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("selector: taking a snapshot of observations: %w", err)
	}
	return data, nil
}

func (t *tenant) snapshot(name string, cfg *Config) tenantSnapshot {
	t.mu.RLock()
	defer t.mu.RUnlock()
	scale := t.scale(cfg, t.clock.wall)
	s := tenantSnapshot{
		Tenant: name,
		At:     t.clock.newest,
		Uses:   make(map[string]float64, len(t.nodes)),
		Pairs:  make([]pairSnapshot, 0, t.pairs),
	}
	for ref, n := range t.nodes {
		s.Uses[ref] = n.uses * scale
	}
	for _, p := range t.allPairs() {
		if p.ab > 0 {
			s.Pairs = append(s.Pairs, pairSnapshot{First: p.a.ref, Then: p.b.ref, Weight: p.ab * scale})
		}
		if p.ba > 0 {
			s.Pairs = append(s.Pairs, pairSnapshot{First: p.b.ref, Then: p.a.ref, Weight: p.ba * scale})
		}
	}
	slices.SortFunc(s.Pairs, func(p, q pairSnapshot) int {
		return cmp.Or(cmp.Compare(p.First, q.First), cmp.Compare(p.Then, q.Then))
	})
	return s
}

// Restore replaces all observations by those of a snapshot. What there is no room for, because the bounds are tighter now, is
// left out as if it had been observed. The error is a [*SnapshotError].
func (o *Observations) Restore(data []byte) error {
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return &SnapshotError{Reason: "not the JSON of a snapshot", Err: err}
	}
	if s.Version != snapshotVersion {
		return badSnapshot("version %d; this program reads version %d", s.Version, snapshotVersion)
	}
	tenants := make(map[string]*tenant, len(s.Tenants))
	for i := range s.Tenants {
		name := s.Tenants[i].Tenant
		if len(name) > maxName {
			return badSnapshot("tenant %d has a name of %d bytes; the most is %d", i, len(name), maxName)
		}
		if tenants[name] != nil {
			return badSnapshot("tenant %q is there twice", name)
		}
		t, err := s.Tenants[i].restore(&o.cfg)
		if err != nil {
			return err
		}
		tenants[name] = t
	}
	for _, forgotten := range s.Tenants[:max(len(s.Tenants)-o.cfg.Tenants, 0)] {
		delete(tenants, forgotten.Tenant)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range s.Tenants {
		if t := tenants[s.Tenant]; t != nil {
			t.used.Store(o.observed.Add(1))
		}
	}
	o.tenants = tenants
	return nil
}

// maxWeight is more sessions than anybody has. Sums of such weights are far from overflowing.
const maxWeight = 1e15

func (s *tenantSnapshot) restore(cfg *Config) (*tenant, error) {
	check := func(ref string, weight float64) error {
		switch {
		case ref == "" || len(ref) > maxName:
			return badSnapshot("tenant %q has a tool with a name of %d bytes; it must have 1 to %d", s.Tenant, len(ref), maxName)
		case weight < 0 || weight > maxWeight || math.IsNaN(weight):
			return badSnapshot("tenant %q: the weight %g of %q is not from 0 to %g", s.Tenant, weight, ref, maxWeight)
		}
		return nil
	}
	t := newTenant()
	t.clock.start(s.At)
	t.epoch = t.clock.time
	for ref, uses := range s.Uses {
		if err := check(ref, uses); err != nil {
			return nil, err
		}
		t.node(ref).uses = uses
	}
	type direction struct{ first, then string }
	seen := make(map[direction]bool, len(s.Pairs))
	for _, p := range s.Pairs {
		if err := cmp.Or(check(p.First, p.Weight), check(p.Then, p.Weight)); err != nil {
			return nil, err
		}
		if p.First == p.Then {
			return nil, badSnapshot("tenant %q: %q is paired with itself", s.Tenant, p.First)
		}
		if d := (direction{p.First, p.Then}); seen[d] {
			return nil, badSnapshot("tenant %q: the pair of %q and %q is there twice", s.Tenant, p.First, p.Then)
		} else {
			seen[d] = true
		}
		if p.Weight > 0 {
			t.pair(t.node(p.First), t.node(p.Then)).add(p.First, p.Weight)
		}
	}
	t.trim(cfg)
	return t, nil
}
