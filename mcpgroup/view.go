package mcpgroup

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
)

// A view is the tools of some members under names that are unique among them. It is immutable but for its index.
type view struct {
	lists   []*toolList // by which it is known
	members map[string]*member
	order   []*member // all of them
	tools   []*Tool   // sorted by name
	places  []int     // in order, of the server of each of tools
	byName  map[string]*Tool

	problems []Problem

	about map[string]string // what servers are for, by name
	index viewIndex

	names func() *nameList // made once
	// text is what hash is of, and the text of tool i ends at ends[i].
	text  func() (text []byte, ends []int)
	whole func() string // the hash of all tools
}

// nameList are the ids of tools by their names. Nothing else of a view is held by it.
type nameList struct{ names, ids []string } // both in the order of names

// find returns the id of the tool of a name, or "".
func (n *nameList) find(name string) string {
	if i, ok := slices.BinarySearch(n.names, name); ok {
		return n.ids[i]
	}
	return ""
}

// hash returns what is equal for equal lists of those tools that are kept: it covers all that an agent sees of them.
func (v *view) hash(kept []bool) string {
	if !slices.Contains(kept, false) {
		return v.whole()
	}
	text, ends := v.text()
	digest := sha256.New()
	for from := 0; from < len(kept); {
		to := from
		for to < len(kept) && kept[to] {
			to++
		}
		if to > from {
			start := 0
			if from > 0 {
				start = ends[from-1]
			}
			digest.Write(text[start:ends[to-1]])
		}
		from = to + 1
	}
	return hashText(digest.Sum(nil))
}

func hashText(sum []byte) string { return hex.EncodeToString(sum[:16]) }

func newView(r *Registry, members []*member, lists []*toolList) *view {
	v := &view{lists: lists, order: members, members: make(map[string]*member, len(members)), byName: map[string]*Tool{}, about: map[string]string{}}
	var requests []nameRequest
	var tools []*Tool
	places := make(map[string]int, len(members))
	for i, m := range members {
		v.members[m.cfg.Name] = m
		places[m.cfg.Name] = i
		if lists[i] == nil {
			continue
		}
		v.about[m.cfg.Name] = cmp.Or(m.cfg.Description, lists[i].instructions)
		for _, t := range lists[i].tools {
			req := nameRequest{Original: t.Name, Server: t.Server}
			if m.cfg.Overrides[t.OriginalName].Alias == t.Name {
				req.Alias = t.Name
			}
			requests = append(requests, req)
			tools = append(tools, t)
		}
	}
	for i, name := range r.opts.Names.assign(requests) {
		t := *tools[i]
		t.id = t.Server + "." + t.Name
		t.via, t.base = r, tools[i]
		if name.Err == nil {
			t.Name = name.Exposed
			v.byName[t.Name] = &t
			v.tools = append(v.tools, &t)
		} else {
			v.problems = append(v.problems, Problem{Tool: t.id, Reason: name.Err.Error()})
		}
	}
	slices.SortFunc(v.tools, func(a, b *Tool) int { return strings.Compare(a.Name, b.Name) })
	v.places = make([]int, len(v.tools))
	for i, t := range v.tools {
		v.places[i] = places[t.Server]
	}
	v.names = sync.OnceValue(v.makeNames)
	v.text = sync.OnceValues(v.makeText)
	v.whole = sync.OnceValue(func() string {
		text, _ := v.text()
		sum := sha256.Sum256(text)
		return hashText(sum[:])
	})
	return v
}

func (v *view) makeNames() *nameList {
	n := &nameList{make([]string, len(v.tools)), make([]string, len(v.tools))}
	for i, t := range v.tools {
		n.names[i], n.ids[i] = t.Name, t.id
	}
	return n
}

func (v *view) makeText() (text []byte, ends []int) {
	ends = make([]int, len(v.tools))
	for i, t := range v.tools {
		text = append(append(text, t.Name...), t.sum[:]...) // of a fixed length, so no two lists of tools are written alike
		ends[i] = len(text)
	}
	return text, ends
}
