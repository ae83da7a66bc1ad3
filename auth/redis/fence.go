package redis

import (
	"context"
	"errors"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/mcpfleet/mcpfleet/auth"
)

// A content is what Redis has under the name of a value: nothing, or "=" and the value. What nobody has looked at yet equals
// neither.
type content string

const (
	absent content = ""
	unseen content = "?"
)

func present(value string) content { return content("=" + value) }

func (c content) value() string { return string(c[1:]) }

// A hold is a lock that this process has, or has lost without having unlocked it.
type hold struct {
	token string
	seen  content // what the value was when the lock was last known to be held, or was made since
}

// swap gives the value KEYS[1] the content ARGV[2] and the ttl ARGV[3] in milliseconds, 0 being none, if it still has the
// content ARGV[1], and returns 1. It returns 2 if the content is ARGV[2] already, and otherwise 0. It can be run again when
// the answer was lost.
//
// The value is all it looks at, for in a cluster that and the lock may be on two servers.
var swap = goredis.NewScript(`
local now = redis.call('GET', KEYS[1])
now = now and '=' .. now or ''
local done = now == ARGV[1] and 1 or now == ARGV[2] and 2 or 0
if done == 0 then
	return 0
end
if ARGV[2] == '' then
	redis.call('DEL', KEYS[1])
elseif ARGV[3] == '0' then
	redis.call('SET', KEYS[1], string.sub(ARGV[2], 2))
else
	redis.call('SET', KEYS[1], string.sub(ARGV[2], 2), 'PX', ARGV[3])
end
return done`)

// replace saves under the lock h, unless that was lost and somebody else has saved since: a holder that has slept must not
// put a token in the place of a newer one, whose refresh would then be made with one that is used up.
//
// It asks for the lock only if the value is another than the one seen. If the lock is held then, whoever made that change
// had lost it; only the change of a holder that came after it is not written over.
func (s *Store) replace(ctx context.Context, key auth.TokenKey, h hold, c content, ttl time.Duration) error {
	seen := h.seen
	for {
		done, err := swap.Run(ctx, s.cfg.Client, []string{s.name(kindValue, key)}, string(seen), string(c), ttl.Milliseconds()).Int()
		switch {
		case err != nil:
			return err
		case done == 1:
			s.note(key, h.token, c)
			return nil
		case done == 2: // an earlier try did it, or somebody else, who may have the lock
			return nil
		}
		if seen, err = s.look(ctx, key); err != nil {
			return err
		}
	}
}

// look returns what the value of key is, or auth.ErrLockLost if this process holds a lock of which Redis does not know. A
// lock that is still there after the value was read was there all the time, as nobody takes one twice with the same token:
// nobody else uses what was read.
func (s *Store) look(ctx context.Context, key auth.TokenKey) (content, error) {
	value, err := s.cfg.Client.Get(ctx, s.name(kindValue, key)).Result()
	c := present(value)
	if errors.Is(err, goredis.Nil) {
		c, err = absent, nil
	}
	if err != nil {
		return "", err
	}
	h, held := s.holding(key)
	if !held {
		return c, nil
	}
	holder, err := s.cfg.Client.Get(ctx, s.name(kindLock, key)).Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		return "", err
	}
	if strings.TrimSuffix(holder, wanted) == h.token {
		s.note(key, h.token, c)
		return c, nil
	}
	if now, held := s.holding(key); held && now.token == h.token {
		return "", auth.ErrLockLost
	}
	return c, nil // it was unlocked meanwhile, by another goroutine
}

// begin notes that this process holds the lock of key with token.
func (s *Store) begin(key auth.TokenKey, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[key] = hold{token, unseen}
}

// end notes that it does not any more.
func (s *Store) end(key auth.TokenKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, key)
}

func (s *Store) holding(key auth.TokenKey) (h hold, held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, held = s.held[key]
	return h, held
}

// note notes what the value of key is, if the lock is still the one with token.
func (s *Store) note(key auth.TokenKey, token string, c content) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, held := s.held[key]; held && h.token == token {
		s.held[key] = hold{token, c}
	}
}
