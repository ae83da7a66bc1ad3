package mcpgroup

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAgentID bounds an agent id, in bytes.
const maxAgentID = 256

// PolicyError reports everything that is wrong with a [Policy].
type PolicyError struct {
	Mistakes []PolicyMistake // in the order of their paths
}

// PolicyMistake is one thing that is wrong with a [Policy].
type PolicyMistake struct {
	Path   string // such as `agents.reader.deny.tools.db[1]`
	Reason string // what is wrong and how to mend it
}

// Error lists all mistakes.
func (e *PolicyError) Error() string {
	var b strings.Builder
	b.WriteString("mcpgroup: invalid policy: ")
	for i, m := range e.Mistakes {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(m.Path + ": " + m.Reason)
	}
	return b.String()
}

// Compile checks p and makes it ready to decide. Its error is a [*PolicyError] with every mistake. p may be changed
// afterwards.
func (p Policy) Compile() (*CompiledPolicy, error) {
	pc := &policyCompiler{}
	c := &CompiledPolicy{agents: make(map[string]*agentRules, len(p.Agents))}
	for _, id := range slices.Sorted(maps.Keys(p.Agents)) {
		path := "agents" + pathMember(id)
		switch {
		case id == "":
			pc.mistake(path, "an agent id must not be empty; use default for callers without an id")
		case len(id) > maxAgentID:
			pc.mistake(path, "an agent id has at most %d bytes", maxAgentID)
		case !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
			pc.mistake(path, "an agent id must be valid UTF-8 without control characters")
		}
		rules := p.Agents[id]
		c.agents[id] = &agentRules{
			denyServers:  pc.patterns(path+".deny.servers", rules.Deny.Servers, ruleKind{false, "server"}),
			denyTools:    pc.tools(path+".deny.tools", rules.Deny.Tools, false),
			allowServers: pc.patterns(path+".allow.servers", rules.Allow.Servers, ruleKind{true, "server"}),
			allowTools:   pc.tools(path+".allow.tools", rules.Allow.Tools, true),
		}
		for _, named := range []struct {
			path    string
			servers []string
		}{{path + ".allow.servers", rules.Allow.Servers}, {path + ".deny.servers", rules.Deny.Servers}} {
			for i, s := range named.servers {
				pc.names(fmt.Sprintf("%s[%d]", named.path, i), s)
			}
		}
		for path, tools := range map[string]map[string][]string{
			path + ".allow.tools": rules.Allow.Tools, path + ".deny.tools": rules.Deny.Tools,
		} {
			for s := range tools {
				pc.names(path+pathMember(s), s)
			}
		}
	}
	if p.Default != "" {
		if c.withoutID = c.agents[p.Default]; c.withoutID == nil {
			pc.mistake("default", "there is no agent %+.80q; name one of agents, or leave it empty", p.Default)
		}
	}
	if len(pc.mistakes) > 0 {
		slices.SortStableFunc(pc.mistakes, func(a, b PolicyMistake) int { return strings.Compare(a.Path, b.Path) })
		return nil, &PolicyError{pc.mistakes}
	}
	slices.SortFunc(pc.servers, func(a, b namedInRules) int { return strings.Compare(a.path, b.path) })
	c.serverNames = pc.servers
	return c, nil
}

// UnknownServers returns the rules that name a server which is not among known, in the order of their paths. Such rules
// do no harm, but often they are misspelt.
func (c *CompiledPolicy) UnknownServers(known []string) []PolicyMistake {
	var unknown []PolicyMistake
	for _, n := range c.serverNames {
		if !slices.Contains(known, n.name) {
			unknown = append(unknown, PolicyMistake{n.path, fmt.Sprintf("there is no server %q", n.name)})
		}
	}
	return unknown
}

// namedInRules is a server that a rule names, not as a glob.
type namedInRules struct{ path, name string }

type policyCompiler struct {
	mistakes []PolicyMistake
	servers  []namedInRules
}

func (pc *policyCompiler) mistake(path, format string, args ...any) {
	pc.mistakes = append(pc.mistakes, PolicyMistake{path, fmt.Sprintf(format, args...)})
}

func (pc *policyCompiler) names(path, server string) {
	if !isGlob(server) {
		pc.servers = append(pc.servers, namedInRules{path, server})
	}
}

// ruleKind is what the patterns of a list say about what they match.
type ruleKind struct {
	allow bool
	what  string // "server" or "tool"
}

func (v ruleKind) decision(path, pattern string) Decision {
	verb := "denies"
	if v.allow {
		verb = "allows"
	}
	if isGlob(pattern) {
		return Decision{v.allow, fmt.Sprintf("the pattern %q %s the %s", pattern, verb, v.what), path}
	}
	return Decision{v.allow, fmt.Sprintf("a rule %s the %s by name", verb, v.what), path}
}

func (pc *policyCompiler) patterns(path string, entries []string, v ruleKind) *patternSet {
	set := &patternSet{exact: map[string]Decision{}}
	seen := map[string]bool{}
	for i, e := range entries {
		at := fmt.Sprintf("%s[%d]", path, i)
		if seen[e] {
			pc.mistake(at, "%+.80q is listed twice", e)
			continue
		}
		seen[e] = true
		g, ok := pc.pattern(at, e)
		switch d := v.decision(at, e); {
		case !ok:
		case g == nil:
			set.exact[e] = d
		default:
			set.globs = append(set.globs, globRule{g, d})
		}
	}
	return set
}

// pattern checks one entry. The glob is nil for a name.
func (pc *policyCompiler) pattern(path, e string) (g glob, ok bool) {
	switch {
	case e == "":
		pc.mistake(path, "it is empty; write * for all")
		return nil, false
	case len(e) > maxOriginalLen:
		pc.mistake(path, "it is longer than %d bytes", maxOriginalLen)
		return nil, false
	case !utf8.ValidString(e):
		pc.mistake(path, "it is not valid UTF-8")
		return nil, false
	case !isGlob(e):
		return nil, true
	}
	g, err := compileGlob(e)
	if err != nil {
		pc.mistake(path, "bad pattern %+.80q: %v", e, err)
		return nil, false
	}
	return g, true
}

func (pc *policyCompiler) tools(path string, tools map[string][]string, allow bool) *toolRules {
	t := &toolRules{exact: map[string]*patternSet{}}
	for _, server := range slices.Sorted(maps.Keys(tools)) {
		at := path + pathMember(server)
		g, ok := pc.pattern(at, server)
		set := pc.patterns(at, tools[server], ruleKind{allow, "tool"})
		if allow {
			set.none = Decision{Reason: "the allow list of the server does not name the tool", Rule: at}
			if len(tools[server]) == 0 {
				set.none.Reason = "the allow list of the server is empty"
			}
		}
		switch {
		case !ok:
		case g == nil:
			t.exact[server] = set
		default:
			t.globs = append(t.globs, serverGlob{g, set})
		}
	}
	return t
}

func isGlob(pattern string) bool { return strings.ContainsAny(pattern, `*?[\`) }

// pathMember is a member of an object in a path: .name, or ["a name"] where that could be misread.
func pathMember(name string) string {
	plain := name != "" && len(name) <= 80
	for _, r := range name {
		plain = plain && (r == '_' || r == '-' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)))
	}
	if plain {
		return "." + name
	}
	if len(name) > 80 {
		name = cleanText(name, 80)
	}
	return "[" + strconv.QuoteToASCII(name) + "]"
}
