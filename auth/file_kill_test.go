package auth_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// killEnv names the directory in which a process of this binary saves until it is killed.
const killEnv = "MCPFLEET_TEST_KILL"

// What a save has acknowledged is there after the process was killed, and nothing is half there.
func TestFileStoreSurvivesKill(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "store")
	last := 0
	for range 10 {
		cmd := exec.Command(exe, "-test.run=^TestSaveUntilKilled$", "-test.timeout=1m")
		cmd.Env = append(os.Environ(), killEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, enough := bufio.NewScanner(out), last+20+rand.IntN(20)
		for lines.Scan() { // to the end: what was said before the kill counts
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				continue // package testing says something
			}
			last = n
			if n == enough {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		if last < enough {
			t.Fatalf("the process saved %d and ended, want %d and killed", last, enough)
		}
		value, err := fileStore(t, dir, aesKey(1)).Load(t.Context(), alice)
		if got := number(value); err != nil || got < last || got > last+1 {
			t.Fatalf("Load = %.20q (%d bytes), %v; acknowledged was %d", value, len(value), err, last)
		}
	}
	old := time.Now().Add(-time.Hour)
	for _, name := range list(t, dir) {
		if strings.HasPrefix(name, "tmp-") {
			if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	fileStore(t, dir, aesKey(1))
	onlyFile(t, dir)
}

// numbered is a value of some length that says which one it is, and number reads it, or returns -1.
func numbered(n int) []byte { return []byte(strings.Repeat(fmt.Sprintf("%08d", n), 1000)) }

func number(value []byte) int {
	if len(value) != 8000 {
		return -1
	}
	n, err := strconv.Atoi(string(value[:8]))
	if err != nil || string(numbered(n)) != string(value) {
		return -1
	}
	return n
}

// TestSaveUntilKilled is what those processes run.
func TestSaveUntilKilled(t *testing.T) {
	dir, ok := os.LookupEnv(killEnv)
	if !ok {
		t.Skip("runs in the processes of TestFileStoreSurvivesKill")
	}
	s := fileStore(t, dir, aesKey(1))
	value, _ := s.Load(t.Context(), alice)
	for n := max(number(value), 0) + 1; ; n++ {
		mustSave(t, s, alice, string(numbered(n)))
		fmt.Println(n)
	}
}
