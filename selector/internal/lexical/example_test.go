package lexical_test

import (
	"fmt"

	"github.com/mcpfleet/mcpfleet/selector/internal/lexical"
)

func ExampleIndex() {
	x := lexical.New(nil).Append(
		lexical.Document{lexical.Name: "create_pull_request", lexical.Description: "Opens a pull request"},
		lexical.Document{lexical.Name: "list_issues", lexical.Description: "Lists the issues of a repository"},
		lexical.Document{lexical.Name: "get_weather", lexical.Description: "Weather of a city"},
	)
	allowed := []uint64{0b011} // rows 0 and 1
	terms := []lexical.Term{{Stem: "list", Text: "list", Weight: 1}, {Stem: "weather", Text: "weather", Weight: 1}}
	scores := make([]float32, x.Len())
	x.BM25F(scores, terms, allowed, x.Stats(allowed))
	fmt.Printf("%.2f\n", scores)
	fmt.Println(x.Frequency("weather", nil), x.Frequency("weather", allowed))
	// Output:
	// [0.00 1.09 0.00]
	// 1 0
}
