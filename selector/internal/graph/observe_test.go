package graph

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// see observes the tools of sessions, such as "a b c", one session after the other.
func see(o *Observations, tenant string, now time.Time, sessions ...string) {
	for i, s := range sessions {
		for _, ref := range strings.Fields(s) {
			o.Observe(tenant, fmt.Sprintf("%s %d %s", tenant, i, s), ref, now)
		}
	}
}

// together is the weight of the sessions that used both tools, and uses that of those that used the first.
func (o *Observations) together(tenant, a, b string, now time.Time) (together, uses float64) {
	t := o.find(tenant)
	if t == nil || t.nodes[a] == nil {
		return 0, 0
	}
	scale := t.scale(&o.cfg, now)
	if p := t.nodes[a].pairs[b]; p != nil {
		together = p.weight() * scale
	}
	return together, t.nodes[a].uses * scale
}

// check fails the test if o is not what its comments promise.
func (o *Observations) check(tb testing.TB) {
	tb.Helper()
	o.mu.RLock()
	defer o.mu.RUnlock()
	if len(o.tenants) > o.cfg.Tenants {
		tb.Fatalf("%d tenants, more than %d", len(o.tenants), o.cfg.Tenants)
	}
	for name, t := range o.tenants {
		t.mu.RLock()
		pairs := 0
		for ref, n := range t.nodes {
			if n.ref != ref || !(n.uses >= 0) || math.IsInf(n.uses, 0) {
				tb.Fatalf("tenant %q: node %q is %+v", name, ref, n)
			}
			for other, p := range n.pairs {
				if p.a.ref >= p.b.ref || t.nodes[p.a.ref] != p.a || t.nodes[p.b.ref] != p.b ||
					p.a.pairs[p.b.ref] != p || p.b.pairs[p.a.ref] != p || other != p.a.ref && other != p.b.ref || other == ref {
					tb.Fatalf("tenant %q: pair %q of %q is %+v", name, other, ref, p)
				}
				if w := p.weight(); !(w > 0) || math.IsInf(w, 0) {
					tb.Fatalf("tenant %q: pair %q of %q weighs %g", name, other, ref, w)
				}
				pairs++
			}
		}
		if pairs != 2*t.pairs || t.pairs > o.cfg.Pairs || len(t.nodes) > o.cfg.Pairs {
			tb.Fatalf("tenant %q: %d halves of %d pairs of %d tools, bounded by %d", name, pairs, t.pairs, len(t.nodes), o.cfg.Pairs)
		}
		if len(t.sessions) != t.recent.Len() || len(t.sessions) > o.cfg.Sessions {
			tb.Fatalf("tenant %q: %d sessions, %d in order, bounded by %d", name, len(t.sessions), t.recent.Len(), o.cfg.Sessions)
		}
		for id, e := range t.sessions {
			if s := e.Value.(*session); s.id != id || len(s.window) > o.cfg.Window || cap(s.window) > 2*o.cfg.Window+2 {
				tb.Fatalf("tenant %q: session %d is %+v", name, id, s)
			}
		}
		t.mu.RUnlock()
	}
}

func TestToolsOfASessionAreCountedTogether(t *testing.T) {
	o := NewObservations(nil)
	see(o, "t", noon, "a b", "b a", "a c", "a")
	o.check(t)
	for _, test := range []struct {
		a, b           string
		together, uses float64
	}{
		{"a", "b", 2, 4}, {"b", "a", 2, 2}, {"a", "c", 1, 4}, {"b", "c", 0, 2}, {"x", "a", 0, 0},
	} {
		if together, uses := o.together("t", test.a, test.b, noon); together != test.together || uses != test.uses {
			t.Errorf("%s with %s: %g of %g sessions, want %g of %g", test.a, test.b, together, uses, test.together, test.uses)
		}
	}
}

func TestAnAgentThatPollsIsOneObservation(t *testing.T) {
	o := NewObservations(nil)
	see(o, "t", noon, "start"+strings.Repeat(" status", 1000)+" result status")
	for _, pair := range [][2]string{{"start", "status"}, {"status", "result"}} {
		if together, uses := o.together("t", pair[0], pair[1], noon); together != 1 || uses != 1 {
			t.Errorf("%q: %g of %g sessions, want 1 of 1", pair, together, uses)
		}
	}
}

