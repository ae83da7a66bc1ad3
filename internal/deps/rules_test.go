package deps

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A rule forbids an import somewhere.
type rule struct {
	in      []string // packages it holds for
	except  []string // packages of in that it does not hold for
	imports []string // patterns of forbidden import paths
	through bool     // the import is forbidden through other packages of this repository too
	tests   bool     // it holds for _test.go files too
	why     string
}

const goSDK = "github.com/modelcontextprotocol/go-sdk"

// programs are not part of the library: nobody imports them, so what they import burdens nobody.
var programs = []string{"examples/...", "internal/figures/...", "internal/conformance/...", "internal/eval/...", "internal/train/...", "selector/o200k/internal/calibrate/..."}

var rules = []rule{
	{
		in:      []string{"..."},
		except:  append([]string{"adapters/langchaingo/...", "selector/vectorstore/..."}, programs...),
		imports: []string{"github.com/tmc/langchaingo/..."},
		tests:   true,
		why:     "a user of another framework must not compile langchaingo; only its adapter knows it",
	},
	{
		in:      []string{"adapters/..."},
		except:  []string{"adapters/langchaingo/agents/..."},
		imports: []string{"github.com/tmc/langchaingo/agents/..."},
		why:     "langchaingo's agents bring prompt templates and chains that a user of its tools alone does not need",
	},
	{
		in:      []string{"session/...", "auth/...", "selector/...", "internal/stdio/...", "internal/schema/..."},
		imports: []string{goSDK + "/mcp/..."},
		through: true,
		why:     "MCP is known to mcpgroup and to the transports; below, a change of the SDK must not reach",
	},
	{
		in:      []string{"session/...", "selector/..."},
		imports: []string{goSDK + "/..."},
		through: true,
		why:     "sessions are values of any type, and selection ranks documents of any kind",
	},
	{
		in:      []string{"selector/..."},
		except:  []string{"selector/vectorstore/..."},
		imports: []string{"net/http"},
		through: true,
		why:     "ranking is arithmetic; an embedder that calls a service is the caller's",
	},
	{
		in:      []string{"..."},
		except:  append([]string{"selector/..."}, programs...),
		imports: []string{"github.com/viterin/vek/..."},
		why:     "vector arithmetic belongs to the selector; elsewhere it would be a second opinion",
	},
	{
		in:      []string{"..."},
		except:  []string{"internal/mcptest/...", "internal/figures/...", "internal/linearizability/...", "auth/storetest/...", "adapters/openapi/figures/..."},
		imports: []string{"testing/...", "net/http/httptest", modulePath + "/internal/mcptest/..."},
		why:     "a test helper in library code ends up in every user's binary, with its flags",
	},
	{
		in:      []string{"..."},
		imports: []string{"C", "plugin"},
		tests:   true,
		why:     "the library cross-compiles with CGO_ENABLED=0",
	},
	{
		in:      []string{"..."},
		except:  []string{"selector/vector", "internal/figures/vector/..."}, // asks for the address of its slab, and for large pages
		imports: []string{"unsafe"},
		tests:   true,
		why:     "the race detector and the garbage collector must be able to see everything",
	},
	{
		in:      []string{"session/...", "selector/...", "internal/stdio/...", "internal/mcphttp/..."},
		imports: []string{"reflect"},
		why:     "they are on the path of every call; reflection costs allocations there and hides types from the reader",
	},
	{
		in:      []string{"..."},
		except:  append([]string{"internal/deps/..."}, programs...),
		imports: []string{"log"},
		why:     "a library writes to the *slog.Logger it was given, not to the process-wide one",
	},
	{
		in:      []string{"..."},
		imports: []string{"math/rand"},
		tests:   true,
		why:     "jitter and tests use math/rand/v2, identifiers use crypto/rand",
	},
}

