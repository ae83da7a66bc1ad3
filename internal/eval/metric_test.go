package main

import (
	"math"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestMetricsOfHandComputedRankings(t *testing.T) {
	log2 := math.Log2
	for name, c := range map[string]struct {
		ranking []string
		groups  [][]string
		want    Metrics
	}{
		"one tool in the first place": {
			[]string{"a", "b"}, [][]string{{"a"}},
			Metrics{Hit1: 1, R1: 1, R3: 1, R5: 1, R10: 1, R20: 1, NDCG10: 1, Complete5: 1, Complete10: 1},
		},
		"one tool in the third place": {
			[]string{"x", "y", "a"}, [][]string{{"a"}},
			Metrics{R3: 1, R5: 1, R10: 1, R20: 1, NDCG10: 1 / log2(4), Complete5: 1, Complete10: 1},
		},
		"any tool of a group will do, and the second adds nothing": {
			[]string{"a1", "a2", "b"}, [][]string{{"a2", "a1"}, {"b"}},
			Metrics{Hit1: 1, R1: .5, R3: 1, R5: 1, R10: 1, R20: 1, NDCG10: (1 + 1/log2(4)) / (1 + 1/log2(3)), Complete5: 1, Complete10: 1},
		},
		"one of two": {
			[]string{"x", "b"}, [][]string{{"a"}, {"b"}},
			Metrics{R3: .5, R5: .5, R10: .5, R20: .5, NDCG10: (1 / log2(3)) / (1 + 1/log2(3))},
		},
		"a tool of two groups gains once": {
			[]string{"a"}, [][]string{{"a"}, {"a", "b"}},
			Metrics{Hit1: 1, R1: 1, R3: 1, R5: 1, R10: 1, R20: 1, NDCG10: 1 / (1 + 1/log2(3)), Complete5: 1, Complete10: 1},
		},
		"beyond the tenth place": {
			[]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a"}, [][]string{{"a"}},
			Metrics{R20: 1},
		},
		"nothing found": {nil, [][]string{{"a"}}, Metrics{}},
	} {
		got := Measure(c.ranking, c.groups)
		for x, y := range pairs(&got, &c.want) {
			if !near(*x, *y) {
				t.Errorf("%s: %+v, want %+v", name, got, c.want)
				break
			}
		}
	}
}

func TestAveragePrecisionOfHandComputedRankings(t *testing.T) {
	for name, c := range map[string]struct {
		ranking, golden []string
		k               int
		want            float64
	}{
		"all first":        {[]string{"a", "b", "x"}, []string{"a", "b"}, 10, 1},
		"second and third": {[]string{"x", "a", "b"}, []string{"b", "a"}, 10, (1./2 + 2./3) / 2},
		"one missing":      {[]string{"a", "x"}, []string{"a", "b"}, 10, .5},
		"more than k":      {[]string{"a", "b", "c"}, []string{"a", "b", "c"}, 2, 1},
		"a repeated find":  {[]string{"a", "a"}, []string{"a", "b"}, 10, .5},
		"none wanted":      {[]string{"a"}, nil, 10, 0},
	} {
		if got := AveragePrecision(c.ranking, c.golden, c.k); !near(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestMeanIsThatOfEveryField(t *testing.T) {
	all := []Metrics{
		{1, 1, 1, 1, 1, 1, 1, 1, 1},
		{0, 0, 0, 0, 0, 0, 0, 0, 0},
	}
	if got, want := Mean(all), (Metrics{.5, .5, .5, .5, .5, .5, .5, .5, .5}); got != want {
		t.Errorf("Mean = %+v, want %+v", got, want)
	}
	if got := Mean(nil); got != (Metrics{}) {
		t.Errorf("Mean of nothing = %+v", got)
	}
}

func TestIntervalsHoldTheMean(t *testing.T) {
	values := make([]float64, 200)
	for i := range values {
		values[i] = float64(i % 2)
	}
	got := Bootstrap(values)
	// The standard error of 200 fair coins is 0.035, and 95 % are within 1.96 of them.
	if got.Mean != .5 || math.Abs(got.Low-.431) > .012 || math.Abs(got.High-.569) > .012 {
		t.Errorf("Bootstrap of 200 coins = %+v, want 0.5 in about [0.431, 0.569]", got)
	}
	if again := Bootstrap(values); again != got {
		t.Errorf("Bootstrap twice = %+v and %+v", got, again)
	}
}

func TestPairsShowADifferenceThatMeansHide(t *testing.T) {
	a, b := make([]float64, 100), make([]float64, 100)
	for i := range a {
		b[i] = float64(i) / 100
		a[i] = b[i] + .01
	}
	if d := Paired(a, b); d.Low <= 0 || !near(d.Mean, .01) {
		t.Errorf("Paired = %+v, want all of it above 0", d)
	}
	if one, other := Bootstrap(a), Bootstrap(b); one.Low > other.High {
		t.Errorf("the intervals %+v and %+v do not overlap; the test shows nothing", one, other)
	}
}

func TestNaiveBM25OfAHandComputedCase(t *testing.T) {
	x := NewNaive([]Tool{{ID: "1", Name: "get_user", Description: "Get a user"}, {ID: "2", Name: "ping", Description: ""}})
	// "user" is in one of two documents, once in one of 4 words; the mean is 2.5 words.
	idf := math.Log(1 + (2-1+.5)/(1+.5))
	want := idf * 2.2 / (1 + 1.2*(.25+.75*4/2.5))
	for _, text := range []string{"User", "user user", "the USER?"} {
		if got := x.Scores(text); !near(got[0], want) || got[1] != 0 {
			t.Errorf("scores of %q = %v, want [%v 0]", text, got, want)
		}
	}
	if got := x.Scores("get"); got[0] == 0 {
		t.Error("the word get is not found")
	}
	if got := x.Scores("getuser"); got[0] != 0 {
		t.Error("getuser is found, but naive BM25 splits and joins nothing")
	}
}

func TestRankingKeepsTheOrderOfEquals(t *testing.T) {
	got := Ranking([]string{"a", "b", "c", "d"}, []float64{1, 2, 2, 0}, 3)
	if len(got) != 3 || got[0] != "b" || got[1] != "c" || got[2] != "a" {
		t.Errorf("Ranking = %v, want [b c a]", got)
	}
}
