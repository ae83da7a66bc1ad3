package mcptest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPaceKeepsItsRate(t *testing.T) {
	for _, perSecond := range []int{1, 10, 999, 1000, 1001, 100_000} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond/2)
			defer cancel()
			n := 0
			for i := range pace(ctx, perSecond) {
				if i != n {
					t.Fatalf("yielded %d as the %dth", i, n)
				}
				n++
			}
			if n != 10*perSecond {
				t.Errorf("%d per second yielded %d times in 10 s", perSecond, n)
			}
		})
	}
}

func TestPaceStopsWithItsLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range pace(t.Context(), 1000) {
			if i == 3 {
				break
			}
		}
	})
}

func TestTheTapSeesEveryMethodAndChangesNothing(t *testing.T) {
	text := `{"method":"a"}` + "\n" + `no JSON` + "\n" + `{"method":"b"}` + "\n" + `{"method":"cut"}`
	var seen []string
	in := newTap(nopCloser{strings.NewReader(text)}, func(method string) { seen = append(seen, method) })
	var got strings.Builder
	buf := make([]byte, 3) // shorter than any line
	for {
		n, err := in.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if got.String() != text || fmt.Sprint(seen) != "[a  b cut]" {
		t.Errorf("read %q, saw %q", got.String(), seen)
	}
}

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }

func TestParseStatReadsHostileNames(t *testing.T) {
	for stat, want := range map[string]Process{
		"12 (sh) S 1 12 12 0":            {12, 1, 12, "S", "sh"},
		"7 (a) S 9 9 (b) Z 3 4 0 0":      {7, 3, 4, "Z", "a) S 9 9 (b"},
		"99 (tmux: server) R 1 98 97 34": {99, 1, 98, "R", "tmux: server"},
	} {
		if got, ok := parseStat(stat); !ok || got != want {
			t.Errorf("parseStat(%q) = %+v, %t, want %+v", stat, got, ok, want)
		}
	}
	for _, stat := range []string{"", "1", "1 (sh)", "1 (sh) S", "x (sh) S 1 1", "1 )sh( S 1 1"} {
		if got, ok := parseStat(stat); ok {
			t.Errorf("parseStat(%q) = %+v, want none", stat, got)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	if self, err := os.ReadFile("/proc/self/stat"); err == nil {
		f.Add(string(self))
	}
	f.Add("12 (a (b) c) S 1 12 12 0")
	f.Fuzz(func(t *testing.T, stat string) {
		p, ok := parseStat(stat)
		if !ok {
			return
		}
		// What was read must read back: the fields do not depend on how the rest looks.
		again, ok := parseStat(fmt.Sprintf("%d (%s) %s %d %d", p.PID, p.Name, p.State, p.Parent, p.Group))
		if !ok || again != p {
			t.Errorf("parseStat(%q) = %+v, which reads back as %+v, %t", stat, p, again, ok)
		}
	})
}

func TestManyToolsAreDistinctAndAlwaysTheSame(t *testing.T) {
	const n = 1000
	tools, again := ManyTools(n, 12), ManyTools(n, 12)
	names := make(map[string]bool)
	for i, tool := range tools {
		names[tool.Def["name"].(string)] = true
		if a, b := string(encode(tool.Def)), string(encode(again[i].Def)); a != b {
			t.Fatalf("tool %d differs from call to call:\n%s\n%s", i, a, b)
		}
		schema := tool.Def["inputSchema"].(map[string]any)
		if got := len(schema["properties"].(map[string]any)); got != 12 {
			t.Errorf("tool %d has %d properties, want 12", i, got)
		}
	}
	if len(names) != n {
		t.Errorf("%d names of %d tools", len(names), n)
	}
	if got := ManyTools(1, 0)[0].Def["inputSchema"].(map[string]any)["required"]; got != nil {
		t.Errorf("without properties %v is required", got)
	}
}
