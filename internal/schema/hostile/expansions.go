package hostile

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

func expansions() []Case {
	diamond := func(layer string) func() any { return func() any { return diamonds(24, layer) } }
	return []Case{
		{Name: "2^24 allOf", Schema: diamond(`{"allOf":[%s,%s]}`), Rule: schema.RuleExpansion},
		{Name: "2^24 anyOf", Schema: diamond(`{"anyOf":[%s,%s]}`), Rule: schema.RuleExpansion},
		{Name: "2^24 oneOf", Schema: diamond(`{"oneOf":[%s,%s]}`), Rule: schema.RuleExpansion},
		{Name: "2^24 if and then", Schema: diamond(`{"if":%s,"then":%s}`), Rule: schema.RuleExpansion},
		{Name: "2^24 not and allOf", Schema: diamond(`{"not":%s,"allOf":[%s]}`), Rule: schema.RuleExpansion},
		{Name: "2^24 dependentSchemas", Schema: diamond(`{"dependentSchemas":{"a":%s,"b":%s}}`), Rule: schema.RuleExpansion},
		{Name: "2^24 below a property", Schema: func() any {
			inner, _ := json.Marshal(diamonds(24, `{"allOf":[%s,%s]}`))
			return json.RawMessage(`{"properties":{"a":` + strings.ReplaceAll(string(inner), "#/$defs", "#/properties/a/$defs") + `}}`)
		}, Rule: schema.RuleExpansion},
		{Name: "thousands of references to thousands of references", Schema: func() any {
			refs := func(to string, n int) []any { return repeat(map[string]any{"$ref": to}, n) }
			return map[string]any{"allOf": refs("#/$defs/a", 4000), "$defs": map[string]any{
				"a": map[string]any{"allOf": refs("#/$defs/b", 4000)}, "b": map[string]any{"type": "object"}}}
		}, Rule: schema.RuleExpansion},

		// Each of these looks linear at one value and doubles with every level of the arguments.
		{Name: "anyOf recursing twice through one property",
			Schema: text(`{"anyOf":[{"properties":{"a":{"$ref":"#"}},"not":{}},{"properties":{"a":{"$ref":"#"}}}]}`),
			Args:   nested("a", 100), Costly: true},
		{Name: "oneOf recursing twice through one property",
			Schema: text(`{"oneOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}},"not":{}}]}`),
			Args:   nested("a", 100), Costly: true},
		{Name: "allOf recursing twice through one property",
			Schema: text(`{"allOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}`),
			Args:   nested("a", 100), Costly: true},
		{Name: "property and pattern recursing",
			Schema: text(`{"properties":{"a":{"$ref":"#"}},"patternProperties":{"a":{"$ref":"#"}}}`),
			Args:   nested("a", 100), Costly: true},
		{Name: "not and if recursing",
			Schema: text(`{"if":{"not":{"properties":{"a":{"$ref":"#"}}}},"then":true,"else":{"properties":{"a":{"$ref":"#"}}}}`),
			Args:   nested("a", 100), Costly: true},
		{Name: "contains and items recursing",
			Schema: text(`{"properties":{"a":{"$ref":"#/$defs/l"}},"$defs":{"l":{"contains":{"$ref":"#/$defs/l"},"items":{"$ref":"#/$defs/l"}}}}`),
			Args: func() map[string]any {
				var v any = map[string]any{}
				for range 100 {
					v = []any{v}
				}
				return map[string]any{"a": v}
			}, Costly: true},
		{Name: "unevaluatedProperties recursing twice",
			Schema: text(`{"anyOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}],"unevaluatedProperties":false}`),
			Args:   nested("a", 100), Costly: true},
		{Name: "dynamic reference recursing twice",
			Schema: text(`{"$dynamicAnchor":"n","allOf":[{"properties":{"a":{"$dynamicRef":"#n"}}},{"properties":{"a":{"$dynamicRef":"#n"}}}]}`),
			Args:   nested("a", 100), Costly: true},
		{Name: "layers of definitions doubling per level", Schema: func() any {
			return diamonds(40, `{"allOf":[{"properties":{"a":%s}},{"properties":{"a":%s}}]}`)
		}, Args: nested("a", 100), Costly: true},
		{Name: "recursion over arguments that are too deep", Schema: text(`{"additionalProperties":{"$ref":"#"}}`), Args: nested("a", 9000), Costly: true},
		{Name: "nulls to prune below a doubling recursion",
			Schema: text(`{"allOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}],"properties":{"n":{"type":"string"}}}`),
			Args: func() map[string]any {
				m := map[string]any{"n": nil}
				for range 100 {
					m = map[string]any{"a": m}
				}
				return m
			}},
		{Name: "many items times many alternatives", Schema: func() any {
			var b strings.Builder
			for i := range 3000 {
				fmt.Fprintf(&b, `{"type":"object","required":["k%d"]},`, i)
			}
			return json.RawMessage(`{"properties":{"a":{"items":{"anyOf":[` + b.String() + `true]}}}}`)
		}, Args: func() map[string]any { return map[string]any{"a": repeat(map[string]any{}, 10_000)} }, Costly: true},
	}
}

func repeat(v any, n int) []any {
	s := make([]any, n)
	for i := range s {
		s[i] = v
	}
	return s
}
