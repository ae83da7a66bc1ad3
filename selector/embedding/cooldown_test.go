package embedding

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errDown = errors.New("connection refused")

func TestAFailedRequestIsRepeatedEachTimeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		f := &fake{documents: func(context.Context, []string) ([][]float32, error) {
			times = append(times, time.Now())
			if len(times) < 5 {
				return nil, errDown
			}
			return nil, nil
		}}
		c := newClient(t, f, &Config{Retries: 4, Backoff: time.Second, MaxBackoff: 3 * time.Second})
		vectors, err := c.EmbedDocuments(t.Context(), []string{"a"})
		if err != nil {
			t.Fatal(err)
		}
		checkVectors(t, []string{"a"}, vectors)
		for i, bound := range []time.Duration{1, 2, 3, 3} {
			if d := times[i+1].Sub(times[i]); d < 0 || d >= bound*time.Second {
				t.Errorf("wait %d is %s, want less than %ds", i, d, bound)
			}
		}
		if got, want := c.Stats(), (Stats{Requests: 5, Retries: 4, Failures: 4, Texts: 5}); got != want {
			t.Errorf("Stats() = %+v, want %+v", got, want)
		}
	})
}

func TestAHangingRequestIsRepeatedAfterItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		f := &fake{documents: func(ctx context.Context, _ []string) ([][]float32, error) {
			if n.Add(1) == 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return nil, nil
		}}
		start := time.Now()
		_, err := newClient(t, f, nil).EmbedDocuments(t.Context(), []string{"a"})
		if took := time.Since(start); err != nil || took < 30*time.Second || took >= 30*time.Second+500*time.Millisecond {
			t.Errorf("EmbedDocuments = %v after %s", err, took)
		}
	})
}

func TestADeadEmbedderIsLeftAloneThenTriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		dead.Store(true)
		f := &fake{query: func(context.Context, string) ([]float32, error) {
			time.Sleep(100 * time.Millisecond)
			if dead.Load() {
				return nil, errDown
			}
			return nil, nil
		}}
		var log bytes.Buffer
		c := newClient(t, f, &Config{Retries: -1, Logger: slog.New(slog.NewTextHandler(&log, nil)), Dir: t.TempDir(), Model: "m"})
		if _, err := c.EmbedDocuments(t.Context(), []string{"known"}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.EmbedQuery(t.Context(), "a"); !errors.Is(err, errDown) || errors.As(err, new(*CooldownError)) {
			t.Fatalf("first: %v", err)
		}
		if !strings.Contains(log.String(), "left alone") {
			t.Errorf("log: %s", &log)
		}

		start := time.Now()
		for range 100 {
			cooldown := (*CooldownError)(nil)
			_, err := c.EmbedQuery(t.Context(), "b")
			if !errors.As(err, &cooldown) || !errors.Is(err, errDown) || cooldown.Until.Sub(start) != 30*time.Second {
				t.Fatalf("second: %v", err)
			}
		}
		if len(f.queries) != 1 || time.Since(start) != 0 || c.Stats().Refused != 100 {
			t.Errorf("%d requests, %s, %+v, want none, in no time", len(f.queries)-1, time.Since(start), c.Stats())
		}
		if _, err := c.EmbedDocuments(t.Context(), []string{"known"}); err != nil {
			t.Errorf("what is in files needs no embedder: %v", err)
		}

		// One of many tries, and fails: the next cooldown begins.
		time.Sleep(30 * time.Second)
		ask := func(texts ...string) (ok int) {
			var wg sync.WaitGroup
			var oks atomic.Int64
			for _, text := range texts {
				wg.Go(func() {
					if _, err := c.EmbedQuery(t.Context(), text); err == nil {
						oks.Add(1)
					}
				})
			}
			wg.Wait()
			return int(oks.Load())
		}
		if ok := ask("c", "d", "e"); ok != 0 || len(f.queries) != 2 {
			t.Errorf("%d of 3 succeeded with %d requests, want 0 with 1", ok, len(f.queries)-1)
		}
		time.Sleep(29 * time.Second)
		if ask("f"); len(f.queries) != 2 {
			t.Error("the second cooldown is shorter")
		}
		dead.Store(false)
		time.Sleep(time.Second)
		if ok := ask("g", "h", "i"); ok != 1 {
			t.Errorf("%d of 3 succeeded, want the one that tries", ok)
		}
		if ok := ask("j", "k", "l"); ok != 3 {
			t.Errorf("%d of 3 succeeded after the recovery", ok)
		}
	})
}

func TestATrialWhoseCallerLeavesEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mode atomic.Value
		mode.Store("fail")
		f := &fake{query: func(ctx context.Context, _ string) ([]float32, error) {
			switch mode.Load() {
			case "fail":
				return nil, errDown
			case "hang":
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return nil, nil
		}}
		c := newClient(t, f, &Config{Retries: -1})
		_, _ = c.EmbedQuery(t.Context(), "a")
		time.Sleep(30 * time.Second)
		mode.Store("hang")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.EmbedQuery(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		synctest.Wait()
		mode.Store("work")
		if _, err := c.EmbedQuery(t.Context(), "c"); err != nil {
			t.Errorf("the next trial: %v", err)
		}
	})
}

func TestRequestsThatWaitedSeeTheCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{documents: func(context.Context, []string) ([][]float32, error) {
			time.Sleep(time.Second)
			return nil, errDown
		}}
		c := newClient(t, f, &Config{BatchSize: 1, Concurrency: 2, Retries: -1})
		_, err := c.EmbedDocuments(t.Context(), numbered(50))
		if !errors.Is(err, errDown) || c.Stats().Requests > 3 {
			t.Errorf("err = %v after %d requests, want no more than ran already", err, c.Stats().Requests)
		}
	})
}

func TestAQueryIsRepeatedWithinItsTimeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{query: func(context.Context, string) ([]float32, error) { return nil, errDown }}
		c := newClient(t, f, &Config{Retries: 1000})
		start := time.Now()
		_, err := c.EmbedQuery(t.Context(), "q")
		if took := time.Since(start); !errors.Is(err, errDown) || took > 2*time.Second {
			t.Errorf("EmbedQuery = %v after %s, want the failure within 2s", err, took)
		}
		if _, err := c.EmbedQuery(t.Context(), "q"); !errors.As(err, new(*CooldownError)) {
			t.Errorf("an embedder that failed for 2s is asked again: %v", err)
		}
	})
}

func TestRefusalsAreToldFromFailures(t *testing.T) {
	for text, want := range map[string]bool{
		"connection refused": true,
		"API returned unexpected status code: 429: slow down": true,
		"API returned unexpected status code: 503":            true,
		"API returned unexpected status code: 400: bad":       false,
		"status: 401 Unauthorized":                            false,
		"HTTP status 404":                                     false,
		`{"status_code":422}`:                                 false,
		"read 400 bytes":                                      true,
		"status code: 4000":                                   true,
		"status 408":                                          true,
	} {
		if got := retryable(errors.New(text)); got != want {
			t.Errorf("retryable(%q) = %t", text, got)
		}
	}
}
