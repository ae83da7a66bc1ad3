package main

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"sync"

	"github.com/golang-jwt/jwt/v5"
	sdkauth "github.com/modelcontextprotocol/go-sdk/auth"
)

// verifier checks access tokens against the published keys of their issuer, as a resource server must (RFC 9068
// section 4).
func verifier(issuer, resource string) sdkauth.TokenVerifier {
	keys := sync.OnceValues(func() (map[string]*rsa.PublicKey, error) { return fetchKeys(issuer) })
	return func(_ context.Context, token string, _ *http.Request) (*sdkauth.TokenInfo, error) {
		var claims struct {
			jwt.RegisteredClaims
			Scope string `json:"scope"`
		}
		_, err := jwt.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
			known, err := keys()
			if err != nil {
				return nil, err
			}
			id, _ := t.Header["kid"].(string)
			if known[id] == nil {
				return nil, fmt.Errorf("unknown key %q", id)
			}
			return known[id], nil
		}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(resource), jwt.WithExpirationRequired())
		if err != nil {
			return nil, fmt.Errorf("%w: %w", sdkauth.ErrInvalidToken, err)
		}
		return &sdkauth.TokenInfo{UserID: claims.Subject, Expiration: claims.ExpiresAt.Time, Scopes: []string{claims.Scope}}, nil
	}
}

// fetchKeys returns the RSA keys that an authorization server has published (RFC 8414, RFC 7517).
func fetchKeys(issuer string) (map[string]*rsa.PublicKey, error) {
	var metadata struct {
		Keys string `json:"jwks_uri"`
	}
	if err := getJSON(issuer+"/.well-known/oauth-authorization-server", &metadata); err != nil {
		return nil, err
	}
	var set struct {
		Keys []struct {
			ID       string `json:"kid"`
			Type     string `json:"kty"`
			Modulus  string `json:"n"`
			Exponent string `json:"e"`
		}
	}
	if err := getJSON(metadata.Keys, &set); err != nil {
		return nil, err
	}
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		n, err := base64.RawURLEncoding.DecodeString(k.Modulus)
		if err != nil {
			return nil, err
		}
		e, err := base64.RawURLEncoding.DecodeString(k.Exponent)
		if err != nil {
			return nil, err
		}
		if k.Type == "RSA" {
			keys[k.ID] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		}
	}
	return keys, nil
}

func getJSON(url string, v any) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(v)
}
