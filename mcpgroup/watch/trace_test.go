package watch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTraceNamesEverythingThatLeadsToTheFile(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	for _, dir := range []string{"plain", "maps/..v1", "maps/..v2", "releases/7/etc", "loop"} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o700))
	}
	for _, file := range []string{"plain/mcp.json", "maps/..v1/mcp.json", "releases/7/etc/mcp.json"} {
		write(t, filepath.Join(root, file), "{}")
	}
	for name, target := range map[string]string{
		"maps/..data": "..v1", "maps/mcp.json": "..data/mcp.json", "current": "releases/7", "outside.json": filepath.Join(root, "plain", "mcp.json"),
		"loop/a": "b", "loop/b": "a", "dangling": "plain/later.json", "up": "maps/../plain/./mcp.json",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Skip("this system makes no symbolic links:", err)
		}
	}
	for path, want := range map[string][]string{
		"plain/mcp.json":          {"plain/mcp.json"},
		"maps/mcp.json":           {"maps/mcp.json", "maps/..data", "maps/..v1/mcp.json"},
		"current/etc/mcp.json":    {"current", "releases/7/etc/mcp.json"},
		"outside.json":            {"outside.json", "plain/mcp.json"},
		"dangling":                {"dangling", "plain/later.json"},
		"up":                      {"up", "plain/mcp.json"},
		"nowhere/deep/mcp.json":   {"nowhere"},
		"plain/mcp.json/below":    {"plain/mcp.json/below"},
		"maps/../maps/..data/x":   {"maps/..data", "maps/..v1/x"},
		"current/../7/etc/x.json": {"current", "releases/7/etc/x.json"},
	} {
		var got []string
		for _, name := range trace(root + "/" + path) {
			rel, err := filepath.Rel(root, name)
			must(t, err)
			got = append(got, filepath.ToSlash(rel))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s leads through %q, want %q", path, got, want)
		}
	}
	if got := trace(filepath.Join(root, "loop", "a")); len(got) != maxLinks+1 {
		t.Errorf("a circle of links was followed %d times, want %d", len(got), maxLinks+1)
	}
}

// Where the links end is where the system says.
func TestTraceEndsAtTheFileThatIsOpened(t *testing.T) {
	root := t.TempDir()
	dir := root
	for range 5 { // each level a link with a link above it
		must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
		if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
			t.Skip("this system makes no symbolic links:", err)
		}
		dir = filepath.Join(dir, "link")
	}
	path := filepath.Join(dir, "mcp.json")
	write(t, path, "{}")
	want, err := filepath.EvalSymlinks(path)
	must(t, err)
	names := trace(path)
	if got := names[len(names)-1]; got != want {
		t.Errorf("the links end at %s, want %s", got, want)
	}
	links := 0
	for _, name := range names {
		if strings.HasSuffix(name, "link") {
			links++
		}
	}
	if links != 5 {
		t.Errorf("%d links on the way, want 5: %q", links, names)
	}
}
