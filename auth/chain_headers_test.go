package auth

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/mcpfleet/mcpfleet/session"
)

// Scenario 91.
func TestAdditionalHeadersComeOnTopOfEverySource(t *testing.T) {
	var seen session.Key
	cfg := ChainConfig{Server: "s", Headers: func(_ context.Context, key session.Key) (map[string]Secret, error) {
		seen = key
		return map[string]Secret{"x-service-account-token": NewSecret("service")}, nil
	}}
	c := mustChain(t, cfg)
	ctx := request(t.Context(), Bearer("user"))
	for range 2 { // what is shared with other requests stays as it is
		r, err := c.Resolve(ctx, alice)
		if err != nil || r.Header().Get("Authorization") != "Bearer user" || r.Header().Get("X-Service-Account-Token") != "service" || seen != alice {
			t.Fatalf("Resolve = %v, %v", r.Header(), err)
		}
	}
	r, err := c.Resolve(t.Context(), alice)
	if err != nil || len(r.Header()) != 1 || r.Header().Get("X-Service-Account-Token") != "service" || r.Source != SourceNone {
		t.Errorf("Resolve without a credential = %v, %v", r.Header(), err)
	}
	checkSinks(t, "Resolution", r)
	if p := principal(t, t.Context(), c, alice); p != "" {
		t.Errorf("the additional headers make a principal: %q", p)
	}
}

// An HTTP request cannot carry variables, and what sends it must be able to see that there is nothing else: with the
// service's token alone it would be the service that asks, and not the user.
func TestACredentialOfVariablesGetsNoAdditionalHeaders(t *testing.T) {
	c := mustChain(t, ChainConfig{Server: "s", Headers: func(context.Context, session.Key) (map[string]Secret, error) {
		return map[string]Secret{"X-Service-Account-Token": NewSecret("service")}, nil
	}})
	variables := map[string]Secret{"TOKEN": NewSecret("user")}
	r, err := c.Resolve(request(t.Context(), Credential{Env: variables}), alice)
	if err != nil || len(r.Header()) != 0 || r.Env()["TOKEN"] != "user" {
		t.Errorf("Resolve = %v, %v, %v; want the variable alone", r.Header(), r.Env(), err)
	}
	r, err = c.Resolve(request(t.Context(), Credential{Env: variables, Authorization: NewSecret("Bearer user")}), alice)
	if err != nil || len(r.Header()) != 2 || r.Env()["TOKEN"] != "user" {
		t.Errorf("Resolve = %v, %v, %v; want the variable and both headers", r.Header(), r.Env(), err)
	}
}

// Scenarios 88 and 91.
func TestAdditionalHeadersThatCannotBeSentAreErrors(t *testing.T) {
	errOwn := errors.New("the service account is locked")
	for what, test := range map[string]struct {
		headers map[string]Secret
		err     error
		want    error
	}{
		"clash":         {headers: map[string]Secret{"x-api-key": NewSecret(canary)}, want: ErrInvalidCredential},
		"authorization": {headers: map[string]Secret{"authorization": NewSecret(canary)}, want: ErrInvalidCredential},
		"bad value":     {headers: map[string]Secret{"X-A": NewSecret(canary + "\n")}, want: ErrInvalidCredential},
		"no value":      {headers: map[string]Secret{"X-A": {}}, want: ErrInvalidCredential},
		"own error":     {headers: map[string]Secret{"X-A": NewSecret(canary)}, err: errOwn, want: errOwn},
	} {
		c := mustChain(t, ChainConfig{
			Server: "s", Credential: Header("X-Api-Key", "k"),
			Headers: func(context.Context, session.Key) (map[string]Secret, error) { return test.headers, test.err },
		})
		r, err := c.Resolve(t.Context(), alice)
		if !errors.Is(err, test.want) || r.Header() != nil || finds(err.Error()) {
			t.Errorf("%s: Resolve = %v, %v; want an error that wraps %v", what, r, err, test.want)
		}
	}
}

// R11.
func TestPanicsAndGoexitOfTheHostAreErrors(t *testing.T) {
	for what, fault := range map[string]func(){
		"panic":  func() { panic("broken") },
		"nil":    func() { panic(nil) },
		"Goexit": runtime.Goexit,
		"error":  func() { panic(ErrNotFound) },
	} {
		fails := func(where, name string, err error) {
			t.Helper()
			var p *session.PanicError
			if !errors.As(err, &p) || p.Func != name || (p.Value == nil) != (what == "Goexit") {
				t.Errorf("%s in %s: %v, want a PanicError of %s", what, where, err, name)
			}
		}
		p := fakeProvider{
			token:   func(context.Context, session.Key) (Secret, error) { fault(); return Secret{}, nil },
			refused: func(context.Context, session.Key, Refusal) (bool, error) { fault(); return false, nil },
		}
		c := mustChain(t, ChainConfig{Server: "s", OAuth: p})
		_, err := c.Resolve(t.Context(), alice)
		fails("Token", "TokenProvider.Token", err)
		_, err = c.Refused(t.Context(), alice, refusal("x"))
		fails("Refused", "TokenProvider.Refused", err)

		c = mustChain(t, ChainConfig{Server: "s", Headers: func(context.Context, session.Key) (map[string]Secret, error) { fault(); return nil, nil }})
		_, err = c.Resolve(t.Context(), alice)
		fails("Headers", "ChainConfig.Headers", err)

		store := newFakeStore()
		store.has(t, "acme", "x", Bearer("x"))
		store.before = func(context.Context, SecretKey) { fault() }
		c = mustChain(t, ChainConfig{Server: "s", Secrets: store})
		ctx := request(t.Context(), Reference("x"))
		_, err = c.Resolve(ctx, alice)
		fails("Secret", "SecretStore.Secret", err)
		store.before = nil // nothing is left locked
		sends(t, ctx, c, alice, "x")

		c = mustChain(t, ChainConfig{Server: "s", Secrets: brokenSetter{store, fault}})
		fails("SetSecret", "SecretStore.SetSecret", c.SetServerCredential(ctx, "acme", Bearer("y")))
		fails("SetSecret", "SecretStore.SetSecret", c.ClearServerCredential(ctx, "acme"))
	}
}

type brokenSetter struct {
	SecretStore
	fault func()
}

func (s brokenSetter) SetSecret(context.Context, SecretKey, Credential) error {
	s.fault()
	return nil
}
