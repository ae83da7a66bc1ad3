package graph

import (
	"slices"
	"testing"
)

func TestEdgesCountOnce(t *testing.T) {
	g := New([]Edge{
		{"a", "b", DependsOn}, {"a", "b", DependsOn}, {"a", "a", DependsOn},
		{"a", "c", Precedes}, {"a", "c", Precedes}, {"a", "a", Precedes},
		{"a", "d", AlternativeOf}, {"d", "a", AlternativeOf}, {"a", "a", AlternativeOf},
	})
	for name, test := range map[string]struct{ got, want []string }{
		"needs of a":  {g.needs["a"], []string{"b"}},
		"next of a":   {g.next["a"], []string{"c"}},
		"before c":    {g.before["c"], []string{"a"}},
		"same as a":   {g.same["a"], []string{"d"}},
		"same as d":   {g.same["d"], []string{"a"}},
		"Next of a":   {g.Next("a"), []string{"c"}},
		"Next of c":   {g.Next("c"), nil},
		"Next of nil": {(*Graph)(nil).Next("a"), nil},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("%s = %q, want %q", name, test.got, test.want)
		}
	}
}

func TestAGraphCannotBeChangedThroughNext(t *testing.T) {
	g := New([]Edge{{"a", "b", Precedes}})
	g.Next("a")[0] = "changed"
	if got := g.Next("a"); got[0] != "b" {
		t.Errorf("Next = %q after its result was changed", got)
	}
}

func TestAnUnknownKindPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New accepted an unknown kind")
		}
	}()
	New([]Edge{{"a", "b", 0}})
}
