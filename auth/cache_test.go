package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/session"
)

func TestAnIDIsAskedForOncePerTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.has(t, "acme", "id", Bearer("one"))
		c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
		ctx := request(t.Context(), Reference("id"))
		for range 10 {
			sends(t, ctx, c, alice, "one")
		}
		store.has(t, "acme", "id", Bearer("two"))
		time.Sleep(time.Minute - time.Nanosecond)
		sends(t, ctx, c, alice, "one")
		time.Sleep(time.Nanosecond)
		sends(t, ctx, c, alice, "two")
		if got := store.reads.Load(); got != 2 {
			t.Errorf("the store was read %d times, want 2", got)
		}
	})
}

func TestANegativeTTLAsksForEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.has(t, "acme", "id", Bearer("one"))
		c := mustChain(t, ChainConfig{Server: "s", Secrets: store, SecretTTL: -1})
		ctx := request(t.Context(), Reference("id"))
		for range 3 {
			sends(t, ctx, c, alice, "one")
		}
		store.failing(ErrStoreUnavailable)
		for range 3 {
			sends(t, ctx, c, alice, "one")
		}
		if got := store.reads.Load(); got != 6 {
			t.Errorf("the store was read %d times, want 6", got)
		}
	})
}

func TestAKnownValueServesWhileTheStoreIsUnavailable(t *testing.T) {
	for what, outage := range map[string]error{
		"unavailable": fmt.Errorf("vault: sealed: %w", ErrStoreUnavailable),
		"network":     fmt.Errorf("vault: %w", &net.OpError{Op: "dial", Err: errors.New("connection refused")}),
		"deadline":    context.DeadlineExceeded,
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				store := newFakeStore()
				store.has(t, "acme", "id", Bearer(canary))
				c := mustChain(t, ChainConfig{Server: "s", Secrets: store, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				ctx := request(t.Context(), Reference("id"))
				sends(t, ctx, c, alice, canary)
				store.failing(outage)
				time.Sleep(time.Minute)
				for range 11 * 60 { // once a second, a minute more than it may serve
					if time.Now().Before(time.Date(2000, 1, 1, 0, 11, 0, 0, time.UTC)) {
						sends(t, ctx, c, alice, canary)
					} else {
						fails(t, ctx, c, alice, SourceRequestID, ErrStoreUnavailable)
						fails(t, ctx, c, alice, SourceRequestID, outage)
					}
					time.Sleep(time.Second)
				}
				if got := store.reads.Load(); got > 1+10*60/5+2*60 {
					t.Errorf("an unavailable store was asked %d times", got)
				}
				if !strings.Contains(log.String(), "unavailable") || finds(log.String()) {
					t.Errorf("the log says %s", log.String())
				}
				if e, ok := c.secrets.entries.Load(SecretKey{Tenant: "acme", ID: "id"}); ok {
					t.Errorf("a value that may not be used any more is kept: %v", e)
				}
				store.failing(nil)
				sends(t, ctx, c, alice, canary)
			})
		})
	}
}

func TestWhatIsGoneOrDeniedServesNoLonger(t *testing.T) {
	for what, verdict := range map[string]error{"gone": ErrNotFound, "denied": ErrDenied, "not to be understood": errors.New("corrupt record")} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore()
				store.has(t, "acme", "id", Bearer("one"))
				c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
				ctx := request(t.Context(), Reference("id"))
				sends(t, ctx, c, alice, "one")
				store.failing(verdict)
				time.Sleep(time.Minute)
				fails(t, ctx, c, alice, SourceRequestID, verdict)
				if what != "not to be understood" {
					store.failing(ErrStoreUnavailable)
					fails(t, ctx, c, alice, SourceRequestID, ErrStoreUnavailable)
				}
			})
		})
	}
}

func TestAPauseOfTheStoreDoesNotProlongStaleUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.has(t, "acme", "id", Bearer("one"))
		c := mustChain(t, ChainConfig{Server: "s", Secrets: store, StaleFor: storePause + time.Second})
		ctx := request(t.Context(), Reference("id"))
		sends(t, ctx, c, alice, "one")
		store.failing(ErrStoreUnavailable)
		time.Sleep(time.Minute)
		sends(t, ctx, c, alice, "one")
		time.Sleep(storePause)
		sends(t, ctx, c, alice, "one")
		time.Sleep(time.Second)
		fails(t, ctx, c, alice, SourceRequestID, ErrStoreUnavailable)
	})
}

func TestStaleUseCanBeTurnedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.has(t, "acme", "id", Bearer("one"))
		c := mustChain(t, ChainConfig{Server: "s", Secrets: store, StaleFor: -1})
		ctx := request(t.Context(), Reference("id"))
		sends(t, ctx, c, alice, "one")
		store.failing(ErrStoreUnavailable)
		time.Sleep(time.Minute)
		fails(t, ctx, c, alice, SourceRequestID, ErrStoreUnavailable)
	})
}

func TestStoredCredentialsThatCannotBeUsedFailClosed(t *testing.T) {
	store := newFakeStore()
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store, Credential: Bearer("server")})
	for id, cred := range map[string]Credential{"bad": Bearer(canary + " "), "reference": Reference("other"), "empty": {Principal: "p"}} {
		store.has(t, "acme", id, cred)
		ctx := request(t.Context(), Reference(id))
		fails(t, ctx, c, alice, SourceRequestID, ErrInvalidCredential)
		if _, err := c.Resolve(ctx, alice); finds(err.Error()) {
			t.Errorf("the error shows the value: %v", err)
		}
		store.has(t, "acme", id, Bearer("mended")) // is seen at once
		sends(t, ctx, c, alice, "mended")
	}
}

func TestCallersShareAQuestionAndNoneEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.has(t, "acme", "id", Bearer("one"))
		answer := make(chan struct{})
		store.before = func(ctx context.Context, _ SecretKey) {
			if key, _ := session.FromContext(ctx); key != (session.Key{Tenant: "acme"}) || carriedBy(ctx) != &carriesNothing {
				t.Errorf("the store is told of %v and the request's credentials", key)
			}
			if ctx.Value(traceKey{}) != "trace" {
				t.Error("the values of the context are lost")
			}
			<-answer
			if ctx.Err() != nil {
				t.Errorf("the question ended: %v", ctx.Err())
			}
		}
		c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
		base := request(context.WithValue(session.NewContext(t.Context(), alice), traceKey{}, "trace"), Reference("id"))

		impatient, cancel := context.WithCancel(base)
		var wg sync.WaitGroup
		wg.Go(func() { fails(t, impatient, c, alice, SourceRequestID, context.Canceled) })
		synctest.Wait()
		for range 63 {
			wg.Go(func() { sends(t, base, c, alice, "one") })
		}
		cancel()
		synctest.Wait()
		close(answer)
		wg.Wait()
		if got := store.reads.Load(); got != 1 {
			t.Errorf("the store was read %d times, want once", got)
		}
	})
}

type traceKey struct{}

func TestAStoreThatHangsIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.has(t, "acme", "id", Bearer("one"))
		c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
		ctx := request(t.Context(), Reference("id"))
		release := make(chan struct{})
		store.before = func(context.Context, SecretKey) { <-release } // it does not look at its context

		began := time.Now()
		fails(t, ctx, c, alice, SourceRequestID, ErrStoreUnavailable)
		if d := time.Since(began); d != storeTimeout {
			t.Errorf("a caller waited for %v, want %v", d, storeTimeout)
		}
		began = time.Now()
		for range 10 { // and starts nothing more
			fails(t, ctx, c, alice, SourceRequestID, ErrStoreUnavailable)
		}
		if d, reads := time.Since(began), store.reads.Load(); d != 0 || reads != 1 {
			t.Errorf("later callers waited for %v, and the store was asked %d times", d, reads)
		}
		close(release)
		synctest.Wait()
		sends(t, ctx, c, alice, "one")

		// With a value in hand nobody waits that long.
		release = make(chan struct{})
		time.Sleep(2 * time.Minute)
		began = time.Now()
		sends(t, ctx, c, alice, "one")
		if d := time.Since(began); d != storePatience {
			t.Errorf("a caller with a known value waited for %v, want %v", d, storePatience)
		}
		sends(t, ctx, c, alice, "one")
		if d := time.Since(began); d != storePatience {
			t.Errorf("the next one waited as well, together %v", d)
		}
		close(release)
		synctest.Wait()
	})
}

func TestTheCacheIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	const limit, asked = 50, 1000
	store := newFakeStore()
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
	c.secrets.limit = limit
	store.has(t, "acme", "often", Bearer("often"))
	for i := range asked {
		id := fmt.Sprint(i)
		store.has(t, "acme", id, Bearer(tokenNumber(i)))
		sends(t, request(t.Context(), Reference(id)), c, alice, tokenNumber(i))
		sends(t, request(t.Context(), Reference("often")), c, alice, "often")
		fails(t, request(t.Context(), Reference("missing-"+id)), c, alice, SourceRequestID, ErrNotFound)
		checkCache(t, c.secrets)
	}
	if got, want := store.reads.Load(), int64(asked*2+1); got != want {
		t.Errorf("the store was read %d times, want %d: each id once, and each that does not exist", got, want)
	}
}

// checkCache checks what must hold of a cache that nobody uses.
func checkCache(t *testing.T, s *secretCache) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := 0
	for key, e := range s.entries.Range {
		entries++
		if c := e.(*cached); c.key != key || c.elem.Value != c || c.value.Load() == nil {
			t.Errorf("the place of %v is not its own", key)
		}
	}
	if entries != s.order.Len() || entries > s.limit || len(s.flights) != 0 {
		t.Errorf("the cache has %d entries, %d in order, limit %d, %d flights", entries, s.order.Len(), s.limit, len(s.flights))
	}
}

func TestExpiredValuesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		c := mustChain(t, ChainConfig{Server: "s", Secrets: store})
		for i := range 100 {
			store.has(t, "acme", fmt.Sprint(i), Bearer("x"))
			sends(t, request(t.Context(), Reference(fmt.Sprint(i))), c, alice, "x")
		}
		time.Sleep(12 * time.Minute)
		store.has(t, "acme", "new", Bearer("x"))
		sends(t, request(t.Context(), Reference("new")), c, alice, "x")
		if n := c.secrets.order.Len(); n != 1 {
			t.Errorf("%d values are kept, want 1", n)
		}
		checkCache(t, c.secrets)
	})
}

func TestRotationInAStoreIsNeverNeither(t *testing.T) {
	store := newFakeStore()
	store.has(t, "acme", "id", Bearer(tokenNumber(0)))
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store, SecretTTL: time.Microsecond, Credential: Bearer("server")})
	ctx := request(t.Context(), Reference("id"))
	want := principal(t, ctx, c, alice)
	stop := make(chan struct{})
	var rotating, wg sync.WaitGroup
	rotating.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				store.has(t, "acme", "id", Bearer(tokenNumber(i)))
			}
		}
	})
	for range 64 {
		wg.Go(func() {
			for range 200 {
				got, err := authorization(ctx, c, alice)
				if err != nil || !strings.HasPrefix(got, "Bearer token-") {
					t.Errorf("Resolve = %q, %v", got, err)
				}
				if p, err := c.Principal(ctx, alice); p != want || err != nil {
					t.Errorf("Principal = %q, %v; want %q", p, err, want)
				}
				if _, err := c.Refused(ctx, alice, refusal(strings.TrimPrefix(got, "Bearer "))); err != nil {
					t.Errorf("Refused: %v", err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	rotating.Wait()
	checkCache(t, c.secrets)
}

// An unwary log handler does not end the process.
func TestALoggerThatPanicsDoesNoHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.has(t, "acme", "id", Bearer("one"))
		c := mustChain(t, ChainConfig{Server: "s", Secrets: store, Logger: slog.New(panicHandler{slog.DiscardHandler})})
		ctx := request(t.Context(), Reference("id"))
		sends(t, ctx, c, alice, "one")
		store.failing(ErrStoreUnavailable)
		time.Sleep(time.Minute)
		sends(t, ctx, c, alice, "one")
		synctest.Wait()
	})
}

type panicHandler struct{ slog.Handler }

func (panicHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (panicHandler) Handle(context.Context, slog.Record) error { panic("the disk is full") }
