package budget

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func indexes(chosen []Choice) []int {
	out := []int{}
	for _, ch := range chosen {
		out = append(out, ch.Index)
	}
	return out
}

func total(chosen []Choice) int {
	n := 0
	for _, ch := range chosen {
		n += ch.Tokens
	}
	return n
}

// check compares what is chosen: the indexes in the order of reading, and the tools that are compact.
func check(t *testing.T, c []Candidate, l Limits, want []int, compact ...int) []Skip {
	t.Helper()
	chosen, skipped := Choose(c, l)
	if got := indexes(chosen); !slices.Equal(got, want) {
		t.Errorf("Choose(%+v) chose %v, want %v", l, got, want)
	}
	var small []int
	for _, ch := range chosen {
		if ch.Compact {
			small = append(small, ch.Index)
		}
	}
	if !slices.Equal(small, compact) {
		t.Errorf("Choose(%+v) made %v compact, want %v", l, small, compact)
	}
	return skipped
}

func TestWithoutBoundsEverythingIsChosenBestFirst(t *testing.T) {
	c := []Candidate{{Score: .2, Tokens: 1000}, {Score: .9, Tokens: 5}, {Score: math.NaN()}, {Score: .5, Tokens: 1 << 40}, {Score: -1}}
	check(t, c, Limits{}, []int{1, 3, 0, 4, 2})
	check(t, nil, Limits{}, []int{})
}

func TestMaxBoundsTheNumber(t *testing.T) {
	c := []Candidate{{Score: .9}, {Score: .8}, {Score: .7}}
	check(t, c, Limits{Max: 2}, []int{0, 1})
}

func TestWhatDoesNotFitIsSkippedAndSmallerToolsComeIn(t *testing.T) {
	c := []Candidate{{Score: .9, Tokens: 60}, {Score: .8, Tokens: 50}, {Score: .7, Tokens: 40}, {Score: .6, Tokens: 50}}
	skipped := check(t, c, Limits{Tokens: 100}, []int{0, 2})
	// The tool after the last chosen one is not worth a word.
	if want := []Skip{{1, Ranked, -1}}; !slices.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
}

func TestWithoutTokensLeftOnlyFreeToolsFit(t *testing.T) {
	c := []Candidate{{Score: .9, Tokens: 1, Compact: 1}, {Score: .8}}
	check(t, c, Limits{Tokens: -1}, []int{1})
	check(t, c[:1], Limits{Tokens: -5}, []int{})
}

func TestToolsAreCompactedBeforeOthersAreLeftOutAndTheBestAreWhole(t *testing.T) {
	c := []Candidate{{Score: .9, Tokens: 100, Compact: 40}, {Score: .8, Tokens: 100, Compact: 40}, {Score: .7, Tokens: 100, Compact: 40}}
	check(t, c, Limits{Tokens: 300}, []int{0, 1, 2})
	check(t, c, Limits{Tokens: 240}, []int{0, 1, 2}, 2)
	check(t, c, Limits{Tokens: 180}, []int{0, 1, 2}, 1, 2)
	check(t, c, Limits{Tokens: 120}, []int{0, 1, 2}, 0, 1, 2)
	check(t, c, Limits{Tokens: 119}, []int{0, 1}, 0, 1)
	check(t, c, Limits{Tokens: 240, Whole: true}, []int{0, 1})
}

func TestACompactFormThatIsNotSmallerIsIgnored(t *testing.T) {
	c := []Candidate{{Score: .9, Tokens: 50, Compact: 60}, {Score: .8, Tokens: 50, Compact: 50}}
	check(t, c, Limits{Tokens: 100}, []int{0, 1})
}

