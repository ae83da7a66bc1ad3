package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/fsnotify/fsnotify"
)

// events tells when a file may have changed, as far as the system does.
type events struct {
	fs    *fsnotify.Watcher
	names atomic.Pointer[[]string] // what is worth a nudge
	nudge chan struct{}            // has room for one
	done  chan struct{}            // closed when pump has returned

	dirs map[string]os.FileInfo // what is watched; of the goroutine that calls follow
}

func newEvents() (*events, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	e := &events{fs: w, nudge: make(chan struct{}, 1), done: make(chan struct{}), dirs: map[string]os.FileInfo{}}
	e.names.Store(&[]string{})
	go e.pump()
	return e, nil
}

// pump passes on what is about the file. It never waits for the watcher: on some systems a watch can only be added while
// somebody reads events.
func (e *events) pump() {
	defer close(e.done)
	for {
		select {
		case event, ok := <-e.fs.Events:
			if !ok {
				return
			}
			if !e.concerns(event.Name) {
				continue
			}
		case _, ok := <-e.fs.Errors: // events were lost: the file has to be looked at
			if !ok {
				return
			}
		}
		select {
		case e.nudge <- struct{}{}:
		default:
		}
	}
}

// concerns compares without regard to case, as some file systems do: a look too many costs nothing.
func (e *events) concerns(name string) bool {
	return slices.ContainsFunc(*e.names.Load(), func(n string) bool { return strings.EqualFold(n, name) })
}

// follow watches the directories on the way to path as they are now. Whoever reads the file afterwards misses nothing:
// what changed before is in the file, and of what changes later there is an event.
func (e *events) follow(path string) error {
	var errs []error
	for range 3 { // what was traced may have changed before it was watched
		names := trace(path)
		watched := *e.names.Load()
		var dirs []string
		for _, name := range names {
			if dir := filepath.Dir(name); !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
		now := append(names, dirs...) // a directory that is moved or deleted says so under its own name
		e.names.Store(&now)
		errs = e.watch(dirs)
		if slices.Equal(now, watched) {
			break
		}
	}
	return errors.Join(errs...)
}

// watch watches dirs and nothing else.
func (e *events) watch(dirs []string) (errs []error) {
	active := e.fs.WatchList() // without those that the system has ended
	for dir, then := range e.dirs {
		now, err := os.Stat(dir)
		if slices.Contains(dirs, dir) && slices.Contains(active, dir) && err == nil && os.SameFile(then, now) {
			continue
		}
		_ = e.fs.Remove(dir) // which fails if it has ended
		delete(e.dirs, dir)
	}
	for _, dir := range dirs {
		if e.dirs[dir] != nil {
			continue
		}
		now, err := os.Stat(dir)
		if err == nil {
			err = e.fs.Add(dir)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // it went while we looked; the next round sees that
		case err != nil:
			errs = append(errs, &fs.PathError{Op: "watch", Path: dir, Err: err})
		default:
			e.dirs[dir] = now
		}
	}
	return errs
}

func (e *events) close() error {
	err := e.fs.Close()
	<-e.done
	return err
}
