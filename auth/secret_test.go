package auth

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

const canary = "c4nary-7f3a" // in hexadecimal, in capitals or quoted it is found as well: see finds

// finds reports whether text shows the canary in any of the spellings that a printing verb makes of it.
func finds(text string) bool {
	hex := fmt.Sprintf("%x", canary)
	for _, spelling := range []string{canary, hex, fmt.Sprintf("% x", canary), fmt.Sprint([]byte(canary))} {
		if strings.Contains(strings.ToLower(text), spelling) {
			return true
		}
	}
	return false
}

// sinks are the ways in which a value gets out of a program unnoticed.
func sinks() map[string]func(v any) string {
	all := map[string]func(v any) string{
		"Errorf": func(v any) string { return fmt.Errorf("failed: %w, %v", io.EOF, v).Error() },
		"Sprint": func(v any) string { return fmt.Sprint(v) },
		"json": func(v any) string {
			b, err := json.Marshal(v)
			return fmt.Sprint(string(b), err)
		},
		"json in a map": func(v any) string {
			b, err := json.Marshal(map[string]any{"v": v})
			return fmt.Sprint(string(b), err)
		},
		"slog text": func(v any) string {
			var b strings.Builder
			slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
			return b.String()
		},
		"slog json": func(v any) string {
			var b strings.Builder
			slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
			return b.String()
		},
		"gob": func(v any) string {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return fmt.Sprint(b.String(), err)
		},
		"xml": func(v any) string {
			b, err := xml.Marshal(v)
			return fmt.Sprint(string(b), err)
		},
		"panic": func(v any) (text string) {
			defer func() { text = fmt.Sprint(recover()) }()
			panic(v)
		},
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%p", "%T", "%#x", "%U", "%t", "%e"} {
		all[verb] = func(v any) string { return fmt.Sprintf(verb, v) }
	}
	return all
}

// placements returns v in every place where a method might not be called.
func placements[T any](v T) map[string]any {
	type exported struct{ V T }
	type unexported struct{ v T }
	type embedded struct{ inner exported }
	return map[string]any{
		"direct":                       v,
		"pointer":                      &v,
		"exported field":               exported{v},
		"unexported field":             unexported{v},
		"pointer to unexported field":  &unexported{v},
		"pointer in unexported field":  struct{ p *T }{&v},
		"field of an unexported field": embedded{exported{v}},
		"slice":                        []T{v},
		"array in unexported field":    struct{ a [1]T }{[1]T{v}},
		"slice in unexported field":    struct{ s []T }{[]T{v}},
		"map":                          map[string]T{"k": v},
		"map in unexported field":      struct{ m map[string]T }{map[string]T{"k": v}},
		"interface":                    []any{v},
		"interface in unexported":      struct{ i any }{v},
	}
}

func checkSinks[T any](t *testing.T, name string, v T) {
	t.Helper()
	for place, placed := range placements(v) {
		for sink, show := range sinks() {
			if text := show(placed); finds(text) {
				t.Errorf("%s as %s through %s shows the secret: %s", name, place, sink, text)
			}
		}
	}
}

func TestNoSinkShowsASecret(t *testing.T) {
	checkSinks(t, "Secret", NewSecret(canary))
	used := NewSecret(canary) // with all that is computed from it
	used.Fingerprint()
	if _, err := used.asBearer().values(); err != nil {
		t.Fatal(err)
	}
	checkSinks(t, "used Secret", used)
}

func canaryCredential() Credential {
	return Credential{
		Authorization: NewSecret("Bearer " + canary),
		Headers:       map[string]Secret{"X-Api-Key": NewSecret(canary)},
		Env:           map[string]Secret{"TOKEN": NewSecret(canary)},
		ID:            "id", Principal: "p",
	}
}

func TestNoSinkShowsACredential(t *testing.T) {
	checkSinks(t, "Credential", canaryCredential())
	checkSinks(t, "Bearer", Bearer(canary))
	checkSinks(t, "Header", Header("X-Api-Key", canary))
}

func TestNoSinkShowsAResolutionOrWhatHoldsOne(t *testing.T) {
	c := mustChain(t, ChainConfig{Server: "s", Credential: canaryCredential()})
	r, err := c.Resolve(t.Context(), alice)
	if err != nil || r.Header().Get("Authorization") != "Bearer "+canary {
		t.Fatalf("Resolve = %v, %v", r, err)
	}
	checkSinks(t, "Resolution", r)
	checkSinks(t, "Chain", c)
	ctx := WithCredentials(t.Context(), map[string]Credential{"s": canaryCredential()})
	checkSinks(t, "context", ctx)
}

