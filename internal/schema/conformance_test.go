package schema

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgreesWithTheOfficialSuite runs the JSON Schema Test Suite, which github.com/google/jsonschema-go ships inside its
// module for the two dialects in use. The only groups left out are those that need another document: Compile must
// refuse them.
func TestAgreesWithTheOfficialSuite(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/jsonschema-go").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skip("the source of github.com/google/jsonschema-go is not at hand (vendored build?)")
	}
	for _, d := range []struct{ name, uri string }{
		{"draft7", "http://json-schema.org/draft-07/schema#"},
		{"draft2020-12", "https://json-schema.org/draft/2020-12/schema"},
	} {
		files, _ := filepath.Glob(filepath.Join(dir, "jsonschema", "testdata", d.name, "*.json"))
		ran, remote := 0, 0
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var groups []struct {
				Description string
				Schema      json.RawMessage
				Tests       []struct {
					Description string
					Data        json.RawMessage
					Valid       bool
				}
			}
			if err := json.Unmarshal(text, &groups); err != nil {
				t.Fatal(err)
			}
			for _, g := range groups {
				s, err := Compile(withDialect(t, g.Schema, d.uri), &Limits{AnyType: true})
				var guard *GuardError
				if errors.As(err, &guard) && guard.Rule == RuleRemoteRef {
					remote++
					continue
				}
				if errors.As(err, &guard) && guard.Rule == RuleDialect && strings.Contains(string(g.Schema), "localhost") {
					remote++
					continue
				}
				if err != nil {
					t.Errorf("%s: %s: %s: %v", d.name, filepath.Base(file), g.Description, err)
					continue
				}
				for _, c := range g.Tests {
					value, err := decode(c.Data)
					if err != nil {
						t.Fatal(err)
					}
					ran++
					if err := s.ValidateValue(value); (err == nil) != c.Valid {
						t.Errorf("%s: %s: %s: %s: got %v, want valid=%v", d.name, filepath.Base(file), g.Description, c.Description, err, c.Valid)
					}
				}
			}
		}
		t.Logf("%s: %d cases, %d groups with references to other documents refused", d.name, ran, remote)
		if ran < 500 {
			t.Errorf("%s: only %d cases ran", d.name, ran)
		}
	}
}

// withDialect adds $schema to a schema that has none.
func withDialect(t *testing.T, schema json.RawMessage, uri string) any {
	t.Helper()
	v, err := decode(schema)
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := v.(map[string]any); ok && m["$schema"] == nil {
		m["$schema"] = uri
	}
	return v
}
