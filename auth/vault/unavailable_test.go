package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// answers makes the double answer requests about secrets with a status, n times; -1 is always. It returns how often it did.
func (d *double) answers(n int64, status int, body string, header ...string) *atomic.Int64 {
	return d.answersTo("/v1/secret/", n, status, body, header...)
}

func (d *double) answersTo(prefix string, n int64, status int, body string, header ...string) *atomic.Int64 {
	var count atomic.Int64
	d.before(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, prefix) || n >= 0 && count.Load() >= n {
			return false
		}
		count.Add(1)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
		return true
	})
	return &count
}

// A proxy that shows what it was asked would show the token.
const echo = "<html>Bad Gateway. X-Vault-Token: root, body: t0ps3cret</html>"

var unavailable = []struct {
	status int
	body   string
	says   string // in the text of the error
}{
	{429, `{"errors":["request path \"secret/data/x\": rate limit quota exceeded"]}`, "rate limit quota exceeded"},
	{500, `{"errors":["internal error, X-Vault-Token: root"]}`, "status 500"},
	{500, `{"errors":["local node not active but active cluster node not found"]}`, "active cluster node not found"},
	{502, echo, "status 502"},
	{503, `{"errors":["Vault is sealed"]}`, "Vault is sealed"},
	{504, "", "status 504"},
	{412, `{"errors":["required index state not present"]}`, "status 412"},
	{472, "", "status 472"},
	{473, "", "status 473"},
	{307, "", "standby"},
	{400, `{"errors":["Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly."]}`, "upgrading"},
}

func TestUnavailableServersAreAskedAgainAndThenReported(t *testing.T) {
	for _, c := range unavailable {
		t.Run(fmt.Sprint(c.status, c.says), onDouble(func(w *world) {
			t, s := w.t, w.openRoot(func(cfg *Config) { cfg.MaxRetries = 2 })
			w.put("acme/shared/github-pat", map[string]any{"token": "one"})
			count := w.double.answers(2, c.status, c.body)
			s.has(t, pat, "one")
			if got := count.Load(); got != 2 {
				t.Errorf("%d answers with the status, want 2", got)
			}

			count = w.double.answers(-1, c.status, c.body)
			_, err := s.Secret(t.Context(), pat)
			checkUnavailable(t, err, c.says)
			err = s.SetSecret(t.Context(), pat, auth.Bearer("t0ps3cret"))
			checkUnavailable(t, err, c.says)
			checkUnavailable(t, s.SetSecret(t.Context(), pat, auth.Credential{}), c.says)
			if got := count.Load(); got != 9 {
				t.Errorf("%d answers with the status, want 3 for each of 3 operations", got)
			}
		}))
	}
}

func checkUnavailable(t testing.TB, err error, says string) {
	t.Helper()
	var e *Error
	if !errors.Is(err, auth.ErrStoreUnavailable) || errors.Is(err, auth.ErrNotFound) || errors.Is(err, auth.ErrDenied) || !errors.As(err, &e) {
		t.Errorf("error %v; want an Error that wraps ErrStoreUnavailable", err)
		return
	}
	text := err.Error()
	if !strings.HasPrefix(text, "auth/vault: ") || !strings.Contains(text, "secret/data/mcpfleet/acme/shared/github-pat") && !strings.Contains(text, "secret/metadata/") ||
		!strings.Contains(text, says) || strings.Contains(text, "root") || strings.Contains(text, "t0ps3cret") {
		t.Errorf("error %q; want one with the path and %q, and without what the server echoes", text, says)
	}
}

