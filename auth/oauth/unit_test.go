package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// Scenario 80: the places of RFC 9728 section 3.1, RFC 8414 section 3.1 and OpenID Connect Discovery section 4.
func TestWhereMetadataIsLookedFor(t *testing.T) {
	for address, want := range map[string]string{
		"https://h":        "https://h/.well-known/oauth-protected-resource",
		"https://h/":       "https://h/.well-known/oauth-protected-resource",
		"https://h:8/a/b":  "https://h:8/.well-known/oauth-protected-resource/a/b https://h:8/.well-known/oauth-protected-resource",
		"https://h/a/":     "https://h/.well-known/oauth-protected-resource/a/ https://h/.well-known/oauth-protected-resource",
		"https://h/a?k=v":  "https://h/.well-known/oauth-protected-resource/a?k=v https://h/.well-known/oauth-protected-resource",
		"https://h/a%2Fb":  "https://h/.well-known/oauth-protected-resource/a%2Fb https://h/.well-known/oauth-protected-resource",
		"https://h/../etc": "https://h/.well-known/oauth-protected-resource/../etc https://h/.well-known/oauth-protected-resource",
	} {
		u, _ := url.Parse(address)
		if got := strings.Join(wellKnown(u), " "); got != want {
			t.Errorf("resource %s: %s, want %s", address, got, want)
		}
	}
	for address, want := range map[string]string{
		"https://h":    "https://h/.well-known/oauth-authorization-server https://h/.well-known/openid-configuration",
		"https://h/":   "https://h/.well-known/oauth-authorization-server https://h/.well-known/openid-configuration",
		"https://h/a":  "https://h/.well-known/oauth-authorization-server/a https://h/.well-known/openid-configuration/a https://h/a/.well-known/openid-configuration",
		"https://h/a/": "https://h/.well-known/oauth-authorization-server/a https://h/.well-known/openid-configuration/a https://h/a/.well-known/openid-configuration",
	} {
		u, _ := url.Parse(address)
		if got := strings.Join(metadataPlaces(u), " "); got != want {
			t.Errorf("issuer %s: %s, want %s", address, got, want)
		}
	}
}

func TestErrorsShowWhatIsSafe(t *testing.T) {
	for description, want := range map[string]string{
		"The code has expired":                  "The code has expired",
		"redirect_uri_mismatch":                 "redirect_uri_mismatch",
		"bad\r\nX-Header: \x1b[31m":             "bad X-Header: [31m",
		"token eyJhbGciOi.J9 is unknown":        "token [removed] is unknown",
		"see https://x.example/help?token=abc":  "see [removed]",
		"münchen \u202egnp.exe":                 "m nchen gnp.exe",
		strings.Repeat("many words ", 100):      strings.TrimSpace(strings.Repeat("many words ", 18)) + " ma",
		strings.Repeat("x", 10_000):             "[removed]",
		"short but secret: pa55word1234 is bad": "short but secret: [removed] is bad",
	} {
		err := newError("token", "files", "https://u:s3cret@as.example.com/t?s3cret#s3cret", &oauth2.RetrieveError{
			Body: []byte("s3cret"), ErrorCode: "invalid_grant", ErrorDescription: description, ErrorURI: "s3cret",
		})
		const frame = `oauth: token for server "files" at "https://as.example.com/t": the authorization server answered "invalid_grant" (%s)`
		if got := err.Error(); got != fmt.Sprintf(frame, want) {
			t.Errorf("%q becomes\n%s, want\n%s", description, got, fmt.Sprintf(frame, want))
		}
		var raw *oauth2.RetrieveError
		if errors.As(err, &raw) {
			t.Error("the body can be had from the error")
		}
	}
	required := &auth.AuthRequiredError{Server: "files", User: alice, URL: "https://x"}
	if err := newError("token", "files", "", required); err != error(required) {
		t.Errorf("an AuthRequiredError becomes %v", err)
	}
	if err := newError("token", "files", "", nil); err != nil {
		t.Errorf("no error becomes %v", err)
	}
}

