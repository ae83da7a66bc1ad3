package oauth

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

func TestAWorkloadShowsThePlatformsToken(t *testing.T) {
	w := newGrantWorld(t)
	var issuer, endpoint string
	c := w.client(&WorkloadIdentity{Assertion: func(_ context.Context, i, e string) (auth.Secret, error) {
		issuer, endpoint = i, e
		return auth.NewSecret("pod-7"), nil
	}})
	first := mustObtain(t, c, worldUser)
	if second := mustObtain(t, c, session.Key{Tenant: "acme", User: "bob"}); second != first {
		t.Error("two users of a tenant got two tokens")
	}
	got := w.only()
	for name, want := range map[string]string{
		"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "pod-7", "resource": worldResource, "scope": "read write",
	} {
		if got.form.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.form.Get(name), want)
		}
	}
	if got.user != "" || got.form.Has("client_id") {
		t.Error("the workload names a client, and has none")
	}
	if issuer != worldIssuer || endpoint != worldIssuer+"/token" {
		t.Errorf("the assertion was asked for %q and %q", issuer, endpoint)
	}
}

func TestAWorkloadThatIsRefusedDoesNotTryAgain(t *testing.T) {
	w := newGrantWorld(t)
	w.answers["as.example"] = func(rw http.ResponseWriter, r *http.Request) {
		writeJSON(rw, 400, map[string]any{"error": "invalid_grant", "error_description": "bad " + r.PostForm.Get("assertion")})
	}
	c := w.client(&WorkloadIdentity{Assertion: func(context.Context, string, string) (auth.Secret, error) { return auth.NewSecret("pod-7"), nil }})
	_, err := obtain(t.Context(), c, worldUser)
	var refused *ResponseError
	if !errors.As(err, &refused) || refused.Code != "invalid_grant" {
		t.Errorf("error %v, want invalid_grant", err)
	}
	w.only()
	leaks(t, err, "pod-7")
}

func TestAWorkloadWithoutAPlatformsTokenAsksForNothing(t *testing.T) {
	for name, f := range map[string]func(context.Context, string, string) (auth.Secret, error){
		"error": func(context.Context, string, string) (auth.Secret, error) {
			return auth.Secret{}, errors.New("no volume")
		},
		"nothing": func(context.Context, string, string) (auth.Secret, error) { return auth.Secret{}, nil },
		"panic":   func(context.Context, string, string) (auth.Secret, error) { panic("no volume") },
	} {
		w := newGrantWorld(t)
		if _, err := obtain(t.Context(), w.client(&WorkloadIdentity{Assertion: f}), worldUser); err == nil || len(w.requests()) != 0 {
			t.Errorf("%s: error %v after %d token requests", name, err, len(w.requests()))
		}
	}
}
