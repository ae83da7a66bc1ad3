package deps

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// floors puts every package on a floor; the first match counts. A package imports packages of lower floors, of its own
// unit, and on floor 0 of its own floor. A unit is a pattern's first match up to depth path elements: two adapters share
// a floor and are two units, so they cannot import each other.
var floors = []struct {
	pattern string
	floor   int
	depth   int
	owns    string
}{
	{".", 5, 1, "the package documentation and its examples"},
	{"examples/...", 5, 2, "one runnable program per use"},
	{"internal/figures", 0, 2, "the table that figures programs print"},
	{"internal/figures/...", 5, 3, "programs that measure the library"},
	{"internal/conformance/...", 5, 2, "the client that the protocol's conformance suite drives"},
	{"internal/eval/...", 5, 2, "the program that measures selection on labelled requests"},
	{"internal/train/...", 5, 2, "the program that trains the embedded model"},
	{"internal/linearizability/...", 5, 2, "the check of session.Map against a sequential model"},
	{"adapters/...", 4, 2, "turning a tool into one framework's tool, and nothing else"},
	{"mcpgroup/...", 3, 1, "servers, tool catalogue, names, the call path, the registry"},
	{"session/...", 1, 1, "keyed, counted, idle-evicted values and the caller's identity"},
	{"auth/...", 2, 1, "secrets, credentials, their order, token stores, OAuth, the egress guard"},
	{"selector/...", 1, 1, "documents, ranking, token budgets"},
	{"internal/...", 0, 2, "what all floors may use and none may be known to"},
}

// place returns the floor and the unit of a package.
func place(name string) (floor int, unit string, err error) {
	for _, f := range floors {
		if matches(f.pattern, name) {
			elems := strings.Split(name, "/")
			return f.floor, strings.Join(elems[:min(f.depth, len(elems))], "/"), nil
		}
	}
	return 0, "", fmt.Errorf("%s is on no floor: add it to the table in internal/deps/floors_test.go", name)
}

// checkFloors returns one line per import that does not go down. Test files are held to the floors as well: a test that
// needs the floor above tests that floor.
func checkFloors(g graph) (violations []string) {
	for name, p := range g {
		floor, unit, err := place(name)
		if err != nil {
			violations = append(violations, err.Error())
			continue
		}
		for _, imports := range []map[string][]string{p.imports, p.tests} {
			for importPath, files := range imports {
				imported, ok := local(importPath)
				if !ok {
					continue
				}
				below, otherUnit, err := place(imported)
				if err != nil {
					continue // reported at the package itself
				}
				if below < floor || unit == otherUnit || floor == 0 && below == 0 {
					continue
				}
				violations = append(violations, fmt.Sprintf("%s (floor %d) imports %s (floor %d): a package imports only what lies below it",
					files[0], floor, imported, below))
			}
		}
	}
	slices.Sort(violations)
	return violations
}

func TestPackagesImportOnlyWhatLiesBelowThem(t *testing.T) {
	for _, violation := range checkFloors(repository(t)) {
		t.Error(violation)
	}
}

func TestFloorCheckFindsEveryKindOfViolation(t *testing.T) {
	for _, test := range []struct {
		name, from, to string
		want           string // "" if the import is allowed
	}{
		{"down", "mcpgroup", "session", ""},
		{"down two", "adapters/eino", "session", ""},
		{"to the bottom", "session", "internal/mcptest", ""},
		{"along the bottom", "internal/schema", "internal/figures", ""},
		{"within a unit", "auth/vault", "auth", ""},
		{"within an adapter", "adapters/langchaingo/agents", "adapters/langchaingo", ""},
		{"a measuring program", "internal/figures/call", "adapters/langchaingo", ""},
		{"up", "session", "mcpgroup", "session/x.go (floor 1) imports mcpgroup (floor 3): "},
		{"up from the bottom", "internal/mcptest", "session", "internal/mcptest/x.go (floor 0) imports session (floor 1): "},
		{"auth knows whose credentials they are", "auth", "session", ""},
		{"but not the other way round", "session", "auth", "session/x.go (floor 1) imports auth (floor 2): "},
		{"to an adapter", "mcpgroup", "adapters/langchaingo", "mcpgroup/x.go (floor 3) imports adapters/langchaingo (floor 4): "},
		{"between adapters", "adapters/eino", "adapters/langchaingo", "adapters/eino/x.go (floor 4) imports adapters/langchaingo (floor 4): "},
		{"to an example", "adapters/eino", "examples/quickstart", "adapters/eino/x.go (floor 4) imports examples/quickstart (floor 5): "},
		{"between examples", "examples/quickstart", "examples/oauth", "examples/quickstart/x.go (floor 5) imports examples/oauth (floor 5): "},
		{"to a measuring program", "session", "internal/figures/call", "session/x.go (floor 1) imports internal/figures/call (floor 5): "},
		{"no floor", "stray", "session", "stray is on no floor: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			for kind, g := range map[string]graph{
				"source": fakeGraph(test.from, modulePath+"/"+test.to, false),
				"test":   fakeGraph(test.from, modulePath+"/"+test.to, true),
			} {
				got := strings.Join(checkFloors(g), "\n")
				want := test.want
				if kind == "test" {
					want = strings.Replace(want, "/x.go", "/x_test.go", 1)
				}
				if want == "" && got != "" || !strings.HasPrefix(got, want) {
					t.Errorf("%s file of %s imports %s: violations %q, want %q", kind, test.from, test.to, got, want)
				}
			}
		})
	}
}

// fakeGraph is a repository with one package that has one import.
func fakeGraph(from, importPath string, test bool) graph {
	g := graph{}
	p := g.pkg(from)
	if test {
		p.tests[importPath] = []string{from + "/x_test.go"}
	} else {
		p.imports[importPath] = []string{from + "/x.go"}
	}
	return g
}
