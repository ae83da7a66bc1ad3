package static

import (
	"slices"
	"strings"
	"testing"
)

func TestTermsAreStemsAndOnlyWordsHaveNgrams(t *testing.T) {
	for _, test := range []struct {
		text string
		want []Term
	}{
		{"", nil},
		{"12 345, 6.7", nil},
		{"Creating requests", []Term{{"creat", true}, {"request", true}}},
		{"createIssue", []Term{{"creat", true}, {"issu", true}, {"createissu", false}}},
		{"list_records", []Term{{"list", true}, {"record", true}, {"listrecord", false}}},
		{"utf8", []Term{{"utf", false}, {"utf8", false}}},
		{"7c1e-44b0", []Term{{"c", false}, {"e", false}, {"b", false}, {"7c1e44b0", false}}},
		{strings.Repeat("z", 41), []Term{{strings.Repeat("z", 41), false}}},
		{"a to", []Term{{"a", false}, {"to", false}}},
		{"Größe", []Term{{"gross", true}}},
	} {
		got := Terms(nil, test.text)
		if !slices.Equal(got, test.want) {
			t.Errorf("Terms(%q) = %+v, want %+v", test.text, got, test.want)
		}
	}
}

func TestTermsAppends(t *testing.T) {
	got := Terms([]Term{{"first", true}}, "second")
	if want := []Term{{"first", true}, {"second", true}}; !slices.Equal(got, want) {
		t.Errorf("Terms = %+v, want %+v", got, want)
	}
}
