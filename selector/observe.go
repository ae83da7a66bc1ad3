package selector

import "time"

// Observe tells that a tool was called: of a tenant, in a session, which is any text that is the same for calls that belong
// together; an empty session is ignored. Tools that are used together raise each other in the selections of that tenant
// ([Query.Tenant]) and of no other, by [Weights.CoUse]. What is known fades with a half-life of a week, and is bounded: 256
// tenants with 2,048 pairs of tools each.
func (s *Selector) Observe(tenant, session, ref string) {
	s.observed.Observe(tenant, session, ref, time.Now())
	s.observes.Store(true)
}

// Forget forgets what was observed of a tenant.
func (s *Selector) Forget(tenant string) { s.observed.Forget(tenant) }

// Observations returns what was observed, for [Selector.Restore] in another process.
func (s *Selector) Observations() ([]byte, error) { return s.observed.Snapshot() }

// Restore takes what Observations returned in the place of what was observed here. It fails, and changes nothing, if it is
// not that.
func (s *Selector) Restore(observations []byte) error {
	if err := s.observed.Restore(observations); err != nil {
		return err
	}
	s.observes.Store(true)
	return nil
}
