package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// A FileStore keeps tokens and credentials in a directory, one file each, sealed with AES-256-GCM as [Encrypt] does. It
// is a [TokenStore], a [Locker] between the callers of this one store, and a [SecretStore]. It needs no Close and is
// safe for concurrent use. A save that has returned survives the loss of power.
//
// A directory belongs to one FileStore at a time: two can read and write it, but their locks are not the same, and both
// would use up one refresh token. Processes that share users need a store such as the one of package auth/redis.
//
// The names of files are hashes and say nothing. A file that cannot be decrypted is an error that names it, and not
// [ErrNotFound]: with the wrong keys every user would have to log in again, and no one would know why.
type FileStore struct {
	dir   string
	seal  *sealer
	locks keyLocks

	// mu is held to read a file, and alone to put one in its place or take it away. The slow part of a save, writing and
	// syncing the new file, runs outside of it.
	mu       sync.RWMutex
	expiring expiries[string] // by name of the file
}

// NewFileStore returns the store in dir, which is created with mode 0700 if it is not there. The parameters keys are
// those of [Encrypt].
//
// A directory in which other users of the system can write is refused: they could put old tokens back or delete them.
// What an earlier process left half written is deleted, and so are values whose ttl is over.
func NewFileStore(dir string, keys ...[]byte) (*FileStore, error) {
	seal, err := newSealer("NewFileStore", keys)
	if err != nil {
		return nil, err
	}
	// A relative name would mean another directory after os.Chdir.
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("auth: file store: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("auth: file store: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("auth: file store: %w", err)
	}
	if reason := othersCanWrite(info); reason != "" {
		return nil, fmt.Errorf("auth: file store: %s %s: use a directory of its own, with mode 0700", dir, reason)
	}
	s := &FileStore{dir: dir, seal: seal, expiring: expiries[string]{}}
	if err := s.clean(time.Now()); err != nil {
		return nil, fmt.Errorf("auth: file store: %w", err)
	}
	return s, nil
}

// othersCanWrite says why users other than the one of this process can write to a directory, or returns "". Windows has
// no such bits; there the directory's access list is the administrator's.
func othersCanWrite(info fs.FileInfo) string {
	if runtime.GOOS == "windows" {
		return ""
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Sprintf("has mode %04o, with which other users can write to it", mode)
	}
	if uid, foreign := foreignOwner(info); foreign {
		return fmt.Sprintf("belongs to another user (uid %d)", uid)
	}
	return ""
}

// Load implements [TokenStore].
func (s *FileStore) Load(ctx context.Context, key TokenKey) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("auth: file store: loading %s: %w", key, err)
	}
	value, err := s.read(sealedToken + key.Encode())
	if err != nil {
		return nil, fmt.Errorf("auth: file store: loading %s: %w", key, err)
	}
	return value, nil
}

// Save implements [TokenStore]. A negative ttl is over already: it deletes the value. Times of expiry survive the
// process and are those of the system's clock.
func (s *FileStore) Save(ctx context.Context, key TokenKey, value []byte, ttl time.Duration) error {
	err := ctx.Err()
	switch purpose := sealedToken + key.Encode(); {
	case err != nil:
	case value == nil || ttl < 0:
		err = s.remove(purpose)
	case ttl == 0:
		err = s.write(purpose, value, time.Time{})
	default:
		err = s.write(purpose, value, time.Now().Add(ttl))
	}
	if err != nil {
		return fmt.Errorf("auth: file store: saving %s: %w", key, err)
	}
	return nil
}

// Lock implements [Locker]. Those who wait get the lock in the order in which they came. Calling unlock twice panics.
func (s *FileStore) Lock(ctx context.Context, key TokenKey) (unlock func(), err error) {
	return s.locks.lock(ctx, key)
}

// Secret implements [SecretStore]. An error of the file system wraps [ErrStoreUnavailable].
func (s *FileStore) Secret(ctx context.Context, key SecretKey) (Credential, error) {
	err := ctx.Err()
	var value []byte
	if err == nil {
		value, err = s.read(sealedSecret + key.Encode())
	}
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		err = fmt.Errorf("%w: %w", ErrStoreUnavailable, err)
	}
	var c Credential
	if err == nil {
		c, err = unmarshalCredential(value)
	}
	if err != nil {
		return Credential{}, fmt.Errorf("auth: file store: reading credential %s: %w", key, err)
	}
	return c, nil
}

// SetSecret implements [SecretStore]. What is not UTF-8 is refused: the form in which credentials are kept would alter it.
func (s *FileStore) SetSecret(ctx context.Context, key SecretKey, c Credential) error {
	err := ctx.Err()
	switch purpose := sealedSecret + key.Encode(); {
	case err != nil:
	case c.IsZero():
		err = s.remove(purpose)
	default:
		var value []byte
		if value, err = marshalCredential(c); err == nil {
			err = s.write(purpose, value, time.Time{})
		}
	}
	if err != nil {
		return fmt.Errorf("auth: file store: setting credential %s: %w", key, err)
	}
	return nil
}
