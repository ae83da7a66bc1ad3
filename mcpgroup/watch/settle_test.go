package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// Scenario 106: what comes within the debounce of each other is one reload, and comes when it has settled.
func TestOneSaveIsOneReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{})
		for i := range 5 { // an editor writes in pieces
			w.save(t, document("a", fmt.Sprint("b", i))[:20])
			pass(90 * time.Millisecond)
		}
		w.save(t, document("a", "b"))
		pass(99 * time.Millisecond)
		synctest.Wait()
		if got := w.told.take(); got != nil {
			t.Errorf("reloaded before the file had settled: %v", got)
		}
		pass(time.Millisecond)
		synctest.Wait()
		if got := fmt.Sprint(w.told.take()); got != "[added [b] removed [] updated [] unchanged [a]]" {
			t.Errorf("reported %s", got)
		}
		pass(time.Hour)
		if got := w.Status(); w.told.take() != nil || got.Attempts != 2 || got.Successes != 2 {
			t.Errorf("status %+v, want two attempts", got)
		}
	})
}

func TestAFileThatNeverSettlesIsLoadedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{Debounce: time.Second, Poll: -1})
		start := time.Now()
		for i := range 25 {
			w.save(t, document("a", fmt.Sprint("b", i)))
			pass(600 * time.Millisecond)
		}
		if got := w.Status(); got.Attempts != 2 || got.LastSuccess.Sub(start) != 10*time.Second {
			t.Errorf("%d attempts, the last one after %v; want one more after 10 s", got.Attempts, got.LastSuccess.Sub(start))
		}
		pass(time.Minute)
		if got := w.reg.Names(); !slices.Equal(got, []string{"a", "b24"}) {
			t.Errorf("in the end the servers are %q", got)
		}
	})
}

func TestPollingFindsWhatNoEventTold(t *testing.T) {
	for poll, want := range map[time.Duration]time.Duration{0: 30 * time.Second, time.Minute: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{Poll: poll})
			start := w.Status().LastAttempt
			replace(t, w.path, document("a", "b"))
			pass(10 * time.Minute)
			got := w.Status()
			if took := got.LastAttempt.Sub(start); got.Attempts != 2 || took != want+defaultDebounce {
				t.Errorf("%d attempts, the last after %v; want 2 and %v", got.Attempts, took, want+defaultDebounce)
			}
			if names := w.reg.Names(); !slices.Equal(names, []string{"a", "b"}) {
				t.Errorf("servers %q", names)
			}
		})
	}
}

// Half a file that polling comes upon is waited for, as one that an event tells of; what begins right after it is left
// for the next time.
func TestPollingDoesNotTakeHalfAFile(t *testing.T) {
	for _, start := range []time.Duration{950 * time.Millisecond, 1050 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{Poll: time.Second})
			pass(start)
			write(t, w.path, document("a", "b")[:10])
			pass(100 * time.Millisecond)
			write(t, w.path, document("a", "b"))
			pass(time.Minute)
			if got := w.Status(); got.Attempts != 2 || got.Successes != 2 {
				t.Errorf("written at %v: status %+v, want two successful attempts", start, got)
			}
		})
	}
}

// Polling more often than the file is waited for does not put the end of the wait off.
func TestFrequentPollingDoesNotDelayTheReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{Poll: 30 * time.Millisecond})
		start := time.Now()
		write(t, w.path, document("b"))
		pass(time.Minute)
		if got := w.Status(); got.Attempts != 2 || got.LastSuccess.Sub(start) != 130*time.Millisecond {
			t.Errorf("%d attempts, the last after %v; want 2 and 130 ms", got.Attempts, got.LastSuccess.Sub(start))
		}
	})
}

func TestAFileThatHoldsTheSameIsNotLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{})
		for _, change := range []func(){
			func() { must(t, os.Chtimes(w.path, time.Now(), time.Now().Add(time.Hour))) },
			func() { must(t, os.Chmod(w.path, 0o640)) },
			func() { write(t, w.path, document("a")) },
			func() { replace(t, w.path, document("a")) },
			func() { must(t, os.Remove(w.path)); write(t, w.path, document("a")) },
			func() { write(t, w.path, document("b")); write(t, w.path, document("a")) },
		} {
			change()
			w.tell()
			pass(time.Minute)
		}
		if got := w.Status(); got.Attempts != 1 || w.told.take() != nil {
			t.Errorf("%d attempts, want that of File only", got.Attempts)
		}
	})
}

