package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

func insufficient(token, scope string) auth.Refusal {
	return auth.Refusal{
		StatusCode: http.StatusForbidden,
		Challenges: []string{fmt.Sprintf(`Bearer error="insufficient_scope", scope=%q`, scope)},
		Sent:       http.Header{"Authorization": {"Bearer " + token}},
	}
}

// A server must not be able to talk a machine into more power than it was meant to have: no user looks at what it asks.
func TestAMachineAsksForNoMoreThanItMay(t *testing.T) {
	only := func(allowed string) func([]string) []string {
		return func(named []string) []string {
			return slices.DeleteFunc(named, func(s string) bool { return s != allowed })
		}
	}
	for name, tt := range map[string]struct {
		configured []string
		filter     func([]string) []string
		challenge  string
		first      string // what the first token is asked for with
		want       string // what the second one is; empty: the refusal stands
	}{
		"more than configured":          {[]string{"read"}, nil, "admin delete:everything", "read", ""},
		"some more than configured":     {[]string{"read"}, nil, "read admin", "read", ""},
		"configured ones, which it has": {[]string{"read", "admin"}, nil, "admin", "read admin", ""},
		"configured, and a filter":      {[]string{"read"}, only("admin"), "admin", "read", ""},
		"not in the metadata":           {nil, nil, "admin", "read write", ""},
		"not all in the metadata":       {nil, nil, "write admin", "read write", ""},
		"filtered":                      {nil, only("admin"), "admin evil", "", "admin"},
		"all filtered":                  {nil, only("admin"), "evil", "", ""},
		"none named, and all granted":   {nil, nil, "", "read write", ""},
		"none named, with a ceiling":    {[]string{"read"}, nil, "", "read", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newGrantWorld(t)
			c := w.client(serviceAccount(), func(cfg *Config) { cfg.Scopes, cfg.ScopeFilter = tt.configured, tt.filter })
			token := mustObtain(t, c, worldUser)
			if got := w.only().form.Get("scope"); got != tt.first {
				t.Fatalf("the first token is asked for with %q, want %q", got, tt.first)
			}
			again, err := c.Refused(t.Context(), worldUser, insufficient(token, tt.challenge))
			if err != nil || again != (tt.want != "") {
				t.Errorf("Refused = %t, %v", again, err)
			}
			asked := w.requests()[1:]
			if tt.want == "" && len(asked) > 0 || tt.want != "" && (len(asked) != 1 || asked[0].form.Get("scope") != tt.want) {
				t.Errorf("asked for %v, want %q", asked, tt.want)
			}
		})
	}
}

// What the metadata lists by now may be asked for, although the token at hand was obtained with less.
func TestAMachineAsksForWhatTheMetadataLists(t *testing.T) {
	w := newGrantWorld(t)
	c := w.client(serviceAccount())
	w.listed = []string{"read"}
	token := mustObtain(t, c, worldUser)
	w.mu.Lock()
	w.listed = []string{"read", "write"}
	w.mu.Unlock()
	if again, err := c.Refused(t.Context(), worldUser, insufficient(token, "write")); !again || err != nil {
		t.Errorf("Refused = %t, %v", again, err)
	}
	if got := w.requests()[1].form.Get("scope"); got != "read write" {
		t.Errorf("asked for %q", got)
	}
}

// The first refusal has the same ceiling.
func TestTheFirstTokenOfAMachineHasTheSameCeiling(t *testing.T) {
	for challenge, want := range map[string]string{"admin": "read write", "read admin": "read write", "read": "read"} {
		w := newGrantWorld(t)
		c := w.client(serviceAccount())
		_, err := c.Refused(t.Context(), worldUser, auth.Refusal{StatusCode: 401, Challenges: []string{fmt.Sprintf("Bearer scope=%q", challenge)}})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.only().form.Get("scope"); got != want {
			t.Errorf("challenged with %q it asks for %q, want %q", challenge, got, want)
		}
	}
}

// A ceiling that was lowered holds for the tokens that are there, too.
func TestALoweredCeilingHoldsForRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGrantWorld(t)
		s := auth.NewMemoryStore()
		for _, scopes := range [][]string{{"read", "admin"}, {"read"}} {
			c := w.client(serviceAccount(), func(cfg *Config) { cfg.Store, cfg.Scopes = s, scopes })
			mustObtain(t, c, worldUser)
			time.Sleep(defaultLife - defaultRefreshAhead/2)
			mustObtain(t, c, worldUser)
			synctest.Wait() // for the refresh ahead of time
			c.Close()
		}
		all := w.requests()
		if got := all[len(all)-1].form.Get("scope"); got != "read" {
			t.Errorf("asked for %q", got)
		}
	})
}

