package langchaingo

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const (
	oneString = `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`
	oneNumber = `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`
	oneList   = `{"type":"object","properties":{"ids":{"type":"array","items":{"type":"integer"}}},"required":["ids"]}`
	mainOfTwo = `{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"integer"}},"required":["query"]}`
	onlyText  = `{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"integer"}}}`
	twoNeeded = `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a","b"]}`
	noneAtAll = `{"type":"object"}`
	realArg1  = `{"type":"object","properties":{"__arg1":{"type":"string"},"n":{"type":"integer"}},"required":["__arg1"]}`
)

func TestInputIsUnderstoodInEveryFormAgentsSendIt(t *testing.T) {
	for _, tt := range []struct {
		name, schema, input, want string // want is JSON, or the beginning of the error after "error: "
	}{
		{"raw object", twoNeeded, `{"a":"x","b":"y"}`, `{"a":"x","b":"y"}`},
		{"large numbers keep their digits", oneNumber, `{"n":9007199254740993}`, `{"n":9007199254740993}`},
		{"blanks around it", twoNeeded, "  \n {\"a\":\"x\"}\t", `{"a":"x"}`},
		{"empty", oneString, "", `{}`},
		{"blank", oneString, " \n", `{}`},
		{"null", oneString, "null", `{}`},
		{"fence with a language", twoNeeded, "```json\n{\"a\":\"x\"}\n```", `{"a":"x"}`},
		{"fence without one", twoNeeded, "```\n{\"a\":\"x\"}\n```", `{"a":"x"}`},
		{"fence on one line", twoNeeded, "```json {\"a\":\"x\"} ```", `{"a":"x"}`},
		{"fence that is not closed", twoNeeded, "```json\n{\"a\":\"x\"}", `{"a":"x"}`},
		{"fenced plain text", oneString, "```\nBerlin\n```", `{"city":"Berlin"}`},
		{"invented observation", twoNeeded, "{\"a\":\"x\"}\nObservation: it is done", `{"a":"x"}`},
		{"text behind the object", twoNeeded, "{\"a\":\"x\"}\nThen I will know.", `{"a":"x"}`},

		{"arg1 with plain text", oneString, `{"__arg1":"Berlin"}`, `{"city":"Berlin"}`},
		{"arg1 with an object in its string", twoNeeded, `{"__arg1":"{\"a\":\"x\",\"b\":\"y\"}"}`, `{"a":"x","b":"y"}`},
		{"arg1 with a fenced object", twoNeeded, "{\"__arg1\":\"```json\\n{\\\"a\\\":\\\"x\\\"}\\n```\"}", `{"a":"x"}`},
		{"arg1 with an object", twoNeeded, `{"__arg1":{"a":"x"}}`, `{"a":"x"}`},
		{"arg1 with a number", oneNumber, `{"__arg1":7}`, `{"n":7}`},
		{"arg1 with a number in a string", oneNumber, `{"__arg1":"7"}`, `{"n":7}`},
		{"arg1 empty", oneString, `{"__arg1":""}`, `{}`},
		{"arg1 null", oneString, `{"__arg1":null}`, `{}`},
		{"arg1 for a tool without arguments", noneAtAll, `{"__arg1":"none"}`, `{}`},
		{"arg1 beside others is a name like any", twoNeeded, `{"__arg1":"x","a":"y"}`, `{"__arg1":"x","a":"y"}`},
		{"a real property of that name", realArg1, `{"__arg1":"{\"n\":1}"}`, `{"__arg1":"{\"n\":1}"}`},
		{"a real property of that name, unwrapped by the agent", realArg1, `hello`, `{"__arg1":"hello"}`},
		{"arg1 with plain text for two arguments", twoNeeded, `{"__arg1":"x"}`, "error: the input is not a JSON object"},

		{"plain text", oneString, "New York", `{"city":"New York"}`},
		{"quoted text", oneString, `"New York"`, `{"city":"New York"}`},
		{"text with quotes in it", oneString, `"New" and "York"`, `{"city":"\"New\" and \"York\""}`},
		{"plain text with an invented observation", oneString, "Berlin\nObservation: sunny", `{"city":"Berlin"}`},
		{"bare number", oneNumber, "42", `{"n":42}`},
		{"bare list", oneList, "[1, 2]", `{"ids":[1,2]}`},
		{"text where a number belongs", oneNumber, "many", `error: the value of "n" must be of type integer`},
		{"the one required argument", mainOfTwo, "cats", `{"query":"cats"}`},
		{"the only string", onlyText, "cats", `{"query":"cats"}`},
		{"no arguments to take it", noneAtAll, "None", `{}`},
		{"two required arguments", twoNeeded, "x", "error: the input is not a JSON object"},

		{"cut off", oneString, `{"city":"Ber`, "error: the JSON object is cut off"},
		{"single quotes are no bare text", oneString, `{'city':'Berlin'}`, "error: not valid JSON at byte 2"},
		{"a list is not arguments", twoNeeded, `["x","y"]`, "error: the input is not a JSON object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseInput(tt.input, schemaOf(t, tt.schema))
			checkArguments(t, got, err, tt.want)
		})
	}
}