func TestPinnedToolsComeFirstAndAreReportedIfTheyDoNotFit(t *testing.T) {
	c := []Candidate{
		{Score: .9, Tokens: 50},
		{Score: .1, Tokens: 50, Pinned: true},
		{Score: .8, Tokens: 900, Compact: 800, Pinned: true},
		{Score: .2, Tokens: 90, Compact: 40, Pinned: true},
	}
	skipped := check(t, c, Limits{Tokens: 100}, []int{1, 3}, 3)
	if want := []Skip{{2, Pinned, -1}}; !slices.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
	if skipped := check(t, c, Limits{Max: 1}, []int{1}); len(skipped) != 2 {
		t.Errorf("with one slot %v are skipped, want both other pinned tools", skipped)
	}
	if skipped := check(t, c, Limits{Tokens: -1}, []int{}); len(skipped) != 3 {
		t.Errorf("with no tokens %v are skipped, want all pinned tools", skipped)
	}
}

func TestWhatPinnedToolsNeedComesAfterAllPinnedTools(t *testing.T) {
	c := []Candidate{
		{Score: .1, Tokens: 10, Pinned: true, Needs: []int{2, 3}},
		{Score: .2, Tokens: 10, Pinned: true},
		{Score: .9, Tokens: 10},
		{Score: .3, Tokens: 10, Pinned: true},
	}
	chosen, skipped := Choose(c, Limits{Max: 3})
	want := []Choice{{0, false, 10, Pinned, -1}, {1, false, 10, Pinned, -1}, {3, false, 10, Pinned, -1}}
	if !slices.Equal(chosen, want) || !slices.Equal(skipped, []Skip{{2, Needed, 0}}) {
		t.Errorf("chosen %v, want %v; skipped %v", chosen, want, skipped)
	}
	chosen, _ = Choose(c, Limits{Tokens: 40})
	want = slices.Insert(want, 1, Choice{2, false, 10, Needed, 0})
	if !slices.Equal(chosen, want) {
		t.Errorf("chosen %v, want %v", chosen, want)
	}
}

func TestTheBestToolOfEveryStepComesBeforeTheSecondOfAny(t *testing.T) {
	c := []Candidate{
		{Score: .9, Step: 0, StepRank: 0},
		{Score: .8, Step: 0, StepRank: 1},
		{Score: .7, Step: 0, StepRank: 2},
		{Score: .3, Step: 2, StepRank: 0},
		{Score: .2, Step: 1, StepRank: 0},
		{Score: .1, Step: 1, StepRank: 1},
	}
	check(t, c, Limits{Max: 4}, []int{0, 1, 3, 4})
	check(t, c, Limits{Max: 2}, []int{0, 3})
}

func TestTheNextToolOfAStepTakesTheTurnOfOneThatDoesNotFit(t *testing.T) {
	c := []Candidate{
		{Score: .9, Tokens: 10},
		{Score: .8, Tokens: 10, StepRank: 1},
		{Score: .3, Tokens: 1000, Step: 1},
		{Score: .2, Tokens: 10, Step: 1, StepRank: 1},
	}
	skipped := check(t, c, Limits{Max: 2, Tokens: 100}, []int{0, 3})
	if want := []Skip{{2, Ranked, -1}}; !slices.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
}

func TestAToolThatIsBestForTwoStepsServesBoth(t *testing.T) {
	c := []Candidate{{Score: .9, Covers: []int{1}}, {Score: .8, StepRank: 1}, {Score: .3, Step: 1, StepRank: 1}}
	check(t, c, Limits{Max: 2}, []int{0, 1})
	c[0].Covers = nil
	check(t, c, Limits{Max: 2}, []int{0, 2})
}

func TestAPinnedToolServesTheStepItIsBestFor(t *testing.T) {
	c := []Candidate{{Score: .9}, {Score: .8, StepRank: 1}, {Score: .3, Step: 1, Pinned: true}, {Score: .2, Step: 1, StepRank: 1}}
	check(t, c, Limits{Max: 3}, []int{2, 0, 1})
}

