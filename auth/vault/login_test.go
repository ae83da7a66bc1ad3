package vault

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

const sealed = `{"errors":["Vault is sealed"]}`

func TestRenewalOutlivesAnOutage(t *testing.T) {
	onDouble(func(w *world) {
		t, log := w.t, &logbook{}
		s := w.open(w.role(everything, map[string]any{"token_ttl": "1h"}).AppRole, log.into)
		w.put("acme/shared/github-pat", map[string]any{"token": "one"})
		w.double.answersTo("/v1/auth/", -1, 503, sealed)
		time.Sleep(55 * time.Minute)
		if got := s.calls.of("renew-self"); got < 10 || got > 60 {
			t.Errorf("%d renewals tried in at least 15 minutes of outage, want one every 30 s or so", got)
		}
		if !strings.Contains(log.String(), "could not be renewed") || strings.Contains(log.String(), "hvs.") {
			t.Errorf("log %q; want warnings without the token", log)
		}
		s.has(t, pat, "one") // the token lives
		w.double.before(nil)
		time.Sleep(30 * time.Minute)
		s.has(t, pat, "one")
		if got := s.calls.of("login"); got != 1 {
			t.Errorf("%d logins, want 1: the token was renewed in time", got)
		}
	})(t)
}

func TestStoreComesBackAfterAnOutageThatOutlivesTheToken(t *testing.T) {
	onDouble(func(w *world) {
		t := w.t
		s := w.open(w.role(everything, map[string]any{"token_ttl": "1h"}).AppRole)
		w.put("acme/shared/github-pat", map[string]any{"token": "one"})
		w.double.answersTo("/v1/", -1, 503, sealed)
		time.Sleep(2 * time.Hour)
		if _, err := s.Secret(t.Context(), pat); !errors.Is(err, auth.ErrStoreUnavailable) || errors.Is(err, auth.ErrDenied) {
			t.Errorf("Secret in an outage with a token that has ended: %v, want ErrStoreUnavailable", err)
		}
		requests := s.calls.of("renew-self") + s.calls.of("login")
		time.Sleep(24 * time.Hour)
		if got := s.calls.of("renew-self") + s.calls.of("login"); got != requests {
			t.Errorf("%d requests for a token that nobody needs", got-requests)
		}
		w.double.before(nil)
		before := s.calls.of("login")
		hundred(w, s)
		if got := s.calls.of("login"); got != before+1 {
			t.Errorf("%d logins after the outage, want 1", got-before)
		}
		time.Sleep(3 * time.Hour)
		s.has(t, pat, "one")
		if got := s.calls.of("login"); got != before+1 {
			t.Errorf("%d more logins in 3 hours, want 0: the new token is renewed", got-before-1)
		}
	})(t)
}

// A 403 may mean a token that has ended: while that cannot be found out, nothing is denied.
func TestRefusalInALoginOutageIsNoDenial(t *testing.T) {
	onDouble(func(w *world) {
		s := w.open(w.role(everything, nil).AppRole)
		w.put("acme/shared/github-pat", map[string]any{"token": "one"})
		w.revoke(s)
		w.double.answersTo("/v1/auth/", -1, 503, sealed)
		if _, err := s.Secret(w.t.Context(), pat); !errors.Is(err, auth.ErrStoreUnavailable) || errors.Is(err, auth.ErrDenied) {
			w.t.Errorf("Secret = %v, want ErrStoreUnavailable", err)
		}
		time.Sleep(2 * time.Minute) // the same when the token is no longer fresh
		if _, err := s.Secret(w.t.Context(), pat); !errors.Is(err, auth.ErrStoreUnavailable) || errors.Is(err, auth.ErrDenied) {
			w.t.Errorf("Secret = %v, want ErrStoreUnavailable", err)
		}
		w.double.before(nil)
		s.has(w.t, pat, "one")
	})(t)
}

// A policy that a role is given later is in its next token.
func TestRefusalOfAnOldTokenIsALogin(t *testing.T) {
	onDouble(func(w *world) {
		s := w.open(w.role(everything, map[string]any{"token_ttl": "10h"}).AppRole)
		time.Sleep(2 * freshFor)
		other := auth.SecretKey{Tenant: "acme", ID: "x"}
		w.double.answers(-1, 403, `{"errors":["permission denied"]}`)
		for range 20 {
			if _, err := s.Secret(w.t.Context(), other); !errors.Is(err, auth.ErrDenied) {
				w.t.Errorf("Secret = %v, want ErrDenied", err)
			}
		}
		if logins, reads, lookups := s.calls.of("login"), s.calls.of("GET"), s.calls.of("lookup-self"); logins != 2 || reads != 21 || lookups != 19 {
			w.t.Errorf("%d logins, %d reads and %d look-ups for 20 refusals, want 2, 21 and 19: one was sent again with a new token", logins, reads, lookups)
		}
	})(t)
}

func TestRefusedLoginsAreNotRepeatedAtOnce(t *testing.T) {
	onDouble(func(w *world) {
		t, r := w.t, w.role(everything, nil)
		s := w.open(r.AppRole)
		w.put("acme/shared/github-pat", map[string]any{"token": "one"})
		secret := map[string]any{"secret_id": r.SecretID.Reveal()}
		w.admin("POST", r.path("/secret-id/destroy"), secret)
		w.revoke(s)
		for range 100 {
			if _, err := s.Secret(t.Context(), pat); !errors.Is(err, auth.ErrDenied) || strings.Contains(err.Error(), r.SecretID.Reveal()) {
				t.Errorf("Secret = %v, want ErrDenied", err)
			}
		}
		if got := s.calls.of("login"); got != 2 {
			t.Errorf("%d logins, want 2: a role that is refused too often is locked out", got)
		}
		w.double.mu.Lock()
		w.double.mounts[r.mount]["agents"].secretIDs[r.SecretID.Reveal()] = 0
		w.double.mu.Unlock()
		time.Sleep(deniedFor)
		s.has(t, pat, "one")
	})(t)
}

