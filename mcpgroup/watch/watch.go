package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// A Watcher reloads a registry when its file changes. It is safe for concurrent use; it is stopped by [Watcher.Close] or
// by the end of its context.
type Watcher struct {
	reg  *mcpgroup.Registry
	path string // absolute: the working directory may change
	opts Options
	log  *slog.Logger

	stop   context.CancelFunc
	done   chan struct{} // closed when run has returned
	events *events       // nil if there are none

	// Of the goroutine of run, and of File before it.
	seen  fingerprint // what the last attempt found
	again bool        // the last attempt may succeed without another content

	mu     sync.Mutex // guards status; nothing that can block runs under it
	status Status
}

// File loads the configuration file at path into reg, and again whenever it has changed, until ctx ends or the watcher is
// closed. The values of ctx are those of every reload.
//
// If the file cannot be loaded now, the error is that of [mcpgroup.LoadFile], and nothing is watched. It may also be
// loaded already: then nothing changes but what has changed in the meantime. File panics if reg is nil.
func File(ctx context.Context, reg *mcpgroup.Registry, path string, opts *Options) (*Watcher, error) {
	w, err := newWatcher(reg, path, opts)
	if err != nil {
		return nil, err
	}
	var nudge <-chan struct{}
	if w.events, err = newEvents(); err == nil {
		nudge = w.events.nudge
	} else {
		w.warn("watch: the system gives no events; polling only", "error", err)
		w.status.NoEvents = err
	}
	ctx, w.stop = context.WithCancel(ctx)
	if err := w.first(ctx); err != nil {
		w.stop()
		return nil, errors.Join(err, w.close())
	}
	go w.run(ctx, nudge)
	return w, nil
}

func newWatcher(reg *mcpgroup.Registry, path string, opts *Options) (*Watcher, error) {
	if reg == nil {
		panic("watch: File: the registry is nil; pass the one that is to be kept up to date")
	}
	if path == "" {
		return nil, errors.New("watch: the path of the file is empty")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	w := &Watcher{reg: reg, path: path, done: make(chan struct{})}
	if opts != nil {
		w.opts = *opts
	}
	if w.opts.Debounce == 0 {
		w.opts.Debounce = defaultDebounce
	}
	if w.opts.Poll == 0 {
		w.opts.Poll = defaultPoll
	}
	if w.log = w.opts.Logger; w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	return w, nil
}

// first loads the file for the first time.
func (w *Watcher) first(ctx context.Context) error {
	w.follow()
	if err := w.Status().NoEvents; err != nil && w.opts.Poll < 0 {
		return fmt.Errorf("watch: %s gives no events, and Options.Poll is off: %w", filepath.Base(w.path), err)
	}
	_, err := w.load(ctx, w.read())
	return err
}

// run waits for changes, lets them settle, and loads the file.
func (w *Watcher) run(ctx context.Context, nudge <-chan struct{}) {
	defer close(w.done)
	defer w.stop()
	defer func() {
		if err := w.close(); err != nil {
			w.warn("watch: the events were not closed in order", "error", err)
		}
	}()
	var poll <-chan time.Time
	if w.opts.Poll > 0 {
		ticker := time.NewTicker(w.opts.Poll)
		defer ticker.Stop()
		poll = ticker.C
	}
	debounce := max(w.opts.Debounce, 0)
	settled := time.NewTimer(debounce)
	settled.Stop()
	defer settled.Stop()
	var began time.Time // of the unrest; zero: there is none
	for {
		select {
		case <-ctx.Done():
			return
		case <-nudge:
		case <-poll:
			// What polling finds is waited out like the rest: it may be half written. During unrest there is nothing to
			// find out.
			if !began.IsZero() || !w.stale() {
				continue
			}
		case <-settled.C:
			began = time.Time{}
			if !w.check(ctx) {
				return
			}
			continue
		}
		if began.IsZero() {
			began = time.Now()
		}
		settled.Reset(max(0, min(debounce, time.Until(began.Add(maxDebounces*debounce)))))
	}
}

// Status returns what has come of the file so far.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// Close stops watching and returns when a reload that is under way has ended, which it does soon. The registry stays as it
// is. Close may be called more than once; its error is always nil. It must not be called in a callback of the watcher,
// which it waits for.
func (w *Watcher) Close() error {
	w.stop()
	<-w.done
	return nil
}

func (w *Watcher) close() error {
	if w.events == nil {
		return nil
	}
	return w.events.close()
}
