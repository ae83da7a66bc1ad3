package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// document is a configuration of servers that nobody connects to, each "name" or "name=description".
func document(servers ...string) string {
	all := map[string]any{}
	for _, s := range servers {
		name, description, _ := strings.Cut(s, "=")
		all[name] = map[string]any{"url": "http://127.0.0.1:1/mcp", "description": description}
	}
	text, err := json.Marshal(map[string]any{"mcpServers": all})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace puts a new file in the place of path, as careful editors do.
func replace(t testing.TB, path, text string) {
	t.Helper()
	write(t, path+".new", text)
	must(t, os.Rename(path+".new", path))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newRegistry(t testing.TB, opts *mcpgroup.RegistryOptions) *mcpgroup.Registry {
	t.Helper()
	reg, err := mcpgroup.NewRegistry(opts)
	must(t, err)
	t.Cleanup(func() { must(t, reg.Close()) })
	return reg
}

// A report is one call of OnReload.
type report struct {
	diff mcpgroup.Diff
	err  error
}

func (r report) String() string {
	if r.err != nil {
		return "error: " + r.err.Error()
	}
	return fmt.Sprintf("added %v removed %v updated %v unchanged %v", r.diff.Added, r.diff.Removed, r.diff.Updated, r.diff.Unchanged)
}

// reports keeps what OnReload was told.
type reports struct {
	mu  sync.Mutex
	all []report
	ch  chan report
}

func newReports() *reports { return &reports{ch: make(chan report, 100)} }

func (r *reports) add(d mcpgroup.Diff, err error) {
	r.mu.Lock()
	r.all = append(r.all, report{d, err})
	r.mu.Unlock()
	r.ch <- report{d, err}
}

// take returns the reports since the last take.
func (r *reports) take() []report {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// next waits for a report. It gives up after a minute, which is no measure of anything.
func (r *reports) next(t testing.TB) report {
	t.Helper()
	select {
	case got := <-r.ch:
		return got
	case <-time.After(time.Minute):
		t.Fatal("no reload was reported")
		return report{}
	}
}

// A still is a watcher without events of its own, for tests in virtual time, where what reads events would keep the
// clock from moving.
type still struct {
	*Watcher
	nudge chan struct{}
	told  *reports
	path  string
}

func newStill(t *testing.T, reg *mcpgroup.Registry, path string, opts Options) *still {
	t.Helper()
	s := &still{nudge: make(chan struct{}, 1), told: newReports(), path: path}
	if opts.OnReload == nil {
		opts.OnReload = s.told.add
	}
	w, err := newWatcher(reg, path, &opts)
	must(t, err)
	s.Watcher = w
	var ctx context.Context
	ctx, w.stop = context.WithCancel(t.Context())
	must(t, w.first(ctx))
	go w.run(ctx, s.nudge)
	t.Cleanup(func() { must(t, w.Close()) })
	return s
}

// save writes the file and tells of it.
func (s *still) save(t testing.TB, text string) {
	t.Helper()
	write(t, s.path, text)
	s.tell()
}

// pass lets time go by, and what happens in it come to an end.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *still) tell() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

func configFile(t testing.TB, servers ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mcp.json")
	write(t, path, document(servers...))
	return path
}
