package vault

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

const (
	// freshFor is how long a refusal is not taken for the end of a token that was just obtained: first the server is asked
	// whether the token lives. Without that, whoever may name an id that is denied could make every request a login.
	freshFor = time.Minute
	// deniedFor is how long the auth method is left alone after it has refused a login. Vault locks a role out after five
	// of them in a row.
	deniedFor = 10 * time.Second
	// renewPause is how long a renewal waits after one that failed, and after a login that was refused.
	renewPause = 30 * time.Second
)

// A flight is one login, for all who wait for it. It ends for none of them.
type flight struct {
	done  chan struct{} // closed when lease and err are set
	lease *lease
	err   error
}

// replace returns the lease of a login that takes the place of old. It returns old itself if the store cannot log in, or if
// doubt is the only reason and the server says that the token lives. However many callers ask at once, there is one login.
func (s *Store) replace(ctx context.Context, old *lease, doubt bool) (*lease, error) {
	if s.mount == "" {
		return old, nil
	}
	s.mu.Lock()
	now := s.lease.Load()
	switch {
	case s.closed:
		s.mu.Unlock()
		return nil, ErrClosed
	case now.login != old.login:
		s.mu.Unlock()
		return now, nil
	case s.flight == nil:
		s.depart(now, doubt)
	}
	f := s.flight
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.lease, f.err
	case <-ctx.Done():
		err := ctx.Err()
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.Join(auth.ErrStoreUnavailable, err)
		}
		return nil, &Error{Op: "waiting for the login at", Path: "auth/" + s.mount + "/login", Err: err}
	}
}

// depart starts a login in the place of old. The caller holds s.mu.
func (s *Store) depart(old *lease, doubt bool) {
	f := &flight{done: make(chan struct{})}
	s.flight = f
	denied := s.denied
	if !time.Now().Before(s.until) {
		denied = nil
	}
	s.wg.Go(func() {
		f.lease, f.err = s.logIn(old, doubt, denied)
		s.mu.Lock()
		s.flight = nil
		if f.err == nil && f.lease != old {
			s.logins++
			f.lease.login = s.logins
			s.lease.Store(f.lease)
		}
		if denied == nil && errors.Is(f.err, auth.ErrDenied) {
			s.denied, s.until = f.err, time.Now().Add(deniedFor)
		}
		s.mu.Unlock()
		close(f.done)
		if f.err == nil && f.lease != old {
			select {
			case s.replaced <- struct{}{}:
			default:
			}
		}
	})
}

// logIn logs in, unless old is only in doubt, fresh, and alive. denied is why that is not even tried.
func (s *Store) logIn(old *lease, doubt bool, denied error) (*lease, error) {
	if doubt && !old.ended() && old.uses == nil && time.Since(old.issued) < freshFor {
		switch _, err := s.wire.lookUp(s.ctx, old.token); {
		case err == nil:
			return old, nil
		case !refused(err):
			return nil, s.orClosed(err)
		}
	}
	if denied != nil {
		return nil, denied
	}
	l, err := s.wire.logIn(s.ctx, s.cfg.Auth.(AppRole))
	return l, s.orClosed(err)
}

// orClosed returns err, or ErrClosed if it came of closing the store.
func (s *Store) orClosed(err error) error {
	if err != nil && s.ctx.Err() != nil {
		return ErrClosed
	}
	return err
}

// keepAlive renews the token ahead of its end until the store is closed.
func (s *Store) keepAlive() {
	var last *lease
	var at time.Time // when to renew last; zero: never
	for {
		// A renewal that failed has set another time for the same lease.
		if l := s.lease.Load(); l != last {
			last, at = l, l.renewAt
		}
		var due <-chan time.Time
		timer := time.NewTimer(time.Until(at))
		if !at.IsZero() {
			due = timer.C
		}
		select {
		case <-due:
			at = s.renew(last)
		case <-s.replaced:
		case <-s.ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// renew prolongs the life of l's token, or logs in for another one, and returns when to try again if neither was possible. It
// returns the zero time if it is not to be tried again.
func (s *Store) renew(l *lease) time.Time {
	if l.ended() {
		return time.Time{} // whoever needs a token logs in
	}
	var err error
	if l.renewable {
		var renewed *lease
		renewed, err = s.wire.renew(s.ctx, l)
		if s.ctx.Err() != nil {
			return time.Time{}
		}
		if errors.Is(err, auth.ErrStoreUnavailable) {
			s.warn("auth/vault: the token could not be renewed, trying again", err, l)
			return later(l)
		}
		if err == nil && s.prolong(l, renewed) {
			return time.Time{} // the renewed lease has a time of its own
		}
	}
	if s.mount == "" {
		s.warn("auth/vault: the token cannot be renewed any more; give the store another one", err, l)
		return time.Time{}
	}
	if _, err := s.replace(s.ctx, l, false); err != nil && s.ctx.Err() == nil {
		s.warn("auth/vault: the login for another token failed, trying again", err, l)
		return later(l)
	}
	return time.Time{}
}

// prolong puts a renewed lease in the place of l, and reports false if the renewal was too short to go on like that: the
// token has reached its maximum.
func (s *Store) prolong(l, renewed *lease) bool {
	if l.expires.IsZero() {
		return true
	}
	// It is far below 0 if the answer says 0, which is less than a second.
	if renewed.expires.Sub(l.expires) < l.full/10 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease.Load() == l {
		s.lease.Store(renewed)
	}
	return true
}

// warn calls the host's log handler, which must not be able to end the process.
func (s *Store) warn(text string, err error, l *lease) {
	defer func() { _ = recover() }()
	s.cfg.Logger.LogAttrs(s.ctx, slog.LevelWarn, text, slog.Any("error", err), slog.Time("expires", l.expires))
}

// later returns when to try again for a token that ends soon: a few times before it does.
func later(l *lease) time.Time {
	return time.Now().Add(max(min(time.Until(l.expires)/3, renewPause), 100*time.Millisecond))
}
