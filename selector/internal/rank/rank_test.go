package rank

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestRequestsFindTheirTools(t *testing.T) {
	x := newIndex(someTools)
	sc := x.Scope(nil)
	dst := make([]float32, len(someTools))
	for request, want := range map[string]string{
		"open a pull request":                                     "create_pull_request",
		"In GitHub, which pull requests are there?":               "list_pull_requests",
		"could you remove the dentist event from my calendar":     "delete_event",
		"post 'create issue' to the channel on Slack":             "post_message",
		"will it rain? I need the weather forecast for Porto":     "get_forecast",
		"trnaslate this text for me":                              "translate",
		"what was said lately in channel 4471, latest messages":   "get_channel_history",
		"please create an event on 2025-03-01 in my calendar now": "create_event",
	} {
		x.Score(dst, sc, request, nil, nil)
		if got := best(someTools, dst); got != want {
			t.Errorf("best tool for %q = %s, want %s", request, got, want)
		}
	}
}

func TestUnmatchedAreWordsOfNoTool(t *testing.T) {
	x := newIndex(someTools)
	dst := make([]float32, len(someTools))
	for request, want := range map[string][]string{
		"":                                    nil,
		"please do it for me":                 nil,
		"open a pull request":                 nil,
		"create a Kanban card, a kanban card": {"Kanban", "card", "kanban"},
		"ask CircleCI about the pull request": {"ask", "CircleCI"},
		"create-issue on 2025-01-01":          nil,
		"用高德看看":                               nil,
	} {
		if got := x.Score(dst, x.Scope(nil), request, nil, nil); !slices.Equal(got, want) {
			t.Errorf("words of %q that match no tool = %q, want %q", request, got, want)
		}
	}
	only := []uint64{1 << 12} // weather alone
	if got := x.Score(dst, x.Scope(only), "weather event", nil, nil); !slices.Equal(got, []string{"event"}) {
		t.Errorf("words that match no allowed tool = %q, want [event]", got)
	}
}

func TestScoresOfAScopeAreThoseOfAnIndexWithoutTheRest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		tools := randomTools(rng, 1+rng.IntN(120))
		x := newIndex(tools)
		allowed := make([]uint64, (len(tools)+63)/64)
		var some []tool
		var rows []int
		for i, tool := range tools {
			if rng.IntN(3) > 0 {
				allowed[i/64] |= 1 << (i % 64)
				some = append(some, tool)
				rows = append(rows, i)
			}
		}
		alone := newIndex(some)
		for _, request := range requests {
			dst, want := make([]float32, len(tools)), make([]float32, len(some))
			x.Score(dst, x.Scope(allowed), request, cosinesOf(tools), nil)
			alone.Score(want, alone.Scope(nil), request, cosinesOf(some), nil)
			for i, row := range rows {
				if !near(dst[row], want[i]) {
					t.Fatalf("score of %v for %q in a scope of %d = %v, alone %v", some[i], request, len(some), dst[row], want[i])
				}
			}
		}
	}
}

