package auth

import (
	"context"
	"fmt"
	"time"
)

// Encrypt returns a store that keeps its values in s sealed with AES-256-GCM. Keys have 32 random bytes each. The first
// one seals; values that any of them has sealed can be read, so a key is replaced by putting the new one in front and
// taking the old one away when everything has been saved anew. With an empty or unfit list of keys it returns an error.
//
// A value is bound to its key: copied to the place of another user or server it cannot be read. Whoever can write to s
// can still delete values and put back older ones, and the keys, with the names of users and servers, stay readable.
//
// A value that cannot be decrypted is an error, not [ErrNotFound]. The result is a [Locker] if s is one.
func Encrypt(s TokenStore, keys ...[]byte) (TokenStore, error) {
	seal, err := newSealer("Encrypt", keys)
	if err != nil {
		return nil, err
	}
	e := encrypted{s, seal}
	if l, ok := s.(Locker); ok {
		return encryptedLocker{e, l}, nil
	}
	return e, nil
}

type encrypted struct {
	store TokenStore
	seal  *sealer
}

type encryptedLocker struct {
	encrypted
	Locker
}

func (e encrypted) Load(ctx context.Context, key TokenKey) ([]byte, error) {
	sealed, err := e.store.Load(ctx, key)
	if err != nil {
		return nil, err
	}
	value, err := e.seal.open(sealed, sealedToken+key.Encode())
	if err != nil {
		return nil, fmt.Errorf("auth: the value of %s %w: give Encrypt the key that it was sealed with, or delete it by saving nil", key, err)
	}
	return value, nil
}

func (e encrypted) Save(ctx context.Context, key TokenKey, value []byte, ttl time.Duration) error {
	if value != nil {
		value = e.seal.seal(value, sealedToken+key.Encode())
	}
	return e.store.Save(ctx, key, value, ttl)
}
