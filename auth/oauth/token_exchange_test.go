package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// login returns the token with which a user logged in to the host.
func login(_ context.Context, key session.Key) (auth.Secret, string, error) {
	return auth.NewSecret("login-of-" + key.User), TokenTypeIDToken, nil
}

func pin(c *Config) { c.Issuer = worldIssuer }

func TestTheUsersTokenIsExchanged(t *testing.T) {
	w := newGrantWorld(t)
	c := w.client(&TokenExchange{
		Client:  ClientAuth{ID: "agent", Secret: auth.NewSecret(clientSecret)},
		Subject: login,
		Actor: func(context.Context, session.Key) (auth.Secret, string, error) {
			return auth.NewSecret("agent-7"), TokenTypeJWT, nil
		},
		Audience: "files", RequestedTokenType: TokenTypeAccessToken,
	}, pin)
	mustObtain(t, c, worldUser)
	got := w.only().form
	for name, want := range map[string]string{
		"grant_type":    "urn:ietf:params:oauth:grant-type:token-exchange",
		"subject_token": "login-of-alice", "subject_token_type": TokenTypeIDToken,
		"actor_token": "agent-7", "actor_token_type": TokenTypeJWT,
		"audience": "files", "resource": worldResource, "requested_token_type": TokenTypeAccessToken, "scope": "read write",
	} {
		if got.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want)
		}
	}
}

func TestEveryUserGetsATokenOfTheirOwn(t *testing.T) {
	w := newGrantWorld(t)
	w.answers["as.example"] = func(rw http.ResponseWriter, r *http.Request) {
		writeJSON(rw, 200, map[string]any{"access_token": "for-" + r.PostForm.Get("subject_token"), "token_type": "bearer", "expires_in": 60})
	}
	c := w.client(&TokenExchange{Client: ClientAuth{ID: "agent"}, Subject: login}, pin)
	const users, callers = 20, 1000
	var wrong atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			user := fmt.Sprintf("user-%d", i%users)
			if got, err := obtain(t.Context(), c, session.Key{Tenant: "acme", User: user}); got != "for-login-of-"+user {
				t.Logf("%s got %q, %v", user, got, err)
				wrong.Add(1)
			}
		})
	}
	wg.Wait()
	if wrong.Load() > 0 || len(w.requests()) != users {
		t.Errorf("%d callers got a wrong token; %d exchanges, want %d", wrong.Load(), len(w.requests()), users)
	}
}

func TestAnExpiredTokenIsExchangedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGrantWorld(t)
		logins := 0
		c := w.client(&TokenExchange{
			Client: ClientAuth{ID: "agent"}, TokenURL: "https://sts.example/token",
			Subject: func(context.Context, session.Key) (auth.Secret, string, error) {
				logins++
				return auth.NewSecret(fmt.Sprintf("login-%d", logins)), TokenTypeAccessToken, nil
			},
		})
		mustObtain(t, c, worldUser)
		time.Sleep(2 * time.Hour)
		mustObtain(t, c, worldUser)
		all := w.requests()
		if len(all) != 2 || all[1].form.Get("subject_token") != "login-2" {
			t.Errorf("requests %v, want a second one with the new login", all)
		}
		c.Close()
	})
}

func TestAUserWhoMustLogInAgainIsToldSo(t *testing.T) {
	gone := errors.New("the session is gone")
	required := &auth.AuthRequiredError{Server: "sso", URL: "https://idp.example/login"}
	for name, test := range map[string]struct {
		subject TokenFunc
		check   func(error) bool
	}{
		"error": {
			func(context.Context, session.Key) (auth.Secret, string, error) { return auth.Secret{}, "", gone },
			func(err error) bool { var e *Error; return errors.Is(err, gone) && errors.As(err, &e) },
		},
		"login required": {
			func(context.Context, session.Key) (auth.Secret, string, error) { return auth.Secret{}, "", required },
			func(err error) bool {
				var e *auth.AuthRequiredError
				return errors.As(err, &e) && e.URL == required.URL
			},
		},
		"panic": {
			func(context.Context, session.Key) (auth.Secret, string, error) { panic("at the disco") },
			func(err error) bool {
				var e *session.PanicError
				return errors.As(err, &e) && e.Value == "at the disco"
			},
		},
		"nothing": {
			func(context.Context, session.Key) (auth.Secret, string, error) {
				return auth.Secret{}, TokenTypeJWT, nil
			},
			func(err error) bool { return err != nil },
		},
		"no type": {
			func(context.Context, session.Key) (auth.Secret, string, error) {
				return auth.NewSecret("hunter2"), "", nil
			},
			func(err error) bool { return err != nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newGrantWorld(t)
			_, err := obtain(t.Context(), w.client(&TokenExchange{Client: ClientAuth{ID: "agent"}, Subject: test.subject}, pin), worldUser)
			if !test.check(err) {
				t.Errorf("error %v", err)
			}
			if n := len(w.requests()); n != 0 {
				t.Errorf("%d token requests without a token to exchange", n)
			}
			leaks(t, err, "hunter2")
		})
	}
}

func TestOnlyAccessTokensAreTakenFromAnExchange(t *testing.T) {
	for issued, want := range map[string]bool{
		TokenTypeAccessToken: true, TokenTypeJWT: true, "": true, "urn:example:own": true,
		TokenTypeRefreshToken: false, TokenTypeIDToken: false, tokenTypeIDJAG: false,
	} {
		w := newGrantWorld(t)
		w.answers["as.example"] = func(rw http.ResponseWriter, r *http.Request) {
			writeJSON(rw, 200, map[string]any{"access_token": "issued", "token_type": "Bearer", "issued_token_type": issued})
		}
		_, err := obtain(t.Context(), w.client(&TokenExchange{Client: ClientAuth{ID: "agent"}, Subject: login, RequestedTokenType: "urn:example:own"}, pin), worldUser)
		if (err == nil) != want || err != nil && !errors.Is(err, ErrTokenResponse) {
			t.Errorf("%q: error %v, want it taken: %t", issued, err, want)
		}
	}
}

func TestAServerThatQuotesTheSubjectTokenDoesNotGetItLogged(t *testing.T) {
	w := newGrantWorld(t)
	w.answers["as.example"] = func(rw http.ResponseWriter, r *http.Request) {
		writeJSON(rw, 400, map[string]any{"error": "invalid_grant", "error_description": "cannot read " + r.PostForm.Get("subject_token")})
	}
	_, err := obtain(t.Context(), w.client(&TokenExchange{Client: ClientAuth{ID: "agent"}, Subject: login}, pin), worldUser)
	var refused *ResponseError
	if !errors.As(err, &refused) || refused.Code != "invalid_grant" {
		t.Errorf("error %v, want invalid_grant", err)
	}
	leaks(t, err, "login-of-alice")
}