func TestFloorsBringToolsOfServersAndCategories(t *testing.T) {
	c := []Candidate{
		{Score: .9, Server: "a", Category: "x"},
		{Score: .8, Server: "a", Category: "x"},
		{Score: .7, Server: "b", Category: "y"},
		{Score: .1, Server: "c", Category: "y"},
		{Score: .05, Server: "c", Category: "y"},
	}
	check(t, c, Limits{Max: 3, PerServer: map[string]int{"c": 1}}, []int{0, 1, 3})
	check(t, c, Limits{Max: 3, PerServer: map[string]int{"c": 5}}, []int{0, 3, 4})
	check(t, c, Limits{Max: 2, PerCategory: map[string]int{"y": 1}}, []int{0, 2})
	check(t, c, Limits{Max: 2, PerCategory: map[string]int{"y": 1}, PerServer: map[string]int{"c": 1}}, []int{0, 3})
	check(t, c, Limits{Max: 2, PerServer: map[string]int{"nobody": 2}}, []int{0, 1})
}

func TestOnlyToolsThatAFloorAloneBroughtAreRepresented(t *testing.T) {
	c := []Candidate{{Score: .9, Server: "a"}, {Score: .8, Server: "b"}, {Score: .1, Server: "a"}}
	chosen, _ := Choose(c, Limits{Max: 2, PerServer: map[string]int{"a": 2}})
	want := []Choice{{0, false, 0, Ranked, -1}, {2, false, 0, Represented, -1}}
	if !slices.Equal(chosen, want) {
		t.Errorf("chosen %v, want %v", chosen, want)
	}
}

func TestAToolBringsWhatItNeeds(t *testing.T) {
	c := []Candidate{
		{Score: .9, Tokens: 10, Needs: []int{3}},
		{Score: .8, Tokens: 10},
		{Score: .7, Tokens: 10},
		{Score: .1, Tokens: 10, Needs: []int{4, 0}}, // needs come in circles
		{Score: .0, Tokens: 10},
	}
	chosen, _ := Choose(c, Limits{Max: 4})
	want := []Choice{{0, false, 10, Ranked, -1}, {3, false, 10, Needed, 0}, {4, false, 10, Needed, 3}, {1, false, 10, Ranked, -1}}
	if !slices.Equal(chosen, want) {
		t.Errorf("chosen %v, want %v", chosen, want)
	}
}

func TestAToolComesWithoutWhatDoesNotFitAndSaysSo(t *testing.T) {
	c := []Candidate{{Score: .9, Tokens: 10, Needs: []int{1, 2}}, {Score: .2, Tokens: 1000, Compact: 900}, {Score: .1, Tokens: 30, Compact: 5}}
	skipped := check(t, c, Limits{Tokens: 20}, []int{0, 2}, 2)
	if want := []Skip{{1, Needed, 0}}; !slices.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
	if skipped := check(t, c, Limits{Max: 1}, []int{0}); len(skipped) != 2 {
		t.Errorf("with one slot %v are skipped, want both that are needed", skipped)
	}
}

func TestTwinsGiveWayToToolsThatAreNearlyAsGoodOnly(t *testing.T) {
	c := []Candidate{{Score: .9, Class: 7}, {Score: .89, Class: 7}, {Score: .88, Class: 7}, {Score: .8}, {Score: .3}}
	check(t, c, Limits{Max: 2}, []int{0, 3})
	check(t, c, Limits{Max: 3}, []int{0, 1, 3})
	check(t, c, Limits{Max: 4}, []int{0, 1, 2, 3})
}

func TestATwinTakesThePlaceOfOneThatDoesNotFit(t *testing.T) {
	c := []Candidate{{Score: .9, Tokens: 1000, Class: 7}, {Score: .89, Class: 7}, {Score: .8}}
	check(t, c, Limits{Max: 1, Tokens: 100}, []int{1})
}

func TestNeedsOutOfRangePanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Choose accepted an index out of range")
		}
	}()
	Choose([]Candidate{{Needs: []int{1}}}, Limits{})
}

func TestChooseDoesNotChangeItsArguments(t *testing.T) {
	r := newRandom(1)
	c, l := r.candidates(40), r.limits()
	before := slices.Clone(c)
	Choose(c, l)
	if !reflect.DeepEqual(c, before) {
		t.Error("Choose changed the candidates")
	}
}