func TestAServerNamesNoEndOfScopes(t *testing.T) {
	many := make([]string, 150)
	for i := range many {
		many[i] = fmt.Sprintf("scope-%d", i)
	}
	long := make([]string, 60)
	for i := range long {
		long[i] = fmt.Sprintf("%d-%s", i, strings.Repeat("x", 500))
	}
	for name, named := range map[string][]string{"many": many, "long": long} {
		for _, configured := range [][]string{nil, {"mine"}, many} {
			w := newWorld(t)
			w.asm["scopes_supported"] = []string{"offline_access"}
			c := w.client(func(cfg *Config, _ *AuthorizationCode) { cfg.Scopes = configured })
			_, err := c.Refused(t.Context(), alice, insufficient("", strings.Join(named, " ")))
			u := urlOf(t, err)
			got := strings.Fields(u.Query().Get("scope"))
			if !covers(got, configured) {
				t.Errorf("%s: what is configured is not asked for", name)
			}
			if len(configured) < 2 && (len(got) > maxAsked || len(u.Query().Get("scope")) > maxAskedBytes+len(" offline_access") || len(got) < 5) {
				t.Errorf("%s: %d scopes of %d bytes are asked for", name, len(got), len(u.Query().Get("scope")))
			}
			if configured == nil && !slices.Contains(got, "offline_access") {
				t.Errorf("%s: there will be no refresh token", name)
			}
		}
	}
}

// urlOf returns where err sends the user.
func urlOf(t *testing.T, err error) *url.URL {
	t.Helper()
	var required *auth.AuthRequiredError
	if !errors.As(err, &required) {
		t.Fatalf("error %v, want an AuthRequiredError", err)
	}
	u, err := url.Parse(required.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A server that refuses every token costs one now and then, not one for each call.
func TestAServerThatRefusesEveryTokenIsNotFedWithThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGrantWorld(t)
		c := w.client(serviceAccount())
		refused := func() bool {
			again, err := c.Refused(t.Context(), worldUser, auth.Refusal{
				StatusCode: 401, Sent: http.Header{"Authorization": {"Bearer " + mustObtain(t, c, worldUser)}},
			})
			if err != nil {
				t.Fatal(err)
			}
			return again
		}
		mustObtain(t, c, worldUser)
		for range 50 {
			if refused() {
				t.Fatal("a new token so soon")
			}
		}
		w.only()
		if n := len(w.paths); n > 4 {
			t.Errorf("%d requests for 50 refusals", n)
		}
		time.Sleep(settling) // the server may have forgotten the token since
		if !refused() {
			t.Error("no new token")
		}
		for range 50 {
			refused()
		}
		if n := len(w.requests()); n != 2 {
			t.Errorf("%d token requests, want 2", n)
		}
		c.Close()
	})
}

// A server that names what is not to be had costs a discovery now and then, whatever it names.
func TestScopesThatAreNotToBeHadCostOneDiscovery(t *testing.T) {
	refuse := func(t *testing.T, c *Client, token string, i int) {
		t.Helper()
		for _, scope := range []string{"admin", fmt.Sprintf("admin-%d", i), ""} {
			if again, err := c.Refused(t.Context(), worldUser, insufficient(token, scope)); again || err != nil {
				t.Fatalf("Refused = %t, %v", again, err)
			}
		}
	}
	for name, filter := range map[string]func([]string) []string{
		"not listed": nil,
		"filtered": func(named []string) []string {
			return slices.DeleteFunc(named, func(s string) bool { return s != "read" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newGrantWorld(t)
				c := w.client(serviceAccount(), func(cfg *Config) { cfg.ScopeFilter = filter })
				carol := session.Key{Tenant: "other", User: "carol"}
				token, hers := mustObtain(t, c, worldUser), mustObtain(t, c, carol)
				before := len(w.paths)
				for i := range 50 {
					refuse(t, c, token, i)
				}
				if n := len(w.paths) - before; n > 2 {
					t.Errorf("%d requests for 150 refusals, want the 2 of one discovery", n)
				}
				w.mu.Lock()
				w.listed = []string{"read", "write", "admin"}
				w.mu.Unlock()
				if again, err := c.Refused(t.Context(), carol, insufficient(hers, "admin")); again != (filter == nil) || err != nil {
					t.Errorf("Refused, of another tenant = %t, %v", again, err)
				}
				time.Sleep(stepUpLife)
				if again, err := c.Refused(t.Context(), worldUser, insufficient(token, "admin")); again != (filter == nil) || err != nil {
					t.Errorf("Refused, once the scope is listed = %t, %v", again, err)
				}
				c.Close()
			})
		})
	}
}

// A user who takes their time is waited for without a request, although there is a token, which is refused.
func TestAnAuthorizationUnderWayCostsOneDiscovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.noRefresh, w.ttl = true, 0
		c := w.client()
		w.login(c, alice)
		time.Sleep(25 * time.Hour) // it has an end that nobody told
		first := w.url(c, alice)
		for range 10 {
			if w.url(c, alice) != first {
				t.Fatal("another URL for the same authorization")
			}
		}
		w.wantCounts("prm=2 asm=2") // of the login and of the first refusal
		if _, err := c.Complete(t.Context(), w.browse(first, "alice")); err != nil {
			t.Fatal(err)
		}
		w.works(c, alice)
		c.Close()
	})
}

// Until the user has agreed to more, each refusal would find out again whom to ask.
func TestAStepUpUnderWayCostsOneDiscovery(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	token, err := c.Token(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	var first string
	for range 10 {
		_, err := c.Refused(t.Context(), alice, insufficient(token.Reveal(), "write"))
		u := urlOf(t, err).String()
		if first == "" {
			first = u
		}
		if u != first {
			t.Fatal("another URL for the same step-up")
		}
	}
	w.wantCounts("prm=2 asm=2") // of the login and of the step-up
}
