package mcpgroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// moody is a server of this process that fails to start as often as the test says.
func moody(fail func(attempt int64) error) (*RegistryOptions, *atomic.Int64) {
	var attempts atomic.Int64
	return &RegistryOptions{Options: func(cfg ServerConfig) (*Options, error) {
		if cfg.Name != "moody" {
			return nil, nil
		}
		return &Options{NewServer: func(ctx context.Context, _ session.Key) (*mcp.Server, error) {
			if err := fail(attempts.Add(1)); err != nil {
				return nil, err
			}
			return local("moody", "x").Server, nil
		}}, nil
	}}, &attempts
}

var moodyServer = ServerConfig{Name: "moody", ReconnectWindow: -1}

// The check of the original: so many attempts, twice as long a pause before each, and none after the last.
func TestHealthTriesAgainWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			fails    int64 // attempts that fail
			attempts int
			took     time.Duration
		}{
			{0, 1, 0}, {1, 2, time.Second}, {2, 3, 3 * time.Second}, {9, 3, 3 * time.Second},
		} {
			opts, _ := moody(func(n int64) error {
				if n <= test.fails {
					return errors.New("in a mood")
				}
				return nil
			})
			r := newRegistry(t, opts, moodyServer, local("fine", "y"))
			got := r.Health(userContext("alice"), &HealthOptions{Attempts: 3, Backoff: time.Second})
			if len(got) != 2 || got[0].Server != "moody" || !got[1].Healthy || got[1].Attempts != 1 {
				t.Fatalf("%+v", got)
			}
			h := got[0]
			if h.Healthy != (test.fails < 3) || h.Healthy != (h.Err == nil) || h.Attempts != test.attempts || h.Duration != test.took {
				t.Errorf("%d failures: %+v, want %d attempts in %v", test.fails, h, test.attempts, test.took)
			}
		}
	})
}

func TestHealthOfAHangingServerTakesItsTimeoutsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		opts, _ := moody(func(int64) error { <-release; return nil })
		r := newRegistry(t, opts, moodyServer)
		start := time.Now()
		h := r.Health(userContext("alice"), &HealthOptions{Attempts: 2, Timeout: 3 * time.Second, Backoff: time.Second})[0]
		if h.Healthy || !errors.Is(h.Err, context.DeadlineExceeded) || time.Since(start) != 7*time.Second {
			t.Errorf("%+v after %v", h, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(userContext("alice"), time.Second)
		defer cancel()
		if h := r.Health(ctx, &HealthOptions{Backoff: time.Hour})[0]; h.Healthy || h.Duration != time.Second {
			t.Errorf("with the caller gone: %+v", h)
		}
		close(release)
		synctest.Wait()
		if h := r.Health(t.Context(), &HealthOptions{Servers: []string{"moody", "none"}}); !h[0].Healthy || !errors.Is(h[1].Err, ErrServerNotFound) || h[1].Attempts != 1 {
			t.Errorf("%+v", h)
		}
	})
}

// Scenario 140: success, failure, timeout and progress; servers are waited for side by side.
func TestWaitReadyWaitsForAllSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		opts, attempts := moody(func(int64) error {
			if time.Since(start) < 5*time.Second {
				return fmt.Errorf("not yet")
			}
			return nil
		})
		r := newRegistry(t, opts, local("a", "x"), moodyServer, local("b", "y"))
		var told []Progress
		err := r.WaitReady(userContext("alice"), nil, &WaitOptions{Interval: time.Second, OnProgress: func(p Progress) { told = append(told, p) }})
		if err != nil || time.Since(start) < 5*time.Second || time.Since(start) > 30*time.Second { // the pauses between connects are random
			t.Errorf("%v after %v and %d attempts", err, time.Since(start), attempts.Load())
		}
		var ready []int
		for _, p := range told {
			ready = append(ready, p.Ready)
			if p.Total != 3 {
				t.Errorf("%+v", p)
			}
		}
		if !slices.Equal(ready, []int{0, 1, 2, 3}) || told[3].Server != "moody" || told[3].Elapsed < 5*time.Second {
			t.Errorf("progress %+v", told)
		}

		opts, _ = moody(func(int64) error { return errors.New("never") })
		r = newRegistry(t, opts, moodyServer, local("a", "x"))
		start = time.Now()
		err = r.WaitReady(userContext("alice"), []string{"a", "moody", "none"}, &WaitOptions{Timeout: 4500 * time.Millisecond, Interval: time.Second})
		var notReady *NotReadyError
		if !errors.As(err, &notReady) || len(notReady.Servers) != 2 || !errors.Is(err, ErrServerNotFound) || !strings.Contains(err.Error(), "moody") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// With WarmUp a server that is down is tried in the background until it answers.
func TestAWarmServerIsTriedUntilItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, attempts := moody(func(n int64) error {
			if n < 5 {
				return errors.New("still down")
			}
			return nil
		})
		opts.WarmUp = true
		r := newRegistry(t, opts, moodyServer, local("a", "x"))
		time.Sleep(10 * time.Minute)
		for _, s := range r.Status() {
			if s.State != StateReady || s.Tools != 1 {
				t.Errorf("%s is %s after %d attempts: %v", s.Server, s.State, attempts.Load(), s.LastError)
			}
		}
		if n := attempts.Load(); n != 5 {
			t.Errorf("%d attempts, want 5", n)
		}
	})
}

// Scenario 131: defaults, and options that cannot work.
func TestRegistryOptionsAreChecked(t *testing.T) {
	r := newRegistry(t, nil)
	if r.opts.Patience != 2*time.Second || r.opts.Concurrency != 16 || r.opts.Service.User != "mcpfleet" || r.opts.Names.Collision != CollisionPrefix {
		t.Errorf("defaults %+v", r.opts)
	}
	for name, opts := range map[string]*RegistryOptions{
		"names":   {Names: &NamePolicy{MaxLen: 3}},
		"service": {Service: session.Key{Tenant: "acme"}},
		"pins":    {Pins: PinOptions{Mode: "some"}},
		"results": {Results: ResultPolicy{MaxBytes: 1}},
	} {
		if _, err := NewRegistry(opts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAResultIsAValue(t *testing.T) {
	text := func(s ...string) (c []mcp.Content) {
		for _, s := range s {
			c = append(c, &mcp.TextContent{Text: s})
		}
		return c
	}
	for name, test := range map[string]struct {
		res  mcp.CallToolResult
		want any
	}{
		"structured": {mcp.CallToolResult{StructuredContent: map[string]any{"a": 1}, Content: text("b")}, map[string]any{"a": 1}},
		"JSON":       {mcp.CallToolResult{Content: text(` {"n": 9007199254740993} `)}, map[string]any{"n": json.Number("9007199254740993")}},
		"text":       {mcp.CallToolResult{Content: text("no problem")}, "no problem"},
		"two":        {mcp.CallToolResult{Content: text("1", "2")}, "1\n2"},
		"almost":     {mcp.CallToolResult{Content: text("1 2")}, "1 2"},
		"nothing":    {mcp.CallToolResult{}, ""},
	} {
		r := &Result{CallToolResult: &test.res}
		if got := r.Data(); !reflect.DeepEqual(got, test.want) || !r.Success() {
			t.Errorf("%s: %#v, want %#v", name, got, test.want)
		}
	}
	if r := (&Result{CallToolResult: &mcp.CallToolResult{IsError: true}}); r.Success() {
		t.Error("a failure is a success")
	}
}

func TestAServerThatIsNotAskedIsNotHealthy(t *testing.T) {
	opts, _ := moody(func(int64) error { return errors.New("in a mood") })
	r := newRegistry(t, opts, moodyServer)
	if got := r.Health(userContext("alice"), &HealthOptions{Attempts: -1}); got[0].Healthy || got[0].Err == nil || got[0].Attempts != 1 {
		t.Errorf("%+v", got)
	}
}

// Whoever opens the URL of another's prompt gives their access to that user.
func TestAStatusShowsNobodyWhereAnotherAuthorizes(t *testing.T) {
	opts := &RegistryOptions{Options: func(ServerConfig) (*Options, error) {
		return &Options{NewServer: func(_ context.Context, key session.Key) (*mcp.Server, error) {
			return nil, &CredentialError{Err: &auth.AuthRequiredError{Server: "a", User: key, URL: "https://login.example/s3cret"}}
		}}, nil
	}}
	r := newRegistry(t, opts, ServerConfig{Name: "a"})
	var required *auth.AuthRequiredError
	if l, err := r.List(userContext("alice"), Filter{}); err != nil || !errors.As(l.Unavailable["a"], &required) || required.URL == "" {
		t.Fatalf("alice herself is told %+v, %v", l, err)
	}
	s := r.Status()[0]
	required = nil
	if s.State != StateAuthRequired || !errors.As(s.LastError, &required) || required.URL != "" || required.Wait != nil {
		t.Errorf("%+v, %+v", s, required)
	}
}

func TestAPanicWhileWaitingIsTheCallersOwn(t *testing.T) {
	r := newRegistry(t, nil, local("github", "search"))
	if err := r.WaitReady(userContext("alice"), nil, &WaitOptions{OnProgress: func(Progress) { panic("mine") }}); err != nil {
		t.Errorf("WaitReady = %v", err)
	}
}
