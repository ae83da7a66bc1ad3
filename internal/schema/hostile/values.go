package hostile

import (
	"encoding/json"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

func values() []Case {
	digits := strings.Repeat("9", 200_000)
	return []Case{
		{Name: "infinite number", Schema: text(`{"minimum":1e400}`), Rule: schema.RuleJSON},
		{Name: "number with a billion digits", Schema: text(`{"const":1e1000000000}`), Rule: schema.RuleJSON},
		{Name: "number with as many digits as fit", Schema: textf(`{"const":%s}`, digits), Rule: schema.RuleJSON},
		{Name: "fraction with as many digits as fit", Schema: textf(`{"properties":{"a":{"multipleOf":0.%s}}}`, digits), Args: args(`{"a":0.3}`)},
		{Name: "tiny multipleOf", Schema: text(`{"properties":{"a":{"items":{"multipleOf":5e-324}}}}`),
			Args: func() map[string]any { return map[string]any{"a": repeat(1.7e308, 20_000)} }, Costly: true},
		{Name: "multipleOf zero", Schema: text(`{"multipleOf":0}`), Rule: schema.RuleKeyword},
		{Name: "multipleOf below zero", Schema: text(`{"multipleOf":-1}`), Rule: schema.RuleKeyword},
		{Name: "multipleOf that underflows to zero", Schema: text(`{"multipleOf":1e-400}`), Rule: schema.RuleKeyword},
		{Name: "huge minLength", Schema: text(`{"properties":{"a":{"minLength":1e300}}}`), Args: args(`{"a":"x"}`)},
		{Name: "negative minLength", Schema: text(`{"minLength":-1}`), Rule: schema.RuleKeyword},
		{Name: "fractional maxItems", Schema: text(`{"maxItems":1.5}`), Rule: schema.RuleKeyword},
		{Name: "huge minContains", Schema: text(`{"properties":{"a":{"contains":true,"minContains":99999999999999999999}}}`), Args: args(`{"a":[1]}`)},
		{Name: "argument with a billion digits", Schema: text(`{"properties":{"a":{"type":"integer","multipleOf":3}}}`),
			Args: func() map[string]any { return map[string]any{"a": json.Number("1e1000000000")} }},
		{Name: "argument that is no number", Schema: text(`{"properties":{"a":{"minimum":0}}}`),
			Args: func() map[string]any { return map[string]any{"a": json.Number("0x1p-2; rm")} }},
		{Name: "uniqueItems over many equal hashes", Schema: text(`{"properties":{"a":{"uniqueItems":true}}}`), Args: func() map[string]any {
			a := make([]any, 100_000)
			for i := range a {
				a[i] = float64(i)
			}
			return map[string]any{"a": a}
		}},
		{Name: "uniqueItems over large items", Schema: text(`{"properties":{"a":{"allOf":[{"uniqueItems":true},{"uniqueItems":true}]}}}`), Args: func() map[string]any {
			a := make([]any, 1_000)
			for i := range a {
				a[i] = append(repeat("x", 1_000), i)
			}
			return map[string]any{"a": a}
		}, Costly: true},
		{Name: "formats of every kind", Schema: text(`{"properties":{"a":{"format":"regex"},"b":{"format":"uri"},"c":{"format":"\u0000"}}}`),
			Args: args(`{"a":"(((((","b":"http://[","c":""}`)},
		{Name: "format that is an object", Schema: text(`{"format":{"$ref":"http://h/"}}`)},
		{Name: "content that is a schema", Schema: text(`{"properties":{"a":{"contentMediaType":"application/json","contentSchema":{"$ref":"#"}}}}`), Args: args(`{"a":"{\"a\":\"{}\"}"}`)},
		{Name: "names of every kind", Schema: text(`{"properties":{"":{},"__proto__":{},"constructor":{},"\u202e\u0000/~":{"type":"null"}}}`), Args: args(`{"\u202e\u0000/~":1,"__proto__":{}}`)},
		{Name: "unpaired surrogates", Schema: text(`{"properties":{"\ud800":{"pattern":"\\ud800"}},"required":["\ud800"]}`), Args: args(`{"\ud800":"\udfff"}`)},
		{Name: "invalid UTF-8", Schema: text("{\"properties\":{\"\xff\":{\"const\":\"\xfe\"}}}"), Args: args("{\"\xff\":\"\xfe\"}")},
		{Name: "nothing but a string", Schema: text(`"object"`), Rule: schema.RuleNotObject},
		{Name: "nothing but an array", Schema: text(`[{}]`), Rule: schema.RuleNotObject},
		{Name: "false", Schema: text(`false`), Rule: schema.RuleNotObject},
		{Name: "a type that is not an object", Schema: text(`{"type":"string"}`), Rule: schema.RuleNotObject},
		{Name: "a type that does not exist", Schema: text(`{"type":"any"}`), Rule: schema.RuleKeyword},
		{Name: "a type that is an object", Schema: text(`{"type":{"$ref":"#"}}`), Rule: schema.RuleKeyword},
		{Name: "properties in an array", Schema: text(`{"properties":[]}`), Rule: schema.RuleKeyword},
		{Name: "required that is true", Schema: text(`{"required":true}`), Rule: schema.RuleKeyword},
		{Name: "schemas that are numbers", Schema: text(`{"allOf":[1]}`), Rule: schema.RuleKeyword},
		{Name: "null for every keyword", Schema: text(`{"type":null,"properties":null,"required":null,"enum":null,"allOf":null,"$ref":null,"items":null,"pattern":null,"multipleOf":null,"$id":null,"$schema":null}`), Args: args(`{"a":1}`)},
		{Name: "half a document", Schema: text(`{"type":"object"`), Rule: schema.RuleJSON},
		{Name: "two documents", Schema: text(`{} {}`), Rule: schema.RuleJSON},
		{Name: "not JSON at all", Schema: text("\x00\x01"), Rule: schema.RuleJSON},
		{Name: "a channel", Schema: func() any { return make(chan int) }, Rule: schema.RuleJSON},
	}
}
