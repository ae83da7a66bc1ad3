package embedding

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/recovery"
)

// A timeoutError says that the embedder took too long. It is a [context.DeadlineExceeded].
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string {
	return fmt.Sprintf("the embedder did not answer within %s", e.after)
}
func (e *timeoutError) Unwrap() error { return context.DeadlineExceeded }

// request fills j.vectors[from:to] or j.errs[from:to]. If the embedder refuses several texts together, they are asked for in
// two halves, as long as spare lasts: one bad text must not cost the others their vectors.
func (c *Client) request(ctx context.Context, j *job, from, to int, spare *int) {
	vectors, err := c.persist(ctx, j.kind, j.texts[from:to])
	var refused *refusedError
	switch {
	case errors.As(err, &refused) && to-from > 1 && *spare >= 2:
		*spare -= 2
		middle := (from + to) / 2
		c.request(ctx, j, from, middle, spare)
		c.request(ctx, j, middle, to, spare)
		return
	case err != nil:
		fault := &Error{Reason: Failed, detail: "the embedder failed", err: err}
		switch {
		case refused != nil && refused.fault != nil:
			fault = refused.fault
		case refused != nil:
			fault.err = refused.err
		case errors.As(err, new(*CooldownError)):
			fault.detail = "the embedder was not asked"
		}
		for i := from; i < to; i++ {
			j.errs[i] = fault
		}
		return
	}
	for i, v := range vectors {
		if fault := c.check(v); fault != nil {
			c.stats.rejected.Add(1)
			j.errs[from+i] = fault
			continue
		}
		j.vectors[from+i] = v
	}
}

// A refusedError is an answer that the same request would get again: an error of the embedder, or a fault that we found.
type refusedError struct {
	err   error
	fault *Error
}

func (e *refusedError) Error() string { return "the embedder refused" } // never shown

// persist asks for texts until the embedder answers or has failed too often.
func (c *Client) persist(ctx context.Context, k kind, texts []string) ([][]float32, error) {
	slots := c.slots[k]
	trial, err := c.circuit.enter()
	if err != nil {
		c.stats.refused.Add(1)
		return nil, err
	}
	if err := slots.acquire(ctx, c.cfg.Timeout); err != nil {
		if gone(ctx) || !slots.jammed() { // else it was the embedder that did not come back
			c.circuit.leave(trial, false, nil)
		} else {
			c.giveUp(trial, err)
		}
		return nil, err
	}
	held := true
	defer func() { // after the circuit has been left: who waits for the slot must see the cooldown
		if held {
			slots.release()
		}
	}()
	if !trial {
		if trial, err = c.circuit.enter(); err != nil { // a cooldown that began meanwhile
			c.stats.refused.Add(1)
			return nil, err
		}
	}
	for attempt := 0; ; attempt++ {
		var vectors [][]float32
		vectors, held, err = c.ask(ctx, k, texts, slots)
		switch {
		case err == nil || errors.As(err, new(*refusedError)):
			c.circuit.leave(trial, true, nil)
			return vectors, err
		case gone(ctx):
			c.circuit.leave(trial, false, nil)
			return nil, err
		}
		delay, again := c.backoff(ctx, attempt)
		if !again {
			c.giveUp(trial, err)
			return nil, err
		}
		if held { // who waits may have it while this one sleeps
			slots.release()
			held = false
		}
		waited := sleep(ctx, delay)
		if waited == nil {
			waited = slots.acquire(ctx, c.cfg.Timeout)
		}
		switch {
		case waited == nil:
			held = true
			c.stats.retries.Add(1)
			continue
		case gone(ctx):
			c.circuit.leave(trial, false, nil)
			return nil, waited
		case slots.jammed():
			c.giveUp(trial, err)
		default:
			c.circuit.leave(trial, false, nil)
		}
		return nil, err
	}
}

// gone reports whether nobody waits any more, which is no failure of the embedder.
func gone(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.As(context.Cause(ctx), new(*timeoutError))
}

// giveUp leaves the circuit after a failure.
func (c *Client) giveUp(trial bool, err error) {
	if c.circuit.leave(trial, false, err) {
		c.cfg.Logger.Warn("embedding: the embedder failed and is left alone", "for", c.cfg.Cooldown, "error", clean(err))
	}
}

// backoff returns how long to wait before the next attempt, if there is to be one: a random part of a bound that doubles, since
// callers that failed together must not come back together.
func (c *Client) backoff(ctx context.Context, attempt int) (delay time.Duration, again bool) {
	bound := c.cfg.MaxBackoff
	if attempt < 32 && c.cfg.Backoff < bound>>attempt {
		bound = c.cfg.Backoff << attempt
	}
	delay = rand.N(bound)
	deadline, ok := ctx.Deadline()
	return delay, attempt < c.cfg.Retries && !(ok && time.Until(deadline) <= delay)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ask sends one request and returns its answer, or an error as soon as ctx is done. The caller has acquired a slot and, with held,
// still has it. Else it is freed when the embedder really returns: one that ignores its context must not be asked ever more
// at a time.
func (c *Client) ask(ctx context.Context, k kind, texts []string, slots *slots) (vectors [][]float32, held bool, err error) {
	if k == document {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.cfg.Timeout, &timeoutError{c.cfg.Timeout})
		defer cancel()
	}
	texts = slices.Clone(texts) // langchaingo's embedders write to it
	type answer struct {
		vectors [][]float32
		err     error
	}
	answered := make(chan answer, 1)
	var parted atomic.Bool // one of the two has ended, and the other one is left with the slot
	go func() {
		defer func() {
			if !parted.CompareAndSwap(false, true) {
				slots.stuck.Add(-1)
				slots.release()
			}
		}()
		vectors, err := recovery.Call(func() ([][]float32, error) {
			var vectors [][]float32
			var err error
			if k == query {
				vectors = make([][]float32, 1)
				vectors[0], err = c.embedder.EmbedQuery(ctx, texts[0])
			} else {
				vectors, err = c.embedder.EmbedDocuments(ctx, texts)
			}
			if err != nil && ctx.Err() == nil && !c.cfg.Retryable(err) {
				err = &refusedError{err: err}
			}
			return vectors, err
		}, func(value any, _ []byte) error { return &refusedError{err: &panicError{value}} })
		own := make([][]float32, len(vectors))
		for i, v := range vectors {
			own[i] = slices.Clone(v) // the embedder may use its buffers again
		}
		answered <- answer{own, err}
	}()
	c.stats.requests.Add(1)
	c.stats.texts.Add(uint64(len(texts)))

	var a answer
	held = true
	select {
	case a = <-answered:
	case <-ctx.Done():
		a.err = context.Cause(ctx)
		if parted.CompareAndSwap(false, true) {
			slots.stuck.Add(1)
			held = false
		}
	}
	switch {
	case a.err != nil && ctx.Err() != nil:
		err = context.Cause(ctx) // not what the embedder makes of it
	case a.err != nil:
		err = a.err
	case len(a.vectors) != len(texts):
		err = &refusedError{fault: &Error{Reason: Count, detail: fmt.Sprintf(
			"the embedder returned %d vectors for %d texts", len(a.vectors), len(texts))}}
	default:
		return a.vectors, held, nil
	}
	c.stats.failures.Add(1)
	return nil, held, err
}
