package watch

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Scenario 106: other files of the directory are ignored.
func TestOnlyEventsOfTheFileAreANudge(t *testing.T) {
	e := &events{
		fs:    &fsnotify.Watcher{Events: make(chan fsnotify.Event), Errors: make(chan error)},
		nudge: make(chan struct{}, 1), done: make(chan struct{}),
	}
	dir := t.TempDir()
	file, data := filepath.Join(dir, "mcp.json"), filepath.Join(dir, "..data")
	e.names.Store(&[]string{file, data, dir})
	go e.pump()
	send := func(name string) bool {
		e.fs.Events <- fsnotify.Event{Name: name, Op: fsnotify.Create}
		e.fs.Events <- fsnotify.Event{Name: filepath.Join(dir, "other.log")} // taken when the first one is dealt with
		select {
		case <-e.nudge:
			return true
		default:
			return false
		}
	}
	for name, want := range map[string]bool{
		file: true, data: true, dir: true, filepath.Join(dir, "MCP.json"): true,
		filepath.Join(dir, "mcp.json~"): false, filepath.Join(dir, ".mcp.json.swp"): false, filepath.Join(dir, "sub", "mcp.json"): false,
		filepath.Join(dir, "rules.json"): false, "mcp.json": false, "": false,
	} {
		if got := send(name); got != want {
			t.Errorf("an event of %q is a nudge: %t, want %t", name, got, want)
		}
	}
	// What is lost may have been about the file. Nudges that nobody has taken are one.
	for range 3 {
		e.fs.Errors <- fsnotify.ErrEventOverflow
	}
	if send("other"); len(e.nudge) != 0 {
		t.Error("more than one nudge waits")
	}
	e.fs.Errors <- fsnotify.ErrEventOverflow
	<-e.nudge
	close(e.fs.Events)
	<-e.done
}

// With nothing but other files changing, nobody even looks at the file.
func TestOtherFilesAreNotWaitedOut(t *testing.T) {
	path := configFile(t, "a")
	told := newReports()
	w, err := File(t.Context(), newRegistry(t, nil), path, &Options{Poll: -1, Debounce: 20 * time.Millisecond, OnReload: told.add})
	must(t, err)
	defer w.Close()
	for i := range 200 {
		write(t, filepath.Join(filepath.Dir(path), "other.json"), document("x"))
		if i == 100 {
			replace(t, path, document("b"))
		}
	}
	if got := told.next(t).String(); got != "added [b] removed [a] updated [] unchanged []" {
		t.Errorf("reported %s", got)
	}
	if got := w.Status().Attempts; got != 2 {
		t.Errorf("%d attempts, want 2", got)
	}
}

// Where the system gives no events, polling does the work and the status says so.
func TestWithoutEventsThereIsPolling(t *testing.T) {
	e, err := newEvents()
	must(t, err)
	must(t, e.close()) // from now on no directory can be watched
	synctest.Test(t, func(t *testing.T) {
		w, err := newWatcher(newRegistry(t, nil), configFile(t, "a"), &Options{Poll: -1})
		must(t, err)
		w.events = e
		if err := w.first(t.Context()); err == nil || w.Status().Attempts != 0 {
			t.Errorf("without events and polling: %v", err)
		}
	})
	for range 2 {
		if err := e.follow(filepath.Join(t.TempDir(), "mcp.json")); err == nil {
			t.Error("follow reports nothing")
		}
	}
	w, err := newWatcher(newRegistry(t, nil), configFile(t, "a"), &Options{Poll: time.Hour})
	must(t, err)
	w.events = e
	must(t, w.first(t.Context()))
	if s := w.Status(); s.NoEvents == nil || s.Successes != 1 {
		t.Errorf("status %+v, want a reason why there are no events", s)
	}
}