// Scenario 107: what cannot be used is told once, with the reason, and changes nothing.
func TestAFileThatCannotBeUsedChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		w := newStill(t, newRegistry(t, nil), configFile(t, "a", "b"), Options{
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Read:   &mcpgroup.ConfigOptions{Lookup: func(string) (string, bool) { return "", false }},
		})
		good := w.Status()
		group, err := w.reg.Get("a")
		must(t, err)
		for name, test := range map[string]struct {
			change func()
			want   string
		}{
			"not JSON":  {func() { write(t, w.path, `{"mcpServers": {`) }, "mcpgroup: mcp.json: not JSON"},
			"empty":     {func() { write(t, w.path, "") }, "mcpgroup: mcp.json: not JSON"},
			"a server":  {func() { write(t, w.path, `{"mcpServers": {"a": {}}}`) }, "mcpgroup: mcp.json: mcpServers.a: must specify"},
			"variable":  {func() { write(t, w.path, `{"mcpServers": {"a": {"url": "${GONE}"}}}`) }, "variable GONE is not set"},
			"too large": {func() { write(t, w.path, strings.Repeat(" ", maxFile+10)) }, "is larger than"},
			"deleted":   {func() { must(t, os.Remove(w.path)) }, "watch: reading the configuration: stat "},
			"directory": {func() { must(t, os.Remove(w.path)); must(t, os.Mkdir(w.path, 0o700)) }, "it is not a regular file"},
		} {
			before := w.Status()
			test.change()
			w.tell()
			pass(90 * time.Second) // and three polls
			got := w.told.take()
			if len(got) != 1 || got[0].err == nil || !got[0].diff.Empty() || !strings.Contains(got[0].err.Error(), test.want) {
				t.Errorf("%s: reported %v, want %q once", name, got, test.want)
				continue
			}
			s := w.Status()
			if s.Attempts != before.Attempts+1 || s.Successes != before.Successes || s.LastError != got[0].err || !s.LastSuccess.Equal(before.LastSuccess) || !s.LastAttempt.After(before.LastAttempt) {
				t.Errorf("%s: status %+v", name, s)
			}
			if now, err := w.reg.Get("a"); err != nil || now != group || len(w.reg.Names()) != 2 {
				t.Errorf("%s: the running configuration changed", name)
			}
			if !strings.Contains(log.String(), "the one before stays in effect") {
				t.Errorf("%s: logged %q", name, log.String())
			}
			log.Reset()

			_ = os.Remove(w.path) // the directory
			w.save(t, document("a", "b"))
			pass(time.Second)
			if got := fmt.Sprint(w.told.take()); got != "[added [] removed [] updated [] unchanged [a b]]" {
				t.Errorf("%s, mended: reported %s", name, got)
			}
			if s := w.Status(); s.LastError != nil || !s.LastSuccess.After(good.LastSuccess) {
				t.Errorf("%s, mended: status %+v", name, s)
			}
		}
	})
}

func TestAnErrorOfTheDocumentCanBeLookedInto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{})
		w.save(t, `{"mcpServers": {"a": {"command": 1}, "b": {}}}`)
		pass(time.Second)
		var document *mcpgroup.DocumentError
		if err := w.Status().LastError; !errors.As(err, &document) || document.Source != "mcp.json" || len(document.Problems) != 2 {
			t.Errorf("error %v, want two problems of mcp.json", err)
		}
		w.save(t, `{"mcpServers": {"a": {"url": "http://localhost/mcp", "misspelt": 1}}}`)
		pass(time.Second)
		if s := w.Status(); s.LastError != nil || len(s.Warnings) != 1 || s.Warnings[0].Path != "mcpServers.a.misspelt" {
			t.Errorf("status %+v, want a warning", s)
		}
	})
}

