package auth

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"fmt"
)

// What sealed values are bound to begins with what they are, so that none is taken for one of the other kind.
const (
	sealedToken  = "token:"
	sealedSecret = "credential:"
)

var (
	errOtherKey = errors.New("was sealed with a key that is not among those given")
	errDamaged  = errors.New("is damaged, or was sealed for something else")
)

// A sealer encrypts with AES-256-GCM under a random nonce: a key is good for 2^32 values (NIST SP 800-38D section 8.3),
// which is a token refreshed every second for a century.
//
// A sealed text is the version, a tag that tells keys apart, and what the AEAD makes: nonce, ciphertext, authentication.
// The tag is what tells a missing key from damage; it is made of all of a random key and says nothing about it.
type sealer struct{ keys []sealKey }

type sealKey struct {
	tag  []byte
	aead cipher.AEAD
}

const (
	sealVersion = 1
	tagSize     = 4
)

func newSealer(caller string, keys [][]byte) (*sealer, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("auth: %s needs a key of 32 bytes", caller)
	}
	s := &sealer{}
	for i, key := range keys {
		if len(key) != 32 {
			return nil, fmt.Errorf("auth: %s: key %d of %d has %d bytes, and AES-256 needs 32 random ones", caller, i+1, len(keys), len(key))
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("auth: %s: key %d: %w", caller, i+1, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("auth: %s: key %d: %w", caller, i+1, err)
		}
		sum := sha256.Sum256(append([]byte("mcpfleet key tag\x00"), key...))
		s.keys = append(s.keys, sealKey{sum[:tagSize], aead})
	}
	return s, nil
}

// seal encrypts a value so that it opens for the same purpose only.
func (s *sealer) seal(value []byte, purpose string) []byte {
	first := s.keys[0]
	out := make([]byte, 0, 1+tagSize+len(value)+first.aead.Overhead())
	out = append(append(out, sealVersion), first.tag...)
	return first.aead.Seal(out, nil, value, []byte(purpose))
}

// open is the inverse of seal. Its error continues a sentence about the value.
func (s *sealer) open(sealed []byte, purpose string) ([]byte, error) {
	if len(sealed) < 1+tagSize || sealed[0] != sealVersion {
		return nil, errDamaged
	}
	tag, box := sealed[1:1+tagSize], sealed[1+tagSize:]
	err := errOtherKey
	for _, key := range s.keys {
		if !bytes.Equal(key.tag, tag) {
			continue
		}
		value, openErr := key.aead.Open([]byte{}, nil, box, []byte(purpose)) // an empty value opens as empty, not as nil
		if openErr == nil {
			return value, nil
		}
		err = errDamaged
	}
	return nil, err
}
