package auth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/mcpfleet/mcpfleet/session"
)

// A boundProvider has tokens that are bound to a key.
type boundProvider struct {
	fakeProvider
	cached Secret
	prove  func(method string, u *url.URL) (token, proof Secret, err error)
}

func (p boundProvider) Cached(session.Key) (Secret, bool) { return p.cached, !p.cached.IsZero() }

func (p boundProvider) TokenFor(_ context.Context, _ session.Key, method string, u *url.URL) (token, proof Secret, err error) {
	return p.prove(method, u)
}

var errBound = errors.New("bound")

func bound(prove func(string, *url.URL) (token, proof Secret, err error)) boundProvider {
	refuse := func(context.Context, session.Key) (Secret, error) { return Secret{}, errBound }
	return boundProvider{fakeProvider: fakeProvider{token: refuse}, prove: prove}
}

func TestABoundTokenIsSentWithTheProofForItsRequest(t *testing.T) {
	c := mustChain(t, ChainConfig{Server: "s", OAuth: bound(func(method string, u *url.URL) (token, proof Secret, err error) {
		return NewSecret("token"), NewSecret(method + u.Path), nil
	})})
	for _, method := range []string{"GET", "POST"} {
		req := httptest.NewRequest(method, "https://h/mcp", nil)
		r, err := c.ResolveFor(t.Context(), alice, req)
		if err != nil {
			t.Fatal(err)
		}
		h := r.Header()
		if h.Get("Authorization") != "DPoP token" || h.Get("DPoP") != method+"/mcp" || len(h) != 2 || r.Source != SourceOAuth {
			t.Errorf("%s is sent with %d fields of %v", method, len(h), r)
		}
		if len(req.Header) > 0 {
			t.Error("the request was changed")
		}
	}
	var source *SourceError
	if _, err := c.Resolve(t.Context(), alice); !errors.As(err, &source) || !errors.Is(err, errBound) {
		t.Errorf("without a request: %v, want what the provider says", err)
	}
}

func TestABearerTokenNeedsNoProof(t *testing.T) {
	asked := 0
	p := bound(func(string, *url.URL) (token, proof Secret, err error) {
		asked++
		return NewSecret("slow"), Secret{}, nil
	})
	req := httptest.NewRequest(http.MethodPost, "https://h/mcp", nil)
	for cached, want := range map[string]string{"fast": "Bearer fast", "": "Bearer slow"} {
		p.cached = NewSecret(cached)
		r, err := mustChain(t, ChainConfig{Server: "s", OAuth: p}).ResolveFor(t.Context(), alice, req)
		if err != nil || len(r.Header()) != 1 || r.Header().Get("Authorization") != want {
			t.Errorf("%d fields, %v; want %q", len(r.Header()), err, want)
		}
	}
	if asked != 1 {
		t.Errorf("the provider is asked %d times, want 1: not for what is cached", asked)
	}

	// Nor does any other provider or source.
	c := mustChain(t, ChainConfig{Server: "s", OAuth: tokenIs("plain")})
	for want, ctx := range map[string]context.Context{"Bearer plain": t.Context(), "Bearer mine": request(t.Context(), Bearer("mine"))} {
		if r, err := c.ResolveFor(ctx, alice, req); err != nil || r.Header().Get("Authorization") != want {
			t.Errorf("%q, %v", want, err)
		}
	}
}

func TestAProofThatIsNotToBeHadSendsNothing(t *testing.T) {
	failed := errors.New("no key")
	var panicked *session.PanicError
	for name, tt := range map[string]struct {
		prove func(string, *url.URL) (token, proof Secret, err error)
		is    func(error) bool
	}{
		"an error":    {func(string, *url.URL) (token, proof Secret, err error) { return NewSecret("t"), Secret{}, failed }, func(err error) bool { return errors.Is(err, failed) }},
		"a panic":     {func(string, *url.URL) (token, proof Secret, err error) { panic("no") }, func(err error) bool { return errors.As(err, &panicked) }},
		"a bad token": {func(string, *url.URL) (token, proof Secret, err error) { return NewSecret("a b"), NewSecret("p"), nil }, func(err error) bool { return errors.Is(err, ErrInvalidCredential) }},
		"a bad proof": {func(string, *url.URL) (token, proof Secret, err error) { return NewSecret("t"), NewSecret("p\n"), nil }, func(err error) bool { return errors.Is(err, ErrInvalidCredential) }},
	} {
		r, err := mustChain(t, ChainConfig{Server: "s", OAuth: bound(tt.prove)}).ResolveFor(t.Context(), alice, httptest.NewRequest("POST", "https://h/", nil))
		var source *SourceError
		if !errors.As(err, &source) || !tt.is(err) || r.Header() != nil {
			t.Errorf("%s: %v with %d fields", name, err, len(r.Header()))
		}
	}
}

// Additional headers must not take the place of the proof.
func TestAnAdditionalHeaderIsNoProof(t *testing.T) {
	c := mustChain(t, ChainConfig{
		Server: "s",
		OAuth:  bound(func(string, *url.URL) (token, proof Secret, err error) { return NewSecret("t"), NewSecret("p"), nil }),
		Headers: func(context.Context, session.Key) (map[string]Secret, error) {
			return map[string]Secret{"dpop": NewSecret("mine")}, nil
		},
	})
	if _, err := c.ResolveFor(t.Context(), alice, httptest.NewRequest("POST", "https://h/", nil)); !errors.Is(err, ErrInvalidCredential) {
		t.Errorf("error %v, want ErrInvalidCredential", err)
	}
}