// A required server that is away is no fault of the file: the same content is tried again, and told of once.
func TestAReloadThatFailedForAnotherReasonIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		away, dials := true, 0
		reg := newRegistry(t, &mcpgroup.RegistryOptions{Options: func(cfg mcpgroup.ServerConfig) (*mcpgroup.Options, error) {
			if cfg.Name != "late" {
				return nil, nil
			}
			return &mcpgroup.Options{NewServer: func(context.Context, session.Key) (*mcp.Server, error) {
				mu.Lock()
				defer mu.Unlock()
				if dials++; away {
					return nil, errors.New("not yet")
				}
				return mcp.NewServer(&mcp.Implementation{Name: "late", Version: "1"}, nil), nil
			}}, nil
		}})
		var wanted atomic.Bool
		w := newStill(t, reg, configFile(t, "a"), Options{Edit: func(cfg *mcpgroup.Config) error {
			if wanted.Load() {
				cfg.Servers = append(cfg.Servers, mcpgroup.ServerConfig{Name: "late", Required: true, ReconnectWindow: -1})
			}
			return nil
		}})
		wanted.Store(true)
		w.save(t, document("a", "b"))
		pass(2*time.Minute + time.Second)
		if got := w.told.take(); len(got) != 1 || got[0].err == nil || !strings.Contains(got[0].err.Error(), `required server "late"`) {
			t.Errorf("reported %v, want one failure", got)
		}
		if got := w.Status(); got.Attempts != 6 || got.Successes != 1 || !slices.Equal(reg.Names(), []string{"a"}) {
			t.Errorf("%d attempts, want that of File, that of the change, and 4 in 2 minutes; servers %q", got.Attempts, reg.Names())
		}
		mu.Lock()
		away = false
		mu.Unlock()
		pass(time.Minute)
		if got := fmt.Sprint(w.told.take()); got != "[added [b late] removed [] updated [] unchanged [a]]" {
			t.Errorf("reported %s", got)
		}
		if got := w.Status(); got.Attempts != 7 || got.Successes != 2 {
			t.Errorf("status %+v: a reload that succeeded is not tried again", got)
		}
	})
}

// Scenario 106: an exception in a callback does not stop the watcher.
func TestThePanicOfACallbackDoesNotStopTheWatcher(t *testing.T) {
	for name, fail := range map[string]func(){"panic": func() { panic("on purpose") }, "Goexit": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			var where atomic.Value
			told := newReports()
			failing := func(now string) {
				if where.Load() == now {
					fail()
				}
			}
			w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{
				OnReload: func(d mcpgroup.Diff, err error) { told.add(d, err); failing("OnReload") },
				Edit:     func(*mcpgroup.Config) error { failing("Edit"); return nil },
				Read:     &mcpgroup.ConfigOptions{Lookup: func(string) (string, bool) { failing("Lookup"); return "x", true }},
				Logger:   slog.New(panicking{slog.DiscardHandler, func() { failing("Logger") }}),
			})
			for i, place := range []string{"OnReload", "Edit", "Lookup", "Logger"} {
				where.Store(place)
				w.save(t, strings.Replace(document("a", fmt.Sprintf("b=${X}%d", i)), `"}`, `", "new": 1}`, 1))
				pass(time.Second)
				got := told.take()
				reverted := place == "Edit" || place == "Lookup"
				var p *session.PanicError
				if len(got) != 1 || (got[0].err != nil) != reverted || reverted && !errors.As(got[0].err, &p) {
					t.Errorf("%s in %s: reported %v", name, place, got)
				}
				where.Store("")
				w.save(t, document("a", fmt.Sprintf("c%d", i)))
				pass(time.Second)
				if got := w.reg.Names(); !slices.Equal(got, []string{"a", fmt.Sprintf("c%d", i)}) {
					t.Errorf("after %s in %s the servers are %q", name, place, got)
				}
				told.take()
			}
		})
	}
}

type panicking struct {
	slog.Handler
	fail func()
}

func (p panicking) Enabled(context.Context, slog.Level) bool      { return true }
func (p panicking) Handle(context.Context, slog.Record) (_ error) { p.fail(); return nil }