// S3: everything that a client holds, printed and logged.
func TestAClientShowsNoSecrets(t *testing.T) {
	w := newWorld(t)
	const secret = "configured-canary"
	w.clients["mine"] = map[string]any{"redirect_uris": []any{callback}, "client_secret": secret}
	var log bytes.Buffer
	c := w.client(func(cfg *Config, g *AuthorizationCode) {
		g.ClientID, g.ClientSecret = "mine", auth.NewSecret(secret)
		cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w.login(c, alice)
	w.mu.Lock()
	clear(w.access)
	w.mu.Unlock()
	w.works(c, alice)
	tok, _ := c.Token(t.Context(), alice)
	text := fmt.Sprintf("%v %+v %#v %+v %#v %s", c, c, c, c.cfg, c.cfg.Grant, &log)
	for _, s := range []string{secret, tok.Reveal(), "refresh-", "code-", "verifier"} {
		if strings.Contains(text, s) {
			t.Errorf("%q is shown", s)
		}
	}
}

func TestTheCacheIsBoundedAndAgreesWithAMap(t *testing.T) {
	var c cache
	oracle := make(map[owner]*token)
	now := time.Now()
	for range 5 * maxCached {
		o := owner{"acme", fmt.Sprint(rand.IntN(2 * maxCached))}
		tok := &token{access: auth.NewSecret(o.user)}
		switch rand.IntN(4) {
		case 0:
			c.put(o, tok)
			oracle[o] = tok
		case 1:
			c.put(o, nil)
			oracle[o] = nil
		case 2:
			_, known := c.get(o, now)
			if got := c.learn(o, tok); known && got == tok {
				t.Fatalf("learn has overwritten what was known of %v", o)
			} else if !known {
				oracle[o] = tok
			}
		}
		if got, known := c.get(o, now); known && got != oracle[o] {
			t.Fatalf("the cache has %v for %v, want %v", got, o, oracle[o])
		}
		if len(c.m) > maxCached {
			t.Fatalf("%d tokens in memory", len(c.m))
		}
	}
	if len(c.m) != maxCached {
		t.Errorf("%d tokens in memory, want the cache to be full", len(c.m))
	}
}

func TestWhoIsNotInMemoryIsInTheStore(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	w.login(c, alice)
	for i := range maxCached + 100 {
		c.cache.put(owner{"acme", fmt.Sprint(i)}, nil)
	}
	c.cache.mu.Lock()
	delete(c.cache.m, owner{"acme", "alice"})
	c.cache.mu.Unlock()
	w.works(c, alice)
	w.wantCounts("authorize=1 refresh=0")
}

func TestLocksExcludeAndAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l locks
		key := auth.TokenKey{Kind: "token", User: "alice"}
		inside := 0
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				unlock, err := l.lock(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				defer unlock()
				if inside++; inside != 1 {
					t.Errorf("%d inside", inside)
				}
				time.Sleep(time.Millisecond)
				inside--
			})
		}
		other, err := l.lock(t.Context(), auth.TokenKey{Kind: "token", User: "bob"})
		if err != nil {
			t.Fatal(err)
		}
		other()
		hurried, cancel := context.WithTimeout(t.Context(), time.Millisecond/2)
		defer cancel()
		synctest.Wait()
		if _, err := l.lock(hurried, key); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("lock with a deadline: %v", err)
		}
		wg.Wait()
		if len(l.m) != 0 {
			t.Errorf("%d locks are left", len(l.m))
		}
	})
}

