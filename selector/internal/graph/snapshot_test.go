package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func mustSnapshot(tb testing.TB, o *Observations) []byte {
	tb.Helper()
	data, err := o.Snapshot()
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestASnapshotIsReadable(t *testing.T) {
	o := NewObservations(&Config{HalfLife: time.Hour})
	see(o, "acme", noon, "a b")
	see(o, "acme", noon.Add(time.Hour), "b a", "c")
	const want = `{"version":1,"tenants":[{"tenant":"acme","at":"2026-03-01T13:00:00Z",` +
		`"uses":{"a":1.5,"b":1.5,"c":1},` +
		`"pairs":[{"first":"a","then":"b","weight":0.5},{"first":"b","then":"a","weight":1}]}]}`
	if got := string(mustSnapshot(t, o)); got != want {
		t.Errorf("Snapshot = %s, want %s", got, want)
	}
	if got := string(mustSnapshot(t, NewObservations(nil))); got != `{"version":1,"tenants":[]}` {
		t.Errorf("Snapshot of nothing = %s", got)
	}
}

func TestASnapshotHoldsNoSessions(t *testing.T) {
	o := NewObservations(nil)
	o.Observe("t", "conversation-4711", "a", noon)
	if s := string(mustSnapshot(t, o)); strings.Contains(s, "4711") {
		t.Errorf("Snapshot = %s", s)
	}
}

func TestWhatIsRestoredIsTheSame(t *testing.T) {
	cfg := &Config{HalfLife: 300 * time.Hour, Tenants: 5, Pairs: 100, Idle: 1000 * time.Hour}
	o := NewObservations(cfg)
	rng := rand.New(rand.NewPCG(16, 17))
	now := noon
	for range 3000 {
		now = now.Add(time.Duration(rng.Int64N(int64(time.Hour))))
		o.Observe(fmt.Sprint(rng.IntN(5)), fmt.Sprint(rng.IntN(30)), fmt.Sprint(rng.IntN(20)), now)
	}
	saved := mustSnapshot(t, o)
	restored := NewObservations(cfg)
	see(restored, "gone", noon, "a b")
	if err := restored.Restore(saved); err != nil {
		t.Fatal(err)
	}
	restored.check(t)
	if again := mustSnapshot(t, restored); !bytes.Equal(again, saved) {
		t.Errorf("a snapshot of what was restored differs:\n%s\n%s", saved, again)
	}
	refs := make([]string, 20)
	for i := range refs {
		refs[i] = fmt.Sprint(i)
	}
	for tenant := range o.tenants {
		got, want := make([]float64, 20), make([]float64, 20)
		restored.CoUse(got, 1, tenant, refs, now)
		o.CoUse(want, 1, tenant, refs, now)
		if slices.Max(want) == 0 {
			t.Errorf("tenant %s has nothing to compare", tenant)
		}
		for i := range want {
			if d := got[i] - want[i]; d > 1e-12 || d < -1e-12 {
				t.Errorf("tenant %s: CoUse of %d is %g restored, %g before", tenant, i, got[i], want[i])
			}
		}
	}
	// The order in which tenants make room is restored too.
	for i := range 4 {
		o.Observe(fmt.Sprint("new", i), "s", "a", now)
		restored.Observe(fmt.Sprint("new", i), "s", "a", now)
		if !bytes.Equal(mustSnapshot(t, restored), mustSnapshot(t, o)) {
			t.Fatalf("%d new tenants later, others are left", i+1)
		}
	}
}

func TestNamesThatJSONCannotTellApartDoNotSpoilASnapshot(t *testing.T) {
	o := NewObservations(nil)
	for _, tenant := range []string{"acme", "a\xff", "a\xfe"} {
		for _, ref := range []string{"one", "two", "b\xff", "b\xfe", strings.Repeat("\xff", maxName)} {
			o.Observe(tenant, "s", ref, time.Unix(0, 0))
		}
	}
	data, err := o.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	restored := NewObservations(nil)
	if err := restored.Restore(data); err != nil || !slices.Equal(restored.Next("acme", "one", 9), []string{"two"}) {
		t.Errorf("Restore = %v, after one comes %q", err, restored.Next("acme", "one", 9))
	}
}

func TestTighterBoundsKeepTheHeaviestAndTheLatest(t *testing.T) {
	o := NewObservations(nil)
	see(o, "old", noon, "x y")
	see(o, "t", noon, "a b", "a b", "c d", "e f")
	small := NewObservations(&Config{Tenants: 1, Pairs: 2})
	if err := small.Restore(mustSnapshot(t, o)); err != nil {
		t.Fatal(err)
	}
	small.check(t)
	if got, _ := small.together("t", "a", "b", noon); got != 2 || small.find("old") != nil {
		t.Errorf("left are %s", mustSnapshot(t, small))
	}
}

func TestABadSnapshotIsRefusedAndChangesNothing(t *testing.T) {
	tenant := func(fields string) string {
		return `{"version":1,"tenants":[{"tenant":"new","at":"2026-03-01T13:00:00Z",` + fields + `}]}`
	}
	long := strings.Repeat("x", 513)
	for name, data := range map[string]string{
		"nothing":              ``,
		"no JSON":              `version 1`,
		"more than JSON":       `{"version":1} {}`,
		"another kind of JSON": `[1]`,
		"no version":           `{}`,
		"a later version":      `{"version":2}`,
		"a time that is none":  `{"version":1,"tenants":[{"at":"yesterday"}]}`,
		"a tenant twice":       `{"version":1,"tenants":[{"tenant":"a"},{"tenant":"a"}]}`,
		"a long tenant":        `{"version":1,"tenants":[{"tenant":"` + long + `"}]}`,
		"a negative use":       tenant(`"uses":{"a":-1}`),
		"a huge use":           tenant(`"uses":{"a":1e16}`),
		"a use that overflows": tenant(`"uses":{"a":1e999}`),
		"a tool without name":  tenant(`"uses":{"":1}`),
		"a long tool":          tenant(`"uses":{"` + long + `":1}`),
		"a negative pair":      tenant(`"pairs":[{"first":"a","then":"b","weight":-1}]`),
		"a huge pair":          tenant(`"pairs":[{"first":"a","then":"b","weight":1e300}]`),
		"half a pair":          tenant(`"pairs":[{"first":"a","weight":1}]`),
		"the other half":       tenant(`"pairs":[{"then":"a","weight":1}]`),
		"a pair of one":        tenant(`"pairs":[{"first":"a","then":"a","weight":1}]`),
		"a pair twice":         tenant(`"pairs":[{"first":"a","then":"b","weight":1},{"first":"a","then":"b","weight":1}]`),
	} {
		t.Run(name, func(t *testing.T) {
			o := NewObservations(nil)
			see(o, "t", noon, "a b")
			before := mustSnapshot(t, o)
			err := o.Restore([]byte(data))
			var bad *SnapshotError
			if !errors.As(err, &bad) {
				t.Fatalf("Restore = %v, want a *SnapshotError", err)
			}
			if text := err.Error(); !strings.HasPrefix(text, "selector: restoring observations: ") || len(text) > 300 {
				t.Errorf("Error() = %q", text)
			}
			if after := mustSnapshot(t, o); !bytes.Equal(after, before) {
				t.Errorf("the observations are now %s", after)
			}
		})
	}
}

func TestTheErrorOfAPackageBelowIsThere(t *testing.T) {
	var syntax *json.SyntaxError
	if err := NewObservations(nil).Restore([]byte("{")); !errors.As(err, &syntax) {
		t.Errorf("Restore = %v, want a *json.SyntaxError in it", err)
	}
}

func TestATimeWithoutJSONFailsTheSnapshot(t *testing.T) {
	o := NewObservations(nil)
	see(o, "t", time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), "a b")
	if data, err := o.Snapshot(); err == nil || !strings.HasPrefix(err.Error(), "selector: ") {
		t.Errorf("Snapshot = %s, %v", data, err)
	}
}