func TestOtherRefusalsAreReportedAtOnce(t *testing.T) {
	for _, status := range []int{400, 401, 405, 413, 415, 422} {
		t.Run(fmt.Sprint(status), onDouble(func(w *world) {
			t, s := w.t, w.openRoot()
			count := w.double.answers(-1, status, echo)
			_, err := s.Secret(t.Context(), pat)
			var e *Error
			if !errors.As(err, &e) || e.StatusCode != status || e.Unwrap() != nil || strings.Contains(err.Error(), "root") {
				t.Errorf("Secret = %v; want an Error with the status and no more", err)
			}
			if got := count.Load(); got != 1 {
				t.Errorf("%d requests, want 1", got)
			}
		}))
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			header   string
			min, max time.Duration
			requests int64
		}{
			"seconds":      {"7", 7 * time.Second, 7*time.Second + 150*time.Millisecond, 1},
			"date":         {"in 9 seconds", 7 * time.Second, 9*time.Second + 150*time.Millisecond, 1},
			"past":         {"Sun, 06 Nov 1994 08:49:37 GMT", 0, 150 * time.Millisecond, 1},
			"zero":         {"0", 0, 150 * time.Millisecond, 1},
			"nonsense":     {"soon", 0, 150 * time.Millisecond, 1},
			"negative":     {"-5", 0, 150 * time.Millisecond, 1},
			"out of range": {"99999999999999999999", 0, 150 * time.Millisecond, 1},
		} {
			w := doubleWorld(t)
			s := w.openRoot()
			w.put("acme/shared/github-pat", map[string]any{"token": "one"})
			if name == "date" {
				c.header = time.Now().Add(9 * time.Second).UTC().Format(http.TimeFormat)
			}
			count := w.double.answers(1, 429, `{"errors":[]}`, "Retry-After", c.header)
			start := time.Now()
			s.has(t, pat, "one")
			if took := time.Since(start); took < c.min || took > c.max || count.Load() != c.requests {
				t.Errorf("%s: %d refusals, answer after %v, want one between %v and %v", name, count.Load(), took, c.min, c.max)
			}
		}

		w := doubleWorld(t)
		s := w.openRoot()
		count := w.double.answers(-1, 503, `{"errors":[]}`, "Retry-After", "3600")
		start := time.Now()
		if _, err := s.Secret(t.Context(), pat); !errors.Is(err, auth.ErrStoreUnavailable) || count.Load() != 1 || time.Since(start) > time.Second {
			t.Errorf("a server that asks for an hour: %v after %d requests and %v", err, count.Load(), time.Since(start))
		}

		count = w.double.answers(-1, 503, `{"errors":[]}`, "Retry-After", "10")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start = time.Now()
		if _, err := s.Secret(ctx, pat); !errors.Is(err, auth.ErrStoreUnavailable) || count.Load() != 1 || time.Since(start) > time.Second {
			t.Errorf("a server that asks for more time than there is: %v after %d requests and %v", err, count.Load(), time.Since(start))
		}
	})
}

func TestWaitsAreRandomAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := doubleWorld(t)
		s := w.openRoot(func(cfg *Config) { cfg.MaxRetries = 6 })
		w.double.answers(-1, 500, "")
		const most = 100 + 200 + 400 + 800 + 1600 + 2000 // ms
		var least, longest time.Duration
		for i := range 100 {
			start := time.Now()
			if _, err := s.Secret(t.Context(), pat); !errors.Is(err, auth.ErrStoreUnavailable) {
				t.Fatal(err)
			}
			took := time.Since(start)
			if i == 0 || took < least {
				least = took
			}
			longest = max(longest, took)
		}
		if longest > (most+7*2)*time.Millisecond || longest < most*6/10*time.Millisecond || least > most*4/10*time.Millisecond {
			t.Errorf("100 times 6 waits took from %v to %v; want them spread and at most %d ms", least, longest, most)
		}
	})
}

func TestNoRetriesIsOneRequest(t *testing.T) {
	onDouble(func(w *world) {
		s := w.openRoot(func(cfg *Config) { cfg.MaxRetries = -1 })
		count := w.double.answers(-1, 500, "")
		if _, err := s.Secret(w.t.Context(), pat); !errors.Is(err, auth.ErrStoreUnavailable) || count.Load() != 1 {
			w.t.Errorf("Secret = %v after %d requests, want ErrStoreUnavailable after 1", err, count.Load())
		}
	})(t)
}

// hangs makes the double answer no request with the prefix before the client gives up.
func (d *double) hangs(prefix string) *atomic.Int64 {
	var count atomic.Int64
	d.before(func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, prefix) {
			return false
		}
		count.Add(1)
		<-r.Context().Done()
		return true
	})
	return &count
}

