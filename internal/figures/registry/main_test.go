package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRowsAreChosenByOneName(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range measurements {
		if seen[m.ID] {
			t.Errorf("two measurements are called %s", m.ID)
		}
		seen[m.ID] = true
	}
}

func TestHalfOfTheServersChange(t *testing.T) {
	y := newYard()
	defer y.close()
	children := 0
	for range 200 {
		half := y.half()
		if len(half) != len(y.all)/2 {
			t.Fatalf("%d of %d change", len(half), len(y.all))
		}
		for i, v := range half {
			if slices.Contains(half[:i], v) {
				t.Fatalf("%s changes twice", v.name)
			}
			if v.child {
				children++
			}
		}
	}
	if children == 0 {
		t.Error("no process ever changes")
	}
}

// A tally of calls is worth something only if it sees what goes wrong.
func TestAnswersOfAnotherGenerationAreStale(t *testing.T) {
	y := newYard()
	defer y.close()
	v := y.byName("local-0")
	v.cfg = v.make(3)
	reg := newRegistry(y.config(), nil)
	defer reg.Close()
	for _, tt := range []struct{ ended, begun, stale int64 }{{3, 3, 0}, {2, 3, 0}, {3, 4, 0}, {4, 4, 1}, {2, 2, 1}, {30, 31, 1}} {
		l := &load{yard: y, reg: reg}
		v.ended.Store(tt.ended)
		v.begun.Store(tt.begun)
		l.call(v, func() error { return l.whoami(user(0), v) })
		if got := l.stale.Load(); got != tt.stale || l.dated.Load() != 1 {
			t.Errorf("generations %d to %d: %d of %d answers stale, want %d", tt.ended, tt.begun, got, l.dated.Load(), tt.stale)
		}
		if changing := tt.begun != tt.ended; l.changing.ok() != changing || l.unchanged.ok() == changing {
			t.Errorf("generations %d to %d: counted with the wrong calls", tt.ended, tt.begun)
		}
	}
}

func TestAListingThatLacksAServerIsAFailure(t *testing.T) {
	y := newYard()
	defer y.close()
	v := y.byName("local-1")
	v.here = false
	reg := newRegistry(y.config(), &mcpgroup.RegistryOptions{Patience: time.Nanosecond})
	defer reg.Close()
	l := &load{yard: y, reg: reg}
	l.list(user(0))
	if l.listed.failed.Load() != 1 {
		t.Error("nobody misses a server")
	}
	text, _ := l.first.Load("a listing")
	if s, _ := text.(string); !strings.Contains(s, "local-1") {
		t.Errorf("the note is %q", text)
	}
}

func TestWhatDiffersIsNamed(t *testing.T) {
	a := sight{names: []string{"a"}, generation: 1, hash: "x"}
	b := a
	if got := a.unlike(b); got != "" {
		t.Errorf("nothing differs, but %s", got)
	}
	b.generation, b.names = 2, nil
	if got := a.unlike(b); !strings.Contains(got, "generation") || !strings.Contains(got, "names") || strings.Contains(got, "list") {
		t.Errorf("%q differs", got)
	}
}

func TestAddedIsAFractionOfMedians(t *testing.T) {
	p := pair{a: []time.Duration{11, 11, 900}, b: []time.Duration{10, 10, 1}}
	if got := p.added(); got < 0.099 || got > 0.101 {
		t.Errorf("added %v, want 0.1", got)
	}
	if p.over(100) != 1 {
		t.Error("the slow one is not counted")
	}
}