// checkRule returns one line per import that breaks r.
func checkRule(g graph, r rule) (violations []string) {
	for name, p := range g {
		if !matchesAny(r.in, name) || matchesAny(r.except, name) {
			continue
		}
		report := func(importPath, file, via string) {
			violations = append(violations, fmt.Sprintf("%s imports %s%s: %s", file, importPath, via, r.why))
		}
		for importPath, files := range p.imports {
			if matchesAny(r.imports, importPath) {
				report(importPath, files[0], "")
			} else if r.through {
				if found, via := g.reach(importPath, r.imports, map[string]bool{}); found != "" {
					report(found, files[0], " through "+strings.Join(via, " and "))
				}
			}
		}
		for importPath, files := range p.tests {
			if r.tests && matchesAny(r.imports, importPath) {
				report(importPath, files[0], "")
			}
		}
	}
	slices.Sort(violations)
	return violations
}

// reach looks for an import that matches patterns in the package importPath and in what it imports, as far as that is
// part of this repository. via are the packages on the way.
func (g graph) reach(importPath string, patterns []string, seen map[string]bool) (found string, via []string) {
	name, ok := local(importPath)
	if !ok || g[name] == nil || seen[name] {
		return "", nil
	}
	seen[name] = true
	for next := range g[name].imports {
		if matchesAny(patterns, next) {
			return next, []string{name}
		}
		if found, via := g.reach(next, patterns, seen); found != "" {
			return found, append([]string{name}, via...)
		}
	}
	return "", nil
}

func TestForbiddenImports(t *testing.T) {
	g := repository(t)
	for _, r := range rules {
		for _, violation := range checkRule(g, r) {
			t.Error(violation)
		}
	}
}

func TestEveryRuleHasAReasonAndHolds(t *testing.T) {
	for _, r := range rules {
		if r.why == "" || len(r.in) == 0 || len(r.imports) == 0 {
			t.Errorf("rule %+v lacks a reason, a package or an import", r)
		}
		for _, in := range r.in {
			for _, imported := range r.imports {
				from := strings.TrimSuffix(strings.Replace(in, "...", "mcpgroup", 1), "/mcpgroup")
				if in == "adapters/..." {
					from = "adapters/langchaingo"
				}
				importPath := strings.TrimSuffix(imported, "/...")
				if got := checkRule(fakeGraph(from, importPath, false), r); len(got) != 1 {
					t.Errorf("%s imports %s: violations %q, want one", from, importPath, got)
				}
				if got := checkRule(fakeGraph(from, importPath, true), r); (len(got) == 1) != r.tests {
					t.Errorf("a test of %s imports %s: violations %q, want one: %t", from, importPath, got, r.tests)
				}
			}
		}
		for _, except := range r.except {
			if got := checkRule(fakeGraph(strings.TrimSuffix(except, "/..."), strings.TrimSuffix(r.imports[0], "/..."), true), r); len(got) != 0 {
				t.Errorf("the exception %s is reported: %q", except, got)
			}
		}
	}
}

func TestRuleFollowsImportsThroughOtherPackages(t *testing.T) {
	g := graph{}
	g.pkg("session").imports[modulePath+"/internal/a"] = []string{"session/x.go"}
	g.pkg("internal/a").imports[modulePath+"/internal/b"] = []string{"internal/a/x.go"}
	g.pkg("internal/b").imports[modulePath+"/internal/a"] = []string{"internal/b/x.go"} // a cycle must not hang the check
	g.pkg("internal/b").imports[goSDK+"/mcp"] = []string{"internal/b/y.go"}
	r := rule{in: []string{"session/..."}, imports: []string{goSDK + "/mcp/..."}, through: true, why: "reason"}

	want := "session/x.go imports " + goSDK + "/mcp through internal/a and internal/b: reason"
	if got := checkRule(g, r); len(got) != 1 || got[0] != want {
		t.Errorf("violations = %q, want %q", got, want)
	}
	r.through = false
	if got := checkRule(g, r); len(got) != 0 {
		t.Errorf("violations of a rule for direct imports = %q, want none", got)
	}
}

func TestPatternsMatchWholePathElements(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"session/...", "session", true},
		{"session/...", "session/x/y", true},
		{"session/...", "sessions", false},
		{"session", "session/x", false},
		{"...", "anything/at/all", true},
		{goSDK + "/mcp/...", goSDK + "/mcp", true},
		{goSDK + "/mcp/...", goSDK + "/mcphelp", false},
	} {
		if got := matches(test.pattern, test.name); got != test.want {
			t.Errorf("matches(%q, %q) = %t, want %t", test.pattern, test.name, got, test.want)
		}
	}
}
