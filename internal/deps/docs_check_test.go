package deps

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestLinkCheckFindsDeadFilesAndHeadings(t *testing.T) {
	dir := fstest.MapFS{
		"README.md": {Data: []byte("# Top\n[a](docs/a.md) [b](docs/b.md) [c](docs/a.md#the-words-once) [d](docs/a.md#gone)\n" +
			"[e](#top) [f](#bottom) [g](https://example.com/x) [h](docs)\n`[i](code.md)`\n```\n[j](fenced.md)\n```\n")},
		"docs/a.md": {Data: []byte("[up](../README.md) [lost](README.md)\n## The words, *once*\n```\n# gone\n```\n")},
	}
	for name, want := range map[string][]string{
		"README.md": {
			"README.md: link to docs/b.md: there is no docs/b.md",
			"README.md: link to docs/a.md#gone: docs/a.md has no such heading",
			"README.md: link to #bottom: README.md has no such heading",
		},
		"docs/a.md": {"docs/a.md: link to README.md: there is no docs/README.md"},
	} {
		got, err := checkLinks(dir, name)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("checkLinks(%s) = %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestTargetCheckReadsCodeAndNotProse(t *testing.T) {
	makefile := []byte("GO ?= go\ntest: ## x\n\tgo test\nfigures-call:\n\tgo run\n")
	text := []byte("We make sense. Run `make test`, (`make figures-call`) or `make gone`.\n```sh\nmake lost\nmake test\n```\n")
	want := []string{
		"x.md: make lost: the Makefile has no such target",
		"x.md: make gone: the Makefile has no such target",
	}
	if got := checkTargets("x.md", text, makefile); !slices.Equal(got, want) {
		t.Errorf("checkTargets = %q, want %q", got, want)
	}
}
