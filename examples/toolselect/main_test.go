package main

import (
	"bytes"
	"errors"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tools = `{"server":"github","name":"create_pull_request","description":"Opens a pull request that proposes to merge one branch into another.","input_schema":{"type":"object","properties":{"title":{"type":"string"}}}}
{"server":"github","name":"list_issues","description":"Lists the issues of a repository.","input_schema":{"type":"object"}}

{"server":"odd name!","name":"send_email","description":"Sends an e-mail message to a recipient.\nOn more than one line.","input_schema":{"properties":{"to":{"type":"string"}}}}
{"server":"weather","name":"get_forecast","description":"Tells the weather forecast of a city: temperature, rain and wind, for today and for each of the next ten days."}
{"server":"","name":"add","description":"Adds two numbers."}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func output(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var out, progress bytes.Buffer
	if err := run(t.Context(), args, strings.NewReader(stdin), &out, &progress); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	if progress.Len() > 0 {
		t.Errorf("%q: progress is shown to nobody: %q", args, progress.String())
	}
	return out.String()
}

var reduction = regexp.MustCompile(`(?m)^5 tools, \d+ tokens -> [1-5] tools, \d+ tokens \(\d+\.\d % fewer\), \S+s$`)

func TestARequestIsAnsweredWithATableOfTools(t *testing.T) {
	dump := write(t, "tools.jsonl", tools)
	out := output(t, "", "-dump", dump, "-max", "2", "open", "a", "pull", "request")
	lines := strings.Split(out, "\n")
	if !reduction.MatchString(out) || len(lines) < 3 || !strings.HasPrefix(lines[1], "SCORE  TOKENS  TOOL") || !strings.Contains(lines[2], "github.create_pull_request") {
		t.Errorf("printed\n%s", out)
	}
	out = output(t, "", "-dump", dump, "-max", "2", "-servers", "odd-name-, weather", "-explain", "-steps", "send an e-mail; weather forecast of a city")
	for _, want := range []string{"odd-name-.send_email", "weather.get_forecast", "STEP", "send an e-mail", "VECTOR", "Sends an e-mail message to a recipient.\n", "…\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "github") {
		t.Errorf("printed\n%s", out)
	}
}

func TestRequestsAreReadLineByLine(t *testing.T) {
	long := strings.Repeat("weather forecast ", 5000) // is one line too
	if out := output(t, long+"\n", "-dump", write(t, "tools.jsonl", tools), "-max", "1"); !strings.Contains(out, "weather.get_forecast") {
		t.Errorf("a long request is answered with\n%s", out)
	}
	out := output(t, "send an e-mail\n\nweather forecast of a city\n", "-dump", write(t, "tools.jsonl", tools), "-max", "1")
	if n := len(reduction.FindAllString(out, -1)); n != 2 || !strings.Contains(out, "odd-name-.send_email") || !strings.Contains(out, "weather.get_forecast") {
		t.Errorf("%d answers in\n%s", n, out)
	}
}

func TestTheCatalogueMayBeThatOfServers(t *testing.T) {
	server := mcp.NewServer(&mcp.Implementation{Name: "live", Version: "1"}, nil)
	server.AddTool(&mcp.Tool{Name: "water_flowers", Description: "Waters the flowers.", InputSchema: map[string]any{"type": "object"}}, refuse)
	host := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))
	defer host.Close()
	config := write(t, "mcp.json", `{"mcpServers":{"live":{"url":"`+host.URL+`"}}}`)
	if out := output(t, "", "-config", config, "water the flowers"); !strings.Contains(out, "live.water_flowers") {
		t.Errorf("printed\n%s", out)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"x"}, "either -config or -dump"},
		{[]string{"-config", "a", "-dump", "b", "x"}, "either -config or -dump"},
		{[]string{"-dump", "none.jsonl", "x"}, "none.jsonl"},
		{[]string{"-dump", write(t, "tools.jsonl", `{"name":"a"}`+"\nnot JSON\n"), "x"}, "line 2"},
		{[]string{"-dump", write(t, "tools.jsonl", `{"server":"a"}`), "x"}, "without a name"},
		{[]string{"-dump", write(t, "tools.jsonl", "\n"), "x"}, "no tools"},
		{[]string{"-dump", write(t, "tools.jsonl", `{"name":"a","input_schema":{"properties":{"x":{"x-mcp-header":"a b"}}}}`), "x"}, "line 1"},
		{[]string{"-dump", write(t, "tools.jsonl", tools), "-budget", "-1", "x"}, "TokenBudget"},
	} {
		var out, progress bytes.Buffer
		if err := run(t.Context(), test.args, strings.NewReader(""), &out, &progress); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want one with %q", test.args, err, test.want)
		}
	}
	var out, usage bytes.Buffer
	if err := run(t.Context(), []string{"-none"}, strings.NewReader(""), &out, &usage); !errors.Is(err, flag.ErrHelp) || !strings.Contains(usage.String(), "-steps") {
		t.Errorf("an unknown flag: %v, %q", err, usage.String())
	}
}

func TestNumbersAreReadable(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1760000: "1,760,000", 12345678: "12,345,678"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestProgressIsDrawnInPlaceAndRemoved(t *testing.T) {
	var out bytes.Buffer
	p := &progress{out: &out}
	p.show("indexing", 0, 0)
	p.show("indexing", 1, 2)
	p.clear()
	p.clear()
	if want := "\r\x1b[Kindexing   [" + strings.Repeat("#", 15) + strings.Repeat(".", 15) + "] 1 of 2\r\x1b[K"; out.String() != want {
		t.Errorf("drawn %q, want %q", out.String(), want)
	}
}
