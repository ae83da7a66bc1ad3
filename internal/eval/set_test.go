package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	toolLines = `{"id":"mail.send","server":"mail","name":"send","description":"Send an e-mail","depends_on":[{"name":"mail.login"}]}

{"id":"mail.login","server":"mail","name":"login","description":"Log in to the mail account"}
{"id":"sun.rise","server":"sun","name":"rise","description":"When the sun rises"}`
	requestLines = `{"id":"1","text":"write to Jon","groups":[["mail.send"]],"steps":["send an e-mail"]}
{"id":"2","text":"when does the sun come up? mail it","groups":[["sun.rise"],["mail.send"]],"steps":["sunrise","send mail"]}`
)

func writeSet(t *testing.T, tools, requests string) string {
	t.Helper()
	dir := t.TempDir()
	for name, lines := range map[string]string{"tools.jsonl": tools, "queries-dev.jsonl": requests} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func readSet(t *testing.T) *Set {
	t.Helper()
	set, err := FindSet(writeSet(t, toolLines, requestLines))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestSetsAreRead(t *testing.T) {
	set := readSet(t)
	if len(set.Tools) != 3 || len(set.Requests) != 2 || set.Requests[1].Groups[1][0] != "mail.send" || set.Tools[0].DependsOn[0].Name != "mail.login" {
		t.Errorf("FindSet = %+v", set)
	}
}

func TestBadSetsAreRefusedWithTheLine(t *testing.T) {
	for name, c := range map[string]struct{ tools, requests, want string }{
		"no JSON":         {"{", requestLines, "tools.jsonl:1:"},
		"tool twice":      {toolLines + "\n" + toolLines, requestLines, `"mail.send" occurs twice`},
		"unknown tool":    {toolLines, `{"id":"9","text":"x","groups":[["moon.rise"]]}`, `queries-dev.jsonl:1: request "9" names "moon.rise"`},
		"nothing to find": {toolLines, "\n" + `{"id":"9","text":"x"}`, `queries-dev.jsonl:2: request "9" has no text or no groups`},
	} {
		if _, err := FindSet(writeSet(t, c.tools, c.requests)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "eval: ") {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	if _, err := FindSet(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: error %v, want not exist", err)
	}
}

func TestAllSystemsFindTheToolsOfASmallSet(t *testing.T) {
	set := readSet(t)
	all := tasks(set)
	if len(all) != 2 {
		t.Fatalf("%d tasks, want raw and steps", len(all))
	}
	var b strings.Builder
	c := Compare(all[1])
	c.Print(&b, []float64{0, 0})
	if got := c.Whole.Mean.R10; got != 1 {
		t.Errorf("R@10 of the whole on three tools = %v, want 1", got)
	}
	for _, want := range []string{"| naive BM25 |", "| whole |", "against the baseline: +"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

func TestDependenciesAreFollowed(t *testing.T) {
	set := readSet(t)
	f := whole(set, nil)
	s := Spend(raw(set), f, 1)
	if s.Tokens != 0 || s.Recall != 0 || s.Free != 1 || s.Saved() != 1 {
		t.Errorf("a budget of one token: %+v, want nothing found, and all without it", s)
	}
	if got := edges(set); len(got) != 1 || got[0].From != "mail.send" || got[0].To != "mail.login" {
		t.Errorf("edges = %v", got)
	}
}

func TestRestrictLeavesRequestsThatCanBeDone(t *testing.T) {
	part := Restrict(readSet(t), "mail", []string{"mail"})
	if len(part.Tools) != 2 || len(part.Requests) != 1 || part.Requests[0].ID != "1" {
		t.Errorf("Restrict = %+v", part)
	}
}

func TestBaselinesAreReadAsTheyWereWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "baseline.json")
	if b, err := ReadBaseline(path); err != nil || len(b) != 0 {
		t.Errorf("ReadBaseline without a file = %v, %v", b, err)
	}
	if err := (Baseline{"b": {0.12345, 1}, "a": {}, "c": nil}).Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := ReadBaseline(path)
	if err != nil || !slices.Equal(got["b"], []float64{0.123, 1}) || len(got) != 3 {
		t.Errorf("ReadBaseline = %v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBaseline(path); err == nil {
		t.Error("a baseline that is no JSON is read")
	}
}