func TestArgumentsOfAToolCallAreTakenLiterally(t *testing.T) {
	for _, tt := range []struct{ name, input, want string }{
		{"object", `{"a":1}`, `{"a":1}`},
		{"empty", ``, `{}`},
		{"null", ` null `, `{}`},
		{"encoded twice", `"{\"a\":1}"`, `{"a":1}`},
		{"__arg1 is a name like any", `{"__arg1":"x"}`, `{"__arg1":"x"}`},
		{"plain text", `Berlin`, "error: the input is not a JSON object"},
		{"list", `[1]`, "error: the input is not a JSON object"},
		{"cut off", `{"a":`, "error: the JSON object is cut off"},
		{"text behind it", `{"a":1} ok`, "error: there is text after the JSON object"},
		{"two objects", `{"a":1}{"b":2}`, "error: there is text after the JSON object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseArguments(tt.input)
			checkArguments(t, got, err, tt.want)
		})
	}
}

func checkArguments(t *testing.T, got json.RawMessage, err error, want string) {
	t.Helper()
	if msg, ok := strings.CutPrefix(want, "error: "); ok {
		if err == nil || !strings.HasPrefix(err.Error(), msg) {
			t.Fatalf("got %s, %v; want an error beginning %q", got, err, msg)
		}
		return
	}
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
	// json.Number, so that a lost digit shows.
	if a, b := decode(t, got), decode(t, []byte(want)); !reflect.DeepEqual(a, b) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func decode(t *testing.T, data []byte) (v any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

func FuzzParseInput(f *testing.F) {
	schemas := []string{oneString, oneNumber, oneList, mainOfTwo, onlyText, twoNeeded, noneAtAll, realArg1}
	for _, s := range []string{`{"a":"x"}`, `{"__arg1":"{\"a\":1}"}`, "```json\n{}\n```", `"x"`, "null", "{", "[1]", "x\nObservation: y", "```", `{"__arg1":null}`, "``` {"} {
		for i := range schemas {
			f.Add(s, i)
		}
	}
	f.Fuzz(func(t *testing.T, input string, i int) {
		schema := schemaOf(t, schemas[uint(i)%uint(len(schemas))])
		got, err := parseInput(input, schema)
		var object map[string]any
		if err == nil && (json.Unmarshal(got, &object) != nil || object == nil) {
			t.Fatalf("parseInput(%q) = %s, which is no JSON object", input, got)
		}
		// A clean object is its own meaning, whatever the tool: the oracle is encoding/json.
		var want map[string]any
		if strings.Contains(input, "\nObservation:") || json.Unmarshal([]byte(input), &want) != nil || want == nil {
			return
		}
		if _, wrapped := want[wrapper]; wrapped {
			return
		}
		if err != nil || !reflect.DeepEqual(object, want) {
			t.Errorf("parseInput(%q) = %s, %v", input, got, err)
		}
	})
}

func TestSignatureShowsRequiredArgumentsFirst(t *testing.T) {
	schema := schemaOf(t, `{"properties":{"z":{"type":"string"},"a":{"type":["integer","null"]},"m":{}},"required":["z"]}`)
	if got, want := signature(schema, 100), `{"z": string, "a"?: integer|null, "m"?: any}`; got != want {
		t.Errorf("signature = %s, want %s", got, want)
	}
	if got := signature(schema, 12); len(got) > 12 || !strings.HasPrefix(got, `{"z": `) {
		t.Errorf("signature cut to 12 bytes = %s", got)
	}
}
