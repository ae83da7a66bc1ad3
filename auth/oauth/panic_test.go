package oauth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// faults are the ways in which a function can fail to return.
var faults = map[string]func(){
	"panic":  func() { panic("a fault of the host's") },
	"Goexit": runtime.Goexit,
}

// A faultyStore fails to return from one of its methods, once armed.
type faultyStore struct {
	*auth.MemoryStore
	in    string
	fault func()
}

func (s *faultyStore) at(method string) {
	if s.in == method {
		s.fault()
	}
}

func (s *faultyStore) Load(ctx context.Context, key auth.TokenKey) ([]byte, error) {
	s.at("Load")
	return s.MemoryStore.Load(ctx, key)
}

func (s *faultyStore) Save(ctx context.Context, key auth.TokenKey, data []byte, ttl time.Duration) error {
	s.at("Save")
	return s.MemoryStore.Save(ctx, key, data, ttl)
}

func (s *faultyStore) Lock(ctx context.Context, key auth.TokenKey) (func(), error) {
	s.at("Lock")
	unlock, err := s.MemoryStore.Lock(ctx, key)
	return func() { unlock(); s.at("unlock") }, err
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The goroutines that do the work are the client's own: a fault of the host's code in one must not end the process, leave
// a lock or keep anybody waiting.
func TestFaultsOfTheHostsCodeAreErrors(t *testing.T) {
	for name, fault := range faults {
		for _, method := range []string{"Load", "Save", "Lock", "unlock"} {
			t.Run("Store."+method+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					s := &faultyStore{MemoryStore: auth.NewMemoryStore(), in: method, fault: fault}
					c := w.client(sharing(s))
					wantPanic(t, c, w)
					s.in = ""
					w.login(c, alice)
					s.in = method
					if err := c.Forget(t.Context(), alice); !isPanic(err) {
						t.Errorf("Forget = %v", err)
					}
					s.in = ""
					time.Sleep(2 * time.Hour)
					if method == "unlock" { // which came after the user was forgotten
						w.login(c, alice)
					}
					w.works(c, alice) // with a refresh
					c.Close()
				})
			})
		}
		t.Run("ScopeFilter "+name, func(t *testing.T) {
			w := newWorld(t)
			wantPanic(t, w.client(func(cfg *Config, _ *AuthorizationCode) {
				cfg.ScopeFilter = func([]string) []string { fault(); return nil }
			}), w)
		})
		t.Run("HTTPClient "+name, func(t *testing.T) {
			w := newWorld(t)
			wantPanic(t, w.client(func(cfg *Config, _ *AuthorizationCode) {
				cfg.HTTPClient = &http.Client{Transport: transportFunc(func(*http.Request) (*http.Response, error) { fault(); return nil, nil })}
			}), w)
		})
		t.Run("Prompt "+name, func(t *testing.T) {
			w := newWorld(t)
			c := w.client(func(_ *Config, g *AuthorizationCode) {
				g.Prompt = func(context.Context, *auth.AuthRequiredError) error { fault(); return nil }
			})
			_, err := w.call(t.Context(), c, alice)
			var p *session.PanicError
			if !errors.As(err, &p) || p.Func != "AuthorizationCode.Prompt" {
				t.Errorf("call = %v, want a *session.PanicError that names Prompt", err)
			}
		})
		t.Run("TokenFunc "+name, func(t *testing.T) {
			w := newGrantWorld(t)
			c := w.client(&TokenExchange{
				Client: serviceAccount().Client, TokenURL: worldIssuer + "/token",
				Subject: func(context.Context, session.Key) (auth.Secret, string, error) {
					fault()
					return auth.Secret{}, "", nil
				},
			})
			if _, err := obtain(t.Context(), c, worldUser); !isPanic(err) {
				t.Errorf("error %v, want a *session.PanicError", err)
			}
		})
		t.Run("Signer "+name, func(t *testing.T) {
			w := newGrantWorld(t)
			_, key, _ := ed25519.GenerateKey(nil)
			c := w.client(&ClientCredentials{Client: ClientAuth{ID: "agent", Key: &PrivateKeyJWT{Signer: faultySigner{key, fault}}}})
			if _, err := obtain(t.Context(), c, worldUser); !isPanic(err) {
				t.Errorf("error %v, want a *session.PanicError", err)
			}
		})
	}
}

// A refresh ahead of time has no caller who could be told.
func TestAFaultInARefreshAheadOfTimeIsSurvived(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				s := &faultyStore{MemoryStore: auth.NewMemoryStore(), fault: fault}
				c := w.client(sharing(s))
				w.login(c, alice)
				time.Sleep(59*time.Minute + time.Second)
				s.in = "Load"
				w.works(c, alice)
				synctest.Wait()
				s.in = ""
				time.Sleep(time.Minute)
				w.works(c, alice)
				c.Close()
			})
		})
	}
}

// A redirect that fails so is told to those who wait for it.
func TestAFaultInCompleteIsAnError(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := &faultyStore{MemoryStore: auth.NewMemoryStore(), fault: fault}
			c := w.client(sharing(s))
			back := w.browse(w.url(c, alice), alice.User)
			s.in = "Save"
			if _, err := c.Complete(t.Context(), back); !isPanic(err) {
				t.Errorf("Complete = %v, want a *session.PanicError", err)
			}
			s.in = ""
			w.login(c, alice)
		})
	}
}

type faultySigner struct {
	crypto.Signer
	fault func()
}

func (s faultySigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	s.fault()
	return nil, nil
}

func wantPanic(t *testing.T, c *Client, w *world) {
	t.Helper()
	if _, err := w.call(t.Context(), c, alice); !isPanic(err) {
		t.Errorf("call = %v, want a *session.PanicError", err)
	}
}

func isPanic(err error) bool {
	var p *session.PanicError
	var typed *Error
	return errors.As(err, &p) && errors.As(err, &typed)
}
