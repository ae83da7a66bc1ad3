package oauth

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

func enterprise() *Enterprise {
	return &Enterprise{
		IDPIssuer: worldIDP,
		IDPClient: ClientAuth{ID: "host-at-idp", Secret: auth.NewSecret("secret-of-the-idp")},
		Identity:  login,
		Client:    ClientAuth{ID: "host-at-as", Secret: auth.NewSecret("secret-of-the-as")},
	}
}

// employ makes the identity provider give assertions to all of its users.
func (w *grantWorld) employ() {
	w.answers["idp.example"] = func(rw http.ResponseWriter, r *http.Request) {
		writeJSON(rw, 200, map[string]any{
			"access_token": "assertion-for-" + r.PostForm.Get("subject_token"), "token_type": "N_A", "issued_token_type": tokenTypeIDJAG, "expires_in": 300,
		})
	}
}

func TestAnEnterpriseGrantsAccessToItsUsers(t *testing.T) {
	w := newGrantWorld(t)
	w.employ()
	mustObtain(t, w.client(enterprise()), worldUser)

	all := w.requests()
	if len(all) != 2 || all[0].host != "idp.example" || all[1].host != "as.example" {
		t.Fatalf("requests %v, want one to the identity provider and one to the authorization server", all)
	}
	idp, as := all[0], all[1]
	for name, want := range map[string]string{
		"grant_type":           "urn:ietf:params:oauth:grant-type:token-exchange",
		"requested_token_type": "urn:ietf:params:oauth:token-type:id-jag",
		"subject_token":        "login-of-alice", "subject_token_type": TokenTypeIDToken,
		"audience": worldIssuer, "resource": worldResource, "scope": "read write",
	} {
		if idp.form.Get(name) != want {
			t.Errorf("identity provider: %s = %q, want %q", name, idp.form.Get(name), want)
		}
	}
	for name, want := range map[string]string{
		"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "assertion-for-login-of-alice", "scope": "read write",
	} {
		if as.form.Get(name) != want {
			t.Errorf("authorization server: %s = %q, want %q", name, as.form.Get(name), want)
		}
	}
	if idp.user != "host-at-idp" || idp.passwd != "secret-of-the-idp" || as.user != "host-at-as" || as.passwd != "secret-of-the-as" {
		t.Errorf("the host is %q at the identity provider and %q at the authorization server", idp.user, as.user)
	}
	if as.form.Has("subject_token") {
		t.Error("the authorization server got the user's login")
	}
}

func TestExpiredAccessIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGrantWorld(t)
		w.employ()
		c := w.client(enterprise())
		mustObtain(t, c, worldUser)
		time.Sleep(2 * time.Hour)
		mustObtain(t, c, worldUser)
		if n := len(w.requests()); n != 4 {
			t.Errorf("%d token requests, want 4", n)
		}

		// Who has left the company has access until the token expires, and no longer.
		w.mu.Lock()
		w.answers["idp.example"] = func(rw http.ResponseWriter, r *http.Request) {
			writeJSON(rw, 400, map[string]any{"error": "access_denied"})
		}
		w.mu.Unlock()
		time.Sleep(2 * time.Hour)
		_, err := obtain(t.Context(), c, worldUser)
		var typed *Error
		var refused *ResponseError
		if !errors.As(err, &typed) || typed.Issuer != worldIDP || !errors.As(err, &refused) || refused.Code != "access_denied" {
			t.Errorf("error %v, want the refusal of the identity provider", err)
		}
		c.Close()
	})
}

// What the identity provider issues in place of an ID-JAG is good at the identity provider itself.
func TestOnlyAnAssertionForTheServerLeavesTheIdentityProvider(t *testing.T) {
	for _, issued := range []any{nil, TokenTypeAccessToken, TokenTypeIDToken} {
		w := newGrantWorld(t)
		w.answers["idp.example"] = func(rw http.ResponseWriter, r *http.Request) {
			answer := map[string]any{"access_token": "good-at-the-idp", "token_type": "Bearer"}
			if issued != nil {
				answer["issued_token_type"] = issued
			}
			writeJSON(rw, 200, answer)
		}
		_, err := obtain(t.Context(), w.client(enterprise()), worldUser)
		if !errors.Is(err, ErrTokenResponse) {
			t.Errorf("%v: error %v, want ErrTokenResponse", issued, err)
		}
		if got := w.only(); got.host != "idp.example" {
			t.Errorf("%v: %s was asked", issued, got.host)
		}
		leaks(t, err, "good-at-the-idp")
	}
}

func TestAnIdentityProviderNeedsNoMetadata(t *testing.T) {
	w := newGrantWorld(t)
	w.employ()
	g := enterprise()
	g.IDPIssuer, g.IDPTokenURL = "", "https://idp.example/token"
	mustObtain(t, w.client(g), session.Key{Tenant: "acme", User: "bob"})
	for _, p := range w.paths {
		if p != "idp.example/token" && p[:11] == "idp.example" {
			t.Errorf("request to %s", p)
		}
	}
}
