package deps

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the directory of the root module, relative to this package.
const root = "../.."

// modulePath is the path of the root module. A package below it is named by the rest, "session"; the root is ".".
const modulePath = "github.com/mcpfleet/mcpfleet"

// A graph holds the packages of the repository by name.
type graph map[string]*pkg

// A pkg is one directory of Go files.
type pkg struct {
	name    string              // "session", "adapters/eino"; "." for the root
	imports map[string][]string // import path -> files that are part of the package, all systems
	tests   map[string][]string // import path -> _test.go files
}

// local returns the name of an import path of this repository.
func local(importPath string) (name string, ok bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// matches reports whether name matches a pattern of the go command: itself, or with a trailing "/..." all below it too.
func matches(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	return name == pattern
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// readGraph reads the import clauses of every Go file below dir.
func readGraph(dir string) (graph, error) {
	g := graph{}
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			// The go command ignores these too. ".." is where the walk starts.
			if base := entry.Name(); file != dir && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		return g.addFile(filepath.ToSlash(rel), file)
	})
	return g, err
}

func (g graph) addFile(rel, file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	p := g.pkg(path.Dir(rel))
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", rel, err)
		}
		if strings.HasSuffix(rel, "_test.go") {
			p.tests[imported] = append(p.tests[imported], rel)
		} else {
			p.imports[imported] = append(p.imports[imported], rel)
		}
	}
	return nil
}

func (g graph) pkg(name string) *pkg {
	if g[name] == nil {
		g[name] = &pkg{name: name, imports: map[string][]string{}, tests: map[string][]string{}}
	}
	return g[name]
}

// goMod is what "go mod edit -json" says about one go.mod.
type goMod struct {
	Module  struct{ Path string }
	Require []struct {
		Path     string
		Indirect bool
	}
	Replace []struct {
		Old, New struct{ Path string }
	}
}

func readGoMod(t *testing.T, dir string) goMod {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod edit -json in %s: %v", dir, err)
	}
	var mod goMod
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatalf("go mod edit -json in %s: %v", dir, err)
	}
	return mod
}

// nestedModules lists the directories that hold a go.mod of their own, relative to the root.
func nestedModules(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := entry.Name(); entry.IsDir() && file != root && (base == "testdata" || strings.HasPrefix(base, ".")) {
			return filepath.SkipDir
		}
		if entry.Name() == "go.mod" {
			rel, err := filepath.Rel(root, filepath.Dir(file))
			if err != nil {
				return err
			}
			if rel != "." {
				dirs = append(dirs, filepath.ToSlash(rel))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func repository(t *testing.T) graph {
	t.Helper()
	g, err := readGraph(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(g) < 2 {
		t.Fatalf("found %d packages below %s: the check looks in the wrong place", len(g), root)
	}
	return g
}