// S14.
func TestStatesAreRandomAndKeptUnderTheirDigest(t *testing.T) {
	w := newWorld(t)
	store := &keys{TokenStore: auth.NewMemoryStore()}
	c := w.client(sharing(store))
	seen := make(map[string]bool)
	for i := range 200 {
		u, _ := url.Parse(w.url(c, session.Key{User: fmt.Sprintf("user-%d", i)}))
		state := u.Query().Get("state")
		if seen[state] || len(state) < 26 {
			t.Fatalf("state %q", state)
		}
		seen[state] = true
		if slices.ContainsFunc(store.names, func(k auth.TokenKey) bool { return strings.Contains(fmt.Sprintf("%+v", k), state) }) {
			t.Fatal("a key of the store holds the state")
		}
	}
}

// S14: with 130 bits none comes twice, and each character is used about as often as the others.
func TestAMillionStatesAreUnique(t *testing.T) {
	n := 1_000_000
	if raceEnabled {
		n = 100_000
	}
	seen := make(map[string]struct{}, n)
	var letters [256]int
	for range n {
		state := newState()
		if len(state) != 26 { // of 5 bits each
			t.Fatalf("state %q has %d characters, want 26", state, len(state))
		}
		seen[state] = struct{}{}
		for i := range len(state) {
			letters[state[i]]++
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d states are different", len(seen), n)
	}
	// 32 letters, of which each is expected n*26/32 times: 20 standard deviations are 2.3% of that for 100,000 states.
	kinds, mean := 0, n*26/32
	for letter, times := range letters {
		if times == 0 {
			continue
		}
		kinds++
		if times < mean*97/100 || times > mean*103/100 {
			t.Errorf("%q comes %d times, want about %d", rune(letter), times, mean)
		}
	}
	if kinds != 32 {
		t.Errorf("%d different characters, want 32", kinds)
	}
}

// keys is a store that notes the keys it is asked for.
type keys struct {
	auth.TokenStore
	names []auth.TokenKey
}

func (k *keys) Save(ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
	k.names = append(k.names, key)
	return k.TokenStore.Save(ctx, key, value, ttl)
}

// Scenario 92: garbage in the store is nobody's token, and no error.
func TestGarbageInTheStoreIsTakenForNothing(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	for _, key := range []auth.TokenKey{c.tokenKey(owner{"acme", "alice"}), c.pendingKey(owner{"acme", "alice"}), c.clientKey(owner{"acme", "alice"}, asURL)} {
		for _, garbage := range []string{"\x00\xff", "{}", `{"v":99,"access":"x"}`, "[]", ""} {
			if err := c.cfg.Store.Save(t.Context(), key, []byte(garbage), 0); err != nil {
				t.Fatal(err)
			}
			c.cache.m = nil
			if tok, err := c.Token(t.Context(), alice); !tok.IsZero() || err != nil {
				t.Errorf("%s %q: %t, %v", key.Kind, garbage, !tok.IsZero(), err)
			}
		}
	}
	w.login(c, alice)
}

func TestAStoreThatFailsIsAnError(t *testing.T) {
	w := newWorld(t)
	c := w.client(sharing(broken{}))
	var typed *Error
	if _, err := c.Token(t.Context(), alice); !errors.Is(err, errMood) || !errors.As(err, &typed) || typed.Op != "store" {
		t.Errorf("Token = %v", err)
	}
	if _, err := c.Refused(t.Context(), alice, auth.Refusal{StatusCode: 401}); !errors.Is(err, errMood) {
		t.Errorf("Refused = %v", err)
	}
	if err := c.Forget(t.Context(), alice); !errors.Is(err, errMood) {
		t.Errorf("Forget = %v", err)
	}
	if _, err := c.Complete(t.Context(), url.Values{"state": {"x"}, "code": {"y"}}); !errors.Is(err, errMood) {
		t.Errorf("Complete = %v", err)
	}
}

type broken struct{}

func (broken) Load(context.Context, auth.TokenKey) ([]byte, error) { return nil, errMood }
func (broken) Save(context.Context, auth.TokenKey, []byte, time.Duration) error {
	return errMood
}
