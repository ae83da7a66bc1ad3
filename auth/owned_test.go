package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfleet/mcpfleet/session"
)

func set(t testing.TB, c *Chain, tenant string, cred Credential) {
	t.Helper()
	if err := c.SetServerCredential(t.Context(), tenant, cred); err != nil {
		t.Error(err)
	}
}

func TestAServerOwnsTheValuesItIsGivenAndNoOthers(t *testing.T) {
	store := newFakeStore()
	store.has(t, "acme", "shared", Bearer("shared"))
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store, Credential: Bearer("config"), OAuth: tokenIs("oauth")})
	owned := func(want string) {
		t.Helper()
		if got := strings.TrimPrefix(store.owns("s", "acme").Authorization.Reveal(), "Bearer "); got != want {
			t.Errorf("the server owns %q, want %q", got, want)
		}
		if got, err := store.MemoryStore.Secret(t.Context(), SecretKey{Tenant: "acme", ID: "shared"}); err != nil || got.Authorization.Reveal() != "Bearer shared" {
			t.Errorf("what is only referred to is %v, %v", got, err)
		}
	}
	sends(t, t.Context(), c, alice, "config")
	set(t, c, "acme", Bearer("one"))
	owned("one")
	sends(t, t.Context(), c, alice, "one")
	sends(t, t.Context(), c, mario, "config") // other tenants are not concerned
	set(t, c, "acme", Bearer("two"))          // rotated
	owned("two")
	sends(t, t.Context(), c, alice, "two")
	set(t, c, "acme", Reference("shared"))
	owned("")
	sends(t, t.Context(), c, alice, "shared")
	set(t, c, "acme", Bearer("three"))
	owned("three")
	sends(t, t.Context(), c, alice, "three")
	if err := c.ClearServerCredential(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
	owned("")
	if c.secrets.lookup(c.ownedKey("acme")) != nil {
		t.Error("a cleared value stays in memory")
	}
	sends(t, t.Context(), c, alice, "oauth") // not the configured one, which was cleared as well
	sends(t, t.Context(), c, mario, "config")
}

