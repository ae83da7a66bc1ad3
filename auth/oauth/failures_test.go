package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// ailing makes the token endpoint of w answer with a status for as long as that is not 0, and counts the requests.
func ailing(w *world, status, tries *int) {
	w.intercept = func(what string) http.HandlerFunc {
		if !strings.HasSuffix(what, "/token") || *status == 0 {
			return nil
		}
		return func(rw http.ResponseWriter, _ *http.Request) { *tries++; rw.WriteHeader(*status) }
	}
}

func TestAnAilingServerIsGivenAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.client()
		w.login(c, alice)
		w.login(c, bob)
		status, tries := 503, 0
		time.Sleep(2 * time.Hour)
		ailing(w, &status, &tries)
		var first error
		for range 100 {
			_, err := c.Token(t.Context(), alice)
			if first == nil {
				first = err
			}
			var failed *ResponseError
			if !errors.As(err, &failed) || failed.Status != 503 || err.Error() != first.Error() {
				t.Fatalf("error %v, want the first one, %v", err, first)
			}
		}
		if tries != 1 {
			t.Errorf("%d token requests for 100 calls, want 1", tries)
		}
		// At 0, 1, 3, 7, 12, 17, 22 and 27 seconds.
		for range 300 {
			c.Token(t.Context(), alice)
			time.Sleep(100 * time.Millisecond)
		}
		if tries != 8 {
			t.Errorf("%d token requests in 30 seconds, want 8", tries)
		}
		if c.Token(t.Context(), bob); tries != 9 {
			t.Error("another user waits, too")
		}
		status = 0
		time.Sleep(maxPause)
		w.works(c, alice)
		w.works(c, bob)

		// The next row begins with a short pause.
		time.Sleep(2 * time.Hour)
		status, tries = 503, 0
		c.Token(t.Context(), alice)
		time.Sleep(minPause)
		c.Token(t.Context(), alice)
		if tries != 2 {
			t.Errorf("%d token requests after the first pause, want 2", tries)
		}
		c.Close()
	})
}

func TestRefusalsThatCannotBeMendedAreGivenAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGrantWorld(t)
		w.answers["as.example"] = func(rw http.ResponseWriter, _ *http.Request) {
			writeJSON(rw, 401, map[string]any{"error": "invalid_client"})
		}
		c := w.client(serviceAccount())
		for range 100 {
			if _, err := obtain(t.Context(), c, worldUser); !hasCode(err, "invalid_client") {
				t.Fatalf("error %v", err)
			}
		}
		if n := len(w.paths); n != 3 {
			t.Errorf("%d requests for 100 refusals, want the 3 of the first: %v", n, w.paths)
		}
		w.mu.Lock()
		delete(w.answers, "as.example")
		w.mu.Unlock()
		time.Sleep(minPause)
		mustObtain(t, c, worldUser)
		c.Close()
	})
}

// Who logs out, or in, need not wait for a pause to end.
func TestAPauseEndsWithForgetAndComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.client()
		back := w.browse(w.url(c, alice), alice.User)
		discover := func(want bool) {
			t.Helper()
			before := w.count("prm")
			token, _ := c.Token(t.Context(), alice)
			_, err := c.Refused(t.Context(), alice, insufficient(token.Reveal(), "write"))
			var failed *Error
			if !errors.As(err, &failed) || w.count("prm") > before != want {
				t.Errorf("Refused = %v, with a request: %t", err, w.count("prm") > before)
			}
		}
		w.asm["issuer"] = "https://evil.example"
		discover(true)
		discover(false)
		if err := c.Forget(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
		discover(false)
		if _, err := c.Complete(t.Context(), back); err != nil {
			t.Fatal(err)
		}
		discover(true)
		discover(false)
		if err := c.Forget(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		discover(true)
		c.Close()
	})
}

// What one request wants too much of must not keep the others of a tenant from their token.
func TestAFailedStepUpKeepsNobodyFromRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGrantWorld(t)
		c := w.client(serviceAccount(), func(cfg *Config) { cfg.ScopeFilter = func(s []string) []string { return s } })
		token := mustObtain(t, c, worldUser)
		time.Sleep(defaultLife - 500*time.Millisecond)
		w.mu.Lock()
		w.answers["as.example"] = func(rw http.ResponseWriter, _ *http.Request) {
			writeJSON(rw, 400, map[string]any{"error": "invalid_scope"})
		}
		w.mu.Unlock()
		if _, err := c.Refused(t.Context(), worldUser, insufficient(token, "admin")); !hasCode(err, "invalid_scope") {
			t.Fatalf("Refused = %v", err)
		}
		w.mu.Lock()
		delete(w.answers, "as.example")
		w.mu.Unlock()
		time.Sleep(600 * time.Millisecond) // the token has ended, the pause has not
		if got := mustObtain(t, c, worldUser); got == token {
			t.Error("the token was not renewed")
		}
		c.Close()
	})
}

// The pause is for authorization servers. A store that panics may not cost the token either, as the refresh token before
// it is used up.
func TestAStoreThatPanicsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := &faultyStore{MemoryStore: auth.NewMemoryStore(), fault: func() { panic("down") }}
		c := w.client(sharing(s))
		w.login(c, alice)
		time.Sleep(2 * time.Hour)
		s.in = "Save"
		wantPanic(t, c, w)
		s.in = ""
		w.works(c, alice)
		w.wantCounts("refresh=1 reuse=0 authorize=1")
		c.Close()
	})
}

func TestFailuresAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fs failures
		err := errors.New("failed")
		for i := range maxCached + 1000 {
			fs.add(work{owner{"acme", fmt.Sprint(i)}, "401"}, err)
		}
		if n := len(fs.m); n > maxCached {
			t.Errorf("%d failures are kept, want at most %d", n, maxCached)
		}
		last := owner{"acme", fmt.Sprint(maxCached + 999)}
		if got := fs.recent(work{last, "401"}); got != err {
			t.Errorf("the last failure = %v", got)
		}
		if got := fs.recent(work{last, "renew"}); got != nil {
			t.Errorf("another kind of work = %v", got)
		}
		if fs.forget(last); fs.recent(work{last, "401"}) != nil {
			t.Error("a forgotten failure is there")
		}
	})
}

// While this process waits for its next try, another one may have got what it failed to get.
func TestAPauseDoesNotHideTheTokenOfAnotherReplica(t *testing.T) {
	for _, refused := range []bool{false, true} {
		t.Run(fmt.Sprintf("refused %t", refused), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				store := auth.NewMemoryStore()
				c, replica := w.client(sharing(store)), w.client(sharing(store))
				w.login(c, alice)
				w.works(replica, alice)
				status, tries := 503, 0
				if refused { // by the server, before its time
					w.mu.Lock()
					clear(w.access)
					w.mu.Unlock()
				} else {
					time.Sleep(2 * time.Hour)
				}
				ailing(w, &status, &tries)
				if _, err := w.call(t.Context(), c, alice); err == nil || tries != 1 {
					t.Fatalf("error %v after %d tries", err, tries)
				}
				status = 0
				w.works(replica, alice)
				w.works(c, alice)
				w.wantCounts("refresh=1 reuse=0 authorize=1")
				c.Close()
				replica.Close()
			})
		})
	}
}