func TestOnlyTheLastToolsOfASessionArePaired(t *testing.T) {
	o := NewObservations(&Config{Window: 2})
	see(o, "t", noon, "a b a c d") // a was used again: the window before d is a and c
	for pair, want := range map[string]float64{"ab": 1, "ac": 1, "bc": 1, "ad": 1, "cd": 1, "bd": 0} {
		if got, _ := o.together("t", pair[:1], pair[1:], noon); got != want {
			t.Errorf("%s: %g sessions, want %g", pair, got, want)
		}
	}
	o.check(t)
}

func TestASessionEndsWhenItIsIdle(t *testing.T) {
	o := NewObservations(&Config{Idle: time.Hour})
	o.Observe("t", "s", "a", noon)
	o.Observe("t", "s", "b", noon.Add(time.Hour))
	o.Observe("t", "s", "c", noon.Add(2*time.Hour+time.Nanosecond))
	if got, _ := o.together("t", "a", "b", noon); got == 0 {
		t.Error("the session ended before it was idle for longer than an hour")
	}
	if got, _ := o.together("t", "b", "c", noon); got != 0 {
		t.Error("the session went on after an hour and more")
	}
	for i := range 10 {
		o.Observe("t", fmt.Sprint(i), "x", noon.Add(3*time.Hour))
	}
	o.Observe("t", "last", "x", noon.Add(5*time.Hour))
	if n := len(o.find("t").sessions); n != 1 {
		t.Errorf("%d sessions are remembered after all but one are over", n)
	}
}

func TestTheSessionThatIsIdleForLongestMakesRoom(t *testing.T) {
	o := NewObservations(&Config{Sessions: 2})
	o.Observe("t", "1", "a", noon)
	o.Observe("t", "2", "b", noon)
	o.Observe("t", "1", "c", noon)
	o.Observe("t", "3", "d", noon) // in place of 2
	o.Observe("t", "1", "e", noon)
	o.Observe("t", "2", "f", noon)
	o.check(t)
	if got, _ := o.together("t", "c", "e", noon); got != 1 {
		t.Error("a session that was in use made room")
	}
	if got, _ := o.together("t", "b", "f", noon); got != 0 {
		t.Error("no session made room")
	}
}

func TestWhatSaysNothingIsIgnored(t *testing.T) {
	long := strings.Repeat("x", 513)
	o := NewObservations(nil)
	o.Observe("t", "", "a", noon)
	o.Observe("t", "s", "", noon)
	o.Observe("t", "s", long, noon)
	o.Observe(long, "s", "a", noon)
	if len(o.tenants) != 0 {
		t.Errorf("%d tenants were made", len(o.tenants))
	}
	o.Observe("", "s", "a", noon) // a deployment without tenants has one
	if len(o.tenants) != 1 {
		t.Error("the tenant without a name is none")
	}
}

func TestTenantsNeverSeeEachOther(t *testing.T) {
	o := NewObservations(nil)
	see(o, "one", noon, "a b", "a b")
	see(o, "two", noon, "a c")
	o.Observe("one", "shared", "x", noon) // sessions of the same name are different ones
	o.Observe("two", "shared", "y", noon)
	alone := NewObservations(nil)
	see(alone, "two", noon, "a c")
	alone.Observe("two", "shared", "y", noon)
	refs := []string{"a", "b", "c", "x", "y"}
	got, want := make([]float64, 5), make([]float64, 5)
	o.CoUse(got, 1, "two", refs, noon)
	alone.CoUse(want, 1, "two", refs, noon)
	if !slices.Equal(got, want) {
		t.Errorf("CoUse of two = %v beside another tenant, %v alone", got, want)
	}
	if next := o.Next("two", "a", 9); !slices.Equal(next, []string{"c"}) {
		t.Errorf("Next of two = %q", next)
	}
	clear(got)
	o.CoUse(got, 1, "three", refs, noon)
	if next := o.Next("three", "a", 9); slices.Max(got) != 0 || len(next) != 0 {
		t.Errorf("a tenant without observations has %v, %q", got, next)
	}
	o.Forget("one")
	if together, _ := o.together("one", "a", "b", noon); together != 0 || o.find("two") == nil {
		t.Error("Forget forgot another tenant, or nothing")
	}
}

func TestTheTenantThatIsObservedNoMoreMakesRoom(t *testing.T) {
	o := NewObservations(&Config{Tenants: 2})
	see(o, "one", noon, "a b")
	see(o, "two", noon, "a b")
	see(o, "one", noon, "c d")
	see(o, "three", noon, "a b")
	if o.find("one") == nil || o.find("two") != nil || o.find("three") == nil {
		t.Errorf("tenants are %v, want one and three", o.tenants)
	}
	o.check(t)
}

func TestAnObservationHalvesInAHalfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewObservations(nil)
		see(o, "t", time.Now(), "a b")
		for _, want := range []float64{1, 0.5, 0.25} {
			if got, uses := o.together("t", "a", "b", time.Now()); got != want || uses != want {
				t.Errorf("weighs %g and %g, want %g", got, uses, want)
			}
			time.Sleep(7 * 24 * time.Hour)
		}
		see(o, "t", time.Now(), "a b c")
		if got, _ := o.together("t", "a", "b", time.Now()); math.Abs(got-1.125) > 1e-12 {
			t.Errorf("weighs %g with a new one, want 1.125", got)
		}
	})
}

func TestAClockThatGoesBackDoesNoHarm(t *testing.T) {
	o := NewObservations(&Config{HalfLife: time.Hour})
	see(o, "t", noon, "a b")
	see(o, "t", noon.Add(-1000*time.Hour), "c d")
	for _, pair := range []string{"ab", "cd"} {
		for _, now := range []time.Time{noon, noon.Add(-1000 * time.Hour), {}} {
			if got, _ := o.together("t", pair[:1], pair[1:], now); got != 1 {
				t.Errorf("%s weighs %g at %v, want 1", pair, got, now)
			}
		}
	}
	// A clock that was wrong for a while: what was observed then counts, and so does what is observed after it was mended.
	see(o, "t", noon.AddDate(100, 0, 0), "e f")
	see(o, "t", noon, "g h")
	for _, pair := range []string{"ef", "gh"} {
		if got, _ := o.together("t", pair[:1], pair[1:], noon); got != 1 {
			t.Errorf("%s weighs %g, want 1", pair, got)
		}
	}
	o.check(t)
}

// A naive count keeps everything that happened, and weighs it when it is asked.
type naive struct {
	halfLife time.Duration
	uses     map[string][]time.Time
	pairs    map[[2]string][]time.Time // first, then
	windows  map[string][]string
}

func (o *naive) observe(session, ref string, window int, now time.Time) {
	w := o.windows[session]
	if i := slices.Index(w, ref); i >= 0 {
		o.windows[session] = append(append(slices.Clone(w[:i]), w[i+1:]...), ref)
		return
	}
	o.uses[ref] = append(o.uses[ref], now)
	for _, earlier := range w {
		o.pairs[[2]string{earlier, ref}] = append(o.pairs[[2]string{earlier, ref}], now)
	}
	w = append(slices.Clone(w), ref)
	o.windows[session] = w[max(0, len(w)-window):]
}

func (o *naive) weigh(times []time.Time, now time.Time) (sum float64) {
	for _, then := range times {
		sum += math.Pow(0.5, now.Sub(then).Hours()/o.halfLife.Hours())
	}
	return sum
}

func TestCountsAgreeWithTheNaiveOnes(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, step := range []time.Duration{time.Second, time.Hour, 30 * time.Hour} { // the longest reaches new epochs
		cfg := Config{HalfLife: 5 * time.Hour, Window: 3, Idle: math.MaxInt64}
		o := NewObservations(&cfg)
		want := naive{halfLife: cfg.HalfLife, uses: map[string][]time.Time{}, pairs: map[[2]string][]time.Time{}, windows: map[string][]string{}}
		now := noon
		for i := range 2000 {
			now = now.Add(time.Duration(rng.Int64N(int64(step))))
			session, ref := fmt.Sprint(rng.IntN(20)), fmt.Sprint(rng.IntN(10))
			o.Observe("t", session, ref, now)
			want.observe(session, ref, cfg.Window, now)
			if i%100 != 99 {
				continue
			}
			o.check(t)
			for a := range 10 {
				for b := range 10 {
					a, b := fmt.Sprint(a), fmt.Sprint(b)
					together, uses := o.together("t", a, b, now)
					wantUses := want.weigh(want.uses[a], now)
					wantTogether := want.weigh(want.pairs[[2]string{a, b}], now) + want.weigh(want.pairs[[2]string{b, a}], now)
					// What is negligible may be forgotten.
					if math.Abs(uses-wantUses) > 2*negligible || math.Abs(together-wantTogether) > 2*negligible {
						t.Fatalf("step %v, %d: %s with %s: %g of %g, want %g of %g", step, i, a, b, together, uses, wantTogether, wantUses)
					}
				}
			}
		}
	}
}

