package deps

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	fence      = regexp.MustCompile("(?ms)^```.*?^```\n?")
	inlineCode = regexp.MustCompile("`[^`\n]+`")
	link       = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	notInSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	makeTarget = regexp.MustCompile(`\bmake (?:-[a-zA-Z]+ )*([a-z][a-z-]*)`)
	ruleLine   = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// checkLinks returns one line per relative link of the Markdown file name, found in dir, that leads nowhere.
// Links to other sites are not followed: a test must not need the network.
func checkLinks(dir fs.FS, name string) (violations []string, err error) {
	text, err := fs.ReadFile(dir, name)
	if err != nil {
		return nil, err
	}
	prose := inlineCode.ReplaceAll(fence.ReplaceAll(text, nil), nil)
	for _, match := range link.FindAllSubmatch(prose, -1) {
		target := string(match[1])
		if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		file, anchor, _ := strings.Cut(target, "#")
		linked := name
		if file != "" {
			linked = filepath.ToSlash(filepath.Join(filepath.Dir(name), file))
		}
		info, err := fs.Stat(dir, linked)
		if err != nil {
			violations = append(violations, fmt.Sprintf("%s: link to %s: there is no %s", name, target, linked))
			continue
		}
		if anchor == "" || info.IsDir() {
			continue
		}
		content, err := fs.ReadFile(dir, linked)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(anchors(content), anchor) {
			violations = append(violations, fmt.Sprintf("%s: link to %s: %s has no such heading", name, target, linked))
		}
	}
	return violations, nil
}

// anchors lists the fragment names of a document's headings as GitHub makes them.
func anchors(text []byte) []string {
	var names []string
	for _, match := range heading.FindAllSubmatch(fence.ReplaceAll(text, nil), -1) {
		name := notInSlug.ReplaceAllString(strings.ToLower(string(match[1])), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// checkTargets returns one line per "make x" in a document that the Makefile has no rule for.
func checkTargets(name string, text, makefile []byte) (violations []string) {
	var targets []string
	for _, match := range ruleLine.FindAllSubmatch(makefile, -1) {
		targets = append(targets, string(match[1]))
	}
	// Only code says what to run: prose may well make sense.
	code := slices.Concat(fence.FindAll(text, -1), inlineCode.FindAll(fence.ReplaceAll(text, nil), -1))
	for _, match := range makeTarget.FindAllSubmatch(bytes.Join(code, []byte("\n")), -1) {
		if target := string(match[1]); !slices.Contains(targets, target) {
			violations = append(violations, fmt.Sprintf("%s: make %s: the Makefile has no such target", name, target))
		}
	}
	return violations
}

// documents lists the Markdown files of the repository.
func documents(t *testing.T, dir fs.FS) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(dir, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".md") {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestDocumentsLinkToWhatExists(t *testing.T) {
	dir := os.DirFS(root)
	names := documents(t, dir)
	if len(names) == 0 {
		t.Fatal("no documents found: the check looks in the wrong place")
	}
	for _, name := range names {
		violations, err := checkLinks(dir, name)
		if err != nil {
			t.Error(err)
		}
		for _, violation := range violations {
			t.Error(violation)
		}
	}
}

func TestDocumentsNameMakeTargetsThatExist(t *testing.T) {
	dir := os.DirFS(root)
	makefile, err := fs.ReadFile(dir, "Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range documents(t, dir) {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Error(err)
		}
		for _, violation := range checkTargets(name, text, makefile) {
			t.Error(violation)
		}
	}
}
