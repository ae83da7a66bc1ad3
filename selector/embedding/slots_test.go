package embedding

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A stuck embedder ignores its context: only release makes it return.
func stuck() (f *fake, release func()) {
	ch := make(chan struct{})
	f = &fake{
		documents: func(context.Context, []string) ([][]float32, error) { <-ch; return nil, nil },
		query:     func(context.Context, string) ([]float32, error) { <-ch; return nil, nil },
	}
	return f, func() { close(ch) }
}

func TestAnEmbedderThatNeverReturnsIsGivenUp(t *testing.T) {
	for _, concurrency := range []int{1, 4, 16} {
		synctest.Test(t, func(t *testing.T) {
			f, release := stuck()
			defer release()
			c := newClient(t, f, &Config{Concurrency: concurrency, Timeout: time.Second, Backoff: time.Second})
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if _, err := c.EmbedDocuments(ctx, []string{"a"}); !errors.As(err, new(*Error)) {
				t.Errorf("concurrency %d: EmbedDocuments = %v, want an *Error long before an hour", concurrency, err)
			}
		})
	}
}

func TestAnEmbedderThatNeverReturnsSlowsNobodyDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, release := stuck()
		c := newClient(t, f, &Config{Concurrency: 2})
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() { _, _ = c.EmbedQuery(t.Context(), fmt.Sprint(i)) })
		}
		wg.Wait()
		start := time.Now()
		for range 10 {
			if _, err := c.EmbedQuery(t.Context(), "b"); !errors.As(err, new(*CooldownError)) {
				t.Errorf("EmbedQuery = %v, want a *CooldownError", err)
			}
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("ten queries of a dead embedder took %s", took)
		}
		// After the cooldown one waits for a slot, and the others are told at once.
		time.Sleep(time.Minute)
		start = time.Now()
		_, _ = c.EmbedQuery(t.Context(), "b")
		if _, err := c.EmbedQuery(t.Context(), "b"); !errors.As(err, new(*CooldownError)) || time.Since(start) > 2*time.Second {
			t.Errorf("EmbedQuery = %v after %s, want a *CooldownError after one timeout", err, time.Since(start))
		}
		release()
		time.Sleep(time.Minute)
		if _, err := c.EmbedQuery(t.Context(), "c"); err != nil {
			t.Errorf("after it returned: %v", err)
		}
	})
}

func TestCloseDuringAPauseIsErrClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{documents: func(context.Context, []string) ([][]float32, error) { return nil, errDown }}
		c := newClient(t, f, &Config{Backoff: time.Hour, MaxBackoff: time.Hour})
		go func() {
			time.Sleep(time.Millisecond)
			c.Close()
		}()
		if _, err := c.EmbedDocuments(t.Context(), []string{"a"}); !errors.Is(err, ErrClosed) {
			t.Errorf("EmbedDocuments = %v, want ErrClosed", err)
		}
	})
}

func TestAUselessVectorDoesNotDecideTheDimensions(t *testing.T) {
	first := true
	f := &fake{}
	f.documents = func(_ context.Context, texts []string) ([][]float32, error) {
		if first {
			first = false
			return [][]float32{{0, 0}}, nil
		}
		return nil, nil
	}
	c := newClient(t, f, nil)
	_, _ = c.EmbedDocuments(t.Context(), []string{"a"})
	if _, err := c.EmbedDocuments(t.Context(), []string{"b"}); err != nil {
		t.Errorf("after a zero vector of another length: %v", err)
	}
}
