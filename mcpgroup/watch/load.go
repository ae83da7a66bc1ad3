package watch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/recovery"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// maxFile is more than [mcpgroup.ReadConfig] accepts, in bytes.
const maxFile = 16<<20 + 1

// A fingerprint is equal for equal contents of a file, and for equal reasons why it cannot be read.
type fingerprint struct {
	sum [sha256.Size]byte
	err string
}

// content is what was found at the path.
type content struct {
	text []byte
	err  error
}

func (c content) fingerprint() fingerprint {
	if c.err != nil {
		return fingerprint{err: c.err.Error()}
	}
	return fingerprint{sum: sha256.Sum256(c.text)}
}

func (w *Watcher) read() content {
	text, err := readRegular(w.path)
	if err != nil {
		err = fmt.Errorf("watch: reading the configuration: %w", err)
	}
	return content{text, err}
}

// readRegular reads a file that is not a device or a pipe: one of those could keep the reader waiting for ever.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: errors.New("it is not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// stale reports whether check would load the file.
func (w *Watcher) stale() bool {
	w.follow()
	return w.again || w.read().fingerprint() != w.seen
}

// check loads the file if it has changed, and tells of it. It reports false if there is nothing more to watch for.
func (w *Watcher) check(ctx context.Context) bool {
	w.follow()
	c := w.read()
	same := c.fingerprint() == w.seen
	if same && !w.again {
		return true
	}
	before := w.Status().LastError
	diff, err := w.load(ctx, c)
	if err != nil && ctx.Err() != nil {
		return false // the watcher was stopped, which is no failure of the file
	}
	if same && err != nil && before != nil && err.Error() == before.Error() {
		return true // it was told of
	}
	if err != nil {
		w.warn("watch: the configuration was not reloaded; the one before stays in effect", "error", err)
	}
	if w.opts.OnReload != nil {
		if err := protect("OnReload", func() error { w.opts.OnReload(diff, err); return nil }); err != nil {
			w.warn("watch: OnReload failed", "error", err)
		}
	}
	return !errors.Is(err, mcpgroup.ErrClosed)
}

// load makes c the configuration of the registry, or changes nothing.
func (w *Watcher) load(ctx context.Context, c content) (mcpgroup.Diff, error) {
	if err := ctx.Err(); err != nil {
		return mcpgroup.Diff{}, err
	}
	start := time.Now()
	var cfg *mcpgroup.Config
	var diff mcpgroup.Diff
	err := protect("the reload", func() (err error) {
		if cfg, err = w.parse(c); err != nil {
			return err
		}
		if err = w.edit(cfg); err != nil {
			return err
		}
		diff, err = w.reg.Reload(ctx, cfg)
		return err
	})
	if err != nil && ctx.Err() != nil {
		return mcpgroup.Diff{}, err
	}
	if cfg != nil && !w.again {
		for _, p := range cfg.Warnings {
			w.warn("watch: the configuration holds what is not known", "where", p.Path)
		}
	}
	w.seen, w.again = c.fingerprint(), err != nil && cfg != nil

	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.status
	s.Attempts, s.LastAttempt, s.LastError = s.Attempts+1, start, err
	if err == nil {
		s.Successes, s.LastSuccess = s.Successes+1, start
	}
	if cfg != nil {
		s.Warnings = cfg.Warnings
	}
	return diff, err
}

// parse reads the document.
func (w *Watcher) parse(c content) (*mcpgroup.Config, error) {
	if c.err != nil {
		return nil, c.err
	}
	cfg, err := mcpgroup.ReadConfig(bytes.NewReader(c.text), w.opts.Read)
	var document *mcpgroup.DocumentError
	if errors.As(err, &document) {
		document.Source = filepath.Base(w.path)
	}
	return cfg, err
}

func (w *Watcher) edit(cfg *mcpgroup.Config) error {
	if w.opts.Edit == nil {
		return nil
	}
	if err := w.opts.Edit(cfg); err != nil {
		return fmt.Errorf("watch: Options.Edit: %w", err)
	}
	return nil
}

// follow watches what the path leads through now, and keeps in mind whether that can be done.
func (w *Watcher) follow() {
	if w.events == nil {
		return
	}
	err := w.events.follow(w.path)
	w.mu.Lock()
	before := w.status.NoEvents
	w.status.NoEvents = err
	w.mu.Unlock()
	if err != nil && (before == nil || before.Error() != err.Error()) {
		w.warn("watch: a directory gives no events; polling", "error", err)
	}
}

// warn logs. A handler that panics is nobody's concern.
func (w *Watcher) warn(msg string, args ...any) {
	_ = protect("Logger", func() error { w.log.Warn(msg, args...); return nil })
}

// protect calls a function that runs code of the host's. A panic in it, or runtime.Goexit, becomes an error.
func protect(name string, f func() error) error {
	_, err := recovery.Call(func() (struct{}, error) { return struct{}{}, f() }, func(value any, stack []byte) error {
		return &session.PanicError{Func: "watch: " + name, Value: value, Stack: stack}
	})
	return err
}
