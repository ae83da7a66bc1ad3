package vault

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// casRounds is how often a write is tried that others come before.
const casRounds = 32

// A Store is an [auth.SecretStore] over a secrets engine of type KV version 2. It keeps no credential in memory; an
// [auth.Chain] does. It is safe for concurrent use and must be closed.
type Store struct {
	cfg    Config
	mount  string // of the auth method; empty if the store cannot log in
	wire   *wire
	ownsIt bool // the HTTP client

	lease    atomic.Pointer[lease] // replaced with mu held
	replaced chan struct{}         // has room for one: a login has replaced the lease

	ctx    context.Context // of the goroutines; ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// mu guards all below. Nothing that can block runs while it is held.
	mu     sync.Mutex
	closed bool
	flight *flight // the login under way
	logins uint64
	denied error     // why the last login was refused
	until  time.Time // for so long it is not tried again
}

var _ auth.SecretStore = (*Store)(nil)

// New returns a store that has authenticated: it has logged in, or looked its token up. An error of the configuration says
// what to change; other errors are those of [Store.Secret]. ctx bounds New only.
func New(ctx context.Context, cfg Config) (*Store, error) {
	cfg, base, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, wire: newWire(cfg, base), ownsIt: cfg.HTTPClient == nil, replaced: make(chan struct{}, 1)}
	var first *lease
	switch a := cfg.Auth.(type) {
	case Token:
		first, err = s.wire.lookUp(ctx, a.Secret)
		if e := (*Error)(nil); errors.As(err, &e) && e.StatusCode == http.StatusForbidden {
			e.Reason = "the token is invalid, or its policies do not let it look itself up as the policy default does"
		}
	case AppRole:
		s.mount = a.Mount
		first, err = s.wire.logIn(ctx, a)
	}
	if err != nil {
		s.closeIdle()
		return nil, err
	}
	s.lease.Store(first)
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.wg.Go(s.keepAlive)
	return s, nil
}

// Secret returns the credential of key. Its error is an [*Error], which wraps [auth.ErrNotFound] if there is no secret or
// its latest version is deleted or destroyed, [auth.ErrDenied] if the server refuses the store's token also after a new
// login, and [auth.ErrStoreUnavailable] if the server cannot be asked now; or it is a [*FieldError].
func (s *Store) Secret(ctx context.Context, key auth.SecretKey) (auth.Credential, error) {
	path := s.path("data", key)
	a, err := s.do(ctx, request{"reading", http.MethodGet, path, nil})
	if err != nil {
		return auth.Credential{}, err
	}
	switch data := a.Data["data"].(type) {
	case map[string]any:
		return decode(path, data)
	case nil:
		if a.Data["metadata"] != nil { // a version without data is deleted or destroyed
			return auth.Credential{}, &Error{Op: "reading", Path: path, Err: auth.ErrNotFound}
		}
	}
	return auth.Credential{}, &Error{Op: "reading", Path: path,
		Reason: "the answer is not that of a secrets engine of type KV version 2; see Config.Mount"}
}

// SetSecret writes c as a new version of the secret of key, whatever is there, also where the engine demands check-and-set.
// The zero Credential deletes the secret with all its versions and its metadata. A credential with a value that is not
// UTF-8 cannot be kept. Its error is one of [Store.Secret].
func (s *Store) SetSecret(ctx context.Context, key auth.SecretKey, c auth.Credential) error {
	path := s.path("data", key)
	if c.IsZero() {
		_, err := s.do(ctx, request{"deleting", http.MethodDelete, s.path("metadata", key), nil})
		if errors.Is(err, auth.ErrNotFound) {
			return nil
		}
		return err
	}
	data, err := encode(path, c)
	if err != nil {
		return err
	}
	type options struct {
		CAS int64 `json:"cas"`
	}
	write := func(opts *options) error {
		_, err := s.do(ctx, request{"writing", http.MethodPost, path, struct {
			Data    map[string]string `json:"data"`
			Options *options          `json:"options,omitempty"`
		}{data, opts}})
		return err
	}
	if err = write(nil); !hasReason(err, reasonCASRequired) {
		return err
	}
	for range casRounds {
		version, err := s.version(ctx, path)
		if err != nil {
			return err
		}
		err = write(&options{version})
		if !hasReason(err, reasonCASMismatch) {
			return err
		}
		// Somebody else's write came first, as one of them always does.
		if err := sleep(ctx, rand.N(firstWait)); err != nil {
			return &Error{Op: "writing", Path: path, Err: err}
		}
	}
	return &Error{Op: "writing", Path: path, Reason: "others change the secret all the time"}
}

// version returns the number of the latest version of a secret, also of a deleted one; 0 is none.
func (s *Store) version(ctx context.Context, path string) (int64, error) {
	a, err := s.do(ctx, request{"reading", http.MethodGet, path, nil})
	if a == nil || err != nil && !errors.Is(err, auth.ErrNotFound) {
		return 0, err
	}
	metadata, _ := a.Data["metadata"].(map[string]any)
	number, _ := metadata["version"].(json.Number)
	version, err := number.Int64()
	if err != nil {
		version = 0 // there is no metadata without a version
	}
	return version, nil
}

func (s *Store) path(api string, key auth.SecretKey) string {
	return s.cfg.Mount + "/" + api + "/" + Path(s.cfg.Prefix, key)
}

// do sends r with the store's token, and once more with another one if the server refuses the first.
func (s *Store) do(ctx context.Context, r request) (*answer, error) {
	again := false
	return s.wire.retry(ctx, func() (*answer, error) {
		for {
			l, err := s.token(ctx)
			if err != nil {
				return nil, final{err}
			}
			a, err := s.wire.once(ctx, r, l.token)
			if again || !refused(err) {
				return a, err
			}
			again = true
			fresh, loginErr := s.replace(ctx, l, true)
			switch {
			case loginErr != nil:
				return nil, final{loginErr}
			case fresh.login == l.login:
				return nil, err
			}
		}
	})
}

// token returns a lease of which one use has been taken.
func (s *Store) token(ctx context.Context) (*lease, error) {
	if s.ctx.Err() != nil {
		return nil, ErrClosed
	}
	l := s.lease.Load()
	for s.mount != "" && !l.take() {
		var err error
		if l, err = s.replace(ctx, l, false); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Close ends the store's goroutine and revokes the token that it has logged in for, for which it waits until
// [Config.Timeout] at most. Requests under way may fail. Only the first call does anything; none fails.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.cancel()
	s.wg.Wait()
	if l := s.lease.Load(); l.revocable && !l.ended() {
		if err := s.wire.revoke(context.WithoutCancel(s.ctx), l); err != nil {
			s.warn("auth/vault: the token could not be revoked and is left to expire", err, l)
		}
	}
	s.closeIdle()
	return nil
}

// closeIdle closes the connections of an HTTP client of the store's own.
func (s *Store) closeIdle() {
	if s.ownsIt {
		s.wire.http.CloseIdleConnections()
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