func FuzzRestore(f *testing.F) {
	o := NewObservations(nil)
	see(o, "t", noon, "a b c", "b a")
	see(o, "", noon.Add(time.Hour), "a b")
	f.Add(mustSnapshot(f, o))
	f.Add([]byte(`{"version":1,"tenants":[{"tenant":"t","uses":{"a":1e15},"pairs":[{"first":"b","then":"a","weight":1e-300}]}]}`))
	f.Add([]byte(`{"version":1,"tenants":[{"tenant":"t","at":"0000-01-01T00:00:00Z","uses":{"a":0}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg := &Config{Pairs: 8, Tenants: 3}
		o := NewObservations(cfg)
		if err := o.Restore(data); err != nil {
			var bad *SnapshotError
			if !errors.As(err, &bad) {
				t.Fatalf("Restore = %v, want a *SnapshotError", err)
			}
			return
		}
		o.check(t)
		saved, err := o.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		again := NewObservations(cfg)
		if err := again.Restore(saved); err != nil {
			t.Fatalf("its own snapshot is refused: %v", err)
		}
		if second := mustSnapshot(t, again); !bytes.Equal(second, saved) {
			t.Fatalf("the second snapshot differs:\n%s\n%s", saved, second)
		}
		for name := range o.tenants {
			see(o, name, noon, "a b c")
			dst := make([]float64, 3)
			o.CoUse(dst, 1, name, []string{"a", "b", "c"}, noon)
			for _, x := range dst {
				if !(x >= 0 && x <= 1) {
					t.Fatalf("CoUse = %v", dst)
				}
			}
		}
		o.check(t)
	})
}
