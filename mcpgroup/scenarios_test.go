package mcpgroup

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/mcphttp"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

// Scenario 133: what a client cannot mend is told at once; what may pass is tried again, three times in all; then the
// status is told. Only a tool that may run twice is repeated after a status that leaves open whether it ran.
func TestStatusesAreRetriedAFewTimesAndThenTold(t *testing.T) {
	for status, attempts := range map[int]int{400: 1, 404: 1, 500: 3, 503: 3} {
		s, _, g := rawGroup(t, &mcptest.RawOptions{Sessionless: true}, ServerConfig{Trusted: true}, nil)
		ctx := userContext("alice")
		mustCall(t, g, ctx, "readonly_inc", map[string]any{"key": "warm"})
		before := s.Calls("readonly_inc")
		s.FailNext(status, 100, nil, "")
		_, err := g.Call(ctx, "readonly_inc", map[string]any{"key": "k"})
		var h *mcphttp.HTTPError
		if !errors.As(err, &h) || h.StatusCode != status {
			t.Errorf("%d: the error is %v", status, err)
		}
		if n := s.Calls("readonly_inc") - before; n != attempts {
			t.Errorf("%d: %d attempts, want %d", status, n, attempts)
		}
		if s.Keys()["k"] != 0 {
			t.Errorf("%d: the tool ran", status)
		}
	}
}

// Scenario 136: what the server asks for is waited for.
func TestTheServerSaysHowLongToWait(t *testing.T) {
	s, _, g := rawGroup(t, nil, ServerConfig{}, nil)
	ctx := userContext("alice")
	mustCall(t, g, ctx, "echo", map[string]any{"text": "warm"})
	s.FailNext(http.StatusTooManyRequests, 1, http.Header{"Retry-After": {"1"}}, "")
	start := time.Now()
	mustCall(t, g, ctx, "inc", map[string]any{"key": "k"})
	if waited := time.Since(start); waited < time.Second || s.Keys()["k"] != 1 {
		t.Errorf("called again after %v, ran %d times", waited, s.Keys()["k"])
	}
}

// Scenario 139: the server is the part of an id before the dot, the tenant that of the context, and an id without a dot
// that is no tool's name calls nothing.
func TestAnIDNamesTheServerAndTheContextTheTenant(t *testing.T) {
	secret := local("secret", "read")
	secret.Tenant = "acme"
	r := newRegistry(t, nil, local("github", "search"), secret)
	ours := session.NewContext(t.Context(), session.Key{Tenant: "acme", User: "alice"})
	theirs := session.NewContext(t.Context(), session.Key{Tenant: "other", User: "alice"})
	for id, want := range map[string]string{"github.search": "github/search", "secret.read": "secret/read"} {
		if res, err := r.Call(ours, id, nil); err != nil || res.Text() != want {
			t.Errorf("Call(%q) = %v, %v; want %q", id, res, err, want)
		}
	}
	if _, err := r.Call(theirs, "secret.read", nil); !errors.Is(err, ErrServerNotFound) {
		t.Errorf("another tenant's call: %v, want that there is no such server", err)
	}
	if _, err := r.Call(ours, "frobnicate", nil); !errors.Is(err, ErrToolNotFound) || outcomeOf(t, err) != NotSent {
		t.Errorf("a name without a server: %v", err)
	}
}

// Scenario 142: answers find their calls whatever their order and how lines are cut, a crash fails what was pending, and
// the next call gets a new process.
func TestCallsOfOneProcessShareItAndItsEnd(t *testing.T) {
	g := newGroup(t, childConfig("banner"), nil)
	ctx := userContext("alice")
	pid := mustCall(t, g, ctx, "pid", nil).Text()
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			text := fmt.Sprint("line\n", i)
			if res, err := g.Call(ctx, "echo", map[string]any{"text": text}); err != nil || res.Text() != text {
				t.Errorf("echo %d = %v, %v", i, res, err)
			}
		})
	}
	wg.Wait()
	if got := mustCall(t, g, ctx, "pid", nil).Text(); got != pid {
		t.Errorf("64 calls took another process")
	}

	crashing := childConfig("crash")
	g = newGroup(t, crashing, nil)
	pid = mustCall(t, g, ctx, "pid", nil).Text()
	var pending sync.WaitGroup
	for i := range 8 {
		pending.Go(func() {
			if _, err := g.Call(ctx, "inc", map[string]any{"key": fmt.Sprint(i)}); err == nil {
				t.Errorf("call %d of a process that died has an answer", i)
			} else if o := outcomeOf(t, err); o == Failed {
				t.Errorf("call %d: %v is told as an answer of the server", i, err)
			}
		})
	}
	pending.Wait()
	if got := mustCall(t, g, ctx, "pid", nil).Text(); got == pid {
		t.Error("the process lives on")
	}
}
