package main

import (
	"os"
	"testing"
)

func TestDescendantsOfAProcessThatHasNone(t *testing.T) {
	if n := len(descendants()); n != 0 {
		t.Errorf("descendants() = %d, want 0", n)
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc")
	}
	_, command, started, ok := processStat(os.Getpid())
	self, older := child{os.Getpid(), started, command}, child{os.Getpid(), "0", command}
	if found := alive(map[child]bool{self: true, older: true}); !ok || !found[self] || found[older] {
		t.Errorf("alive() does not tell this process (started at %q) from an older one with its id", started)
	}
}

func TestParseStatCopesWithAnyName(t *testing.T) {
	parent, command, started, ok := parseStat("42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000 10")
	if !ok || parent != 7 || command != "a) b (c" || started != "12345" {
		t.Errorf("parseStat = %d, %q, %q, %t, want 7, the whole name, 12345, true", parent, command, started, ok)
	}
	for _, bad := range []string{"", "42 (x", "42 (x) S 7", "42 (x) S y 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"} {
		if _, _, _, ok := parseStat(bad); ok {
			t.Errorf("parseStat(%q) is ok", bad)
		}
	}
}
