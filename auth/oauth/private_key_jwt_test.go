package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfleet/mcpfleet/auth"
)

// elsewhere hides what kind of key it is, as security modules do.
type elsewhere struct{ key crypto.Signer }

func (e elsewhere) Public() crypto.PublicKey { return e.key.Public() }
func (e elsewhere) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return e.key.Sign(r, digest, opts)
}

func pemOf(t testing.TB, kind string, der []byte, err error) auth.Secret {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return auth.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

func pkcs8(t testing.TB, key any) auth.Secret {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf(t, "PRIVATE KEY", der, err)
}

func TestAssertionsAreSignedWithEveryKindOfKey(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve := func(c elliptic.Curve) *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	p256, p384, p521 := curve(elliptic.P256()), curve(elliptic.P384()), curve(elliptic.P521())
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	sec1, err := x509.MarshalECPrivateKey(p256)

	for _, test := range []struct {
		name    string
		key     PrivateKeyJWT
		offered []string // by the server
		public  crypto.PublicKey
		want    string
	}{
		{"RSA", PrivateKeyJWT{PEM: pkcs8(t, rsaKey)}, nil, rsaKey.Public(), "RS256"},
		{"RSA PKCS #1", PrivateKeyJWT{PEM: pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil)}, nil, rsaKey.Public(), "RS256"},
		{"RSA, server wants PSS", PrivateKeyJWT{PEM: pkcs8(t, rsaKey)}, []string{"ES256", "PS256"}, rsaKey.Public(), "PS256"},
		{"RSA, configured", PrivateKeyJWT{PEM: pkcs8(t, rsaKey), Algorithm: "PS512"}, []string{"RS256", "PS512"}, rsaKey.Public(), "PS512"},
		{"RSA elsewhere", PrivateKeyJWT{Signer: elsewhere{rsaKey}}, nil, rsaKey.Public(), "RS256"},
		{"P-256", PrivateKeyJWT{PEM: pkcs8(t, p256)}, nil, p256.Public(), "ES256"},
		{"P-256 SEC 1", PrivateKeyJWT{PEM: pemOf(t, "EC PRIVATE KEY", sec1, err)}, nil, p256.Public(), "ES256"},
		{"P-384 elsewhere", PrivateKeyJWT{Signer: elsewhere{p384}}, nil, p384.Public(), "ES384"},
		{"P-521", PrivateKeyJWT{PEM: pkcs8(t, p521)}, []string{"ES512"}, p521.Public(), "ES512"},
		{"Ed25519", PrivateKeyJWT{PEM: pkcs8(t, ed)}, nil, ed.Public(), "EdDSA"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newGrantWorld(t)
			w.metadata["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"}
			w.metadata["token_endpoint_auth_signing_alg_values_supported"] = test.offered
			test.key.KeyID = "key-7"
			mustObtain(t, w.client(&ClientCredentials{Client: ClientAuth{ID: "agent", Key: &test.key}}), worldUser)

			got := w.only()
			if got.form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || got.form.Has("client_secret") || got.user != "" {
				t.Errorf("form %v", got.form)
			}
			var claims jwt.RegisteredClaims
			parsed, err := jwt.ParseWithClaims(got.form.Get("client_assertion"), &claims, func(*jwt.Token) (any, error) { return test.public, nil },
				jwt.WithValidMethods([]string{test.want}), jwt.WithIssuer("agent"), jwt.WithSubject("agent"), jwt.WithAudience(worldIssuer),
				jwt.WithExpirationRequired(), jwt.WithIssuedAt())
			if err != nil {
				t.Fatalf("the assertion does not verify: %v", err)
			}
			if life := claims.ExpiresAt.Sub(claims.IssuedAt.Time); life <= 0 || life > 5*time.Minute {
				t.Errorf("life %v, want up to 5 minutes", life)
			}
			if claims.ID == "" || parsed.Header["kid"] != "key-7" {
				t.Errorf("jti %q, kid %v", claims.ID, parsed.Header["kid"])
			}
		})
	}
}