// That there is no auth method says nothing about a secret.
func TestMissingAuthMethodIsNoMissingSecret(t *testing.T) {
	onDouble(func(w *world) {
		s := w.open(w.role(everything, nil).AppRole)
		w.revoke(s)
		w.double.answersTo("/v1/auth/"+s.mount, -1, 404, `{"errors":["no handler for route"]}`)
		_, err := s.Secret(w.t.Context(), pat)
		if err == nil || errors.Is(err, auth.ErrNotFound) || errors.Is(err, auth.ErrStoreUnavailable) || !strings.Contains(err.Error(), "AppRole.Mount") {
			w.t.Errorf("Secret = %v, want an error that says what to look at", err)
		}
	})(t)
}

func TestWaitingForALoginEndsWithTheCaller(t *testing.T) {
	onDouble(func(w *world) {
		t, s := w.t, w.open(w.role(everything, nil).AppRole)
		w.put("acme/shared/github-pat", map[string]any{"token": "one"})
		w.revoke(s)
		release := make(chan struct{})
		w.double.before(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/login") {
				<-release
			}
			return false
		})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { // the one who starts it
			if _, err := s.Secret(ctx, pat); !errors.Is(err, context.Canceled) || errors.Is(err, auth.ErrStoreUnavailable) {
				t.Errorf("Secret of a caller who gives up = %v", err)
			}
		})
		time.Sleep(time.Second)
		wg.Go(func() { s.has(t, pat, "one") })
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := s.Secret(ctx, pat); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, auth.ErrStoreUnavailable) {
				t.Errorf("Secret of a caller whose time is up = %v", err)
			}
		})
		cancel()
		time.Sleep(2 * time.Second)
		close(release)
		wg.Wait()
		if got := s.calls.of("login"); got != 2 {
			t.Errorf("%d logins, want 2", got)
		}
	})(t)
}

func TestCloseEndsALoginUnderWay(t *testing.T) {
	onDouble(func(w *world) {
		t, s := w.t, w.open(w.role(everything, nil).AppRole)
		w.revoke(s)
		w.double.hangs("/v1/auth/")
		done := make(chan error)
		go func() {
			_, err := s.Secret(t.Context(), pat)
			done <- err
		}()
		time.Sleep(time.Second)
		start := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("Secret = %v, want ErrClosed", err)
		}
		if took := time.Since(start); took > defaultTimeout+time.Second {
			t.Errorf("Close took %v", took)
		}
	})(t)
}

func TestTokensThatCannotBeRenewedAreReportedOnce(t *testing.T) {
	onDouble(func(w *world) {
		log := &logbook{}
		s := w.open(Token{auth.NewSecret(w.token(map[string]any{"policies": []string{"root"}, "ttl": "1h", "renewable": false}))}, log.into)
		time.Sleep(3 * time.Hour)
		if got := strings.Count(log.String(), "cannot be renewed any more"); got != 1 || s.calls.of("renew-self") != 0 {
			w.t.Errorf("%d warnings and %d renewals, want 1 and 0:\n%s", got, s.calls.of("renew-self"), log)
		}
		log = &logbook{}
		s = w.open(Token{auth.NewSecret(w.token(map[string]any{"policies": []string{"root"}, "ttl": "1h", "explicit_max_ttl": "90m"}))}, log.into)
		time.Sleep(3 * time.Hour)
		if got, renewals := strings.Count(log.String(), "cannot be renewed any more"), s.calls.of("renew-self"); got != 1 || renewals < 2 || renewals > 5 {
			w.t.Errorf("%d warnings and %d renewals for a token that reaches its maximum, want 1 and a few:\n%s", got, renewals, log)
		}
	})(t)
}

func TestRootTokensAreNotRenewed(t *testing.T) {
	onDouble(func(w *world) {
		log := &logbook{}
		s := w.openRoot(log.into)
		time.Sleep(10000 * time.Hour)
		if got := s.calls.of("renew-self"); got != 0 || log.String() != "" {
			w.t.Errorf("%d renewals, log %q; want none", got, log)
		}
	})(t)
}

type panicking struct{ slog.Handler }

func (panicking) Enabled(context.Context, slog.Level) bool  { return true }
func (panicking) Handle(context.Context, slog.Record) error { panic("log") }

func TestLogHandlersThatPanicEndNothing(t *testing.T) {
	onDouble(func(w *world) {
		s := w.open(w.role(everything, map[string]any{"token_ttl": "1h"}).AppRole, func(cfg *Config) { cfg.Logger = slog.New(panicking{}) })
		w.double.answersTo("/v1/auth/", -1, 503, sealed)
		time.Sleep(50 * time.Minute)
		if s.calls.of("renew-self") < 2 {
			w.t.Error("there was nothing to log")
		}
		if err := s.Close(); err != nil { // it logs that the token could not be revoked
			w.t.Error(err)
		}
	})(t)
}
