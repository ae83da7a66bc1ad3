package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/mcpfleet/mcpfleet/session"
)

const (
	// storeTimeout is how long a store may take to answer. One that takes longer, although its context has ended, is
	// not asked a second time for the same key until it has answered: callers are told that it is unavailable.
	storeTimeout = 30 * time.Second
	// storePause is how long a store that is unavailable is left alone while a known value serves.
	storePause = 5 * time.Second
)

// errSuperseded says that a flight was overtaken: the credential was set or dropped meanwhile, so look again.
var errSuperseded = errors.New("auth: superseded")

// A flight is one question to a store, for all who want to know. It ends for none of them.
type flight struct {
	key        SecretKey
	started    time.Time
	ctx        context.Context
	refused    bool // a server has refused the known value; guarded by secretCache.mu
	superseded bool // guarded by secretCache.mu

	done  chan struct{} // closed when value and err are set
	value *fetched
	err   error
}

// fly returns the flight for key that is under way, or starts one. The caller holds s.mu.
func (s *secretCache) fly(ctx context.Context, key SecretKey, now time.Time) *flight {
	if f := s.flights[key]; f != nil {
		return f
	}
	// The answer is for all users of the tenant, so the store is told neither which of them asked nor what they bring:
	// it can then not decide by it.
	ctx = session.NewContext(context.WithoutCancel(ctx), session.Key{Tenant: key.Tenant})
	ctx = context.WithValue(ctx, carriedKey{}, &carriesNothing)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	f := &flight{key: key, started: now, ctx: ctx, done: make(chan struct{})}
	s.flights[key] = f
	go func() {
		defer cancel()
		c, err := recovered("SecretStore.Secret", func() (Credential, error) { return s.store.Secret(ctx, key) })
		s.land(f, c, err)
	}()
	return f
}

// wait returns what f finds. If there is a fallback it is returned when f takes longer than patience.
func (f *flight) wait(ctx context.Context, fallback *fetched, patience time.Duration) (*fetched, error) {
	var impatient <-chan time.Time
	if fallback != nil {
		t := time.NewTimer(patience)
		defer t.Stop()
		impatient = t.C
	}
	select {
	case <-f.done:
		return f.value, f.err
	case <-impatient:
		return fallback, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.ctx.Done():
	}
	select {
	case <-f.done: // it ends its context last
		return f.value, f.err
	default:
		return nil, fmt.Errorf("%w: no answer within %v", ErrStoreUnavailable, storeTimeout)
	}
}

// land makes known what the store answered.
func (s *secretCache) land(f *flight, c Credential, err error) {
	var outage error
	f.value, outage, f.err = s.judge(f, c, err)
	close(f.done)
	if outage != nil {
		s.warn(f.key, outage, f.value.usable)
	}
}

// judge returns what follows from the answer of a store. An outage is why a known value serves on.
func (s *secretCache) judge(f *flight, c Credential, err error) (v *fetched, outage, _ error) {
	var p *presented
	if err == nil {
		p, err = storedCredential(c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.superseded {
		return nil, nil, errSuperseded
	}
	delete(s.flights, f.key)
	now := time.Now()
	switch {
	case err == nil:
		v := s.fetchedNow(p)
		if f.refused {
			v.confirmed = now.Add(refusedPause)
		}
		s.keep(f.key, v)
		return v, nil, nil
	case errors.Is(err, ErrNotFound) || errors.Is(err, ErrDenied) || errors.Is(err, ErrInvalidCredential):
		s.forget(f.key)
		return nil, nil, err
	case !unavailable(err):
		return nil, nil, err
	case !errors.Is(err, ErrStoreUnavailable):
		err = fmt.Errorf("%w: %w", ErrStoreUnavailable, err)
	}
	old := s.lookup(f.key)
	if old == nil || !now.Before(old.usable) {
		s.forget(f.key)
		return nil, nil, err
	}
	prolonged := *old
	prolonged.confirmed = now.Add(refusedPause)
	if pause := now.Add(min(storePause, s.ttl)); prolonged.fresh.Before(pause) {
		prolonged.fresh = pause
	}
	if prolonged.usable.Before(prolonged.fresh) {
		prolonged.fresh = prolonged.usable
	}
	s.keep(f.key, &prolonged)
	return &prolonged, err, nil
}

// supersede makes the flight for key, if one is under way, end without a result. The caller holds s.mu.
func (s *secretCache) supersede(key SecretKey) {
	if f := s.flights[key]; f != nil {
		f.superseded = true
		delete(s.flights, key)
	}
}

// storedCredential returns a credential that a store gave out as something that can be used.
func storedCredential(c Credential) (*presented, error) {
	switch {
	case c.IsZero():
		return nil, ErrNotFound
	case !c.hasValue() && c.ID != "":
		return nil, invalid("the store has a reference to another id in the place of a value")
	}
	p := present(c)
	_, err := p.values()
	return p, err
}

// unavailable reports whether err says that the store could not be asked, and nothing about the credential.
func unavailable(err error) bool {
	var network net.Error
	return errors.Is(err, ErrStoreUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network)
}

// warn calls the host's log handler, which must not be able to end the process.
func (s *secretCache) warn(key SecretKey, err error, until time.Time) {
	defer func() { _ = recover() }()
	s.log.LogAttrs(context.Background(), slog.LevelWarn, "auth: the secret store is unavailable, using the credential that is known",
		slog.String("credential", key.String()), slog.Any("error", err), slog.Time("until", until))
}
