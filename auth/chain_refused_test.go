package auth

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/session"
)

// refuse tells c of a refusal and checks what it says.
func refuse(t testing.TB, ctx context.Context, c *Chain, token string, want bool) { //nolint:revive // t comes first
	t.Helper()
	if again, err := c.Refused(ctx, alice, refusal(token)); again != want || err != nil {
		t.Errorf("Refused = %t, %v; want %t", again, err, want)
	}
}

func TestRefusedValuesAreNotSentAgain(t *testing.T) {
	store := newFakeStore()
	for what, ctx := range map[string]context.Context{
		"request": request(t.Context(), Bearer("x")), "agent": agent(t.Context(), Bearer("x")), "server": t.Context(),
		"unusable": request(t.Context(), Credential{}), "id without a store": request(t.Context(), Reference("x")),
	} {
		cfg := ChainConfig{Server: "s", Credential: Bearer("x"), OAuth: fakeProvider{}}
		if what == "request" {
			cfg.Secrets = store
		}
		refuse(t, ctx, mustChain(t, cfg), "x", false)
	}
	refuse(t, t.Context(), mustChain(t, ChainConfig{Server: "s"}), "", false)
	if store.reads.Load() != 0 {
		t.Error("the store is asked for what it does not have")
	}
}

func TestTheProviderAnswersForItsTokens(t *testing.T) {
	required := &AuthRequiredError{Server: "s", User: alice}
	var got Refusal
	again, fail := true, error(nil)
	c := mustChain(t, ChainConfig{Server: "s", OAuth: fakeProvider{refused: func(_ context.Context, key session.Key, r Refusal) (bool, error) {
		if key != alice {
			t.Errorf("Refused is told of %v", key)
		}
		got = r
		return again, fail
	}}})
	r := Refusal{StatusCode: 403, Challenges: []string{`Bearer error="insufficient_scope"`}, Sent: http.Header{"Authorization": {"Bearer x"}}}
	if ok, err := c.Refused(t.Context(), alice, r); !ok || err != nil || got.StatusCode != 403 || len(got.Challenges) != 1 || got.Sent.Get("Authorization") != "Bearer x" {
		t.Errorf("Refused = %t, %v; the provider is told %+v", ok, err, got)
	}
	again, fail = false, required
	if ok, err := c.Refused(t.Context(), alice, r); ok || err != error(required) {
		t.Errorf("Refused = %t, %v; want the provider's error", ok, err)
	}
}

func TestARefusedIDIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.has(t, "acme", "id", Bearer("one"))
		c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
		ctx := request(t.Context(), Reference("id"))
		sends(t, ctx, c, alice, "one")
		reads := func(want int64) {
			t.Helper()
			if got := store.reads.Load(); got != want {
				t.Errorf("the store was read %d times, want %d", got, want)
			}
		}
		refuse(t, ctx, c, "one", false) // it has not changed
		reads(2)
		refuse(t, ctx, c, "one", false) // nor in this short time
		reads(2)
		time.Sleep(refusedPause)
		refuse(t, ctx, c, "one", false)
		reads(3)

		store.has(t, "acme", "id", Bearer("two"))
		time.Sleep(refusedPause)
		refuse(t, ctx, c, "one", true)
		reads(4)
		refuse(t, ctx, c, "one", true) // somebody else asked meanwhile
		sends(t, ctx, c, alice, "two")
		reads(4)

		// What was dropped is asked for.
		c.secrets.drop(SecretKey{Tenant: "acme", ID: "id"})
		refuse(t, ctx, c, "two", false)
		c.secrets.drop(SecretKey{Tenant: "acme", ID: "id"})
		refuse(t, ctx, c, "one", true)
		reads(6)
	})
}

func TestARefusedIDThatIsGoneIsAnErrorAndAnOutageIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.has(t, "acme", "id", Bearer("one"))
		c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
		ctx := request(t.Context(), Reference("id"))
		sends(t, ctx, c, alice, "one")
		store.failing(ErrStoreUnavailable)
		refuse(t, ctx, c, "one", false)
		sends(t, ctx, c, alice, "one")
		c.secrets.drop(SecretKey{Tenant: "acme", ID: "id"})
		refuse(t, ctx, c, "one", false)

		store.failing(nil)
		sends(t, ctx, c, alice, "one")
		store.failing(ErrDenied)
		time.Sleep(refusedPause)
		var sourced *SourceError
		if again, err := c.Refused(ctx, alice, refusal("one")); again || !errors.As(err, &sourced) || !errors.Is(err, ErrDenied) {
			t.Errorf("Refused = %t, %v; want a SourceError that wraps ErrDenied", again, err)
		}
		fails(t, ctx, c, alice, SourceRequestID, ErrDenied) // at once, whatever the TTL
	})
}

func TestAHundredRefusalsAskOnce(t *testing.T) {
	for what, next := range map[string]string{"changed": "two", "unchanged": "one"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore()
				store.has(t, "acme", "id", Bearer("one"))
				c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
				ctx := request(t.Context(), Reference("id"))
				sends(t, ctx, c, alice, "one")
				store.has(t, "acme", "id", Bearer(next))
				answer := make(chan struct{})
				store.before = func(context.Context, SecretKey) { <-answer }
				var wg sync.WaitGroup
				for range 100 {
					wg.Go(func() { refuse(t, ctx, c, "one", what == "changed") })
				}
				synctest.Wait()
				sends(t, ctx, c, alice, "one") // others do not wait
				close(answer)
				wg.Wait()
				for range 100 { // and those who come late
					refuse(t, ctx, c, "one", what == "changed")
				}
				if got := store.reads.Load(); got != 2 {
					t.Errorf("the store was read %d times, want once for the value and once for the refusals", got)
				}
			})
		})
	}
}

func TestARefusalOfHeadersComparesAllOfThem(t *testing.T) {
	store := newFakeStore()
	two := func(a, b string) Credential {
		return Credential{Headers: map[string]Secret{"x-a": NewSecret(a), "X-B": NewSecret(b)}}
	}
	store.has(t, "acme", "id", two("1", "2"))
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
	ctx := request(t.Context(), Reference("id"))
	sent := func(a, b string) Refusal {
		return Refusal{StatusCode: 401, Sent: http.Header{"X-A": {a}, "X-B": {b}}}
	}
	for _, test := range []struct {
		r    Refusal
		want bool
	}{
		{sent("1", "2"), false}, {sent("1", "x"), true}, {sent("x", "2"), true}, {Refusal{StatusCode: 401}, true},
	} {
		if again, err := c.Refused(ctx, alice, test.r); again != test.want || err != nil {
			t.Errorf("Refused = %t, %v; want %t", again, err, test.want)
		}
	}
}