func TestHangingServersAreUnavailable(t *testing.T) {
	onDouble(func(w *world) {
		t, s := w.t, w.openRoot(func(cfg *Config) { cfg.Timeout, cfg.MaxRetries = 3*time.Second, 1 })
		count := w.double.hangs("/v1/secret/")
		start := time.Now()
		_, err := s.Secret(t.Context(), pat)
		checkUnavailable(t, err, "no answer within 3s")
		if took := time.Since(start); count.Load() != 2 || took < 6*time.Second || took > 7*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v after %d requests and %v; want two that take 3 s", err, count.Load(), took)
		}
	})(t)
}

func TestCallersCanGiveUp(t *testing.T) {
	onDouble(func(w *world) {
		t, s := w.t, w.openRoot()
		count := w.double.hangs("/v1/secret/")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := s.Secret(ctx, pat)
		if !errors.Is(err, context.Canceled) || errors.Is(err, auth.ErrStoreUnavailable) || count.Load() != 1 || time.Since(start) > 1100*time.Millisecond {
			t.Errorf("%v after %d requests and %v; want context.Canceled at once", err, count.Load(), time.Since(start))
		}
		w.double.answers(-1, 503, "", "Retry-After", "20")
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := s.Secret(ctx, pat); !errors.Is(err, context.Canceled) || errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("Secret of a caller who gives up between two requests: %v, want context.Canceled", err)
		}
		count = w.double.hangs("/v1/secret/")
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.Secret(ctx, pat)
		checkUnavailable(t, err, "deadline")
		if !errors.Is(err, context.DeadlineExceeded) || count.Load() != 1 {
			t.Errorf("%v after %d requests; want context.DeadlineExceeded after 1", err, count.Load())
		}
	})(t)
}

func TestAnswersOfAnotherFormAreErrors(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON":          "t0ps3cret root",
		"an array":         `["t0ps3cret"]`,
		"nothing":          "",
		"no data":          `{"data":null}`,
		"KV version 1":     `{"data":{"token":"t0ps3cret"}}`,
		"a string as data": `{"data":{"data":"t0ps3cret","metadata":{"version":1}}}`,
		"too much":         `{"data":{"data":{"token":"` + strings.Repeat("t0ps3cret", maxAnswer/9+1) + `"}}}`,
	} {
		t.Run(name, onDouble(func(w *world) {
			s := w.openRoot()
			count := w.double.answers(-1, 200, body)
			c, err := s.Secret(w.t.Context(), pat)
			if err == nil || !c.IsZero() || strings.Contains(err.Error(), "t0ps3cret") || strings.Contains(err.Error(), "root") ||
				errors.Is(err, auth.ErrNotFound) || count.Load() != 1 {
				w.t.Errorf("Secret = %v, %v after %d requests; want an error without the answer after 1", c, err, count.Load())
			}
		}))
	}
}

// An endless is a transport whose answers have no end, or nearly so.
type endless struct{ read atomic.Int64 }

func (e *endless) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Request: r, Header: http.Header{}, Body: io.NopCloser(e)}, nil
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read.Add(int64(len(p))) > 8*maxAnswer {
		return 0, io.EOF
	}
	return copy(p, strings.Repeat(" ", len(p))), nil
}

func TestAnswersAreReadUpToALimit(t *testing.T) {
	e := &endless{}
	_, err := New(t.Context(), Config{Address: "http://vault.invalid", Auth: Token{auth.NewSecret("x")}, HTTPClient: &http.Client{Transport: e}})
	if err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") || e.read.Load() > 3*maxAnswer {
		t.Errorf("New = %v after %d bytes, want an error after 4 MiB", err, e.read.Load())
	}
}

func TestNamespaceIsSent(t *testing.T) {
	onDouble(func(w *world) {
		w.double.namespace = "admin/team"
		r := w.role(everything, nil)
		s := w.open(r.AppRole, func(cfg *Config) { cfg.Namespace = "/admin/team/" })
		w.put("acme/shared/github-pat", map[string]any{"token": "one"})
		s.has(w.t, pat, "one")
		_, err := New(w.t.Context(), Config{Address: w.address, Auth: Token{auth.NewSecret(w.root)}, HTTPClient: w.httpClient()})
		if err == nil {
			w.t.Error("New without the namespace did not fail, so the double does not check it")
		}
	})(t)
}
