package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheJournalRefutesWrongOutcomes(t *testing.T) {
	ran := map[string]int{"acked": 1, "unknown": 1, "not sent but ran": 1, "failed": 1}
	for _, tt := range []struct {
		key  string
		err  error
		want int
	}{
		{"acked", nil, 0},
		{"acked but did not run", nil, 1},
		{"unknown", &mcpgroup.Error{Outcome: mcpgroup.Unknown}, 0},
		{"unknown and did not run", &mcpgroup.Error{Outcome: mcpgroup.Unknown}, 0},
		{"not sent", &mcpgroup.Error{Outcome: mcpgroup.NotSent}, 0},
		{"not sent but ran", &mcpgroup.Error{Outcome: mcpgroup.NotSent}, 1},
		{"failed", &mcpgroup.Error{Outcome: mcpgroup.Failed}, 0},
		{"untyped", errors.New("what?"), 1},
	} {
		one, all := newOutcomes(), newOutcomes()
		one.add(tt.key, tt.err)
		all.merge(one)
		if got := all.wrong(ran); got != tt.want {
			t.Errorf("%s: %d refuted, want %d", tt.key, got, tt.want)
		}
	}
}

func TestTwiceCountsKeysOfItsPrefixOnly(t *testing.T) {
	ran := map[string]int{"inc-1": 1, "inc-2": 2, "inc-3": 3, "readonly_inc-1": 2}
	if got := twice(ran, "inc-"); got != 2 {
		t.Errorf("twice = %d, want 2", got)
	}
	if got := sum(ran); got != 8 {
		t.Errorf("sum = %d, want 8", got)
	}
}

func TestEveryTenthCallIsCutAndEveryHundredthTwice(t *testing.T) {
	s := mcptest.NewRaw(&mcptest.RawOptions{Sessionless: true})
	fault := cutTenth()
	struck := func(key string) (yes bool) {
		defer func() { // without a connection to cut, the fault aborts the handler
			if v := recover(); v == http.ErrAbortHandler {
				yes = true
			} else if v != nil {
				panic(v)
			}
		}()
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"inc","arguments":{"key":"` + key + `"}}}`
		r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(body))
		return fault(s, httptest.NewRecorder(), r, mcptest.Hit{Method: "tools/call", Tool: "inc", Body: []byte(body)})
	}
	for key, want := range map[string][3]bool{
		"inc-7":   {false, false, false},
		"inc-10":  {true, false, false},
		"inc-100": {true, true, false},
		"inc-101": {false, false, false},
	} {
		for i := range want {
			if got := struck(key); got != want[i] {
				t.Errorf("%s, time %d: struck = %v, want %v", key, i+1, got, want[i])
			}
		}
	}
}

func TestEveryNamedAttackExists(t *testing.T) {
	for _, attack := range sizeAttacks {
		faultNamed(attack.name) // panics otherwise
	}
	for _, name := range stallAttacks {
		faultNamed(name)
	}
}

func TestRowsAreChosenByOneName(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range measurements {
		if seen[m.id] {
			t.Errorf("two measurements are called %s", m.id)
		}
		seen[m.id] = true
	}
}