func TestWhatIsNotInTheFileIsAddedByEdit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := mcp.NewServer(&mcp.Implementation{Name: "own", Version: "1"}, nil)
		var refuse atomic.Bool
		w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{Edit: func(cfg *mcpgroup.Config) error {
			if refuse.Load() {
				return errors.New("not on a Friday")
			}
			cfg.Servers = append(cfg.Servers, mcpgroup.ServerConfig{Name: "own", Server: own})
			return nil
		}})
		w.save(t, document("b"))
		pass(time.Second)
		if got := fmt.Sprint(w.told.take()); got != "[added [b] removed [a] updated [] unchanged [own]]" {
			t.Errorf("reported %s", got)
		}
		refuse.Store(true)
		w.save(t, document("c"))
		pass(time.Second)
		if got := fmt.Sprint(w.told.take()); got != "[error: watch: Options.Edit: not on a Friday]" {
			t.Errorf("reported %s", got)
		}
		refuse.Store(false) // and an error of Edit may pass
		pass(time.Minute)
		if got := w.reg.Names(); !slices.Equal(got, []string{"c", "own"}) {
			t.Errorf("servers %q", got)
		}
	})
}

// Scenario 106: stopping cancels timers and may be done twice; a callback that runs is waited for.
func TestCloseWaitsAndMayBeCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{OnReload: func(mcpgroup.Diff, error) { <-release }})
		w.save(t, document("b"))
		pass(time.Second)
		var wg sync.WaitGroup
		closed := make(chan struct{}, 3)
		for range 3 {
			wg.Go(func() {
				if err := w.Close(); err != nil {
					t.Error(err)
				}
				closed <- struct{}{}
			})
		}
		synctest.Wait()
		if len(closed) != 0 {
			t.Error("Close returned during a callback")
		}
		close(release)
		wg.Wait()
		w.save(t, document("c"))
		pass(time.Hour)
		if got := w.reg.Names(); !slices.Equal(got, []string{"b"}) || w.Status().Attempts != 2 {
			t.Errorf("after Close the servers are %q", got)
		}
	})
}

func TestCloseDoesNotLoadWhatHasNotSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{})
		w.save(t, document("b"))
		pass(50 * time.Millisecond)
		must(t, w.Close())
		pass(time.Hour)
		if got := w.Status().Attempts; got != 1 {
			t.Errorf("%d attempts, want that of File only", got)
		}
	})
}

// A reload that Close cuts short is no failure of the file, and nobody is told.
func TestCloseEndsAReloadThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := newRegistry(t, &mcpgroup.RegistryOptions{Options: func(cfg mcpgroup.ServerConfig) (*mcpgroup.Options, error) {
			if cfg.Name != "hanging" {
				return nil, nil
			}
			return &mcpgroup.Options{NewServer: func(ctx context.Context, _ session.Key) (*mcp.Server, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}, nil
		}})
		var hang atomic.Bool
		w := newStill(t, reg, configFile(t, "a"), Options{Edit: func(cfg *mcpgroup.Config) error {
			if hang.Load() {
				cfg.Servers = append(cfg.Servers, mcpgroup.ServerConfig{Name: "hanging", Required: true, DialTimeout: time.Hour})
			}
			return nil
		}})
		hang.Store(true)
		w.save(t, document("b"))
		pass(time.Second)
		start := time.Now()
		must(t, w.Close())
		if took := time.Since(start); took != 0 {
			t.Errorf("Close took %v", took)
		}
		if got := w.Status(); got.Attempts != 1 || got.LastError != nil || w.told.take() != nil || !slices.Equal(reg.Names(), []string{"a"}) {
			t.Errorf("status %+v", got)
		}
	})
}

func TestTheWatcherOfAClosedRegistryStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStill(t, newRegistry(t, nil), configFile(t, "a"), Options{})
		must(t, w.reg.Close())
		w.save(t, document("b"))
		pass(time.Second)
		select {
		case <-w.done:
		default:
			t.Error("the watcher still runs")
		}
		if got := w.told.take(); len(got) != 1 || !errors.Is(got[0].err, mcpgroup.ErrClosed) || !errors.Is(w.Status().LastError, mcpgroup.ErrClosed) {
			t.Errorf("reported %v, want ErrClosed", got)
		}
	})
}

func TestARelativePathIsThatOfTheStart(t *testing.T) {
	path := configFile(t, "a")
	t.Chdir(filepath.Dir(path))
	synctest.Test(t, func(t *testing.T) {
		w := newStill(t, newRegistry(t, nil), "mcp.json", Options{})
		t.Chdir(filepath.Dir(filepath.Dir(path)))
		write(t, path, document("b"))
		w.tell()
		pass(time.Second)
		if got := w.Status(); got.LastError != nil || got.Attempts != 2 {
			t.Errorf("status %+v", got)
		}
	})
}
