package vault

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/mcpfleet/mcpfleet/auth"
)

// FromEnv returns the configuration that the environment gives to the command line tools, for [New] to complete:
//
//	VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE
//	VAULT_CLIENT_TIMEOUT (seconds, or with a unit), VAULT_MAX_RETRIES
//	VAULT_CACERT, VAULT_CACERT_BYTES, VAULT_CAPATH, VAULT_CLIENT_CERT, VAULT_CLIENT_KEY, VAULT_TLS_SERVER_NAME
//
// Each of them may begin with BAO_ instead, as for OpenBao, which then counts. VAULT_SKIP_VERIFY is an error, because it
// would send the token to anybody, unless it is false. Auth is nil if there is no token.
func FromEnv() (Config, error) {
	cfg := Config{Address: env("ADDR"), Namespace: env("NAMESPACE")}
	if token := env("TOKEN"); token != "" {
		cfg.Auth = Token{auth.NewSecret(token)}
	}
	if v := env("SKIP_VERIFY"); v != "" {
		if skip, err := strconv.ParseBool(v); err != nil || skip {
			return Config{}, errors.New("auth/vault: VAULT_SKIP_VERIFY is set: trust the server's certificate with VAULT_CACERT")
		}
	}
	if v := env("CLIENT_TIMEOUT"); v != "" {
		timeout, err := time.ParseDuration(v)
		if seconds, number := strconv.Atoi(v); number == nil {
			timeout, err = time.Duration(seconds)*time.Second, nil
		}
		if err != nil || timeout < 0 {
			return Config{}, fmt.Errorf("auth/vault: VAULT_CLIENT_TIMEOUT %q is not a number of seconds or a duration", v)
		}
		cfg.Timeout = timeout
	}
	if v := env("MAX_RETRIES"); v != "" {
		retries, err := strconv.Atoi(v)
		if err != nil || retries < 0 {
			return Config{}, fmt.Errorf("auth/vault: VAULT_MAX_RETRIES %q is not a number", v)
		}
		if cfg.MaxRetries = retries; retries == 0 {
			cfg.MaxRetries = -1
		}
	}
	t := api.TLSConfig{
		CACert: env("CACERT"), CACertBytes: []byte(env("CACERT_BYTES")), CAPath: env("CAPATH"),
		ClientCert: env("CLIENT_CERT"), ClientKey: env("CLIENT_KEY"), TLSServerName: env("TLS_SERVER_NAME"),
	}
	if t.CACert == "" && len(t.CACertBytes) == 0 && t.CAPath == "" && t.ClientCert == "" && t.ClientKey == "" && t.TLSServerName == "" {
		return cfg, nil
	}
	transport := auth.Operator().Transport()
	if transport.TLSClientConfig == nil {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg.HTTPClient = &http.Client{Transport: transport}
	c := api.Config{HttpClient: cfg.HTTPClient}
	if err := c.ConfigureTLS(&t); err != nil {
		return Config{}, fmt.Errorf("auth/vault: the certificates that the environment names: %w", err)
	}
	return cfg, nil
}

// env returns BAO_name or else VAULT_name.
func env(name string) string { return orDefault(os.Getenv("BAO_"+name), os.Getenv("VAULT_"+name)) }
