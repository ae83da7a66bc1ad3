package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/mcpfleet/mcpfleet/auth"
)

// A lock is a key in Redis that holds the random token of its holder, and after that [wanted] once somebody else has asked
// for it. KEYS[1] is its name, ARGV[1] the token, ARGV[2] its ttl in milliseconds, ARGV[3] the mark.
var (
	// acquire returns 0 if the lock is the caller's, or else for how many milliseconds it is another's. It can be run
	// again when the answer was lost, as clients do of their own accord.
	acquire = goredis.NewScript(`
local holder = redis.call('GET', KEYS[1])
if not holder then
	redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
	return 0
end
if holder == ARGV[1] or holder == ARGV[1] .. ARGV[3] then
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
	return 0
end
if string.sub(holder, -#ARGV[3]) ~= ARGV[3] then
	redis.call('APPEND', KEYS[1], ARGV[3])
end
return math.max(redis.call('PTTL', KEYS[1]), 1)`)

	// renew returns 1 if the lock is the caller's, and 0 if it is another's or nobody's. It never takes a lock: one that
	// has been free for a moment may have had another holder in it.
	renew = goredis.NewScript(`
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] or holder == ARGV[1] .. ARGV[3] then
	return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0`)

	// release deletes the lock if it is the caller's. It returns 1 if somebody else has asked for it meanwhile.
	release = goredis.NewScript(`
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] or holder == ARGV[1] .. ARGV[3] then
	redis.call('DEL', KEYS[1])
	return holder == ARGV[1] and 0 or 1
end
return 0`)
)

// wanted is the mark of a lock that others have asked for. No token has it.
const wanted = "!"

const (
	// A waiter asks again after a time that doubles from pollMin to pollMax. A refresh takes some hundred milliseconds.
	pollMin = 5 * time.Millisecond
	pollMax = 100 * time.Millisecond
	// standBack is how long a process leaves a lock alone that it has had while others asked for it. All of them ask again
	// in that time, so one of them has it next.
	standBack = 2 * pollMax
	// releaseTimeout is how long unlock tries to tell Redis, and how long a caller who has given up does.
	releaseTimeout = 2 * time.Second
)

// Lock implements [auth.Locker]. The callers of this process wait in line, and one at a time for those of others. Between
// processes there is no line: who asks first after an unlock has the lock, but a process that others have waited for lets
// one of them have it next. Lock fails at once if Redis cannot be reached. The lock of a process that has died ends after
// [Config.LockTTL].
//
// A holder loses its lock if its process stands still for longer than LockTTL, or if Redis forgets it. Until unlock,
// [Store.Load] of the key then fails in this process, since another may be using the same refresh token; [Store.Save] fails
// if somebody else has saved since the last Load, and otherwise works: what the holder has got for the token that it loaded
// is the newest there is. Both errors wrap [auth.ErrLockLost].
//
// unlock waits until Redis has answered, for a few seconds at most; if it does not, the lock ends after LockTTL. Calling
// it twice panics.
func (s *Store) Lock(ctx context.Context, key auth.TokenKey) (unlock func(), err error) {
	leave, err := s.local.Lock(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("auth/redis: %w", err)
	}
	token, err := s.acquire(ctx, key)
	if err != nil {
		leave()
		return nil, fmt.Errorf("auth/redis: locking %s: %w", key, err)
	}
	s.begin(key, token)
	renewing, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.renew(renewing, key, token)
	}()
	var unlocked atomic.Bool
	return func() {
		if unlocked.Swap(true) {
			panic("auth/redis: unlock of " + key.String() + " called twice")
		}
		others := false
		defer func() {
			if others {
				time.AfterFunc(standBack, leave)
			} else {
				leave()
			}
		}()
		s.end(key) // before the release: a lock that is held and not there is a lost one
		stop()
		<-stopped
		if others, err = s.release(key, token); err != nil {
			s.log.Warn("auth/redis: a lock could not be released and ends by itself", "key", key, "after", s.cfg.LockTTL, "error", err)
		}
	}, nil
}

// acquire waits for the lock and returns the token that holds it.
func (s *Store) acquire(ctx context.Context, key auth.TokenKey) (token string, err error) {
	name, poll := s.name(kindLock, key), pollMin
	token = s.token(key)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		others, err := acquire.Run(ctx, s.cfg.Client, []string{name}, token, s.cfg.LockTTL.Milliseconds(), wanted).Int64()
		if err != nil {
			s.doubt(key, token)
			if ctx.Err() == nil {
				return "", err
			}
			// Only this caller has given up; Redis can still be told.
			if _, err := s.release(key, token); err == nil {
				s.settle(key)
			}
			return "", ctx.Err()
		}
		if others == 0 {
			s.settle(key)
			return token, nil
		}
		// Half of the time at least, or waiters that began together would stay together.
		wait := min(poll/2+mathrand.N(poll/2), time.Duration(others)*time.Millisecond)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		poll = min(2*poll, pollMax)
	}
}

// renew keeps the lock until ctx ends.
func (s *Store) renew(ctx context.Context, key auth.TokenKey, token string) {
	every := s.cfg.LockTTL / 3
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		once, cancel := context.WithTimeout(ctx, every)
		kept, err := renew.Run(once, s.cfg.Client, []string{s.name(kindLock, key)}, token, s.cfg.LockTTL.Milliseconds(), wanted).Int()
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("auth/redis: a lock could not be renewed", "key", key, "error", err)
		case kept == 0:
			s.log.Error("auth/redis: a lock was lost while it was held", "key", key)
			return
		}
	}
}

// release gives the lock back if it is held with token, and reports whether others have asked for it.
func (s *Store) release(key auth.TokenKey, token string) (others bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	n, err := release.Run(ctx, s.cfg.Client, []string{s.name(kindLock, key)}, token, 0, wanted).Int()
	return n == 1, err
}

// A doubt is about an attempt to lock that failed without an answer: Redis may have the lock for its token all the same.
type doubt struct {
	token  string
	forget *time.Timer // runs when Redis cannot have the lock any more
}

// token returns the token for a new attempt to lock. After an attempt whose answer was lost it is the same one, which has
// the lock if Redis gave it then; a new one would wait until that lock ends by itself. The local lock of key must be held.
func (s *Store) token(key auth.TokenKey) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.doubts[key]; ok {
		return d.token
	}
	return rand.Text()
}

// doubt notes that Redis may hold the lock for token. The local lock of key must be held.
func (s *Store) doubt(key auth.TokenKey, token string) {
	s.settle(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubts[key] = doubt{token, time.AfterFunc(s.cfg.LockTTL, func() { s.settle(key) })}
}

// settle notes that there is no doubt any more.
func (s *Store) settle(key auth.TokenKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.doubts[key]; ok {
		d.forget.Stop()
		delete(s.doubts, key)
	}
}
