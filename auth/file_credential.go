package auth

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// A credentialFile is a [Credential] as it stands in a sealed file, and nowhere else: with its values in the clear.
type credentialFile struct {
	Authorization string            `json:"authorization,omitempty"`
	Headers       map[string]string `json:"headers,omitempty"`
	Env           map[string]string `json:"env,omitempty"`
	ID            string            `json:"id,omitempty"`
	Principal     string            `json:"principal,omitempty"`
}

func marshalCredential(c Credential) ([]byte, error) {
	valid := utf8.ValidString(c.Authorization.Reveal()) && utf8.ValidString(c.ID) && utf8.ValidString(c.Principal)
	reveal := func(secrets map[string]Secret) map[string]string {
		texts := make(map[string]string, len(secrets))
		for name, secret := range secrets {
			texts[name] = secret.Reveal()
			valid = valid && utf8.ValidString(name) && utf8.ValidString(texts[name])
		}
		return texts
	}
	w := credentialFile{c.Authorization.Reveal(), reveal(c.Headers), reveal(c.Env), c.ID, c.Principal}
	if !valid { // package json would put replacement characters in
		return nil, errors.New("a name or a value of the credential is not UTF-8")
	}
	return json.Marshal(w)
}

func unmarshalCredential(value []byte) (Credential, error) {
	var w credentialFile
	if err := json.Unmarshal(value, &w); err != nil {
		return Credential{}, err
	}
	hide := func(texts map[string]string) map[string]Secret {
		if len(texts) == 0 {
			return nil
		}
		secrets := make(map[string]Secret, len(texts))
		for name, text := range texts {
			secrets[name] = NewSecret(text)
		}
		return secrets
	}
	return Credential{NewSecret(w.Authorization), hide(w.Headers), hide(w.Env), w.ID, w.Principal}, nil
}
