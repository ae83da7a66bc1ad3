package watch

import (
	"sync"
	"testing"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// A callback that closes its watcher would wait for itself. It is stopped, and the watcher goes on.
func TestClosingWithinACallbackIsMisuse(t *testing.T) {
	path := configFile(t, "a")
	var w *Watcher
	var mu sync.Mutex // guards w, and panics
	var panics []any
	closing := func() {
		mu.Lock()
		watcher := w
		mu.Unlock()
		if watcher == nil { // the first load
			return
		}
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			panics = append(panics, recover())
		}()
		_ = watcher.Close()
	}
	told := newReports()
	opened, err := File(t.Context(), newRegistry(t, nil), path, &Options{
		Edit:     func(*mcpgroup.Config) error { closing(); return nil },
		OnReload: func(d mcpgroup.Diff, err error) { closing(); told.add(d, err) },
	})
	must(t, err)
	mu.Lock()
	w = opened
	mu.Unlock()
	for range 2 {
		write(t, path, document("a", "b"))
		told.next(t)
		write(t, path, document("a"))
		told.next(t)
	}
	must(t, w.Close())
	mu.Lock()
	defer mu.Unlock()
	if len(panics) < 8 {
		t.Errorf("%d callbacks came as far as Close", len(panics))
	}
	for _, p := range panics {
		if p == nil {
			t.Error("Close within a callback is no misuse")
		}
	}
}
