package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfleet/mcpfleet/auth"
)

// A PrivateKeyJWT authenticates a client with assertions that it signs (RFC 7523 section 2.2). Each is new, is good for
// two minutes, and names the authorization server that it is for: one that leaks is of no use elsewhere.
type PrivateKeyJWT struct {
	// PEM is the private key: RSA of 2,048 bits or more, an elliptic curve of NIST or Ed25519, as PKCS #8, PKCS #1 or
	// SEC 1 and without a password. One of PEM and Signer is set.
	PEM auth.Secret
	// Signer is a key that lies elsewhere, such as in a security module. It is used by one goroutine per token at a time.
	Signer crypto.Signer
	// Algorithm is the signature algorithm (RFC 7518 section 3.1), such as "PS256". The default is the first that fits
	// the key and that the server's metadata lists: RS256, PS256 and their longer forms for RSA, the one of the curve for
	// ECDSA, EdDSA for Ed25519.
	Algorithm string
	// KeyID is the kid of the assertion's header, for servers that know several keys. The default is none.
	KeyID string
	// Audience is whom the assertion is for. The default is the issuer identifier of the authorization server (RFC 10070),
	// or the token endpoint if that is all that is known. Some servers want the endpoint in any case.
	Audience string
}

// assertionLife is the life of an assertion: long enough for clocks that differ a little.
const assertionLife = 2 * time.Minute

// A signer is a key that is ready for use.
type signer struct {
	key        crypto.Signer
	algorithms []algorithm // that fit, the preferred one first
	id         string
	audience   string
}

type algorithm struct {
	name string
	hash crypto.Hash // 0: the message itself is signed
	pss  bool
}

// signer reads the key. Its errors hold nothing of it.
func (k *PrivateKeyJWT) signer() (*signer, error) {
	s := &signer{key: k.Signer, id: k.KeyID, audience: k.Audience}
	switch {
	case (s.key == nil) == k.PEM.IsZero():
		return nil, errors.New("one of PEM and Signer must be set")
	case s.key == nil:
		var err error
		if s.key, err = parsePEM(k.PEM); err != nil {
			return nil, err
		}
	}
	switch pub := s.key.Public().(type) {
	case *rsa.PublicKey:
		if pub.N.BitLen() < 2048 {
			return nil, fmt.Errorf("the RSA key has %d bits; RFC 7518 section 3.3 demands 2048", pub.N.BitLen())
		}
		s.algorithms = []algorithm{
			{"RS256", crypto.SHA256, false}, {"PS256", crypto.SHA256, true},
			{"RS384", crypto.SHA384, false}, {"PS384", crypto.SHA384, true},
			{"RS512", crypto.SHA512, false}, {"PS512", crypto.SHA512, true},
		}
	case *ecdsa.PublicKey:
		switch pub.Curve {
		case elliptic.P256():
			s.algorithms = []algorithm{{"ES256", crypto.SHA256, false}}
		case elliptic.P384():
			s.algorithms = []algorithm{{"ES384", crypto.SHA384, false}}
		case elliptic.P521():
			s.algorithms = []algorithm{{"ES512", crypto.SHA512, false}}
		default:
			return nil, errors.New("the elliptic curve is not P-256, P-384 or P-521")
		}
	case ed25519.PublicKey:
		s.algorithms = []algorithm{{"EdDSA", 0, false}}
	default:
		return nil, fmt.Errorf("a key of type %T cannot sign assertions; use RSA, ECDSA or Ed25519", pub)
	}
	if k.Algorithm != "" {
		i := slices.IndexFunc(s.algorithms, func(a algorithm) bool { return a.name == k.Algorithm })
		if i < 0 {
			return nil, fmt.Errorf("the key does not fit Algorithm %q", k.Algorithm)
		}
		s.algorithms = s.algorithms[i : i+1]
	}
	return s, nil
}

func parsePEM(secret auth.Secret) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(secret.Reveal()))
	if block == nil {
		return nil, errors.New("PEM holds no PEM block")
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, errors.New("PEM holds no private key, or one with a password; convert it with: openssl pkcs8 -topk8 -nocrypt")
	}
	if err != nil {
		return nil, errors.New("the private key in PEM is malformed")
	}
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T cannot sign; use RSA, ECDSA or Ed25519", key)
	}
	return s, nil
}

// assertion returns a new assertion of the client for an authorization server (RFC 7523 section 3).
func (s *signer) assertion(clientID string, server *oauthex.AuthServerMeta) (string, error) {
	alg := s.algorithms[0]
	if offered := server.TokenEndpointAuthSigningAlgValuesSupported; len(offered) > 0 {
		i := slices.IndexFunc(s.algorithms, func(a algorithm) bool { return slices.Contains(offered, a.name) })
		if i < 0 {
			return "", fmt.Errorf("the authorization server takes no assertion signed with %s", alg.name)
		}
		alg = s.algorithms[i]
	}
	audience := s.audience
	if audience == "" {
		audience = server.Issuer
	}
	now := time.Now()
	t := jwt.NewWithClaims(jwt.GetSigningMethod(alg.name), jwt.MapClaims{
		"iss": clientID,
		"sub": clientID,
		"aud": audience, // one string, not an array (RFC 10070)
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(assertionLife).Unix(),
	})
	if s.id != "" {
		t.Header["kid"] = s.id
	}
	text, err := t.SigningString()
	if err != nil {
		return "", err
	}
	signature, err := s.sign(alg, []byte(text))
	if err != nil {
		return "", fmt.Errorf("signing the assertion: %w", err)
	}
	return text + "." + t.EncodeSegment(signature), nil
}

// sign does what the methods of package jwt do, which take no keys that lie elsewhere.
func (s *signer) sign(alg algorithm, text []byte) ([]byte, error) {
	digest, opts := text, crypto.SignerOpts(alg.hash)
	if alg.hash != 0 {
		h := alg.hash.New()
		h.Write(text)
		digest = h.Sum(nil)
	}
	if alg.pss {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: alg.hash}
	}
	signature, err := s.key.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, err
	}
	pub, ok := s.key.Public().(*ecdsa.PublicKey)
	if !ok {
		return signature, nil
	}
	// Signers give ASN.1; RFC 7518 section 3.4 wants both numbers in full length.
	var numbers struct{ R, S *big.Int }
	size := (pub.Curve.Params().BitSize + 7) / 8
	rest, err := asn1.Unmarshal(signature, &numbers)
	if err != nil || len(rest) > 0 || numbers.R.Sign() < 0 || numbers.S.Sign() < 0 || numbers.R.BitLen() > 8*size || numbers.S.BitLen() > 8*size {
		return nil, errors.New("the signer gave no ECDSA signature")
	}
	raw := make([]byte, 2*size)
	numbers.R.FillBytes(raw[:size])
	numbers.S.FillBytes(raw[size:])
	return raw, nil
}
