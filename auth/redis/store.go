package redis

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/mcpfleet/mcpfleet/auth"
)

// Config configures a [Store]. Client is required; every other zero value selects the default its field names.
type Config struct {
	// Client is how Redis is reached: a single server, sentinels or a cluster. It stays the caller's, who closes it after
	// the last use of the store. With its option ContextTimeoutEnabled, contexts end commands that wait for an answer;
	// without, they end after the client's ReadTimeout.
	Client goredis.UniversalClient
	// Prefix begins the name of every key. Stores with different prefixes share nothing. The default is "mcpfleet".
	Prefix string
	// LockTTL is for how long others wait for a lock whose process has died. A live holder renews it three times in that
	// time, so it must be longer than any pause of a process or outage of Redis that others may not take for a death.
	// The default is 30 seconds, the least 10 milliseconds.
	LockTTL time.Duration
	// Logger gets a line for every lock that could not be renewed or released. Nil is silent.
	Logger *slog.Logger
}

const (
	defaultPrefix  = "mcpfleet"
	defaultLockTTL = 30 * time.Second
	minLockTTL     = 10 * time.Millisecond
)

// A Store is a [auth.TokenStore] and a [auth.Locker]. It needs no Close and is safe for concurrent use. Operations that
// cannot reach Redis fail once the client has made its retries; the next one may succeed.
type Store struct {
	cfg Config
	log *slog.Logger

	// local has a lock for every lock in Redis, so that of the callers in this process one asks Redis and the others wait
	// in line.
	local *auth.MemoryStore

	mu     sync.Mutex // guards what follows; nothing that can block runs under it
	held   map[auth.TokenKey]hold
	doubts map[auth.TokenKey]doubt
}

// New returns a store. It does not connect. A Config without Client panics, and so does a LockTTL that is too short.
func New(cfg Config) *Store {
	if cfg.Client == nil {
		panic("auth/redis: Config.Client is nil")
	}
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	if cfg.LockTTL == 0 {
		cfg.LockTTL = defaultLockTTL
	}
	if cfg.LockTTL < minLockTTL {
		panic(fmt.Sprintf("auth/redis: Config.LockTTL is %v, and must be at least %v", cfg.LockTTL, minLockTTL))
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Store{cfg: cfg, log: log, local: auth.NewMemoryStore(), held: map[auth.TokenKey]hold{}, doubts: map[auth.TokenKey]doubt{}}
}

// What a key in Redis names stands between the prefix and the key's text. That text has no ":", so the last one in a name
// ends the part before it: no prefix, tenant, user or server can make up the name of another.
const (
	kindValue = ":value:"
	kindLock  = ":lock:"
)

func (s *Store) name(kind string, key auth.TokenKey) string {
	return s.cfg.Prefix + kind + key.Encode()
}

// Load implements [auth.TokenStore]. While this process holds the lock of key, Load checks that it still has it and fails
// with [auth.ErrLockLost] if it does not.
func (s *Store) Load(ctx context.Context, key auth.TokenKey) ([]byte, error) {
	c, err := s.look(ctx, key)
	if err == nil && c == absent {
		err = auth.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("auth/redis: loading %s: %w", key, err)
	}
	return []byte(c.value()), nil
}

// Save implements [auth.TokenStore]. Redis forgets the value after ttl, to the millisecond. A negative ttl is over
// already: it deletes the value. While this process holds the lock of key, Save fails with [auth.ErrLockLost] if the lock
// was lost and somebody else has saved since; see [Store.Lock].
func (s *Store) Save(ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
	c := absent
	if value != nil && ttl >= 0 {
		c = present(string(value))
	}
	if ttl > 0 {
		ttl = max(ttl, time.Millisecond)
	}
	var err error
	if h, held := s.holding(key); held {
		err = s.replace(ctx, key, h, c, ttl)
	} else {
		err = s.set(ctx, key, c, ttl)
	}
	if err != nil {
		return fmt.Errorf("auth/redis: saving %s: %w", key, err)
	}
	return nil
}

func (s *Store) set(ctx context.Context, key auth.TokenKey, c content, ttl time.Duration) error {
	if c == absent {
		return s.cfg.Client.Del(ctx, s.name(kindValue, key)).Err()
	}
	return s.cfg.Client.Set(ctx, s.name(kindValue, key), c.value(), ttl).Err()
}