func TestEveryAssertionIsNewAndNamesItsAudience(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	sign := func(k PrivateKeyJWT, server *oauthex.AuthServerMeta) (claims jwt.MapClaims) {
		s, err := k.signer()
		if err != nil {
			t.Fatal(err)
		}
		text, err := s.assertion("agent", server)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := jwt.NewParser().ParseUnverified(text, &claims); err != nil {
			t.Fatal(err)
		}
		return claims
	}
	server := &oauthex.AuthServerMeta{Issuer: worldIssuer, TokenEndpoint: worldIssuer + "/token"}
	a, b := sign(PrivateKeyJWT{Signer: key}, server), sign(PrivateKeyJWT{Signer: key}, server)
	if a["jti"] == b["jti"] {
		t.Error("two assertions have the same jti")
	}
	if a["aud"] != worldIssuer { // one string: an array of one is another JSON type
		t.Errorf("aud = %v, want the issuer", a["aud"])
	}
	if c := sign(PrivateKeyJWT{Signer: key, Audience: "urn:other"}, server); c["aud"] != "urn:other" {
		t.Errorf("aud = %v, want the configured one", c["aud"])
	}
}

func TestKeysThatCannotSignAreRefused(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go makes no such key:", err)
	}
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	for name, test := range map[string]struct {
		key  PrivateKeyJWT
		want string
	}{
		"nothing":             {PrivateKeyJWT{}, "one of PEM and Signer"},
		"both":                {PrivateKeyJWT{PEM: pkcs8(t, ed), Signer: ed}, "one of PEM and Signer"},
		"no PEM":              {PrivateKeyJWT{PEM: auth.NewSecret("hunter2hunter2")}, "no PEM block"},
		"certificate":         {PrivateKeyJWT{PEM: pemOf(t, "CERTIFICATE", []byte("hunter2"), nil)}, "no private key"},
		"with a password":     {PrivateKeyJWT{PEM: pemOf(t, "ENCRYPTED PRIVATE KEY", []byte("hunter2"), nil)}, "password"},
		"malformed":           {PrivateKeyJWT{PEM: pemOf(t, "PRIVATE KEY", []byte("hunter2"), nil)}, "malformed"},
		"small RSA":           {PrivateKeyJWT{Signer: small}, "2048"},
		"small curve":         {PrivateKeyJWT{Signer: p224}, "curve"},
		"unfit algorithm":     {PrivateKeyJWT{Signer: ed, Algorithm: "RS256"}, "not fit Algorithm"},
		"symmetric algorithm": {PrivateKeyJWT{Signer: ed, Algorithm: "HS256"}, "not fit Algorithm"},
		"no signature":        {PrivateKeyJWT{Signer: ed, Algorithm: "none"}, "not fit Algorithm"},
	} {
		_, err := test.key.signer()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one about %q", name, err, test.want)
		}
		leaks(t, err, "hunter2")
	}
}

func TestAServerThatTakesNoneOfTheAlgorithmsGetsNoAssertion(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	w := newGrantWorld(t)
	w.metadata["token_endpoint_auth_signing_alg_values_supported"] = []string{"RS256"}
	_, err := obtain(t.Context(), w.client(&ClientCredentials{Client: ClientAuth{ID: "agent", Key: &PrivateKeyJWT{Signer: key}}}), worldUser)
	if err == nil || len(w.requests()) != 0 {
		t.Errorf("error %v after %d token requests, want one before the first", err, len(w.requests()))
	}
}

func FuzzPEM(f *testing.F) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.Add(pkcs8(f, key).Reveal())
	f.Add("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		k := PrivateKeyJWT{PEM: auth.NewSecret(text)}
		s, err := k.signer()
		if err != nil {
			return
		}
		if _, err := s.assertion("agent", &oauthex.AuthServerMeta{Issuer: worldIssuer}); err != nil {
			t.Skip("the key was read and cannot sign:", err)
		}
	})
}
