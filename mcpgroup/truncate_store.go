package mcpgroup

import (
	"container/list"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/mcpfleet/mcpfleet/session"
)

// ErrResultNotFound is returned for a handle that the user of the call does not have: it expired, made room for others,
// is another user's, or never was.
var ErrResultNotFound = errors.New("mcpgroup: no such result; it may have expired: call the tool again")

// ResultStoreOptions bounds a [ResultStore]. Every zero value selects the default its field names.
type ResultStoreOptions struct {
	MaxBytes        int           // of all users; the default is 64 MiB
	MaxBytesPerUser int           // per tenant and user; the default is 4 MiB
	MaxPerUser      int           // results per tenant and user; the default is 64
	TTL             time.Duration // since a result was last read; the default is 30 min
}

// ResultStore keeps the texts of results that were too long to be shown whole, in memory. A result belongs to the tenant
// and user whose call it answered, and can be read by them only. Whatever does not fit makes room in the order of last
// use: a user's own results first, then anybody's.
//
// It is safe for concurrent use.
type ResultStore struct {
	opts ResultStoreOptions

	// mu guards the rest. Nothing that can block runs while it is held.
	mu      sync.Mutex
	bytes   int
	entries map[string]*list.Element // by handle
	recent  list.List                // of *storedResult: the most recently used first
	users   map[resultOwner]*userResults
}

// resultOwner is whom a result belongs to: a user across conversations.
type resultOwner struct{ tenant, user string }

type userResults struct {
	bytes  int
	recent list.List // of *storedResult: the most recently used first
}

type storedResult struct {
	handle string
	owner  resultOwner
	text   string
	used   time.Time
	own    *list.Element // in its owner's list
}

// NewResultStore returns an empty store. nil selects all defaults. It panics on a negative bound.
func NewResultStore(opts *ResultStoreOptions) *ResultStore {
	s := &ResultStore{entries: map[string]*list.Element{}, users: map[resultOwner]*userResults{}}
	if opts != nil {
		s.opts = *opts
	}
	setDefault(&s.opts.MaxBytes, 64<<20)
	setDefault(&s.opts.MaxBytesPerUser, 4<<20)
	setDefault(&s.opts.MaxPerUser, 64)
	setDefault(&s.opts.TTL, 30*time.Minute)
	if s.opts.MaxBytes < 0 || s.opts.MaxBytesPerUser < 0 || s.opts.MaxPerUser < 0 || s.opts.TTL < 0 {
		panic("mcpgroup: ResultStoreOptions must not be negative; 0 selects the default")
	}
	return s
}

func ownerOf(ctx context.Context) (resultOwner, bool) {
	key, ok := session.FromContext(ctx)
	return resultOwner{key.Tenant, key.User}, ok && key.User != ""
}

// put keeps text for the user of ctx and returns its handle, or "" if there is no user or the text is larger than all
// that one may keep.
func (s *ResultStore) put(ctx context.Context, text string) string {
	owner, ok := ownerOf(ctx)
	if !ok || len(text) > min(s.opts.MaxBytes, s.opts.MaxBytesPerUser) {
		return ""
	}
	r := &storedResult{handle: rand.Text(), owner: owner, text: text, used: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(r.used)
	u := s.users[owner]
	for u != nil && u.recent.Len() > 0 && (u.bytes+len(text) > s.opts.MaxBytesPerUser || u.recent.Len() >= s.opts.MaxPerUser) {
		s.remove(u.recent.Back().Value.(*storedResult))
	}
	for s.bytes+len(text) > s.opts.MaxBytes {
		s.remove(s.recent.Back().Value.(*storedResult))
	}
	if u = s.users[owner]; u == nil { // or it has gone with the last of its results
		u = &userResults{}
		s.users[owner] = u
	}
	s.bytes += len(text)
	u.bytes += len(text)
	s.entries[r.handle] = s.recent.PushFront(r)
	r.own = u.recent.PushFront(r)
	return r.handle
}

// get returns the text of a handle.
func (s *ResultStore) get(ctx context.Context, handle string) (string, error) {
	owner, ok := ownerOf(ctx)
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	e := s.entries[handle]
	if e == nil || !ok {
		return "", ErrResultNotFound
	}
	r := e.Value.(*storedResult)
	if r.owner != owner {
		return "", ErrResultNotFound
	}
	r.used = now
	s.recent.MoveToFront(e)
	s.users[owner].recent.MoveToFront(r.own)
	return r.text, nil
}

// expire drops what nobody used for the TTL. It is called with mu held.
func (s *ResultStore) expire(now time.Time) {
	for e := s.recent.Back(); e != nil && now.Sub(e.Value.(*storedResult).used) >= s.opts.TTL; e = s.recent.Back() {
		s.remove(e.Value.(*storedResult))
	}
}

// remove drops a result. It is called with mu held.
func (s *ResultStore) remove(r *storedResult) {
	u := s.users[r.owner]
	s.recent.Remove(s.entries[r.handle])
	u.recent.Remove(r.own)
	delete(s.entries, r.handle)
	s.bytes -= len(r.text)
	u.bytes -= len(r.text)
	if u.recent.Len() == 0 {
		delete(s.users, r.owner)
	}
}

// Forget drops all results of a user, for example when they log out. The conversation of key does not matter.
func (s *ResultStore) Forget(key session.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for u := s.users[resultOwner{key.Tenant, key.User}]; u != nil && u.recent.Len() > 0; {
		s.remove(u.recent.Back().Value.(*storedResult))
	}
}

// Len returns how many results are kept, and their bytes.
func (s *ResultStore) Len() (results, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(time.Now())
	return len(s.entries), s.bytes
}
