package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

func link(t testing.TB, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Skip("this system makes no symbolic links:", err)
	}
}

// relink points a link elsewhere in one step, as the kubelet does.
func relink(t testing.TB, target, name string) {
	t.Helper()
	link(t, target, name+"_tmp")
	must(t, os.Rename(name+"_tmp", name))
}

func mkdir(t testing.TB, dir string) string {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	return dir
}

// Scenario 106, with real events and no polling: every way in which files are changed, three times in a row, since a watch
// can be lost with the first.
func TestEveryWayToChangeAFileIsNoticed(t *testing.T) {
	for name, test := range map[string]struct {
		// prepare makes the file in dir and returns its path, and change gives it another content for the nth time.
		prepare func(t *testing.T, dir, text string) string
		change  func(t *testing.T, dir, text string, n int)
	}{
		"written in place": {
			func(t *testing.T, dir, text string) string { write(t, dir+"/mcp.json", text); return dir + "/mcp.json" },
			func(t *testing.T, dir, text string, _ int) { write(t, dir+"/mcp.json", text) },
		},
		"renamed over": {
			func(t *testing.T, dir, text string) string { write(t, dir+"/mcp.json", text); return dir + "/mcp.json" },
			func(t *testing.T, dir, text string, _ int) { replace(t, dir+"/mcp.json", text) },
		},
		"moved away and written anew": {
			func(t *testing.T, dir, text string) string { write(t, dir+"/mcp.json", text); return dir + "/mcp.json" },
			func(t *testing.T, dir, text string, n int) {
				must(t, os.Rename(dir+"/mcp.json", fmt.Sprintf("%s/mcp.json~%d", dir, n)))
				write(t, dir+"/mcp.json", text)
			},
		},
		"deleted and created": {
			func(t *testing.T, dir, text string) string { write(t, dir+"/mcp.json", text); return dir + "/mcp.json" },
			func(t *testing.T, dir, text string, _ int) {
				must(t, os.Remove(dir+"/mcp.json"))
				write(t, dir+"/mcp.json", text)
			},
		},
		"a link pointed elsewhere": {
			func(t *testing.T, dir, text string) string {
				write(t, dir+"/0.json", text)
				link(t, "0.json", dir+"/mcp.json")
				return dir + "/mcp.json"
			},
			func(t *testing.T, dir, text string, n int) {
				file := fmt.Sprintf("%s/%d.json", mkdir(t, fmt.Sprintf("%s/v%d", dir, n)), n)
				write(t, file, text)
				relink(t, file, dir+"/mcp.json")
			},
		},
		"written where a link points": {
			func(t *testing.T, dir, text string) string {
				write(t, mkdir(t, dir+"/real")+"/mcp.json", text)
				link(t, "real/mcp.json", dir+"/mcp.json")
				return dir + "/mcp.json"
			},
			func(t *testing.T, dir, text string, _ int) { write(t, dir+"/real/mcp.json", text) },
		},
		"a ConfigMap of Kubernetes": {
			func(t *testing.T, dir, text string) string {
				write(t, mkdir(t, dir+"/..v0")+"/mcp.json", text)
				link(t, "..v0", dir+"/..data")
				link(t, "..data/mcp.json", dir+"/mcp.json")
				return dir + "/mcp.json"
			},
			func(t *testing.T, dir, text string, n int) {
				write(t, mkdir(t, fmt.Sprintf("%s/..v%d", dir, n))+"/mcp.json", text)
				relink(t, fmt.Sprintf("..v%d", n), dir+"/..data")
				must(t, os.RemoveAll(fmt.Sprintf("%s/..v%d", dir, n-1)))
			},
		},
		"a release directory": {
			func(t *testing.T, dir, text string) string {
				write(t, mkdir(t, dir+"/releases/0/etc")+"/mcp.json", text)
				link(t, "releases/0", dir+"/current")
				return dir + "/current/etc/mcp.json"
			},
			func(t *testing.T, dir, text string, n int) {
				write(t, mkdir(t, fmt.Sprintf("%s/releases/%d/etc", dir, n))+"/mcp.json", text)
				relink(t, fmt.Sprintf("releases/%d", n), dir+"/current")
			},
		},
		"the directory deleted and created": {
			func(t *testing.T, dir, text string) string {
				write(t, mkdir(t, dir+"/etc")+"/mcp.json", text)
				return dir + "/etc/mcp.json"
			},
			func(t *testing.T, dir, text string, _ int) {
				must(t, os.RemoveAll(dir+"/etc"))
				write(t, mkdir(t, dir+"/etc")+"/mcp.json", text)
			},
		},
		"the directory replaced": {
			func(t *testing.T, dir, text string) string {
				write(t, mkdir(t, dir+"/etc")+"/mcp.json", text)
				return dir + "/etc/mcp.json"
			},
			func(t *testing.T, dir, text string, n int) {
				write(t, mkdir(t, dir+"/next")+"/mcp.json", text)
				must(t, os.Rename(dir+"/etc", fmt.Sprintf("%s/old%d", dir, n)))
				must(t, os.Rename(dir+"/next", dir+"/etc"))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := test.prepare(t, dir, document("a", "b=0"))
			told := newReports()
			w, err := File(t.Context(), newRegistry(t, nil), path, &Options{Poll: -1, Debounce: 150 * time.Millisecond, OnReload: told.add})
			must(t, err)
			defer w.Close()
			for n := 1; n <= 3; n++ {
				test.change(t, dir, document("a", fmt.Sprint("b=", n)), n)
				got := told.next(t)
				// On a slow machine the file may be looked for while it is away.
				for i := 0; i < 3 && errors.Is(got.err, fs.ErrNotExist); i++ {
					got = told.next(t)
				}
				if got.err == nil && len(got.diff.Updated) == 0 {
					got = told.next(t) // it was away, and what came back first was the old one
				}
				if got.String() != "added [] removed [] updated [b] unchanged [a]" {
					t.Fatalf("change %d: reported %s", n, got)
				}
			}
			if s := w.Status(); s.LastError != nil || s.NoEvents != nil {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// A file that goes away for longer than the debounce is reported, and loaded when it is there again.
func TestAFileThatComesBackIsLoaded(t *testing.T) {
	for _, gone := range []string{"etc/mcp.json", "etc"} {
		t.Run(gone, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(mkdir(t, dir+"/etc"), "mcp.json")
			write(t, path, document("a"))
			told := newReports()
			w, err := File(t.Context(), newRegistry(t, nil), path, &Options{Poll: -1, Debounce: 20 * time.Millisecond, OnReload: told.add})
			must(t, err)
			defer w.Close()
			must(t, os.RemoveAll(filepath.Join(dir, gone)))
			if got := told.next(t); !errors.Is(got.err, fs.ErrNotExist) || !errors.Is(w.Status().LastError, fs.ErrNotExist) {
				t.Errorf("reported %s", got)
			}
			mkdir(t, dir+"/etc")
			replace(t, path, document("a", "b"))
			if got := told.next(t).String(); got != "added [b] removed [] updated [] unchanged [a]" {
				t.Errorf("reported %s", got)
			}
			write(t, path, document("b"))
			if got := told.next(t); got.err == nil && len(got.diff.Removed) != 1 {
				t.Errorf("reported %s", got)
			}
		})
	}
}

func TestWhatCannotBeWatchedIsAnError(t *testing.T) {
	reg := newRegistry(t, nil)
	dir := t.TempDir()
	write(t, dir+"/bad.json", "{")
	var document *mcpgroup.DocumentError
	if _, err := File(t.Context(), reg, dir+"/bad.json", nil); !errors.As(err, &document) {
		t.Errorf("a bad file: %v", err)
	}
	if _, err := File(t.Context(), reg, dir+"/none/mcp.json", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := File(t.Context(), reg, "", nil); err == nil {
		t.Error("no path is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	write(t, dir+"/mcp.json", `{"mcpServers": {}}`)
	if _, err := File(ctx, reg, dir+"/mcp.json", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("no registry is no panic")
		}
	}()
	_, _ = File(t.Context(), nil, dir+"/mcp.json", nil)
}

func TestTheEndOfTheContextStopsTheWatcher(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := File(ctx, newRegistry(t, nil), configFile(t, "a"), nil)
	must(t, err)
	cancel()
	<-w.done
	must(t, w.Close())
}

// The callers of servers that stay notice nothing, however often the file changes.
func TestReloadsFromTheFileFailNoCall(t *testing.T) {
	own := mcp.NewServer(&mcp.Implementation{Name: "own", Version: "1"}, nil)
	own.AddTool(&mcp.Tool{Name: "work", InputSchema: map[string]any{"type": "object"}},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil
		})
	reg, told, path := newRegistry(t, nil), newReports(), configFile(t, "a=0")
	var changes atomic.Int64 // of a server that is called all the time
	w, err := File(t.Context(), reg, path, &Options{
		Poll: -1, Debounce: 5 * time.Millisecond, OnReload: told.add,
		Edit: func(cfg *mcpgroup.Config) error {
			cfg.Servers = append(cfg.Servers,
				mcpgroup.ServerConfig{Name: "stay", Server: own},
				mcpgroup.ServerConfig{Name: "change", Server: own, Description: fmt.Sprint(changes.Add(1))})
			return nil
		},
	})
	must(t, err)
	defer w.Close()
	before, err := reg.Get("stay")
	must(t, err)
	ctx := session.NewContext(t.Context(), session.Key{User: "alice"})
	var stop atomic.Bool
	var calls atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop.Store(true)
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				for _, tool := range []string{"stay.work", "change.work"} {
					if res, err := reg.Call(ctx, tool, nil); err != nil || res.Text() != "done" {
						t.Errorf("%s: %v, %v", tool, res, err)
						return
					}
					calls.Add(1)
				}
			}
		})
	}
	for i := 1; i <= 20; i++ {
		write(t, path+".new", document(fmt.Sprint("a=", i)))
		must(t, os.Rename(path+".new", path))
		if got := told.next(t).String(); got != "added [] removed [] updated [a change] unchanged [stay]" {
			t.Errorf("reported %s", got)
		}
		for seen := calls.Load(); calls.Load() < seen+20 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
	}
	after, err := reg.Get("stay")
	must(t, err)
	if after != before || after.Status().Sessions.Opened != 1 {
		t.Error("the server that stayed has another group or other sessions")
	}
}

// Links that move on take their watches with them.
func TestOnlyWhatLeadsToTheFileIsWatched(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	write(t, mkdir(t, dir+"/v0")+"/mcp.json", document("a"))
	link(t, "v0/mcp.json", dir+"/mcp.json")
	told := newReports()
	w, err := File(t.Context(), newRegistry(t, nil), dir+"/mcp.json", &Options{Poll: -1, Debounce: 5 * time.Millisecond, OnReload: told.add})
	must(t, err)
	defer w.Close()
	for n := 1; n <= 5; n++ {
		version := fmt.Sprintf("v%d", n)
		write(t, mkdir(t, filepath.Join(dir, version))+"/mcp.json", document(fmt.Sprint("b", n)))
		relink(t, version+"/mcp.json", dir+"/mcp.json")
		told.next(t)
	}
	got := w.events.fs.WatchList()
	slices.Sort(got)
	if want := []string{dir, dir + "/v5"}; !slices.Equal(got, want) {
		t.Errorf("watched are %q, want %q", got, want)
	}
}