func TestNoSinkShowsARefusalItselfPrinted(t *testing.T) {
	r := Refusal{StatusCode: 401, Sent: http.Header{"Authorization": {"Bearer " + canary}}}
	for sink, show := range sinks() {
		for place, v := range map[string]any{"direct": r, "pointer": &r, "slice": []Refusal{r}, "field": struct{ R Refusal }{r}} {
			if verb := sink; verb == "%p" || sink == "gob" || sink == "xml" {
				continue // no method is asked; the type says so
			}
			if text := show(v); finds(text) {
				t.Errorf("Refusal as %s through %s shows the secret: %s", place, sink, text)
			}
		}
	}
}

// The sinks themselves must be able to find something.
func TestSinksFindWhatIsNotProtected(t *testing.T) {
	found := 0
	for _, show := range sinks() {
		if finds(show(struct{ V string }{canary})) {
			found++
		}
	}
	if found < 15 {
		t.Errorf("%d of %d sinks show a plain string, want nearly all", found, len(sinks()))
	}
}

func TestSecretsAreEqualByText(t *testing.T) {
	a, b, c := NewSecret("a"), NewSecret("a"), NewSecret("b")
	if !a.Equal(b) || a.Equal(c) || !(Secret{}).Equal(NewSecret("")) || a.Equal(Secret{}) {
		t.Error("Equal does not compare texts")
	}
	if a.Fingerprint() != b.Fingerprint() || a.Fingerprint() == c.Fingerprint() || (Secret{}).Fingerprint() != "" {
		t.Error("Fingerprint does not tell texts apart")
	}
	if f := a.Fingerprint(); len(f) != 32 || strings.Contains(f, "a\x00") || a.Fingerprint() != f {
		t.Errorf("Fingerprint = %q, want 32 digits, always the same", f)
	}
}

func TestARedactedSecretIsNotReadBack(t *testing.T) {
	type config struct{ Token Secret }
	var c config
	if err := json.Unmarshal([]byte(`{"Token": "abc"}`), &c); err != nil || c.Token.Reveal() != "abc" {
		t.Fatalf("Unmarshal = %v, %q", err, c.Token.Reveal())
	}
	written, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(written, &c); err == nil {
		t.Errorf("a configuration that was written out, %s, is read back as if it had the secret", written)
	}
}

func TestErrorsOfUnusableCredentialsDoNotShowThem(t *testing.T) {
	for _, cred := range []Credential{
		Bearer(canary + " x"), Bearer(canary + "\n"), Header("X-Key", canary+"\x00"), Header("X Key", canary),
		{Env: map[string]Secret{"A": NewSecret(canary + "\x00")}},
		{Authorization: NewSecret(" " + canary)},
	} {
		_, err := NewChain(ChainConfig{Server: "s", Credential: cred})
		if !errors.Is(err, ErrInvalidCredential) || finds(err.Error()) {
			t.Errorf("NewChain with %v: %v; want ErrInvalidCredential without the value", cred, err)
		}
	}
}

func TestTextsSayWhatIsThereAndNoMore(t *testing.T) {
	s, r := NewSecret(canary), Refusal{StatusCode: 401}
	c := mustChain(t, ChainConfig{Server: "s", Credential: canaryCredential()})
	res, err := c.Resolve(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ got, want string }{
		{s.String() + s.GoString(), redacted + redacted},
		{Credential{}.GoString(), "no credential"},
		{Reference("x").GoString(), `credential "x"`},
		{res.GoString(), "server secret (2 headers, 1 variables)"},
		{Resolution{Source: SourceRequestID, ID: "x"}.String(), `request credential id "x"`},
		{Source(7).String(), "Source(7)"},
		{r.GoString(), "refusal with status 401"},
		{(&SourceError{"s", SourceAgent, "x", ErrDenied}).Error(), `auth: the agent credential for server "s" (id "x") cannot be used: auth: the secret store denies access`},
		{
			(&AuthRequiredError{Server: "s", User: alice, URL: "https://as.example/?state=" + canary}).Error(),
			`auth: user "acme/alice" must authorize the use of server "s": send them to AuthRequiredError.URL`,
		},
	} {
		if test.got != test.want {
			t.Errorf("text is %q, want %q", test.got, test.want)
		}
	}
}

func TestAnAuthorizationURLIsNotPrinted(t *testing.T) {
	err := &AuthRequiredError{Server: "s", User: alice, URL: "https://as.example/?state=" + canary}
	for _, verb := range []string{"%v", "%+v", "%s", "%q"} {
		if text := fmt.Sprintf(verb, err); finds(text) {
			t.Errorf("%s shows the URL: %s", verb, text)
		}
	}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "err", err)
	if finds(b.String()) {
		t.Errorf("slog shows the URL: %s", b.String())
	}
}
