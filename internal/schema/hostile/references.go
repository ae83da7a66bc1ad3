package hostile

import (
	"fmt"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

const (
	new2020 = `"$schema":"https://json-schema.org/draft/2020-12/schema"`
	draft07 = `"$schema":"http://json-schema.org/draft-07/schema#"`
)

func references() []Case {
	return []Case{
		{Name: "root refers to itself", Schema: text(`{"$ref":"#"}`), Rule: schema.RuleCycle},
		{Name: "root refers to itself, draft-07", Schema: text(`{` + draft07 + `,"$ref":"#"}`), Rule: schema.RuleCycle},
		{Name: "property refers to itself", Schema: text(`{"properties":{"a":{"$ref":"#/properties/a"}}}`), Rule: schema.RuleCycle},
		{Name: "mutual references", Schema: text(`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`), Rule: schema.RuleCycle},
		{Name: "cycle of unused definitions", Schema: text(`{"type":"object","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`), Rule: schema.RuleCycle},
		{Name: "long cycle", Schema: func() any { return chain(2000, "#/$defs/d0") }, Rule: schema.RuleCycle},
		{Name: "long chain", Schema: func() any { return chain(2000, "#/$defs/end") }, Args: args(`{"a":1}`), Costly: true},
		{Name: "longest chain", Schema: func() any { return chain(5000, "#/$defs/end") }, Args: args(`{"a":1}`), Costly: true},
		{Name: "cycle through allOf", Schema: text(`{"allOf":[{"$ref":"#"}]}`), Rule: schema.RuleCycle},
		{Name: "cycle through anyOf", Schema: text(`{"anyOf":[{"type":"null"},{"$ref":"#"}]}`), Rule: schema.RuleCycle},
		{Name: "cycle through oneOf", Schema: text(`{"oneOf":[{"$ref":"#"},true]}`), Rule: schema.RuleCycle},
		{Name: "cycle through not", Schema: text(`{"not":{"$ref":"#"}}`), Rule: schema.RuleCycle},
		{Name: "cycle through if", Schema: text(`{"if":{"$ref":"#"},"then":false}`), Rule: schema.RuleCycle},
		{Name: "cycle through then", Schema: text(`{"if":true,"then":{"$ref":"#"}}`), Rule: schema.RuleCycle},
		{Name: "cycle through dependentSchemas", Schema: text(`{"dependentSchemas":{"a":{"$ref":"#"}}}`), Rule: schema.RuleCycle},
		{Name: "cycle through dependencies", Schema: text(`{` + draft07 + `,"dependencies":{"a":{"$ref":"#"}}}`), Rule: schema.RuleCycle},
		{Name: "dynamic reference to itself", Schema: text(`{"$dynamicAnchor":"a","$dynamicRef":"#a"}`), Rule: schema.RuleCycle},
		{Name: "dynamic references that meet only in another resource", Schema: text(`{"$id":"http://h/root","$dynamicAnchor":"n","$ref":"other",
			"$defs":{"o":{"$id":"other","$dynamicAnchor":"m","allOf":[{"$dynamicRef":"leaf#n"}]},"l":{"$id":"leaf","$dynamicAnchor":"n"}}}`), Rule: schema.RuleCycle},
		{Name: "recursive reference", Schema: text(`{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"$recursiveRef":"#"}`), Rule: schema.RuleKeyword},

		{Name: "remote reference", Schema: text(`{"$ref":"https://attacker.example/s.json?token=1"}`), Rule: schema.RuleRemoteRef},
		{Name: "remote reference in a property", Schema: text(`{"properties":{"a":{"$ref":"http://169.254.169.254/latest/meta-data"}}}`), Rule: schema.RuleRemoteRef},
		{Name: "remote reference under an unknown keyword that is referred to", Schema: text(`{"$ref":"#/x","x":{"$ref":"http://h/"}}`), Rule: schema.RuleRemoteRef},
		{Name: "remote dynamic reference", Schema: text(`{"$dynamicRef":"http://h/#a"}`), Rule: schema.RuleRemoteRef},
		{Name: "reference to the metaschema", Schema: text(`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`), Rule: schema.RuleRemoteRef},
		{Name: "file reference", Schema: text(`{"$ref":"file:///etc/passwd"}`), Rule: schema.RuleRemoteRef},
		{Name: "relative file reference", Schema: text(`{"$ref":"../../etc/passwd"}`), Rule: schema.RuleRemoteRef},
		{Name: "reference without a scheme", Schema: text(`{"$ref":"//attacker.example/s"}`), Rule: schema.RuleRemoteRef},
		{Name: "data reference", Schema: text(`{"$ref":"data:application/json,{}"}`), Rule: schema.RuleRemoteRef},
		{Name: "base changed so that a local path is remote", Schema: text(`{"$id":"http://attacker.example/","properties":{"a":{"$ref":"x#/properties/a"}}}`), Rule: schema.RuleRemoteRef},
		{Name: "base changed below the reference", Schema: text(`{"properties":{"a":{"$id":"http://h/x/","$ref":"y"}}}`), Rule: schema.RuleRemoteRef},
		{Name: "base changed so that a pointer leaves its target behind", Schema: text(`{"$defs":{"t":{}},"properties":{"a":{"$id":"http://h/x","properties":{"b":{"$ref":"#/$defs/t"}}}}}`), Rule: schema.RuleBadRef},
		{Name: "same $id twice", Schema: text(`{"$defs":{"a":{"$id":"http://h/x"},"b":{"$id":"http://h/x","type":"null"}},"$ref":"http://h/x"}`), Rule: schema.RuleBadRef},
		{Name: "$id of the root again", Schema: text(`{"$id":"http://h/x","$defs":{"a":{"$id":"x"}}}`), Rule: schema.RuleBadRef},
		{Name: "$id that is no URI", Schema: text(`{"$id":"http://[::1"}`), Rule: schema.RuleBadRef},
		{Name: "same anchor twice", Schema: text(`{"$defs":{"a":{"$anchor":"x"},"b":{"$anchor":"x"}},"$ref":"#x"}`), Rule: schema.RuleBadRef},
		{Name: "anchor inside an enum", Schema: text(`{"enum":[{"$anchor":"x"}],"$ref":"#x"}`), Rule: schema.RuleBadRef},
		{Name: "$id inside a const", Schema: text(`{"const":{"$id":"http://h/x"},"$ref":"http://h/x"}`), Rule: schema.RuleRemoteRef},
		{Name: "pointer to nothing", Schema: text(`{"$ref":"#/$defs/none"}`), Rule: schema.RuleBadRef},
		{Name: "pointer to a number", Schema: text(`{"minLength":1,"$ref":"#/minLength"}`), Rule: schema.RuleBadRef},
		{Name: "pointer with a bad escape", Schema: text(`{"$ref":"#/%zz"}`), Rule: schema.RuleBadRef},
		{Name: "pointer with a negative index", Schema: text(`{"allOf":[{}],"$ref":"#/allOf/-1"}`), Rule: schema.RuleBadRef},
		{Name: "reference that is a number", Schema: text(`{"$ref":1}`), Rule: schema.RuleKeyword},
		{Name: "reference that is an object", Schema: text(`{"$ref":{"$ref":"#"}}`), Rule: schema.RuleKeyword},

		{Name: "dialect at a foreign host", Schema: text(`{"$schema":"https://attacker.example/meta"}`), Rule: schema.RuleDialect},
		{Name: "dialect from a file", Schema: text(`{"$schema":"file:///etc/passwd"}`), Rule: schema.RuleDialect},
		{Name: "dialect that refers to itself", Schema: text(`{"$schema":"#"}`), Rule: schema.RuleDialect},
		{Name: "dialect that is an object", Schema: text(`{"$schema":{}}`), Rule: schema.RuleDialect},
		{Name: "foreign dialect of an embedded resource", Schema: text(`{"$defs":{"a":{"$id":"http://h/a","$schema":"http://h/meta"}}}`), Rule: schema.RuleDialect},
		{Name: "vocabulary that is not known", Schema: text(`{` + new2020 + `,"$vocabulary":{"https://attacker.example/v":true},"type":"object"}`)},
	}
}

// chain is a root that refers to d0, which refers to d1, and so on up to d(n-1), which refers to last.
func chain(n int, last string) any {
	defs := map[string]any{"end": map[string]any{"type": "object"}}
	for i := range n {
		to := fmt.Sprintf("#/$defs/d%d", i+1)
		if i == n-1 {
			to = last
		}
		defs[fmt.Sprintf("d%d", i)] = map[string]any{"$ref": to}
	}
	return map[string]any{"$ref": "#/$defs/d0", "$defs": defs}
}

// diamonds is a root whose $defs d0..dn each apply the next one twice, in the way that layer spells with two %s.
func diamonds(n int, layer string) any {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range n {
		ref := fmt.Sprintf(`{"$ref":"#/$defs/d%d"}`, i+1)
		fmt.Fprintf(&b, `"d%d":%s,`, i, fmt.Sprintf(layer, ref, ref))
	}
	fmt.Fprintf(&b, `"d%d":{"type":"object"}}}`, n)
	return text(b.String())()
}
