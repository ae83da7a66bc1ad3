package mcpgroup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

func read(t testing.TB, text string, vars map[string]string) *Config {
	t.Helper()
	c, err := ReadConfig(strings.NewReader(text), &ConfigOptions{Lookup: environment(vars)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAConfigurationIsReadWhole(t *testing.T) {
	c := read(t, `{
		"$schema": "https://example.com/schema.json",
		"mcpServers": {
			"files": {
				"command": "npx", "args": ["-y", "server-filesystem", "${ROOT:-/srv}/shared"], "env": {"TOKEN": "${TOKEN}", "EMPTY": ""}, "cwd": "/tmp",
				"description": "Files", "category": "storage", "labels": {"team": "x"}, "required": true,
				"include": ["read_*"], "overrides": {"read_text_file": {"alias": "read", "description": "Reads."}},
				"names": {"prefix": "fs_", "maxLength": 40, "collision": "priority"},
				"timeouts": {"call": "90s", "connect": 5, "reconnect": -1, "tools": "1h"},
				"sessions": {"max": 7, "maxPerUser": 2, "wait": true, "idle": "1m", "lifetime": 3600},
				"trust": true, "maxResponseBytes": 1048576, "protocolVersion": "2025-06-18", "tenant": "acme"
			},
			"remote": {
				"url": "https://mcp.example.com/mcp", "type": "http", "headers": {"X-Key": "${KEY}"}, "egress": "public",
				"notifications": true, "exclude": ["drop"], "sessions": {"shared": true, "perUserTools": true}, "auth": {"credential": "id", "oauth": {"grant": "code"}},
				"autoApprove": ["x"], "timeout": null
			},
			"old": {"url": "https://mcp.example.com/sse", "type": "sse", "disabled": true}
		}
	}`, map[string]string{"TOKEN": "a${B}c", "KEY": "k"})
	want := []ServerConfig{
		{
			Name: "files", Command: "npx", Args: []string{"-y", "server-filesystem", "/srv/shared"}, Env: map[string]string{"TOKEN": "a${B}c", "EMPTY": ""}, Dir: "/tmp",
			Description: "Files", Category: "storage", Labels: map[string]string{"team": "x"}, Required: true,
			Include: []string{"read_*"}, Overrides: map[string]Override{"read_text_file": {Alias: "read", Description: "Reads."}},
			Names:       NamePolicy{Prefix: "fs_", MaxLen: 40, Collision: CollisionPriority},
			CallTimeout: 90 * time.Second, DialTimeout: 5 * time.Second, ReconnectWindow: -time.Second, ToolsTTL: time.Hour,
			Sessions: SessionLimits{Max: 7, MaxPerUser: 2, Wait: true, IdleTimeout: time.Minute, MaxLifetime: time.Hour},
			Trusted:  true, MaxResponseBytes: 1 << 20, ProtocolVersion: "2025-06-18", Tenant: "acme",
		},
		{
			Name: "remote", URL: "https://mcp.example.com/mcp", Headers: map[string]string{"X-Key": "k"}, Egress: EgressPublic,
			Notifications: true, Exclude: []string{"drop"}, Shared: true, PerUserTools: true, Credential: "id", OAuth: map[string]string{"grant": "code"},
		},
		{Name: "old", URL: "https://mcp.example.com/sse", Transport: TransportSSE, Disabled: true},
	}
	if !reflect.DeepEqual(c.Servers, want) {
		t.Errorf("read\n%+v\nwant\n%+v", c.Servers, want)
	}
	var paths []string
	for _, w := range c.Warnings {
		paths = append(paths, w.Path)
	}
	if want := []string{`["$schema"]`, "mcpServers.remote.autoApprove", "mcpServers.remote.timeout"}; !slices.Equal(paths, want) {
		t.Errorf("warnings about %q, want %q", paths, want)
	}
}

// Scenarios 93, 94, 107 and 128, each problem with its path, and all of a document at once.
func TestEveryProblemOfADocumentIsReportedWithItsPath(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string // "path: part of the message"
	}{
		"not JSON":          {"{\n\"mcpServers\": {,}}", []string{": not JSON: line 2"}},
		"cut":               {`{"mcpServers": {`, []string{": not JSON: line 1: the text ends too early"}},
		"two documents":     {`{"mcpServers": {}} {}`, []string{": not JSON: line 1: there is more"}},
		"empty":             {``, []string{": not JSON"}},
		"an array":          {`[]`, []string{": must be an object, is an array"}},
		"no servers":        {`{}`, []string{`: the required member "mcpServers" is missing`}},
		"servers in a list": {`{"mcpServers": []}`, []string{"mcpServers: must be an object of servers, is an array"}},
		"neither":           {`{"mcpServers": {"a": {}}}`, []string{`mcpServers.a: must specify either "command"`}},
		"both":              {`{"mcpServers": {"a": {"command": "x", "url": "http://h"}}}`, []string{`mcpServers.a: cannot have both`}},
		"a server of text":  {`{"mcpServers": {"a": "x"}}`, []string{"mcpServers.a: must be an object, is a string"}},
		"a name":            {`{"mcpServers": {"a b": {"command": "x"}}}`, []string{`mcpServers["a b"]: Name: must be 1 to 64`}},
		"twice":             {`{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}}}`, []string{"mcpServers.a: is there twice"}},
		"a relative URL":    {`{"mcpServers": {"a": {"url": "mcp"}}}`, []string{"mcpServers.a: URL: must be an absolute http or https URL"}},
		"include and exclude": {`{"mcpServers": {"a": {"command": "x", "include": ["a"], "exclude": ["b"]}}}`,
			[]string{"mcpServers.a: Include, Exclude: include and exclude cannot be used together"}},
		"a glob":   {`{"mcpServers": {"a": {"command": "x", "include": ["[a"]}}}`, []string{"mcpServers.a: Include, Exclude: "}},
		"a prefix": {`{"mcpServers": {"a": {"command": "x", "names": {"prefix": "a b"}}}}`, []string{"mcpServers.a: Names: the prefix"}},
		"types": {`{"mcpServers": {"a": {"command": 1, "args": "x", "env": {"A": 1}, "headers": [], "url": {}, "disabled": "yes", "timeouts": {"call": "soon"},
			"sessions": {"max": 1.5}, "overrides": {"t": []}, "type": "ws", "egress": "all", "names": {"collision": "x"}}, "b": {"command": "x", "args": ["y", 2]}}}`,
			[]string{
				"mcpServers.a.command: must be a string, is a number", "mcpServers.a.args: must be an array of strings, is a string",
				"mcpServers.a.env.A: must be a string, is a number", "mcpServers.a.headers: must be an object of strings, is an array",
				"mcpServers.a.url: must be a string, is an object", "mcpServers.a.disabled: must be true or false, is a string",
				"mcpServers.a.timeouts.call: must be a duration", "mcpServers.a.sessions.max: must be a whole number",
				"mcpServers.a.overrides.t: must be an object, is an array", `mcpServers.a.type: must be "stdio", "http" or "sse"`,
				`mcpServers.a.egress: must be "operator" or "public"`, `mcpServers.a.names.collision: must be "error"`,
				"mcpServers.b.args[1]: must be a string, is a number",
			}},
		"variables": {`{"mcpServers": {"a": {"command": "${NONE}", "args": ["x", "${ALSO_NONE}", "${", "${1}"], "env": {"A": "${SET} ${UNSET:-d}"}}}}`,
			[]string{
				"mcpServers.a.command: the environment variable NONE is not set", "mcpServers.a.args[1]: the environment variable ALSO_NONE is not set",
				"mcpServers.a.args[2]: ${ without }", `mcpServers.a.args[3]: what is between ${ and } is not the name of a variable`,
			}},
		"deep": {strings.Repeat("[", 1000), []string{": not JSON: line 1: nested more than 64 deep"}},
	} {
		_, err := ReadConfig(strings.NewReader(test.text), &ConfigOptions{Lookup: environment(map[string]string{"SET": "s3cret"})})
		var doc *DocumentError
		if !errors.As(err, &doc) || len(doc.Problems) != len(test.want) {
			t.Errorf("%s: error %v, want %d problems", name, err, len(test.want))
			continue
		}
		for i, want := range test.want {
			if got := doc.Problems[i].Path + ": " + doc.Problems[i].Message; !strings.HasPrefix(got, want) {
				t.Errorf("%s: problem %q, want %q", name, got, want)
			}
			if !strings.Contains(err.Error(), doc.Problems[i].Message) {
				t.Errorf("%s: the text %q leaves problem %d out", name, err, i)
			}
		}
	}
}

func TestVariablesAreReplacedInStringsOnly(t *testing.T) {
	vars := map[string]string{"A": "1", "EMPTY": "", "NESTED": "${A}"}
	for text, want := range map[string]string{
		"${A}": "1", "x${A}y${A}z": "x1y1z", "$A ${A}": "$A 1", "$${A}": "${A}", "$$${A}": "$${A}", "${NONE:-d}": "d", "${EMPTY:-d}": "d",
		"${EMPTY}": "", "${NONE:-}": "", "${NESTED}": "${A}", "${NONE:-a:-b}": "a:-b", "}{$": "}{$", "": "",
	} {
		b, _ := json.Marshal(text)
		c := read(t, `{"mcpServers": {"a": {"command": "x", "args": [`+string(b)+`], "sessions": {"max": 3}}}}`, vars)
		if got := c.Servers[0].Args[0]; got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestStrictReadingRefusesWhatIsUnknown(t *testing.T) {
	text := `{"mcpServers": {"a": {"command": "x", "agrs": []}}}`
	_, err := ReadConfig(strings.NewReader(text), &ConfigOptions{Strict: true})
	var doc *DocumentError
	if !errors.As(err, &doc) || len(doc.Problems) != 1 || doc.Problems[0].Path != "mcpServers.a.agrs" {
		t.Errorf("error %v", err)
	}
}

func TestAConfigurationFileIsNamedInItsErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mcp.json")
	if _, err := ReadConfigFile(path, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(path, []byte("\ufeff"+`{"mcpServers": {"a": {"command": 1}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadFile(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), "mcp.json: mcpServers.a.command") {
		t.Errorf("error %v", err)
	}
}

// Whatever the document, reading it ends, and what was read can be built or is refused with a reason.
func FuzzReadConfig(f *testing.F) {
	f.Add(`{"mcpServers": {"a": {"command": "x", "args": ["${A:-b}"], "env": {"A": "b"}}}}`)
	f.Add(`{"mcpServers": {"a": {"url": "https://h/p", "headers": {"A": "${B}"}, "timeouts": {"call": 1e300}, "sessions": {"max": 9223372036854775807}}}}`)
	f.Add(`{"mcpServers": {"a": {"url": "http://[::1%25x]/"}, "": {"command": "\u0000"}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadConfig(strings.NewReader(text), &ConfigOptions{Lookup: environment(nil)})
		if err != nil {
			var doc *DocumentError
			if !errors.As(err, &doc) || len(doc.Problems) == 0 {
				t.Fatalf("error %v without problems", err)
			}
			return
		}
		for _, s := range c.Servers {
			if _, err := s.resolved(&Options{}); err != nil {
				t.Fatalf("%q was read and is refused: %v", s.Name, err)
			}
			if !sameServer(s, s) {
				t.Fatalf("%+v is not the same as itself", s)
			}
		}
	})
}

// Whatever is between ${ and } may be part of a password.
func TestAProblemShowsNothingOfAValue(t *testing.T) {
	for _, document := range []string{
		`{"mcpServers": {"a": {"url": "https://x.example/mcp", "headers": {"Authorization": "Bearer pa${s3cr-3t}"}}}}`,
		`{"mcpServers": {"a": {"command": "x", "env": {"PASSWORD": "${s3cr 3t"}}}}`,
		`{"mcpServers": {"a": {"command": "x", "env": {"PASSWORD": "${s3cr.3t:-x}"}}}}`,
		`{"mcpServers": {"a": {"url": "https://bob:s3cr-3t@x.example/mcp"}}}`,
		`{"mcpServers": {"a": {"url": "https://x.example:s3cr-3t/mcp"}}}`,
		`{"mcpServers": {"a": {"command": "x", "maxResponseBytes": 333333333333333333333.3}}}`,
	} {
		_, err := ReadConfig(strings.NewReader(document), nil)
		if err == nil || strings.Contains(err.Error(), "s3cr") || strings.Contains(err.Error(), "333") {
			t.Errorf("%s: %v", document, err)
		}
	}
}

// A document of many megabytes in which nothing is right is refused, with what a person can read.
func TestADocumentFullOfMistakesIsRefusedBriefly(t *testing.T) {
	var many strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&many, `,"s%d":{}`, i)
	}
	long := strings.Repeat("x", 1<<20)
	for _, document := range []string{
		`{"mcpServers":{"a":{}` + many.String() + `}}`,
		`{"` + long + `":[1` + strings.Repeat(",1", 100_000) + `],"mcpServers":[]}`,
		`{"mcpServers":{"a":{"args":[1` + strings.Repeat(",1", 500_000) + `]}}}`,
	} {
		_, err := ReadConfig(strings.NewReader(document), nil)
		var problems *DocumentError
		if !errors.As(err, &problems) || len(problems.Problems) > 100 || len(err.Error()) > 32<<10 {
			t.Errorf("%.40s: %.200v", document, err)
		}
	}
	cfg, err := ReadConfig(strings.NewReader(`{"mcpServers":{}`+many.String()+`}`), nil)
	if err != nil || len(cfg.Warnings) != 100 {
		t.Errorf("%d warnings, %v", len(cfg.Warnings), err)
	}
}
