package mcpgroup

// agentRules are the compiled rules of one agent.
type agentRules struct {
	denyServers, allowServers *patternSet
	denyTools, allowTools     *toolRules
}

func (a *agentRules) server(server string) Decision {
	if !matchable(server) {
		return decidedBadName
	}
	if d, ok := a.denyServers.find(server); ok {
		return d
	}
	if d, ok := a.allowServers.find(server); ok {
		return d
	}
	return decidedNoServer
}

// tool decides about a tool of a server that is allowed.
func (a *agentRules) tool(server, tool string) Decision {
	if !matchable(tool) {
		return decidedBadName
	}
	if d, ok := findIn(tool, a.denyTools.all(server)); ok {
		return d
	}
	lists := a.allowTools.mostSpecific(server)
	if len(lists) == 0 {
		d, _ := a.allowServers.find(server)
		d.Reason = "the server is allowed, and no allow list limits its tools"
		return d
	}
	if d, ok := findIn(tool, lists); ok {
		return d
	}
	return lists[0].none
}

// matchable refuses names that no tool is shown under: see [matcher.match].
func matchable(name string) bool { return name != "" && len(name) <= maxOriginalLen }

// patternSet is a list of names and globs, each with the decision it stands for.
type patternSet struct {
	exact map[string]Decision
	globs []globRule // in the order of the list
	none  Decision   // of an allow list that has no entry for a tool
}

type globRule struct {
	glob
	decision Decision
}

// find returns what the list says of name. A name beats a glob.
func (s *patternSet) find(name string) (Decision, bool) {
	if d, ok := s.exact[name]; ok {
		return d, true
	}
	return s.findGlob(name)
}

func (s *patternSet) findGlob(name string) (Decision, bool) {
	for _, g := range s.globs {
		if g.match(name) {
			return g.decision, true
		}
	}
	return Decision{}, false
}

// findIn is [patternSet.find] in several lists: a name in any of them beats every glob.
func findIn(name string, lists []*patternSet) (Decision, bool) {
	for _, s := range lists {
		if d, ok := s.exact[name]; ok {
			return d, true
		}
	}
	for _, s := range lists {
		if d, ok := s.findGlob(name); ok {
			return d, true
		}
	}
	return Decision{}, false
}

// toolRules are lists of tools by server.
type toolRules struct {
	exact map[string]*patternSet
	globs []serverGlob // in the order of their patterns
}

type serverGlob struct {
	glob
	set *patternSet
}

// all returns every list that is for the server, the one under its name first.
func (t *toolRules) all(server string) []*patternSet {
	var lists []*patternSet
	if s := t.exact[server]; s != nil {
		lists = append(lists, s)
	}
	return append(lists, t.matching(server)...)
}

// mostSpecific returns the list under the server's name, else those whose globs match it.
func (t *toolRules) mostSpecific(server string) []*patternSet {
	if s := t.exact[server]; s != nil {
		return []*patternSet{s}
	}
	return t.matching(server)
}

func (t *toolRules) matching(server string) []*patternSet {
	var lists []*patternSet
	for _, g := range t.globs {
		if g.match(server) {
			lists = append(lists, g.set)
		}
	}
	return lists
}
