package mcpgroup

import (
	"container/list"
	"context"
	"sync"

	"github.com/mcpfleet/mcpfleet/session"
)

// lastNames are the names of tools as each user last saw them. A name means for a call what it meant when its user was
// shown it: which tool it would mean now depends on which servers are up and what they show, and a call must not end at
// another tool because the one that was meant is gone.
//
// Users who have seen the same hold one list of names together.
type lastNames struct {
	// mu guards both. Nothing that can block runs while it is held.
	mu    sync.Mutex
	of    map[reader]*list.Element
	order list.List // of seenNames: who looked last comes last
}

// reader is who sees names: agents of one user may see others.
type reader struct {
	key   session.Key
	agent string
}

type seenNames struct {
	reader reader
	names  *nameList
}

func readerOf(ctx context.Context, scope *AgentView) reader {
	var who reader
	who.key, _ = session.FromContext(ctx)
	if scope != nil {
		who.agent = scope.id
	}
	return who
}

// saw notes that who has seen names.
func (l *lastNames) saw(who reader, names *nameList) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.of[who]; e != nil {
		e.Value = seenNames{who, names}
		l.order.MoveToBack(e)
		return
	}
	if l.of == nil {
		l.of = map[reader]*list.Element{}
	}
	if len(l.of) >= maxLists { // whoever has not looked for the longest time
		delete(l.of, l.order.Remove(l.order.Front()).(seenNames).reader)
	}
	l.of[who] = l.order.PushBack(seenNames{who, names})
}

// find returns the id of the tool that who has seen under a name, or "".
func (l *lastNames) find(who reader, name string) string {
	l.mu.Lock()
	e := l.of[who]
	var names *nameList
	if e != nil {
		names = e.Value.(seenNames).names
	}
	l.mu.Unlock()
	if names == nil {
		return ""
	}
	return names.find(name)
}
