package deps

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// allowed are the modules that packages of the root module may import, and so the direct requirements of its go.mod.
// Each one is compiled, or at least downloaded, by every user: a new line needs an entry in docs/decisions.md too.
var allowed = map[string]string{
	"github.com/modelcontextprotocol/go-sdk": "the protocol itself",
	"github.com/tmc/langchaingo":             "the one framework whose adapter is not a module of its own",
	"golang.org/x/sync":                      "singleflight, for fetches that callers share",
	"golang.org/x/oauth2":                    "auth/oauth: the token requests of OAuth",
	"github.com/golang-jwt/jwt/v5":           "auth/oauth: clients that authenticate with a signed assertion; go-sdk brings it too",
	"github.com/viterin/vek":                 "selector/vector: products of vectors with the processor's wide registers",
	"github.com/kljensen/snowball":           "internal/text: stems of English words",
	"golang.org/x/text":                      "internal/text: Unicode normalization, without which equal words differ",
	"github.com/google/jsonschema-go":        "tests only: the oracle of internal/schema",
	"go.uber.org/goleak":                     "tests only: a leaked goroutine fails the package that leaked it",
}

// thirdParty returns the import paths of the root module's packages that are neither of the standard library nor of
// this repository, each with a file that holds it.
func thirdParty(g graph, nested []string) map[string]string {
	found := map[string]string{}
	for name, p := range g {
		if slices.ContainsFunc(nested, func(dir string) bool { return matches(dir+"/...", name) }) {
			continue
		}
		for _, imports := range []map[string][]string{p.imports, p.tests} {
			for importPath, files := range imports {
				if _, ok := local(importPath); !ok && strings.Contains(strings.Split(importPath, "/")[0], ".") {
					found[importPath] = files[0]
				}
			}
		}
	}
	return found
}

// checkRequirements compares what packages import and what go.mod requires directly with the list, both ways.
func checkRequirements(imports map[string]string, direct []string, allowed map[string]string) (violations []string) {
	used := map[string]bool{}
	for importPath, file := range imports {
		module := ""
		for candidate := range allowed {
			if matches(candidate+"/...", importPath) {
				module = candidate
			}
		}
		if module == "" {
			violations = append(violations, fmt.Sprintf("%s imports %s, of a module that is not on the list in internal/deps/requirements_test.go", file, importPath))
		}
		used[module] = true
	}
	for _, module := range direct {
		if allowed[module] == "" {
			violations = append(violations, fmt.Sprintf("go.mod requires %s directly, which is not on the list in internal/deps/requirements_test.go", module))
		}
	}
	for _, module := range slices.Sorted(maps.Keys(allowed)) {
		if !used[module] {
			violations = append(violations, fmt.Sprintf("%s is on the list in internal/deps/requirements_test.go, but no package imports it", module))
		}
	}
	slices.Sort(violations)
	return violations
}

func TestRootModuleRequiresWhatTheListSays(t *testing.T) {
	var direct []string
	for _, require := range readGoMod(t, root).Require {
		if !require.Indirect {
			direct = append(direct, require.Path)
		}
	}
	for _, violation := range checkRequirements(thirdParty(repository(t), nestedModules(t)), direct, allowed) {
		t.Error(violation)
	}
}

func TestRequirementCheckFindsEveryKindOfViolation(t *testing.T) {
	list := map[string]string{"example.com/a": "reason"}
	for _, test := range []struct {
		name    string
		imports map[string]string
		direct  []string
		want    string // part of the one violation, or "" for none
	}{
		{"as listed", map[string]string{"example.com/a/sub": "x.go"}, []string{"example.com/a"}, ""},
		{"not yet direct", map[string]string{"example.com/a": "x.go"}, nil, ""},
		{"unlisted import", map[string]string{"example.com/a": "x.go", "example.com/ab": "y.go"}, nil, "y.go imports example.com/ab"},
		{"unlisted requirement", map[string]string{"example.com/a": "x.go"}, []string{"example.com/b"}, "go.mod requires example.com/b"},
		{"stale line", nil, nil, "example.com/a is on the list"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := checkRequirements(test.imports, test.direct, list)
			if test.want == "" && len(got) != 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("violations = %q, want %q", got, test.want)
			}
		})
	}
}

func TestThirdPartyLeavesOutStandardLibraryOwnAndNestedPackages(t *testing.T) {
	g := graph{}
	g.pkg("session").imports["net/http"] = []string{"session/x.go"}
	g.pkg("session").imports[modulePath+"/internal/schema"] = []string{"session/x.go"}
	g.pkg("session").tests["go.uber.org/goleak"] = []string{"session/x_test.go"}
	g.pkg("adapters/eino").imports["github.com/cloudwego/eino"] = []string{"adapters/eino/x.go"}
	got := thirdParty(g, []string{"adapters/eino"})
	if want := map[string]string{"go.uber.org/goleak": "session/x_test.go"}; !maps.Equal(got, want) {
		t.Errorf("thirdParty = %v, want %v", got, want)
	}
}

// A nested module that requires a released version of the root module would test that release instead of this commit.
func TestNestedModulesAreNamedByTheirDirectoryAndUseThisCheckout(t *testing.T) {
	for _, dir := range nestedModules(t) {
		mod := readGoMod(t, root+"/"+dir)
		if want := modulePath + "/" + dir; mod.Module.Path != want {
			t.Errorf("%s/go.mod: module %s, want %s", dir, mod.Module.Path, want)
		}
		up := strings.Repeat("../", strings.Count(dir, "/")) + ".."
		replaced := false
		for _, replace := range mod.Replace {
			replaced = replaced || replace.Old.Path == modulePath && strings.TrimSuffix(replace.New.Path, "/") == up
		}
		if !replaced {
			t.Errorf("%s/go.mod: no replace of %s by %s", dir, modulePath, up)
		}
	}
}
