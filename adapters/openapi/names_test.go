package openapi

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var nameRE = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func FuzzToolNamesAreValidAndUnique(f *testing.F) {
	f.Add("a|a|b")
	f.Add("list/pets|list_pets|list.pets||")
	f.Add(strings.Repeat("x", 100) + "|" + strings.Repeat("x", 101))
	f.Add("日本|ü|-|_")
	f.Fuzz(func(t *testing.T, joined string) {
		wanted := strings.Split(joined, "|")
		keys := make([]string, len(wanted))
		for i := range keys {
			keys[i] = "GET /" + strings.Repeat("x", i)
		}
		names := toolNames(wanted, keys)
		seen := map[string]bool{}
		for _, name := range names {
			if !nameRE.MatchString(name) || seen[name] {
				t.Fatalf("%q become %q", wanted, names)
			}
			seen[name] = true
		}
		// The order does not matter.
		slices.Reverse(wanted)
		slices.Reverse(keys)
		again := toolNames(wanted, keys)
		slices.Reverse(again)
		if len(joined) < 200 && !slices.Equal(names, again) {
			t.Fatalf("%q become %q or, the other way round, %q", wanted, names, again)
		}
	})
}

func TestNamesStayWhenOtherOperationsCome(t *testing.T) {
	long := strings.Repeat("long", 20)
	before := toolNames([]string{"listPets", "pets/list", long}, []string{"GET /a", "GET /b", "GET /c"})
	after := toolNames([]string{"another", "pets/list", long, "listPets"}, []string{"GET /0", "GET /b", "GET /c", "GET /a"})
	for i, j := range []int{3, 1, 2} {
		if before[i] != after[j] {
			t.Errorf("%q became %q", before[i], after[j])
		}
	}
	if before[0] != "listPets" || before[1] != "pets_list" || len(before[2]) != maxName || !strings.HasPrefix(before[2], "longlong") {
		t.Errorf("got %q", before)
	}
}

func TestTheExactNameBelongsToWhoWroteIt(t *testing.T) {
	got := toolNames([]string{"a.b", "a_b", "a b"}, []string{"GET /1", "GET /2", "GET /3"})
	if got[1] != "a_b" || !strings.HasPrefix(got[0], "a_b_") || !strings.HasPrefix(got[2], "a_b_") || got[0] == got[2] {
		t.Errorf("got %q", got)
	}
}

func TestOperationsWithoutAnIDAreNamedAfterMethodAndPath(t *testing.T) {
	d := mustParse(t, document("3.0.3", `{"/pets/{petId}/toys":{"get":{"responses":{}},"post":{"responses":{},"operationId":""}},"/":{"get":{"responses":{}}}}`))
	var got []string
	for _, op := range d.Operations() {
		got = append(got, op.Name)
	}
	if want := []string{"get", "get_pets_petId_toys", "post_pets_petId_toys"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestArgumentsOfTheSameNameAreToldApartByTheirPlace(t *testing.T) {
	d := mustParse(t, operationDoc("3.1.0", "/x/{id}", "post", `"parameters":[
		{"name":"id","in":"path","required":true,"schema":{}},{"name":"id","in":"query","schema":{}},
		{"name":"body","in":"query","schema":{}},{"name":"filter[a]","in":"query","schema":{}},{"name":"filter_a","in":"query","schema":{}},
		{"name":"b.c","in":"header","schema":{}}],
		"requestBody":{"content":{"application/json":{}}}`))
	var got []string
	for _, p := range d.operations[0].params {
		got = append(got, p.arg)
	}
	if want := []string{"id_path", "id_query", "body_query", "filter_a_query", "filter_a_query2", "b.c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNamesOfTheCallerAreSpelledAndMadeUnique(t *testing.T) {
	a := newAPI(t, document("3.0.0", `{"/a":{"get":{"operationId":"a","responses":{}}},"/b":{"get":{"operationId":"b","responses":{}}}}`), nil,
		&Options{Names: func(op Operation) string { return "my tool" }})
	tools := a.tools()
	if len(tools) != 2 {
		t.Fatalf("got %d tools", len(tools))
	}
	for name := range tools {
		if !nameRE.MatchString(name) || !strings.HasPrefix(name, "my_tool_") {
			t.Errorf("got %q", name)
		}
	}
}
