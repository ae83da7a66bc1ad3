package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A plainMap does what a Map does, with none of its tricks: one goroutine, one slice in order of last use, the real time.
type plainMap struct {
	maxSessions, maxPerUser int
	idle                    time.Duration

	sessions []*plainSession // the least recently used first; those in use have no order
	draining []*plainSession
	failing  map[string]time.Time
	closes   []string
	dials    int
}

type plainSession struct {
	id       ID
	refs     int
	lastUsed time.Time
	reason   Reason
}

func (p *plainMap) find(id ID) *plainSession {
	for _, s := range p.sessions {
		if s.id == id {
			return s
		}
	}
	return nil
}

func (p *plainMap) remove(s *plainSession, reason Reason) {
	p.sessions = slices.DeleteFunc(p.sessions, func(o *plainSession) bool { return o == s })
	if s.refs > 0 {
		s.reason = reason
		p.draining = append(p.draining, s)
		return
	}
	p.closes = append(p.closes, fmt.Sprint(s.id, reason))
}

func (p *plainMap) evict(match func(*plainSession) bool) bool {
	for _, s := range p.sessions {
		if s.refs == 0 && match(s) {
			p.remove(s, ReasonEvicted)
			return true
		}
	}
	return false
}

func (p *plainMap) acquire(id ID, fail bool) (*plainSession, error) {
	if s := p.find(id); s != nil {
		s.refs++
		return s, nil
	}
	if _, ok := p.failing[id.String()]; ok {
		return nil, errRefused
	}
	mine, count := func(s *plainSession) bool { return s.id.Key.User == id.Key.User }, 0
	for _, s := range p.sessions {
		if mine(s) {
			count++
		}
	}
	if count >= p.maxPerUser && !p.evict(mine) {
		return nil, &LimitError{Max: p.maxPerUser, PerUser: true}
	}
	if len(p.sessions) >= p.maxSessions && !p.evict(func(*plainSession) bool { return true }) {
		return nil, &LimitError{Max: p.maxSessions}
	}
	p.dials++
	if fail {
		p.failing[id.String()] = time.Now()
		return nil, errRefused
	}
	s := &plainSession{id: id, refs: 1}
	p.sessions = append(p.sessions, s)
	return s, nil
}

func (p *plainMap) release(s *plainSession) {
	if s.refs--; s.refs > 0 {
		return
	}
	s.lastUsed = time.Now()
	if i := slices.Index(p.draining, s); i >= 0 {
		p.draining = slices.Delete(p.draining, i, i+1)
		p.closes = append(p.closes, fmt.Sprint(s.id, s.reason))
		return
	}
	i := slices.Index(p.sessions, s)
	p.sessions = append(slices.Delete(p.sessions, i, i+1), s)
}

func (p *plainMap) expire(maxAge time.Duration, reason Reason) (n int) {
	for _, s := range slices.Clone(p.sessions) {
		if s.refs == 0 && time.Since(s.lastUsed) >= maxAge {
			p.remove(s, reason)
			n++
		}
	}
	return n
}

// The same random actions on a Map and on a plainMap have the same results. Time passes in steps that the Map's clock resolves.
func TestAMapDoesWhatAPlainMapDoes(t *testing.T) {
	seeds := uint64(30)
	if *long {
		seeds = 1000
	}
	for seed := range seeds {
		bubble(t, func(t *testing.T) { compareWithPlainMap(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func compareWithPlainMap(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	fail := false
	var w *world
	w = newWorld(t, Config[*conn]{MaxSessions: 8, MaxPerUser: 3, IdleTimeout: 8 * time.Minute, DialBackoff: 10000 * time.Hour,
		Dial: func(ctx context.Context, id ID) (*conn, error) {
			if fail {
				return nil, errRefused
			}
			return w.dial(ctx, id)
		}})
	p := &plainMap{maxSessions: 8, maxPerUser: 3, idle: 8 * time.Minute, failing: make(map[string]time.Time)}
	type held struct {
		r Ref[*conn]
		s *plainSession
	}
	var refs []held
	compare := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	for range 500 {
		id := ID{Key: Key{Tenant: "acme", User: numbered(rng.IntN(4)), Conversation: numbered(rng.IntN(5))}}
		switch action := rng.IntN(100); {
		case action < 45:
			fail = rng.IntN(20) == 0
			s, want := p.acquire(id, fail)
			r, err := w.m.Acquire(t.Context(), id)
			if errors.Is(err, errRefused) {
				err = errRefused
			}
			compare("Acquire "+id.String(), err, want)
			if err == nil {
				refs = append(refs, held{r, s})
			}
		case action < 80:
			if len(refs) > 0 {
				i := rng.IntN(len(refs))
				p.release(refs[i].s)
				refs[i].r.Release()
				refs = slices.Delete(refs, i, i+1)
			}
		case action < 85:
			if len(refs) > 0 {
				h := refs[rng.IntN(len(refs))]
				want := slices.Contains(p.sessions, h.s)
				if want {
					p.remove(h.s, ReasonKilled)
				}
				compare("Kill "+h.r.ID().String(), w.m.Kill(h.r), want)
			}
		case action < 88:
			want := 0
			for _, s := range slices.Clone(p.sessions) {
				if s.id.Key.User == id.Key.User {
					p.remove(s, ReasonRetired)
					want++
				}
			}
			for c := range 5 {
				delete(p.failing, ID{Key: Key{Tenant: "acme", User: id.Key.User, Conversation: numbered(c)}}.String())
			}
			compare("Retire "+id.Key.User, w.m.Retire(is(id.Key.User)), want)
		case action < 90:
			maxAge := time.Duration(rng.IntN(5)) * time.Minute
			compare("CleanupSessions", w.m.CleanupSessions(maxAge), p.expire(maxAge, ReasonCleanup))
		case action < 92:
			// Beyond IdleTimeout by more than a sweep period: everything idle is closed.
			time.Sleep(9 * time.Minute)
			p.expire(8*time.Minute, ReasonIdle)
		default:
			time.Sleep(time.Minute / 2)
			p.expire(8*time.Minute+time.Minute, ReasonIdle) // what may still be open or not is settled below
		}
		// Between IdleTimeout and one sweep period later both are right.
		for _, s := range slices.Clone(p.sessions) {
			if s.refs == 0 && time.Since(s.lastUsed) >= p.idle {
				if _, ok := w.m.peek(s.id); !ok {
					p.remove(s, ReasonIdle)
				}
			}
		}
		got, want := w.m.Sessions(), p.sessions
		if len(got) != len(want) {
			t.Fatalf("%d sessions, want %d", len(got), len(want))
		}
		for _, info := range got {
			if s := p.find(info.ID); s == nil || s.refs != info.Refs {
				t.Fatalf("session %+v, want %+v", info, s)
			}
		}
		compare("dials", w.m.Stats().Dials, p.dials)
		compare("draining", w.m.Stats().Draining, len(p.draining))
		checkInvariants(t, w.m)
		if t.Failed() {
			return
		}
	}
	for _, h := range refs {
		p.release(h.s)
		h.r.Release()
	}
	synctest.Wait()
	var closes []string
	for _, c := range w.closed {
		closes = append(closes, fmt.Sprint(c.id, c.reason))
	}
	slices.Sort(closes)
	slices.Sort(p.closes)
	compare("closes", closes, p.closes)
}

// peek says whether id has a session, without using it.
func (m *Map[V]) peek(id ID) (*entry[V], bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e, ok := m.entries[id]
	return e, ok
}
