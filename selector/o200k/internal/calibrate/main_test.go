package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/selector/internal/pieces"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "tools.jsonl")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const two = `{"name":"search","description":"Searches the web.","input_schema":{"type":"object","properties":{"query":{"type":"string"}}}}
{"name":"fetch","description":"Fetches a page."}
`

func TestFiguresAreGoWithARowForEveryClass(t *testing.T) {
	var out strings.Builder
	if err := run(&out, write(t, two), "tools of a test", false); err != nil {
		t.Fatal(err)
	}
	if _, err := parser.ParseFile(token.NewFileSet(), "figures.go", out.String(), parser.ParseComments); err != nil {
		t.Error(err)
	}
	if got := strings.Count(out.String(), "\n\t{"); got != int(pieces.Classes) {
		t.Errorf("%d rows for %d classes", got, pieces.Classes)
	}
	if !strings.Contains(out.String(), "averages over 2 tools of a test.") {
		t.Errorf("the figures do not say what they are of:\n%s", out.String())
	}
}

func TestCheckReportsTheError(t *testing.T) {
	var out strings.Builder
	if err := run(&out, write(t, two), "", true); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "2 tools: ") || !strings.Contains(out.String(), "95th percentile") {
		t.Errorf("report = %s", out.String())
	}
}

func TestFilesWithoutToolsAreRefused(t *testing.T) {
	for _, text := range []string{"", "{", `{"name":1}`} {
		if err := run(&strings.Builder{}, write(t, text), "", true); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
	if err := run(&strings.Builder{}, filepath.Join(t.TempDir(), "none"), "", true); err == nil {
		t.Error("a file that is not there was accepted")
	}
}

func TestLettersThatOftenFollowOneAnotherAreFound(t *testing.T) {
	follow := followers([]string{strings.Repeat("the theHz ", 10_000) + "qx"})
	for pair, want := range map[string]bool{"th": true, "he": true, "hz": true, "eh": false, "et": false, "qx": false} {
		if got := follow[pair[0]-'a']>>(pair[1]-'a')&1 == 1; got != want {
			t.Errorf("%s is often: %t", pair, got)
		}
	}
}
