package hostile

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

func patterns() []Case {
	long := func(s string, n int) func() map[string]any {
		return func() map[string]any { return map[string]any{"a": strings.Repeat(s, n)} }
	}
	pattern := func(p string) func() any {
		return func() any {
			quoted, _ := json.Marshal(p)
			return json.RawMessage(`{"properties":{"a":{"pattern":` + string(quoted) + `}}}`)
		}
	}
	many := func(n int, format string) func() any {
		return func() any {
			props := make(map[string]any, n)
			for i := range n {
				props[fmt.Sprint(i)] = map[string]any{"pattern": fmt.Sprintf(format, i)}
			}
			return map[string]any{"properties": props}
		}
	}
	return []Case{
		{Name: "catastrophic backtracking", Schema: pattern(`^(a+)+$`), Args: long("a", 50_000)},
		{Name: "catastrophic alternation", Schema: pattern(`^(a|a|aa)*b$`), Args: long("a", 50_000)},
		{Name: "nested counted repetition", Schema: pattern(`(a{1000}){1000}`), Args: long("a", 100)},
		{Name: "counted repetition just inside Go's limit", Schema: pattern(`((a{10}){10}){10}`), Args: long("a", 10_000)},
		{Name: "counted repetition of classes", Schema: pattern(`^(\pL{30}\pN{30}){30}$`), Rule: schema.RulePattern},
		{Name: "counted repetitions in a row", Schema: pattern(strings.Repeat(`(ab?){1000}`, 300)), Rule: schema.RulePattern},
		{Name: "counted repetitions in many patterns", Schema: many(2_000, `^x%d(ab?){900}$`), Rule: schema.RulePattern},
		{Name: "Unicode classes in a row", Schema: pattern(strings.Repeat(`\pL`, 1_300)), Rule: schema.RulePattern},
		{Name: "Unicode classes in many patterns", Schema: many(5_000, `\pL%d`), Rule: schema.RulePattern},
		{Name: "folded Unicode range", Schema: pattern(`(?i)` + strings.Repeat(`[\x{42}-\x{1e942}]`, 200)), Args: long("x", 300)},
		{Name: "folded literal range", Schema: pattern(`(?i)` + strings.Repeat("[B-\U0001e942]", 500)), Args: long("x", 300)},
		{Name: "very long pattern", Schema: pattern(strings.Repeat("a?", 50_000)), Rule: schema.RulePattern},
		{Name: "deeply nested groups", Schema: pattern(strings.Repeat("(", 1_900) + strings.Repeat(")", 1_900)), Args: long("a", 10)},
		{Name: "look-around and back-reference", Schema: pattern(`^(?=a)(a)\1$`), Args: long("a", 2)},
		{Name: "invalid pattern", Schema: pattern(`([`), Args: long("a", 2)},
		{Name: "slow pattern on long text", Schema: pattern(`(x+x+)+y|` + strings.Repeat(`.?`, 400) + `z`), Args: long("x", 1<<20)},
		{Name: "hundred pattern properties, many names", Schema: func() any {
			pats := make(map[string]any, 100)
			for i := range 100 {
				pats[fmt.Sprintf("^(.*%d){20}$", i)] = true
			}
			return map[string]any{"patternProperties": pats}
		}, Args: func() map[string]any {
			m := make(map[string]any, 5_000)
			for i := range 5_000 {
				m[fmt.Sprint("property-", i)] = i
			}
			return m
		}, Costly: true},
		{Name: "pattern that is a number", Schema: text(`{"pattern":1}`), Rule: schema.RuleKeyword},
		{Name: "alternations that share prefixes", Schema: func() any {
			var b strings.Builder
			for i := range 800 {
				fmt.Fprintf(&b, "|%04d", i)
			}
			return pattern(`^(` + b.String()[1:] + `)+$`)()
		}, Args: long("0799", 2_000)},
	}
}