func TestARemovedServerLeavesNothing(t *testing.T) {
	store := newFakeStore()
	store.has(t, "acme", "shared", Bearer("shared"))
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store, Credential: Bearer("config")})
	other := mustChain(t, ChainConfig{Server: "other", Secrets: store})
	set(t, c, "acme", Bearer("one"))
	set(t, c, "umbrella", Bearer("two"))
	set(t, c, "initech", Reference("shared"))
	set(t, other, "acme", Bearer("other"))

	errDown := errors.New("down")
	store.failingSet(errDown)
	if err := c.Remove(t.Context()); !errors.Is(err, errDown) {
		t.Errorf("Remove = %v, want what the store says", err)
	}
	sends(t, t.Context(), c, alice, "") // it is not used any more all the same
	store.failingSet(nil)
	for range 2 {
		if err := c.Remove(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, tenant := range []string{"acme", "umbrella", "initech"} {
		if got := store.owns("s", tenant); !got.IsZero() {
			t.Errorf("the removed server owns %v of %s", got, tenant)
		}
	}
	sends(t, t.Context(), c, alice, "")
	sends(t, t.Context(), c, mario, "")
	if err := c.SetServerCredential(t.Context(), "acme", Bearer("x")); !errors.Is(err, errRemoved) || store.owns("s", "acme").hasValue() {
		t.Errorf("SetServerCredential after Remove: %v", err)
	}
	sends(t, t.Context(), other, alice, "other")
	if _, err := store.MemoryStore.Secret(t.Context(), SecretKey{Tenant: "acme", ID: "shared"}); err != nil {
		t.Errorf("what was only referred to is gone: %v", err)
	}
}

func TestASetThatFailsLeavesTheOldCredential(t *testing.T) {
	store := newFakeStore()
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
	set(t, c, "acme", Bearer("old"))
	errDown := errors.New("down")
	store.failingSet(errDown)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for what, test := range map[string]struct {
		err  error
		want error
	}{
		"store":   {c.SetServerCredential(t.Context(), "acme", Bearer("new")), errDown},
		"invalid": {c.SetServerCredential(t.Context(), "acme", Bearer(canary+" ")), ErrInvalidCredential},
		"no store": {
			mustChain(t, ChainConfig{Server: "s"}).SetServerCredential(t.Context(), "acme", Bearer(canary)), errNoSecrets,
		},
		"no store for an id": {
			mustChain(t, ChainConfig{Server: "s"}).SetServerCredential(t.Context(), "acme", Reference("id")), errNoSecrets,
		},
		"nothing to load": {c.LoadServerCredential(t.Context(), "umbrella"), ErrNotFound},
		"load, no store":  {mustChain(t, ChainConfig{Server: "s"}).LoadServerCredential(t.Context(), "acme"), errNoSecrets},
	} {
		if !errors.Is(test.err, test.want) || finds(test.err.Error()) || !strings.HasPrefix(test.err.Error(), "auth: ") {
			t.Errorf("%s: %v, want an error that wraps %v", what, test.err, test.want)
		}
	}
	if err := c.SetServerCredential(t.Context(), "acme", Credential{}); err == nil {
		t.Error("SetServerCredential takes the zero credential")
	}
	sends(t, t.Context(), c, alice, "old")

	// Waiting for another change ends with the context.
	c.owner.lock <- struct{}{}
	if err := c.ClearServerCredential(ended, "acme"); !errors.Is(err, context.Canceled) {
		t.Errorf("ClearServerCredential with an ended context: %v", err)
	}
	<-c.owner.lock
	sends(t, t.Context(), c, alice, "old")
}

func TestADeletionThatFailsIsReportedAndTriedAgain(t *testing.T) {
	store := newFakeStore()
	store.has(t, "acme", "shared", Bearer("shared"))
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
	set(t, c, "acme", Bearer("old"))
	errDown := errors.New("down")
	store.failingSet(errDown)
	if err := c.SetServerCredential(t.Context(), "acme", Reference("shared")); !errors.Is(err, errDown) {
		t.Errorf("SetServerCredential = %v", err)
	}
	sends(t, t.Context(), c, alice, "shared")
	store.failingSet(nil)
	if err := c.ClearServerCredential(t.Context(), "acme"); err != nil || store.owns("s", "acme").hasValue() {
		t.Errorf("ClearServerCredential = %v, the server owns %v", err, store.owns("s", "acme"))
	}
}

func TestReferencesNeedNoStoreThatCanBeWritten(t *testing.T) {
	store := newFakeStore()
	store.has(t, "acme", "shared", Bearer("shared"))
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
	store.failingSet(fmt.Errorf("vault: %w", errors.ErrUnsupported))
	set(t, c, "acme", Reference("shared"))
	sends(t, t.Context(), c, alice, "shared")
	if err := c.ClearServerCredential(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
	if err := c.SetServerCredential(t.Context(), "acme", Bearer("x")); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("SetServerCredential of a value = %v", err)
	}
	if c := mustChain(t, ChainConfig{Server: "s", Credential: Bearer("x")}); c.ClearServerCredential(t.Context(), "acme") != nil {
		t.Error("a configured value cannot be cleared without a store")
	}
}

func TestAnotherProcessTakesUpWhatAServerOwns(t *testing.T) {
	store := newFakeStore()
	set(t, mustChain(t, ChainConfig{Server: "s", Secrets: store}), "acme", Credential{Authorization: NewSecret("Bearer one"), Principal: "svc"})
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
	sends(t, t.Context(), c, alice, "")
	if err := c.LoadServerCredential(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	sends(t, t.Context(), c, alice, "one")
	if got := principal(t, t.Context(), c, alice); got != "server-principal:svc" {
		t.Errorf("Principal = %q", got)
	}
	if err := c.Remove(t.Context()); err != nil || store.owns("s", "acme").hasValue() {
		t.Errorf("Remove = %v, the server owns %v", err, store.owns("s", "acme"))
	}
}

// A reader that began before a change and answers after it does not bring the old value back.
func TestAReadThatWasOvertakenIsNotKept(t *testing.T) {
	store := newFakeStore()
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
	set(t, c, "acme", Bearer("old"))
	c.secrets.drop(c.ownedKey("acme"))

	reading, proceed := make(chan struct{}), make(chan struct{})
	c.secrets.store = overtaken{store, reading, proceed}
	var wg sync.WaitGroup
	wg.Go(func() {
		if got, err := authorization(t.Context(), c, alice); err != nil || got != "Bearer new" {
			t.Errorf("Resolve = %q, %v", got, err)
		}
	})
	<-reading
	set(t, c, "acme", Bearer("new"))
	sends(t, t.Context(), c, alice, "new")
	close(proceed)
	wg.Wait()
	sends(t, t.Context(), c, alice, "new")
	checkCache(t, c.secrets)
}

// A request that chose the server's value just before it was cleared goes on without it.
func TestARequestThatMissesAClearedValueChoosesAgain(t *testing.T) {
	store := newFakeStore()
	p := tokenIs("oauth")
	p.refused = func(context.Context, session.Key, Refusal) (bool, error) { return false, nil }
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store, OAuth: p})
	set(t, c, "acme", Bearer("old"))
	c.secrets.drop(c.ownedKey("acme"))
	reading, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	store.before = func(context.Context, SecretKey) {
		once.Do(func() { close(reading) })
		<-proceed
	}
	var wg sync.WaitGroup
	wg.Go(func() { sends(t, t.Context(), c, alice, "oauth") })
	wg.Go(func() {
		<-reading
		if _, err := c.Refused(t.Context(), alice, refusal("old")); err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("Refused: %v", err)
		}
	})
	<-reading
	if err := c.ClearServerCredential(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
	close(proceed)
	wg.Wait()
	checkCache(t, c.secrets)
}

// overtaken answers with what was there before it was let go.
type overtaken struct {
	*fakeStore
	reading, proceed chan struct{}
}

func (s overtaken) Secret(ctx context.Context, key SecretKey) (Credential, error) {
	c, err := s.fakeStore.Secret(ctx, key)
	close(s.reading)
	<-s.proceed
	return c, err
}

func TestRequestsUnderWaySeeTheOldOrTheNewServerCredential(t *testing.T) {
	store := newFakeStore()
	store.has(t, "acme", "shared", Bearer("token-shared"))
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
	set(t, c, "acme", Bearer(tokenNumber(0)))
	stop := make(chan struct{})
	var changing, wg sync.WaitGroup
	changing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if i%3 == 2 {
				set(t, c, "acme", Reference("shared"))
			} else {
				set(t, c, "acme", Bearer(tokenNumber(i)))
			}
			if i%7 == 0 { // as if it had been pushed out
				c.secrets.drop(c.ownedKey("acme"))
			}
		}
	})
	for range 64 {
		wg.Go(func() {
			for range 200 {
				if got, err := authorization(t.Context(), c, alice); err != nil || !strings.HasPrefix(got, "Bearer token-") {
					t.Errorf("Resolve = %q, %v; want the old or the new one", got, err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	changing.Wait()
	checkCache(t, c.secrets)
}