func TestWhatIsUsedOftenOutlastsNoise(t *testing.T) {
	o := NewObservations(&Config{Pairs: 64})
	see(o, "t", noon, "a b", "b a", "a b")
	rng := rand.New(rand.NewPCG(9, 10))
	for i := range 20_000 {
		o.Observe("t", fmt.Sprint(i/5), fmt.Sprint(rng.IntN(5000)), noon)
	}
	o.check(t)
	if got, uses := o.together("t", "a", "b", noon); got != 3 || uses != 3 {
		t.Errorf("weighs %g of %g, want 3 of 3", got, uses)
	}
}

func TestToolsUsedAloneAreBoundedToo(t *testing.T) {
	o := NewObservations(&Config{Pairs: 16})
	var used []string
	for i := range 17 {
		used = append(used, fmt.Sprint(i))
		o.Observe("t", fmt.Sprint(i), used[i], noon)
	}
	slices.Sort(used)
	left := slices.Sorted(maps.Keys(o.find("t").nodes))
	if want := used[:14]; !slices.Equal(left, want) { // an eighth goes, from the end of the alphabet
		t.Errorf("left are %q, want %q", left, want)
	}
	for i := range 1000 {
		o.Observe("t", fmt.Sprint(i), fmt.Sprint(i), noon)
		o.check(t)
	}
}

func TestMemoryIsBoundedUnderAMillionRandomObservations(t *testing.T) {
	cfg := Config{Tenants: 8, Pairs: 512, Sessions: 16, Window: 3}
	o := NewObservations(&cfg)
	rng := rand.New(rand.NewPCG(11, 12))
	now := noon
	n := 1_000_000
	if testing.Short() {
		n /= 20
	}
	for i := range n {
		now = now.Add(time.Duration(rng.Int64N(int64(time.Minute))))
		tenant := fmt.Sprint(rng.IntN(8 + rng.IntN(3)))
		o.Observe(tenant, fmt.Sprint(rng.IntN(100)), fmt.Sprint(rng.IntN(1+rng.IntN(5000))), now)
		if i%10_000 == 0 {
			o.check(t)
		}
	}
	o.check(t)
}

func TestTheSameObservationsLeaveTheSame(t *testing.T) {
	run := func() string {
		o := NewObservations(&Config{Pairs: 50, Tenants: 3, Sessions: 5})
		rng := rand.New(rand.NewPCG(13, 14))
		now := noon
		for i := range 5000 {
			if i%500 == 0 { // so that many pairs weigh the same
				now = now.Add(time.Duration(rng.Int64N(int64(time.Hour))))
			}
			o.Observe(fmt.Sprint(rng.IntN(3+i/4990)), fmt.Sprint(rng.IntN(10)), fmt.Sprint(rng.IntN(40)), now)
		}
		s, err := o.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		return string(s)
	}
	if first := run(); first != run() {
		t.Error("two runs differ")
	}
}

func TestReadersAndWritersDoNotDisturbEachOther(t *testing.T) {
	o := NewObservations(&Config{Tenants: 4, Pairs: 64, Sessions: 8})
	saved, err := o.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 15))
			refs := make([]string, 50)
			servers := make([]string, 50)
			for i := range refs {
				refs[i], servers[i] = fmt.Sprint(i), fmt.Sprint(i%5)
			}
			dst, scores := make([]float64, 50), make([]float64, 50)
			scores[0] = 1
			for i := range 2000 {
				tenant := fmt.Sprint(rng.IntN(6))
				now := noon.Add(time.Duration(rng.IntN(1000)) * time.Hour)
				switch {
				case worker < 4:
					o.Observe(tenant, fmt.Sprint(rng.IntN(12)), fmt.Sprint(rng.IntN(60)), now)
				case worker < 6:
					o.CoUse(dst, 1, tenant, refs, now)
					o.Next(tenant, refs[rng.IntN(50)], 3)
				case worker == 6:
					(&Walk{Observations: o, Tenant: tenant, Now: now}).PageRank(dst, 1, refs, servers, scores)
				case i%500 == 499:
					if err := o.Restore(saved); err != nil {
						t.Error(err)
					}
				case i%50 == 49:
					o.Forget(tenant)
				default:
					if saved, err = o.Snapshot(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	o.check(t)
}
