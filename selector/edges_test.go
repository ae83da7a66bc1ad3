package selector

import (
	"errors"
	"strings"
	"testing"

	"github.com/mcpfleet/mcpfleet/selector/internal/graph"
)

func TestEdgesThatCannotBeMeantAreRefused(t *testing.T) {
	good := Edge{From: "a", To: "b", Kind: DependsOn}
	for name, test := range map[string]struct {
		edge  Edge
		field string
	}{
		"no kind":          {Edge{From: "a", To: "b"}, "Options.Edges[1].Kind"},
		"unknown kind":     {Edge{From: "a", To: "b", Kind: "DEPENDS_ON"}, "Options.Edges[1].Kind"},
		"a very long kind": {Edge{From: "a", To: "b", Kind: EdgeKind(strings.Repeat("k", 1<<20))}, "Options.Edges[1].Kind"},
		"no from":          {Edge{To: "b", Kind: Precedes}, "Options.Edges[1].From"},
		"no to":            {Edge{From: "a", Kind: Precedes}, "Options.Edges[1].To"},
		"a long from":      {Edge{From: strings.Repeat("a", 513), To: "b", Kind: Precedes}, "Options.Edges[1].From"},
		"a long to":        {Edge{From: "a", To: strings.Repeat("b", 513), Kind: Precedes}, "Options.Edges[1].To"},
		"the same ends":    {Edge{From: "a", To: "a", Kind: AlternativeOf}, "Options.Edges[1].To"},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := declare([]Edge{good, test.edge})
			var invalid *InvalidError
			if !errors.As(err, &invalid) || !errors.Is(err, ErrInvalid) {
				t.Fatalf("declare = %v, %v, want an *InvalidError", g, err)
			}
			if invalid.Field != test.field {
				t.Errorf("Field = %q, want %q", invalid.Field, test.field)
			}
			if text := err.Error(); !strings.HasPrefix(text, "selector: "+test.field) || len(text) > 800 {
				t.Errorf("Error() = %.900q", text)
			}
		})
	}
}

func TestEdgesKeepTheirMeaning(t *testing.T) {
	g, err := declare([]Edge{
		{From: "send", To: "login", Kind: DependsOn},
		{From: "login", To: "send", Kind: DependsOn}, // a circle is allowed
		{From: "send", To: "login", Kind: DependsOn}, // and so is saying it twice
		{From: "send", To: "archive", Kind: Precedes},
		{From: "send", To: "post", Kind: AlternativeOf},
		{From: "send", To: strings.Repeat("x", 512), Kind: Precedes},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range g.Complete([]string{"send", "post", "archive"}, func(string) bool { return true }, graph.Limits{}) {
		got = append(got, p.Ref+"<"+p.For)
	}
	if want := "send< login<send archive<"; strings.Join(got, " ") != want {
		t.Errorf("Complete = %q, want %q", got, want)
	}
	if next := g.Next("send"); len(next) != 2 || next[0] != "archive" {
		t.Errorf("Next = %.40q, want archive first of two", next)
	}
}

func TestNoEdgesAreAGraph(t *testing.T) {
	g, err := declare(nil)
	if err != nil || g == nil {
		t.Fatalf("declare(nil) = %v, %v", g, err)
	}
	if got := g.Order([]string{"b", "a"}); strings.Join(got, " ") != "b a" {
		t.Errorf("Order = %q", got)
	}
}
