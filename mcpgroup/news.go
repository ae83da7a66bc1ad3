package mcpgroup

import (
	"context"
	"time"

	"github.com/mcpfleet/mcpfleet/session"
)

// news are notifications of a server, that its tools have changed, which no list has been fetched for. It is guarded by
// member.mu.
//
// A server may send any number of them, on the connections of any number of users. Subscribers are told at the pace of
// minRefresh, and by then a list of each user who was notified can be fetched again. One such list at a time is: if it has
// changed subscribers are told, and those who look find what else has changed.
type news struct {
	looking bool // a goroutine does so
	missed  bool // something came while nobody had subscribed
	about   map[session.Key]notification
}

// notification is the last one that came on a connection of a user.
type notification struct {
	ctx context.Context // of the connection, with its user and which credential that uses
	at  time.Time
}

// note keeps a notification for those who have subscribed.
func (m *member) note(ctx context.Context, wanted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := &m.news
	if !wanted {
		n.missed = true
		return
	}
	key, _ := session.FromContext(ctx)
	if _, known := n.about[key]; !known && len(n.about) >= maxLists {
		return // so many others were notified that it will not go unnoticed
	}
	if n.about == nil {
		n.about = map[session.Key]notification{}
	}
	n.about[key] = notification{ctx, time.Now()}
}

// look has the news of m looked into in the background, if there are any and somebody wants to know.
func (r *Registry) look(m *member) {
	if !m.live.Load() || !r.subscribers.any() {
		return
	}
	m.mu.Lock()
	n := &m.news
	if n.looking || m.retired || !n.missed && len(n.about) == 0 {
		m.mu.Unlock()
		return
	}
	n.looking = true // or the registry is closed, and nobody looks any more
	m.mu.Unlock()
	r.background(func() {
		wait := time.NewTimer(minRefresh)
		defer wait.Stop()
		for {
			select {
			case <-wait.C:
			case <-m.left:
				return
			case <-r.life.Done():
				return
			}
			if !r.lookInto(m) {
				return
			}
			wait.Reset(minRefresh)
		}
	})
}

// lookInto fetches one list that m has notified a change of. It reports false if there is none.
func (r *Registry) lookInto(m *member) bool {
	m.mu.Lock()
	n := &m.news
	missed, some := n.missed, false
	var one notification
	if !missed { // which is told whatever the lists are
		for key, other := range n.about { // any one
			one, some = other, true
			delete(n.about, key)
			break
		}
	}
	n.missed, n.looking = false, missed || some
	m.mu.Unlock()
	switch {
	case missed: // which list it was about is not known
		r.changed()
	case some:
		same := false
		if err := protect("looking at changed tools", func() { same = r.unchanged(one.ctx, m) }); err != nil {
			r.log.Error("mcpgroup: changed tools were not looked at", "server", m.cfg.Name, "error", err)
			r.changed()
		}
		if !same {
			m.mu.Lock()
			for key, other := range n.about {
				if time.Since(other.at) >= minRefresh { // whoever is told and looks has it fetched
					delete(n.about, key)
				}
			}
			m.mu.Unlock()
		}
	}
	return missed || some
}

// unchanged fetches the list of the user of ctx, a connection to m, if nobody has done so since the notification. It
// reports true if the list is what it was. Otherwise subscribers have been told.
func (r *Registry) unchanged(ctx context.Context, m *member) bool {
	from, shared := ctx, !hasUser(ctx) // by all users
	if shared {
		ctx = r.asService(ctx, m.cfg.Tenant)
	}
	t, known, _, err := m.group.peek(ctx)
	if err == nil && known != nil && !(shared && m.group.catalogue.perUser()) {
		before := t.current.Load()
		if t.stale.Load() && time.Since(time.Unix(0, t.fetched.Load())) < minRefresh {
			m.note(from, true) // it would not be fetched yet
			return true
		}
		if t.stale.Load() {
			_, err = r.fetch(ctx, m, t)
		}
		switch after := t.current.Load(); {
		case err == nil && after != nil && after.hash == before.hash:
			return true
		case err == nil: // subscribers have heard of it: see member.group.listed
			return false
		}
	} else if err == nil && !shared {
		return true // nobody sees the list
	}
	r.changed() // it may have
	return false
}
