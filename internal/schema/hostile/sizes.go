package hostile

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

func sizes() []Case {
	const big = 64 << 20
	return []Case{
		{Name: "nested a million deep, as text", Schema: func() any { return deepText(1_000_000) }, Rule: schema.RuleBytes},
		{Name: "nested a million deep, as text, size limit lifted", Schema: func() any { return deepText(1_000_000) },
			Limits: &schema.Limits{MaxBytes: big}, Rule: schema.RuleJSON},
		{Name: "nested a million deep, as maps", Schema: func() any { return deepMaps(1_000_000) }, Rule: schema.RuleDepth},
		{Name: "arrays nested a million deep", Schema: func() any {
			var v any
			for range 1_000_000 {
				v = []any{v}
			}
			return map[string]any{"default": v}
		}, Rule: schema.RuleDepth},
		{Name: "nested as deep as the decoder goes", Schema: func() any { return deepText(4_000) }, Rule: schema.RuleDepth},
		{Name: "map that holds itself", Schema: func() any {
			m := map[string]any{}
			m["not"] = m
			return m
		}, Rule: schema.RuleDepth},
		{Name: "array that holds itself", Schema: func() any {
			a := make([]any, 2)
			a[0], a[1] = a, a
			return map[string]any{"allOf": a}
		}, Rule: schema.RuleDepth},
		{Name: "maps shared like a diamond", Schema: func() any {
			m := map[string]any{"type": "object"}
			for range 40 {
				m = map[string]any{"allOf": []any{m, m}}
			}
			return m
		}, Rule: schema.RuleDepth},
		{Name: "maps shared like a wide diamond", Schema: func() any {
			m := map[string]any{}
			for range 20 {
				m = map[string]any{"allOf": []any{m, m, m, m}}
			}
			return m
		}, Rule: schema.RuleNodes},
		{Name: "hundred thousand properties", Schema: func() any { return properties(100_000) }, Rule: schema.RuleBytes},
		{Name: "hundred thousand properties, as maps", Schema: func() any {
			m := make(map[string]any, 100_000)
			for i := range 100_000 {
				m[fmt.Sprint("p", i)] = true
			}
			return map[string]any{"properties": m}
		}, Rule: schema.RuleBytes},
		{Name: "twenty thousand properties, size limit lifted", Schema: func() any { return properties(20_000) },
			Limits: &schema.Limits{MaxBytes: big}, Rule: schema.RuleNodes},
		{Name: "as many properties as allowed", Schema: func() any { return properties(9_990) }, Args: args(`{"p1":"x"}`)},
		{Name: "as many boolean properties as fit", Schema: func() any {
			m := make(map[string]any)
			for i := range 20_000 {
				m[fmt.Sprint(i)] = true
			}
			return map[string]any{"properties": m}
		}, Args: args(`{"1":1}`)},
		{Name: "huge enum of strings", Schema: func() any {
			return json.RawMessage(`{"properties":{"a":{"items":{"enum":[` + strings.Repeat(`"x",`, 60_000) + `"y"]}}}}`)
		}, Args: func() map[string]any { return map[string]any{"a": repeat("z", 10_000)} }},
		{Name: "huge enum of numbers", Schema: func() any {
			return json.RawMessage(`{"properties":{"a":{"items":{"enum":[` + strings.Repeat(`1,`, 100_000) + `2]}}}}`)
		}, Args: func() map[string]any { return map[string]any{"a": repeat(2.0, 10_000)} }, Costly: true},
		{Name: "huge enum of arrays", Schema: func() any {
			return json.RawMessage(`{"properties":{"a":{"enum":[` + strings.Repeat(`[1,2,3,4,5,6,7,8,9,0],`, 9_000) + `2]}}}`)
		}, Args: args(`{"a":[1,2,3,4,5,6,7,8,9,1]}`)},
		{Name: "huge required", Schema: func() any {
			return json.RawMessage(`{"properties":{"a":{"items":{"required":[` + strings.Repeat(`"x",`, 60_000) + `"y"]}}}}`)
		}, Args: func() map[string]any { return map[string]any{"a": repeat(map[string]any{"x": 1, "y": 2}, 10_000)} }, Costly: true},
		{Name: "one very long name over many nodes", Schema: func() any {
			inner := strings.Repeat(`{"type":"string"},`, 5_000)
			return json.RawMessage(`{"properties":{"` + strings.Repeat("n", 150_000) + `":{"anyOf":[` + inner + `true]}}}`)
		}},
		{Name: "very long reference many times", Schema: func() any {
			name := strings.Repeat("n", 20_000)
			return json.RawMessage(`{"$defs":{"` + name + `":true},"allOf":[` + strings.Repeat(`{"$ref":"#/$defs/`+name+`"},`, 10) + `true]}`)
		}},
		{Name: "pointer through every level", Schema: func() any {
			return json.RawMessage(`{"allOf":[` + strings.Repeat(`{"$ref":"#`+strings.Repeat("/not", 50)+`"},`, 1_000) + `true],` +
				`"not":` + strings.Repeat(`{"not":`, 50) + `true` + strings.Repeat(`}`, 50) + `}`)
		}},
		{Name: "long type list", Schema: func() any {
			return json.RawMessage(`{"type":["object"` + strings.Repeat(`,"null"`, 30_000) + `]}`)
		}},
		{Name: "many embedded resources", Schema: func() any {
			var b strings.Builder
			for i := range 4_000 {
				fmt.Fprintf(&b, `"d%d":{"$id":"http://h/%d/x"},`, i, i)
			}
			return json.RawMessage(`{"$defs":{` + b.String() + `"end":true}}`)
		}},
		{Name: "many dynamic anchors and references", Schema: func() any {
			var b strings.Builder
			for i := range 2_000 {
				fmt.Fprintf(&b, `"d%d":{"$id":"http://h/%d","$dynamicAnchor":"n"},`, i, i)
			}
			refs := strings.Repeat(`{"$dynamicRef":"http://h/1#n"},`, 1_000)
			return json.RawMessage(`{"$defs":{` + b.String() + `"end":{"allOf":[` + refs + `true]}}}`)
		}, Rule: schema.RuleExpansion},
		{Name: "many dynamic references, each below a property", Schema: func() any {
			var b strings.Builder
			for i := range 2_000 {
				fmt.Fprintf(&b, `"d%d":{"$id":"http://h/%d","$dynamicAnchor":"n"},`, i, i)
			}
			refs := strings.Repeat(`{"not":{"properties":{"a":{"$dynamicRef":"http://h/1#n"}}}},`, 1_500)
			return json.RawMessage(`{"$defs":{` + b.String() + `"end":{"prefixItems":[` + refs + `true]}}}`)
		}},
	}
}

func deepText(n int) any {
	return json.RawMessage(strings.Repeat(`{"not":`, n) + `true` + strings.Repeat(`}`, n))
}

func deepMaps(n int) any {
	var v any = true
	for range n {
		v = map[string]any{"not": v}
	}
	return v
}

func properties(n int) any {
	var b strings.Builder
	b.WriteString(`{"type":"object","properties":{`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"p%d":{"type":"string"}`, i)
	}
	b.WriteString(`}}`)
	return json.RawMessage(b.String())
}
