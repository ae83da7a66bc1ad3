package schema

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	google "github.com/google/jsonschema-go/jsonschema"
)

// TestAgreesWithAnIndependentValidator is the oracle twin: random schemas and random arguments, judged by this package
// and by jsonschema-go, must get the same verdicts. The generator covers every keyword both implement, in both dialects.
func TestAgreesWithAnIndependentValidator(t *testing.T) {
	rounds := 4000
	if testing.Short() || raceEnabled {
		rounds = 500
	}
	verdicts := map[bool]int{}
	for seed := range uint64(rounds) {
		g := &generator{rand.New(rand.NewPCG(seed, 7)), seed%2 == 0}
		raw := g.document()
		text, err := json.Marshal(raw)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := Compile(json.RawMessage(text), nil)
		if err != nil {
			if guardRule(err) == RuleCycle {
				continue
			}
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		var parsed google.Schema
		if err := json.Unmarshal(text, &parsed); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		theirs, err := parsed.Resolve(nil)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		for range 20 {
			args := g.object(3)
			got, want := ours.Validate(args), theirs.Validate(args)
			if (got == nil) != (want == nil) {
				argText, _ := json.Marshal(args)
				t.Errorf("seed %d: schema %s\narguments %s\nours:   %v\ntheirs: %v", seed, text, argText, got, want)
			}
			verdicts[got == nil]++
			checkRun(t, ours, args, got)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d valid, %d invalid", verdicts[true], verdicts[false])
	if verdicts[true] < rounds || verdicts[false] < rounds {
		t.Errorf("the generator is lopsided: %d valid, %d invalid", verdicts[true], verdicts[false])
	}
}

// checkRun holds for any schema and arguments: what Prune promises, and that explaining agrees with checking.
func checkRun(t *testing.T, s *Schema, args map[string]any, verdict error) {
	t.Helper()
	before, err := json.Marshal(args)
	if err != nil {
		return
	}
	pruned := s.Prune(args)
	if after, _ := json.Marshal(args); string(after) != string(before) {
		t.Fatalf("Prune changed its argument from %s to %s", before, after)
	}
	if verdict == nil && !sameMap(pruned, args) {
		after, _ := json.Marshal(pruned)
		t.Fatalf("Prune turned valid arguments %s into %s", before, after)
	}
	if again := s.Prune(pruned); !sameMap(again, pruned) {
		t.Fatalf("a second Prune of %s finds more to drop", before)
	}
	invalid, ok := verdict.(*ValidationError)
	if verdict != nil && (!ok || len(invalid.Violations) == 0 || len(invalid.Violations) > maxViolations) {
		t.Fatalf("Validate returned %T with %v", verdict, verdict)
	}
	if ok && invalid.Violations[0].Message == "does not fit the schema" {
		t.Fatalf("%s is refused, but explaining finds nothing", before)
	}
}

// A generator makes small schemas and values over a few names and values, so that they often fit by chance.
type generator struct {
	*rand.Rand
	modern bool // 2020-12 instead of draft-07
}

var (
	someNames    = []string{"a", "b", "c", "d"}
	someTypes    = []any{"null", "boolean", "integer", "number", "string", "array", "object"}
	someScalars  = []any{nil, true, false, 0.0, 1.0, 2.0, 1.5, -1.0, "", "a", "ab", "é", "abc"}
	somePatterns = []string{"^a", "b$", "^.$", "^[a-c]*$", "c|d"}
)

func (g *generator) document() map[string]any {
	doc := g.schema(3).(map[string]any)
	delete(doc, "type") // arguments are objects
	delete(doc, "enum")
	delete(doc, "const")
	defs := map[string]any{}
	for _, name := range someNames[:2] {
		defs[name] = g.schema(2)
	}
	if g.modern {
		doc["$schema"], doc["$defs"] = "https://json-schema.org/draft/2020-12/schema", defs
	} else {
		doc["$schema"], doc["definitions"] = "http://json-schema.org/draft-07/schema#", defs
	}
	return doc
}

func (g *generator) one(choices []any) any { return choices[g.IntN(len(choices))] }

func (g *generator) name() string { return someNames[g.IntN(len(someNames))] }

func (g *generator) sub(depth int) any {
	if g.IntN(12) == 0 {
		return g.IntN(2) == 0
	}
	return g.schema(depth - 1)
}

func (g *generator) list(depth int) []any {
	list := make([]any, 1+g.IntN(3))
	for i := range list {
		list[i] = g.sub(depth)
	}
	return list
}

func (g *generator) names() []any {
	var names []any
	for _, name := range someNames {
		if g.IntN(3) == 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		names = []any{}
	}
	return names
}

func (g *generator) schemas(depth int) map[string]any {
	m := map[string]any{}
	for range 1 + g.IntN(3) {
		m[g.name()] = g.sub(depth)
	}
	return m
}

func (g *generator) schema(depth int) any {
	s := map[string]any{}
	keywords := []func(){
		func() { s["type"] = g.one(someTypes) },
		func() {
			types := slices.Clone(someTypes)
			g.Shuffle(len(types), func(i, j int) { types[i], types[j] = types[j], types[i] })
			s["type"] = types[:2]
		},
		func() { s["enum"] = []any{g.one(someScalars), g.one(someScalars), []any{g.one(someScalars)}} },
		func() { s["const"] = g.one(someScalars) },
		func() { s["minLength"] = g.IntN(3) },
		func() { s["maxLength"] = g.IntN(3) },
		func() { s["pattern"] = somePatterns[g.IntN(len(somePatterns))] },
		func() { s["minimum"] = g.IntN(3) },
		func() { s["exclusiveMaximum"] = g.IntN(3) },
		func() { s["multipleOf"] = []any{1, 2, 0.5}[g.IntN(3)] },
		func() { s["required"] = g.names() },
		func() { s["minProperties"] = g.IntN(3) },
		func() { s["maxProperties"] = 1 + g.IntN(3) },
		func() { s["minItems"] = g.IntN(3) },
		func() { s["maxItems"] = g.IntN(3) },
		func() { s["uniqueItems"] = true },
	}
	if depth > 0 {
		keywords = append(keywords,
			func() { s["properties"] = g.schemas(depth) },
			func() { s["properties"] = g.schemas(depth) },
			func() { s["patternProperties"] = map[string]any{somePatterns[g.IntN(len(somePatterns))]: g.sub(depth)} },
			func() { s["additionalProperties"] = g.sub(depth) },
			func() { s["propertyNames"] = g.sub(1) },
			func() { s["items"] = g.sub(depth) },
			func() { s["contains"] = g.sub(depth) },
			func() { s["allOf"] = g.list(depth) },
			func() { s["anyOf"] = g.list(depth) },
			func() { s["oneOf"] = g.list(depth) },
			func() { s["not"] = g.sub(depth) },
			func() { s["if"], s["then"], s["else"] = g.sub(depth), g.sub(depth), g.sub(depth) },
		)
		if g.modern {
			keywords = append(keywords,
				func() { s["prefixItems"] = g.list(depth) },
				func() { s["contains"], s["minContains"], s["maxContains"] = g.sub(depth), g.IntN(2), 1+g.IntN(2) },
				func() { s["dependentRequired"] = map[string]any{g.name(): g.names()} },
				func() { s["dependentSchemas"] = map[string]any{g.name(): g.sub(depth)} },
				func() { s["unevaluatedProperties"] = g.sub(depth) },
				func() { s["unevaluatedItems"] = g.sub(depth) },
				func() { s["$ref"] = "#/$defs/" + someNames[g.IntN(2)] },
			)
		} else {
			keywords = append(keywords,
				func() { s["items"], s["additionalItems"] = g.list(depth), g.sub(depth) },
				func() { s["dependencies"] = map[string]any{g.name(): g.sub(depth), g.name() + "x": g.names()} },
				func() { s = map[string]any{"$ref": "#/definitions/" + someNames[g.IntN(2)]} },
			)
		}
	}
	for range 1 + g.IntN(3) {
		keywords[g.IntN(len(keywords))]()
	}
	return s
}

func (g *generator) value(depth int) any {
	if depth > 0 {
		switch g.IntN(4) {
		case 0:
			return g.object(depth - 1)
		case 1:
			list := make([]any, g.IntN(4))
			for i := range list {
				list[i] = g.value(depth - 1)
			}
			return list
		}
	}
	return g.one(someScalars)
}

func (g *generator) object(depth int) map[string]any {
	m := map[string]any{}
	for range g.IntN(5) {
		m[g.name()] = g.value(depth)
	}
	return m
}

// TestTheGeneratorReachesEveryKeyword keeps the twin from silently testing less than it says.
func TestTheGeneratorReachesEveryKeyword(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(300) {
		g := &generator{rand.New(rand.NewPCG(seed, 7)), seed%2 == 0}
		text := fmt.Sprint(g.document())
		for _, list := range [][]string{holdsSchema, holdsList, holdsMap, {"$ref", "enum", "const", "pattern", "multipleOf", "uniqueItems", "minContains"}} {
			for _, keyword := range list {
				if keywordIn(text, keyword) {
					seen[keyword] = true
				}
			}
		}
	}
	for _, list := range [][]string{holdsSchema, holdsList, holdsMap} {
		for _, keyword := range list {
			if !seen[keyword] && keyword != "contentSchema" { // an annotation
				t.Errorf("%s never comes up", keyword)
			}
		}
	}
}

func keywordIn(printed, keyword string) bool {
	for i := 0; i+len(keyword) < len(printed); i++ {
		if printed[i:i+len(keyword)] == keyword && printed[i+len(keyword)] == ':' && (i == 0 || printed[i-1] == ' ' || printed[i-1] == '[') {
			return true
		}
	}
	return false
}