func TestScoresAreTheSameEveryTime(t *testing.T) {
	tools := randomTools(rand.New(rand.NewPCG(3, 4)), 300)
	x := newIndex(tools)
	sc := x.Scope(nil)
	want := map[string][]float32{}
	for _, request := range requests {
		want[request] = make([]float32, len(tools))
		x.Score(want[request], sc, request, cosinesOf(tools), nil)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			dst := make([]float32, len(tools))
			for range 5 {
				for _, request := range requests {
					x.Score(dst, sc, request, cosinesOf(tools), nil)
					if !slices.Equal(dst, want[request]) {
						t.Errorf("scores for %q differ from one call to the next", request)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestDegenerateCataloguesAndRequestsHaveFiniteScores(t *testing.T) {
	same := make([]tool, 40)
	for i := range same {
		same[i] = tool{"s", "get_thing", "Get a thing"}
	}
	nan := func(dst []float32, _ string) bool {
		for i := range dst {
			dst[i] = float32(math.NaN())
		}
		return true
	}
	for name, tools := range map[string][]tool{"none": nil, "one": someTools[:1], "two": someTools[:2], "equal": same, "nameless": {{}, {}}} {
		x := newIndex(tools)
		for _, cosines := range []Cosines{nil, cosinesOf(tools), nan, func([]float32, string) bool { return false }} {
			for _, request := range append(requests, "", " ", "the of and", "...", "12 34", "\xff\xfe", strings.Repeat("get thing. ", 500)) {
				for _, sc := range []*Scope{x.Scope(nil), x.Scope([]uint64{})} {
					dst := make([]float32, len(tools))
					x.Score(dst, sc, request, cosines, nil)
					for row, v := range dst {
						if !finite(v) {
							t.Fatalf("%s: score of row %d for %q = %v", name, row, request, v)
						}
					}
				}
			}
		}
	}
}

func TestEqualToolsHaveEqualScores(t *testing.T) {
	tools := append(slices.Clone(someTools), someTools...)
	x := newIndex(tools)
	dst := make([]float32, len(tools))
	for _, request := range requests {
		x.Score(dst, x.Scope(nil), request, nil, nil)
		for i := range someTools {
			if dst[i] != dst[i+len(someTools)] {
				t.Errorf("%q: the scores of twins are %v and %v", request, dst[i], dst[i+len(someTools)])
			}
		}
	}
}

func TestPartsAddUpToTheScore(t *testing.T) {
	tools := randomTools(rand.New(rand.NewPCG(5, 6)), 200)
	x := newIndex(tools)
	sc := x.Scope(nil)
	for _, request := range requests {
		dst, plain := make([]float32, len(tools)), make([]float32, len(tools))
		var p Parts
		x.Score(dst, sc, request, cosinesOf(tools), &p)
		x.Score(plain, sc, request, cosinesOf(tools), nil)
		if !slices.Equal(dst, plain) {
			t.Fatalf("scores for %q change when they are explained", request)
		}
		// The base is standardised, so that it is known only up to its mean and deviation.
		w := DefaultWeights()
		base, rest := make([]float32, len(tools)), make([]float32, len(tools))
		for i := range base {
			base[i] = p.Lexical[i] + w.Characters*p.Characters[i] + w.Vector*p.Vector[i]
			rest[i] = dst[i] - w.Server*p.Server[i] - w.Intent*p.Intent[i]
		}
		standardize(base, sc.rows)
		for i := range base {
			base[i] += w.Sentence * p.Sentence[i]
		}
		standardize(base, sc.rows)
		for i := range base {
			if !near(base[i]-base[0], rest[i]-rest[0]) {
				t.Fatalf("%q: the parts of row %d make %v more than those of row 0, the score is %v more", request, i, base[i]-base[0], rest[i]-rest[0])
			}
		}
	}
}

func TestAServerIsAsGoodAsItsToolsAreTogether(t *testing.T) {
	// Both servers have one tool that fits best, but one has more that fit.
	tools := []tool{
		{"calendar", "find", "find a meeting room"}, {"calendar", "book", "book a meeting room"}, {"calendar", "free", "free a meeting room"},
		{"maps", "find", "find a meeting room"}, {"maps", "route", "way from here to there"}, {"maps", "zoom", "zoom in"},
		{"other", "a", "something else"}, {"other", "b", "again something else"},
	}
	x := newIndex(tools)
	dst := make([]float32, len(tools))
	x.Score(dst, x.Scope(nil), "find a meeting room", nil, nil)
	if dst[0] <= dst[3] {
		t.Errorf("score with siblings that fit = %v, without %v; want more", dst[0], dst[3])
	}
}

func TestAToolWithoutServerIsItsOwn(t *testing.T) {
	with := []tool{{"", "find_room", "find a room"}, {"", "zoom", "zoom in"}, {"a", "route", "way to a place"}}
	each := []tool{{"x", "find_room", "find a room"}, {"y", "zoom", "zoom in"}, {"a", "route", "way to a place"}}
	got, want := make([]float32, 3), make([]float32, 3)
	x, y := newIndex(with), newIndex(each)
	x.Score(got, x.Scope(nil), "room", nil, nil)
	y.Score(want, y.Scope(nil), "room", nil, nil)
	if !slices.Equal(got, want) {
		t.Errorf("tools without a server score %v, as the only ones of theirs %v", got, want)
	}
}

func TestRowsWithoutAVectorAreNotWorseThanOthers(t *testing.T) {
	x := newIndex(someTools)
	dst := make([]float32, len(someTools))
	x.Score(dst, x.Scope(nil), "create an issue", func(dst []float32, _ string) bool {
		for i := range dst {
			dst[i] = float32(i) / 100
		}
		dst[3] = float32(math.NaN())
		return true
	}, nil)
	if got := best(someTools, dst); got != "create_issue" {
		t.Errorf("best tool = %s, want create_issue, which has no vector", got)
	}
}

// requests are of all kinds: short, long, with payload, of several sentences.
var requests = []string{
	"create an issue",
	"list events",
	"Which messages are there in the channel 'general'? Send them to user 4471 at https://example.com/a_b. Then delete the file, and update the board.",
	"I need a report. Search the map. Query the table. Get the page. Send it. List users. Delete nothing. Weather?",
	"GitHub",
	"用高德看看",
}

func near(a, b float32) bool {
	return math.Abs(float64(a)-float64(b)) <= 5e-4*max(1, math.Abs(float64(a)))
}
